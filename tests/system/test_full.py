"""What is full ends in its named drop; who has something goes on with it, and others do not notice."""

from __future__ import annotations

import json
from dataclasses import replace

import nat_lab
from clients import ping
from frames import frame, inject, p
from lab import CHATTER, Bench, drops, same, test, true, wait_until
from nat_lab import FAR, ends
from test_floods import FLOOD_MAC, flood, memory_of

HOLE = "192.0.2.200"  # what is sent there is not answered
ROUTER_MAC = "02:00:5e:00:00:fe"


def beside(bench: Bench) -> str:
    routes = nat_lab.beside(bench)
    bench["internet"].ip(f"route add blackhole {HOLE}/32")
    return routes + """
[limits]
fragment_datagrams = 64
fragment_time_ipv4 = "3s"
"""


FULL = replace(nat_lab.NAT, name="full", policy=(nat_lab.POLICY.with_name("full.toml"),), beside=beside)


def alarms(bench: Bench) -> set[str]:
    return {alarm["alarm"] for alarm in json.loads(bench.gateway.ask("status", "-o", "json").stdout)["alarms"]}


def leaving(host: int, port: int) -> bytes:
    source = f"10.65.64.{host}"
    return frame("lan", FLOOD_MAC, p.ipv4(source, HOLE, p.UDP, p.udp(source, HOLE, port, 9, b"x")))


@test(FULL)
def a_pool_without_a_free_port(bench: Bench) -> None:
    """A host's block, then the pool: by name; who has a block goes on, and another unit by its own pool."""
    assert bench.gateway.dataplane
    same(ends(bench["hrss"], FAR[0]), ("203.0.113.48", FAR[0]), "the first desk, which has a block now")

    def fill(host: int, flows: int) -> dict[str, int]:
        counted = bench.measure(lambda: inject(bench, "lan", [leaving(host, 2000 + n) for n in range(flows)])).reasons
        return {name: n for name, n in counted.items() if name in ("allowed", "nat-pool-full") and n}

    same(fill(71, 64), {"allowed": 64}, "as many flows as a block has ports")
    same(fill(71, 6), {"allowed": 6}, "the same flows again")
    same(fill(71, 70), {"allowed": 64, "nat-pool-full": 6}, "one desk has one block")
    same(fill(72, 64), {"allowed": 64}, "the last block")
    same(fill(73, 3), {"nat-pool-full": 3}, "the pool has none left")
    before, memory = bench.counters().reasons, memory_of(bench.gateway.dataplane.pid)
    with flood(bench, [leaving(74 + n % 20, 1024 + n) for n in range(20_000)]):
        wait_until(lambda: (bench.counters().reasons - before)["nat-pool-full"] > 20_000, "drops")
        for _ in range(20):
            same(ends(bench["hrss"], FAR[0]), ("203.0.113.48", FAR[0]), "who has a block, beside the flood")
            same(ends(bench["civil"], FAR[0]), ("203.0.113.49", FAR[0]), "another unit, beside the flood")
        true("nat-pool-full" in alarms(bench), f"alarms: {alarms(bench)}")
    ended = set(drops(bench.counters().reasons - before)) - {*CHATTER, "tcp-no-state"}
    same(ended, {"nat-pool-full"}, "drops")
    true(memory_of(bench.gateway.dataplane.pid) - memory < 1024, "memory does not grow")


@test(FULL)
def a_store_of_fragments_without_room(bench: Bench) -> None:
    """Filled from all over the internet: datagrams in fragments end by name, others pass; and it empties itself."""
    assert bench.gateway.dataplane
    target = "59.205.16.3"
    same(ping(bench["hrss"], target, "-s", "5000", count=2).received, 2, "datagrams in fragments, before")
    parts = [frame("internet", ROUTER_MAC, p.ipv4(f"192.0.{n % 64}.{n * 37 % 250 + 1}", "203.0.113.34", p.UDP,
                                                  bytes(1200), ident=n, more=True, dont_fragment=False))
             for n in range(8192)]
    before, memory = bench.counters().reasons, memory_of(bench.gateway.dataplane.pid)
    with flood(bench, parts, "internet"):
        wait_until(lambda: (bench.counters().reasons - before)["fragment-store-full"] > 5000, "a full store")
        same(ping(bench["hrss"], target, count=5).received, 5, "whole datagrams, beside the flood")
        same(ping(bench["hrss"], target, "-s", "5000", count=2).received, 0, "datagrams in fragments, beside the flood")
        true("fragment-store-full" in alarms(bench), f"alarms: {alarms(bench)}")
    ended = drops(bench.counters().reasons - before)
    true(set(ended) <= {"fragment-store-full", "fragment-limit", "fragment-incomplete", "fragment-duplicate"},
         f"drops: {ended}")
    true(memory_of(bench.gateway.dataplane.pid) - memory < 1024, "memory does not grow")
    wait_until(lambda: ping(bench["hrss"], target, "-s", "5000", count=1).received == 1, "room again", 20)
    bench.count_unheard()  # the cable itself may have lost some of the flood
