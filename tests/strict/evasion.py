"""Evasions: what would have the gateway believe what the ends do not."""

from __future__ import annotations

import struct
from typing import Iterator

from .case import GATEWAY_MAC, V4, Case, Family, both, drop, dropped, frame, fresh, p, passed, story
from .state import ACK, FIN, PSH, RST, SYN, Connection, back, refused

NORM = "GB/T 20281 6.1 (evasion); "


def cases() -> Iterator[Case]:
    yield from both(of_family)()
    yield from both(known_flow)()


def of_family(f: Family) -> Iterator[Case]:
    ttl = "ttl" if f is V4 else "hop_limit"
    for name, flags in (("reset", RST | ACK), ("end", FIN | ACK)):
        c = Connection(f)
        yield story(f"{name}-that-does-not-arrive", NORM + "its TTL ends here, so the flow goes on", *c.opening(),
                    dropped("ttl-expired", c.stray(flags, **{ttl: 1})), passed(c.up(ACK | PSH, b"data")),
                    back(c.down(ACK)), refused("ttl-expired", c.stray_answer(flags, **{ttl: 1})),
                    back(c.down(ACK | PSH, b"data")))
    c = Connection(f)
    yield story("syn-that-does-not-arrive", NORM + "opens nothing", dropped("ttl-expired", c.stray(SYN, **{ttl: 1})),
                refused("tcp-no-state", c.stray_answer(SYN | ACK)), dropped("tcp-no-state", c.stray(ACK, b"data")))
    port = fresh()
    answer = frame(f.packet(17, p.udp(f.server, f.office, 53, port, b"x"), f.server, f.office), "wan")
    yield story("udp-that-does-not-arrive", NORM + "opens nothing",
                dropped("ttl-expired", frame(f.packet(17, f.udp(port), **{ttl: 1}))), refused("default-deny", answer))
    large = f.udp(port := fresh(), data=bytes(2000), destination=f.branch)
    yield story("udp-that-is-too-big", NORM + "opens nothing",
                dropped("too-big", frame(f.packet(17, large, destination=f.branch))),
                dropped("default-deny", frame(f.packet(17, p.udp(f.branch, f.office, 53, port, b"x"), f.branch,
                                                       f.office), "slim"), "slim"))


def known_flow(f: Family) -> Iterator[Case]:
    """What is wrong with a packet is not forgiven because its flow is known."""
    c = Connection(f)
    opening, sent = c.opening(), c.stray(ACK | PSH, b"data")
    to_all = b"\xff" * 6 + sent[6:]
    from_group = sent[:6] + b"\x03" + sent[7:]
    foreign = sent[:12] + struct.pack("!HH", 0x8100, 999) + sent[12:]
    yield story("known-flow-in-a-wrong-frame", NORM + "RFC 1812 5.3.4", *opening, dropped("frame-group", to_all),
                dropped("frame-group", from_group), dropped("vlan-unexpected", foreign), passed(sent))
    c = Connection(f)
    afar = "source-private" if f is V4 else "spoofed"
    yield story("known-flow-by-another-port", "FFW_RUL_EXT.1.7 c", *c.opening(),
                dropped(afar, c.stray(ACK, port="internet"), "internet"),
                dropped(afar, c.stray_answer(ACK, port="internet"), "internet"),
                dropped("spoofed", c.stray_answer(ACK, port="dmz"), "dmz"), passed(c.stray(ACK)))
    c = Connection(f)
    opening = c.opening()
    bad = [dropped("tcp-flags", c.stray(flags)) for flags in (0, SYN | FIN, SYN | RST, FIN, 0x3F)]
    if f is V4:
        bad += [dropped("ip-checksum", c.stray(ACK, header_checksum=1)),
                dropped("ip-option-forbidden", frame(f.packet(6, f.tcp(c.client, seq=c.sent, ack=1, flags=ACK),
                                                              options=b"\x83\x03\x04")))]
    else:
        number, wire = p.chain([p.routing_header(0, 1, [f.branch])], 6, f.tcp(c.client, seq=c.sent, ack=1, flags=ACK))
        bad += [dropped("routing-header-forbidden", frame(f.packet(number, wire)))]
    yield story("known-flow-malformed", "FFW_RUL_EXT.1.6 i", *opening, *bad, passed(c.up(ACK | PSH, b"data")))
    yield drop("own-mac-spoofed-land", "CERT CA-1997-28", "land", frame(
        f.packet(17, f.udp(fresh(), source=f.office, destination=f.office), f.office, f.office), source=GATEWAY_MAC))
