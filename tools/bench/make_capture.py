#!/usr/bin/env python3
"""Writes a policy, a gateway file and captures to measure with; the same bytes for the same arguments.

    make_capture.py OUTDIR --for live    policy/, gateway.toml, lan.pcap, wan.pcap
    make_capture.py OUTDIR --for replay  policy/, gateway.toml, lan.pcap, wan.pcap, tap.pcap

Terminals of U units talk UDP with S services. Every flow has one packet in each direction at least; the
rest are shared out by Zipf's law. `lan` holds what the terminals send, `wan` the answers, which come a
lag of packets later. For `live` both files are played over and over, so that the answers to the last
requests stand at the beginning of `wan`; for `replay` they stand at its end, and `tap` holds both
directions in order of time. Frames have 64 bytes with their FCS, which a capture does not hold (68 bytes
over IPv6, where the headers alone take 66).
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import random
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

START = 1772413200  # 2026-03-02 09:00:00 +08:00
LAN_MAC, WAN_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
LAN_ROUTER, WAN_ROUTER = bytes.fromhex("0200000000f1"), bytes.fromhex("0200000000f2")
PAYLOAD = b"meiguan benchmark."  # fills an IPv4 frame up to 60 bytes
PAYLOAD6 = b"MG"
UNITS_BASE, SERVICES_BASE = 0x0A400000, 0x3BCD1000  # 10.64.0.0/10 and 59.205.16.0/20
MAX_UNITS, MAX_SERVICES = 1 << 17, 4000
LABELS = ("finance", "social-security", "civil-affairs", "health", "education", "approval", "land",
          "agriculture", "water", "transport", "emergency", "audit", "statistics", "market", "tax",
          "forestry")
PORTS = (443, 8443, 53, 9520, 5060, 8080)


@dataclass(frozen=True)
class Shape:
    """What is asked for on the command line."""

    units: int
    services: int
    flows: int
    packets: int
    ipv6: float
    zipf: float
    lag: int
    seed: int


@dataclass(frozen=True)
class Unit:
    number: int
    labels: tuple[str, ...]

    def address4(self, host: int) -> int:
        return UNITS_BASE + self.number * 32 + host

    def address6(self, host: int) -> bytes:
        return struct.pack("!HHHHQ", 0x2001, 0xDB8, 1 + (self.number >> 16), self.number & 0xFFFF, host)


@dataclass(frozen=True)
class Service:
    number: int
    label: str
    port: int

    @property
    def address4(self) -> int:
        return SERVICES_BASE + 10 + self.number

    @property
    def address6(self) -> bytes:
        return struct.pack("!HHHHQ", 0x2001, 0xDB8, 0x5059, 0, 10 + self.number)


def dotted(value: int) -> str:
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


class Zipf:
    """Draws 0..n-1, the number k with a weight of 1 / (k + 1) ** exponent."""

    def __init__(self, n: int, exponent: float, rng: random.Random) -> None:
        self.sums = list(itertools.accumulate((k + 1) ** -exponent for k in range(n)))
        self.rng = rng

    def draw(self) -> int:
        return bisect.bisect_left(self.sums, self.rng.random() * self.sums[-1])


class World:
    """Units, services and what the policy lets them do."""

    def __init__(self, shape: Shape) -> None:
        rng = random.Random(shape.seed)
        labels = LABELS[:max(1, min(len(LABELS), shape.units))]
        self.units = [Unit(i, tuple(rng.sample(labels, min(len(labels), rng.randint(1, 3)))))
                      for i in range(shape.units)]
        self.by_label = {label: [u for u in self.units if label in u.labels] for label in labels}
        served = [label for label in labels if self.by_label[label]]
        self.services = [Service(i, rng.choice(served), rng.choice(PORTS)) for i in range(shape.services)]
        # One unit in sixteen that has the label is shut out of the service all the same.
        self.denied = {s.number: {u.number for u in self.by_label[s.label] if rng.random() < 1 / 16}
                       for s in self.services}

    def may_reach(self, service: Service) -> list[Unit]:
        shut_out = self.denied[service.number]
        return [u for u in self.by_label[service.label] if u.number not in shut_out]

    def policy(self) -> Iterator[str]:
        yield '[node]\ncode = "360000"\nname = "bench"\ntier = "province"\n\n[policy]\nschema = 1\n'
        yield '[[zone]]\nid = "extranet"\nkind = "extranet"\n'
        for u in self.units:
            labels = ", ".join(f'"{label}"' for label in u.labels)
            block = f"2001:db8:{1 + (u.number >> 16):x}:{u.number & 0xFFFF:x}::/64"
            yield (f'[[unit]]\nid = "u{u.number}"\nzone = "extranet"\n'
                   f'prefixes = ["{dotted(u.address4(0))}/27", "{block}"]\nlabels = [{labels}]\n')
        for s in self.services:
            yield (f'[[service]]\nid = "s{s.number}"\nzone = "extranet"\nendpoints = '
                   f'["{dotted(s.address4)}:{s.port}/udp", "[2001:db8:5059::{10 + s.number:x}]:{s.port}/udp"]\n')
        for s in self.services:
            if self.denied[s.number]:
                units = ", ".join(f'"unit:u{n}"' for n in sorted(self.denied[s.number]))
                yield (f'[[rule]]\nid = "shut-s{s.number}"\naction = "deny"\nfrom = [{units}]\n'
                       f'to = ["service:s{s.number}"]\n')
            yield (f'[[rule]]\nid = "open-s{s.number}"\naction = "allow"\nfrom = ["label:{s.label}"]\n'
                   f'to = ["service:s{s.number}"]\n')


def gateway(lan: Path, wan: Path) -> str:
    def port(name: str, number: int, file: Path, mac: bytes, addresses: str) -> str:
        return (f'[[port]]\nname = "{name}"\n'
                f'device = "vdev:net_pcap{number},rx_pcap={file},infinite_rx=1"\n'
                f'zone = "extranet"\naddresses = [{addresses}]\nmac = "{mac.hex(":")}"\n\n')

    def way(prefix: str, via: str) -> str:
        return f'[[route]]\nprefix = "{prefix}"\nvia = "{via}"\n\n'

    def neighbour(address: str, mac: bytes) -> str:
        return f'[[neighbour]]\naddress = "{address}"\nmac = "{mac.hex(":")}"\n\n'

    return "".join((
        '[gateway]\nnode = "360000"\nworkers = 1\n\n',
        port("lan", 0, lan, LAN_MAC, '"10.128.0.1/30", "2001:db8:ff00::1/64"'),
        port("wan", 1, wan, WAN_MAC, '"10.128.0.5/30", "2001:db8:ff00:1::1/64"'),
        way("10.64.0.0/10", "10.128.0.2"), way("2001:db8::/44", "2001:db8:ff00::2"),
        way("59.205.16.0/20", "10.128.0.6"), way("2001:db8:5059::/48", "2001:db8:ff00:1::2"),
        neighbour("10.128.0.2", LAN_ROUTER), neighbour("2001:db8:ff00::2", LAN_ROUTER),
        neighbour("10.128.0.6", WAN_ROUTER), neighbour("2001:db8:ff00:1::2", WAN_ROUTER)))


def fold(total: int) -> int:
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def words(data: bytes) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def udp(pseudo: int, source_port: int, port: int, payload: bytes) -> bytes:
    length = 8 + len(payload)
    total = pseudo + 17 + length + source_port + port + length + words(payload)
    return struct.pack("!4H", source_port, port, length, fold(total) or 0xFFFF) + payload


def ipv4(ether: bytes, source: int, destination: int, source_port: int, port: int) -> bytes:
    addresses = (source >> 16) + (source & 0xFFFF) + (destination >> 16) + (destination & 0xFFFF)
    segment = udp(addresses, source_port, port, PAYLOAD)
    length = 20 + len(segment)
    header = fold(0x4500 + length + 0x4000 + 0x4011 + addresses)
    return ether + b"\x08\x00" + struct.pack("!HHHHHHII", 0x4500, length, 0, 0x4000, 0x4011, header, source,
                                             destination) + segment


def ipv6(ether: bytes, source: bytes, destination: bytes, source_port: int, port: int) -> bytes:
    segment = udp(words(source) + words(destination), source_port, port, PAYLOAD6)
    return ether + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(segment), 17, 64) + source + \
        destination + segment


class Traffic:
    """All flows with their two frames, and the order in which their packets come."""

    def __init__(self, shape: Shape, world: World) -> None:
        rng = random.Random(shape.seed + 1)
        self.requests: list[bytes] = []
        self.replies: list[bytes] = []
        open_to = {s.number: world.may_reach(s) for s in world.services}
        services = [s for s in world.services if open_to[s.number]]
        rng.shuffle(services)
        which_service = Zipf(len(services), shape.zipf, rng)
        which_unit = {n: Zipf(len(units), shape.zipf, rng) for n, units in open_to.items() if units}
        seen: set[tuple[int, int, int, int]] = set()
        while len(self.requests) < shape.flows:
            service = services[which_service.draw()]
            unit = open_to[service.number][which_unit[service.number].draw()]
            host, port = rng.randint(2, 30), rng.randint(1024, 65535)
            if (key := (unit.number, host, port, service.number)) in seen:
                continue
            seen.add(key)
            self._add(unit, host, port, service, rng.random() < shape.ipv6)
        weights = Zipf(shape.flows, shape.zipf, rng)
        self.order = array("I", range(shape.flows))
        self.order.extend(weights.draw() for _ in range(shape.packets // 2 - shape.flows))
        rng.shuffle(self.order)

    def _add(self, unit: Unit, host: int, port: int, service: Service, six: bool) -> None:
        there, back = LAN_MAC + LAN_ROUTER, WAN_MAC + WAN_ROUTER
        if six:
            ends = unit.address6(host), service.address6
            self.requests.append(ipv6(there, *ends, port, service.port))
            self.replies.append(ipv6(back, *ends[::-1], service.port, port))
        else:
            pair = unit.address4(host), service.address4
            self.requests.append(ipv4(there, *pair, port, service.port))
            self.replies.append(ipv4(back, *pair[::-1], service.port, port))


def write(path: Path, packets: Iterator[tuple[int, bytes]]) -> None:
    """`packets` yields a time in microseconds since the start, and a frame."""
    with path.open("wb", buffering=1 << 20) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        record = struct.Struct("<IIII").pack
        for time, frame in packets:
            seconds, micros = divmod(time, 1_000_000)
            out.write(record(START + seconds, micros, len(frame), len(frame)) + frame)


def make(outdir: Path, shape: Shape, live: bool) -> None:
    world = World(shape)
    (outdir / "policy").mkdir(parents=True, exist_ok=True)
    (outdir / "policy/node.toml").write_text("\n".join(world.policy()), encoding="utf-8")
    lan, wan = outdir / "lan.pcap", outdir / "wan.pcap"
    (outdir / "gateway.toml").write_text(gateway(lan.resolve(), wan.resolve()), encoding="utf-8")
    traffic = Traffic(shape, world)
    order, lag = traffic.order, min(shape.lag, len(traffic.order))
    requests = [(2 * i, traffic.requests[flow]) for i, flow in enumerate(order)]
    write(lan, iter(requests))
    if live:
        late = order[len(order) - lag:] + order[:len(order) - lag]
        write(wan, ((2 * i, traffic.replies[flow]) for i, flow in enumerate(late)))
        return
    replies = [(2 * (i + lag) + 1, traffic.replies[flow]) for i, flow in enumerate(order)]
    write(wan, iter(replies))
    write(outdir / "tap.pcap", iter(sorted(requests + replies, key=lambda packet: packet[0])))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--units", type=int, default=2000, help="units (default %(default)s)")
    parser.add_argument("--services", type=int, default=200, help="services, each with a rule or two "
                        "(default %(default)s)")
    parser.add_argument("--flows", type=int, default=500_000, help="flows (default %(default)s)")
    parser.add_argument("--packets", type=int, default=1_500_000, help="packets of both directions "
                        "together, two for each flow at least (default %(default)s)")
    parser.add_argument("--ipv6", type=float, default=0.0, help="share of the flows that are IPv6 "
                        "(default %(default)s)")
    parser.add_argument("--zipf", type=float, default=1.0, help="the exponent (default %(default)s)")
    parser.add_argument("--lag", type=int, default=100_000, help="packets between a request and its "
                        "answer, in each direction (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")


def shape_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Shape:
    shape = Shape(options.units, options.services, options.flows, options.packets, options.ipv6,
                  options.zipf, options.lag, options.seed)
    if not 1 <= shape.units <= MAX_UNITS or not 1 <= shape.services <= MAX_SERVICES:
        parser.error(f"1 to {MAX_UNITS} units and 1 to {MAX_SERVICES} services")
    if shape.flows < 1 or shape.packets < 2 * shape.flows:
        parser.error("every flow needs two packets: --packets is at least twice --flows")
    if shape.flows > shape.units * 1_000_000 or not 0 <= shape.ipv6 <= 1 or shape.lag < 0:
        parser.error("too many flows for so few units, a share outside 0 to 1, or a negative lag")
    return shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--for", dest="purpose", choices=("live", "replay"), default="live")
    add_arguments(parser)
    options = parser.parse_args()
    make(options.outdir, shape_of(options, parser), options.purpose == "live")


if __name__ == "__main__":
    main()
