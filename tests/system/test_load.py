"""Load through two veth pairs: what comes in goes out."""

import os
import signal
from typing import Any

from clients import iperf, iperf_server, nothing_lost
from frames import frame, inject, p
from lab import ONE_WORKER, TWO_WORKERS, Bench, DataPlane, same, test, true

RATE = ("-b", "400M")  # what veth pairs carry on a small machine, with the peers' own work beside it
FAMILIES = (("59.205.16.3", ()), ("2001:db8:0:16::3", ("-6",)))


def lost_by_devices(bench: Bench) -> dict[str, int]:
    with DataPlane(bench.gateway.run_dir) as dataplane:
        # What a device had no room for (`device_missed`) is a busy machine's affair.
        return {name: port["device_errors"] + port["transmit_failed"]
                for name, port in dataplane.status().ports.items()}


@test(ONE_WORKER, TWO_WORKERS)
def iperf3_tcp_both_directions(bench: Bench) -> None:
    """Nothing is lost on the gateway's account, in either direction, over either family."""
    for address, family in FAMILIES:
        for way in ((), ("-R",)):
            ended: list[dict[str, Any]] = []
            before = lost_by_devices(bench)
            with iperf_server(bench, "cloud", address, 5201):
                counted = bench.measure(lambda: ended.append(iperf(
                    bench["hrss"], address, 5201, *RATE, *family, *way)))
            # The server ends its stream with a reset: what was on the way then belongs to no connection.
            same(counted.drops(late=counted.reasons["allowed"] // 50), {}, "drops")
            same(lost_by_devices(bench), before, "lost between kernel and gateway")
            true(ended[0]["sum_received"]["bytes"] > 1_000_000, "something was carried")
            rule = counted.rules["360121/measure-for-hrss"]
            same(rule["packets"], counted.reasons["allowed"], "packets of the rule")
            true(rule["bytes"] > ended[0]["sum_received"]["bytes"], "bytes of the rule cover what iperf3 carried")
            # Beside what it forwards, the gateway sends a few frames of its own: ARP, neighbour discovery.
            own = sum(counted.cable_received.values()) - counted.reasons["allowed"]
            true(0 <= own < 40, f"frames sent that were not received: {own}")


@test(ONE_WORKER, TWO_WORKERS)
def iperf3_udp(bench: Bench) -> None:
    """A stream of datagrams arrives whole and in order."""
    for address, family in FAMILIES:
        with iperf_server(bench, "cloud", address, 5201), nothing_lost(bench, "cloud") as ended:
            counted = bench.measure(lambda: ended.append(
                iperf(bench["hrss"], address, 5201, "-u", "-b", "40M", "-l", "1200", *family)))
        same(counted.drops(late=2), {}, "drops")
        true(ended[0]["sum"]["packets"] > 1000, "datagrams")
        carried = ended[0]["sum"]["packets"] - ended[0]["sum"]["lost_packets"]
        true(counted.rules["360121/measure-for-hrss"]["packets"] >= carried, "packets of the rule")


@test(ONE_WORKER, TWO_WORKERS)
def frames_that_a_port_had_no_room_for_are_counted(bench: Bench) -> None:
    """The data plane stands still while more frames come than the kernel keeps for it: none is lost unseen."""
    assert bench.gateway.dataplane
    flood = [frame("lan", "02:36:01:21:99:01", p.ipv4("10.65.64.35", "59.205.16.9", p.UDP, bytes(64), ident=n))
             for n in range(8000)]
    before, pid = bench.missed(), bench.gateway.dataplane.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        inject(bench, "lan", flood)
    finally:
        os.kill(pid, signal.SIGCONT)
    bench.settled()  # what came by the cable was received or missed, to the frame
    missed = bench.missed() - before
    true(0 < missed < len(flood), f"frames missed of {len(flood)}: {missed}")
    told = next(row for row in bench.gateway.json("ports")["rows"] if row["port"] == "lan")["missed"]
    true(told >= missed, f"`meiguan ports` says so: {told}")
