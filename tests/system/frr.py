"""A real FRR in a namespace: zebra and routing daemons, with files and sockets of their own."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from lab import Bench, Failed, wait_until
from namespaces import Process

DAEMONS = Path("/usr/lib/frr")


class Frr:
    def __init__(self, bench: Bench, host: str, configuration: dict[str, str]) -> None:
        """`configuration` has what each routing daemon reads, by its name."""
        self.host = host
        self.directory = bench.lab.directory / f"frr-{host}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        # Its daemons give up root.
        shutil.chown(self.directory, "frr", "frr")
        bench.lab.directory.chmod(0o711)
        self.namespace = bench[host]
        self.processes: list[Process] = []
        for daemon, text in {"zebra": "", **configuration}.items():
            file = self.directory / f"{daemon}.conf"
            file.write_text(f"hostname {host}\n{text}", encoding="utf-8")
            self._start(daemon, file)

    def _start(self, daemon: str, file: Path) -> None:
        process = self.namespace.start(
            f"{daemon}-{self.host}", str(DAEMONS / daemon), "--log", "stdout",
            "--socket", str(self.directory / "zserv.api"), "--vty_socket", str(self.directory),
            "--vty_port", "0", "--pid_file", str(self.directory / f"{daemon}.pid"), "--config_file", str(file))
        self.processes.append(process)

        def listens() -> bool:
            if not process.running():
                raise Failed(f"{process.name} ended with {process.popen.returncode}\n{process.last_words()}")
            # The others look for zebra once, and then again after ten seconds.
            return (self.directory / f"{daemon}.vty").exists() and (self.directory / "zserv.api").exists()

        wait_until(listens, f"{process.name} listens")

    def kill(self) -> None:
        """At once, so that nobody is told."""
        for process in self.processes:
            process.stop(by=signal.SIGKILL)
