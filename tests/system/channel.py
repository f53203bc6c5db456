"""The command channel and the shared memory of a data plane, as dataplane/channel/channel.h and
dataplane/fastpath/{counters,event}.h lay them out. An independent reader: what it says must agree with
what the control plane says.
"""

from __future__ import annotations

import array
import fcntl
import mmap
import os
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VERSION = 4
HELLO, PUBLISH, STATUS, FLOWS, NEIGHBOURS, TRACE, KEEP = range(1, 8)
FLOW_START, FLOW_PERIODIC, FLOW_END, DENIAL, PACKET, AUDIT = range(1, 7)
NONE = 0xFFFFFFFF
REASON_CODES = 128


def _reasons() -> dict[int, tuple[str, str]]:
    """Code -> (name, verdict), from the one list of reasons."""
    text = (ROOT / "dataplane/fastpath/reason.def").read_text(encoding="utf-8")
    return {int(code): (name, verdict.lower()) for name, verdict, code in
            re.findall(r'^REASON\(\w+, "([a-z0-9-]+)", k(\w+), (\d+),', text, re.M)}


REASONS = _reasons()


class Refused(Exception):
    """The data plane said no; the text is its own."""


class Event(NamedTuple):
    kind: int
    reason: str
    verdict: str
    protocol: int
    in_port: int
    out_port: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    sequence: int
    rule: int | None
    packets: int


@dataclass
class Status:
    pid: int
    generation: int
    workers: int
    live_flows: int
    flow_capacity: int
    ports: dict[str, dict[str, int]]
    checksum: int = 0
    alarms: int = 0


class Counters(NamedTuple):
    """The sum over all writers at one moment."""

    reasons: Counter[str]  # packets
    ports: list[dict[str, int]]
    units: list[dict[str, int]]
    services: list[dict[str, int]]
    rules: list[dict[str, int]]
    totals: dict[str, int]


_EVENT = struct.Struct("<BBBBHHHHHHQQQ16s16sIIIIQQQQII16s16sHHI")
_SECTIONS = (
    ("ports", ("received", "received_bytes", "sent", "sent_bytes", "dropped", "local", "transmit_failed")),
    ("units", ("sent", "sent_bytes", "received", "received_bytes", "flows", "denied")),
    ("services", ("requests", "request_bytes", "replies", "reply_bytes", "flows", "denied")),
    ("rules", ("packets", "bytes", "hits", "audited")),
)
_TOTALS = ("packets", "flows_created", "flows_ended", "events_lost", "handovers", "exceptions_lost")


class DataPlane:
    """One connection to a running data plane."""

    def __init__(self, run_dir: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(str(run_dir / "dataplane.sock"))
        answer, descriptors = self._ask(HELLO)
        (self.pid, segment_bytes, self.ring_events, ring_bytes, self.workers,
         _) = struct.unpack("<QQQQII", answer)
        self._segment = mmap.mmap(descriptors[0], segment_bytes, mmap.MAP_SHARED, mmap.PROT_READ)
        self._rings = [mmap.mmap(d, ring_bytes) for d in descriptors[1:]]
        for descriptor in descriptors:
            os.close(descriptor)

    def __enter__(self) -> "DataPlane":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._segment.close()
        for ring in self._rings:
            ring.close()

    def _ask(self, request: int, payload: bytes = b"", descriptors: tuple[int, ...] = ()) -> tuple[bytes, list[int]]:
        self.socket.sendmsg([struct.pack("<IIII", VERSION, request, 0, len(payload)) + payload],
                            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
                            if descriptors else [])
        data, ancillary, _, _ = self.socket.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        received = array.array("i")
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(body[:len(body) // 4 * 4])
        _, kind, status, length = struct.unpack_from("<IIII", data)
        answer = data[16:16 + length]
        if status != 0:
            raise Refused(answer.split(b"\0")[0].decode())
        assert kind == request
        return answer, list(received)

    def publish(self, image: bytes) -> None:
        descriptor = os.memfd_create("image", os.MFD_ALLOW_SEALING)
        try:
            os.write(descriptor, image)
            fcntl.fcntl(descriptor, 1033, 0x1 | 0x2 | 0x4 | 0x8)  # F_ADD_SEALS
            self._ask(PUBLISH, descriptors=(descriptor,))
        finally:
            os.close(descriptor)

    def trace(self, on: bool) -> None:
        self._ask(TRACE, struct.pack("<I", int(on)))

    def status(self) -> Status:
        answer, _ = self._ask(STATUS)
        pid, _, checksum, _, generation, workers, ports, live, capacity, _, alarms, _ = struct.unpack_from(
            "<QQQQIIIIIIII", answer)
        found, at = {}, 64
        for _ in range(ports):
            name, _, up, _, mtu, missed, errors, failed = struct.unpack_from("<32s6sBBI4xQQQ", answer, at)
            found[name.split(b"\0")[0].decode()] = {
                "up": up, "mtu": mtu, "device_missed": missed, "device_errors": errors,
                "transmit_failed": failed}
            at += 72
        return Status(pid, generation, workers, live, capacity, found, checksum, alarms)

    def events(self) -> list[Event]:
        """Takes out what the rings hold. There is one reader of the rings: no control plane beside."""
        taken = []
        for ring in self._rings:
            written, = struct.unpack_from("<Q", ring, 0)
            read, = struct.unpack_from("<Q", ring, 64)
            for number in range(read, written):
                taken.append(_event(ring, 192 + number % self.ring_events * _EVENT.size))
            struct.pack_into("<Q", ring, 64, written)
        return taken

    def counters(self) -> Counters:
        head = struct.unpack_from("<QIIIIIIQQ", self._segment)
        blocks, capacity, block_bytes, first = head[1], head[2:6], head[7], head[8]
        reasons: Counter[str] = Counter()
        sections: list[list[dict[str, int]]] = [[dict.fromkeys(fields, 0) for _ in range(min(count, 512))]
                                                for count, (_, fields) in zip(capacity, _SECTIONS)]
        totals = dict.fromkeys(_TOTALS, 0)
        for block in range(blocks):
            at = first + block * block_bytes
            for code in range(REASON_CODES):
                packets, = struct.unpack_from("<Q", self._segment, at + code * 16)
                if packets:
                    reasons[REASONS[code][0] if code in REASONS else str(code)] += packets
            at = _line(at + REASON_CODES * 16)
            for rows, count, (_, fields) in zip(sections, capacity, _SECTIONS):
                for index, row in enumerate(rows):
                    values = struct.unpack_from(f"<{len(fields)}Q", self._segment, at + index * 8 * len(fields))
                    for key, value in zip(fields, values):
                        row[key] += value
                at = _line(at + count * 8 * len(fields))
            for key, value in zip(_TOTALS, struct.unpack_from(f"<{len(_TOTALS)}Q", self._segment, at)):
                totals[key] += value
        return Counters(reasons, *sections, totals)


def drops(reasons: Counter[str]) -> Counter[str]:
    """Of counted packets, those that were dropped."""
    verdicts = dict(REASONS.values())
    return Counter({name: n for name, n in reasons.items() if n and verdicts.get(name) == "drop"})


def _line(at: int) -> int:
    return at + 63 & ~63


def _address(raw: bytes) -> str:
    mapped = IPv6Address(raw).ipv4_mapped
    return str(IPv4Address(mapped)) if mapped else str(IPv6Address(raw))


def _event(ring: mmap.mmap, at: int) -> Event:
    (kind, reason, _, protocol, _, in_port, out_port, source_port, destination_port, _, sequence, _, _,
     source, destination, rule, _, _, _, packets, *_) = _EVENT.unpack_from(ring, at)
    name, verdict = REASONS.get(reason, (str(reason), "drop"))
    return Event(kind, name, verdict, protocol, in_port, out_port, _address(source), source_port,
                 _address(destination), destination_port, sequence, None if rule == NONE else rule, packets)
