"""What people use to see whether they get through: curl, ping, dig, traceroute, iperf3."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterator

from lab import Bench, Namespace, true, wait_until


def url(address: str, port: int, path: str = "/") -> str:
    return f"http://[{address}]:{port}{path}" if ":" in address else f"http://{address}:{port}{path}"


def curl(where: Namespace, address: str, port: int, seconds: float = 3) -> str | None:
    """The page's one line; None where no connection came about in time."""
    done = where.run("curl", "-sS", "--connect-timeout", f"{seconds}", "-m", "10", url(address, port))
    return done.stdout.strip() if done.returncode == 0 else None


def dig(where: Namespace, server: str, kind: str = "A", *more: str) -> str:
    done = where.run("dig", "+short", "+tries=1", "+timeout=2", *more, f"@{server}",
                     "approval.nanchangxian.example", kind)
    return done.stdout.strip() if done.returncode == 0 else ""


@dataclass
class Ping:
    sent: int
    received: int
    output: str


def ping(where: Namespace, address: str, *more: str, count: int = 3) -> Ping:
    done = where.run("ping", "-n", "-c", str(count), "-i", "0.05", "-W", "2", *more, address)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
    return Ping(int(found[1]), int(found[2]), done.stdout) if found else Ping(0, 0, done.stdout + done.stderr)


def traceroute(where: Namespace, address: str, *more: str) -> list[str]:
    """The address of each hop, `*` for one that does not answer."""
    done = where.run("traceroute", "-n", "-q", "1", "-w", "2", "-m", "5", *more, address)
    return [line.split()[1] for line in done.stdout.splitlines()[1:]]


@contextmanager
def iperf_server(bench: Bench, host: str, address: str, port: int) -> Iterator[None]:
    server = bench[host].start("iperf3-server", "iperf3", "-s", "-B", address, "-p", str(port))
    wait_until(lambda: server.listens(port), "iperf3 listens")
    try:
        yield
    finally:
        server.stop()


def iperf(where: Namespace, address: str, port: int, *more: str, seconds: int = 2) -> dict[str, Any]:
    """The `end` of iperf3's report."""
    done = where.run("iperf3", "-c", address, "-p", str(port), "-t", str(seconds), "-J",
                     "--connect-timeout", "3000", *more, seconds=seconds + 15)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"iperf3 says nothing: {done.stdout}{done.stderr}") from None
    if "error" in report:
        raise AssertionError(f"iperf3: {report['error']}")
    return report["end"]


def had_no_room(bench: Bench, receiver: str) -> int:
    """What a busy machine lost so far: frames that the gateway's ports or the kernel's own queues had no room for,
    and datagrams that a program at `receiver` did not read in time.
    """
    keys, values = (line.split()[1:] for line in bench[receiver].run("cat", "/proc/net/snmp").stdout.splitlines()
                    if line.startswith("Udp:"))
    over_ipv6 = re.search(r"^Udp6RcvbufErrors\s+(\d+)", bench[receiver].run("cat", "/proc/net/snmp6").stdout, re.M)
    queues = bench[receiver].run("cat", "/proc/net/softnet_stat").stdout.splitlines()
    return (bench.missed() + int(values[keys.index("RcvbufErrors")]) + int(over_ipv6[1] if over_ipv6 else 0)
            + sum(int(line.split()[1], 16) for line in queues))


@contextmanager
def nothing_lost(bench: Bench, receiver: str) -> Iterator[list[dict[str, Any]]]:
    """For the ends of reports of iperf3 over UDP, which lost nothing but what the machine itself had no room for."""
    ended: list[dict[str, Any]] = []
    before = had_no_room(bench, receiver)
    yield ended
    lost, no_room = sum(end["sum"]["lost_packets"] for end in ended), had_no_room(bench, receiver) - before
    true(lost <= no_room, f"datagrams lost: {lost}, of which the machine had no room for {no_room}")
