"""The gateway's programs in a namespace: the data plane, the control plane, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from namespaces import Failed, Lab, Namespace, Process, wait_until


def small(megabytes: int = 512) -> tuple[str, ...]:
    """Small tables and no huge pages: a demonstration and the tests need neither, and any machine has it."""
    return "--no-huge", "--memory", str(megabytes), "--flows", "65536"


def programs(build: Path) -> dict[str, Path]:
    return {"meiguan": build / "tools/cli/meiguan",
            "meiguan-dataplane": build / "dataplane/runtime/meiguan-dataplane",
            "meiguan-controld": build / "controlplane/daemon/meiguan-controld"}


@dataclass
class Gateway:
    """One appliance. Its run and state directories lie in the lab's."""

    lab: Lab
    where: Namespace
    build: Path
    policy: Path
    file: Path
    language: str = "en"
    options: tuple[str, ...] = small()
    run_dir: Path = field(init=False)
    state_dir: Path = field(init=False)
    dataplane: Process | None = None
    controld: Process | None = None
    appliance: Path | None = None  # the appliance file
    more_of_controld: tuple[str, ...] = ()  # options

    def __post_init__(self) -> None:
        self.run_dir = self.lab.directory / "run"
        self.state_dir = self.lab.directory / "state"
        self.run_dir.mkdir(exist_ok=True)
        self.state_dir.mkdir(exist_ok=True)

    def start(self) -> None:
        """Both programs, until the policy is in force."""
        self.start_dataplane()
        self.start_controld()
        self.await_image()

    def start_dataplane(self, *more: str) -> Process:
        self.dataplane = self.where.start(
            "meiguan-dataplane", str(programs(self.build)["meiguan-dataplane"]), "--run-dir", str(self.run_dir),
            "--state-dir", str(self.state_dir), "--lang", self.language, *self.options, *more)
        self._await(self.dataplane, lambda: (self.run_dir / "dataplane.sock").exists(), "the command socket")
        return self.dataplane

    def start_controld(self, ready: Callable[[], object] | None = None) -> Process:
        self.controld = self.where.start(
            "meiguan-controld", str(programs(self.build)["meiguan-controld"]), "--run-dir", str(self.run_dir),
            "--state-dir", str(self.state_dir), "--policy", str(self.policy), "--gateway", str(self.file),
            *(("--appliance", str(self.appliance)) if self.appliance else ()),
            *self.more_of_controld)
        self._await(self.controld, ready or (lambda: self.ask("status").returncode == 0),
                    "an answer to `meiguan status`")
        return self.controld

    def await_image(self) -> None:
        assert self.controld
        self._await(self.controld, self.in_force, "a policy in force")

    def in_force(self) -> bool:
        """Whether the daemon's policy is the data plane's."""
        status = self.json("status")
        return bool(status and status["policy"].get("in_force"))

    def _await(self, process: Process, probe: Any, what: str) -> None:
        def look() -> bool:
            if not process.running():
                raise Failed(f"{process.name} ended with {process.popen.returncode}\n{process.last_words()}")
            return bool(probe())

        wait_until(look, what, 20)

    def ask(self, *words: str, language: str | None = None) -> subprocess.CompletedProcess[str]:
        """The command line, run beside the daemon. Files are named by absolute paths."""
        return subprocess.run(
            [str(programs(self.build)["meiguan"]), "--run-dir", str(self.run_dir),
             "--lang", language or self.language, *words],
            text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
            env={**os.environ, "NO_COLOR": "1"})

    def json(self, *words: str) -> Any:
        """The answer as JSON; None where the daemon cannot be asked."""
        done = self.ask("-o", "json", *words, language="en")
        if done.returncode not in (0, 1) or not done.stdout.strip():
            return None
        return json.loads(done.stdout)

    def stop(self) -> None:
        for process in (self.controld, self.dataplane):
            if process:
                process.stop()
