"""What the system tests share: their register, the lab of a setup, and measurements in it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/lib"))

import county  # noqa: E402
from channel import Counters, DataPlane, drops  # noqa: E402
from gateway import Gateway, programs, small  # noqa: E402
from namespaces import Failed, Lab, Namespace, end_cleanly_on_signals, wait_until  # noqa: E402

__all__ = ["Bench", "Counters", "DataPlane", "Failed", "Gateway", "Lab", "Measured", "Namespace", "Setup", "Test",
           "BARE", "ONE_WORKER", "ROOT", "TESTS", "TWO_WORKERS", "county", "end_cleanly_on_signals", "programs",
           "same", "small", "test", "true", "wait_until"]

EXTRA_POLICY = Path(__file__).with_name("extra.toml")

# What a kernel says unasked on any link: multicast reports, mostly from link-local addresses; and what a
# bridge floods to every port.
CHATTER = ("frame-other-host", "destination-multicast", "source-link-local", "source-unspecified")


@dataclass(frozen=True)
class Setup:
    """How the gateway stands while a test runs; tests of one setup share one lab."""

    name: str = "one worker"
    workers: int = 1
    live: bool = True  # programs run and peers serve before the test begins
    policy: tuple[Path, ...] = ()  # files beside the county's own
    port_keys: tuple[tuple[str, str], ...] = ()  # further lines of ports in the gateway file, by the port's name
    beside: Callable[["Bench"], str] | None = None  # makes further peers; its text goes behind the gateway file
    gateway_text: Callable[[str], str] | None = None  # changes the gateway file
    options: tuple[str, ...] = ()  # further ones of the data plane


ONE_WORKER = Setup()
TWO_WORKERS = Setup("two workers", workers=2)
BARE = Setup("bare", live=False)  # the test starts the programs itself, in a lab of its own


@dataclass(frozen=True)
class Test:
    name: str
    setup: Setup
    function: Callable[["Bench"], None]


TESTS: list[Test] = []


def test(*setups: Setup) -> Callable[[Callable[["Bench"], None]], Callable[["Bench"], None]]:
    """Registers a function as a test of each setup. Its first line of documentation says what it holds."""

    def register(function: Callable[["Bench"], None]) -> Callable[["Bench"], None]:
        for setup in setups or (ONE_WORKER,):
            suffix = "" if setup in (ONE_WORKER, BARE) else f" ({setup.name})"
            TESTS.append(Test(function.__name__.replace("_", "-") + suffix, setup, function))
        return function

    return register


@dataclass
class Measured:
    """What was counted between the beginning and the end of a measurement."""

    reasons: Counter[str]
    units: dict[str, dict[str, int]]
    services: dict[str, dict[str, int]]
    rules: dict[str, dict[str, int]]
    ports: dict[str, dict[str, int]]
    cable_sent: dict[str, int]      # frames that peers put onto the cables
    cable_received: dict[str, int]  # frames that the gateway put onto them

    def drops(self, late: int = 0) -> dict[str, int]:
        """What was dropped. At most `late` segments may have come when their connection was over: behind a
        reset, or the last acknowledgement, where the two directions came by different workers.
        """
        found = {name: n for name, n in drops(self.reasons).items() if name not in CHATTER}
        if found.get("tcp-no-state", 0) <= late:
            found.pop("tcp-no-state", None)
        return found


class Bench:
    """A lab with the sample county around a gateway, and how it is looked at."""

    def __init__(self, build: Path, driver: str, setup: Setup) -> None:
        self.build, self.driver, self.setup = build, driver, setup
        self.lab = Lab()
        self.unheard = 0
        self.gateway: Gateway
        try:
            self._prepare()
        except BaseException:
            self.lab.close()
            raise

    def _prepare(self) -> None:
        self.policy = self.lab.directory / "policy"
        shutil.copytree(county.POLICY, self.policy)
        for more in (EXTRA_POLICY, *self.setup.policy):
            shutil.copy(more, self.policy)
        if not self.setup.live:
            return
        self.county = county.County.build(self.lab)
        self.county.serve()
        # The routers are found by ARP and neighbour discovery, not by the sample's static entries.
        file = county.gateway_file(
            self.lab, self.driver, workers=self.setup.workers, mtu={"internet": 1400}, port_keys=self.setup.port_keys,
            without=("59.205.5.57", "2001:db8:107:ffff::1", "198.51.100.1", "2001:db8:ffff:1::1"))
        if self.setup.gateway_text:
            file.write_text(self.setup.gateway_text(file.read_text(encoding="utf-8")), encoding="utf-8")
        if self.setup.beside:
            file.write_text(file.read_text(encoding="utf-8") + self.setup.beside(self), encoding="utf-8")
        self.gateway = self.new_gateway(self.policy, file)
        self.gateway.start()
        self.count_unheard()

    def new_gateway(self, policy: Path, file: Path) -> Gateway:
        """The appliance of this lab; more workers than cores share them."""
        cores = ",".join(str(n % (os.cpu_count() or 1)) for n in range(self.setup.workers))
        room = small() if self.setup.workers == 1 else (*small(1024), "--worker-cores", cores)
        return Gateway(self.lab, self.county.gateway, self.build, policy, file,
                       options=(*room, *self.setup.options))

    def close(self) -> None:
        self.lab.close()

    def __getitem__(self, host: str) -> Namespace:
        return self.lab[host]

    # What was counted.

    def counters(self) -> Counters:
        with DataPlane(self.gateway.run_dir) as dataplane:
            return dataplane.counters()

    def missed(self) -> int:
        """Frames that devices had no room for; the kernel counts them for the gateway."""
        with DataPlane(self.gateway.run_dir) as dataplane:
            return sum(port["device_missed"] for port in dataplane.status().ports.values())

    def cables(self) -> dict[str, dict[str, int]]:
        return {name: self.lab[f"{name}-cable"].statistics("trunk") for name in self.county.cables}

    def measure(self, act: Callable[[], None]) -> Measured:
        """What `act` makes the gateway count. Holds for every measurement: a frame that a peer put onto
        a cable is a frame that a port received; it ended with one reason; what ports sent has arrived.
        """
        before, wires_before, names = self.settled(), self.cables(), self.names()
        try:
            act()
        except AssertionError as wrong:
            counted = self.counters().reasons - before.reasons
            raise AssertionError(f"{wrong}\ncounted meanwhile: {dict(counted)}") from None
        after, wires = self.settled(), self.cables()
        sent = {n: wires[n]["tx_packets"] - wires_before[n]["tx_packets"] for n in wires}
        received = {n: wires[n]["rx_packets"] - wires_before[n]["rx_packets"] for n in wires}

        def grown(kind: str) -> dict[str, dict[str, int]]:
            return {name: {key: row[key] - old[key] for key in row}
                    for name, row, old in zip(names[kind], getattr(after, kind), getattr(before, kind))}

        return Measured(after.reasons - before.reasons, grown("units"), grown("services"), grown("rules"),
                        grown("ports"), sent, received)

    def echoes(self) -> int:
        """Segments of connections that the gateway knows no more, or has just cut; 0 without a data plane."""
        try:
            reasons = self.counters().reasons
        except OSError:
            return 0
        return sum(reasons[name] for name in ("tcp-no-state", "revoked", "blocked"))

    def fade(self, before: int) -> None:
        """What a test cut off is sent again for a while, and is not for the next test to count."""
        last, since = self.echoes(), time.monotonic()
        until = since + 8
        while last != before and since + 1 > time.monotonic() < until:
            if (now := self.echoes()) != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)

    def settled(self) -> Counters:
        """The counters, once they agree with the cables and with themselves."""
        seen: list[str] = []

        def agree() -> Counters | None:
            counters, wires, missed = self.counters(), self.cables(), self.missed()
            if wires != self.cables():
                return None
            on = sum(w["tx_packets"] for w in wires.values()) - self.unheard
            off = sum(w["rx_packets"] for w in wires.values())
            received, sent = (sum(p[key] for p in counters.ports) for key in ("received", "sent"))
            ended = sum(counters.reasons.values())
            seen[:] = [f"frames on the cables {on}, missed by devices {missed}, received {received}, "
                       f"ended {ended} (total {counters.totals['packets']}); sent {sent}, off the cables {off}"]
            agreed = on - missed == received == ended == counters.totals["packets"] and sent == off
            return counters if agreed else None

        try:
            return wait_until(agree, "counters that agree with the cables", 5)
        except Failed as failed:
            raise Failed(f"{failed}: {seen[0] if seen else 'the cables are never quiet'}") from None

    def count_unheard(self) -> None:
        """What peers put onto the cables before the gateway's ports were open is nobody's to count."""
        def quiet() -> bool:
            counters, wires = self.counters(), self.cables()
            self.unheard = sum(w["tx_packets"] for w in wires.values()) - sum(p["received"] for p in counters.ports)
            return wires == self.cables() and counters == self.counters()

        wait_until(quiet, "cables that are quiet")

    def names(self) -> dict[str, list[str]]:
        """The names of what counters are kept by, in the order of their ids."""
        catalog = json.loads((self.gateway.state_dir / "catalog.json").read_text(encoding="utf-8"))
        return {"units": [unit["id"] for unit in catalog["units"]],
                "services": [service["id"] for service in catalog["services"]],
                "rules": [rule["full_name"] for rule in catalog["rules"]],
                "ports": [port["name"] for port in catalog["ports"]]}


def same(got: object, want: object, what: str) -> None:
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def true(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)
