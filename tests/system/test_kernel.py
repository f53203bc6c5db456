"""The kernel in the place of a data plane: the same policy and packets by both, and what is refused."""

import json
import os
import select
import socket
import struct
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from lab import BARE, ROOT, Bench, Namespace, programs, same, test, true, wait_until
from namespaces import Process

sys.path.insert(0, str(ROOT / "tools/captures"))
import packets as p  # noqa: E402

POLICY = Path(__file__).with_name("kernel.toml")
# Each port: its own addresses, and where its far end's frames come from.
PORTS = {"lan": ("extranet", "10.1.0.1/24", "2001:db8:1::1/64", "02:00:00:00:01:10"),
         "wan": ("extranet", "10.2.0.1/24", "2001:db8:2::1/64", "02:00:00:00:02:10"),
         "dmz": ("dmz", "203.0.113.1/24", "2001:db8:d::1/64", "02:00:00:00:03:10"),
         "internet": ("internet", "198.51.100.1/24", "2001:db8:f::1/64", "02:00:00:00:04:10"),
         "mgmt": ("management", "172.31.0.1/24", "2001:db8:a::1/64", "02:00:00:00:05:10")}
GATEWAY_MAC = "02:00:00:00:00:01"
SOURCES4 = ("10.1.0.10", "10.1.0.130", "10.1.0.131", "10.1.0.132", "10.1.0.1", "10.1.0.255", "10.2.0.10", "10.2.0.20",
            "203.0.113.10", "198.51.100.9", "8.8.8.8", "192.168.7.7", "127.0.0.1", "224.0.0.5", "169.254.1.1",
            "240.1.1.1", "172.31.0.7", "10.9.9.9", "10.4.0.9")
SOURCES6 = ("2001:db8:1::10", "2001:db8:1:0:f::130", "2001:db8:1:0:f::131", "2001:db8:1:0:f::132", "2001:db8:2::10",
            "2001:db8:d::10", "2001:db8:f::9", "2400::1", "fd00::1", "fe80::9", "::1", "4000::1", "2001:db8:9::9")
TARGETS4 = {"10.2.0.10": ("tcp/443", "tcp/80", "udp/8005", "udp/8011", "icmp/8", "icmp/13", "proto/50"),
            "10.2.0.11": ("proto/50", "proto/51"), "10.2.0.20": ("tcp/9000", "tcp/9500", "tcp/9999", "tcp/10000"),
            "10.1.0.10": ("tcp/22", "tcp/23", "icmp/8"), "10.1.0.131": ("tcp/22",), "203.0.113.10": (
                "tcp/443", "tcp/8443", "icmp/8", "udp/443"), "203.0.113.11": ("tcp/443",),
            "198.51.100.9": ("tcp/443",), "8.8.8.8": ("udp/53",), "172.31.0.7": ("tcp/22",),
            "10.2.0.255": ("udp/8005",),
            "10.1.0.1": ("tcp/22",), "169.254.1.1": ("tcp/443",)}
TARGETS6 = {"2001:db8:2::10": ("tcp/443", "tcp/444", "icmp6/128"), "2001:db8:2::20": ("icmp6/128", "tcp/9000"),
            "2001:db8:1::10": ("tcp/22", "icmp6/128"), "2001:db8:d::10": ("tcp/443", "icmp6/128", "tcp/8443"),
            "2001:db8:f::9": ("tcp/443",), "2400::1": ("udp/53",), "fd00::5": ("udp/53",)}


@dataclass
class Packet:
    port: str
    source: str
    target: str
    what: str
    frame: bytes
    mark: bytes

    def __str__(self) -> str:
        return f"{self.port}: {self.source} -> {self.target} {self.what}"


def build(port: str, source: str, target: str, what: str, number: int, mac: str = "") -> Packet:
    """A first packet of a flow of its own: the number is in its bytes."""
    mark = struct.pack("!I", 0x4d470000 + number)
    kind, value = what.split("/")
    sport = 20000 + number % 40000
    if kind == "tcp":
        protocol, body = p.TCP, p.tcp(source, target, sport, int(value), struct.unpack("!I", mark)[0], 0, 2)
    elif kind == "udp":
        protocol, body = p.UDP, p.udp(source, target, sport, int(value), mark)
    elif kind == "icmp":
        data = mark + (bytes(8) if value == "13" else b"")
        protocol, body = p.ICMP, p.icmp(int(value), 0, (number & 0xffff) << 16, data)
    elif kind == "icmp6":
        protocol, body = p.ICMP6, p.icmp6(source, target, int(value), 0, (number & 0xffff) << 16, mark)
    else:
        protocol, body = int(value), mark + bytes(16)
    v6 = ":" in source
    packet = p.ipv6(source, target, protocol, body) if v6 else p.ipv4(source, target, protocol, body)
    frame = p.ethernet(GATEWAY_MAC, mac or PORTS[port][3], p.ETHERTYPE_IPV6 if v6 else p.ETHERTYPE_IPV4, packet)
    return Packet(port, source, target, what, frame, mark)


def all_packets() -> list[Packet]:
    found: list[Packet] = []
    for port in PORTS:
        for sources, targets in ((SOURCES4, TARGETS4), (SOURCES6, TARGETS6)):
            for source in sources:
                for target, whats in targets.items():
                    for what in whats:
                        if source != target:
                            found.append(build(port, source, target, what, len(found)))
    for source, target in (("10.1.0.130", "10.2.0.20"), ("2001:db8:1:0:f::130", "2001:db8:2::20")):
        what = "icmp6/128" if ":" in source else "tcp/9000"
        for mac in ("02:00:00:00:01:30", "02:00:00:00:01:31"):
            found.append(build("lan", source, target, what, len(found), mac))
    return found


def gateway_file(bench: Bench) -> Path:
    text = '[gateway]\nnode = "360121"\n'
    for name, (zone, v4, v6, _) in PORTS.items():
        text += (f'[[port]]\nname = "{name}"\ndevice = "af_packet:{name}"\nzone = "{zone}"\n'
                 f'addresses = ["{v4}", "{v6}"]\nmac = "{GATEWAY_MAC}"\n')
    text += ('[[route]]\nprefix = "0.0.0.0/0"\nvia = "198.51.100.254"\n'
             '[[route]]\nprefix = "::/0"\nvia = "2001:db8:f::fe"\n'
             '[[route]]\nprefix = "10.4.0.0/24"\nvia = "10.1.0.10"\n')
    file = bench.lab.directory / "kernel-gateway.toml"
    file.write_text(text)
    return file


def router(bench: Bench) -> tuple[Namespace, dict[str, socket.socket]]:
    """A Linux router with those ports, and a raw socket at the far end of each."""
    me, far = bench.lab.namespace("router"), bench.lab.namespace("far")
    for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
        me.sysctl(key, 1)
    me.sysctl("net/ipv4/conf/all/rp_filter", 0)
    wires = {}
    for name, (_, v4, v6, mac) in PORTS.items():
        bench.lab.cable(me, name, far, name)
        me.ip(f"link set {name} address {GATEWAY_MAC}", f"addr add {v4} dev {name}", f"addr add {v6} dev {name}",
              f"link set {name} up")
        me.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)
        far.wire_only(name)
        wires[name] = far.packet_socket(name)
        wires[name].setblocking(False)
        wires[name].setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    me.ip("route add default via 198.51.100.254", "route add default via 2001:db8:f::fe",
          "route add 10.4.0.0/24 via 10.1.0.10")
    homes = {"10.1": "lan", "2001:db8:1:": "lan", "10.2": "wan", "2001:db8:2:": "wan", "203.": "dmz",
             "2001:db8:d:": "dmz", "198.": "internet", "2001:db8:f:": "internet", "172.": "mgmt"}
    for address in (*TARGETS4, *TARGETS6, "198.51.100.254", "2001:db8:f::fe"):
        home = next((port for start, port in homes.items() if address.startswith(start)), None)
        if home and not address.endswith((".0.1", ".255")):
            me.ip(f"neigh replace {address} lladdr {PORTS[home][3]} dev {home} nud permanent")
    return me, wires


def start(bench: Bench, me: Namespace, policy: Path, *more: str) -> Process:
    directories = [bench.lab.directory / name for name in ("kernel-run", "kernel-state")]
    for directory in directories:
        directory.mkdir(exist_ok=True)
    return me.start("meiguan-controld", str(programs(bench.build)["meiguan-controld"]), "--backend", "kernel",
                    "--run-dir", str(directories[0]), "--state-dir", str(directories[1]), "--policy", str(policy),
                    "--gateway", str(gateway_file(bench)), *more)


def ask(bench: Bench, *words: str) -> tuple[int, str]:
    run_dir = str(bench.lab.directory / "kernel-run")
    done = bench["router"].run(str(programs(bench.build)["meiguan"]), "--run-dir", run_dir, "--lang", "en", *words)
    return done.returncode, done.stdout + done.stderr


def in_force(daemon: Process, times: int = 1) -> None:
    wait_until(lambda: daemon.output().count("in force in the kernel") >= times or not daemon.running(),
               "the policy in the kernel")
    true(daemon.running(), daemon.output())


def forwarded(wires: dict[str, socket.socket], sent: list[Packet]) -> set[bytes]:
    """The marks of those packets that came out at some far end; behind them goes one that all would let by."""
    seen: set[bytes] = set()
    marks = {packet.mark for packet in sent}

    def take() -> None:
        for wire in wires.values():
            while True:
                try:
                    frame, (_, _, kind, _, _) = wire.recvfrom(1 << 16)
                except BlockingIOError:
                    break
                at = frame.find(b"MG", 14)
                while kind != socket.PACKET_OUTGOING and at >= 0:
                    if frame[0:6] != bytes.fromhex(GATEWAY_MAC.replace(":", "")) and frame[at:at + 4] in marks and (
                            not is_own(frame)):
                        seen.add(frame[at:at + 4])
                    at = frame.find(b"MG", at + 1)

    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        for n, packet in enumerate(sent):
            wires[packet.port].send(packet.frame)
            if n % 50 == 49:
                take()
        last = build("lan", "10.1.0.10", "10.2.0.10", "tcp/443", 0xfff0)
        marks.add(last.mark)
        wires["lan"].send(last.frame)

        def come() -> bool:
            select.select(list(wires.values()), [], [], 0.2)
            take()
            return last.mark in seen

        wait_until(come, "a packet that every rule allows", 5)
    finally:
        os.sched_setaffinity(0, cores)
    return seen - {last.mark}


OWN = {ip_address(text.split("/")[0]).packed for port in PORTS.values() for text in port[1:3]}


def is_own(frame: bytes) -> bool:
    """What the router itself answers: resets, and errors that quote the packet."""
    return (frame[26:30] if frame[12:14] == b"\x08\x00" else frame[22:38]) in OWN


def by_replay(bench: Bench, policy: Path, sent: list[Packet]) -> list[dict]:
    """What becomes of them in the data plane's own pipeline."""
    words = []
    for port in PORTS:
        file = bench.lab.directory / f"{port}.pcap"
        mine = [(n, packet.frame) for n, packet in enumerate(sent) if packet.port == port]
        file.write_bytes(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(
            struct.pack("<IIII", 1_790_000_000 + n // 100, n % 100 * 10_000, len(f), len(f)) + f for n, f in mine))
        words += ["--in", f"{port}={file}"]
    done = bench["router"].run(str(programs(bench.build)["meiguan"]), "replay", "--policy", str(policy), "--gateway",
                               str(gateway_file(bench)), *words, "-o", "jsonl", seconds=60)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    same(len(lines), len(sent), f"lines of replay: {done.stderr}")
    told = {(line["in"], line["index"]): line for line in lines}
    index: Counter[str] = Counter()
    ordered = []
    for packet in sent:
        ordered.append(told[packet.port, index[packet.port]])
        index[packet.port] += 1
    return ordered


@test(BARE)
def kernel_and_data_plane_judge_alike(bench: Bench) -> None:
    """Every source by every port to every target: forwarded by the kernel where replay says forward, else not."""
    me, wires = router(bench)
    daemon = start(bench, me, POLICY)
    in_force(daemon)
    sent = all_packets()
    ours = by_replay(bench, POLICY, sent)
    theirs = forwarded(wires, sent)
    wrong = [f"{packet}: replay {line['verdict']} {line['reason']} {line['rule']}, kernel "
             f"{'forwards' if packet.mark in theirs else 'drops'}"
             for packet, line in zip(sent, ours) if (line["verdict"] == "forward") != (packet.mark in theirs)]
    true(not wrong, f"{len(wrong)} of {len(sent)} packets differ:\n" + "\n".join(wrong[:30]))
    reasons = Counter(line["reason"] for line in ours)
    for reason in ("allowed", "denied", "default-deny", "spoofed", "terminal-unknown", "terminal-mac", "unit-unknown",
                   "internet-isolated", "zone-isolated"):
        true(reasons[reason] > 0, f"a packet that ends as {reason}: {dict(reasons)}")


@test(BARE)
def kernel_keeps_state_and_judges_again(bench: Bench) -> None:
    """Replies pass by state; what a new policy forbids ends at its next packet; what needs a data plane says so."""
    me, wires = router(bench)
    closed = me.run(str(programs(bench.build)["meiguan-controld"]), "--host-table", "--backend", "kernel", "--gateway",
                    str(gateway_file(bench)))
    same(closed.returncode, 0, closed.stderr)
    ask_packet = build("lan", "10.1.0.131", "10.2.0.20", "tcp/9000", 1)
    same(crosses(wires, "wan", ask_packet), False, "before there is a policy")
    policy = bench.lab.directory / "township.toml"
    policy.write_text(POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    daemon = start(bench, me, policy, "--host-table-seconds", "1")
    in_force(daemon)
    same(crosses(wires, "wan", ask_packet), True, "a SYN that a rule allows")
    back = answer_of(ask_packet)
    same(crosses(wires, "lan", back), True, "its answer")
    more = build("lan", "10.1.0.131", "10.2.0.20", "tcp/9000", 1)
    same(crosses(wires, "wan", more), True, "a segment of the connection")
    same(crosses(wires, "lan", answer_of(build("lan", "10.1.0.131", "10.2.0.20", "tcp/9000", 2))), False,
         "an answer that nobody asked for")
    listed = me.run("nft", "list", "ruleset")
    same(listed.returncode, 0, f"nft lists it: {listed.stderr}")
    true("chain rule_360121/finance-to-ledger" in listed.stdout, "counters by rule")
    same(me.run("nft", "flush", "chain", "inet", "meiguan-policy", "ours").returncode, 0, "tampering")
    wait_until(lambda: "kernel-table-changed" in ask(bench, "-o", "json", "status")[1], "an alarm", 5)
    same(me.run("nft", "list", "ruleset").stdout.count("chain ours {\n\t\tct state"), 1, "it is put right")
    code, said = ask(bench, "audit", "show", "--event", "kernel-table", "-o", "jsonl")
    true(code == 0 and '"put-right":true' in said and "rule ours" in said, f"the audit log has it: {said}")
    same(crosses(wires, "wan", more), True, "and the connection lives")
    code, said = ask(bench, "flows")
    true(code == 3 and "--backend kernel" in said, f"flows: {code} {said}")
    text = POLICY.read_text(encoding="utf-8")
    policy.write_text(text.replace('from = ["unit:finance"]', 'from = ["unit:web"]'), encoding="utf-8")
    code, said = ask(bench, "reload")
    same(code, 0, f"reload: {said}")
    in_force(daemon, 2)
    same(crosses(wires, "wan", more), False, "a segment of a connection that is allowed no longer")
    same(crosses(wires, "lan", back), False, "nor its answers")
    same(daemon.stop(), 0, "it ends")
    same(crosses(wires, "wan", build("lan", "10.1.0.10", "10.2.0.10", "tcp/443", 3)), True, "the policy stays in force")


@test(BARE)
def kernel_follows_dates(bench: Bench) -> None:
    """A rule expires and another begins: what the kernel forwards changes within a second, live flows too."""
    me, wires = router(bench)
    turn = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=5)
    at = turn.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = POLICY.read_text(encoding="utf-8")
    for old, new in (('from = ["unit:finance"]\n', f'from = ["unit:finance"]\nexpires = {at}\n'),
                     ('schedule = "never-now"', f"not_before = {at}")):
        same(text.count(old), 1, f"{old!r} in the policy")
        text = text.replace(old, new)
    policy = bench.lab.directory / "dated.toml"
    policy.write_text(text, encoding="utf-8")
    in_force(start(bench, me, policy))
    ends = build("lan", "10.1.0.131", "10.2.0.20", "tcp/9000", 1)
    begins = build("lan", "10.1.0.10", "10.2.0.20", "tcp/9000", 2)
    same((crosses(wires, "wan", ends), crosses(wires, "lan", answer_of(ends)), crosses(wires, "wan", begins)),
         (True, True, False), "before the turn")
    true(datetime.now(timezone.utc) < turn, "all that in time: a slower machine needs a later turn")
    wait_until(lambda: crosses(wires, "wan", begins), "the rule that begins", 8)
    late = (datetime.now(timezone.utc) - turn).total_seconds()
    true(-0.3 < late < 1.5, f"it began {late:.2f} s late")
    same(crosses(wires, "wan", ends), False, "a segment of the connection whose rule expired")
    same(crosses(wires, "lan", answer_of(ends)), False, "nor its answers")
    same(crosses(wires, "wan", build("lan", "10.1.0.131", "10.2.0.20", "tcp/9000", 3)), False, "nor a new one")


def answer_of(packet: Packet) -> Packet:
    """The SYN,ACK."""
    number = struct.unpack("!I", packet.mark)[0]
    body = p.tcp(packet.target, packet.source, int(packet.what.split("/")[1]), 20000 + (number & 0xffff) % 40000,
                 number, number + 1, 0x12)
    frame = p.ethernet(GATEWAY_MAC, PORTS["wan"][3], p.ETHERTYPE_IPV4,
                       p.ipv4(packet.target, packet.source, p.TCP, body))
    return Packet("wan", packet.target, packet.source, "answer", frame, packet.mark)


def crosses(wires: dict[str, socket.socket], out: str, packet: Packet) -> bool:
    """Whether the packet's mark comes out there; what does not come within 0.3 s does not."""
    wires[packet.port].send(packet.frame)
    while select.select([wires[out]], [], [], 0.3)[0]:
        frame, (_, _, kind, _, _) = wires[out].recvfrom(1 << 16)
        if kind != socket.PACKET_OUTGOING and packet.mark in frame and not is_own(frame):
            return True
    return False


@test(BARE)
def kernel_refuses_what_it_cannot_do(bench: Bench) -> None:
    """The county's sample: each thing by name, with its file and line, and nothing is put in force."""
    me = bench.lab.namespace("router")
    done = me.run(str(programs(bench.build)["meiguan-controld"]), "--backend", "kernel", "--run-dir",
                  str(bench.lab.directory), "--state-dir", str(bench.lab.directory), "--policy",
                  str(ROOT / "policies/county"), "--gateway", str(ROOT / "policies/gateways/county.toml"))
    same(done.returncode, 2, f"exit code: {done.stderr}")
    for words in ("node.toml:", "a [[publish]], which `--backend kernel` cannot do", "the [[egress]] `unified-exit`",
                  "a [[translate]]", "the limits of service", "county.toml:",
                  "port `lan.101` lies in a private zone's address space"):
        true(words in done.stderr, f"{words!r} in what it says: {done.stderr}")
    true("meiguan-policy" not in me.run("nft", "list", "ruleset").stdout, "no table")
