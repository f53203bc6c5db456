"""What a case of the strict matrix is, the world it plays in, and the few words that cases are written with."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/captures"))
import capture_file as c  # noqa: E402
import packets as p  # noqa: E402

__all__ = ["BEHIND", "BOTH", "Case", "Family", "GATEWAY_MAC", "STALE", "STATIONS", "Sent", "V4", "V6", "VLANS",
           "both", "c", "drop", "dropped", "frame", "fresh", "local", "p", "passed", "passes", "story"]

GATEWAY_MAC = "02:00:00:00:00:01"
VLANS = {"lan": 0, "wan": 20, "slim": 30, "internet": 40, "dmz": 50, "vpn": 60, "exchange": 70}
# What was in a sender's buffer: a frame's padding is never zeros here, so that what leaks is seen.
STALE = b"\xa5"


@dataclass(frozen=True)
class Family:
    """One of the two, with the addresses of world.toml and gateway.toml."""

    number: int
    office: str      # on port lan
    server: str      # on port wan
    branch: str      # on port slim, whose MTU is 1500
    portal: str      # on port dmz
    stranger: str    # on port internet
    routers: dict[str, str]
    icmp: int
    ethertype: int

    def packet(self, protocol: int, payload: bytes, source: str = "", destination: str = "", **fields) -> bytes:
        build = p.ipv4 if self.number == 4 else p.ipv6
        return build(source or self.office, destination or self.server, protocol, payload, **fields)

    def frame(self, protocol: int, payload: bytes, source: str = "", destination: str = "", port: str = "lan",
              **fields) -> bytes:
        return frame(self.packet(protocol, payload, source, destination, **fields), port)

    def tcp(self, source_port: int, port: int = 443, seq: int = 1000, ack: int = 0, flags: int = p.SYN,
            data: bytes = b"", source: str = "", destination: str = "", **fields) -> bytes:
        return p.tcp(source or self.office, destination or self.server, source_port, port, seq, ack, flags, data,
                     **fields)

    def udp(self, source_port: int, port: int = 53, data: bytes = b"query", source: str = "", destination: str = "",
            **fields) -> bytes:
        return p.udp(source or self.office, destination or self.server, source_port, port, data, **fields)

    def syn(self, port: str = "lan", source: str = "", destination: str = "", **fields) -> bytes:
        """The frame of a first segment that all rules let by: what stands around it decides."""
        segment = self.tcp(fresh(), source=source, destination=destination)
        return self.frame(p.TCP, segment, source, destination, port, **fields)

    def message(self, kind: int, code: int = 0, rest: int = 0, data: bytes = b"payload.", source: str = "",
                destination: str = "", **fields) -> bytes:
        if self.number == 4:
            return p.icmp(kind, code, rest, data, **fields)
        return p.icmp6(source or self.office, destination or self.server, kind, code, rest, data, **fields)

    def echo(self, ident: int, reply: bool = False, source: str = "", destination: str = "") -> bytes:
        kind = (0 if reply else 8) if self.number == 4 else (129 if reply else 128)
        return self.message(kind, rest=ident << 16 | 1, source=source, destination=destination)


V4 = Family(4, "10.1.0.10", "10.2.0.10", "10.3.0.10", "203.0.113.10", "198.51.100.10",
            {"lan": "10.1.0.1", "wan": "10.2.0.1", "slim": "10.3.0.1", "internet": "198.51.100.1",
             "dmz": "203.0.113.1"}, p.ICMP, p.ETHERTYPE_IPV4)
V6 = Family(6, "2001:db8:1::10", "2001:db8:2::10", "2001:db8:3::10", "2001:db8:d::10", "2001:db8:f::10",
            {"lan": "2001:db8:1::1", "wan": "2001:db8:2::1", "slim": "2001:db8:3::1", "internet": "2001:db8:f::1",
             "dmz": "2001:db8:d::1"}, p.ICMP6, p.ETHERTYPE_IPV6)
BOTH = (V4, V6)
STATIONS = {address: mac for family in BOTH for address, mac in (
    (family.office, "02:00:00:00:01:10"), (family.server, "02:00:00:00:02:10"),
    (family.branch, "02:00:00:00:03:10"), (family.stranger, "02:00:00:00:04:10"),
    (family.portal, "02:00:00:00:05:10"))}
BEHIND = {"lan": "02:00:00:00:01:10", "wan": "02:00:00:00:02:10", "slim": "02:00:00:00:03:10",
          "internet": "02:00:00:00:04:10", "dmz": "02:00:00:00:05:10", "vpn": "02:00:00:00:06:10",
          "exchange": "02:00:00:00:07:10"}

_ports = itertools.count(1025)


def fresh() -> int:
    """A port or identifier that no other case has: no case meets the flow of another."""
    return next(_ports)


def frame(packet: bytes, port: str = "lan", *, ethertype: int | None = None, tags: Sequence[int] | None = None,
          source: str = "", destination: str = GATEWAY_MAC, least: int = 60) -> bytes:
    """A packet as it comes in by a port, padded with what lay in the sender's buffer."""
    if ethertype is None:
        ethertype = p.ETHERTYPE_IPV6 if packet[:1] and packet[0] >> 4 == 6 else p.ETHERTYPE_IPV4
    if tags is None:
        tags = (VLANS[port],) if VLANS[port] else ()
    made = p.ethernet(destination, source or BEHIND[port], ethertype, packet, tags=tags, pad=False)
    return made.ljust(least, STALE)


@dataclass(frozen=True)
class Sent:
    """A frame and what should become of it; `port` is the one by which it is to arrive."""

    frame: bytes
    verdict: str
    reason: str
    out: str | None = None
    port: str = "lan"
    wait: float = 0.0  # seconds that pass before it
    becomes: bytes = b""  # the packet that it leaves as, where it is translated; its port from a pool is 0


@dataclass(frozen=True)
class Case:
    name: str
    norm: str  # and its clause
    sent: tuple[Sent, ...] = field(repr=False)

    @property
    def timed(self) -> bool:
        """Whether it lasts: a capture that is read at once cannot show it."""
        return any(s.wait > 0 for s in self.sent)


def drop(name: str, norm: str, reason: str, *frames: bytes, port: str = "lan") -> Case:
    return Case(name, norm, tuple(dropped(reason, f, port) for f in frames))


def passes(name: str, norm: str, *frames: bytes, out: str = "wan", port: str = "lan") -> Case:
    return Case(name, norm, tuple(passed(f, out, port) for f in frames))


def local(name: str, norm: str, *frames: bytes, port: str = "lan") -> Case:
    return Case(name, norm, tuple(Sent(f, "local", "for-gateway", None, port) for f in frames))


def story(name: str, norm: str, *sent: Sent) -> Case:
    return Case(name, norm, sent)


def passed(frame_: bytes, out: str = "wan", port: str = "lan", wait: float = 0) -> Sent:
    return Sent(frame_, "forward", "allowed", out, port, wait)


def dropped(reason: str, frame_: bytes, port: str = "lan", wait: float = 0) -> Sent:
    return Sent(frame_, "drop", reason, None, port, wait)


def both(make: Iterable | None = None):
    """For a generator of the cases of one family: those of both, each named by its family."""
    def run() -> Iterator[Case]:
        for family in BOTH:
            for case in make(family):
                yield Case(f"{case.name}-v{family.number}", case.norm, case.sent)
    return run
