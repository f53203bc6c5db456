"""A story: the packets of one gateway's ports, each with what should become of it.

What is expected is written down by hand beside each packet, from policies and their contract, never
from a run of the gateway: the two are compared afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import packets as p
from capture_file import Order, Record, write_pcap

START = 1772413200 * 10**9  # 2026-03-02 09:00:00 +08:00, a Monday
STEP = 1_250_037            # so that nanosecond files have nanoseconds to tell
UNFIXED = "?"               # a reason that the policy contract leaves the engine to name
NO_RULE = "-"


@dataclass(frozen=True)
class Port:
    """A port with a cable in it: the gateway's MAC there, and the shape of its capture file."""

    mac: str
    order: Order = "little"
    nanoseconds: bool = False


@dataclass(frozen=True)
class Host:
    """A sender or receiver as the gateway sees it: behind a port, by a MAC, perhaps in a VLAN."""

    port: str
    address: str
    mac: str
    vlan: int | None = None

    def at(self, address: str, mac: str | None = None) -> Host:
        """Another host on the same segment; behind a router the MAC stays the router's."""
        return Host(self.port, address, mac or self.mac, self.vlan)


@dataclass(frozen=True)
class Expected:
    time: int
    port: str
    frame: bytes
    verdict: str
    reason: str
    rule: str


@dataclass
class Group:
    title: str
    why: str
    packets: list[Expected] = field(default_factory=list)


class Story:
    """Collects packets in the order in which they happen, by groups that tell why."""

    def __init__(self, node: str, ports: Mapping[str, Port]) -> None:
        self.node = node
        self.ports = ports
        self.groups: list[Group] = []
        self.time = START
        self.ident = 0x1000

    def group(self, title: str, why: str) -> None:
        self.groups.append(Group(title, why))
        self.time += 20_000_000

    # What a packet may come to. A rule without a slash is one of this story's own node.

    def forward(self, host: Host, packet: bytes, rule: str) -> None:
        self.put(host, packet, "forward", "allowed", rule)

    def drop(self, host: Host, packet: bytes, reason: str, rule: str = NO_RULE) -> None:
        self.put(host, packet, "drop", reason, rule)

    def local(self, host: Host, packet: bytes, *, dst_mac: str | None = None) -> None:
        self.put(host, packet, "local", "for-gateway", NO_RULE, dst_mac=dst_mac)

    def put(self, host: Host, packet: bytes, verdict: str, reason: str, rule: str, *,
            dst_mac: str | None = None, tags: tuple[int, ...] | None = None) -> None:
        if tags is None:
            tags = () if host.vlan is None else (host.vlan,)
        ethertype = p.ETHERTYPE_IPV6 if packet[0] >> 4 == 6 else p.ETHERTYPE_IPV4
        self.put_frame(host.port, p.ethernet(dst_mac or self.ports[host.port].mac, host.mac,
                                             ethertype, packet, tags=tags), verdict, reason, rule)

    def put_frame(self, port: str, frame: bytes, verdict: str, reason: str, rule: str) -> None:
        if rule != NO_RULE and "/" not in rule:
            rule = f"{self.node}/{rule}"
        self.time += STEP
        self.groups[-1].packets.append(Expected(self.time, port, frame, verdict, reason, rule))

    def ip(self, src: Host, dst: Host, protocol: int, payload: bytes, **fields: Any) -> bytes:
        """An IP packet of the family of `src`, as it stands on the wire at the sender's side."""
        if ":" in src.address:
            return p.ipv6(src.address, dst.address, protocol, payload, **fields)
        self.ident = self.ident + 1 & 0xFFFF
        return p.ipv4(src.address, dst.address, protocol, payload, ident=self.ident, **fields)

    def udp(self, src: Host, dst: Host, src_port: int, dst_port: int, data: bytes,
            **fields: Any) -> bytes:
        return self.ip(src, dst, p.UDP, p.udp(src.address, dst.address, src_port, dst_port, data),
                       **fields)

    def syn(self, src: Host, dst: Host, src_port: int, dst_port: int, **fields: Any) -> bytes:
        return self.ip(src, dst, p.TCP, p.tcp(
            src.address, dst.address, src_port, dst_port, 7_000_000 + src_port, 0, p.SYN,
            options=MSS), **fields)

    def echo(self, src: Host, dst: Host, ident: int, sequence: int = 1, *, reply: bool = False,
             data: bytes = b"meiguan.", **fields: Any) -> bytes:
        if ":" in src.address:
            return self.ip(src, dst, p.ICMP6, p.icmp6_echo(
                src.address, dst.address, ident, sequence, data, reply=reply), **fields)
        return self.ip(src, dst, p.ICMP, p.icmp_echo(ident, sequence, data, reply=reply), **fields)

    def ping(self, src: Host, dst: Host, ident: int, rule: str) -> None:
        self.forward(src, self.echo(src, dst, ident), rule)
        self.forward(dst, self.echo(dst, src, ident, reply=True), rule)

    # The files.

    def write(self, directory: Path, title: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        everything = [e for g in self.groups for e in g.packets]
        index: dict[str, int] = {}
        lines, story = [], [f"# {title}", "", README]
        for group in self.groups:
            story += ["", f"## {group.title}", "", group.why, ""]
            for e in group.packets:
                number = index.get(e.port, 0)
                index[e.port] = number + 1
                lines.append(f"{e.port}.pcap {number} {e.verdict} {e.reason} {e.rule}")
            story += _spans(lines[-len(group.packets):])
        for name, port in self.ports.items():
            write_pcap(directory / f"{name}.pcap",
                       [Record(e.time, e.frame) for e in everything if e.port == name],
                       order=port.order, nanoseconds=port.nanoseconds)
        (directory / "expected.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (directory / "README.md").write_text("\n".join(story) + "\n", encoding="utf-8")


README = """Written by `tools/captures/make`; what should happen is stated there by hand, from the policy and its
contract. One file per port that has a cable: a tagged frame lies in its parent port's file. In
`expected.txt`, one line per packet in the order of time over all files:
`FILE INDEX VERDICT REASON RULE`, with `-` for no rule and `?` where the contract names no reason."""

MSS = b"\x02\x04\x05\xb4"


def _spans(lines: list[str]) -> list[str]:
    """Lines that agree but for their number, drawn together for the reader."""
    spans: list[tuple[str, int, int, str]] = []
    for line in lines:
        name, number, fate = line.split(" ", 2)
        if spans and spans[-1][0] == name and spans[-1][3] == fate and spans[-1][2] + 1 == int(number):
            spans[-1] = (name, spans[-1][1], int(number), fate)
        else:
            spans.append((name, int(number), int(number), fate))
    return [f"- `{name}` {a if a == b else f'{a}–{b}'}: {fate}" for name, a, b, fate in spans]


class Talk:
    """A TCP connection under one rule; both ends' packets carry right numbers."""

    def __init__(self, story: Story, client: Host, server: Host, client_port: int,
                 server_port: int, rule: str) -> None:
        self.story, self.rule = story, rule
        self.ends = (client, server)
        self.numbers = [7_000_000 + client_port, 900_000_000 + client_port]
        self.l4_ports = (client_port, server_port)

    def segment(self, side: int, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        """The next packet of side 0 (client) or 1 (server); the numbers move on."""
        src, dst = self.ends[side], self.ends[1 - side]
        ack = self.numbers[1 - side] if flags & p.ACK else 0
        segment = p.tcp(src.address, dst.address, self.l4_ports[side], self.l4_ports[1 - side],
                        self.numbers[side], ack, flags, data, options=options)
        self.numbers[side] += len(data) + bool(flags & (p.SYN | p.FIN))
        return self.story.ip(src, dst, p.TCP, segment)

    def send(self, side: int, flags: int, data: bytes = b"", options: bytes = b"") -> bytes:
        packet = self.segment(side, flags, data, options)
        self.story.forward(self.ends[side], packet, self.rule)
        return packet

    def open(self) -> Talk:
        self.send(0, p.SYN, options=MSS)
        self.send(1, p.SYN | p.ACK, options=MSS)
        self.send(0, p.ACK)
        return self

    def say(self, request: bytes, answer: bytes) -> Talk:
        self.send(0, p.PSH | p.ACK, request)
        self.send(1, p.PSH | p.ACK, answer)
        self.send(0, p.ACK)
        return self

    def close(self) -> Talk:
        self.send(0, p.FIN | p.ACK)
        self.send(1, p.FIN | p.ACK)
        self.send(0, p.ACK)
        return self


# A ClientHello's and a ServerHello's first bytes: enough to look like TLS to a reader of the capture.
HELLO = b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03" + bytes(range(36))
ANSWER = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(range(36, 72))


def dns_query(ident: int, name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return ident.to_bytes(2, "big") + b"\x01\x00\x00\x01\0\0\0\0\0\0" + labels + b"\0" + \
        kind.to_bytes(2, "big") + b"\0\x01"


def dns_answer(query: bytes, data: bytes) -> bytes:
    """One address in answer to a query that `dns_query` built."""
    kind = query[-4:-2]
    return query[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + query[12:] + \
        b"\xc0\x0c" + kind + b"\0\x01\0\0\x01\x2c" + len(data).to_bytes(2, "big") + data
