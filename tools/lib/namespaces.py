"""Network namespaces with real peers in them, made for one run and gone after it.

Everything lives in namespaces whose names begin with `mg-PID-`, PID being the process that made them;
the root namespace gets no interface, no address and no route. Whoever finds namespaces of a PID that
is no more may clear them away: `clear_leftovers` does.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
NAMED = Path("/run/netns")
LIBC = ctypes.CDLL(None, use_errno=True)

# veth hands over segments and partial checksums as the sender left them; a wire would not.
NO_OFFLOADS = ("rx off tx off sg off tso off gso off gro off txvlan off rxvlan off").split()


class Failed(Exception):
    """Something that was to be made or awaited did not come to be."""


def wait_until(probe: Callable[[], T], what: str, seconds: float = 10) -> T:
    """The first true answer of `probe`; Failed where there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


def await_ready(process: "Process", word: str = "ready", seconds: float = 10) -> None:
    """Waits until the program's output holds the word; Failed where it ends before."""
    wait_until(lambda: word in process.output() or not process.running(),
               f"{process.name} is {word}", seconds)
    if word not in process.output():
        raise Failed(f"{process.name} ended with {process.popen.returncode}\n{process.last_words()}")


class Process:
    """A program in a namespace; its output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, namespace: str) -> None:
        self.name, self.log = name, log
        parent = os.getpid()

        def die_with_parent() -> None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        with log.open("wb") as out:
            # `ip netns exec` replaces itself by the command, so that the process id is the command's.
            self.popen = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, preexec_fn=die_with_parent, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.popen.pid

    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        return "\n".join(self.output().splitlines()[-10:])

    def wait(self, seconds: float) -> int:
        """The exit status, once it has ended by itself."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} has not ended within {seconds:g} s\n{self.last_words()}") from None

    def stop(self, seconds: float = 10, by: signal.Signals = signal.SIGTERM) -> int:
        """Ends it, by force where it does not heed the signal; the exit status."""
        if self.running():
            self.popen.send_signal(by)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def listens(self, port: int) -> bool:
        """Whether some process in its namespace listens on the TCP port."""
        if not self.running():
            raise Failed(f"{self.name} ended with {self.popen.returncode}\n{self.last_words()}")
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                        return True
        return False


class Namespace:
    def __init__(self, lab: "Lab", label: str) -> None:
        self.lab, self.label, self.name = lab, label, f"{lab.prefix}{label}"
        command("ip", "netns", "add", self.name)
        # Addresses are usable at once, and the kernel adds nothing of its own accord.
        for key, value in (("accept_dad", 0), ("accept_ra", 0), ("router_solicitations", 0),
                           ("autoconf", 0), ("mldv2_unsolicited_report_interval", 10**9)):
            self.sysctl(f"net/ipv6/conf/default/{key}", value)
            self.sysctl(f"net/ipv6/conf/all/{key}", value)
        # Who is gone does not send for a minute what nobody answers.
        self.sysctl("net/ipv4/tcp_orphan_retries", 1)
        self.ip("link set lo up")

    def ip(self, *lines: str) -> None:
        """Runs `ip` commands here, all of them or as far as the first that fails."""
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], text=True, capture_output=True,
                              input="".join(line + "\n" for line in lines))
        if done.returncode != 0:
            raise Failed(f"ip in {self.label}: {'; '.join(lines)}: {done.stderr.strip()}")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside for a while: sockets that it makes belong here."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(NAMED / self.name, "rb") as here:
            enter(here.fileno())
            try:
                yield
            finally:
                enter(home.fileno())

    def sysctl(self, key: str, value: object) -> None:
        with self.entered():
            Path("/proc/sys", key).write_text(str(value))

    def run(self, *words: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end; a status of 124 says that it took too long."""
        try:
            return subprocess.run(["ip", "netns", "exec", self.name, *words], text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds,
                                  errors="replace")
        except subprocess.TimeoutExpired as late:
            text = [x.decode(errors="replace") if isinstance(x, bytes) else x or ""
                    for x in (late.stdout, late.stderr)]
            return subprocess.CompletedProcess(words, 124, text[0], text[1])

    def start(self, name: str, *words: str) -> Process:
        return self.lab.start(self, name, words)

    def socket(self, *arguments: int) -> socket.socket:
        with self.entered():
            return socket.socket(*arguments)

    def packet_socket(self, interface: str) -> socket.socket:
        """A raw socket on an interface: sends whole frames, receives all that come in."""
        with self.entered():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind((interface, 3))  # ETH_P_ALL
            return s

    def plain(self, *interfaces: str) -> None:
        """Turns off what a wire does not do for its ends."""
        for interface in interfaces:
            # Not every kind of interface knows every one of these.
            command("ip", "netns", "exec", self.name, "ethtool", "-K", interface, *NO_OFFLOADS,
                    check=False)

    def wire_only(self, interface: str) -> None:
        """The kernel has no IP of its own here: the interface is somebody else's wire."""
        self.sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", 1)
        self.ip(f"link set {interface} arp off up")

    def statistics(self, interface: str) -> dict[str, int]:
        """rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, ... of the kernel."""
        out = command("ip", "-n", self.name, "-j", "-s", "link", "show", interface)
        counted = json.loads(out)[0]["stats64"]
        return {f"{way}_{key}": n for way in ("rx", "tx") for key, n in counted[way].items()}


class Lab:
    """The namespaces, cables and processes of one run. Use it as a context manager."""

    def __init__(self) -> None:
        clear_leftovers()
        Lab._count += 1
        self.prefix = f"mg-{os.getpid()}-" + (f"{Lab._count}-" if Lab._count > 1 else "")
        self.namespaces: dict[str, Namespace] = {}
        self.processes: list[Process] = []
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.prefix}meiguan-"))
        self._logs = 0
        self._open = True
        atexit.register(self.close)

    _count = 0

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, label: str) -> Namespace:
        return self.namespaces[label]

    def namespace(self, label: str) -> Namespace:
        made = Namespace(self, label)
        self.namespaces[label] = made
        return made

    def cable(self, one: Namespace, one_end: str, other: Namespace, other_end: str) -> None:
        """A veth pair, without offloads; both ends are still down."""
        one.ip(f"link add {one_end} type veth peer name {other_end} netns {other.name}")
        one.plain(one_end)
        other.plain(other_end)

    def start(self, where: Namespace, name: str, words: Sequence[str]) -> Process:
        self._logs += 1
        process = Process(name, words, self.directory / f"{self._logs:02}-{name}.log", where.name)
        self.processes.append(process)
        return process

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        atexit.unregister(self.close)
        with _signals_held():
            for process in reversed(self.processes):
                process.stop(5)
            for label in list(self.namespaces):
                _remove_namespace(self.namespaces.pop(label).name)
            for process in self.processes:
                shutil.rmtree(f"/run/dpdk/meiguan-{process.pid}", ignore_errors=True)
            shutil.rmtree(self.directory, ignore_errors=True)


def command(*words: str, check: bool = True, seconds: float = 30) -> str:
    done = subprocess.run(words, text=True, capture_output=True, timeout=seconds,
                          stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def clear_leftovers() -> list[str]:
    """Takes away what a run left behind whose process is gone; the names of the namespaces."""
    cleared = []
    for name in sorted(p.name for p in NAMED.glob("mg-*-*")) if NAMED.is_dir() else []:
        owner = re.match(r"mg-(\d+)-", name)
        if owner and not Path("/proc", owner[1]).exists():
            _remove_namespace(name)
            cleared.append(name)
    for directory in Path(tempfile.gettempdir()).glob("mg-*-meiguan-*"):
        owner = re.match(r"mg-(\d+)-", directory.name)
        if owner and not Path("/proc", owner[1]).exists():
            shutil.rmtree(directory, ignore_errors=True)
    for directory in Path("/run/dpdk").glob("meiguan-*"):  # of data planes that were killed hard
        owner = re.fullmatch(r"meiguan-(\d+)", directory.name)
        if owner and not Path("/proc", owner[1]).exists():
            shutil.rmtree(directory, ignore_errors=True)
    return cleared


def end_cleanly_on_signals() -> None:
    """Ctrl-C and a request to end become exceptions, so that what was made is taken away."""

    def interrupted(number: int, _frame: object) -> None:
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Cleaning up is not interrupted; what came meanwhile comes afterwards."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove_namespace(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = [int(pid) for pid in command("ip", "netns", "pids", name, check=False).split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if not pids:
            break
        with contextlib.suppress(Failed):
            wait_until(lambda: not command("ip", "netns", "pids", name, check=False).split(),
                       "processes of a namespace", 3)
    command("ip", "netns", "del", name, check=False)


def enter(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
