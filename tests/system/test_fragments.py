"""Datagrams in fragments through the gateway: real programs, and an attacker who fills the store."""

from clients import iperf, iperf_server, nothing_lost, ping
from frames import inject, p
from frames import frame as framed
from lab import ONE_WORKER, TWO_WORKERS, Bench, same, test, true, wait_until

MEASURE = (("59.205.16.3", ()), ("2001:db8:0:16::3", ("-6",)))
FINANCE_MAC = "02:36:01:21:99:01"


@test(ONE_WORKER, TWO_WORKERS)
def ping_of_60_kilobytes(bench: Bench) -> None:
    """41 fragments and more of each request and reply pass, and each is counted as a packet."""
    for address, _ in MEASURE:
        ping(bench["hrss"], address, count=1)  # so that the next hops are known

        def act(to: str = address) -> None:
            seen = ping(bench["hrss"], to, "-s", "60000", count=5)
            same((seen.sent, seen.received), (5, 5), f"ping -s 60000 {to}: {seen.output}")

        counted = bench.measure(act)
        same(counted.drops(late=2), {}, "drops")
        true(counted.reasons["allowed"] >= 5 * 2 * 41, "every fragment was allowed")
        same(counted.rules["360121/ping-probe"]["packets"], counted.reasons["allowed"], "packets of the rule")
        same(counted.rules["360121/ping-probe"]["hits"], 1, "datagrams that the rule decided")


@test(ONE_WORKER, TWO_WORKERS)
def iperf3_udp_in_fragments(bench: Bench) -> None:
    """A stream of datagrams larger than the MTU arrives whole."""
    for address, family in MEASURE:
        missed = bench.missed()
        with iperf_server(bench, "cloud", address, 5201), nothing_lost(bench, "cloud") as ended:
            counted = bench.measure(lambda: ended.append(
                iperf(bench["hrss"], address, 5201, "-u", "-b", "20M", "-l", "8000", *family)))
        # A datagram is not whole where a port had no room for one of its frames on a busy machine.
        unwhole = {"fragment-incomplete"} if bench.missed() != missed else set()
        same(set(counted.drops(late=4)) - unwhole, set(), "drops")
        true(ended[0]["sum"]["packets"] > 100, "datagrams")
        true(counted.rules["360121/measure-for-hrss"]["packets"] >= 6 * ended[0]["sum"]["packets"],
             "each datagram has six fragments")


@test()
def a_flood_of_fragments_takes_nothing_from_others(bench: Bench) -> None:
    """First fragments of datagrams that never come, from all of a unit's addresses: another unit pings on."""
    flood = [framed("lan", FINANCE_MAC, p.ipv4(f"10.65.64.{35 + n % 25}", "59.205.16.10", p.UDP, bytes(1200),
                                               ident=n, more=True, dont_fragment=False)) for n in range(4000)]
    before = bench.counters().reasons
    ping(bench["hrss"], "59.205.16.3", count=1)
    for part in range(4):
        inject(bench, "lan", flood[part::4])
        seen = ping(bench["hrss"], "59.205.16.3", "-s", "60000", count=5)
        same((seen.sent, seen.received), (5, 5), f"ping -s 60000 beside the flood: {seen.output}")
    ended = bench.counters().reasons - before
    true(ended["fragment-limit"] > 3000, f"the flood is over its share: {dict(ended)}")
    same(ended["fragment-store-full"], 0, "the store is never full")
    # What is held ends when its time is out, and the counters agree again.
    wait_until(lambda: (bench.counters().reasons - before)["fragment-incomplete"] > 0, "fragments out of time", 40)
    bench.settled()
