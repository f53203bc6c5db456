"""The cases through the Linux kernel's nftables with connection tracking, in namespaces of the lab's.

Each port of gateway.toml is a cable of its own here; a frame that carries its port's VLAN comes without the
tag. Whether a frame was forwarded is seen at the far ends of the cables: behind each goes a marker that is
legal, and all runs on one core, so that what has not come when the marker has does not come.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable

from .case import BOTH, GATEWAY_MAC, STATIONS, V4, VLANS, Case, Sent, p
from .differences import DROPS, PASSES
from .leaving import is_own

RULES = Path(__file__).with_name("kernel.nft")
CABLES = ("lan", "wan", "slim", "internet", "dmz")
MARK = b"the marker of the strict matrix"


@dataclass
class Kernel:
    """A router of the kernel's own, with comparable rules."""

    lab: Any  # a Lab of tools/lib/namespaces.py
    wires: dict[str, socket.socket] = field(default_factory=dict)
    marks: int = 0
    cores: set[int] = field(default_factory=lambda: os.sched_getaffinity(0))

    def build(self) -> None:
        router, far = self.lab.namespace("router"), self.lab.namespace("far")
        os.sched_setaffinity(0, {min(self.cores)})
        for name in CABLES:
            mtu = 1500 if name == "slim" else 9000
            self.lab.cable(router, name, far, name)
            far.wire_only(name)
            far.ip(f"link set {name} mtu 9200")
            router.ip(f"link set {name} address {GATEWAY_MAC} mtu {mtu} up",
                      f"address add {V4.routers[name]}/24 dev {name}",
                      f"address add {BOTH[1].routers[name]}/64 dev {name} nodad")
            for key, value in (("ipv4/conf/{}/rp_filter", 1), ("ipv4/conf/{}/accept_source_route", 0)):
                router.sysctl("net/" + key.format(name), value)
        for key, value in (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/conf/all/rp_filter", 1),
                           ("netfilter/nf_conntrack_tcp_loose", 0), ("ipv4/icmp_ratelimit", 0)):
            router.sysctl("net/" + key, value)
        for address, mac in STATIONS.items():
            router.ip(f"neigh replace {address} lladdr {mac} nud permanent dev {self.port_of(mac)}")
        done = router.run("nft", "-f", str(RULES))
        if done.returncode != 0:
            raise AssertionError(f"nft -f {RULES}: {done.stderr}")
        self.wires = {name: far.packet_socket(name) for name in CABLES}
        for wire in self.wires.values():
            wire.setblocking(False)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    @staticmethod
    def port_of(mac: str) -> str:
        return CABLES[int(mac.split(":")[4], 16) - 1]

    def close(self) -> None:
        os.sched_setaffinity(0, self.cores)
        for wire in self.wires.values():
            wire.close()

    def forwards(self, sent: Sent) -> bool:
        """Whether the frame, or what the kernel makes of it, is forwarded."""
        self.take()
        try:
            self.wires[sent.port].send(untagged(sent))
        except OSError:
            return False  # not even a kernel that sends takes it
        return any(not is_own(f) and MARK not in f for f in self.until_marked())

    def until_marked(self) -> list[bytes]:
        self.marks += 1
        mark = MARK + struct.pack("!I", self.marks)
        datagram = p.udp(V4.office, V4.server, 900, 900, mark)
        self.wires["lan"].send(p.ethernet(GATEWAY_MAC, "02:00:00:00:01:10", p.ETHERTYPE_IPV4,
                                          p.ipv4(V4.office, V4.server, p.UDP, datagram)))
        frames: list[bytes] = []
        deadline = time.monotonic() + 2
        while not any(mark in f for f in frames):
            if time.monotonic() > deadline:
                raise AssertionError("the kernel does not forward what every rule allows")
            select.select(list(self.wires.values()), [], [], 0.2)
            frames += self.take()
        return frames

    def take(self) -> list[bytes]:
        """What has come to the far ends. A packet socket also sees what it sends itself, which is not taken."""
        frames = []
        for wire in self.wires.values():
            while True:
                try:
                    frame, (_, _, kind, _, _) = wire.recvfrom(1 << 16)
                except BlockingIOError:
                    break
                if kind != socket.PACKET_OUTGOING:
                    frames.append(frame)
        return frames


def untagged(sent: Sent) -> bytes:
    vlan = VLANS[sent.port]
    if vlan and sent.frame[12:16] == struct.pack("!HH", 0x8100, vlan):
        return sent.frame[:12] + sent.frame[16:]
    return sent.frame


def compare(kernel: Kernel, cases: Iterable[Case]) -> dict[str, str]:
    """Of the cases on which the two do not agree: what the kernel does with packets of theirs."""
    found: dict[str, str] = {}
    for case in cases:
        ours = [s.verdict == "forward" for s in case.sent]
        theirs = [kernel.forwards(s) for s in case.sent]
        if "fragment" in case.name:  # it puts them together and sends them on when the last has come
            ours, theirs = [any(ours)], [any(theirs)]
        if ours != theirs:
            did = {PASSES if t else DROPS for o, t in zip(ours, theirs) if o != t}
            found[case.name] = did.pop() if len(did) == 1 else "both"
    return found
