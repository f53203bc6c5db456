"""ICMP and ICMPv6: every type, malformed and unasked."""

from __future__ import annotations

from typing import Iterator

from .case import V4, V6, Case, Family, both, drop, frame, fresh, p, passed, passes, story

I_ = "FFW_RUL_EXT.1.6 i; "


def cases() -> Iterator[Case]:
    yield from both(of_family)()
    yield from both(errors)()
    yield from types4()
    yield from types6()


def sent(f: Family, kind: int, code: int = 0, data: bytes = bytes(28), **fields) -> bytes:
    return frame(f.packet(f.icmp, f.message(kind, code, fresh() << 16, data, **fields)))


def of_family(f: Family) -> Iterator[Case]:
    echo = 8 if f is V4 else 128
    ident = fresh()
    back = frame(f.packet(f.icmp, f.echo(ident, True, f.server, f.office), f.server, f.office), "wan")
    yield story("echo-and-reply", "FFW_RUL_EXT.1.5; RFC 5508 3.1", passed(frame(f.packet(f.icmp, f.echo(ident)))),
                passed(back, "lan", "wan"))
    whole = f.message(echo, data=b"")
    yield drop("icmp-cut", I_ + "RFC 792; RFC 4443 2.1", "transport-truncated",
               *(frame(f.packet(f.icmp, whole[:n])) for n in (0, 1, 4, 7)))
    yield drop("echo-code", I_ + "RFC 792; RFC 4443 4.1", "icmp-invalid", *(sent(f, echo, n) for n in (1, 7, 255)))
    reply = f.echo(fresh(), True)
    yield drop("echo-reply-unasked", "FFW_RUL_EXT.1.5; RFC 5508 3", "icmp-unsolicited", frame(f.packet(f.icmp, reply)),
               frame(f.packet(f.icmp, f.echo(fresh(), True, f.server, f.office), f.server, f.office), "wan"))
    large = f.message(echo, rest=fresh() << 16, data=bytes(1400))
    yield passes("echo-large", "RFC 792; RFC 4443 4.1", frame(f.packet(f.icmp, large)))


def quoting(f: Family, kind: int, code: int, quoted: bytes, rest: int = 0) -> bytes:
    return frame(f.packet(f.icmp, f.message(kind, code, rest, quoted)))


def errors(f: Family) -> Iterator[Case]:
    unreachable = 3 if f is V4 else 1
    unknown = f.packet(17, f.udp(fresh(), source=f.server, destination=f.office), f.server, f.office)
    kinds = ((3, 1), (3, 3), (3, 4), (11, 0), (11, 1), (12, 0), (4, 0)) if f is V4 else \
        ((1, 0), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2))
    yield drop("error-about-no-flow", "RFC 5508 4; RFC 4890 4.3.1", "icmp-unsolicited",
               *(quoting(f, kind, code, unknown, 1400) for kind, code in kinds))
    cuts = (0, 1, 19, 20, 27) if f is V4 else (0, 1, 39, 40, 47)
    bad = [quoting(f, unreachable, 1, unknown[:n]) for n in cuts]
    other = p.ipv6(V6.server, V6.office, 17, b"") if f is V4 else p.ipv4(V4.server, V4.office, 17, b"")
    bad.append(quoting(f, unreachable, 1, other + bytes(40)))
    bad.append(quoting(f, unreachable, 1, f.packet(f.icmp, f.message(
        unreachable, 1, data=unknown[:48], source=f.server, destination=f.office), f.server, f.office)))
    bad.append(quoting(f, unreachable, 1, shorter_than_its_headers(f)))
    yield drop("error-quotes-malformed", I_ + "RFC 1122 3.2.2; RFC 4443 2.4", "icmp-invalid", *bad)
    about = f.tcp(port := fresh(), source=f.office)
    wrong = f.packet(6, about)
    answer = frame(f.packet(f.icmp, f.message(unreachable, 1 if f is V4 else 0, 0, wrong, f.server, f.branch),
                            f.server, f.branch), "wan")
    yield story("error-to-another-than-quoted", "RFC 5508 4.2: to the sender of what it quotes",
                passed(frame(wrong)), drop("", "", "icmp-unsolicited", answer, port="wan").sent[0])
    good = f.packet(6, f.tcp(port + 0, seq=1000))
    word = f.message(unreachable, 1 if f is V4 else 0, 0, good, f.server, f.office)
    yield story("error-about-a-flow", "RFC 5508 4; RFC 4890 4.3.1", passed(frame(good)),
                passed(frame(f.packet(f.icmp, word, f.server, f.office), "wan"), "lan", "wan"))


def shorter_than_its_headers(f: Family) -> bytes:
    if f is V4:
        return p.ipv4(V4.office, V4.server, 47, bytes(40), total_length=16)
    number, wire = p.chain([p.options_header(p.DESTINATION)], 47, bytes(40))
    return p.ipv6(V6.office, V6.server, number, wire, payload_length=4)


def types4() -> Iterator[Case]:
    known = {0, 3, 4, 8, 11, 12, 13, 14, 15, 16}
    yield drop("icmp4-every-other-type", "RFC 6918; RFC 7279: answers nothing asked", "icmp-unsolicited",
               *(sent(V4, kind) for kind in range(256) if kind not in known))
    yield drop("icmp4-redirect", "RFC 792: for a host of this link only", "icmp-unsolicited",
               *(quoting(V4, 5, code, V4.packet(17, V4.udp(fresh())), 0x0A010001) for code in range(4)))
    yield drop("icmp4-replies-unasked", "RFC 5508 3", "icmp-unsolicited", *(sent(V4, kind) for kind in (0, 14, 16)))
    yield drop("icmp4-codes", I_ + "RFC 792; RFC 1812 5.2.7", "icmp-invalid", sent(V4, 3, 16), sent(V4, 3, 255),
               sent(V4, 4, 1), sent(V4, 11, 2), sent(V4, 12, 3), sent(V4, 13, 1), sent(V4, 15, 1))
    yield drop("icmp4-timestamp-cut", I_ + "RFC 792", "icmp-invalid", sent(V4, 13, data=bytes(11)),
               sent(V4, 14, data=b""))
    yield passes("icmp4-queries", "RFC 792: by policy", sent(V4, 8), sent(V4, 13, data=bytes(12)), sent(V4, 15))


def types6() -> Iterator[Case]:
    known = {1, 2, 3, 4, 128, 129, 133, 134, 135, 136, 137}
    yield drop("icmp6-every-other-type", "RFC 4890 4.3.4, 4.3.5, 4.4", "icmp-unsolicited",
               *(sent(V6, kind) for kind in range(256) if kind not in known))
    yield drop("icmp6-neighbour-discovery-in-transit", "RFC 4861 6.1, 7.1, 8.1; RFC 4890 4.3.3", "icmp-invalid",
               *(sent(V6, kind) for kind in range(133, 138)))
    yield drop("icmp6-codes", I_ + "RFC 4443 3, 4", "icmp-invalid", sent(V6, 1, 9), sent(V6, 1, 255), sent(V6, 3, 2),
               sent(V6, 4, 11), sent(V6, 128, 1), sent(V6, 129, 1))
    yield drop("icmp6-reply-unasked", "RFC 4890 4.3.1", "icmp-unsolicited", sent(V6, 129))
