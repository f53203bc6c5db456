"""The cases as captures, and what `meiguan replay` says of them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

from .case import Case, Sent, c

HERE = Path(__file__).parent


@dataclass(frozen=True)
class World:
    """A policy and a gateway, the names of whose ports are in the order of the file."""

    policy: Path
    gateway: Path
    ports: tuple[str, ...]


PLAIN = World(HERE / "world.toml", HERE / "gateway.toml", ("lan", "wan", "slim", "internet", "dmz"))
BOUNDARY = World(HERE / "boundary.toml", HERE / "boundary_gateway.toml",
                 ("lan", "wan", "internet", "dmz", "vpn", "exchange"))
START = 1_780_300_800_000_000_000  # ns
STEP = 1_000_000                   # between packets: a quick sender


@dataclass(frozen=True)
class Said:
    """What somebody says of a packet."""

    verdict: str
    reason: str
    out: str | None  # of a packet that is forwarded

    def __str__(self) -> str:
        return f"{self.verdict} {self.reason}{f' to {self.out}' if self.out else ''}"


def wanted(sent: Sent) -> Said:
    return Said(sent.verdict, sent.reason, sent.out)


def write(path: Path, cases: Iterable[Case], lead: Sequence[bytes] = ()) -> list[tuple[Case, Sent]]:
    """One capture of all their frames, in order and behind the lead; whose each is."""
    records, whose, time = [c.Record(START, frame) for frame in lead], [], START
    for case in cases:
        for sent in case.sent:
            time += STEP + int(sent.wait * 1e9)
            records.append(c.Record(time, sent.frame))
            whose.append((case, sent))
    c.write_pcap(path, records)
    return whose


def replay(meiguan: Path, capture: Path, written: Path | None = None, world: World = PLAIN) -> list[Said]:
    words = [str(meiguan), "replay", "--policy", str(world.policy), "--gateway", str(world.gateway), "--in",
             f"lan={capture}", "-o", "jsonl"]
    if written:
        words += ["--write", str(written)]
    done = subprocess.run(words, text=True, capture_output=True, timeout=60)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"{' '.join(words)}: ended with {done.returncode}\n{done.stderr}")
    return [Said(row["verdict"], row["reason"], row["out"] if row["verdict"] == "forward" else None)
            for row in map(json.loads, done.stdout.splitlines())]


def differences(whose: list[tuple[Case, Sent]], said: list[Said], by: str) -> list[str]:
    """A line for each packet of which something else is said than the table says."""
    lines = [f"{by}: {len(said)} packets, {len(whose)} were sent"] if len(said) != len(whose) else []
    number: dict[str, int] = {}
    for (case, sent), got in zip(whose, said):
        at = number[case.name] = number.get(case.name, -1) + 1
        if got != (want := wanted(sent)):
            lines.append(f"{by}: {case.name} {at}: {got}; want {want}; frame {sent.frame[:120].hex()}")
    return lines
