"""The IP header, its options, and the extension headers of IPv6."""

from __future__ import annotations

import struct
from typing import Iterator

from .case import V4, V6, Case, Family, both, drop, frame, fresh, p, passes

H = "FFW_RUL_EXT.1.6 h; "
I_ = "FFW_RUL_EXT.1.6 i; "


def cases() -> Iterator[Case]:
    yield from both(of_family)()
    yield from header4()
    yield from options4()
    yield from header6()
    yield from extensions6()
    yield from chains6()


def of_family(f: Family) -> Iterator[Case]:
    marks = [f.frame(6, f.tcp(fresh()), **{"tos" if f.number == 4 else "traffic_class": mark})
             for mark in (0x01, 0x02, 0x03, 0x28, 0xB8, 0xE0, 0xFF)]
    yield passes("dscp-and-ecn", "RFC 2474; RFC 3168 5", *marks)
    ttl = "ttl" if f.number == 4 else "hop_limit"
    yield passes("ttl-2", "RFC 1812 5.3.1; RFC 8200 3", f.syn(**{ttl: 2}), f.syn(**{ttl: 255}))
    yield drop("ttl-spent", "RFC 1812 5.3.1; RFC 4443 3.3", "ttl-expired", f.syn(**{ttl: 0}), f.syn(**{ttl: 1}))
    length = 20 if f.number == 4 else 40
    packet = f.packet(6, f.tcp(fresh()))
    yield drop("cut-behind-ip-header", I_ + "RFC 1812 5.2.2 (4)", "ip-truncated",
               *(frame(packet[:n], least=0) for n in (length, length + 1, len(packet) - 1)))


def header4() -> Iterator[Case]:
    def syns(key: str, *values: int) -> list[bytes]:
        return [V4.syn(**{key: value}) for value in values]

    yield drop("ip4-version", I_ + "RFC 1812 5.2.2 (3)", "ip-header-invalid",
               *(frame(V4.packet(6, V4.tcp(fresh()), version=v), ethertype=p.ETHERTYPE_IPV4)
                 for v in (0, 1, 5, 6, 7, 15)))
    yield drop("ip4-header-length", I_ + "RFC 1812 5.2.2 (4)", "ip-header-invalid", *syns("ihl", 0, 1, 4, 11, 15))
    yield drop("ip4-total-length-0", I_ + "RFC 1812 5.2.2 (5)", "ip-header-invalid", *syns("total_length", 0, 1, 19))
    yield drop("ip4-longer-than-frame", I_ + "RFC 1812 5.2.2 (5)", "ip-truncated",
               frame(V4.packet(6, V4.tcp(fresh()), total_length=41), least=0), *syns("total_length", 1500, 65535))
    yield drop("ip4-checksum", I_ + "RFC 1812 5.2.2 (2)", "ip-checksum", *syns("header_checksum", 0, 1, 0xFFFF),
               V4.syn(header_checksum=2, options=b"\x94\x04\0\0"))
    odd = bytearray(V4.packet(6, V4.tcp(fresh())))
    odd[6] |= 0x80
    odd[10:12] = bytes(2)
    odd[10:12] = struct.pack("!H", p.checksum(bytes(odd[:20])))
    yield drop("ip4-reserved-flag", I_ + "RFC 791 3.1: must be zero", "ip-header-invalid", frame(bytes(odd)))
    yield passes("ip4-without-df", "RFC 791 3.1", V4.syn(dont_fragment=False), V4.syn(ident=0xFFFF))


def options4() -> Iterator[Case]:
    def syns(*options: bytes) -> list[bytes]:
        return [V4.syn(options=o) for o in options]

    route = b"\x0a\2\0\x0a"
    yield drop("ip4-loose-source-route", H + "RFC 7126 4.3", "ip-option-forbidden",
               *syns(b"\x83\x07\x04" + route, b"\x01\x83\x07\x08" + route, b"\x83\x03\x04",
                     b"\x94\x04\0\0\x83\x0b\x04" + route * 2))
    yield drop("ip4-strict-source-route", H + "RFC 7126 4.4", "ip-option-forbidden",
               *syns(b"\x89\x07\x04" + route, b"\x01\x01\x01\x89\x07\x04" + route, b"\x89\x27\x04" + route * 9))
    yield drop("ip4-record-route", H + "RFC 7126 4.5", "ip-option-forbidden",
               *syns(b"\x07\x07\x04" + bytes(4), b"\x07\x27\x04" + bytes(36), b"\x07\x03\x04"))
    yield drop("ip4-timestamp", I_ + "RFC 7126 4.6", "ip-option-forbidden",
               *syns(b"\x44\x08\x05\0" + bytes(4), b"\x44\x0c\x05\x01" + bytes(8), b"\x44\x24\x05\x03" + bytes(32)))
    obsolete = {136: "4.7", 11: "4.9", 12: "4.10", 82: "4.11", 142: "4.15", 145: "4.16", 147: "4.18", 149: "4.19",
                151: "4.20", 152: "4.21", 15: "obsolete", 205: "obsolete"}
    yield drop("ip4-obsolete-options", I_ + "RFC 7126 4; RFC 6814", "ip-option-forbidden",
               *(V4.syn(options=bytes((kind, 4, 0, 0))) for kind in obsolete))
    yield drop("ip4-option-malformed", I_ + "RFC 1812 5.3.13; RFC 791 3.1", "ip-option-invalid",
               *syns(b"\x94\0\0\0", b"\x94\x01\0\0", b"\x94\x05\0\0", b"\x94\xff\0\0", b"\x01\x01\x01\x94",
                     b"\x07\0\0\0", b"\x83\x01\0\0", b"\x83\x08\x04" + bytes(1), b"\x01\x94\x04\0"))
    yield passes("ip4-no-operation", "RFC 791 3.1", *syns(b"\x01\x01\x01\0", b"\x01" * 40, b"\0\0\0\0"))
    yield passes("ip4-router-alert", "RFC 2113; RFC 7126 4.8: for us a word without effect", *syns(b"\x94\x04\0\0"))
    yield passes("ip4-security-labels", "RFC 7126 4.12, 4.13; RFC 1108", *syns(b"\x82\x04\xab\0", b"\x85\x04\0\0"))
    yield passes("ip4-cipso-label", "RFC 7126 4.14; FIPS 188", *syns(b"\x86\x0a\0\0\0\x01\x01\x04\0\x01"))
    yield passes("ip4-unknown-option", "RFC 1812 4.2.2.6: passed unchanged",
                 *syns(b"\x9e\x04\0\0", b"\x19\x08" + bytes(6)))


def header6() -> Iterator[Case]:
    yield drop("ip6-version", I_ + "RFC 8200 3", "ip-header-invalid",
               *(frame(V6.packet(6, V6.tcp(fresh()), version=v), ethertype=p.ETHERTYPE_IPV6)
                 for v in (0, 4, 5, 7, 15)))
    yield drop("ip6-longer-than-frame", I_ + "RFC 8200 3", "ip-truncated",
               frame(V6.packet(6, V6.tcp(fresh()), payload_length=21)), V6.syn(payload_length=1500),
               V6.syn(payload_length=65535))
    yield drop("ip6-payload-length-0", I_ + "RFC 8200 3; RFC 2675 3", "transport-truncated", V6.syn(payload_length=0))
    yield drop("ip6-jumbogram", I_ + "RFC 2675 3", "jumbogram", jumbo(0), jumbo(None), jumbo(0, 65536),
               jumbo(0, cut=True))
    yield passes("ip6-flow-label", "RFC 6437 2", V6.syn(flow_label=0xFFFFF), V6.syn(flow_label=1))


def jumbo(payload_length: int | None, says: int = 28, cut: bool = False) -> bytes:
    option = b"\xc2\x04" + struct.pack("!I", says)
    number, payload = p.chain([p.options_header(p.HOP_BY_HOP, option)], p.TCP, V6.tcp(fresh()))
    fields = {} if payload_length is None else {"payload_length": payload_length}
    return frame(V6.packet(number, payload, **fields)[:40 if cut else None], least=0)


def chained(*extensions: p.Extension, upper: int = p.TCP, payload: bytes | None = None) -> bytes:
    number, wire = p.chain(extensions, upper, V6.tcp(fresh()) if payload is None else payload)
    return frame(V6.packet(number, wire))


HOP = p.options_header(p.HOP_BY_HOP)
DEST = p.options_header(p.DESTINATION)
ROUTE = p.routing_header(4, 0, [V6.server])
ATOMIC = p.fragment_header(0, False, 77)


def extensions6() -> Iterator[Case]:
    home = p.routing_header(2, 1, [V6.server])
    yield drop("ip6-routing-header-0", H + "RFC 5095 3", "routing-header-forbidden",
               chained(p.routing_header(0, 1, [V6.branch])), chained(p.routing_header(0, 0, [])),
               chained(p.routing_header(0, 0, [V6.branch])), chained(p.routing_header(0, 255, [V6.branch] * 3)),
               chained(HOP, DEST, p.routing_header(0, 1, [V6.branch])))
    yield drop("ip6-source-route", H + "RFC 8754 5.1, 7: leads past the decision", "routing-header-forbidden",
               *(chained(p.routing_header(kind, 1, [V6.branch])) for kind in (1, 3, 4, 5, 253, 254, 255)),
               chained(p.routing_header(4, 2, [V6.branch] * 3)), chained(p.routing_header(2, 2, [V6.server] * 2)))
    yield passes("ip6-routing-header-spent", "RFC 8200 4.4: no segments left", chained(ROUTE),
                 chained(p.routing_header(4, 0, [V6.branch] * 2)))
    yield passes("ip6-routing-header-2", "RFC 6275 6.4: the home address", chained(home))
    yield passes("ip6-extension-headers", "RFC 8200 4.1", chained(HOP), chained(DEST), chained(HOP, DEST),
                 chained(HOP, DEST, ROUTE, DEST), chained(HOP, DEST, ROUTE, ATOMIC, DEST), chained(DEST, DEST),
                 chained(p.options_header(p.DESTINATION, bytes([1, 200]) + bytes(200))))
    yield passes("ip6-router-alert", "RFC 2711; RFC 9673 5: for us a word without effect",
                 chained(p.options_header(p.HOP_BY_HOP, b"\x05\x02\0\0")))
    yield passes("ip6-unknown-option", "RFC 8200 4.2: for its receiver to judge",
                 *(chained(p.options_header(p.DESTINATION, bytes((kind, 4)) + bytes(4)))
                   for kind in (0x1E, 0x3E, 0x5E, 0x9E, 0xDE, 0xFE)))
    yield drop("ip6-option-malformed", I_ + "RFC 8200 4.2", "extension-invalid",
               chained(p.options_header(p.DESTINATION, b"\x3e\xff\0\0\0\0")),
               chained(p.options_header(p.HOP_BY_HOP, b"\x01\x05\0\0\0\0")),
               chained(p.Extension(p.DESTINATION, b"\0\0\0\0\0\0\x1e")))
    yield drop("ip6-jumbo-option-late", I_ + "RFC 2675 3", "jumbogram",
               chained(p.options_header(p.DESTINATION, b"\xc2\x04\0\x01\0\0")))


def chains6() -> Iterator[Case]:
    yield drop("ip6-hop-by-hop-not-first", I_ + "RFC 8200 4.1", "extension-invalid", chained(DEST, HOP),
               chained(ROUTE, HOP), chained(ATOMIC, HOP), chained(HOP, HOP))
    yield drop("ip6-out-of-order", I_ + "RFC 8200 4.1", "extension-invalid", chained(ATOMIC, ROUTE),
               chained(ATOMIC, DEST, ROUTE), chained(HOP, ATOMIC, ROUTE), chained(DEST, DEST, ROUTE))
    yield drop("ip6-repeated", I_ + "RFC 8200 4.1", "extension-invalid", chained(ROUTE, ROUTE),
               chained(ATOMIC, ATOMIC), chained(ROUTE, DEST, ROUTE))
    yield passes("ip6-eight-headers", "RFC 8200 4.1: a receiver takes any number; eight are the most here",
                 chained(*[DEST] * 8), chained(HOP, *[DEST] * 7))
    yield drop("ip6-more-than-eight", I_ + "RFC 8504 5.3", "extension-invalid", chained(*[DEST] * 9),
               chained(HOP, *[DEST] * 8), chained(*[DEST] * 60))
    yield drop("ip6-header-beyond-the-packet", I_ + "RFC 8200 4", "extension-invalid",
               chained(p.options_header(p.DESTINATION, length=255)), chained(p.options_header(p.HOP_BY_HOP, length=9)),
               *(frame(V6.packet(number, bytes(n))) for number in (0, 43, 60) for n in (0, 1, 7) if number or n),
               *(frame(V6.packet(44, bytes(n))) for n in (0, 7)))
    yield drop("ip6-no-next-header", "RFC 8200 4.7: no rule names it", "default-deny",
               chained(upper=59, payload=b""), chained(DEST, upper=59, payload=b"left over"))
    yield drop("ip6-unknown-headers", I_ + "RFC 7045 2.1: nothing names them", "default-deny",
               *(chained(upper=number, payload=b"\x06\0" + bytes(6) + V6.tcp(fresh()))
                 for number in (135, 139, 140, 253, 254, 143, 200)))
    yield drop("ip6-under-ipv4", I_ + "RFC 791: no protocol of IPv4", "default-deny",
               *(frame(V4.packet(number, bytes(8) + V4.tcp(fresh()))) for number in (0, 43, 44, 59, 60)))
