"""What should leave for what came in: written down anew, byte by byte, from RFC 1812 5.2 and RFC 8200."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from .case import BEHIND, BOTH, GATEWAY_MAC, STATIONS, VLANS, Sent, p

OWN = {ip_address(router).packed for family in BOTH for router in family.routers.values()}
POOLS = {ip_address(pool).packed for pool in ("192.0.2.1", "192.0.2.32", "192.0.2.33", "192.0.2.34")}
OWN |= {ip_address(router).packed for router in ("10.1.255.1", "10.7.0.1")}


def packet_in(frame: bytes) -> tuple[int, bytes]:
    """The first tag's control word, 0 where there is none, and the IP packet without padding."""
    tag, at = 0, 12
    if frame[12:14] == b"\x81\x00":
        tag, at = struct.unpack_from("!H", frame, 14)[0], 16
    ethertype, = struct.unpack_from("!H", frame, at)
    rest = frame[at + 2:]
    if ethertype == p.ETHERTYPE_IPV4:
        return tag, rest[:struct.unpack_from("!H", rest, 2)[0]]
    if ethertype == p.ETHERTYPE_IPV6:
        return tag, rest[:40 + struct.unpack_from("!H", rest, 4)[0]]
    return tag, b""


def leaving(sent: Sent) -> bytes:
    """The frame that a forwarded one leaves as: the TTL one less, new MACs, and nothing behind the packet."""
    tag, packet = packet_in(sent.frame)
    if sent.becomes:
        vlan = VLANS[sent.out]
        return without_port(p.ethernet(
            BEHIND[sent.out], GATEWAY_MAC, p.ETHERTYPE_IPV6 if sent.becomes[0] >> 4 == 6 else p.ETHERTYPE_IPV4,
            sent.becomes, tags=(tag & 0xF000 | vlan,) if vlan else (), pad=False))
    if packet[0] >> 4 == 4:
        header = bytearray(packet[:(packet[0] & 15) * 4])
        header[8] -= 1
        header[10:12] = b"\0\0"
        header[10:12] = struct.pack("!H", p.checksum(bytes(header)))
        packet, ethertype = bytes(header) + packet[len(header):], p.ETHERTYPE_IPV4
        destination = packet[16:20]
    else:
        packet, ethertype = packet[:7] + bytes([packet[7] - 1]) + packet[8:], p.ETHERTYPE_IPV6
        destination = packet[24:40]
    vlan = VLANS[sent.out]
    return p.ethernet(STATIONS.get(str(ip_address(destination)), BEHIND[sent.out]), GATEWAY_MAC, ethertype, packet,
                      tags=(tag & 0xF000 | vlan,) if vlan else (), pad=False)


def without_port(frame: bytes) -> bytes:
    """A frame from a pool without what nobody can foresee: its port or identifier, and the checksum over it, but
    that only where it is right; any other frame as it is.
    """
    _, packet = packet_in(frame)
    if packet[:1] != b"\x45" or packet[12:16] not in POOLS:
        return frame
    at = len(frame) - len(packet) + 20
    protocol, payload = packet[9], bytearray(packet[20:])
    check, port = {6: (16, 0), 17: (6, 0), 1: (2, 4)}[protocol]
    covered = bytes(payload) if protocol == 1 else packet[12:20] + bytes((0, protocol)) + struct.pack(
        "!H", len(payload)) + bytes(payload)
    none = protocol == 17 and payload[6:8] == b"\0\0"
    if not none and p.checksum(covered) != 0:
        return frame
    payload[port:port + 2] = b"\0\0"
    payload[check:check + 2] = b"\0\0" if none else b"\1\1"
    return frame[:at] + bytes(payload)


def is_own(frame: bytes) -> bool:
    """Whether the gateway itself speaks: ARP, or a packet from one of its addresses."""
    packet = packet_in(frame)[1]
    if not packet:
        return True
    source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
    return source in OWN or ip_address(source).is_link_local
