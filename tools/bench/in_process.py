"""The fast path alone, in one process and without ports: dataplane/fastpath/pipeline_bench, row by row."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from contenders import Bench, Failed, Rate

# Each packet is copied to its place first (a flood of new ones likewise): that is in the rate.
ROWS = {
    "known flows, 16 k": "known_flows/burst:64/flows:16384/kind:0",
    "known flows, 0.5 M": "known_flows/burst:64/flows:524288/kind:0",
    "known flows, 4 M": "known_flows/burst:64/flows:4194304/kind:0",
    "known flows, 0.5 M, IPv6": "known_flows/burst:64/flows:524288/kind:1",
    "known flows, 0.5 M, translated": "known_flows/burst:64/flows:524288/kind:2",
    "known flows, 0.5 M, IMIX": "known_flows/burst:64/flows:524288/kind:3",
    "new flows, table of 1 M": "new_flows",
}


class InProcess:
    """One row of it, on the worker's core."""

    package = "libbenchmark-dev"

    def __init__(self, program: Path, name: str) -> None:
        if not program.exists():
            raise Failed(f"{program} is not built: run 'ninja -C build dataplane/fastpath/pipeline_bench' first "
                         "('tools/packages bench' installs what it needs)")
        self.program = program
        self.name = name
        self.flow_bytes: float | None = None
        self.command: list[str] = []

    def measure(self, bench: Bench) -> Rate:
        command = [self.program, f"--benchmark_filter=^{ROWS[self.name]}$", "--benchmark_format=json",
                   f"--benchmark_min_time={bench.window_seconds}"]
        self.command = [str(word) for word in command]
        run = subprocess.run(command, capture_output=True, text=True, check=False,
                             preexec_fn=lambda: os.sched_setaffinity(0, {bench.worker_core}))
        try:
            (row,) = json.loads(run.stdout)["benchmarks"]
            if row.get("error_occurred"):
                raise Failed(f"{self.name}: {row['error_message']}")
            self.flow_bytes = row.get("flow_bytes")
            # By the time of the processor: what others take of it is not in the rate.
            return Rate(row["items_per_second"], 0.0)
        except (ValueError, KeyError) as error:
            raise Failed(f"{self.name}: {self.program} ended with {run.returncode}: {run.stderr[-500:]}") from error
