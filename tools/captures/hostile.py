#!/usr/bin/env python3
"""Writes a corpus of malformed input to seed fuzzers: `hostile.py OUTDIR`.

`OUTDIR/frames/*.bin` are bare frames, one per file; `OUTDIR/captures/*` are capture files, some of them
broken as files; `OUTDIR/frames.pcap` holds all frames in one sound capture, named by their order in
`OUTDIR/frames.txt`. The same bytes on every run.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import Iterator

import capture_file as c
import packets as p

DST, SRC = "02:36:01:21:00:01", "52:54:00:21:04:30"
A4, B4, A6, B6 = "10.65.64.130", "59.205.39.10", "2001:db8:107:4::130", "2001:db8:107:100::10"
Named = Iterator[tuple[str, bytes]]


def frame4(packet: bytes, tags: tuple[int, ...] = ()) -> bytes:
    return p.ethernet(DST, SRC, p.ETHERTYPE_IPV4, packet, tags=tags, pad=False)


def frame6(packet: bytes) -> bytes:
    return p.ethernet(DST, SRC, p.ETHERTYPE_IPV6, packet, pad=False)


def sound() -> Named:
    """Well-formed frames, one per kind: the mutator's material, and what the cuts are made from."""
    syn = p.tcp(A4, B4, 50000, 443, 1, 0, p.SYN, options=b"\x02\x04\x05\xb4\x01\x03\x03\x07")
    yield "tcp4", frame4(p.ipv4(A4, B4, p.TCP, syn))
    yield "tcp4-vlan", frame4(p.ipv4(A4, B4, p.TCP, syn), (101,))
    yield "tcp4-two-tags", frame4(p.ipv4(A4, B4, p.TCP, syn), (101, 102))
    yield "tcp4-options", frame4(p.ipv4(A4, B4, p.TCP, syn, options=b"\x94\x04\0\0\x01\x01\x01\0"))
    yield "udp4", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 5000, 53, b"query")))
    yield "sctp4", frame4(p.ipv4(A4, B4, p.SCTP, p.sctp(5000, 2905, 0, p.sctp_chunk(1, 0, bytes(16)))))
    yield "echo4", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp_echo(1, 1, b"payload.")))
    quoted = p.ipv4(B4, A4, p.TCP, p.tcp(B4, A4, 443, 50000, 1, 1, p.ACK))
    yield "error4", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp_error(3, 4, quoted, rest=1400)))
    yield "gre4", frame4(p.ipv4(A4, B4, p.GRE, b"\0\0\x08\0" + quoted))
    syn6 = p.tcp(A6, B6, 50000, 443, 1, 0, p.SYN)
    yield "tcp6", frame6(p.ipv6(A6, B6, p.TCP, syn6))
    yield "udp6", frame6(p.ipv6(A6, B6, p.UDP, p.udp(A6, B6, 5000, 53, b"query")))
    yield "echo6", frame6(p.ipv6(A6, B6, p.ICMP6, p.icmp6_echo(A6, B6, 1, 1, b"payload.")))
    quoted6 = p.ipv6(B6, A6, p.TCP, p.tcp(B6, A6, 443, 50000, 1, 1, p.ACK))
    yield "error6", frame6(p.ipv6(A6, B6, p.ICMP6, p.icmp6_error(A6, B6, 2, 0, quoted6, rest=1280)))
    group = p.solicited_node(B6)
    yield "nd-solicit", frame6(p.ipv6(A6, group, p.ICMP6, p.neighbour_solicitation(A6, group, B6, SRC),
                                      hop_limit=255))
    yield "nd-advert", frame6(p.ipv6(A6, B6, p.ICMP6, p.neighbour_advertisement(A6, B6, A6, SRC), hop_limit=255))
    number, payload = p.chain([p.options_header(p.HOP_BY_HOP), p.routing_header(2, 1, [B6]),
                               p.fragment_header(0, False, 7), p.options_header(p.DESTINATION)], p.TCP, syn6)
    yield "chain6", frame6(p.ipv6(A6, B6, number, payload))
    yield "arp", p.ethernet("ff:ff:ff:ff:ff:ff", SRC, p.ETHERTYPE_ARP, p.arp(
        1, SRC, A4, "00:00:00:00:00:00", "10.65.64.129"), pad=False)


def cut() -> Named:
    """Every sound frame, cut short at each of its first bytes up to a transport header's end and beyond."""
    for name, frame in sound():
        for length in sorted({0, 1, 13, 14, 15, 17, 18, 33, 34, 37, 38, 41, 53, 54, 61, len(frame) - 1}):
            if length < len(frame):
                yield f"cut-{name}-{length:03d}", frame[:length]


def bad_ipv4() -> Named:
    segment = p.tcp(A4, B4, 50000, 443, 1, 0, p.SYN)
    for name, fields in {
            "version-0": {"version": 0}, "version-6": {"version": 6}, "ihl-0": {"ihl": 0}, "ihl-4": {"ihl": 4},
            "ihl-15": {"ihl": 15}, "length-0": {"total_length": 0}, "length-19": {"total_length": 19},
            "length-39": {"total_length": 39}, "length-beyond": {"total_length": 41},
            "length-max": {"total_length": 65535}, "checksum-0": {"header_checksum": 0},
            "checksum-ffff": {"header_checksum": 0xFFFF}, "ttl-0": {"ttl": 0},
            "option-length-0": {"options": b"\x07\0\0\0"}, "option-length-1": {"options": b"\x07\x01\0\0"},
            "option-beyond": {"options": b"\x07\x27\x04\0"}, "option-at-end": {"options": b"\x01\x01\x01\x07"},
            "record-route": {"options": b"\x07\x07\x04\0\0\0\0"},
            "loose-source": {"options": b"\x83\x07\x04\x0a\0\0\x01"},
            "strict-source": {"options": b"\x89\x07\x04\x0a\0\0\x01"},
            "timestamp": {"options": b"\x44\x08\x05\0\0\0\0\0"},
            "fragment-df": {"more": True}, "fragment-tiny": {"more": True, "dont_fragment": False},
            "fragment-8": {"offset": 8, "dont_fragment": False},
            "fragment-end": {"offset": 65528, "dont_fragment": False},
            "fragment-end-more": {"offset": 65528, "more": True, "dont_fragment": False}}.items():
        yield f"ip4-{name}", frame4(p.ipv4(A4, B4, p.TCP, segment, **fields))
    for protocol in (p.TCP, p.UDP, p.ICMP, p.SCTP):
        yield f"ip4-empty-{protocol}", frame4(p.ipv4(A4, B4, protocol, b""))
        yield f"ip4-short-{protocol}", frame4(p.ipv4(A4, B4, protocol, bytes(3)))
    yield "ip4-land", frame4(p.ipv4(B4, B4, p.TCP, p.tcp(B4, B4, 443, 443, 1, 0, p.SYN)))


def bad_transport() -> Named:
    for offset in (0, 1, 4, 6, 15):
        yield f"tcp-offset-{offset}", frame4(p.ipv4(A4, B4, p.TCP, p.tcp(
            A4, B4, 50000, 443, 1, 0, p.SYN, data_offset=offset)))
    for flags in (0, p.FIN, p.SYN | p.FIN, p.SYN | p.RST, p.FIN | p.PSH | p.URG, 0x3F, 0xFF):
        yield f"tcp-flags-{flags:02x}", frame4(p.ipv4(A4, B4, p.TCP, p.tcp(A4, B4, 50000, 443, 1, 0, flags)))
    for options in (b"\x02\0", b"\x02\x01", b"\x03\x28\x07", b"\x01\x01\x01\x02", b"\x08\x0a\0"):
        yield f"tcp-option-{options.hex()}", frame4(p.ipv4(A4, B4, p.TCP, p.tcp(
            A4, B4, 50000, 443, 1, 0, p.SYN, options=options)))
    yield "tcp-checksum", frame4(p.ipv4(A4, B4, p.TCP, p.tcp(A4, B4, 1, 2, 3, 0, p.SYN, segment_checksum=1)))
    yield "tcp-port-0", frame4(p.ipv4(A4, B4, p.TCP, p.tcp(A4, B4, 0, 0, 1, 0, p.SYN)))
    for length in (0, 7, 12, 14, 65535):
        yield f"udp-length-{length}", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 1, 2, b"12345", length=length)))
    yield "udp-checksum-0", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 1, 2, b"x", datagram_checksum=0)))
    yield "udp6-checksum-0", frame6(p.ipv6(A6, B6, p.UDP, p.udp(A6, B6, 1, 2, b"x", datagram_checksum=0)))
    for length in (0, 3, 5, 65535):
        chunk = struct.pack("!BBH", 1, 0, length) + bytes(16)
        yield f"sctp-chunk-{length}", frame4(p.ipv4(A4, B4, p.SCTP, p.sctp(1, 2, 0, chunk)))
    yield "sctp-checksum", frame4(p.ipv4(A4, B4, p.SCTP, p.sctp(1, 2, 0, p.sctp_chunk(1, 0, bytes(16)),
                                                               packet_checksum=0)))


def bad_icmp() -> Named:
    quoted = p.ipv4(B4, A4, p.TCP, p.tcp(B4, A4, 443, 50000, 1, 1, p.ACK))
    for name, inner in (("empty", b""), ("short", quoted[:19]), ("no-ports", quoted[:20]), ("seven", quoted[:27]),
                        ("ihl-15", b"\x4f" + quoted[1:28]), ("ihl-1", b"\x41" + quoted[1:28]),
                        ("fragment", quoted[:6] + b"\x20\x10" + quoted[8:28]),
                        ("itself", p.ipv4(A4, B4, p.ICMP, p.icmp(3, 1, 0, quoted[:28])))):
        yield f"icmp-quote-{name}", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp(3, 1, 0, inner)))
    yield "icmp-mtu-0", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp(3, 4, 0, quoted[:28])))
    yield "icmp-redirect", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp(5, 1, 0x0A414085, quoted[:28])))
    yield "icmp-checksum", frame4(p.ipv4(A4, B4, p.ICMP, p.icmp(8, 0, 1, b"", message_checksum=7)))
    quoted6 = p.ipv6(B6, A6, p.TCP, p.tcp(B6, A6, 443, 50000, 1, 1, p.ACK))
    for name, inner in (("empty", b""), ("short", quoted6[:39]), ("no-ports", quoted6[:40])):
        yield f"icmp6-quote-{name}", frame6(p.ipv6(A6, B6, p.ICMP6, p.icmp6(A6, B6, 1, 4, 0, inner)))
    for name, options in (("length-0", b"\x01\0" + bytes(6)), ("length-31", b"\x01\x1f" + bytes(6)),
                          ("half", b"\x01\x01\x52")):
        body = p.icmp6(A6, B6, 135, 0, 0, bytes(16) + options)
        yield f"nd-option-{name}", frame6(p.ipv6(A6, B6, p.ICMP6, body, hop_limit=255))
    yield "nd-hop-limit", frame6(p.ipv6(A6, B6, p.ICMP6, p.neighbour_solicitation(A6, B6, B6, SRC)))
    yield "router-advert", frame6(p.ipv6("fe80::66", "ff02::1", p.ICMP6, p.icmp6(
        "fe80::66", "ff02::1", 134, 0, 0x40000708, bytes(8)), hop_limit=255))


def bad_ipv6() -> Named:
    syn = p.tcp(A6, B6, 50000, 443, 1, 0, p.SYN)
    fill = p.options_header(p.DESTINATION)
    for name, fields in {"version-0": {"version": 0}, "version-4": {"version": 4},
                         "length-0": {"payload_length": 0}, "length-beyond": {"payload_length": 21},
                         "length-max": {"payload_length": 65535}, "hop-limit-0": {"hop_limit": 0}}.items():
        yield f"ip6-{name}", frame6(p.ipv6(A6, B6, p.TCP, syn, **fields))
    chains = {
        "hop-by-hop-second": [fill, p.options_header(p.HOP_BY_HOP)],
        "hop-by-hop-twice": [p.options_header(p.HOP_BY_HOP)] * 2,
        "nine": [fill] * 9, "hundred": [fill] * 100,
        "beyond": [p.options_header(p.DESTINATION, length=255)],
        "option-beyond": [p.options_header(p.DESTINATION, b"\x3e\xff\0\0\0\0")],
        "option-must-drop": [p.options_header(p.DESTINATION, b"\xfe\x04\0\0\0\0")],
        "jumbo": [p.options_header(p.HOP_BY_HOP, b"\xc2\x04\0\x01\0\0")],
        "routing-0": [p.routing_header(0, 1, [B6])], "routing-left": [p.routing_header(2, 9, [B6])],
        "routing-twice": [p.routing_header(2, 0, [B6])] * 2,
        "fragments-nested": [p.fragment_header(0, False, 1), p.fragment_header(0, False, 2)],
        "fragment-first": [p.fragment_header(0, True, 3)], "fragment-middle": [p.fragment_header(800, True, 3)],
        "fragment-end": [p.fragment_header(65528, False, 3)],
        "fragment-reserved": [p.fragment_header(6, False, 4)],
    }
    for name, extensions in chains.items():
        number, payload = p.chain(extensions, p.TCP, syn)
        yield f"ip6-chain-{name}", frame6(p.ipv6(A6, B6, number, payload))
    number, payload = p.chain([p.fragment_header(0, True, 3), fill], p.TCP, b"")
    yield "ip6-chain-fragment-without-transport", frame6(p.ipv6(A6, B6, number, payload))
    for number in (p.NO_NEXT, p.HOP_BY_HOP, p.ROUTING, p.FRAGMENT, 50, 51, 135, 139, 140, 253, 255, p.ICMP):
        yield f"ip6-next-{number}", frame6(p.ipv6(A6, B6, number, bytes(8)))
        yield f"ip6-next-{number}-empty", frame6(p.ipv6(A6, B6, number, b""))
    yield "ip6-mapped", frame6(p.ipv6("::ffff:10.65.64.130", B6, p.TCP, syn))
    yield "ip6-nat64", frame6(p.ipv6(A6, "64:ff9b::203.0.113.9", p.TCP, syn))


def bad_frames() -> Named:
    arp = p.arp(1, SRC, A4, "00:00:00:00:00:00", "10.65.64.129")
    for name, packet in (("hardware", b"\0\x06" + arp[2:]), ("protocol", arp[:2] + b"\x86\xdd" + arp[4:]),
                         ("lengths", arp[:4] + b"\xff\xff" + arp[6:]), ("operation", arp[:6] + b"\0\x09" + arp[8:]),
                         ("sender-broadcast", arp[:8] + b"\xff" * 6 + arp[14:])):
        yield f"arp-{name}", p.ethernet(DST, SRC, p.ETHERTYPE_ARP, packet)
    for ethertype in (0, 46, 1500, 1501, 1536, 0x8035, 0x8847, 0x8864, 0x88A8, 0x88CC, 0xFFFF):
        yield f"ether-{ethertype:04x}", p.ethernet(DST, SRC, ethertype, bytes(46))
    yield "ether-tags-only", p.ethernet(DST, SRC, p.ETHERTYPE_VLAN, b"", tags=(1,) * 12, pad=False)
    yield "ether-vlan-4095", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 1, 2, b"x")), (4095,))
    yield "ether-source-multicast", p.ethernet(DST, "01:00:5e:00:00:01", p.ETHERTYPE_ARP, arp)
    yield "ether-large", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 1, 2, bytes(8900))))
    yield "ether-trailer", frame4(p.ipv4(A4, B4, p.UDP, p.udp(A4, B4, 1, 2, b"x"))) + b"\xaa" * 700


def frames() -> Named:
    for source in (sound, cut, bad_ipv4, bad_transport, bad_icmp, bad_ipv6, bad_frames):
        yield from source()


def pcaps() -> Named:
    records = [c.Record(10**18 + n * 10**6, frame) for n, (_, frame) in enumerate(sound())]
    header, first = c.pcap_header(), c.pcap_record(records[0])
    whole = header + b"".join(c.pcap_record(r) for r in records)
    yield "empty.pcap", b""
    yield "header-only.pcap", header
    for length in (1, 3, 4, 23, 25, 39, 40, 41, len(whole) - 1):
        yield f"cut-{length:04d}.pcap", whole[:length]
    yield "magic.pcap", b"\xde\xad\xbe\xef" + whole[4:]
    yield "version.pcap", whole[:4] + struct.pack("<HH", 9, 9) + whole[8:]
    yield "linktype-raw.pcap", c.pcap_header(linktype=101) + first
    yield "linktype-absurd.pcap", c.pcap_header(linktype=0xFFFFFFFF) + first
    yield "snaplen-0.pcap", c.pcap_header(snaplen=0) + first
    for captured, original in ((0, 0), (1, 60), (0x7FFFFFFF, 60), (0xFFFFFFFF, 0xFFFFFFFF), (262145, 262145),
                               (len(records[0].frame), 0), (len(records[0].frame), 9000)):
        yield f"lengths-{captured:x}-{original:x}.pcap", \
            header + first + c.pcap_record(records[0], captured=captured, original=original) + first
    late = struct.pack("<IIII", 0xFFFFFFFF, 0xFFFFFFFF, 4, 4) + b"1234"
    yield "time-absurd.pcap", header + first + late + first
    yield "time-backwards.pcap", header + b"".join(c.pcap_record(r) for r in reversed(records))


def pcapngs() -> Named:
    records = [c.Record(10**18 + n * 10**6, frame, n % 2, "sound") for n, (_, frame) in enumerate(sound())]
    section, lan, wan = c.pcapng_section(), c.pcapng_interface("lan"), c.pcapng_interface("wan")
    head, first = section + lan + wan, c.pcapng_packet(records[0])
    whole = head + b"".join(c.pcapng_packet(r) for r in records)
    for length in (4, 11, 12, 27, 28, 29, 40, len(head), len(head) + 20, len(whole) - 1):
        yield f"cut-{length:04d}.pcapng", whole[:length]
    yield "no-interface.pcapng", section + first
    yield "interface-absent.pcapng", head + c.pcapng_packet(c.Record(10**18, b"x" * 60, 9)) + first
    yield "section-again.pcapng", head + first + head + first
    yield "section-other-order.pcapng", head + first + c.pcapng_section(order="big") + \
        c.pcapng_interface("lan", order="big") + c.pcapng_packet(records[0], order="big")
    yield "order-magic.pcapng", head[:8] + b"\x12\x34\x56\x78" + head[12:]
    for name, length, trailer in (("0", 0, 0), ("8", 8, 8), ("13", 13, 13), ("huge", 0xFFFFFFFC, 0xFFFFFFFC),
                                  ("differs", None, 16)):
        yield f"block-length-{name}.pcapng", head + c.pcapng_block(6, bytes(24), length=length, trailer=trailer) + first
    for captured in (len(records[0].frame) + 100, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"captured-{captured:x}.pcapng", head + c.pcapng_packet(records[0], captured=captured) + first
    yield "unknown-block.pcapng", head + c.pcapng_block(0xBAD, b"anything") + first
    yield "simple-packet.pcapng", head + c.pcapng_block(3, struct.pack("<I", 60) + bytes(60))
    option = struct.pack("<HH", 1, 65535) + b"abcd"
    yield "option-beyond.pcapng", section + c.pcapng_block(1, struct.pack("<HHI", 1, 0, 0) + option) + first
    for resolution in (0, 63, 0x80, 0xFF):
        body = struct.pack("<HHI", 1, 0, 0) + c.pcapng_option(9, bytes([resolution])) + c.pcapng_option(0, b"")
        yield f"resolution-{resolution:02x}.pcapng", section + c.pcapng_block(1, body) + first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=Path)
    outdir: Path = parser.parse_args().outdir
    bare, captures = outdir / "frames", outdir / "captures"
    for directory in (bare, captures):
        directory.mkdir(parents=True, exist_ok=True)
    named = list(frames())
    if len({name for name, _ in named}) != len(named):
        raise SystemExit("two frames have the same name")
    for name, frame in named:
        (bare / f"{name}.bin").write_bytes(frame)
    (outdir / "frames.txt").write_text("".join(f"{n} {name}\n" for n, (name, _) in enumerate(named)))
    c.write_pcap(outdir / "frames.pcap", [c.Record(10**18 + n * 10**6, f) for n, (_, f) in enumerate(named)])
    for name, data in (*pcaps(), *pcapngs()):
        (captures / name).write_bytes(data)


if __name__ == "__main__":
    main()
