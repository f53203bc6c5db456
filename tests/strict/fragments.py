"""Fragments: what becomes of a datagram becomes of each of its pieces."""

from __future__ import annotations

import struct
from typing import Iterator, Sequence

from .case import V4, V6, Case, Family, Sent, both, drop, dropped, frame, fresh, p, passed, story

A = "FFW_RUL_EXT.1.6 a; "
B = "FFW_RUL_EXT.1.6 b; "


def cases() -> Iterator[Case]:
    yield from both(whole)()
    yield from both(invalid)()
    yield from both(overlapping)()
    yield from both(judged)()
    yield from both(incomplete)()
    yield from ipv6()


def piece(f: Family, ident: int, protocol: int, payload: bytes, offset: int, more: bool, **ends: str) -> bytes:
    """One fragment; `offset` counts bytes."""
    if f.number == 4:
        return frame(f.packet(protocol, payload, ident=ident, offset=offset, more=more, dont_fragment=False, **ends))
    number, wire = p.chain([p.fragment_header(offset, more, ident)], protocol, payload)
    return frame(f.packet(number, wire, **ends))


def pieces(f: Family, protocol: int, payload: bytes, cuts: Sequence[int], **ends: str) -> list[bytes]:
    edges, ident = [0, *cuts, len(payload)], fresh()
    return [piece(f, ident, protocol, payload[a:b], a, b < len(payload), **ends) for a, b in zip(edges, edges[1:])]


def datagram(f: Family, size: int = 64, **fields) -> bytes:
    return f.udp(fresh(), data=bytes(range(256))[:size - 8], **fields)


def all_pass(frames: Sequence[bytes]) -> list[Sent]:
    return [passed(one) for one in frames]


def all_drop(reason: str, frames: Sequence[bytes]) -> list[Sent]:
    return [dropped(reason, one) for one in frames]


def whole(f: Family) -> Iterator[Case]:
    norm = "RFC 791 3.2; RFC 8200 4.5; RFC 4787 11"
    yield story("fragments-in-order", norm, *all_pass(pieces(f, 17, datagram(f), [16])),
                *all_pass(pieces(f, 17, datagram(f), [8, 16, 24, 32])))
    first, second, third, fourth = pieces(f, 17, datagram(f), [16, 32, 48])
    yield story("fragments-out-of-order", norm, *all_pass(pieces(f, 17, datagram(f), [16])[::-1]),
                *all_pass([third, first, fourth, second]))
    one, two = pieces(f, 17, datagram(f), [32]), pieces(f, 17, datagram(f), [32])
    yield story("fragments-of-two-datagrams", norm, *all_pass([one[0], two[1], two[0], one[1]]))
    yield story("fragments-of-tcp", norm, *all_pass(pieces(f, 6, f.tcp(fresh(), data=bytes(40)), [24, 48])))
    yield story("fragments-of-echo", norm, *all_pass(pieces(f, f.icmp, f.message(
        8 if f is V4 else 128, rest=fresh() << 16, data=bytes(3000)), [1400, 2800])))
    yield story("fragments-of-gre", norm, *all_pass(pieces(f, 47, struct.pack("!HH", 0, 0x800) + bytes(60), [32])))
    first, second = pieces(f, 17, datagram(f), [32])
    yield story("fragment-duplicate", A + "RFC 8200 4.5: an exact copy", passed(first),
                dropped("fragment-duplicate", first), passed(second))


def invalid(f: Family) -> Iterator[Case]:
    def alone(protocol: int, payload: bytes, offset: int, more: bool) -> bytes:
        return piece(f, fresh(), protocol, payload, offset, more)

    yield drop("fragment-tiny", A + "RFC 1858 3; RFC 3128; RFC 7112 5", "fragment-invalid",
               *(alone(6, bytes(n), 0, True) for n in (8, 16)), alone(6, bytes(40), 8, True),
               alone(6, bytes(40), 8, False), alone(132, bytes(8), 0, True))
    yield drop("fragment-uneven", A + "RFC 791 3.2; RFC 8200 4.5", "fragment-invalid",
               *(alone(17, bytes(n), 0, True) for n in (9, 15, 21)), alone(17, bytes(13), 64, True))
    yield drop("fragment-empty", A + "RFC 8200 4.5", "fragment-invalid", alone(17, b"", 64, True),
               alone(17, b"", 64, False), alone(17, b"", 0, True))
    yield drop("fragment-beyond-65535", A + "CERT CA-1996-26; RFC 8200 4.5", "fragment-invalid",
               alone(f.icmp, bytes(100), 65528, False), alone(17, bytes(1480), 64800, False),
               alone(17, bytes(16), 65528, True))


def overlapping(f: Family) -> Iterator[Case]:
    norm = A + "RFC 5722 4; RFC 1858 4; RFC 8200 4.5"
    reason = "fragment-overlap"

    def made(*parts: tuple[int, int, bool], late: int = 0) -> list[bytes]:
        """Of (offset, length, more): what their bytes are differs, so that no two are copies."""
        ident, whole_ = fresh(), datagram(f, 128)
        return [piece(f, ident, 17, whole_[a:a + n - 1] + bytes([at]), a, more)
                for at, (a, n, more) in enumerate(parts)]

    stories = {
        "teardrop": made((0, 40, True), (24, 20, False)),
        "inside": made((0, 64, True), (16, 16, True), (64, 64, False)),
        "around": made((16, 16, True), (0, 64, True), (64, 64, False)),
        "by-one-unit": made((0, 32, True), (24, 32, True), (56, 72, False)),
        "same-place-other-bytes": made((0, 32, True), (0, 32, True), (32, 96, False)),
        "two-ends": made((32, 32, False), (64, 64, False)),
        "behind-the-end": made((32, 32, False), (64, 64, True)),
        "last-before-others": made((64, 64, True), (32, 32, False)),
    }
    for name, frames in stories.items():
        yield story(f"fragments-overlap-{name}", norm, *all_drop(reason, frames))
    ident, payload = fresh(), datagram(f, 128)
    yield story("fragments-after-an-overlap", norm + ": the whole datagram, also what follows", *all_drop(reason, [
        piece(f, ident, 17, payload[:32], 0, True), piece(f, ident, 17, payload[24:56], 24, True),
        piece(f, ident, 17, payload[32:], 32, False), piece(f, ident, 17, payload[:32], 0, True)]))


def judged(f: Family) -> Iterator[Case]:
    ends = {"destination": f.portal}
    udp = f.udp(fresh(), destination=f.portal, data=bytes(56))
    yield story("fragments-by-the-rules", "policy.md 3: judged with its datagram's ports",
                *all_drop("default-deny", pieces(f, 17, udp, [32], **ends)))
    yield story("fragments-of-flag-nonsense", A + "RFC 9293 3.10", *all_drop("tcp-flags", pieces(
        f, 6, f.tcp(fresh(), flags=p.SYN | p.FIN, data=bytes(40)), [32])))
    yield story("fragments-of-tcp-middle", "GB/T 20281 6.1", *all_drop("tcp-no-state", pieces(
        f, 6, f.tcp(fresh(), flags=p.ACK, ack=1, data=bytes(40)), [32])))
    yield story("fragments-of-a-wrong-length", A + "RFC 768", *all_drop("udp-length", pieces(
        f, 17, f.udp(fresh(), data=bytes(56), length=65), [32])))
    # The first is small, so that it alone would fit.
    yield story("fragments-larger-than-the-out-port", "RFC 1191 4; RFC 8200 5", *all_drop("too-big", pieces(
        f, 17, f.udp(fresh(), destination=f.branch, data=bytes(1700)), [64], destination=f.branch)))
    source = "127.0.0.1" if f is V4 else "::1"
    yield story("fragments-of-a-bad-source", "FFW_RUL_EXT.1.6 e", *all_drop("source-loopback", pieces(
        f, 17, datagram(f), [32], source=source)))


def incomplete(f: Family) -> Iterator[Case]:
    wait = 31 if f is V4 else 61
    norm = B + ("RFC 791 3.2; RFC 1122 3.3.2" if f is V4 else "RFC 8200 4.5: 60 s")
    for name, kept in (("first", slice(1, None)), ("last", slice(0, -1)), ("middle", slice(0, None, 2))):
        frames = pieces(f, 17, datagram(f), [16, 32])[kept]
        yield story(f"fragments-without-{name}", norm, *all_drop("fragment-incomplete", frames),
                    passed(f.syn(), wait=wait))
    first, second = pieces(f, 17, datagram(f), [32])
    yield story("fragment-too-late", norm, dropped("fragment-incomplete", first),
                dropped("fragment-incomplete", second, wait=wait), passed(f.syn(), wait=2 * wait))


def ipv6() -> Iterator[Case]:
    def chained(*extensions: p.Extension, payload: bytes) -> bytes:
        number, wire = p.chain(extensions, 6, payload)
        return frame(V6.packet(number, wire))

    options = p.options_header(p.DESTINATION)
    ident, segment = fresh(), V6.tcp(fresh(), data=bytes(44))
    yield story("ip6-fragments-behind-options", "RFC 8200 4.5",
                *all_pass([chained(options, p.fragment_header(0, True, ident), payload=segment[:32]),
                           chained(options, p.fragment_header(32, False, ident), payload=segment[32:])]))
    cut = p.options_header(p.DESTINATION, length=30)
    yield drop("ip6-first-fragment-without-the-chain", "FFW_RUL_EXT.1.6 i; RFC 7112 5", "fragment-invalid",
               chained(p.fragment_header(0, True, fresh()), cut, payload=bytes(64)),
               chained(p.fragment_header(0, True, fresh()), options, payload=bytes(8)),
               chained(p.fragment_header(0, True, fresh()), *[options] * 5, payload=b""))
    yield story("ip6-atomic-fragments", "RFC 6946: whole by itself",
                *all_pass([chained(p.fragment_header(0, False, 1), payload=V6.tcp(fresh())) for _ in range(2)]))
    nd = p.neighbour_solicitation(V6.office, V6.server, V6.server, "02:00:00:00:01:10")
    yield drop("ip6-neighbour-discovery-in-fragments", "RFC 6980 5", "icmp-invalid",
               *(frame(V6.packet(44, p.chain([p.fragment_header(at, more, 9)], 58, part)[1], hop_limit=255))
                 for at, more, part in ((0, False, nd), (0, True, nd[:24]), (24, False, nd[24:]))))
