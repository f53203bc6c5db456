"""The sample county with real peers: who stands where around the gateway of policies/gateways/county.toml.

Each host is a namespace of its own with one interface `eth0`. Those on the same cable share it by
macvlan, so that each has its own MAC; private networks come by VLAN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from namespaces import Failed, Lab, Namespace, Process, await_ready

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "policies/county"
GATEWAY = ROOT / "policies/gateways/county.toml"
CAPTURES = ROOT / "policies/captures/county"
PEER = Path(__file__).with_name("peer.py")
VLAN_WIRE = Path(__file__).with_name("vlan_wire.py")


@dataclass(frozen=True)
class Host:
    cable: str
    mac: str
    addresses: tuple[str, ...]  # with lengths; the first of each family is the one it sends from
    routers: tuple[str, ...] = ()
    vlan: int | None = None
    more: tuple[str, ...] = ()  # further addresses, at which it only listens
    pages: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    forwards: bool = False

    def own(self, family: int = 4) -> str:
        """The address that it sends from."""
        return next(a.split("/")[0] for a in self.addresses if (":" in a) == (family == 6))


HOSTS: dict[str, Host] = {
    # Offices on the county's own segment. The terminals of finance are registered with their MACs.
    "finance": Host("lan", "52:54:00:21:01:37", ("10.65.64.37/27", "2001:db8:107:1::37/64"),
                    ("10.65.64.33", "2001:db8:107:1::1")),
    "impostor": Host("lan", "52:54:00:66:66:66", ("10.65.64.38/27", "2001:db8:107:1::38/64"),
                     ("10.65.64.33", "2001:db8:107:1::1")),
    "stranger": Host("lan", "52:54:00:66:66:67", ("10.65.64.50/27", "2001:db8:107:1::50/64"),
                     ("10.65.64.33", "2001:db8:107:1::1")),
    "hrss": Host("lan", "52:54:00:21:02:70", ("10.65.64.70/27", "2001:db8:107:2::70/64"),
                 ("10.65.64.65", "2001:db8:107:2::1")),
    "civil": Host("lan", "52:54:00:21:03:10", ("10.65.64.100/27", "2001:db8:107:3::10/64"),
                  ("10.65.64.97", "2001:db8:107:3::1")),
    "hall": Host("lan", "52:54:00:21:04:30", ("10.65.64.130/27", "2001:db8:107:4::130/64"),
                 ("10.65.64.129", "2001:db8:107:4::1")),
    "operator": Host("lan", "52:54:00:21:07:30", ("10.65.64.230/27", "2001:db8:107:7::30/64"),
                     ("10.65.64.225", "2001:db8:107:7::1")),
    "servers": Host("lan", "52:54:00:21:39:10", ("59.205.39.10/27", "2001:db8:107:100::10/64"),
                    ("59.205.39.1", "2001:db8:107:100::1"),
                    more=("59.205.39.2/32", "59.205.39.11/32", "2001:db8:107:100::2/128"),
                    pages=(443, 8000), names=("59.205.39.2", "2001:db8:107:100::2")),
    "town": Host("lan", "02:36:01:21:0b:fe", ("10.65.95.2/29", "2001:db8:107:ff::2/64"),
                 ("10.65.95.1", "2001:db8:107:ff::1"), more=("10.65.80.70/32", "10.65.80.9/32")),
    # Two departments' private networks with the same addresses.
    "hrss-desk": Host("lan", "52:54:00:21:a1:10", ("10.1.1.10/24", "fd00:36:1:1::10/64"),
                      ("10.1.1.1", "fd00:36:1:1::1"), vlan=101),
    "forestry-desk": Host("lan", "52:54:00:21:a2:10", ("10.1.1.10/24", "fd00:36:1:1::10/64"),
                          ("10.1.1.1", "fd00:36:1:1::1"), vlan=102),
    "hrss-centre": Host("wan", "02:36:01:00:01:65", ("10.255.0.1/30", "fd00:36:ff:1::1/64"),
                        ("10.255.0.2", "fd00:36:ff:1::2"), vlan=101,
                        more=("192.168.1.10/32", "fd00:36:1:2::10/128"), pages=(443, 8443)),
    "forestry-centre": Host("wan", "02:36:01:00:01:66", ("10.255.0.1/30", "fd00:36:ff:1::1/64"),
                            ("10.255.0.2", "fd00:36:ff:1::2"), vlan=102,
                            more=("192.168.1.10/32", "fd00:36:1:2::10/128"), pages=(443, 8443)),
    # Up to the prefecture and the province; the cloud stands a hop behind their router.
    "province": Host("wan", "02:36:01:00:00:fe", ("59.205.5.57/30", "2001:db8:107:ffff::1/64"),
                     ("59.205.5.58", "2001:db8:107:ffff::2"), more=("10.64.1.20/32",),
                     forwards=True),
    "internet": Host("internet", "02:00:5e:00:00:fe", ("198.51.100.1/30", "2001:db8:ffff:1::1/64"),
                     ("198.51.100.2", "2001:db8:ffff:1::2"),
                     more=("192.0.2.77/32", "198.51.100.80/32", "2001:db8:ffff:5::9/128"),
                     pages=(80,)),
    "portal": Host("dmz", "52:54:00:21:d0:20", ("203.0.113.20/28", "2001:db8:2107:1::20/64"),
                   ("203.0.113.17", "2001:db8:2107:1::1"), pages=(80, 443, 8443)),
    "exchange": Host("exchange", "52:54:00:21:e0:14", ("59.205.209.114/28", "2001:db8:e107:1::114/64"),
                     ("59.205.209.113", "2001:db8:e107:1::1"), pages=(9520,)),
    "manager": Host("mgmt", "52:54:00:21:f0:10", ("172.31.21.10/25",), ("172.31.21.1",)),
}

# Behind the province's router, by a cable of their own.
CLOUD = ("59.205.16.10/32", "59.205.16.3/32", "59.205.17.5/32", "2001:db8:0:16::10/128",
         "2001:db8:0:16::3/128")


@dataclass
class County:
    """The peers of one lab, and the namespace in which the gateway's programs run."""

    lab: Lab
    cables: tuple[str, ...]
    gateway: Namespace = field(init=False)

    @classmethod
    def build(cls, lab: Lab, hosts: tuple[str, ...] = tuple(HOSTS),
              cables: tuple[str, ...] = ("lan", "wan", "internet", "dmz", "exchange", "mgmt")) -> "County":
        county = cls(lab, cables)
        county.gateway = lab.namespace("gateway")
        for cable in cables:
            trunk = lab.namespace(f"{cable}-cable")
            lab.cable(county.gateway, f"veth-{cable}", trunk, "trunk")
            county.gateway.wire_only(f"veth-{cable}")
            trunk.wire_only("trunk")
        for name in hosts:
            county._place(name, HOSTS[name])
        if "province" in hosts:
            county._cloud()
        return county

    def _place(self, name: str, host: Host) -> None:
        trunk, here = self.lab[f"{host.cable}-cable"], self.lab.namespace(name)
        if host.vlan:
            self._vlan(trunk, here, host)
        else:
            trunk.ip(f"link add link trunk name eth0 address {host.mac} netns {here.name} "
                     "type macvlan mode bridge")
        here.plain("eth0")
        here.ip("link set eth0 up", *(f"address add {a} dev eth0{_nodad(a)}"
                                      for a in (*host.addresses, *host.more)),
                *(f"route add default via {r} src {host.own(6 if ':' in r else 4)}" for r in host.routers))
        if host.forwards:
            here.sysctl("net/ipv4/ip_forward", 1)
            here.sysctl("net/ipv6/conf/all/forwarding", 1)

    def _vlan(self, trunk: Namespace, here: Namespace, host: Host) -> None:
        try:
            trunk.ip(f"link add link trunk name eth0 address {host.mac} netns {here.name} "
                     f"type vlan id {host.vlan}")
        except Failed as refused:
            if "Unknown device type" not in str(refused):
                raise
            wire = trunk.start(f"vlan-{here.label}", "python3", "-B", str(VLAN_WIRE), "trunk", str(host.vlan),
                               here.name, "eth0", host.mac)
            await_ready(wire)

    def _cloud(self) -> None:
        router, cloud = self.lab["province"], self.lab.namespace("cloud")
        self.lab.cable(router, "cloud0", cloud, "eth0")
        router.ip("address add 10.64.255.1/30 dev cloud0", "address add 2001:db8:0:ff::1/64 dev cloud0 nodad",
                  "link set cloud0 up", *(f"route add {net} via {via}" for net, via in (
                      ("59.205.16.0/20", "10.64.255.2"), ("2001:db8:0:16::/64", "2001:db8:0:ff::2"))))
        cloud.ip("address add 10.64.255.2/30 dev eth0", "address add 2001:db8:0:ff::2/64 dev eth0 nodad",
                 "link set eth0 up", "route add default via 10.64.255.1",
                 "route add default via 2001:db8:0:ff::1",
                 *(f"address add {a} dev lo{_nodad(a)}" for a in CLOUD))

    def serve(self) -> None:
        """Starts every host's servers and waits until they are ready."""
        started: list[Process] = []
        for name, host in HOSTS.items():
            if name in self.lab.namespaces and (host.pages or host.names):
                started.append(self._peer(name, host.pages, host.names))
        if "cloud" in self.lab.namespaces:
            started.append(self._peer("cloud", (443,), ()))
        for process in started:
            await_ready(process)

    def _peer(self, name: str, pages: tuple[int, ...], names: tuple[str, ...]) -> Process:
        words = ["python3", "-B", str(PEER), "--name", name]
        for port in pages:
            words += ["--http", str(port)]
        for address in names:
            words += ["--dns", address]
        return self.lab[name].start(f"server-{name}", *words)


def gateway_file(lab: Lab, driver: str = "af_packet", source: Path = GATEWAY, *,
                 workers: int | None = None, without: tuple[str, ...] = (), mtu: dict[str, int] | None = None,
                 port_keys: tuple[tuple[str, str], ...] = (), name: str = "gateway.toml") -> Path:
    """A copy of a gateway file for this lab: its driver, its workers, without some of its neighbours."""
    text = source.read_text(encoding="utf-8").replace('"af_packet:', f'"{driver}:')
    if workers is not None:
        text = re.sub(r"^workers = \d+", f"workers = {workers}", text, flags=re.M)
    for address in without:
        text = re.sub(rf'\[\[neighbour\]\][^\[]*address = "{re.escape(address)}"[^\[]*', "", text)
    for port, size in (mtu or {}).items():
        text = re.sub(rf'^name = "{re.escape(port)}"\n', rf'name = "{port}"\nmtu = {size}\n', text, flags=re.M)
    for port, line in port_keys:
        text = re.sub(rf'^name = "{re.escape(port)}"\n', rf'name = "{port}"\n{line}\n', text, flags=re.M)
    path = lab.directory / name
    path.write_text(text, encoding="utf-8")
    return path


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""
