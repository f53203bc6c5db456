"""Linux with nftables, in a network namespace: what forwards when nothing is bought or built.

    sender (testpmd, main core)      gateway namespace (worker core)         sink namespace
      lan.pcap -> lan-src ==veth==>  lan  -- conntrack, nftables --> wan-out ==veth==> wan-in
      wan.pcap -> wan-src ==veth==>  wan  -- conntrack, nftables --> lan-out ==veth==> lan-in

A veth hands packets over on the sender's core; receive packet steering takes them to the worker core, so that
sending is not in the rate. More is sent than the kernel takes: what is dropped is what the sender had to spare.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import rules
from contenders import START_SECONDS, Bench, Failed, Rate, last_words, stop
from make_capture import LAN_MAC, LAN_ROUTER, WAN_MAC, WAN_ROUTER, Shape
from peers import Counts, tool, wait, window, write_lines

CONNTRACK_MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")
CONNTRACK_BUCKETS = Path("/sys/module/nf_conntrack/parameters/hashsize")


class Setting:
    """One of the kernel's, raised for the time of a measurement where it is lower, and given back."""

    def __init__(self, path: Path, least: int) -> None:
        self.path, self.before = path, int(path.read_text())
        self.raised = self.before < least
        if self.raised:
            path.write_text(str(least))

    def give_back(self) -> None:
        if self.raised:
            self.path.write_text(str(self.before))


class Nftables:
    package = "nftables"

    def __init__(self, shape: Shape, count: int, work: Path) -> None:
        self.name = f"nftables conntrack, {count // 1000} k rules"
        self.command: list[str] = []
        self.sender, self.gateway, self.sink = (f"mg-bench-{part}-{os.getpid()}" for part in ("src", "gw", "sink"))
        for program in ("nft", "ip", "dpdk-testpmd"):
            if not shutil.which(program):
                raise Failed(f"{program} is not there: 'tools/packages bench' installs it")
        self.rules = write_lines(work / "bench.nft", rules.nftables(shape, count))

    def measure(self, bench: Bench) -> Rate:
        log = bench.directory / "nftables-sender.log"
        made: list[str] = []
        settings: list[Setting] = []
        process: subprocess.Popen[bytes] | None = None
        try:
            for namespace in (self.sender, self.gateway, self.sink):
                tool(["ip", "netns", "add", namespace])
                made.append(namespace)
            self._wire(1 << bench.worker_core)
            tool(["ip", "netns", "exec", self.gateway, "nft", "-f", self.rules], seconds=120)
            settings += [Setting(CONNTRACK_MAX, 2 * bench.flow_capacity),
                         Setting(CONNTRACK_BUCKETS, bench.flow_capacity)]
            self.command = ["ip", "netns", "exec", self.sender, "dpdk-testpmd", "--lcores",
                            f"0@{bench.main_core},1@{bench.main_core}", "--main-lcore", "0", "--in-memory",
                            "--no-telemetry", "--no-pci", "--log-level", "*:warning"]
            for number, name in enumerate(("lan", "wan")):
                self.command += ["--vdev", f"net_pcap{number},rx_pcap={bench.directory.resolve() / name}.pcap,"
                                 "infinite_rx=1", "--vdev",
                                 f"net_af_packet{number},iface={name}-src,qdisc_bypass=1"]
            self.command += ["--", "--nb-cores=1", "--forward-mode=io", f"--total-num-mbufs={bench.buffers}",
                             "--stats-period=3600"]
            with log.open("wb") as out:
                process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=subprocess.STDOUT)

            def alive() -> None:
                if process and process.poll() is not None:
                    raise last_words(log, f"{self.name}: the sender ended by itself")

            wait(f"{self.name}: nothing is forwarded", log, process, lambda: self._counts()[1] > 1000,
                 2 * START_SECONDS)
            return window(bench, self._counts, lambda: softirq_seconds(bench.worker_core), alive, settle=True)
        finally:
            if process:
                stop(process)
            for namespace in made:
                subprocess.run(["ip", "netns", "del", namespace], check=False)
            for setting in settings:
                setting.give_back()

    def _wire(self, worker_mask: int) -> None:
        """The drawing above, and the ways between."""
        lines = {self.sender: [], self.gateway: ["link set lo up"], self.sink: []}  # type: dict[str, list[str]]
        for name, mac in (("lan", LAN_MAC), ("wan", WAN_MAC)):
            lines[self.sender].append(f"link add {name}-src type veth peer name {name} netns {self.gateway}")
            lines[self.sink].append(f"link add {name}-in type veth peer name {name}-out netns {self.gateway}")
            lines[self.sender].append(f"link set {name}-src up")
            lines[self.sink].append(f"link set {name}-in up")
            lines[self.gateway] += [f"link set {name} address {mac.hex(':')}", f"link set {name} up",
                                    f"link set {name}-out up"]
        for out, four, six, via, via6, mac in (
                ("lan-out", rules.UNITS, rules.UNITS6, "10.128.0.2", "2001:db8:ff00::2", LAN_ROUTER),
                ("wan-out", rules.SERVICES, rules.SERVICES6, "10.128.0.6", "2001:db8:ff00:1::2", WAN_ROUTER)):
            for family, prefix, router in (("-4", four, via), ("-6", six, via6)):
                lines[self.gateway] += [f"{family} neigh replace {router} lladdr {mac.hex(':')} dev {out} "
                                        "nud permanent",
                                        f"{family} route add {prefix} via {router} dev {out} onlink"]
        for namespace in (self.sender, self.sink, self.gateway):
            for line in lines[namespace]:
                tool(["ip", "-netns", namespace, *line.split()])
        inside = ["ip", "netns", "exec", self.gateway, "sh", "-c"]
        tool([*inside, "for s in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 > /proc/sys/net/$s; done; "
              "for d in all default lan wan; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done; "
              f"for d in lan wan; do echo {worker_mask:x} > /sys/class/net/$d/queues/rx-0/rps_cpus; done"])

    def _counts(self) -> Counts:
        """What the sender gave or could not give to the gateway, and what left that."""
        given = link_statistics(tool(["ip", "-s", "-j", "-netns", self.sender, "link", "show"]))
        left = link_statistics(tool(["ip", "-s", "-j", "-netns", self.gateway, "link", "show"]))
        try:
            return (sum(sum(given[f"{name}-src"]) for name in ("lan", "wan")),
                    sum(left[f"{name}-out"][0] for name in ("lan", "wan")))
        except KeyError as error:
            raise Failed(f"{self.name}: no link {error}") from error


def softirq_seconds(core: int) -> float:
    """What the kernel worked on this core outside of programs."""
    line = next(words for words in map(str.split, Path("/proc/stat").read_text().splitlines())
                if words[0] == f"cpu{core}")
    return int(line[7]) / os.sysconf("SC_CLK_TCK")


def link_statistics(said: str) -> dict[str, tuple[int, int]]:
    """Packets that each link has sent, and that it could not hand over."""
    return {link["ifname"]: (link["stats64"]["tx"]["packets"], link["stats64"]["tx"]["dropped"])
            for link in json.loads(said)}
