"""Translation at the boundary: each packet that passes, and byte for byte what it leaves as."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Callable, Iterator

from .case import V4, V6, Case, Family, Sent, drop, dropped, frame, fresh, p, story

SYN, ACK, FIN, RST, PSH = p.SYN, p.ACK, p.FIN, p.RST, p.PSH
POOL = "192.0.2.1"
PUBLIC = {4: "192.0.2.16", 6: "2001:db8:e:1::16"}
WEB = {4: "203.0.113.20", 6: "2001:db8:d::20"}
HUB = "10.7.0.10"
AGENCY = ("10.1.0.10", "10.200.1.10")
INNER, OUTER = IPv6Network("2001:db8:1::/64"), IPv6Network("2001:db8:e::/64")


@dataclass(frozen=True)
class Ends:
    """Who a packet is from and for, and the port it crosses."""

    port: str
    source: str
    source_port: int
    destination: str
    destination_port: int

    def turned(self, port: str) -> "Ends":
        return Ends(port, self.destination, self.destination_port, self.source, self.source_port)


Build = Callable[[str, str, int, int], bytes]


def packet(f: Family, protocol: int, ends: Ends, build: Build, left: int = 64, **header) -> bytes:
    payload = build(ends.source, ends.destination, ends.source_port, ends.destination_port)
    return f.packet(protocol, payload, ends.source, ends.destination, **{"ttl" if f is V4 else "hop_limit": left},
                    **header)


def crosses(f: Family, protocol: int, ends: Ends, out: Ends, build: Build, **header) -> Sent:
    """Comes in with the one ends, leaves with the others, and is what its sender would have made so."""
    return Sent(frame(packet(f, protocol, ends, build, **header), ends.port), "forward", "allowed", out.port, ends.port,
                becomes=packet(f, protocol, out, build, 63, **header))


def refused(f: Family, protocol: int, ends: Ends, build: Build, reason: str, **header) -> Sent:
    return dropped(reason, frame(packet(f, protocol, ends, build, **header), ends.port), ends.port)


def segment(seq: int, ack: int, flags: int, data: bytes = b"", **fields) -> Build:
    return lambda source, destination, sport, dport: p.tcp(source, destination, sport, dport, seq, ack, flags, data,
                                                          **fields)


def datagram(data: bytes = b"data", **fields) -> Build:
    return lambda source, destination, sport, dport: p.udp(source, destination, sport, dport, data, **fields)


def echo(reply: bool = False) -> Build:
    """An echo's identifier stands in for its port."""
    return lambda source, destination, sport, dport: p.icmp_echo(dport if reply else sport, 1, b"payload.", reply=reply)


def outside6(address: str) -> str:
    """RFC 6296 3.5: another prefix, and what that changes in the sum taken back behind it."""
    words = [int.from_bytes(IPv6Address(address).packed[n:n + 2], "big") for n in range(0, 16, 2)]

    def total(net: IPv6Network) -> int:
        return sum(int.from_bytes(net.network_address.packed[n:n + 2], "big") for n in range(0, 8, 2))

    words[:4] = [int.from_bytes(OUTER.network_address.packed[n:n + 2], "big") for n in range(0, 8, 2)]
    words[4] = (words[4] + total(INNER) - total(OUTER)) % 0xFFFF
    return str(IPv6Address(b"".join(word.to_bytes(2, "big") for word in words)))


def cases() -> Iterator[Case]:
    for f in (V4, V6):
        for case in published(f):
            yield Case(f"{case.name}-v{f.number}", case.norm, case.sent)
    yield from published4()
    yield from egress4()
    yield from egress6()
    yield from translated()
    yield from nobodys()


def published(f: Family) -> Iterator[Case]:
    def ends() -> tuple[Ends, Ends, Ends, Ends]:
        asked = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], 443)
        inner = Ends("dmz", f.stranger, asked.source_port, WEB[f.number], 8443)
        return asked, inner, inner.turned("dmz"), asked.turned("internet")

    asked, inner, answer, outer = ends()
    yield story("publish-tcp", "RFC 2663 4.2; RFC 5382 REQ-1", crosses(f, 6, asked, inner, segment(1, 0, SYN)),
                crosses(f, 6, answer, outer, segment(9, 2, SYN | ACK)),
                crosses(f, 6, asked, inner, segment(2, 10, ACK | PSH, b"GET /")),
                crosses(f, 6, answer, outer, segment(10, 7, ACK | PSH, b"an odd one")),
                crosses(f, 6, answer, outer, segment(20, 7, ACK | FIN)),
                crosses(f, 6, asked, inner, segment(7, 21, ACK | FIN)),
                crosses(f, 6, answer, outer, segment(21, 8, ACK)),
                refused(f, 6, answer, segment(21, 8, ACK), "tcp-no-state"),
                refused(f, 6, asked, segment(8, 21, ACK), "tcp-no-state"))
    asked, inner, answer, outer = ends()
    yield story("publish-tcp-outside-window", "RFC 9293 3.10.7.4; RFC 5382 REQ-2", crosses(
        f, 6, asked, inner, segment(1, 0, SYN)), crosses(f, 6, answer, outer, segment(9, 2, SYN | ACK)),
        refused(f, 6, asked, segment(1 << 30, 10, ACK | PSH, b"far"), "tcp-window"),
        refused(f, 6, answer, segment(1 << 30, 2, RST), "tcp-window"),
        crosses(f, 6, asked, inner, segment(2, 10, ACK | PSH, b"here")))
    asked, inner, answer, outer = ends()
    yield story("publish-wrong-checksum", "RFC 1624 3; RFC 3022 4.2: what was wrong stays wrong",
                wrong_stays_wrong(f, asked, inner))
    asked, inner, answer, outer = ends()
    unreachable, code = (3, 4) if f is V4 else (2, 0)
    narrow = 1300
    yield story("publish-error-from-outside", "RFC 5508 REQ-4", crosses(f, 6, asked, inner, segment(1, 0, SYN)),
                crosses(f, 6, answer, outer, segment(9, 2, SYN | ACK)),
                error(f, unreachable, code, narrow, Ends("internet", f.routers["internet"][:-1] + "77", 0,
                                                         PUBLIC[f.number], 0), outer, segment(9, 2, SYN | ACK),
                      Ends("dmz", f.routers["internet"][:-1] + "77", 0, WEB[f.number], 0), answer))
    asked, inner, answer, outer = ends()
    yield story("publish-error-from-inside", "RFC 5508 REQ-5: nobody inside is shown",
                crosses(f, 6, asked, inner, segment(1, 0, SYN)),
                error(f, 3 if f is V4 else 1, 3 if f is V4 else 4, 0,
                      Ends("dmz", WEB[f.number], 0, f.stranger, 0), inner, segment(1, 0, SYN),
                      Ends("internet", PUBLIC[f.number], 0, f.stranger, 0), asked))
    asked, inner, answer, outer = ends()
    reply = packet(f, 6, outer, segment(9, 2, SYN | ACK))
    word = f.message(unreachable, code, narrow, reply[:200], f.stranger, PUBLIC[f.number])
    yield story("publish-error-in-fragments", "RFC 5508 REQ-4; RFC 1812 4.3.2.3: no error is as long", crosses(
        f, 6, asked, inner, segment(1, 0, SYN)), crosses(f, 6, answer, outer, segment(9, 2, SYN | ACK)), *(
            dropped("nat-untranslatable", piece, "internet") for piece in pieces(
                f, f.icmp, word, 32, f.stranger, PUBLIC[f.number], "internet")))
    yield story("publish-of-oneself", "CERT CA-1997-28: what would come back as its own", *(refused(
        f, 6, Ends("dmz", WEB[f.number], port, PUBLIC[f.number], 443), segment(1, 0, SYN), "land")
        for port in (fresh(), 8443)))
    yield drop("publish-other-port", "policy.md 6", "nat-unsolicited", *(
        frame(packet(f, protocol, Ends("internet", f.stranger, fresh(), PUBLIC[f.number], port), build), "internet")
        for protocol, port, build in ((6, 80, segment(1, 0, SYN)), (17, 443, datagram()),
                                      (6, 8443, segment(1, 0, SYN)))),
        port="internet")
    yield story("publish-inside-address", "policy.md 6: by its public address alone", refused(
        f, 6, Ends("internet", f.stranger, fresh(), WEB[f.number], 8443), segment(1, 0, SYN), "internet-isolated"))
    yield story("public-address-as-source", "RFC 2827 3; RFC 3704 2", *(refused(
        f, 6, Ends(port, source, fresh(), to, 443), segment(1, 0, SYN), "spoofed") for port, to, source in (
            ("internet", WEB[f.number], PUBLIC[f.number]), ("lan", WEB[f.number], PUBLIC[f.number]),
            ("internet", WEB[f.number], POOL if f is V4 else "2001:db8:e::10"))))


def pieces(f: Family, protocol: int, payload: bytes, cut: int, source: str, destination: str, port: str) -> list[bytes]:
    """Two fragments, cut before byte `cut`."""
    if f is V4:
        made = p.ipv4_fragments(source, destination, protocol, payload, [cut], ident=fresh())
    else:
        ident, made = fresh(), []
        for at, more, part in ((0, True, payload[:cut]), (cut, False, payload[cut:])):
            number, wire = p.chain([p.fragment_header(at, more, ident)], protocol, part)
            made.append(p.ipv6(source, destination, number, wire))
    return [frame(one, port) for one in made]


def wrong_stays_wrong(f: Family, asked: Ends, inner: Ends) -> Sent:
    """By as much as it was wrong: whoever it is for finds out as if nobody stood between."""
    by = 0x1234

    def spoilt(source: str, destination: str, sport: int, dport: int) -> bytes:
        good = p.tcp(source, destination, sport, dport, 1, 0, SYN)
        check = (int.from_bytes(good[16:18], "big") + by) % 0xFFFF
        return good[:16] + check.to_bytes(2, "big") + good[18:]

    return crosses(f, 6, asked, inner, spoilt)


def error(f: Family, kind: int, code: int, rest: int, ends: Ends, quoted: Ends, build: Build, out: Ends,
          quoted_out: Ends) -> Sent:
    """An ICMP error that quotes a packet as the one side knows it, and leaves quoting it as the other does."""
    def told(about: Ends) -> Build:
        whole = packet(f, 6, about, build, 61)
        return lambda source, destination, _, __: f.message(kind, code, rest, whole, source=source,
                                                            destination=destination)

    came, left = packet(f, f.icmp, ends, told(quoted)), packet(f, f.icmp, out, told(quoted_out), 63)
    return Sent(frame(came, ends.port), "forward", "allowed", out.port, ends.port, becomes=left)


def published4() -> Iterator[Case]:
    f, public = V4, PUBLIC[4]

    def ends() -> tuple[Ends, Ends]:
        asked = Ends("internet", f.stranger, fresh(), public, 5353)
        return asked, Ends("dmz", f.stranger, asked.source_port, WEB[4], 53)

    asked, inner = ends()
    yield story("publish-udp", "RFC 3022 4.1; RFC 4787 REQ-1", crosses(f, 17, asked, inner, datagram()), crosses(
        f, 17, inner.turned("dmz"), asked.turned("internet"), datagram(b"answer")))
    asked, inner = ends()
    yield story("publish-udp-without-checksum", "RFC 768; RFC 3022 4.1: zero stays zero", crosses(
        f, 17, asked, inner, datagram(datagram_checksum=0)), crosses(
            f, 17, inner.turned("dmz"), asked.turned("internet"), datagram(b"answer", datagram_checksum=0)))
    ident = fresh()
    asked = Ends("internet", f.stranger, ident, "192.0.2.17", ident)
    inner = Ends("dmz", f.stranger, ident, WEB[4], ident)
    yield story("publish-echo", "RFC 5508 REQ-1", crosses(f, 1, asked, inner, echo()),
                crosses(f, 1, inner.turned("dmz"), asked.turned("internet"), echo(reply=True)))


def egress4() -> Iterator[Case]:
    """The port outside is nobody's to foresee (RFC 6056); all else is compared."""
    f = V4
    norms = {6: "RFC 5382 REQ-1; RFC 3022 4.1", 17: "RFC 4787 REQ-1; RFC 3022 4.1", 1: "RFC 5508 REQ-1"}
    for protocol, name, build in ((6, "tcp", segment(1, 0, SYN)), (17, "udp", datagram()),
                                  (17, "udp-without-checksum", datagram(datagram_checksum=0)), (1, "echo", echo())):
        leaves = Ends("lan", f.office, fresh(), f.stranger, 443)
        yield story(f"egress-{name}", norms[protocol], crosses(
            f, protocol, leaves, Ends("internet", POOL, 0, f.stranger, 443), build))
    yield drop("egress-without-ports", "RFC 3022 4.1: TCP, UDP and queries alone", "nat-untranslatable", *(
        frame(f.packet(protocol, payload, f.office, f.stranger)) for protocol, payload in (
            (47, bytes(8)), (50, bytes(16)), (132, p.sctp(fresh(), 443, 0, p.sctp_chunk(1, 0, bytes(16)))))))
    yield story("egress-does-not-cover", "policy.md 4: egress", refused(
        f, 6, Ends("lan", "10.1.4.10", fresh(), f.stranger, 443), segment(1, 0, SYN), "internet-isolated"))
    yield drop("egress-unsolicited", "RFC 5382 REQ-4; RFC 4787 REQ-8", "nat-unsolicited", *(frame(f.packet(
        protocol, payload, f.stranger, POOL), "internet") for protocol, payload in (
            (6, p.tcp(f.stranger, POOL, 443, 3, 1, 0, SYN)), (17, p.udp(f.stranger, POOL, 443, 3, b"unasked")),
            (1, p.icmp_echo(fresh(), 1, b"unasked")), (47, bytes(8)), (50, bytes(16)))), port="internet")
    quoted = p.ipv4(POOL, f.stranger, 17, p.udp(POOL, f.stranger, 3, 53, b"never sent"))
    yield drop("egress-error-unsolicited", "RFC 5508 REQ-4", "icmp-unsolicited", frame(f.packet(1, p.icmp_error(
        3, 3, quoted), f.stranger, POOL), "internet"), port="internet")


def egress6() -> Iterator[Case]:
    f, outer = V6, outside6(V6.office)
    norm = "RFC 6296 3.1, 3.5"
    for protocol, name, build, back in ((6, "tcp", segment(1, 0, SYN), segment(9, 2, SYN | ACK)),
                                        (17, "udp", datagram(), datagram(b"answer"))):
        leaves = Ends("lan", f.office, fresh(), f.stranger, 443)
        seen = Ends("internet", outer, leaves.source_port, f.stranger, 443)
        yield story(f"prefix-{name}", norm, crosses(f, protocol, leaves, seen, build),
                    crosses(f, protocol, seen.turned("internet"), leaves.turned("lan"), back))
    leaves = Ends("lan", f.office, fresh(), f.stranger, 443)
    seen = Ends("internet", outer, leaves.source_port, f.stranger, 443)
    yield story("prefix-error", "RFC 6296 5.4; RFC 4443 3.2", crosses(f, 6, leaves, seen, segment(1, 0, SYN)),
                error(f, 2, 0, 1280, Ends("internet", "2001:db8:f::77", 0, outer, 0), seen, segment(1, 0, SYN),
                      Ends("lan", "2001:db8:f::77", 0, f.office, 0), leaves))
    yield story("prefix-any-protocol", "RFC 6296 4.1: no ports are needed", Sent(
        frame(f.packet(50, bytes(16), f.office, f.stranger)), "forward", "allowed", "internet",
        becomes=f.packet(50, bytes(16), outer, f.stranger, hop_limit=63)))
    yield drop("prefix-unsolicited", "RFC 6092 3.1; RFC 4864 4.2", "nat-unsolicited", *(frame(packet(
        f, protocol, Ends("internet", f.stranger, fresh(), outer, 443), build), "internet") for protocol, build in (
            (6, segment(1, 0, SYN)), (17, datagram()))), port="internet")


def translated() -> Iterator[Case]:
    f, (agency, outer) = V4, AGENCY
    leaves = Ends("vpn", agency, fresh(), HUB, 443)
    seen = Ends("exchange", outer, leaves.source_port, HUB, 443)
    yield story("translate-out", "RFC 3022 2.1", crosses(f, 6, leaves, seen, segment(1, 0, SYN)),
                crosses(f, 6, seen.turned("exchange"), leaves.turned("vpn"), segment(9, 2, SYN | ACK)),
                crosses(f, 6, leaves, seen, segment(2, 10, ACK | PSH, b"request")))
    asks = Ends("exchange", HUB, fresh(), outer, 443)
    asked = Ends("vpn", HUB, asks.source_port, agency, 443)
    yield story("translate-in", "RFC 2663 4.2", crosses(f, 6, asks, asked, segment(1, 0, SYN)),
                crosses(f, 6, asked.turned("vpn"), asks.turned("exchange"), segment(9, 2, SYN | ACK)))
    ident = fresh()
    leaves, seen = Ends("vpn", agency, ident, HUB, ident), Ends("exchange", outer, ident, HUB, ident)
    yield story("translate-echo", "RFC 5508 REQ-1", crosses(f, 1, leaves, seen, echo()),
                crosses(f, 1, seen.turned("exchange"), leaves.turned("vpn"), echo(reply=True)))
    yield story("translate-does-not-cover", "policy.md 4, 6", refused(
        f, 6, Ends("vpn", "10.1.5.10", fresh(), HUB, 443), segment(1, 0, SYN), "zone-isolated"))


def nobodys() -> Iterator[Case]:
    """One address in two spaces: what the one opened lets nothing of the other by."""
    f, (agency, outer) = V4, AGENCY
    port = fresh()
    one, seen = Ends("lan", f.office, port, f.stranger, 443), Ends("internet", POOL, 0, f.stranger, 443)
    other, hub = Ends("vpn", agency, port, HUB, 443), Ends("exchange", outer, port, HUB, 443)
    assert f.office == agency
    yield story("spaces-apart", "policy.md 6: address spaces", crosses(f, 6, one, seen, segment(1, 0, SYN)),
                crosses(f, 6, other, hub, segment(1, 0, SYN)),
                crosses(f, 6, hub.turned("exchange"), other.turned("vpn"), segment(9, 2, SYN | ACK)),
                refused(f, 6, Ends("vpn", agency, port, f.stranger, 443), segment(1, 0, SYN), "no-route"))
