"""TCP, UDP, SCTP and the protocols that are only a number."""

from __future__ import annotations

import struct
from typing import Iterator

from .case import Case, Family, both, drop, frame, fresh, p, passed, passes, story

I_ = "FFW_RUL_EXT.1.6 i; "
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
# RFC 9293 section 3.10: all combinations of the six that no TCP sends; with any of ECE and CWR.
LEGAL = {SYN, SYN | ACK, ACK, RST, RST | ACK, FIN | ACK, ACK | URG, FIN | ACK | URG, SYN | URG}
LEGAL |= {flags | PSH for flags in LEGAL}
NAMED = (6, 17, 132, 47, 50, 51)


def cases() -> Iterator[Case]:
    yield from both(tcp)()
    yield from both(tcp_options)()
    yield from both(udp)()
    yield from both(sctp)()
    yield from both(protocols)()


def segments(f: Family, **fields) -> bytes:
    return frame(f.packet(6, f.tcp(fresh(), **fields)))


def tcp(f: Family) -> Iterator[Case]:
    whole = f.tcp(fresh())
    yield drop("tcp-header-cut", I_ + "RFC 9293 3.1", "transport-truncated",
               *(frame(f.packet(6, whole[:n])) for n in (0, 1, 4, 8, 13, 19)))
    yield drop("tcp-data-offset", I_ + "RFC 9293 3.1", "tcp-invalid",
               *(segments(f, data_offset=n) for n in (0, 1, 4, 6, 15)), segments(f, data=bytes(35), data_offset=15))
    named = {"tcp-null": (0,), "tcp-xmas": (FIN | PSH | URG,), "tcp-syn-fin": (SYN | FIN, SYN | FIN | ACK),
             "tcp-syn-rst": (SYN | RST, SYN | RST | ACK), "tcp-fin-without-ack": (FIN, FIN | PSH),
             "tcp-all-flags": (0x3F,)}
    for name, flags in named.items():
        yield drop(name, I_ + "RFC 9293 3.10", "tcp-flags",
                   *(segments(f, flags=one | bits) for one in flags for bits in (0, ECE, CWR, ECE | CWR)))
    left = sorted(set(range(64)) - LEGAL - {one for flags in named.values() for one in flags})
    yield drop("tcp-other-flags", I_ + "RFC 9293 3.10", "tcp-flags", *(segments(f, flags=one) for one in left))
    yield drop("tcp-port-zero", I_ + "RFC 6335 6", "port-zero", frame(f.packet(6, f.tcp(0))), segments(f, port=0),
               frame(f.packet(6, f.tcp(0, 0))))
    yield passes("tcp-syn", "RFC 9293 3.10.7; RFC 3168 6.1.1; RFC 7413", segments(f),
                 segments(f, flags=SYN | ECE | CWR),
                 segments(f, data=b"early"), segments(f, flags=SYN | PSH, data=b"early"), segments(f, window=0),
                 segments(f, seq=0xFFFFFFFF), segments(f, urgent=9))
    yield passes("tcp-reserved-bits", "RFC 9293 3.1: to be ignored; RFC 9768",
                 *(frame(f.packet(6, reserved(f, bits))) for bits in (1, 2, 4, 8, 14)))
    yield drop("tcp-middle", "GB/T 20281 6.1; FFW_RUL_EXT.1.5", "tcp-no-state",
               *(segments(f, flags=flags, ack=77, data=data) for flags in (
                   ACK, ACK | PSH, SYN | ACK, FIN | ACK, RST, RST | ACK, ACK | URG) for data in (b"", b"data")))


def reserved(f: Family, bits: int) -> bytes:
    """A SYN with bits of the four that are reserved, and its checksum."""
    segment = bytearray(f.tcp(fresh(), segment_checksum=0))
    segment[12] |= bits
    check = p.checksum(p.pseudo_header(f.office, f.server, 6, len(segment)) + bytes(segment))
    segment[16:18] = struct.pack("!H", check)
    return bytes(segment)


def tcp_options(f: Family) -> Iterator[Case]:
    good = {
        "mss": b"\x02\x04\x05\xb4", "window scale": b"\x03\x03\x07\x01", "largest scale": b"\x03\x03\x0e\0",
        "sack permitted": b"\x04\x02\x01\x01", "timestamps": b"\x08\x0a" + bytes(8) + b"\x01\x01",
        "linux": b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07",
        "windows": b"\x02\x04\x05\xb4\x01\x03\x03\x08\x01\x01\x04\x02",
        "fast open": b"\x22\x02\x01\x01", "fast open cookie": b"\x22\x0a" + bytes(8) + b"\x01\x01",
        "multipath": b"\x1e\x0c\0\x81" + bytes(8), "md5": b"\x13\x12" + bytes(16) + b"\x01\x01",
        "authentication": b"\x1d\x10\x01\x01" + bytes(12), "user time-out": b"\x1c\x04\0\x0a",
        "unknown": b"\xfe\x06\xf9\x89\0\0\x01\x01", "end": b"\0\0\0\0", "no operation": b"\x01" * 40,
        "accurate ecn": b"\xac\x0b" + bytes(9) + b"\x01"}
    yield passes("tcp-options", "RFC 9293 3.2; RFC 7323; RFC 2018; RFC 7413; RFC 8684; RFC 5925",
                 *(segments(f, options=options) for options in good.values()))
    bad = (b"\xfe\0\0\0", b"\xfe\x01\0\0", b"\xfe\x05\0\0", b"\x01\x01\x01\xfe", b"\x02\x03\0\0", b"\x03\x02\0\0",
           b"\x04\x03\0\0", b"\x08\x04\0\0", b"\x05\x02\0\0", b"\x05\x0a" + bytes(8) + b"\0\0")
    yield drop("tcp-options-malformed", I_ + "RFC 9293 3.1, MUST-7; RFC 2018; RFC 7323", "tcp-option",
               *(segments(f, options=options) for options in bad))


def udp(f: Family) -> Iterator[Case]:
    def sent(**fields) -> bytes:
        return frame(f.packet(17, f.udp(fresh(), **fields)))

    yield drop("udp-header-cut", I_ + "RFC 768", "transport-truncated",
               *(frame(f.packet(17, f.udp(fresh())[:n])) for n in (0, 4, 7)))
    yield drop("udp-length", I_ + "RFC 768; RFC 1122 4.1", "udp-length",
               *(sent(length=n) for n in (0, 7, 8, 12, 14, 65535)))
    yield drop("udp-port-zero", I_ + "RFC 6335 6", "port-zero", sent(port=0))
    yield passes("udp-source-port-zero", "RFC 768: no reply wanted",
                 frame(f.packet(17, f.udp(0, 50000 + f.number))))
    note = "RFC 768" if f.number == 4 else "RFC 6935 5; RFC 6936: tunnels"
    yield passes("udp-without-checksum", note, sent(datagram_checksum=0))
    yield passes("udp-empty", "RFC 768", sent(data=b""))


def sctp(f: Family) -> Iterator[Case]:
    def sent(chunks: bytes, tag: int = 0, source: int = 0, port: int = 2905) -> bytes:
        return frame(f.packet(132, p.sctp(source or fresh(), port, tag, chunks)))

    init = p.sctp_chunk(1, 0, bytes(16))
    yield passes("sctp-init", "RFC 9260 5.1", sent(init))
    yield passes("sctp-heartbeat", "RFC 9260 8.3: another way of an association", sent(p.sctp_chunk(4, 0, bytes(8)), 9))
    data, cookie = p.sctp_chunk(0, 3, bytes(13)), p.sctp_chunk(10, 0, b"cook")
    yield drop("sctp-middle", "GB/T 20281 6.1; RFC 9260 8.4", "sctp-no-state",
               *(sent(chunks, 9) for chunks in (data, cookie, cookie + data, p.sctp_chunk(2, 0, bytes(16)),
                                                p.sctp_chunk(6, 0, b""), p.sctp_chunk(14, 0, b""))))
    port = fresh()
    asks, answers = (p.sctp_chunk(kind, 0, struct.pack("!IIHHI", tag, 65536, 1, 1, 1))
                     for kind, tag in ((1, 7), (2, 9)))
    back = p.sctp(2905, port, 7, answers)
    yield story("sctp-association", "RFC 9260 5.1", passed(sent(asks, source=port)),
                passed(frame(f.packet(132, back, f.server, f.office), "wan"), "lan", "wan"),
                passed(sent(cookie, 9, port)), passed(sent(data, 9, port)))
    yield drop("sctp-header-cut", I_ + "RFC 9260 3", "transport-truncated",
               *(frame(f.packet(132, p.sctp(fresh(), 2905, 0, init)[:n])) for n in (0, 4, 11)))
    yield drop("sctp-malformed", I_ + "RFC 9260 3.2, 6.10, 8.5.1", "sctp-invalid", sent(b""), sent(init[:3]),
               sent(struct.pack("!BBH", 1, 0, 3) + bytes(16)), sent(struct.pack("!BBH", 1, 0, 200) + bytes(16)),
               sent(init, tag=5), sent(init + p.sctp_chunk(10, 0, b"cook")), sent(p.sctp_chunk(0, 3, bytes(12))),
               sent(struct.pack("!BBH", 0, 0, 0), tag=1))
    yield drop("sctp-port-zero", I_ + "RFC 9260 3.1", "port-zero", sent(init, port=0),
               frame(f.packet(132, p.sctp(0, 2905, 0, init))))


def protocols(f: Family) -> Iterator[Case]:
    """Every number: those that a rule names pass, all others end, malformed or unnamed."""
    extensions = {0, 43, 44, 60} if f.number == 6 else set()
    own = {1, 58}
    gre = struct.pack("!HH", 0, 0x0800) + bytes(28)
    esp = struct.pack("!II", 256, 7) + bytes(24)
    ah = struct.pack("!BBHII", 6, 4, 0, 256, 7) + bytes(12) + f.tcp(fresh())
    yield passes("gre-esp-ah", "RFC 2784; RFC 4303; RFC 4302: by policy as protocols",
                 *(frame(f.packet(number, body)) for number, body in ((47, gre), (50, esp), (51, ah))))
    yield drop("gre-esp-ah-cut", I_ + "RFC 2784 2; RFC 4303 2; RFC 4302 2", "transport-truncated",
               *(frame(f.packet(47, gre[:n])) for n in (0, 1, 3)), *(frame(f.packet(50, esp[:n])) for n in (0, 1, 7)),
               *(frame(f.packet(51, ah[:n])) for n in (0, 1, 11)))
    body = bytes(32)
    others = sorted(set(range(256)) - set(NAMED) - extensions - own)
    yield drop("other-protocols", "FFW_RUL_EXT.1.9: denied unless named", "default-deny",
               *(frame(f.packet(number, body)) for number in others))
    yield drop("other-familys-icmp", I_ + "RFC 4443 1; RFC 792", "icmp-invalid",
               *(frame(f.packet(58 if f.number == 4 else 1, bytes((kind, 0)) + bytes(30))) for kind in (8, 128, 3, 1)))
