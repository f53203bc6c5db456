"""Seeds of what two ends say to each other through the gateway, step by step as the fuzz targets read it."""

from __future__ import annotations

import struct
from pathlib import Path


def connections(directory: Path) -> None:
    """Eight bytes a segment, as tcp_fuzz takes them: who | flags << 1, sequence, acknowledgment, window (2), data,
    options, nothing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    syn, syn_ack, ack, push, fin, reset = 0, 2, 4, 6, 8, 10

    def segment(who: int, flags: int, sequence: int = 8, data: int = 0, options: int = 0, window: int = 1000) -> bytes:
        return struct.pack(">BBBHBBB", who | flags, sequence, 8, window, data, options, 0)

    for scale in (0, 1 | 7 << 3):
        opening = segment(0, syn, options=scale) + segment(1, syn_ack, options=scale) + segment(0, ack)
        talk = (segment(0, push, data=100) + segment(1, push, data=200) + segment(0, push, 7, 100) +
                segment(1, ack, 0x70))
        for name, end in {"fin": segment(0, fin) + segment(1, fin) + segment(0, ack), "reset": segment(1, reset),
                          "probe": segment(0, push, 0x48, 1), "again": segment(0, syn, 0x9f) + segment(1, ack)}.items():
            (directory / f"{name}-{scale}").write_bytes(opening + talk + end)
    (directory / "crossed").write_bytes(segment(0, syn) + segment(1, syn) + segment(0, syn_ack, 7) + segment(1, ack))


def control_talks(directory: Path) -> None:
    """Talks over an FTP control connection as helper_fuzz.cc reads them, at each of its gateways."""
    directory.mkdir(parents=True, exist_ok=True)

    def say(who: int, text: str) -> bytes:
        return bytes([who, len(text)]) + text.encode()

    def open_by(who: int, port: int, third: bool = False) -> bytes:
        return bytes([4 | who | (8 if third else 0)]) + struct.pack("!H", port)

    talks = {
        "port": (say(0, "PORT 10,64,37,9,195,80\r\n") + open_by(1, 50000, True) + open_by(1, 50000) +
                 say(1, "226 x\r\n")),
        "eprt": say(0, "EPRT |1|10.64.37.9|50000|\r\n") + open_by(1, 50000) + say(0, "QUIT\r\n"),
        "eprt6": say(0, "EPRT |2|2001:db8:1::9|50000|\r\n") + open_by(1, 50000),
        "pasv": (say(0, "PASV\r\n") + say(1, "227 x (59,205,17,10,200,1)\r\n") + open_by(0, 51201, True) +
                 open_by(0, 51201)),
        "epsv": (say(0, "EPSV\r\n") + say(1, "229 x (|||51201|)\r\n") + open_by(0, 51201) + bytes([0xfe, 0, 9]) +
                 open_by(0, 51201)),
        "cut": say(0, "PORT 10,64") + say(0, ",37,9,195,80\r") + say(0, "\n") + open_by(1, 50000),
    }
    for name, talk in talks.items():
        for place in range(4):
            (directory / f"{name}-{place}").write_bytes(bytes([place]) + talk)


def calls(directory: Path) -> None:
    """Calls over SIP as call_fuzz.cc reads them, at each of its gateways."""
    directory.mkdir(parents=True, exist_ok=True)
    ends = (("10.64.37.9", "59.205.16.10", "59.205.16.10"), ("10.64.37.9", "198.51.100.21", "198.51.100.21"),
            ("198.51.100.7", "203.0.113.10", "59.205.17.10"), ("2001:db8:1::9", "2001:db8:77::21", "2001:db8:77::21"))

    def say(who: int, text: str) -> bytes:
        return bytes([who]) + struct.pack("!H", len(text)) + text.encode()

    def media(who: int, port: int, third: bool = False) -> bytes:
        return bytes([4 | who | (8 if third else 0)]) + struct.pack("!H", port)

    def named(address: str) -> str:
        return f"[{address}]" if ":" in address else address

    def message(first: str, method: str, via: str, contact: str, body: str = "") -> str:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (f"{first}\r\nVia: SIP/2.0/UDP {via};rport\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n"
                f"Contact: <sip:a@{contact}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}")

    def audio(address: str, port: int, more: str = "") -> str:
        at = f"IN IP{6 if ':' in address else 4} {address}"
        return f"v=0\r\no=- 1 1 {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n{more}"

    later = bytes([6, 0x40, 0])
    for place, (client, called, own) in enumerate(ends):
        via = named(client)
        invite = message(f"INVITE sip:b@{named(called)}:53 SIP/2.0", "INVITE", via, via,
                         audio(client, 6000, "a=rtcp:6005\r\nm=video 6010 RTP/AVP 96\r\n"))
        answer = message("SIP/2.0 200 OK", "INVITE", via, named(own), audio(own, 7000))
        bye = message("BYE sip:a SIP/2.0", "BYE", via, via)
        talks = {
            "call": say(0, invite) + say(1, answer) + media(0, 7000) + media(1, 6000) + media(1, 6000, True) +
            say(0, bye) + media(0, 7000),
            "again": say(0, invite) + say(0, invite.replace("6000", "6100")) + say(1, answer) + media(1, 6100) + later,
            "busy": say(0, invite) + say(1, message("SIP/2.0 486 Busy", "INVITE", via, named(own))) + media(1, 6000),
            "third": say(0, invite.replace(f"c=IN IP4 {client}", "c=IN IP4 10.64.37.10")) + media(1, 6000),
            "hold": say(0, invite.replace(f"c=IN IP4 {client}", "c=IN IP4 0.0.0.0")) + say(0, "\r\n\r\n"),
            "revoked": say(0, invite) + media(1, 6000) + bytes([0xFE, 0, 9]) + media(1, 6000),
            "unread": say(0, invite) + media(1, 6000) + bytes([0xF6, 0, 9]) + media(1, 6000) + say(0, "x"),
        }
        for name, talk in talks.items():
            (directory / f"{name}-{place}").write_bytes(bytes([place]) + talk)


def boundary(directory: Path) -> None:
    """Steps of eight bytes as nat_fuzz.cc takes them: an opening of each kind, then what may come of it."""
    directory.mkdir(parents=True, exist_ok=True)

    def opens(host: int, target: int, protocol: int, port: int = 0, cut: int = 0) -> bytes:
        return bytes([2 if cut else 0, host, target, protocol, host, port, 7, cut])

    def answers(how: int, which: int = 0, cut: int = 0) -> bytes:
        return bytes([4 if cut else 3, which, 0, how, 0, 0, 9, cut])

    quotes = b"".join(bytes([5, 0, kind, 60, 1, who, 0, 0]) for kind in range(4) for who in (0, 1))
    later, other = bytes([6, 0, 200, 0, 0, 0, 0, 0]), bytes([7, 0, 1, 0, 0, 0, 0, 0])
    pairs = {"egress": (0, 0), "publish": (2, 2), "publish-range": (3, 3), "hairpin": (0, 2), "translate": (6, 5),
             "inward": (7, 6), "prefix": (8, 8), "own": (4, 2)}
    for name, (host, target) in pairs.items():
        for protocol in range(4):
            ports = {"publish-range": 2}.get(name, 1 if protocol == 1 else 0)
            begin = opens(host, target, protocol, ports)
            talk = begin + answers(0) + quotes + answers(1, 1) + answers(3, 2) + later + begin
            (directory / f"{name}-{protocol}").write_bytes(talk + other + answers(2) + begin)
        for cut in (1, 2, 5, 9, 13, 17):
            (directory / f"{name}-cut-{cut}").write_bytes(opens(host, target, 1, 1, cut) + answers(0, 0, cut) + later)
