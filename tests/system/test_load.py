"""Load through two veth pairs: what comes in goes out."""

from typing import Any

from clients import iperf, iperf_server
from lab import ONE_WORKER, TWO_WORKERS, Bench, DataPlane, same, test, true

RATE = ("-b", "400M")  # what veth pairs carry on a small machine, with the peers' own work beside it
FAMILIES = (("59.205.16.3", ()), ("2001:db8:0:16::3", ("-6",)))


def lost_by_devices(bench: Bench) -> dict[str, int]:
    with DataPlane(bench.gateway.run_dir) as dataplane:
        return {name: port["device_missed"] + port["device_errors"] + port["transmit_failed"]
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
        ended: list[dict[str, Any]] = []
        with iperf_server(bench, "cloud", address, 5201):
            counted = bench.measure(lambda: ended.append(
                iperf(bench["hrss"], address, 5201, "-u", "-b", "40M", "-l", "1200", *family)))
        same(counted.drops(late=2), {}, "drops")
        same(ended[0]["sum"]["lost_packets"], 0, "datagrams lost")
        true(ended[0]["sum"]["packets"] > 1000, "datagrams")
        true(counted.rules["360121/measure-for-hrss"]["packets"] >= ended[0]["sum"]["packets"], "packets of the rule")
