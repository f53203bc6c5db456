"""Builders of packets, byte by byte.

Every builder fills lengths and checksums in as a well-behaved sender would, and lets each of them be
overridden: what a gateway must survive is written with the same few functions as what it must pass.
Nothing here is random and nothing asks the clock, so that a capture is the same bytes on every run.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Sequence

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_IPV6 = 0x86DD

HOP_BY_HOP, ICMP, TCP, UDP, ROUTING, FRAGMENT = 0, 1, 6, 17, 43, 44
GRE, ICMP6, NO_NEXT, DESTINATION, SCTP = 47, 58, 59, 60, 132

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(src: str, dst: str, protocol: int, length: int) -> bytes:
    """What TCP, UDP and ICMPv6 checksum besides themselves (RFC 9293 3.1, RFC 8200 8.1)."""
    a, b = ip_address(src), ip_address(dst)
    if a.version == 4:
        return a.packed + b.packed + struct.pack("!BBH", 0, protocol, length)
    return a.packed + b.packed + struct.pack("!I3xB", length, protocol)


# ── Link layer ──


def ethernet(dst: str, src: str, ethertype: int, payload: bytes, *,
             tags: Sequence[int] = (), pad: bool = True) -> bytes:
    """A frame. Each of `tags` is an 802.1Q tag control word: `100` is VLAN 100, `5 << 13` a priority tag.

    Short frames are padded to 60 bytes, as they arrive from a wire: a reader that takes the frame's
    end for the packet's end is found out that way.
    """
    frame = mac_bytes(dst) + mac_bytes(src)
    for tag in tags:
        frame += struct.pack("!HH", ETHERTYPE_VLAN, tag)
    frame += struct.pack("!H", ethertype) + payload
    return frame.ljust(60, b"\0") if pad else frame


def arp(operation: int, sender_mac: str, sender: str, target_mac: str, target: str) -> bytes:
    return struct.pack("!HHBBH", 1, ETHERTYPE_IPV4, 6, 4, operation) + \
        mac_bytes(sender_mac) + IPv4Address(sender).packed + \
        mac_bytes(target_mac) + IPv4Address(target).packed


# ── Network layer ──


def ipv4(src: str, dst: str, protocol: int, payload: bytes, *, ttl: int = 64, ident: int = 0,
         dont_fragment: bool = True, more: bool = False, offset: int = 0, options: bytes = b"",
         tos: int = 0, version: int = 4, ihl: int | None = None,
         total_length: int | None = None, header_checksum: int | None = None) -> bytes:
    """An IPv4 packet; `offset` counts bytes and must be a multiple of eight, as in the header."""
    options = options.ljust(-(-len(options) // 4) * 4, b"\0")
    if ihl is None:
        ihl = 5 + len(options) // 4
    if total_length is None:
        total_length = 20 + len(options) + len(payload)
    fragment = (0x4000 if dont_fragment else 0) | (0x2000 if more else 0) | offset // 8

    def header(check: int) -> bytes:
        return struct.pack("!BBHHHBBH", version << 4 | ihl, tos, total_length, ident, fragment,
                           ttl, protocol, check) + \
            IPv4Address(src).packed + IPv4Address(dst).packed + options

    if header_checksum is None:
        header_checksum = checksum(header(0))
    return header(header_checksum) + payload


def ipv4_fragments(src: str, dst: str, protocol: int, payload: bytes, cuts: Sequence[int], *,
                   ident: int, ttl: int = 64) -> list[bytes]:
    """`payload` cut before each of `cuts` (multiples of eight), as one datagram's fragments."""
    edges = [0, *cuts, len(payload)]
    return [ipv4(src, dst, protocol, payload[a:b], ident=ident, ttl=ttl, dont_fragment=False,
                 more=b < len(payload), offset=a) for a, b in zip(edges, edges[1:])]


def ipv6(src: str, dst: str, next_header: int, payload: bytes, *, hop_limit: int = 64,
         traffic_class: int = 0, flow_label: int = 0, version: int = 6,
         payload_length: int | None = None) -> bytes:
    if payload_length is None:
        payload_length = len(payload)
    return struct.pack("!IHBB", version << 28 | traffic_class << 20 | flow_label, payload_length,
                       next_header, hop_limit) + \
        IPv6Address(src).packed + IPv6Address(dst).packed + payload


@dataclass(frozen=True)
class Extension:
    """An IPv6 extension header: its number and everything behind its next-header byte."""

    number: int
    body: bytes


def options_header(number: int, options: bytes = b"", *, length: int | None = None) -> Extension:
    """Hop-by-hop or destination options; filled with PadN (RFC 8200 4.2) to eight bytes."""
    room = -(2 + len(options)) % 8
    if room == 1:
        options += b"\0"
    elif room > 1:
        options += bytes([1, room - 2]) + bytes(room - 2)
    units = (2 + len(options)) // 8 - 1 if length is None else length
    return Extension(number, bytes([units]) + options)


def routing_header(kind: int, segments_left: int, addresses: Sequence[str]) -> Extension:
    """Type 0 is deprecated and to be dropped (RFC 5095)."""
    packed = b"".join(IPv6Address(a).packed for a in addresses)
    return Extension(ROUTING, struct.pack("!BBBI", len(packed) // 8, kind, segments_left, 0) + packed)


def fragment_header(offset: int, more: bool, ident: int) -> Extension:
    return Extension(FRAGMENT, struct.pack("!BHI", 0, offset | more, ident))


def chain(extensions: Sequence[Extension], upper: int, payload: bytes) -> tuple[int, bytes]:
    """The number of the first header, and the headers with what they carry."""
    numbers = [e.number for e in extensions] + [upper]
    wire = b"".join(bytes([following]) + e.body for e, following in zip(extensions, numbers[1:]))
    return numbers[0], wire + payload


# ── Transport layer ──


def tcp(src: str, dst: str, src_port: int, dst_port: int, seq: int, ack: int, flags: int,
        payload: bytes = b"", *, window: int = 64240, options: bytes = b"", urgent: int = 0,
        data_offset: int | None = None, segment_checksum: int | None = None) -> bytes:
    options = options.ljust(-(-len(options) // 4) * 4, b"\0")
    if data_offset is None:
        data_offset = 5 + len(options) // 4

    def segment(check: int) -> bytes:
        return struct.pack("!HHIIBBHHH", src_port, dst_port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                           data_offset << 4, flags, window, check, urgent) + options + payload

    if segment_checksum is None:
        bare = segment(0)
        segment_checksum = checksum(pseudo_header(src, dst, TCP, len(bare)) + bare)
    return segment(segment_checksum)


def udp(src: str, dst: str, src_port: int, dst_port: int, payload: bytes, *,
        length: int | None = None, datagram_checksum: int | None = None) -> bytes:
    if length is None:
        length = 8 + len(payload)
    if datagram_checksum is None:
        bare = struct.pack("!HHHH", src_port, dst_port, length, 0) + payload
        datagram_checksum = checksum(pseudo_header(src, dst, UDP, len(bare)) + bare) or 0xFFFF
    return struct.pack("!HHHH", src_port, dst_port, length, datagram_checksum) + payload


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260 appendix A), bit by bit: the packets here are few."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_chunk(kind: int, flags: int, value: bytes) -> bytes:
    chunk = struct.pack("!BBH", kind, flags, 4 + len(value)) + value
    return chunk + bytes(-len(chunk) % 4)


def sctp(src_port: int, dst_port: int, tag: int, chunks: bytes, *,
         packet_checksum: int | None = None) -> bytes:
    if packet_checksum is None:
        bare = struct.pack("!HHII", src_port, dst_port, tag, 0) + chunks
        packet_checksum = crc32c(bare)
    return struct.pack("!HHI", src_port, dst_port, tag) + \
        struct.pack("<I", packet_checksum) + chunks


# ── Control messages ──


def icmp(kind: int, code: int, rest: int, payload: bytes, *,
         message_checksum: int | None = None) -> bytes:
    """An ICMP message; `rest` is the second word: identifier and sequence, or the next hop's MTU."""
    if message_checksum is None:
        message_checksum = checksum(struct.pack("!BBHI", kind, code, 0, rest) + payload)
    return struct.pack("!BBHI", kind, code, message_checksum, rest) + payload


def icmp_echo(ident: int, sequence: int, payload: bytes, *, reply: bool = False) -> bytes:
    return icmp(0 if reply else 8, 0, ident << 16 | sequence, payload)


def icmp_error(kind: int, code: int, quoted: bytes, *, rest: int = 0) -> bytes:
    """Quotes the header and eight bytes more of the packet that failed (RFC 792)."""
    return icmp(kind, code, rest, quoted[:(quoted[0] & 15) * 4 + 8])


def icmp6(src: str, dst: str, kind: int, code: int, rest: int, payload: bytes, *,
          message_checksum: int | None = None) -> bytes:
    if message_checksum is None:
        bare = struct.pack("!BBHI", kind, code, 0, rest) + payload
        message_checksum = checksum(pseudo_header(src, dst, ICMP6, len(bare)) + bare)
    return struct.pack("!BBHI", kind, code, message_checksum, rest) + payload


def icmp6_echo(src: str, dst: str, ident: int, sequence: int, payload: bytes, *,
               reply: bool = False) -> bytes:
    return icmp6(src, dst, 129 if reply else 128, 0, ident << 16 | sequence, payload)


def icmp6_error(src: str, dst: str, kind: int, code: int, quoted: bytes, *, rest: int = 0) -> bytes:
    """Quotes as much of the packet as the smallest MTU holds (RFC 4443 2.4 c)."""
    return icmp6(src, dst, kind, code, rest, quoted[:1280 - 48])


def solicited_node(address: str) -> str:
    """The multicast group in which a node listens for solicitations (RFC 4291 2.7.1)."""
    return str(IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + IPv6Address(address).packed[13:]))


def multicast_mac(group: str) -> str:
    return "33:33:" + IPv6Address(group).packed[12:].hex(":")


def neighbour_solicitation(src: str, dst: str, target: str, mac: str | None) -> bytes:
    """`mac` is left out where `src` is unspecified: duplicate address detection (RFC 4861 4.3)."""
    option = b"\x01\x01" + mac_bytes(mac) if mac else b""
    return icmp6(src, dst, 135, 0, 0, IPv6Address(target).packed + option)


def neighbour_advertisement(src: str, dst: str, target: str, mac: str, *, flags: int = 0x6) -> bytes:
    """`flags` are router, solicited and override, as the top three bits (RFC 4861 4.4)."""
    return icmp6(src, dst, 136, 0, flags << 28, IPv6Address(target).packed + b"\x02\x01" + mac_bytes(mac))
