"""Floods: what they take is bounded and named, and others go on."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from clients import curl
from frames import frame, p
from lab import BARE, Bench, county, drops, same, test, true, wait_until

TARGET = "59.205.16.3"
FLOWS = 8192
FLOOD_MAC = "52:54:00:99:99:99"

# Speaks first, then answers a line with the line.
BANNER = """
import socketserver
class One(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready\\n")
        self.wfile.write(self.rfile.readline())
class All(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
All(("59.205.16.3", 5203), One).serve_forever()
"""

# So many connections one after the other; prints how many went wrong, and the longest in seconds.
TALK = """
import socket, sys, time
wrong, longest = 0, 0.0
for i in range(int(sys.argv[1])):
    began = time.monotonic()
    try:
        with socket.create_connection(("59.205.16.3", 5203), timeout=10) as s, s.makefile("rwb") as f:
            greeting = f.readline()
            f.write(b"line %d\\n" % i)
            f.flush()
            if greeting != b"220 ready\\n" or f.readline() != b"line %d\\n" % i:
                wrong += 1
    except OSError as error:
        print(error, file=sys.stderr)
        wrong += 1
    longest = max(longest, time.monotonic() - began)
    time.sleep(0.02)
print(wrong, longest)
"""


def start(bench: Bench) -> None:
    bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
    bench.county.serve()
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    bench.gateway.options = ("--no-huge", "--memory", "512", "--flows", str(FLOWS))
    bench.gateway.start()
    # Made-up senders never answer, nor does anybody for them.
    bench["cloud"].ip("route add blackhole 10.65.64.64/27")
    wait_until(lambda: curl(bench["finance"], "59.205.16.10", 443) == "cloud", "finance reaches the cloud")


@contextmanager
def flood(bench: Bench, frames: list[bytes], cable: str = "lan") -> Iterator[list[int]]:
    """Sends the frames over and over, as fast as one thread can; the list holds how many."""
    sent, stop = [0], threading.Event()

    def send() -> None:
        with bench[f"{cable}-cable"].packet_socket("trunk") as s:
            while not stop.is_set():
                for one in frames:
                    try:
                        s.send(one)
                        sent[0] += 1
                    except OSError:
                        pass  # the cable's queue is full
                    if stop.is_set():
                        return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def memory_of(pid: int) -> int:
    """What the process holds, in KiB; without pages that are only mapped from files."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def made_up(count: int, seed: int, build: Callable[[str, int, random.Random], bytes]) -> list[bytes]:
    """Frames from addresses and ports of a unit that nobody has."""
    dice = random.Random(seed)
    hosts = [f"10.65.64.{n}" for n in range(71, 94)]
    return [frame("lan", FLOOD_MAC, build(dice.choice(hosts), dice.randrange(1024, 65536), dice))
            for _ in range(count)]


@test(BARE)
def a_syn_flood_of_made_up_sources(bench: Bench) -> None:
    """The target's clients of another unit go on, a server that speaks first too; the attack is told of."""
    start(bench)
    server = bench["cloud"].start("banner", "python3", "-c", BANNER)
    wait_until(lambda: server.listens(5203), "the server listens")
    frames = made_up(20_000, 1, lambda source, port, dice: p.ipv4(source, TARGET, p.TCP, p.tcp(
        source, TARGET, port, 5203, dice.randrange(1 << 32), 0, p.SYN)))
    before = bench.counters()
    pid = bench.gateway.dataplane.pid
    with flood(bench, frames) as sent:
        wait_until(lambda: (bench.counters().reasons - before.reasons)["syn-cookie"] > 1000, "cookies")
        memory = memory_of(pid)
        talk = bench["finance"].run("python3", "-c", TALK, "100", seconds=120)
        attacks = json.loads(bench.gateway.ask("attacks", "-o", "json").stdout)["rows"]
        alarms = json.loads(bench.gateway.ask("status", "-o", "json").stdout)["alarms"]
        time.sleep(1)
    grown = memory_of(pid) - memory
    counted = bench.counters().reasons - before.reasons
    wrong, longest = talk.stdout.split()
    print(f"sent {sent[0]}, {dict(counted)}, longest {longest} s, memory {grown} KiB", file=sys.stderr)
    same(wrong, "0", f"connections that failed: {talk.stderr}")
    true(float(longest) < 4, f"the longest took {longest} s")
    true(counted["syn-cookie"] > 10_000, f"answered with cookies: {dict(counted)}")
    live = json.loads(bench.gateway.ask("status", "-o", "json").stdout)["flows"]["live"]
    true(live < 3 * 1024, f"flows that the flood holds: {live}")
    true(grown < 1024, f"memory grew by {grown} KiB")
    found = [row for row in attacks if row["type"] == "syn-flood"]
    same([(row["target"], row["state"], row["unit"]) for row in found], [(TARGET, "ongoing", "rsj-360121")], "attacks")
    true("syn-flood" in [alarm["alarm"] for alarm in alarms], f"alarms: {alarms}")
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "another server behind the flood")


@test(BARE)
def a_flow_table_filled_by_one_unit(bench: Bench) -> None:
    """A unit that fills the table is held to its share; another opens flows as before."""
    start(bench)
    frames = made_up(40_000, 2, lambda source, port, dice: p.ipv4(source, TARGET, p.UDP, p.udp(
        source, TARGET, port, 5201, b"x")))
    before = bench.counters()
    pid = bench.gateway.dataplane.pid
    with flood(bench, frames):
        wait_until(lambda: (bench.counters().reasons - before.reasons)["flow-share"] > 1000, "shares")
        memory = memory_of(pid)
        for _ in range(30):
            same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "finance, while hrss is over its share")
        alarms = json.loads(bench.gateway.ask("status", "-o", "json").stdout)["alarms"]
    counted = bench.counters().reasons - before.reasons
    same({name for name in drops(counted) if name.startswith("flow-")}, {"flow-share"}, "drops")
    true(memory_of(pid) - memory < 1024, "memory does not grow")
    true({"flow-share", "flow-table-nearly-full"} <= {alarm["alarm"] for alarm in alarms}, f"alarms: {alarms}")
    for form in ("table", "json", "jsonl", "csv"):
        same(bench.gateway.ask("attacks", "-o", form).returncode, 0, f"attacks as {form}")
