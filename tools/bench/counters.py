"""Reads the data plane's counter segment (dataplane/fastpath/counters.h) over its command channel."""

from __future__ import annotations

import mmap
import os
import re
import socket
import struct
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = struct.Struct("=IIII")  # of a message: version, type, status, bytes (dataplane/channel/channel.h)
HELLO = 1
SEGMENT = struct.Struct("=QIIIIIIQQ")  # SegmentHeader
MAGIC = 0x31544E434E41474D
REASONS = 128
REASON = struct.Struct("=QQ")  # packets, bytes


def protocol_version() -> int:
    text = (ROOT / "dataplane/channel/channel.h").read_text(encoding="utf-8")
    return int(re.search(r"kVersion = (\d+);", text)[1])


def reason_names() -> dict[int, str]:
    text = (ROOT / "dataplane/fastpath/reason.def").read_text(encoding="utf-8")
    return {int(code): name for name, code in re.findall(r'^REASON\(\w+, "([a-z0-9-]+)", \w+, (\d+),', text, re.M)}


class Counters:
    """The packets that ended by each reason, over all workers."""

    def __init__(self, command_socket: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
            channel.settimeout(10)
            channel.connect(str(command_socket))
            channel.send(HEADER.pack(protocol_version(), HELLO, 0, 0))
            answer, descriptors, _, _ = socket.recv_fds(channel, 65536, 16)
        try:
            _, kind, status, _ = HEADER.unpack_from(answer)
            if (kind, status) != (HELLO, 0) or not descriptors:
                raise RuntimeError("the data plane does not hand out its counters")
            self.memory = mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        magic, self.blocks, *_, self.block_bytes, self.first = SEGMENT.unpack_from(self.memory)
        if magic != MAGIC:
            raise RuntimeError("the data plane's counters are of another build")
        self.names = reason_names()

    def packets(self) -> dict[str, int]:
        """By the name of the reason."""
        totals: dict[str, int] = {}
        for block in range(self.blocks):
            at = self.first + block * self.block_bytes
            for code in range(REASONS):
                packets, _ = REASON.unpack_from(self.memory, at + code * REASON.size)
                if packets:
                    name = self.names.get(code, f"reason-{code}")
                    totals[name] = totals.get(name, 0) + packets
        return totals
