"""Whole provinces to measure with, written once and kept in the build directory."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def province(build: Path, scale: float, seed: int = 1) -> tuple[Path, str]:
    """The directory of a province and the line that its maker printed."""
    directory = build / "bench-policy" / f"province-{scale:g}-{seed}"
    said = directory.parent / f"{directory.name}.txt"
    maker = ROOT / "tools/generate/province"
    stamp = f"{maker.stat().st_mtime_ns}\n"
    if not said.exists() or not said.read_text().startswith(stamp):
        subprocess.run(["rm", "-rf", directory], check=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        print(f"writing {directory}", file=sys.stderr)
        made = subprocess.run([maker, directory, "--scale", f"{scale:g}", "--seed", str(seed)], check=True, text=True,
                              stdout=subprocess.PIPE)
        said.write_text(stamp + made.stdout)
    return directory, said.read_text().split("\n")[1]


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"
