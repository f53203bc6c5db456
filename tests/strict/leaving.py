"""What should leave for what came in: written down anew, byte by byte, from RFC 1812 5.2 and RFC 8200."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from .case import BOTH, GATEWAY_MAC, STATIONS, VLANS, Sent, p

OWN = {ip_address(router).packed for family in BOTH for router in family.routers.values()}


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
    return p.ethernet(STATIONS[str(ip_address(destination))], GATEWAY_MAC, ethertype, packet,
                      tags=(tag & 0xF000 | vlan,) if vlan else (), pad=False)


def is_own(frame: bytes) -> bool:
    """Whether the gateway itself speaks: ARP, or a packet from one of its addresses."""
    packet = packet_in(frame)[1]
    if not packet:
        return True
    source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
    return source in OWN or ip_address(source).is_link_local
