"""The cases through the real data plane: a capture comes in by a net_pcap device, another goes out by it.

No interface, no namespace and no root is needed. What became of each packet is told by the data plane's
own trace events, which are switched on before it is given its policy.
"""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Sequence

from .case import Case, frame
from .judge import PLAIN, Said, World, c, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from channel import DENIAL, PACKET, DataPlane  # noqa: E402

# The trace begins behind the first burst that a worker takes: so much goes before what is looked at.
LEAD = [frame(bytes(46), ethertype=0x88B5)] * 128


@dataclass
class Seen:
    """What the data plane did with a capture."""

    said: list[Said]                                         # in order; of one worker only
    sent: list[bytes]                                        # the frames that went out
    counted: Counter[str] = field(default_factory=Counter)   # packets by reason
    told: Counter[str] = field(default_factory=Counter)      # packets by reason, in denial events
    events: Counter[str] = field(default_factory=Counter)    # denial events by reason
    lost: int = 0


def run(build: Path, cases: Sequence[Case], directory: Path, workers: int = 1, seconds: float = 30,
        world: World = PLAIN) -> Seen:
    """Judges all packets of the cases, none of which may need time to pass."""
    whose = write(directory / "in.pcap", cases, LEAD)
    image, gateway = directory / "image", directory / "gateway.toml"
    text = world.gateway.read_text(encoding="utf-8")
    gateway.write_text(text.replace("workers = 1", f"workers = {workers}"), "utf-8")
    subprocess.run([str(build / "tools/cli/meiguan"), "policy", "compile", "--policy", str(world.policy), "--gateway",
                    str(gateway), "--out", str(image)], check=True, capture_output=True, timeout=60)
    cores = ",".join(str(n % (os.cpu_count() or 1)) for n in range(workers))
    with started(build, directory, cores) as run_dir, DataPlane(run_dir) as dataplane:
        dataplane.trace(True)
        dataplane.publish(image.read_bytes())
        seen = watch(dataplane, len(whose), workers, seconds, world.ports)
    seen.sent = read_pcap(directory / "out.pcap")
    return seen


@contextlib.contextmanager
def started(build: Path, directory: Path, cores: str) -> Iterator[Path]:
    run_dir = directory / "run"
    for made in (run_dir, directory / "state"):
        made.mkdir()
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(
            [str(build / "dataplane/runtime/meiguan-dataplane"), "--run-dir", "run", "--state-dir", "state",
             "--no-huge", "--memory", "1024", "--flows", "65536", "--events", "65536", "--worker-cores", cores,
             "--lang", "en"],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while not (run_dir / "dataplane.sock").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the data plane does not start:\n{(directory / 'log').read_text()}")
            time.sleep(0.02)
        yield run_dir
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise AssertionError(f"the data plane ended with {process.returncode}:\n{(directory / 'log').read_text()}")


def watch(dataplane: DataPlane, packets: int, workers: int, seconds: float, ports: Sequence[str]) -> Seen:
    fates: dict[int, Said] = {}
    told: Counter[str] = Counter()
    events: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    quiet = 0.0
    # A second longer than the last packet: what was passed over is told when its second is over.
    while quiet < 1.5:
        taken = dataplane.events()
        for event in taken:
            if event.kind == PACKET:
                out = ports[event.out_port] if event.verdict == "forward" else None
                fates[event.sequence - len(LEAD)] = Said(event.verdict, event.reason, out)
            elif event.kind == DENIAL:
                told[event.reason] += event.packets
                events[event.reason] += 1
        ended = sum(dataplane.counters().reasons.values()) - len(LEAD)
        quiet = 0.0 if taken or ended < packets else quiet + 0.05
        if time.monotonic() > deadline:
            raise AssertionError(f"{ended} of {packets} packets have ended after {seconds:g} s")
        time.sleep(0.05)
    counters = dataplane.counters()
    counted = +Counter({name: n for name, n in counters.reasons.items()})
    said = [fates[n] for n in range(packets)] if workers == 1 else []
    return Seen(said, [], counted, told, events, counters.totals["events_lost"])


def read_pcap(path: Path) -> list[bytes]:
    data = path.read_bytes()
    frames, at = [], len(c.pcap_header())
    while at < len(data):
        captured, = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames
