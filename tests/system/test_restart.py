"""The data plane dies and is started again: how long nothing is forwarded, measured with packets."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab import BARE, ROOT, Bench, county, same, test, true, wait_until

UNIT = ROOT / "packaging/systemd/meiguan-dataplane.service"
ADDRESS, ALLOWED, DENIED = "59.205.16.3", 5206, 5300  # finance may use the first port, nobody the other
BACK_WITHIN = 2.0
APART = 0.002  # seconds between two packets of a stream


@dataclass
class Stream:
    """Numbered datagrams at an even pace, and which of them arrived when."""

    source: socket.socket
    sink: socket.socket
    address: tuple[str, int]
    sent: list[float] = field(default_factory=list)
    arrived: dict[int, float] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.sink.bind(self.address)
        self.sink.settimeout(0.05)
        self.threads = [threading.Thread(target=run) for run in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self) -> None:
        while not self.ending.wait(APART):
            self.sent.append(time.monotonic())
            self.source.sendto(b"%d" % (len(self.sent) - 1), self.address)

    def receive(self) -> None:
        while not self.ending.is_set():
            try:
                number = int(self.sink.recv(100))
            except TimeoutError:
                continue
            self.arrived.setdefault(number, time.monotonic())

    def close(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.source.close()
        self.sink.close()

    def sent_between(self, since: float, until: float) -> list[int]:
        return [number for number, at in enumerate(list(self.sent)) if since < at < until]

    def first_after(self, since: float) -> float | None:
        """When the first of those arrived that were sent later."""
        return min((at for number, at in list(self.arrived.items()) if self.sent[number] > since), default=None)


def stream(bench: Bench, port: int) -> Stream:
    return Stream(bench["finance"].socket(socket.AF_INET, socket.SOCK_DGRAM),
                  bench["cloud"].socket(socket.AF_INET, socket.SOCK_DGRAM), (ADDRESS, port))


def seconds_of_unit(key: str) -> float:
    """What the systemd unit says, as in `RestartSec=100ms`."""
    found = re.search(rf"^{key}=(\d+)(ms|s)?$", UNIT.read_text(encoding="utf-8"), re.M)
    true(found, f"{key} in {UNIT.name}")
    return int(found[1]) / (1000 if found[2] == "ms" else 1)


def write_bulk(file: Path, units: int) -> None:
    """As many more units, and for each a rule of its own: the image of a large place."""
    services = units // 4
    blocks = [f'[[service]]\nid = "bulk-{n}"\nzone = "extranet"\n'
              f'endpoints = ["59.205.{96 + n // 250}.{n % 250 + 1}:443/tcp"]\n' for n in range(services)]
    for n in range(units):
        blocks.append(f'[[unit]]\nid = "bulk-{n}"\nzone = "extranet"\n'
                      f'prefixes = ["10.{128 + n // 2048}.{n // 8 % 256}.{n % 8 * 32}/27"]\n'
                      f'[[rule]]\nid = "bulk-{n}"\naction = "allow"\nfrom = ["unit:bulk-{n}"]\n'
                      f'to = ["service:bulk-{n % services}", "service:bulk-{n * 7 % services}"]\n')
    file.write_text("\n".join(blocks), encoding="utf-8")


def killed_and_started(bench: Bench) -> None:
    bench.county = county.County.build(bench.lab, hosts=("finance", "province"))
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(
        bench.lab, bench.driver, without=("59.205.5.57",)))  # the next hop is found by ARP again
    gateway = bench.gateway
    gateway.start()
    gateway.controld.stop()  # its last image is all that it has
    with ExitStack() as stack:
        allowed, denied = (stream(bench, port) for port in (ALLOWED, DENIED))
        stack.callback(allowed.close)
        stack.callback(denied.close)
        wait_until(lambda: len(allowed.arrived) > 100, "a stream through the gateway")
        for round_ in range(3):
            gateway.dataplane.stop(by=signal.SIGKILL)
            killed = time.monotonic()
            wait_until(lambda: len(allowed.sent_between(killed, time.monotonic())) > 100, "packets while it is dead")
            started = time.monotonic()
            gateway.start_dataplane()
            back = wait_until(lambda: allowed.first_after(started), f"round {round_}: forwarding")
            taken = back - started + seconds_of_unit("RestartSec")
            true(taken < BACK_WITHIN, f"round {round_}: back after {taken:.2f} s, with what systemd waits")
            through = [n for n in allowed.sent_between(killed, started - APART) if n in allowed.arrived]
            same(through, [], f"round {round_}: packets sent while nothing ran, and forwarded")
        same(len(denied.arrived), 0, f"of {len(denied.sent)} packets that no rule allows")


@test(BARE)
def killed_data_plane_forwards_nothing_and_is_back_in_two_seconds(bench: Bench) -> None:
    """SIGKILL under traffic: not a packet gets by, and from its start by its last image it takes less than 2 s.
    However often it ends, systemd starts it again: there is no limit after which a box stays dead."""
    for unit in (UNIT, UNIT.with_name("meiguan-controld.service")):
        for line in ("Restart=always", "StartLimitIntervalSec=0"):
            true(f"\n{line}\n" in unit.read_text(encoding="utf-8"), f"{line} in {unit.name}")
    killed_and_started(bench)


@test(BARE)
def killed_data_plane_with_a_large_image_is_back_in_two_seconds(bench: Bench) -> None:
    """The same with the image of thousands of units and rules."""
    write_bulk(bench.policy / "bulk.toml", 8000)
    killed_and_started(bench)
    size = (bench.gateway.state_dir / "image.last").stat().st_size
    true(size > 10 << 20, f"the image is a large one: {size >> 20} MiB")
