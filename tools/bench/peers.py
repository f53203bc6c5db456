"""What other people would use: DPDK's l3fwd with its access lists, and Open vSwitch on DPDK."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import rules
from contenders import START_SECONDS, Bench, Failed, Rate, core_seconds, last_words, stop
from make_capture import Shape

HERE = Path(__file__).resolve().parent
L3FWD_SOURCE = Path("/usr/share/dpdk/examples/l3fwd")
OVS = Path("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
OVS_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
SETTLE_SECONDS = 40.0  # until all flows are known, at most
STEADY = 0.03          # by how much a second may differ from the last
BRIDGE = "mgbench0"

Counts = tuple[int, int]  # packets received or offered, and sent, since the start


def tool(command: list[str | Path], environment: dict[str, str] | None = None, seconds: float = 60) -> str:
    """What a program that ends by itself printed."""
    try:
        run = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                             timeout=seconds, env={**os.environ, **(environment or {})})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if run.returncode:
        raise Failed(f"'{' '.join(str(w) for w in command)[:200]}' ended with {run.returncode}: "
                     f"{(run.stderr or run.stdout).strip()[-500:]}")
    return run.stdout


def shim(work: Path) -> Path:
    """What lets these programs play captures; see software_ports.c."""
    out = work / "software_ports.so"
    flags = tool(["pkg-config", "--cflags", "libdpdk"]).split()
    tool(["cc", "-O2", "-shared", "-fPIC", *flags, HERE / "software_ports.c", "-o", out, "-ldl"])
    return out


def window(bench: Bench, counts: Callable[[], Counts], seconds_used: Callable[[], float],
           alive: Callable[[], None], settle: bool = False) -> Rate:
    """The rate over the window, after the warm-up; where `settle`, also after the rate has stopped to rise.

    `seconds_used` is what the work has taken of the worker core's time.
    """
    time.sleep(bench.warm_up_seconds)
    limit, last = time.monotonic() + SETTLE_SECONDS, 0.0
    while settle and time.monotonic() < limit:
        (_, sent), at = counts(), time.monotonic()
        time.sleep(1)
        rate = (counts()[1] - sent) / (time.monotonic() - at)
        if rate and abs(rate - last) <= STEADY * rate:
            break
        last = rate
    (received, sent), at, used = counts(), time.monotonic(), seconds_used()
    time.sleep(bench.window_seconds)
    (received2, sent2), at2, used2 = counts(), time.monotonic(), seconds_used()
    alive()
    if sent2 == sent:
        raise Failed("nothing is forwarded")
    came = received2 - received
    return Rate((sent2 - sent) / (at2 - at), max(0.0, 1 - (sent2 - sent) / came) if came else 1.0,
                core_share=(used2 - used) / (at2 - at))


def wait(what: str, log: Path, process: subprocess.Popen[bytes], ready: Callable[[], bool],
         seconds: float = START_SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            raise last_words(log, what)
        time.sleep(0.05)


def write_lines(path: Path, lines: Iterator[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


class L3fwd:
    """DPDK's own example, built from Debian's package, with rte_acl over a list of rules."""

    package = "dpdk-doc"

    def __init__(self, shape: Shape, count: int, work: Path) -> None:
        self.name = f"l3fwd acl, {count // 1000} k rules"
        self.count, self.command = count, []  # type: int, list[str]
        if not L3FWD_SOURCE.is_dir():
            raise Failed(f"{L3FWD_SOURCE} is not there: 'tools/packages bench' installs it")
        self.shim = shim(work)
        source = work / "examples"
        shutil.copytree(L3FWD_SOURCE, source / "l3fwd", dirs_exist_ok=True)
        shutil.copytree(L3FWD_SOURCE.parent / "common", source / "common", dirs_exist_ok=True)
        tool(["make", "-C", source / "l3fwd", "shared"], seconds=300)
        self.program = source / "l3fwd/build/l3fwd"
        self.rules4 = write_lines(work / f"l3fwd-{count}.v4", rules.l3fwd4(shape, count))
        self.rules6 = write_lines(work / "l3fwd.v6", rules.l3fwd6())

    def measure(self, bench: Bench) -> Rate:
        log = bench.directory / f"l3fwd-{self.count}.log"
        prefix = f"meiguan-bench-{os.getpid()}"
        runtime = Path("/var/run/dpdk") / prefix
        self.command = [str(self.program), "--lcores", f"0@{bench.worker_core}", "--in-memory", "--no-pci",
                        "--file-prefix", prefix]
        for number, name in enumerate(("lan", "wan")):
            self.command += ["--vdev",
                             f"net_pcap{number},rx_pcap={bench.directory.resolve() / name}.pcap,infinite_rx=1"]
        self.command += ["--", "-p", "0x3", "-P", "--lookup=acl", "--parse-ptype", "--config=(0,0,0),(1,0,0)",
                         f"--rule_ipv4={self.rules4}", f"--rule_ipv6={self.rules6}"]
        environment = {**os.environ, "LD_PRELOAD": str(self.shim), "BENCH_PACKET_BUFFERS": str(bench.buffers)}
        with log.open("wb") as out:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, env=environment)

        def alive() -> None:
            if process.poll() is not None:
                raise last_words(log, f"{self.name} ended by itself")

        def forwards() -> bool:
            try:
                return telemetry_counts(runtime)[1] > 0
            except (OSError, ValueError):
                return False

        try:
            wait(f"{self.name} forwards nothing", log, process, forwards, 2 * START_SECONDS)
            return window(bench, lambda: telemetry_counts(runtime),
                          lambda: core_seconds(process.pid, bench.worker_core), alive)
        finally:
            stop(process)
            shutil.rmtree(runtime, ignore_errors=True)


def telemetry_counts(runtime: Path) -> Counts:
    """Of both ports of a DPDK program, over its telemetry."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as channel:
        channel.settimeout(5)
        channel.connect(str(runtime / "dpdk_telemetry.v2"))
        channel.recv(1024)  # its greeting
        answers = []
        for port in (0, 1):
            channel.send(f"/ethdev/stats,{port}".encode())
            answers.append(channel.recv(16384).decode())
    return telemetry_sum(answers)


def telemetry_sum(answers: list[str]) -> Counts:
    ports = [json.loads(answer)["/ethdev/stats"] for answer in answers]
    if None in ports:
        raise ValueError("a port is not there yet")
    return sum(p["ipackets"] for p in ports), sum(p["opackets"] for p in ports)


class OpenVSwitch:
    """Its user-space data path with one polling thread, with or without connections."""

    package = "openvswitch-switch-dpdk"

    def __init__(self, shape: Shape, count: int, conntrack: bool, work: Path) -> None:
        self.name = f"OVS-DPDK{' conntrack' if conntrack else ''}, {count // 1000} k rules"
        self.conntrack, self.command = conntrack, []  # type: bool, list[str]
        if not OVS.exists():
            raise Failed(f"{OVS} is not there: 'tools/packages bench' installs it")
        self.shim = shim(work)
        flows = rules.openflow_conntrack if conntrack else rules.openflow
        self.flows = write_lines(work / f"ovs-{'conntrack' if conntrack else 'plain'}.flows", flows(shape, count))

    def measure(self, bench: Bench) -> Rate:
        run = bench.directory / "ovs"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        environment = {"OVS_RUNDIR": str(run), "OVS_DBDIR": str(run), "OVS_LOGDIR": str(run)}
        database = f"unix:{run}/db.sock"
        tool(["ovsdb-tool", "create", run / "conf.db", OVS_SCHEMA], environment)
        started: list[subprocess.Popen[bytes]] = []
        devices = {name for _, name in socket.if_nameindex()}

        def start(command: list[str], log: Path, more: dict[str, str]) -> subprocess.Popen[bytes]:
            with log.open("wb") as out:
                started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                                stderr=subprocess.STDOUT,
                                                env={**os.environ, **environment, **more}))
            return started[-1]

        def say(*words: str) -> str:
            return tool(["ovs-vsctl", f"--db={database}", f"--timeout={START_SECONDS:.0f}", *words], environment,
                        2 * START_SECONDS)

        try:
            server = start(["ovsdb-server", f"--remote=p{database}", f"--unixctl={run}/db.ctl", str(run / "conf.db")],
                           run / "ovsdb-server.log", {})
            wait("ovsdb-server does not run", run / "ovsdb-server.log", server, (run / "db.sock").exists, 10)
            say("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                f"other_config:pmd-cpu-mask={1 << bench.worker_core:#x}",
                f"other_config:dpdk-lcore-mask={1 << bench.main_core:#x}",
                "other_config:dpdk-extra=--in-memory --no-pci")
            log = run / "ovs-vswitchd.log"
            self.command = [str(OVS), database, f"--unixctl={run}/switch.ctl"]
            switch = start(self.command, log, {"LD_PRELOAD": str(self.shim),
                                               "BENCH_PACKET_BUFFERS": str(bench.buffers)})
            wait("ovs-vswitchd does not run", log, switch, (run / "switch.ctl").exists)
            add = ["add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev", "fail_mode=secure"]
            for number, name in enumerate(("lan", "wan")):
                device = f"net_pcap{number},rx_pcap={bench.directory.resolve() / name}.pcap,infinite_rx=1"
                add += ["--", "add-port", BRIDGE, name, "--", "set", "Interface", name, "type=dpdk",
                        f"ofport_request={number + 1}", f'options:dpdk-devargs="{device}"']
            say(*add)
            if errors := [e for e in say("--bare", "--columns=error", "list", "Interface").splitlines() if e.strip()]:
                raise Failed(f"{self.name}: {'; '.join(errors)}")
            tool(["ovs-appctl", "-t", run / "switch.ctl", "dpctl/ct-set-maxconns", str(bench.flow_capacity)],
                 environment)
            bridge = f"unix:{run}/{BRIDGE}.mgmt"
            tool(["ovs-ofctl", "add-flows", bridge, self.flows], environment)

            def counts() -> Counts:
                return dump_ports(tool(["ovs-ofctl", "dump-ports", bridge], environment))

            def alive() -> None:
                if switch.poll() is not None:
                    raise last_words(log, f"{self.name} ended by itself")

            return window(bench, counts, lambda: core_seconds(switch.pid, bench.worker_core), alive, settle=True)
        finally:
            for process in reversed(started):
                stop(process)
            # It leaves the devices of its bridge and of its data path to whoever runs it next.
            for device in {BRIDGE, "ovs-netdev"} - devices:
                subprocess.run(["ip", "link", "del", device], check=False, stderr=subprocess.DEVNULL)


def dump_ports(said: str) -> Counts:
    """What `ovs-ofctl dump-ports` says of `lan` and `wan`, not of the bridge itself."""
    blocks = re.findall(r"^  port\s+\"?(?:lan|wan|1|2)\"?: rx pkts=(\d+),.*\n\s+tx pkts=(\d+),", said, re.M)
    if len(blocks) != 2:
        raise Failed(f"ovs-ofctl dump-ports says: {said.strip()[-300:]}")
    return sum(int(rx) for rx, _ in blocks), sum(int(tx) for _, tx in blocks)
