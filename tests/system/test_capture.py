"""Packets of a running gateway, captured, and read by tcpdump and tshark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

from clients import curl, dig, iperf, iperf_server, ping
from lab import BARE, ONE_WORKER, TWO_WORKERS, Bench, programs, same, test, true, wait_until
from nat_lab import FAR, NAT, PAGES, ends
from test_access import APPLIANCE, SECURITY, SYSTEM, ask, records, start

BUDGET, PROBE = "59.205.16.10", "59.205.16.3"
FIELDS = ("frame.time_epoch", "frame.comment", "frame.interface_name", "frame.len", "frame.cap_len", "ip.src", "ip.dst",
          "ip.ttl", "eth.src", "tcp.dstport", "icmp.type")


class Row(NamedTuple):
    time: float
    comment: str
    port: str
    length: int
    captured: int
    source: str
    destination: str
    ttl: str
    mac: str
    tcp_port: str
    icmp: str


def rows(file: Path) -> list[Row]:
    """What tshark says is in a file."""
    words = [w for field in FIELDS for w in ("-e", field)]
    done = subprocess.run(["tshark", "-n", "-r", str(file), "-T", "fields", "-E", "separator=/t", "-E", "occurrence=f",
                           *words], text=True, capture_output=True, timeout=60)
    same(done.returncode, 0, f"tshark: {done.stderr}")
    found = []
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        found.append(Row(float(cells[0]), cells[1], cells[2], int(cells[3]), int(cells[4]), *cells[5:]))
    return found


def said(bench: Bench, words: str) -> int:
    return bench.gateway.dataplane.output().count(words)


class Captured:
    """A capture that goes on: `file` while it does, `rows` and `said` afterwards."""

    def __init__(self, bench: Bench) -> None:
        self.file = bench.lab.directory / f"capture-{time.monotonic_ns()}.pcapng"
        self.rows: list[Row] = []
        self.said = ""
        self.code: int | None = None
        self.client: subprocess.Popen[str]


@contextmanager
def capturing(bench: Bench, *words: str, ends_itself: bool = False) -> Iterator[Captured]:
    """From when the data plane has begun until Ctrl-C, or until it ends by itself."""
    captured, before = Captured(bench), said(bench, "a capture has begun")
    captured.client = subprocess.Popen(
        [str(programs(bench.build)["meiguan"]), "--run-dir", str(bench.gateway.run_dir), "--lang", "en", "capture",
         *words, "-w", str(captured.file)], text=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: said(bench, "a capture has begun") > before or captured.client.poll() is not None,
                   "a capture that has begun")
        yield captured
        if not ends_itself:
            captured.client.send_signal(signal.SIGINT)
        captured.said = captured.client.communicate(timeout=20)[1]
    finally:
        captured.client.kill()
        captured.client.wait()
    captured.code = captured.client.returncode
    same(captured.code, 0, f"meiguan capture: {captured.said}")
    captured.rows = rows(captured.file)


def over(bench: Bench) -> None:
    """Until the data plane does nothing for a capture any more."""
    wait_until(lambda: said(bench, "the capture is over") == said(bench, "a capture has begun"),
               "the data plane without a capture")


@test(ONE_WORKER, TWO_WORKERS)
def capture_shows_what_is_dropped(bench: Bench) -> None:
    """Of two desks, one denied, the file has the denied one's packets, each with reason, unit and in-port."""
    with capturing(bench, "ip and tcp", "--at", "drop", "--reason", "default-deny") as captured:
        counted = bench.measure(lambda: (same(curl(bench["hrss"], BUDGET, 443, 1.5), None, "the denied desk"),
                                         same(curl(bench["finance"], BUDGET, 443), "cloud", "the allowed desk")))
    same(len(captured.rows), counted.reasons["default-deny"], "packets in the file, of those counted")
    true(captured.rows, "some were dropped")
    for row in captured.rows:
        same((row.source, row.destination, row.tcp_port), ("10.65.64.70", BUDGET, "443"), "the packet")
        same(row.port, "lan", "interface")
        same(row.ttl, "64", "as received")
        true(row.comment.startswith("default-deny; unit rsj-360121"), f"comment: {row.comment}")
        true("space shared" in row.comment, f"comment: {row.comment}")
    same(os.stat(captured.file).st_mode & 0o777, 0o600, "who may read the file")


@test(ONE_WORKER, TWO_WORKERS)
def capture_shows_both_sides_of_a_forwarded_packet(bench: Bench) -> None:
    """As received a ping comes from the desk with its TTL, as sent it leaves by the other port with one less."""
    seen: dict[str, list[Row]] = {}
    for at in ("rx", "tx"):
        with capturing(bench, "icmp", "--at", at) as captured:
            same(ping(bench["hrss"], PROBE, count=5).received, 5, "answers")
        seen[at] = captured.rows
        same(len(captured.rows), 10, f"requests and answers at {at}")
        for row in captured.rows:
            true(row.comment.startswith("allowed 360121/ping-probe; "), f"comment: {row.comment}")
        times = [row.time for row in captured.rows]
        same(times, sorted(times), "order of time")
        same([row.icmp for row in captured.rows], ["8", "0"] * 5, "each answer behind its request")
    request, answer = (lambda rows: next(r for r in rows if r.icmp == "8")), (
        lambda rows: next(r for r in rows if r.icmp == "0"))
    same((request(seen["rx"]).port, request(seen["tx"]).port), ("lan", "wan"), "ports of a request")
    same((answer(seen["rx"]).port, answer(seen["tx"]).port), ("wan", "lan"), "ports of an answer")
    same((request(seen["rx"]).ttl, request(seen["tx"]).ttl), ("64", "63"), "TTL")
    same(request(seen["rx"]).mac, "52:54:00:21:02:70", "the desk's own MAC")
    true(request(seen["tx"]).mac != "52:54:00:21:02:70", "the gateway's MAC")


@test()
def capture_of_one_unit(bench: Bench) -> None:
    """Of two desks that ask for names only the unit's packets are there, with the first of them alone by -c."""
    with capturing(bench, "--at", "rx", "--unit", "czj-360121", "-c", "1", "-s", "64", ends_itself=True) as captured:
        same(dig(bench["hrss"], "59.205.39.2"), "59.205.39.10", "social security asks")
        same(dig(bench["finance"], "59.205.39.2"), "59.205.39.10", "finance asks")
    same(len(captured.rows), 1, "packets")
    row = captured.rows[0]
    same((row.source, row.captured), ("10.65.64.37", 64), "of finance, cut")
    true(row.length > 64, f"its length on the wire: {row.length}")
    true("unit czj-360121" in row.comment and "service dns" in row.comment, f"comment: {row.comment}")
    over(bench)


@test()
def capture_piped_to_tcpdump(bench: Bench) -> None:
    """`-w -` is a file that tcpdump reads while it is written; -c of tcpdump ends both."""
    words = [str(programs(bench.build)["meiguan"]), "--run-dir", str(bench.gateway.run_dir), "capture", "icmp", "--at",
             "rx", "-w", "-"]
    before = said(bench, "a capture has begun")
    client = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    reader = subprocess.Popen(["tcpdump", "-nn", "-c", "4", "-r", "-"], stdin=client.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    try:
        client.stdout.close()
        wait_until(lambda: said(bench, "a capture has begun") > before, "a capture that has begun")
        same(ping(bench["hrss"], PROBE, count=5).received, 5, "answers")
        printed = reader.communicate(timeout=20)[0]
        same(reader.returncode, 0, "tcpdump")
        same(len(printed.splitlines()), 4, f"lines: {printed}")
        true("10.65.64.70 > 59.205.16.3: ICMP echo request" in printed, printed)
        ping(bench["hrss"], PROBE, count=1)  # what it writes next finds nobody
        wait_until(lambda: client.poll() is not None, "the client's end")
    finally:
        for process in (client, reader):
            process.kill()
            process.wait()
    over(bench)


@test()
def capture_ends_with_its_client(bench: Bench) -> None:
    """A client that is killed leaves no capture in the data plane; another may begin then, and not before."""
    with capturing(bench, "--at", "rx", "--seconds", "1", ends_itself=True):
        pass
    over(bench)
    before = said(bench, "a capture has begun")
    client = subprocess.Popen(
        [str(programs(bench.build)["meiguan"]), "--run-dir", str(bench.gateway.run_dir), "capture", "--at", "rx", "-w",
         "/dev/null"], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: said(bench, "a capture has begun") > before, "a capture that has begun")
        second = bench.gateway.ask("capture", "--at", "rx", "-w", "/dev/null")
        same(second.returncode, 3, "a second one")
        true("root captures already" in second.stderr, second.stderr)
    finally:
        client.kill()
        client.wait()
    over(bench)
    with capturing(bench, "icmp", "--at", "rx") as captured:
        same(ping(bench["hrss"], PROBE, count=2).received, 2, "answers")
    same(len(captured.rows), 4, "the next capture works")


@test(ONE_WORKER, TWO_WORKERS)
def capture_that_nobody_reads_stops_nothing(bench: Bench) -> None:
    """A stopped client: the ring is full, nothing that is forwarded is lost, and what is missing is counted."""
    ended = []
    with iperf_server(bench, "cloud", PROBE, 5201), capturing(bench, "tcp port 5201", "--at", "rx") as captured:

        def act() -> None:
            captured.client.send_signal(signal.SIGSTOP)
            try:
                ended.append(iperf(bench["hrss"], PROBE, 5201, "-b", "120M", seconds=3))
            finally:
                captured.client.send_signal(signal.SIGCONT)

        counted = bench.measure(act)
    same(counted.drops(late=counted.reasons["allowed"] // 50), {}, "drops")
    same(sum(port["transmit_failed"] for port in counted.ports.values()), 0, "frames that a port did not take")
    true(ended[0]["sum_received"]["bytes"] > 20 << 20, f"more was carried than a ring holds: {ended[0]}")
    true("were not taken" in captured.said, f"said: {captured.said}")
    missing = int(next(line for line in captured.said.splitlines() if "more were not taken" in line).split()[0])
    true(len(captured.rows) > 1000 and missing > 0, f"{len(captured.rows)} in the file, {missing} not taken")
    judged = counted.rules["360121/measure-for-hrss"]["packets"] + counted.reasons["tcp-no-state"]
    same(len(captured.rows) + missing, judged, "packets in the file or not taken, of those that were judged")


@test()
def capture_outlives_no_control_plane(bench: Bench) -> None:
    """`kill -9` of the control plane ends a capture in the data plane, and the client says that it is over."""
    before = said(bench, "a capture has begun")
    client = subprocess.Popen(
        [str(programs(bench.build)["meiguan"]), "--run-dir", str(bench.gateway.run_dir), "--lang", "en", "capture",
         "--at", "rx", "-w", "/dev/null"], text=True, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: said(bench, "a capture has begun") > before, "a capture that has begun")
        bench.gateway.controld.stop(by=signal.SIGKILL)
        message = client.communicate(timeout=20)[1]
        same(client.returncode, 3, message)
        over(bench)
    finally:
        client.kill()
        client.wait()
        bench.gateway.start_controld()
        bench.gateway.await_image()


@test()
def capture_refuses_what_it_cannot_do(bench: Bench) -> None:
    """Bad filters, unknown words, files that cannot be written: said, and nothing has begun."""
    before = said(bench, "a capture has begun")
    long = " or ".join(f"net {n}.{n}" for n in range(1, 79))
    for words, code, message in (
            (("tcp prot 80",), 2, "syntax error"),
            (("ip6 protochain 6",), 3, "the filter has a loop"),
            (("x" * 1025,), 2, "at most 1024 are taken"),
            ((long,), 2, "instructions, at most 512"),
            (("--reason", "default-denny"), 2, "default-deny"),
            (("--unit", "nobody"), 3, "no unit `nobody`"),
            (("-s", "10"), 2, "--snap"),
            (("--seconds", "0"), 2, "--seconds")):
        done = bench.gateway.ask("capture", "--at", "drop", "-w", "/dev/null", *words)
        same(done.returncode, code, f"{words}: {done.stderr}")
        true(message in done.stderr, f"{words}: {done.stderr}")
    done = bench.gateway.ask("capture", "--at", "drop", "-w", "/nowhere/at/all")
    same(done.returncode, 2, f"a file in no directory: {done.stderr}")
    same(said(bench, "a capture has begun"), before, "captures begun")


@test(NAT)
def capture_behind_a_translation(bench: Bench) -> None:
    """As sent, a connection to the internet comes from the pool; as received, from the desk."""
    seen = {}
    for at in ("rx", "tx"):
        address = []
        with capturing(bench, f"tcp and host {FAR[0]} and dst port {PAGES}", "--at", at) as captured:
            address.append(ends(bench["hrss"], FAR[0])[0])
        seen[at] = ({row.source for row in captured.rows}, {row.port for row in captured.rows})
        same({row.comment.split(";")[0] for row in captured.rows}, {"allowed 360121/desks-to-internet"}, "comments")
        if at == "tx":
            same(seen[at], ({address[0]}, {"internet"}), "as sent")
        else:
            same(seen[at], ({"10.65.64.70"}, {"lan"}), "as received")


@test(BARE)
def capture_is_the_security_administrators(bench: Bench) -> None:
    """Nobody else may, and who captured what and when it was over is in the audit log."""
    gateway = start(bench, APPLIANCE)
    words = ("capture", "icmp", "--at", "rx", "--seconds", "1", "-w", "/dev/null")
    refused = ask(gateway, SYSTEM, *words)
    same(refused.returncode, 3, "the system administrator")
    true("not for the system administrator" in refused.stderr, refused.stderr)
    done = ask(gateway, SECURITY, *words)
    same(done.returncode, 0, f"the security administrator: {done.stderr}")
    kept = [r for r in records(gateway) if r["event"].startswith("capture")]
    same([(r["event"], r["outcome"]) for r in kept],
         [("capture", "refused"), ("capture", "begun"), ("capture", "done"), ("capture-over", "noted")], "records")
    begun, noted = kept[1], kept[3]
    same((begun["uid"], begun["detail"]["filter"], begun["detail"]["at"]), (SECURITY, "icmp", "rx"), "who and what")
    true(begun["detail"]["program"], "the program that was run")
    same((noted["detail"]["user"], noted["detail"]["why"]), (begun["user"], "time"), f"the end: {json.dumps(noted)}")
