"""Schedules and dates that pass while traffic flows and no control plane lives."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

from lab import BARE, Bench, DataPlane, Namespace, same, test, true, wait_until
from test_apply import apply, edit
from test_survival import start

ADDRESSES = {socket.AF_INET: "59.205.16.3", socket.AF_INET6: "2001:db8:0:16::3"}
PORT = 5205
FINANCE = """to = ["service:measure"]

[[rule]]
id = "measure-for-hrss"
"""
HRSS = """from = ["unit:rsj-360121"]
to = ["service:measure"]
"""


class Flow:
    """One flow from a client to the cloud, and whether what it says arrives."""

    def __init__(self, client: Namespace, cloud: Namespace, family: int, kind: int, port: int) -> None:
        self.kind, self.name = kind, f"{'tcp' if kind == socket.SOCK_STREAM else 'udp'} to {ADDRESSES[family]}"
        self.client, self.server = client.socket(family, kind), cloud.socket(family, kind)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((ADDRESSES[family], port))
        self.address = (ADDRESSES[family], port)
        self.said = 0
        self.end = self.server
        if kind == socket.SOCK_STREAM:
            self.server.listen()
            for s in (self.client, self.server):
                s.settimeout(3)
            self.client.connect(self.address)
            self.end, _ = self.server.accept()
        self.end.settimeout(0.1)

    def arrives(self) -> bool:
        self.said += 1
        text = b"%08d" % self.said
        if self.kind == socket.SOCK_STREAM:
            self.client.sendall(text)
        else:
            self.client.sendto(text, self.address)
        try:
            return self.end.recv(100) == text
        except TimeoutError:
            return False

    def close(self) -> None:
        for s in {self.client, self.server, self.end}:
            s.close()


@test(BARE)
def times_pass_without_the_control_plane(bench: Bench) -> None:
    """A rule expires and another begins: live flows are cut as `revoked` within about a second, on time."""
    gateway = start(bench)
    turn = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=6)
    at = turn.strftime("%Y-%m-%dT%H:%M:%SZ")
    edit(bench, FINANCE, FINANCE.replace("\n\n", f"\nexpires = {at}\n\n", 1))
    edit(bench, HRSS, HRSS + f"not_before = {at}\n")
    apply(bench)
    assert gateway.controld
    gateway.controld.stop(by=signal.SIGKILL)
    with DataPlane(gateway.run_dir) as dataplane:
        began = dataplane.status().generation
    finance, hrss, cloud = bench["finance"], bench["hrss"], bench["cloud"]
    with ExitStack() as stack:
        flows = [Flow(finance, cloud, family, kind, PORT)
                 for family in ADDRESSES for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        early = Flow(hrss, cloud, socket.AF_INET, socket.SOCK_DGRAM, PORT + 1)
        for flow in (*flows, early):
            stack.callback(flow.close)
        before = bench.counters().reasons
        for flow in flows:
            true(flow.arrives(), f"{flow.name}: before the rule expires")
        true(not early.arrives(), "nothing of a rule that has not begun")
        true(time.time() < turn.timestamp(), "all that in time: a slower machine needs a later turn")
        same((bench.counters().reasons - before)["revoked"], 0, "flows revoked before the time")

        # Each flow goes on until something does not arrive; the first such moment is the turn's.
        cut_at: dict[str, float] = {}

        def cut() -> bool:
            for flow in flows:
                if flow.name not in cut_at:
                    sent = time.time()
                    if not flow.arrives():
                        cut_at[flow.name] = sent
            return len(cut_at) == len(flows)

        wait_until(cut, "flows that are cut when the rule expires", 12)
        for name, when in cut_at.items():
            late = when - turn.timestamp()
            true(0 <= late + 0.1, f"{name}: cut {-late:.2f} s too early")
            true(late < 1.5, f"{name}: cut {late:.2f} s late")
        counted = bench.counters().reasons - before
        same(counted["revoked"], len(flows), "flows revoked, each once")
        wait_until(early.arrives, "the other rule to begin")
        true(time.time() - turn.timestamp() < 5, "it began on time")
        with DataPlane(gateway.run_dir) as dataplane:
            same(dataplane.status().generation, began + 1, "one generation for one turn")

        # New flows of what expired are denied by default.
        before = bench.counters().reasons
        for family, address in ADDRESSES.items():
            late_comer = finance.socket(family, socket.SOCK_DGRAM)
            stack.callback(late_comer.close)
            late_comer.sendto(b"late", (address, PORT))
        wait_until(lambda: (bench.counters().reasons - before)["default-deny"] >= 2, "new flows to be denied")
        same((bench.counters().reasons - before)["revoked"], 0, "nothing is revoked twice")
