"""What the gateway puts onto a cable, looked at by an independent reader: checksums, and who is seen there."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Iterator, Sequence

from lab import ROOT, Bench, same, true

sys.path.insert(0, str(ROOT / "tools/captures"))
from packets import checksum  # noqa: E402

Network = IPv4Network | IPv6Network
TCP, UDP, ICMP, ICMP6, FRAGMENT = 6, 17, 1, 58, 44
ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMP6: (1, 2, 3, 4)}


@dataclass
class Packet:
    source: str
    destination: str
    protocol: int
    payload: bytes
    fragment: tuple[int, int, bool] | None = None  # identification, offset in bytes, more follow


@dataclass
class Wire:
    """The packets of a while, and what is wrong with them."""

    inside: tuple[Network, ...]
    packets: list[Packet] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    parts: dict[tuple[str, str, int, int], list[Packet]] = field(default_factory=dict)
    numbered: set[tuple[str, str, int, int]] = field(default_factory=set)

    def frame(self, frame: bytes) -> None:
        at = 16 if frame[12:14] == b"\x81\x00" else 12
        if frame[at:at + 2] in (b"\x08\x00", b"\x86\xdd"):
            self.packet(frame[at + 2:])

    def packet(self, data: bytes, quoted: bool = False) -> None:
        one = read(data)
        if data[0] >> 4 == 4 and checksum(data[:(data[0] & 15) * 4]) != 0:
            self.fault(one, quoted, "a wrong header checksum")
        for end in (one.source, one.destination):
            if any(ip_address(end) in net for net in self.inside):
                self.fault(one, quoted, f"{end}, which is inside")
        if quoted:
            return
        self.packets.append(one)
        if one.fragment is None:
            self.transport(one)
        else:
            self.gather(one)

    def gather(self, part: Packet) -> None:
        key = (part.source, part.destination, part.protocol, part.fragment[0])
        parts = self.parts.setdefault(key, [])
        parts.append(part)
        parts.sort(key=lambda p: p.fragment[1])
        whole = b""
        for p in parts:
            if p.fragment[1] != len(whole):
                return
            whole += p.payload
        if not parts[-1].fragment[2]:
            del self.parts[key]
            if key in self.numbered:  # RFC 6864 4.3; far fewer than 65,536 go by while a test looks
                self.fault(part, False, f"identification {key[3]} once more")
            self.numbered.add(key)
            self.transport(Packet(part.source, part.destination, part.protocol, whole))

    def transport(self, one: Packet) -> None:
        # One pseudo-header sums up as the other: the length and the protocol (RFC 9293 3.1, RFC 8200 8.1).
        pseudo = ip_address(one.source).packed + ip_address(one.destination).packed
        pseudo += struct.pack("!II", len(one.payload), one.protocol)
        if one.protocol in (TCP, UDP, ICMP6):
            if one.protocol == UDP and one.payload[6:8] == b"\0\0":
                return
            if checksum(pseudo + one.payload) != 0:
                self.fault(one, False, "a wrong checksum")
        elif one.protocol == ICMP and checksum(one.payload) != 0:
            self.fault(one, False, "a wrong checksum")
        if one.payload[0] in ERRORS.get(one.protocol, ()):
            self.packet(one.payload[8:], quoted=True)

    def fault(self, one: Packet, quoted: bool, what: str) -> None:
        self.faults.append(f"{'quoted: ' if quoted else ''}{one.source} > {one.destination} protocol {one.protocol}: "
                           f"{what}: {one.payload[:24].hex()}")


def read(data: bytes) -> Packet:
    if data[0] >> 4 == 4:
        total, ident, flags = struct.unpack_from("!HHH", data, 2)
        parted = (ident, (flags & 0x1FFF) * 8, bool(flags & 0x2000)) if flags & 0x3FFF else None
        return Packet(str(ip_address(data[12:16])), str(ip_address(data[16:20])), data[9],
                      data[(data[0] & 15) * 4:total], parted)
    length, protocol = struct.unpack_from("!HB", data, 4)
    payload, parted = data[40:40 + length], None
    if protocol == FRAGMENT:
        protocol, _, flags, ident = struct.unpack_from("!BBHI", payload)
        payload, parted = payload[8:], (ident, flags & 0xFFF8, bool(flags & 1))
    return Packet(str(ip_address(data[8:24])), str(ip_address(data[24:40])), protocol, payload, parted)


@contextmanager
def watched(bench: Bench, cable: str, inside: Sequence[str]) -> Iterator[Wire]:
    """Reads what the gateway puts onto the cable; in the end all checksums are right and nothing inside was shown."""
    wire, stop = Wire(tuple(ip_network(net) for net in inside)), threading.Event()
    frames: list[bytes] = []
    with bench[f"{cable}-cable"].packet_socket("trunk") as s:
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        s.settimeout(0.1)

        def listen() -> None:
            while True:
                try:
                    frame, (_, _, kind, *_) = s.recvfrom(65536)
                    if kind != socket.PACKET_OUTGOING:
                        frames.append(frame)
                except TimeoutError:
                    if stop.is_set():
                        return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield wire
        finally:
            stop.set()
            thread.join()
    for frame in frames:
        wire.frame(frame)
    same(wire.faults[:5], [], f"on the cable {cable}, {len(wire.faults)} in {len(frames)} frames")
    true(wire.packets, f"something was sent onto the cable {cable}")
