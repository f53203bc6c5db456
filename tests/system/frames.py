"""Frames of the tests' own making, put onto a cable as they are."""

from __future__ import annotations

import sys
from lab import ROOT, Bench

sys.path.insert(0, str(ROOT / "tools/captures"))
import packets as p  # noqa: E402

GATEWAY_MAC = {"lan": "02:36:01:21:00:01", "wan": "02:36:01:21:00:02", "internet": "02:36:01:21:00:03",
               "dmz": "02:36:01:21:00:04", "exchange": "02:36:01:21:00:05"}


def frame(cable: str, mac: str, packet: bytes) -> bytes:
    ethertype = p.ETHERTYPE_IPV6 if packet[0] >> 4 == 6 else p.ETHERTYPE_IPV4
    return p.ethernet(GATEWAY_MAC[cable], mac, ethertype, packet)


def udp(source: str, destination: str, port: int, data: bytes = b"hello", **fields: int) -> bytes:
    datagram = p.udp(source, destination, 40000, port, data)
    if ":" in source:
        return p.ipv6(source, destination, p.UDP, datagram, **fields)
    return p.ipv4(source, destination, p.UDP, datagram, **fields)


def echo(source: str, destination: str, ident: int, sequence: int = 1, **fields: int) -> bytes:
    if ":" in source:
        return p.ipv6(source, destination, p.ICMP6, p.icmp6_echo(source, destination, ident, sequence, b"hi"), **fields)
    return p.ipv4(source, destination, p.ICMP, p.icmp_echo(ident, sequence, b"hi"), **fields)


def inject(bench: Bench, cable: str, frames: list[bytes]) -> None:
    with bench[f"{cable}-cable"].packet_socket("trunk") as s:
        for one in frames:
            s.send(one)
