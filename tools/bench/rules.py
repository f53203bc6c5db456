"""The policy of the captures as other programs want it: a list of units, services and verdicts."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass
from typing import Iterator

from make_capture import Shape, World, dotted

UNITS, SERVICES = "10.64.0.0/10", "59.205.16.0/20"
UNITS6, SERVICES6 = "2001:db8::/44", "2001:db8:5059::/48"


@dataclass(frozen=True)
class Pair:
    """May this unit reach this service?"""

    unit: str      # a prefix
    service: str   # an address
    port: int
    allowed: bool


def pairs(shape: Shape, count: int) -> list[Pair]:
    """As many as are asked for: those that the policy opens, then those that it shuts, then what nothing opens.

    Fewer, where there are not that many of all. The same ones for the same arguments.
    """
    world = World(shape)
    opened: list[tuple[int, int]] = []
    shut: list[tuple[int, int]] = []
    closed: list[tuple[int, int]] = []
    for service in world.services:
        denied = world.denied[service.number]
        for unit in world.units:
            labelled = service.label in unit.labels
            kind = closed if not labelled else shut if unit.number in denied else opened
            kind.append((unit.number, service.number))
    rng = random.Random(shape.seed + 2)
    for kind in (opened, shut, closed):
        rng.shuffle(kind)
    chosen = [(p, True) for p in opened[:count]]
    chosen += [(p, False) for p in (shut + closed)[:count - len(chosen)]]
    return [Pair(f"{dotted(world.units[u].address4(0))}/27", dotted(world.services[s].address4),
                 world.services[s].port, allowed) for (u, s), allowed in chosen]


def both_ways(shape: Shape, count: int) -> list[Pair]:
    """For who knows no connections: each takes two rules, there and back, and two let through what is left."""
    return pairs(shape, (count - 2) // 2)


def l3fwd4(shape: Shape, count: int) -> Iterator[str]:
    """Port 0 is `lan`, port 1 `wan`; the first rule that matches decides."""
    for p in both_ways(shape, count):
        there = f"{p.unit} {p.service}/32 0 : 65535 {p.port} : {p.port} 0x11/0xff"
        back = f"{p.service}/32 {p.unit} {p.port} : {p.port} 0 : 65535 0x11/0xff"
        yield from (f"R{there} 1", f"R{back} 0") if p.allowed else (f"@{there}", f"@{back}")
    yield f"R0.0.0.0/0 {SERVICES} 0 : 65535 0 : 65535 0x00/0x00 1"
    yield f"R0.0.0.0/0 {UNITS} 0 : 65535 0 : 65535 0x00/0x00 0"


def l3fwd6() -> Iterator[str]:
    """It reads no `::`."""
    for port, prefix in ((1, SERVICES6), (0, UNITS6)):
        network = ipaddress.ip_network(prefix)
        yield (f"R{ipaddress.ip_network('::/0').exploded} {network.exploded} 0 : 65535 0 : 65535 0x00/0x00 {port}")


def openflow(shape: Shape, count: int) -> Iterator[str]:
    """Port 1 is `lan`, port 2 `wan`."""
    for p in both_ways(shape, count):
        there, back = ("output:2", "output:1") if p.allowed else ("drop", "drop")
        yield f"priority=10,udp,in_port=1,nw_src={p.unit},nw_dst={p.service},tp_dst={p.port},actions={there}"
        yield f"priority=10,udp,in_port=2,nw_src={p.service},nw_dst={p.unit},tp_src={p.port},actions={back}"
    for ours, (there, back) in (("ip,nw_dst=", (SERVICES, UNITS)), ("ipv6,ipv6_dst=", (SERVICES6, UNITS6))):
        yield f"priority=1,{ours.replace(',', ',in_port=1,', 1)}{there},actions=output:2"
        yield f"priority=1,{ours.replace(',', ',in_port=2,', 1)}{back},actions=output:1"
    yield "priority=0,actions=drop"


def openflow_conntrack(shape: Shape, count: int) -> Iterator[str]:
    """Rules for the first packet alone; what belongs to a connection passes both ways."""
    for family in ("ip", "ipv6"):
        yield f"table=0,priority=10,{family},ct_state=-trk,actions=ct(table=1)"
        yield f"table=1,priority=20,{family},in_port=1,ct_state=+trk+est,actions=output:2"
        yield f"table=1,priority=20,{family},in_port=2,ct_state=+trk+est,actions=output:1"
    for p in pairs(shape, count - 1):
        yield (f"table=1,priority=10,udp,in_port=1,ct_state=+trk+new,nw_src={p.unit},nw_dst={p.service},"
               f"tp_dst={p.port},actions={'ct(commit),output:2' if p.allowed else 'drop'}")
    yield f"table=1,priority=1,ip,in_port=1,ct_state=+trk+new,nw_dst={SERVICES},actions=ct(commit),output:2"
    yield f"table=1,priority=1,ipv6,in_port=1,ct_state=+trk+new,ipv6_dst={SERVICES6},actions=ct(commit),output:2"
    yield "table=0,priority=0,actions=drop"
    yield "table=1,priority=0,actions=drop"


def nftables(shape: Shape, count: int) -> Iterator[str]:
    """One map for the first packet of a connection, whatever its size."""
    elements = ", ".join(f"{p.unit} . {p.service} . {p.port} : {'accept' if p.allowed else 'drop'}"
                         for p in pairs(shape, count - 1))
    yield "table inet bench {"
    yield "  map pairs { type ipv4_addr . ipv4_addr . inet_service : verdict; flags interval;"
    yield f"    elements = {{ {elements} }} }}"
    yield "  chain forward { type filter hook forward priority 0; policy drop;"
    yield "    ct state established accept"
    yield '    iifname "lan" ip saddr . ip daddr . udp dport vmap @pairs'
    yield f'    iifname "lan" ip daddr {SERVICES} accept'
    yield f'    iifname "lan" ip6 daddr {SERVICES6} accept'
    yield "  }"
    yield "}"
