"""Services that a helper reads: what FTP and SIP announce passes, as told to the other end; nothing else does."""

from __future__ import annotations

from typing import Iterator

from .boundary import ACK, PSH, PUBLIC, SYN, WEB, Ends, crosses, datagram, outside6, packet, refused, segment
from .case import V4, V6, Case, Family, Sent, frame, fresh, story

FTP, SIP = 21, 5060
THIRD = {4: "198.51.100.66", 6: "2001:db8:f::66"}
NOT_OPEN = {4: "nat-unsolicited", 6: "nat-unsolicited"}


def told(f: Family, protocol: int, ends: Ends, out: Ends, build, other) -> Sent:
    """As `crosses`, where the text changes, too."""
    return Sent(frame(packet(f, protocol, ends, build), ends.port), "forward", "allowed", out.port, ends.port,
                becomes=packet(f, protocol, out, other, 63))


def ends(f: Family, port: int) -> tuple[Ends, Ends, Ends, Ends]:
    """Of a stranger who asks what is published, as they come in and leave, and of the answers."""
    asked = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], port)
    inner = Ends("dmz", f.stranger, asked.source_port, WEB[f.number], port)
    return asked, inner, inner.turned("dmz"), asked.turned("internet")


def cases() -> Iterator[Case]:
    for f in (V4, V6):
        for make in (ftp, sip):
            for case in make(f):
                yield Case(f"{case.name}-v{f.number}", case.norm, case.sent)
    yield from sip_by_prefix()
    yield from filters()


# FTP.

def end_of(f: Family, address: str, port: int) -> str:
    if f is V4:
        return ",".join((*address.split("."), str(port >> 8), str(port & 255)))
    return f"|2|{address}|{port}|"


def opened(f: Family, around: tuple[Ends, Ends, Ends, Ends]) -> tuple[Sent, ...]:
    asked, inner, answer, outer = around
    return (crosses(f, 6, asked, inner, segment(1, 0, SYN)), crosses(f, 6, answer, outer, segment(9, 2, SYN | ACK)),
            crosses(f, 6, asked, inner, segment(2, 10, ACK)))


def ftp(f: Family) -> Iterator[Case]:
    four = f is V4
    asked, inner, answer, outer = around = ends(f, FTP)
    ask, port = (b"PASV\r\n" if four else b"EPSV\r\n"), 51201
    said = f"227 Here ({end_of(f, WEB[4], port)}).\r\n" if four else f"229 Here (|||{port}|)\r\n"
    heard = said.replace(end_of(f, WEB[4], port), end_of(f, PUBLIC[4], port)) if four else said
    data = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], port)
    data_in = Ends("dmz", f.stranger, data.source_port, WEB[f.number], port)
    again = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], port)
    beside = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], port + 1)
    other = Ends("internet", THIRD[f.number], fresh(), PUBLIC[f.number], port)
    shift = len(heard) - len(said)
    yield story(
        "ftp-passive", "RFC 959 3.2, 4.1.2; RFC 2428 3" if four else "RFC 2428 3", *opened(f, around),
        crosses(f, 6, asked, inner, segment(2, 10, ACK | PSH, ask)),
        told(f, 6, answer, outer, segment(10, 8, ACK | PSH, said.encode()), segment(10, 8, ACK | PSH, heard.encode())),
        refused(f, 6, beside, segment(1, 0, SYN), NOT_OPEN[f.number]),
        refused(f, 6, other, segment(1, 0, SYN), NOT_OPEN[f.number]),
        crosses(f, 6, data, data_in, segment(1, 0, SYN)),
        crosses(f, 6, data_in.turned("dmz"), data.turned("internet"), segment(9, 2, SYN | ACK)),
        refused(f, 6, again, segment(1, 0, SYN), NOT_OPEN[f.number]),
        told(f, 6, asked, inner, segment(8, 10 + len(heard), ACK), segment(8, 10 + len(said), ACK)),
        told(f, 6, answer, outer, segment(10 + len(said), 8, ACK | PSH, b"226 Done\r\n"),
             segment(10 + len(said) + shift, 8, ACK | PSH, b"226 Done\r\n")))
    asked, inner, answer, outer = around = ends(f, FTP)
    verb, port = ("PORT" if four else "EPRT"), 50001
    said = f"{verb} {end_of(f, f.stranger, port)}\r\n".encode()
    back = Ends("dmz", WEB[f.number], 20, f.stranger, port)
    yield story(
        "ftp-active", "RFC 959 3.2; RFC 2428 2", *opened(f, around),
        crosses(f, 6, asked, inner, segment(2, 10, ACK | PSH, said)),
        crosses(f, 6, back, Ends("internet", PUBLIC[f.number], 20, f.stranger, port), segment(1, 0, SYN)))
    for name, norm, reason, text in (
            ("bounce", "RFC 2577 3: a third party", "helper-refused", f"{verb} {end_of(f, THIRD[f.number], 50001)}"),
            ("low-port", "RFC 2577 3: a port of a service", "helper-refused", f"{verb} {end_of(f, f.stranger, 139)}"),
            ("broken", "RFC 959 5.3.2; RFC 2428 2", "helper-invalid", f"{verb} 1,2,3")):
        asked, inner, answer, outer = around = ends(f, FTP)
        yield story(f"ftp-{name}", norm, *opened(f, around), refused(
            f, 6, asked, segment(2, 10, ACK | PSH, text.encode() + b"\r\n"), reason))
    asked, inner, answer, outer = around = ends(f, FTP)
    yield story("ftp-gap", "RFC 9293 3.10.7.4: read in order alone", *opened(f, around),
                refused(f, 6, asked, segment(3, 10, ACK | PSH, b"OOP\r\n"), "helper-invalid"),
                crosses(f, 6, asked, inner, segment(2, 10, ACK | PSH, b"NOOP\r\n")))


# SIP.

def named(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def audio(address: str, port: int) -> str:
    at = f"IN IP{6 if ':' in address else 4} {address}"
    return f"v=0\r\no=- 1 1 {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"


def message(first: str, method: str, via: str, contact: str, body: str = "", call: object = 1, more: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (f"{first}\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{call}\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
            f"Call-ID: {call}\r\nCSeq: 1 {method}\r\n{more}Contact: <sip:a@{contact}>\r\n{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def sip(f: Family) -> Iterator[Case]:
    asked, inner, answer, outer = ends(f, SIP)
    caller = f"{named(f.stranger)}:{asked.source_port}"
    public, called = named(PUBLIC[f.number]), named(WEB[f.number])

    def invite(to: str) -> bytes:
        return message(f"INVITE sip:b@{to} SIP/2.0", "INVITE", caller, caller, audio(f.stranger, 6000))

    def ok(at: str, address: str) -> bytes:
        return message("SIP/2.0 200 OK", "INVITE", caller, at, audio(address, 7000))

    bye = message("BYE sip:a SIP/2.0", "BYE", called, called)
    bye_outside = message("BYE sip:a SIP/2.0", "BYE", public, public)
    talk = Ends("internet", f.stranger, 6000, PUBLIC[f.number], 7000)
    talk_in = Ends("dmz", f.stranger, 6000, WEB[f.number], 7000)
    report = Ends("dmz", WEB[f.number], 7001, f.stranger, 6001)
    other = Ends("internet", THIRD[f.number], 6000, PUBLIC[f.number], 7000)
    voice = datagram(bytes(172))
    yield story(
        "sip-call", "RFC 3261 15.1.1; RFC 3264 5.1", refused(f, 17, talk, voice, NOT_OPEN[f.number]),
        told(f, 17, asked, inner, datagram(invite(public)), datagram(invite(called))),
        told(f, 17, answer, outer, datagram(ok(called, WEB[f.number])), datagram(ok(public, PUBLIC[f.number]))),
        refused(f, 17, other, voice, NOT_OPEN[f.number]), crosses(f, 17, talk, talk_in, voice),
        crosses(f, 17, talk_in.turned("dmz"), talk.turned("internet"), voice),
        crosses(f, 17, report, Ends("internet", PUBLIC[f.number], 7001, f.stranger, 6001), voice),
        told(f, 17, answer, outer, datagram(bye), datagram(bye_outside)),
        refused(f, 17, talk, voice, NOT_OPEN[f.number]))

    def offer(body: str, more: str = "") -> bytes:
        return message("INVITE sip:b SIP/2.0", "INVITE", caller, caller, body, more=more)

    fine = audio(f.stranger, 6000)
    for name, norm, reason, text in (
            ("bounce", "RFC 5245 18.5.1: a third party", "helper-refused", offer(audio(THIRD[f.number], 6000))),
            ("low-port", "RFC 3551 8: RTP has dynamic ports", "helper-refused", offer(audio(f.stranger, 53))),
            ("group", "RFC 4566 5.7", "helper-refused", offer(audio(
                "224.2.1.1/127" if f is V4 else "ff15::101/3", 6000))),
            ("broken-description", "RFC 4566 5: c= is required", "helper-invalid",
             offer("v=0\r\nm=audio 6000 RTP/AVP 0\r\n")),
            ("length", "RFC 3261 18.3", "helper-invalid", offer(fine).replace(b"Length: ", b"Length: 1")),
            ("folded", "RFC 3261 7.3.1: read in one way only", "helper-invalid", offer(fine, "Subject: a\r\n b\r\n")),
            ("bare-line-end", "RFC 3261 25.1", "helper-invalid", offer(fine, "Subject: a\nb: c\r\n")),
            ("two-calls", "RFC 3261 20.8", "helper-invalid", offer(fine, "i: 2\r\n")),
            ("no-message", "RFC 3261 7", "helper-invalid", b"hello")):
        ask = Ends("internet", f.stranger, fresh(), PUBLIC[f.number], SIP)
        yield story(f"sip-{name}", norm, refused(f, 17, ask, datagram(text), reason))
    asked, inner, answer, outer = ends(f, SIP)
    yield story("sip-kept-alive", "RFC 5626 3.5.1", crosses(f, 17, asked, inner, datagram(b"\r\n\r\n")))


def sip_by_prefix() -> Iterator[Case]:
    f, outer = V6, outside6(V6.office)
    leaves = Ends("lan", f.office, SIP, f.stranger, SIP)
    seen = Ends("internet", outer, SIP, f.stranger, SIP)

    def invite(address: str) -> bytes:
        return message(f"INVITE sip:b@{named(f.stranger)} SIP/2.0", "INVITE", named(address), named(address),
                       audio(address, 6000), "prefix")

    bye = message("BYE sip:a SIP/2.0", "BYE", "name", "name", call="prefix")
    voice = datagram(bytes(172))
    talk = Ends("internet", f.stranger, 7000, outer, 6000)
    yield story("sip-prefix-v6", "RFC 6296 5; RFC 3264 5.1", told(
        f, 17, leaves, seen, datagram(invite(f.office)), datagram(invite(outer))),
        crosses(f, 17, talk, Ends("lan", f.stranger, 7000, f.office, 6000), voice),
        crosses(f, 17, seen.turned("internet"), leaves.turned("lan"), datagram(bye)),
        refused(f, 17, talk, voice, "nat-unsolicited"))


# Who may use a mapping of an egress: every port of a pool is taken, so that one is met whichever it is.

def filters() -> Iterator[Case]:
    f = V4
    asked, other = f.stranger, THIRD[4]
    for name, source, pool, reasons in (
            ("address-and-port", "10.1.20.10", "192.0.2.32", ("nat-unsolicited", "nat-unsolicited")),
            ("address", "10.1.21.10", "192.0.2.33", ("internet-isolated", "nat-unsolicited")),
            ("endpoint-independent", "10.1.22.10", "192.0.2.34", ("internet-isolated", "internet-isolated"))):
        out = [crosses(f, 17, Ends("lan", source, 5000 + n, asked, 443), Ends("internet", pool, 0, asked, 443),
                       datagram()) for n in range(64)]
        yield story(f"filtering-{name}", "RFC 4787 5, REQ-8", *out, *(
            refused(f, 17, Ends("internet", remote, 444, pool, 2048 + n), datagram(), reason)
            for remote, reason in zip((asked, other), reasons) for n in (0, 63)))
