"""State: what may follow what."""

from __future__ import annotations

from typing import Iterator

from .case import Case, Family, both, drop, dropped, frame, fresh, p, passed, story

SYN, ACK, FIN, RST, PSH = p.SYN, p.ACK, p.FIN, p.RST, p.PSH


def cases() -> Iterator[Case]:
    yield from both(tcp)()
    yield from both(udp)()


class Connection:
    """One of TCP, from the office to the server, with sequence numbers of its own keeping."""

    def __init__(self, f: Family, port: int = 443) -> None:
        self.f, self.port, self.client = f, port, fresh()
        self.sent, self.heard = 1000, 5000

    def stray(self, flags: int, data: bytes = b"", ahead: int = 0, port: str = "lan", **header: int) -> bytes:
        """From the office, but the connection does not go on by it; `header` is of IP."""
        segment = self.f.tcp(self.client, self.port, self.sent + ahead, self.heard if flags & ACK else 0, flags, data)
        return frame(self.f.packet(6, segment, **header), port)

    def stray_answer(self, flags: int, port: str = "wan", **header: int) -> bytes:
        segment = p.tcp(self.f.server, self.f.office, self.port, self.client, self.heard, self.sent, flags)
        return frame(self.f.packet(6, segment, self.f.server, self.f.office, **header), port)

    def up(self, flags: int, data: bytes = b"", ahead: int = 0, **fields) -> bytes:
        """From the office; `ahead` moves the sequence number alone."""
        ack = self.heard if flags & ACK else 0
        made = self.f.tcp(self.client, self.port, self.sent + ahead, ack, flags, data, **fields)
        self.sent += len(data) + bool(flags & (SYN | FIN)) if not ahead else 0
        return frame(self.f.packet(6, made))

    def down(self, flags: int, data: bytes = b"", ahead: int = 0, **fields) -> bytes:
        f = self.f
        ack = self.sent if flags & ACK else 0
        made = p.tcp(f.server, f.office, self.port, self.client, self.heard + ahead, ack, flags, data, **fields)
        self.heard += len(data) + bool(flags & (SYN | FIN)) if not ahead else 0
        return frame(f.packet(6, made, f.server, f.office), "wan")

    def opening(self) -> list:
        return [passed(self.up(SYN)), back(self.down(SYN | ACK)), passed(self.up(ACK))]


def back(frame_: bytes):
    return passed(frame_, "lan", "wan")


def refused(reason: str, frame_: bytes):
    return dropped(reason, frame_, "wan")


def tcp(f: Family) -> Iterator[Case]:
    c = Connection(f)
    yield story("tcp-whole-connection", "RFC 9293 3.5, 3.6", *c.opening(), passed(c.up(ACK | PSH, b"request")),
                back(c.down(ACK)), back(c.down(ACK | PSH, b"response")), passed(c.up(FIN | ACK)), back(c.down(ACK)),
                back(c.down(FIN | ACK)), passed(c.up(ACK)), dropped("tcp-no-state", c.up(ACK, b"late")),
                refused("tcp-no-state", c.down(ACK, b"late")))
    c = Connection(f)
    yield story("tcp-simultaneous-open", "RFC 9293 3.5 figure 8", passed(c.up(SYN)), back(c.down(SYN)),
                passed(again(c, SYN | ACK)), back(c.down(ACK)), passed(c.up(ACK, b"data")))
    c = Connection(f)
    yield story("tcp-reset-ends", "RFC 9293 3.5.3", *c.opening(), back(c.down(RST | ACK)),
                dropped("tcp-no-state", c.up(ACK, b"data")), refused("tcp-no-state", c.down(ACK)))
    c = Connection(f)
    yield story("tcp-syn-retransmitted", "RFC 9293 3.8.1", passed(c.up(SYN)), passed(again(c, SYN)),
                back(c.down(SYN | ACK)), passed(c.up(ACK)))
    c = Connection(f)
    yield story("tcp-syn-of-responder", "FFW_RUL_EXT.1.5: opens what no rule was asked about", *c.opening(),
                refused("tcp-state", c.down(SYN)))
    c = Connection(f)
    yield story("tcp-data-before-answer", "FFW_RUL_EXT.1.5", passed(c.up(SYN)),
                dropped("tcp-state", c.up(ACK, b"data")))
    c = Connection(f)
    hello = bytes.fromhex("1601010030010000 2c0101") + bytes(45)  # GB/T 38636-2020 6.3: record version 0x0101
    yield story("tlcp-records", "GB/T 38636-2020 6.3: version 0x0101", *c.opening(), passed(c.up(ACK | PSH, hello)),
                back(c.down(ACK | PSH, bytes.fromhex("160101004a0200004601 01") + bytes(69))),
                passed(c.up(ACK | PSH, bytes.fromhex("140101000101"))),
                back(c.down(ACK | PSH, bytes.fromhex("170101002000") + bytes(31))))
    c = Connection(f)
    yield story("tcp-urgent", "RFC 6093: legal", *c.opening(), passed(c.up(ACK | 32, b"!", urgent=1)),
                passed(c.up(ACK | 32, b"", urgent=0)), passed(c.up(ACK | 32, b"abc", urgent=60000)))
    c = Connection(f)
    yield story("tcp-other-ports-reply", "FFW_RUL_EXT.1.5: each attribute alone", *c.opening(), *others(c))
    far = 1 << 30
    c = Connection(f)
    yield story("tcp-outside-window", "RFC 9293 3.10.7.4; FFW_RUL_EXT.1.5: sequence number", *c.opening(),
                dropped("tcp-window", c.stray(ACK | PSH, b"far", far)),
                dropped("tcp-window", c.stray(ACK | PSH, b"old", -far)),
                dropped("tcp-window", c.stray(FIN | ACK, b"", far)), passed(c.up(ACK | PSH, b"here")))
    c = Connection(f)
    yield story("tcp-acknowledges-unsent", "RFC 5961 5", *c.opening(),
                dropped("tcp-window", acknowledging(c, 1)), dropped("tcp-window", acknowledging(c, far)),
                dropped("tcp-window", acknowledging(c, -far)), passed(c.up(ACK | PSH, b"here")))
    c = Connection(f)
    yield story("tcp-reset-outside-window", "RFC 5961 3", *c.opening(), dropped("tcp-window", c.stray(RST, b"", far)),
                dropped("tcp-window", c.stray(RST | ACK, b"", -far)), passed(c.up(ACK | PSH, b"goes on")))
    c = Connection(f)
    yield story("tcp-syn-in-connection", "RFC 5961 4", *c.opening(), passed(c.stray(SYN, b"", far)),
                passed(c.up(ACK | PSH, b"goes on")), back(c.down(ACK)))
    c = Connection(f)
    yield story("tcp-nothing-behind-fin", "RFC 9293 3.6", *c.opening(), passed(c.up(FIN | ACK)),
                dropped("tcp-window", c.stray(ACK | PSH, b"more")), back(c.down(ACK)))
    c = Connection(f)
    yield story("tcp-late-early-and-alive", "RFC 9293 3.8.1, 3.8.4, 3.8.6.1", *c.opening(),
                passed(c.stray(ACK | PSH, b"early", 4)), passed(c.up(ACK | PSH, b"data")),
                passed(c.stray(ACK, b"", -1)), passed(c.stray(ACK | PSH, b"data", -4)), back(c.down(ACK)))


def acknowledging(c: Connection, more: int) -> bytes:
    """A segment of the office that acknowledges so much more than the server has sent."""
    segment = c.f.tcp(c.client, c.port, c.sent, c.heard + more & 0xFFFFFFFF, ACK | PSH, b"ack")
    return frame(c.f.packet(6, segment))


def again(c: Connection, flags: int) -> bytes:
    """The SYN once more: its sequence number is the one before."""
    c.sent -= 1
    return c.up(flags)


def others(c: Connection) -> list:
    f = c.f

    def made(source: str, destination: str, sport: int, dport: int):
        return refused("tcp-no-state", frame(f.packet(6, p.tcp(
            source, destination, sport, dport, c.heard, c.sent, ACK), source, destination), "wan"))

    near = f.server[:-2] + "11"
    return [made(f.server, f.office, c.port + 1, c.client), made(f.server, f.office, c.port, 65000),
            made(near, f.office, c.port, c.client), made(f.server, f.office[:-2] + "11", c.port, c.client)]


def udp(f: Family) -> Iterator[Case]:
    port = fresh()

    def answer(source_port: int, to: int) -> bytes:
        return frame(f.packet(17, p.udp(f.server, f.office, source_port, to, b"answer"), f.server, f.office), "wan")

    yield story("udp-question-and-answer", "FFW_RUL_EXT.1.5", passed(frame(f.packet(17, f.udp(port)))),
                back(answer(53, port)), passed(frame(f.packet(17, f.udp(port)))))
    yield story("udp-of-other-ports", "FFW_RUL_EXT.1.5: each attribute alone", passed(frame(f.packet(17, f.udp(
        port := fresh())))), refused("default-deny", answer(54, port)), refused("default-deny", answer(53, 65000)))
    yield drop("udp-unasked", "FFW_RUL_EXT.1.9", "default-deny", answer(53, fresh()), port="wan")
