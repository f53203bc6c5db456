"""The block list of a running gateway: at once, over restarts, to its end, and never by mistake."""

import random
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from clients import curl, ping
from lab import BARE, Bench, DataPlane, Gateway, same, test, true, wait_until
from test_survival import start
from test_times import ADDRESSES, PORT, Flow

CLOUD = "59.205.16.10"
MANY = 100_000


def block(gateway: Gateway, *words: str, want: int = 0) -> str:
    done = gateway.ask("block", *words)
    same(done.returncode, want, f"meiguan block {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def feed(bench: Bench, *more: str, count: int = MANY) -> Path:
    """A list as others publish them: scattered addresses that nobody here has, and some networks."""
    numbers = random.Random(7)
    lines = [f"{11 + numbers.randrange(80)}.{numbers.randrange(256)}.{numbers.randrange(256)}.{numbers.randrange(256)}"
             for _ in range(count * 9 // 10)]
    lines += [f"2a0{numbers.randrange(10)}:{numbers.randrange(1, 65536):x}:{numbers.randrange(1, 65536):x}::/48"
              for _ in range(count - len(lines) - len(more))]
    file = bench.lab.directory / "feed.txt"
    file.write_text("\n".join((*lines, *more)) + "\n")
    return file


def blocked(bench: Bench) -> int:
    return bench.counters().reasons["blocked"]


def generation(gateway: Gateway) -> int:
    with DataPlane(gateway.run_dir) as dataplane:
        return dataplane.status().generation


@test(BARE)
def a_hundred_thousand_blocks_hold_within_a_second(bench: Bench) -> None:
    """100,000 entries are in force in under a second; live flows to two of them end, others go on."""
    gateway = start(bench)
    with ExitStack() as stack:
        flows = [Flow(bench["finance"], bench["cloud"], family, kind, PORT)
                 for family in ADDRESSES for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        for flow in flows:
            stack.callback(flow.close)
            true(flow.arrives(), f"{flow.name}: before")
        with DataPlane(gateway.run_dir) as dataplane:
            live = dataplane.status().live_flows
        true(live >= 4, "live flows")
        file = feed(bench, *ADDRESSES.values())
        before = blocked(bench)
        began = time.monotonic()
        said = block(gateway, "add", "--file", str(file), "--reason", "feed", "--ticket", "JX-1")
        taken = time.monotonic() - began
        print(f"     {MANY} entries in force after {taken:.3f} s")
        true(taken < 1, f"in force within a second: {taken:.3f} s")
        same([flow.name for flow in flows if flow.arrives()], [], "flows that something arrives of")
        true(blocked(bench) - before >= len(flows), "packets dropped as blocked")
        with DataPlane(gateway.run_dir) as dataplane:
            wait_until(lambda: dataplane.status().live_flows <= live - 4, "the flows to be gone from the table")
        same(curl(bench["finance"], CLOUD, 443), "cloud", "what is not blocked")
        rows = gateway.json("block", "list", "59.205.16.3")["rows"]
        same([(row["prefix"], row["reason"], row["ticket"]) for row in rows],
             [("59.205.16.3/32", "feed", "JX-1")], "the entry that blocks it")
        true(rows[0]["packets"] >= 2, f"what it has dropped: {rows}")
        count = int(said.split(";")[1].split()[0])
        same(gateway.json("status")["blocks"], count, "entries that status tells of")

        # Off the list again: new flows pass.
        block(gateway, "remove", *ADDRESSES.values())
        same(gateway.ask("block", "list", "59.205.16.3").returncode, 1, "nothing blocks it any more")
        for flow in flows:
            if flow.kind == socket.SOCK_DGRAM:
                wait_until(flow.arrives, f"{flow.name} to pass again")
        true(ping(bench["finance"], "59.205.16.3", count=1).received == 1, "pings pass")


@test(BARE)
def blocks_outlive_both_programs(bench: Bench) -> None:
    """After kill -9 of both, the data plane alone blocks again; the control plane finds its list, and sends none."""
    gateway = start(bench)
    block(gateway, "add", CLOUD, "--reason", "leak", "--by", "zhang")
    same(curl(bench["finance"], CLOUD, 443, 1.2), None, "it is blocked")
    gateway.controld.stop(by=signal.SIGKILL)
    gateway.dataplane.stop(by=signal.SIGKILL)
    gateway.start_dataplane()
    wait_until(lambda: ping(bench["finance"], "59.205.16.3", count=1).received == 1, "it forwards")
    same(curl(bench["finance"], CLOUD, 443, 1.2), None, "blocked without a control plane")
    true(blocked(bench) > 0, "dropped as blocked")
    was = generation(gateway)
    gateway.start_controld()
    gateway.await_image()
    rows = gateway.json("block", "list")["rows"]
    same([row["prefix"] for row in rows], [f"{CLOUD}/32"], "the list of the control plane")
    true(rows[0]["by"].startswith("zhang"), f"who blocked it: {rows}")
    true(rows[0]["packets"] > 0, "what it has dropped since the data plane started")
    true(generation(gateway) <= was + 1, "a list that is there is not sent again")
    block(gateway, "remove", "--all")
    same(curl(bench["finance"], CLOUD, 443), "cloud", "and lifted")


@test(BARE)
def blocks_end_by_themselves(bench: Bench) -> None:
    """An entry's time passes while no control plane lives; a shorter prefix beside it goes on."""
    gateway = start(bench)
    block(gateway, "add", CLOUD, "--for", "5s")
    block(gateway, "add", "2001:db8:0:16::3", "--for", "5s")
    block(gateway, "add", "2001:db8:0:16::/64")
    until = time.time() + 5
    gateway.controld.stop(by=signal.SIGKILL)
    same(curl(bench["finance"], CLOUD, 443, 1), None, "blocked before its end")
    true(time.time() < until, "all that in time")
    time.sleep(max(0.0, until - time.time() - 0.3))
    wait_until(lambda: curl(bench["finance"], CLOUD, 443, 0.5) == "cloud", "the block to end")
    late = time.time() - until
    true(-1 < late < 3, f"it ends on time: {late:.2f} s late")
    same(ping(bench["finance"], "2001:db8:0:16::3", count=1).received, 0, "what a shorter prefix blocks as well")
    gateway.start_controld()
    gateway.await_image()
    same([row["prefix"] for row in gateway.json("block", "list")["rows"]], ["2001:db8:0:16::/64"], "the list then")


@test(BARE)
def what_is_protected_is_not_blocked_by_mistake(bench: Bench) -> None:
    """The gateway's own addresses, next hops, pools, the management network: exit 1, unless --force."""
    gateway = start(bench)
    for address in ("10.65.64.33", "2001:db8:107:1::1", "59.205.5.57", "172.31.21.0/25", "0.0.0.0/0", "::/0"):
        said = block(gateway, "add", address, "198.51.100.77", want=1)
        true("protected" in said, f"{address}: {said}")
    same(gateway.json("block", "list")["rows"], [], "nothing was blocked")
    same(ping(bench["finance"], "10.65.64.33", count=1).received, 1, "the gateway answers")
    block(gateway, "add", "10.65.64.33", "--force")
    same(ping(bench["finance"], "10.65.64.33", count=1).received, 0, "now it does not")
    same(curl(bench["finance"], CLOUD, 443), "cloud", "what goes through it does")


@test(BARE)
def a_bad_file_blocks_nothing(bench: Bench) -> None:
    """One bad line among many: exit 2, each with its number, and the list is what it was."""
    gateway = start(bench)
    block(gateway, "add", "198.51.100.77")
    file = bench.lab.directory / "bad.txt"
    file.write_text(f"{CLOUD}\n198.51.100.300\n\n10.0.0.1/8\n10.1.1.5@nowhere\n")
    said = block(gateway, "add", "--file", str(file), want=2)
    true(f"{file}:2:1: error:" in said and f"{file}:4:1: error:" in said, said)
    file.write_text(f"{CLOUD}\n10.1.1.5@nowhere\n")
    true("no zone `nowhere`" in block(gateway, "add", "--file", str(file), want=2), "an unknown zone")
    block(gateway, "remove", CLOUD, "198.51.100.77", want=1)
    same([row["prefix"] for row in gateway.json("block", "list")["rows"]], ["198.51.100.77/32"], "the list")
    # What is exported is imported, and says the same again.
    block(gateway, "add", "10.1.1.5@vpn-hrss", "--until", "2099-12-31", "--reason", 'a, "b"')
    exported = gateway.ask("block", "export").stdout
    file.write_text(exported)
    block(gateway, "remove", "--all")
    block(gateway, "import", str(file))
    same(gateway.ask("block", "export").stdout, exported, "exported again")


@test(BARE)
def damaged_lists_open_nothing(bench: Bench) -> None:
    """A data plane with a damaged list forwards nothing until it has another; controld uses the one before."""
    gateway = start(bench)
    block(gateway, "add", CLOUD)
    gateway.controld.stop()
    gateway.dataplane.stop()
    last = gateway.state_dir / "blocks.last"
    content = bytearray(last.read_bytes())
    content[70] ^= 1
    last.write_bytes(content)
    gateway.start_dataplane()
    time.sleep(1)
    same(generation(gateway), 0, "no image is in force")
    same(ping(bench["finance"], "59.205.16.3", count=1).received, 0, "nothing is forwarded")
    gateway.start_controld()
    gateway.await_image()
    wait_until(lambda: ping(bench["finance"], "59.205.16.3", count=1).received == 1, "it forwards again")
    same(curl(bench["finance"], CLOUD, 443, 1.2), None, "and blocks")

    block(gateway, "add", "198.51.100.77")
    gateway.controld.stop(by=signal.SIGKILL)
    kept = gateway.state_dir / "blocks.csv"
    kept.write_bytes(kept.read_bytes()[:-5])
    gateway.start_controld()
    gateway.await_image()
    alarms = [alarm["alarm"] for alarm in gateway.json("status")["alarms"]]
    true("block-list" in alarms, f"an alarm: {alarms}")
    same([row["prefix"] for row in gateway.json("block", "list")["rows"]], [f"{CLOUD}/32"], "the list before")
    same(curl(bench["finance"], CLOUD, 443, 1.2), None, "is in force")
