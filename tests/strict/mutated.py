"""Frames of the matrix with some of their bytes changed: nobody says what becomes of them, only that all agree."""

from __future__ import annotations

import random
import struct
from typing import Iterator

from .case import Case, Sent, p
from .leaving import packet_in
from .table import CASES


def cases(seed: int, count: int) -> Iterator[Case]:
    """As many; none is for another station, which a live gateway would have to ask for."""
    source = random.Random(seed)
    sound = [s.frame for case in CASES for s in case.sent if s.verdict == "forward" and len(s.frame) < 2000]
    for n in range(count):
        frame = change(source, bytearray(source.choice(sound)))
        yield Case(f"mutated-{n}", f"seed {seed}", (Sent(frame, "", ""),))


def change(source: random.Random, frame: bytearray) -> bytes:
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    four = frame[at] >> 4 == 4
    destination = range(at + 16, at + 20) if four else range(at + 24, at + 40)
    end = at + len(packet_in(bytes(frame))[1])
    for _ in range(source.choice((1, 1, 1, 2, 3, 8))):
        # Headers are where it matters; the first bytes are a MAC, of which a pipeline sees the group bit.
        place = source.randrange(6, min(end, at + 80))
        if place in destination:
            continue
        frame[place] = source.choice((0, 1, 0xFF, 0x7F, frame[place] ^ 1 << source.randrange(8), source.randrange(256)))
    if four and frame[at] >> 4 == 4 and source.random() < 0.8:
        mend(frame, at)
    if source.random() < 0.1:
        del frame[source.randrange(10, len(frame)):]
    return bytes(frame)


def mend(frame: bytearray, at: int) -> None:
    """A header checksum that holds, so that what is behind it is looked at."""
    end = at + (frame[at] & 15) * 4
    if end >= at + 20 and end <= len(frame):
        frame[at + 10:at + 12] = b"\0\0"
        frame[at + 10:at + 12] = struct.pack("!H", p.checksum(bytes(frame[at:end])))
