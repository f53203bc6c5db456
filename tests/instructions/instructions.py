#!/usr/bin/env python3
"""Compares the instructions that a packet costs the fast path with the figures that were kept.

    tests/instructions/instructions.py PROGRAM OPTIMISATION

PROGRAM is build/dataplane/fastpath/instructions; valgrind's callgrind counts what it does between two
bursts, which is the same on every machine. A case that costs 5 % more than in kept.json fails, and so does
one that costs 5 % less: then the figure is too old to guard anything. UPDATE_EXPECT=1 writes it anew; say
in the commit why. Ends with 77 (skipped) where there is no valgrind, or the build is not the release one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(__file__).resolve().parent / "kept.json"
CASES = ("known-v4", "known-v6", "known-nat", "new-v4", "new-v6", "new-nat")
TOLERANCE = 0.05
SKIPPED = 77


def count(program: Path, case: str, out: Path) -> float:
    """Instructions of a packet."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
         "--toggle-collect=measured", program, case], capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or collected is None:
        raise SystemExit(f"{case}: valgrind ended with {run.returncode}:\n{run.stderr}")
    return int(collected.group(1)) / int(run.stdout)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    program, optimisation = Path(sys.argv[1]), sys.argv[2]
    if shutil.which("valgrind") is None:
        print("SKIPPED: there is no valgrind; Debian's package of that name has it (tools/packages test)")
        return SKIPPED
    if optimisation not in ("2",):
        print(f"SKIPPED: the figures are of -Doptimization=2, and this build has {optimisation}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as directory:
        got = {case: round(count(program, case, Path(directory) / case), 1) for case in CASES}
    if os.environ.get("UPDATE_EXPECT"):
        KEPT.write_text(json.dumps(got, indent=2) + "\n")
    kept = json.loads(KEPT.read_text())
    bad = 0
    print(f"{'instructions a packet':24}{'kept':>10}{'now':>10}")
    for case, now in got.items():
        was = kept.get(case)
        wrong = was is None or abs(now / was - 1) > TOLERANCE
        bad += wrong
        change = "not kept" if was is None else f"{now / was - 1:+.1%}"
        print(f"{case:24}{was or '-':>10}{now:>10}  {change}{'  FAILED' if wrong else ''}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
