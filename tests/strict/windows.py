"""TCP by its numbers: sequence, acknowledgment, window, and the options that these hang on; and time."""

from __future__ import annotations

import struct
from typing import Iterator

from .case import Case, Family, Sent, both, drop, dropped, frame, fresh, p, passed, passes, story
from .state import ACK, FIN, PSH, RST, SYN, Connection, back, refused

WINDOW = 64240  # what both ends offer, unscaled
OUTSIDE = "tcp-window"
NORM = "FFW_RUL_EXT.1.5; RFC 9293 3.10.7.4; RFC 5961"


def cases() -> Iterator[Case]:
    yield from both(numbers)()
    yield from both(resets)()
    yield from both(offers)()
    yield from both(options)()
    yield from both(times)()


def numbers(f: Family) -> Iterator[Case]:
    c = Connection(f)
    yield story("tcp-sequence-outside", NORM, *c.opening(),
                *(dropped(OUTSIDE, c.stray(ACK, b"x", ahead=by)) for by in (WINDOW + 2, WINDOW + 9, 1 << 20, 1 << 31)),
                *(dropped(OUTSIDE, c.stray(ACK, b"x", ahead=-by)) for by in (WINDOW + 9, 1 << 20)),
                passed(c.up(ACK | PSH, b"data")))
    c = Connection(f)
    yield story("tcp-sequence-outside-of-answers", NORM, *c.opening(),
                *(refused(OUTSIDE, answer(c, ACK, ahead=by)) for by in (WINDOW + 2, 1 << 20, -(WINDOW + 9))),
                back(c.down(ACK | PSH, b"data")))
    c = Connection(f)
    yield story("tcp-acknowledges-what-was-not-sent", "RFC 5961 5; RFC 9293 3.10.7.4", *c.opening(),
                *(dropped(OUTSIDE, acknowledging(c, by)) for by in (1, 1000, 1 << 30)), passed(c.up(ACK, b"data")),
                *(refused(OUTSIDE, answer(c, ACK, ack=by)) for by in (1, 1 << 30)), back(c.down(ACK)))
    c = Connection(f)
    yield story("tcp-acknowledges-long-ago", "RFC 5961 5", *c.opening(),
                *(dropped(OUTSIDE, acknowledging(c, -by)) for by in (3 * WINDOW, 1 << 30)), passed(c.up(ACK, b"data")))
    c = Connection(f)
    opening = c.opening()
    first = c.up(ACK | PSH, b"first")
    yield story("tcp-sent-again", "RFC 9293 3.8.1", *opening, passed(first), passed(first), back(c.down(ACK)),
                passed(first), passed(c.stray(ACK, ahead=-1)), passed(c.stray(ACK, b"x", ahead=-1)))
    c = Connection(f)
    opening = c.opening()
    one, two, three = (c.up(ACK, bytes(1000)) for _ in range(3))
    yield story("tcp-out-of-order", "RFC 9293 3.10.7.4", *opening, passed(three), passed(one), passed(two),
                back(c.down(ACK)))
    c = Connection(f)
    c.sent, c.heard = 0xFFFFFFF0, 0xFFFFFFFF
    yield story("tcp-numbers-wrap", "RFC 9293 3.4", *c.opening(), *[
        passed(c.up(ACK, bytes(10))) for _ in range(4)], back(c.down(ACK, bytes(100))), passed(c.up(ACK)),
        dropped(OUTSIDE, c.stray(ACK, b"x", ahead=WINDOW + 2)))


def answer(c: Connection, flags: int, ahead: int = 0, ack: int = 0, data: bytes = b"", **fields) -> bytes:
    """From the server, but the connection does not go on by it."""
    f = c.f
    segment = p.tcp(f.server, f.office, c.port, c.client, c.heard + ahead, c.sent + ack, flags, data, **fields)
    return frame(f.packet(6, segment, f.server, f.office), "wan")


def acknowledging(c: Connection, ack: int, **fields) -> bytes:
    return frame(c.f.packet(6, c.f.tcp(c.client, c.port, c.sent, c.heard + ack, ACK, **fields)))


def resets(f: Family) -> Iterator[Case]:
    c = Connection(f)
    yield story("tcp-reset-outside-the-window", "RFC 5961 3; FFW_RUL_EXT.1.5", *c.opening(),
                *(dropped(OUTSIDE, c.stray(RST, ahead=by)) for by in (WINDOW + 2, 1 << 20, -(1 << 20))),
                *(refused(OUTSIDE, answer(c, RST, ahead=by)) for by in (WINDOW + 2, 1 << 20, -(1 << 20))),
                passed(c.up(ACK | PSH, b"data")), back(c.down(ACK)))
    c = Connection(f)
    yield story("tcp-reset-that-is-challenged", "RFC 5961 3.2", *c.opening(), back(answer(c, RST, ahead=1000)),
                passed(c.up(ACK)), back(c.down(ACK | PSH, b"data")), passed(c.up(ACK)))
    c = Connection(f)
    yield story("tcp-refused", "RFC 9293 3.5.3", passed(c.up(SYN)), back(answer(c, RST | ACK)),
                dropped("tcp-no-state", c.stray(ACK)))
    c = Connection(f)
    yield story("tcp-refused-by-a-stranger", "RFC 5961 3: a reset must acknowledge the SYN", passed(c.up(SYN)),
                refused(OUTSIDE, answer(c, RST | ACK, ack=5)), back(c.down(SYN | ACK)), passed(c.up(ACK)))
    c = Connection(f)
    yield story("tcp-answered-by-a-stranger", "RFC 9293 3.10.7.4: as the first answer did", passed(c.up(SYN)),
                back(c.down(SYN | ACK)), refused(OUTSIDE, answer(c, SYN | ACK, ack=5)), passed(c.up(ACK)))
    c = Connection(f)
    yield story("tcp-syn-in-a-connection", "RFC 5961 4: for the responder to challenge", *c.opening(),
                passed(c.stray(SYN, ahead=5000)), back(c.down(ACK)), passed(c.up(ACK | PSH, b"data")))
    c = Connection(f)
    yield story("tcp-reset-and-syn-by-a-stranger", "RFC 5961 3, 4: neither is certain, so neither ends it",
                *c.opening(), passed(c.stray(RST, ahead=1000)), passed(c.stray(SYN, ahead=77_777)), back(c.down(ACK)),
                passed(c.up(ACK | PSH, b"data")), back(c.down(ACK | PSH, b"data")))
    c = Connection(f)
    yield story("tcp-end-outside-the-window", NORM, *c.opening(), dropped(OUTSIDE, c.stray(FIN | ACK, ahead=1 << 20)),
                passed(c.up(ACK | PSH, b"data")))


def offers(f: Family) -> Iterator[Case]:
    scale = b"\x03\x03\x07\x01"
    c = Connection(f)
    yield story("tcp-window-scale", "RFC 7323 2", passed(c.up(SYN, options=scale)),
                back(c.down(SYN | ACK, options=scale)), passed(c.up(ACK, window=1000)),
                back(c.down(ACK, window=1000)), passed(c.stray(ACK, b"x", ahead=120000)),
                dropped(OUTSIDE, c.stray(ACK, b"x", ahead=(1 << 23) + 9)))
    c = Connection(f)
    yield story("tcp-window-scale-of-one-side", "RFC 7323 2.2: of both or of none", passed(c.up(SYN, options=scale)),
                back(c.down(SYN | ACK)), passed(c.up(ACK, window=1000)),
                dropped(OUTSIDE, c.stray(ACK, b"x", ahead=120000)))
    c = Connection(f)
    yield story("tcp-window-closed", "RFC 9293 3.8.6.1: probes", passed(c.up(SYN)), back(c.down(SYN | ACK, window=0)),
                passed(c.up(ACK)), passed(c.stray(ACK, b"x")), dropped(OUTSIDE, c.stray(ACK, b"x", ahead=2)),
                back(c.down(ACK, window=100)), passed(c.up(ACK, bytes(100))),
                dropped(OUTSIDE, c.stray(ACK, b"x", ahead=2)))
    c = Connection(f)
    opening = c.opening()
    sack = struct.pack("!BBBBII", 1, 1, 5, 10, c.sent + 100, c.sent + 200)
    wrong = struct.pack("!BBBBII", 1, 1, 5, 10, c.sent + 5000, c.sent + 6000)
    yield story("tcp-selective-acknowledgment", "RFC 2018 3, 4", *opening, passed(c.stray(ACK, bytes(100), ahead=100)),
                back(answer(c, ACK, options=sack)), refused(OUTSIDE, answer(c, ACK, options=wrong)),
                passed(c.up(ACK, bytes(200))), back(c.down(ACK)))


def options(f: Family) -> Iterator[Case]:
    def syn(wire: bytes) -> bytes:
        return frame(f.packet(6, f.tcp(fresh(), options=wire)))

    bad = (b"\x02\0\0\0", b"\x02\x01\0\0", b"\x02\x03\x05\0", b"\x02\x28\x05\xb4", b"\x01\x01\x01\x02",
           b"\x03\x04\x07\0", b"\x04\x03\0\0", b"\x08\x09" + bytes(7) + b"\x01\x01\x01")
    yield drop("tcp-option-malformed", "FFW_RUL_EXT.1.6 i; RFC 9293 3.2", "tcp-option", *(syn(wire) for wire in bad))
    yield passes("tcp-options-end", "RFC 9293 3.2: nothing behind the end is read", syn(b"\0\x02\0\0"))


def times(f: Family) -> Iterator[Case]:
    c = Connection(f)
    yield story("tcp-established-for-two-hours", "RFC 5382 5: not under 2 h 4 min", *c.opening(),
                later(passed(c.up(ACK | PSH, b"data")), 7430), later(dropped("tcp-no-state", c.stray(ACK)), 90000))
    c = Connection(f)
    yield story("tcp-half-open-for-long", "FFW_RUL_EXT.1.10; RFC 5382 5", passed(c.up(SYN)),
                later(refused("tcp-no-state", answer(c, SYN | ACK)), 400))
    port = fresh()

    def udp(there: bool) -> Sent:
        if there:
            return passed(frame(f.packet(17, f.udp(port))))
        return back(frame(f.packet(17, p.udp(f.server, f.office, 53, port, b"x"), f.server, f.office), "wan"))

    yield story("udp-for-two-minutes", "RFC 4787 4.3: not under 2 min", udp(True), later(udp(False), 10), udp(True),
                later(udp(False), 119),
                later(Sent(udp(False).frame, "drop", "default-deny", None, "wan"), 90000))


def later(sent: Sent, wait: float) -> Sent:
    return Sent(sent.frame, sent.verdict, sent.reason, sent.out, sent.port, wait)
