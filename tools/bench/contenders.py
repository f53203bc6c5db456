"""What is measured: each starts a program on the same captures, warms it up and counts over a window."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from counters import Counters

START_SECONDS = 60.0  # to fill the packet buffers from the captures


@dataclass(frozen=True)
class Bench:
    """What all contenders share."""

    directory: Path       # of the captures; logs go there too
    main_core: int
    worker_core: int
    buffers: int          # packet buffers, more than the captures have packets
    flow_capacity: int
    warm_up_seconds: float
    window_seconds: float


@dataclass(frozen=True)
class Rate:
    packets_per_second: float  # that went through
    dropped_share: float       # of those that came in
    disturbed: bool = False    # other programs took processor time meanwhile
    core_share: float = 1.0    # of the worker core's time that the program had

    @property
    def of_whole_core(self) -> float:
        """Packets a second, had the worker core been its own."""
        return self.packets_per_second / max(self.core_share, 1e-3)


class Failed(Exception):
    """A program did not start or did not answer; the message has its last words."""


def last_words(log: Path, what: str) -> Failed:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return Failed("\n".join([f"{what}; the end of {log}:", *(f"  {line}" for line in lines[-12:])]))


def core_seconds(pid: int, core: int) -> float:
    """Processor time of the threads that run on this core alone."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            if os.sched_getaffinity(int(task.name)) == {core}:
                total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass  # the thread has ended
    return total / 1e9


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Testpmd:
    """dpdk-testpmd with one forwarding core between the two ports."""

    package = "dpdk-dev"

    def __init__(self, mode: str) -> None:
        self.name = f"testpmd {mode}"
        self.mode = mode
        self.command: list[str] = []

    def measure(self, bench: Bench) -> Rate:
        log = bench.directory / f"testpmd-{self.mode}.log"
        command = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", f"0@{bench.main_core},1@{bench.worker_core}",
                   "--main-lcore", "0", "--in-memory", "--no-telemetry", "--no-pci", "--log-level", "*:warning"]
        for number, name in enumerate(("lan", "wan")):
            command += ["--vdev",
                        f"net_pcap{number},rx_pcap={bench.directory.resolve() / name}.pcap,infinite_rx=1"]
        command += ["--", "--interactive", "--nb-cores=1", f"--forward-mode={self.mode}",
                    f"--total-num-mbufs={bench.buffers}"]
        self.command = command
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        try:
            self._say(process, "start")
            self._wait_for(process, log, "packet forwarding - ports=2", START_SECONDS)
            time.sleep(bench.warm_up_seconds)
            received, sent, at = self._statistics(process, log, 1)
            used = core_seconds(process.pid, bench.worker_core)
            time.sleep(bench.window_seconds)
            received2, sent2, at2 = self._statistics(process, log, 2)
            used = core_seconds(process.pid, bench.worker_core) - used
            self._say(process, "quit")
            process.wait(30)
            came = received2 - received
            return Rate((sent2 - sent) / (at2 - at), max(0.0, 1 - (sent2 - sent) / came) if came else 1.0,
                        core_share=used / (at2 - at))
        finally:
            stop(process)

    @staticmethod
    def _say(process: subprocess.Popen[bytes], line: str) -> None:
        assert process.stdin
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()

    def _wait_for(self, process: subprocess.Popen[bytes], log: Path, text: str, seconds: float,
                  times: int = 1) -> str:
        limit = time.monotonic() + seconds
        while (said := log.read_text(errors="replace")).count(text) < times:
            if process.poll() is not None or time.monotonic() > limit:
                raise last_words(log, f"{self.name} does not run")
            time.sleep(0.002)
        return said

    def _statistics(self, process: subprocess.Popen[bytes], log: Path, times: int) -> tuple[int, int, float]:
        """Packets received and sent by both ports, and when."""
        asked = time.monotonic()
        self._say(process, "show port stats all")
        # The block of each port ends with its rate of transmission.
        said = self._wait_for(process, log, "Tx-bps", 10, 2 * times)
        read = (asked + time.monotonic()) / 2
        received = [int(n) for n in re.findall(r"RX-packets:\s*(\d+)", said)][-2:]
        sent = [int(n) for n in re.findall(r"TX-packets:\s*(\d+)", said)][-2:]
        return sum(received), sum(sent), read


class Meiguan:
    """Our data plane with one worker."""

    name = "meiguan"
    package = ""

    def __init__(self, dataplane: Path, image: Path) -> None:
        self.dataplane = dataplane
        self.image = image
        self.command: list[str] = []

    def measure(self, bench: Bench) -> Rate:
        log = bench.directory / "meiguan-dataplane.log"
        run, state = bench.directory / "run", bench.directory / "state"
        for directory in (run, state):
            directory.mkdir(exist_ok=True)
            for old in directory.iterdir():
                old.unlink()
        command = [self.dataplane, "--run-dir", run, "--state-dir", state, "--image", self.image,
                   "--main-core", str(bench.main_core), "--worker-cores", str(bench.worker_core),
                   "--packets", str(bench.buffers), "--flows", str(bench.flow_capacity)]
        self.command = [str(word) for word in command]
        with log.open("wb") as out:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT)
        try:
            counters = self._wait_for_traffic(process, log, run / "dataplane.sock")
            time.sleep(bench.warm_up_seconds)
            before, at, used = counters.packets(), time.monotonic(), core_seconds(process.pid, bench.worker_core)
            time.sleep(bench.window_seconds)
            after, at2 = counters.packets(), time.monotonic()
            used = core_seconds(process.pid, bench.worker_core) - used
            if process.poll() is not None:
                raise last_words(log, "meiguan-dataplane ended by itself")
            grown = {name: count - before.get(name, 0) for name, count in after.items()}
            forwarded, all_ended = grown.get("allowed", 0), sum(grown.values())
            return Rate(forwarded / (at2 - at), 1 - forwarded / all_ended if all_ended else 1.0,
                        core_share=used / (at2 - at))
        finally:
            stop(process)

    @staticmethod
    def _wait_for_traffic(process: subprocess.Popen[bytes], log: Path, command_socket: Path) -> Counters:
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit and process.poll() is None:
            try:
                counters = Counters(command_socket)
            except OSError:
                time.sleep(0.05)
                continue
            while time.monotonic() < limit and process.poll() is None:
                if counters.packets().get("allowed"):
                    return counters
                time.sleep(0.05)
        raise last_words(log, "meiguan-dataplane forwards nothing")
