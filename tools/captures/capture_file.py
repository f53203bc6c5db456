"""Writers of capture files: pcap in its four shapes, and pcapng with several interfaces.

The formats are written out here and not taken from a library, so that the reader under test meets an
independent writer; `tcpdump -r` reads what these functions write.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Literal, Sequence

Order = Literal["little", "big"]
LINKTYPE_ETHERNET = 1
PCAP_MICROSECONDS = 0xA1B2C3D4
PCAP_NANOSECONDS = 0xA1B23C4D


@dataclass(frozen=True)
class Record:
    """A frame and when it was seen, in nanoseconds since 1970."""

    time: int
    frame: bytes
    interface: int = 0
    comment: str = ""


def _mark(order: Order) -> str:
    return "<" if order == "little" else ">"


def pcap_header(*, order: Order = "little", nanoseconds: bool = False, snaplen: int = 262144,
                linktype: int = LINKTYPE_ETHERNET) -> bytes:
    magic = PCAP_NANOSECONDS if nanoseconds else PCAP_MICROSECONDS
    return struct.pack(_mark(order) + "IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)


def pcap_record(record: Record, *, order: Order = "little", nanoseconds: bool = False,
                captured: int | None = None, original: int | None = None) -> bytes:
    """`captured` and `original` override the two lengths that the record states."""
    seconds, rest = divmod(record.time, 10**9)
    return struct.pack(_mark(order) + "IIII", seconds, rest if nanoseconds else rest // 1000,
                       len(record.frame) if captured is None else captured,
                       len(record.frame) if original is None else original) + record.frame


def write_pcap(path: Path, records: Iterable[Record], *, order: Order = "little",
               nanoseconds: bool = False) -> None:
    path.write_bytes(pcap_header(order=order, nanoseconds=nanoseconds) + b"".join(
        pcap_record(r, order=order, nanoseconds=nanoseconds) for r in records))


def pcapng_option(code: int, value: bytes, *, order: Order = "little") -> bytes:
    return struct.pack(_mark(order) + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def pcapng_block(kind: int, body: bytes, *, order: Order = "little", length: int | None = None,
                 trailer: int | None = None) -> bytes:
    """`length` and `trailer` override the block's two statements of its own length."""
    body += bytes(-len(body) % 4)
    real = len(body) + 12
    return struct.pack(_mark(order) + "II", kind, real if length is None else length) + body + \
        struct.pack(_mark(order) + "I", real if trailer is None else trailer)


def pcapng_section(*, order: Order = "little") -> bytes:
    return pcapng_block(0x0A0D0D0A, struct.pack(_mark(order) + "IHHq", 0x1A2B3C4D, 1, 0, -1),
                        order=order)


def pcapng_interface(name: str, *, order: Order = "little", nanoseconds: bool = True) -> bytes:
    """An interface of nanosecond resolution, or of the default: microseconds."""
    options = pcapng_option(2, name.encode(), order=order)
    if nanoseconds:
        options += pcapng_option(9, b"\x09", order=order)
    options += pcapng_option(0, b"", order=order)
    return pcapng_block(1, struct.pack(_mark(order) + "HHI", LINKTYPE_ETHERNET, 0, 262144) + options,
                        order=order)


def pcapng_packet(record: Record, *, order: Order = "little", nanoseconds: bool = True,
                  captured: int | None = None) -> bytes:
    ticks = record.time if nanoseconds else record.time // 1000
    frame = record.frame
    body = struct.pack(_mark(order) + "IIIII", record.interface, ticks >> 32, ticks & 0xFFFFFFFF,
                       len(frame) if captured is None else captured, len(frame))
    body += frame + bytes(-len(frame) % 4)
    if record.comment:
        body += pcapng_option(1, record.comment.encode(), order=order) + \
            pcapng_option(0, b"", order=order)
    return pcapng_block(6, body, order=order)


def write_pcapng(path: Path, interfaces: Sequence[str], records: Iterable[Record], *,
                 order: Order = "little", nanoseconds: bool = True) -> None:
    path.write_bytes(pcapng_section(order=order) +
                     b"".join(pcapng_interface(name, order=order, nanoseconds=nanoseconds)
                              for name in interfaces) +
                     b"".join(pcapng_packet(r, order=order, nanoseconds=nanoseconds) for r in records))
