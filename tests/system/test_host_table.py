"""The host's own nftables table: what it holds back, and what becomes of tampering with it."""

import json
import socket
from pathlib import Path

from clients import curl
from lab import BARE, Bench, Namespace, county, programs, same, test, true, wait_until

NEAR, FAR = "192.0.2.10", "198.51.100.10"  # in a management network, and in none
NEAR6, FAR6 = "2001:db8:a::10", "2001:db8:b::10"
APPLIANCE = """[management]
networks = ["192.0.2.0/24", "2001:db8:a::/64"]
ports = ["2222/tcp", "8000-8100/udp"]
"""
# Another program that lets everything by, and keeps a list of its own.
OTHER = """table inet firewalld {
    set seen { type ipv4_addr; elements = { 192.0.2.77, 203.0.113.9 } }
    chain forward { type filter hook forward priority -500; policy accept; accept; }
    chain input { type filter hook input priority -500; policy accept; accept; }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority -100; tcp dport 9999 redirect to :2222
    }
}
"""


def nft(where: Namespace, *words: str) -> str:
    done = where.run("nft", *words)
    same(done.returncode, 0, f"nft {' '.join(words)}: {done.stderr}")
    return done.stdout


def others(where: Namespace) -> str:
    """The other program's tables, byte for byte, with the kernel's handles: made anew they would have others."""
    return "".join(nft(where, "-a", "list", "table", *name) for name in (("inet", "firewalld"), ("ip", "nat")))


def ours(where: Namespace) -> list[dict]:
    """Our table without counters' values, handles, and other programs' tables."""
    objects = json.loads(nft(where, "-j", "list", "table", "inet", "meiguan"))["nftables"]
    text = json.dumps(objects, default=str)
    return [plain(one) for one in json.loads(text) if "metainfo" not in one]


def plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in ("handle", "packets", "bytes")}
    return [plain(one) for one in value] if isinstance(value, list) else value


def host(bench: Bench) -> Namespace:
    """A gateway's host between two networks, with what management reaches at port 2222."""
    me = bench.lab.namespace("host")
    for label, here, mine, theirs, mine6, theirs6 in (
            ("near", "eth0", "192.0.2.1", NEAR, "2001:db8:a::1", NEAR6),
            ("far", "eth1", "198.51.100.1", FAR, "2001:db8:b::1", FAR6)):
        peer = bench.lab.namespace(label)
        bench.lab.cable(me, here, peer, "eth0")
        me.ip(f"addr add {mine}/24 dev {here}", f"addr add {mine6}/64 dev {here}", f"link set {here} up")
        peer.ip(f"addr add {theirs}/24 dev eth0", f"addr add {theirs6}/64 dev eth0", "link set eth0 up",
                f"route add default via {mine}", f"route add default via {mine6}")
    me.sysctl("net/ipv4/ip_forward", 1)
    me.sysctl("net/ipv6/conf/all/forwarding", 1)
    server = me.start("listener", "python3", "-c",
                      "import socket\n"
                      "s = socket.create_server(('::', 2222), family=socket.AF_INET6, dualstack_ipv6=True)\n"
                      "while True: s.accept()[0].close()")
    wait_until(lambda: server.listens(2222), "the management port")
    rules = bench.lab.directory / "other.nft"
    rules.write_text(OTHER)
    nft(me, "-f", str(rules))
    return me


def connects(where: Namespace, address: str, port: int = 2222) -> bool:
    """Whether a TCP connection comes to be; what is dropped is given up after half a second."""
    with where.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(0.5)
        try:
            s.connect((address, port))
        except OSError:
            return False
        return True


def pings(where: Namespace, address: str) -> bool:
    return where.run("ping", "-c", "1", "-W", "1", address).returncode == 0


def put_table(bench: Bench, me: Namespace, gateway: Path, code: int = 0) -> str:
    appliance = bench.lab.directory / "appliance.toml"
    appliance.write_text(APPLIANCE)
    done = me.run(str(programs(bench.build)["meiguan-controld"]), "--host-table", "--gateway", str(gateway),
                  "--appliance", str(appliance))
    same(done.returncode, code, f"exit code of --host-table: {done.stderr}")
    return done.stderr


def gateway_file(bench: Bench, *devices: str) -> Path:
    file = bench.lab.directory / "host-gateway.toml"
    file.write_text('[gateway]\nnode = "360121"\n' + "".join(
        f'[[port]]\nname = "p{n}"\nzone = "extranet"\ndevice = "{device}"\n' for n, device in enumerate(devices)))
    return file


@test(BARE)
def management_ports_are_for_the_management_networks(bench: Bench) -> None:
    """From there, both families, and by another program's redirection; from nowhere else. Others' tables stay."""
    me = host(bench)
    near, far = bench["near"], bench["far"]
    for where, at, at6 in ((near, "192.0.2.1", "2001:db8:a::1"), (far, "198.51.100.1", "2001:db8:b::1")):
        same([connects(where, at), connects(where, at6), connects(where, at, 9999)], [True] * 3,
             f"without the table {where.label} reaches the ports")
    before = others(me)
    put_table(bench, me, gateway_file(bench, "pci:0000:04:00.0"))
    same([connects(near, "192.0.2.1"), connects(near, "2001:db8:a::1"), connects(near, "192.0.2.1", 9999)],
         [True] * 3, "from the management networks")
    same([connects(far, "198.51.100.1"), connects(far, "2001:db8:b::1"), connects(far, "198.51.100.1", 9999),
          connects(far, "192.0.2.1")], [False] * 4, "from elsewhere")
    same(connects(me, "192.0.2.1"), True, "from the host itself")
    same([pings(far, "198.51.100.1"), pings(far, NEAR)], [True, True], "what is no management is not touched")
    same(others(me), before, "other programs' tables")
    again = ours(me)
    put_table(bench, me, gateway_file(bench, "pci:0000:04:00.0"))
    same(ours(me), again, "the table, put in place again")


@test(BARE)
def kernel_forwards_nothing_between_data_ports(bench: Bench) -> None:
    """Not with ip_forward and another program that accepts all, not by a bridge, not by an interface made later."""
    me = host(bench)
    near, far = bench["near"], bench["far"]
    same([pings(near, FAR), pings(near, FAR6)], [True, True], "the kernel forwards as long as nothing forbids it")
    file = gateway_file(bench, "af_packet:eth0", "tap:eth1", "af_xdp:eth9")
    put_table(bench, me, file)
    same([pings(near, FAR), pings(near, FAR6), pings(far, NEAR), pings(far, NEAR6)], [False] * 4,
         "from and to data ports")
    same(pings(near, "192.0.2.1"), False, "the kernel takes nothing from a data port")
    same(pings(far, "198.51.100.1"), True, "at a TAP it is the neighbour")
    me.ip("link add br0 type bridge", "link set br0 up", "addr flush dev eth0", "addr flush dev eth1",
          "link set eth0 master br0", "link set eth1 master br0")
    near.ip("addr add 203.0.113.1/24 dev eth0")
    far.ip("addr add 203.0.113.2/24 dev eth0")
    same(pings(near, "203.0.113.2"), False, "by a bridge over the data ports")
    nft(me, "delete", "table", "inet", "meiguan")
    same(pings(near, "203.0.113.2"), True, "by that bridge without the table")


@test(BARE)
def host_table_says_what_it_lacks(bench: Bench) -> None:
    """A gateway file that is none, no rights: a sentence and an exit code, and no table."""
    me = bench.lab.namespace("host")
    broken = bench.lab.directory / "broken.toml"
    broken.write_text("[[port]\n")
    true("broken.toml:1" in put_table(bench, me, broken, code=2), "where the file is wrong")
    file = gateway_file(bench, "af_packet:eth0")
    appliance = bench.lab.directory / "appliance.toml"
    appliance.write_text(APPLIANCE.replace("2222/tcp", "icmp"))
    done = me.run(str(programs(bench.build)["meiguan-controld"]), "--host-table", "--gateway", str(file),
                  "--appliance", str(appliance))
    same((done.returncode, "`icmp` has no ports" in done.stderr), (2, True), done.stderr)
    same(nft(me, "list", "ruleset"), "", "no table")


def start_kept(bench: Bench) -> Namespace:
    """The sample's gateway, whose control plane keeps the host's table."""
    bench.county = county.County.build(bench.lab)
    bench.county.serve()
    file = county.gateway_file(bench.lab, bench.driver)
    bench.gateway = bench.new_gateway(bench.policy, file)
    bench.gateway.appliance = bench.lab.directory / "appliance.toml"
    bench.gateway.appliance.write_text(APPLIANCE)
    me = bench["gateway"]
    put_table(bench, me, file)
    bench.gateway.more_of_controld = ("--keep-host-table", "--host-table-seconds", "1")
    bench.gateway.start()
    return me


@test(BARE)
def tampering_with_the_host_table_is_put_right(bench: Bench) -> None:
    """A rule gone, a chain that lets by, a set changed, all flushed: alarm, audit record, as before."""
    me = start_kept(bench)
    rules = bench.lab.directory / "other.nft"
    rules.write_text(OTHER)
    nft(me, "-f", str(rules))
    before, want = others(me), ours(me)
    true(any("ingress" in json.dumps(one) for one in want), "the data ports have a chain of ingress")

    def alarms() -> list[str]:
        return [alarm["alarm"] for alarm in bench.gateway.json("status")["alarms"]]

    def records() -> int:
        return bench.gateway.ask("-o", "jsonl", "audit", "show", "--event", "host-table").stdout.count('"host-table"')

    same(("host-table-changed" in alarms(), records()), (False, 0), "nothing is wrong yet")
    handle = next(line.split()[-1] for line in nft(me, "-a", "list", "chain", "inet", "meiguan", "forward").splitlines()
                  if "oifname" in line)
    told = 0
    for what, words in {
            "a rule removed": ("delete", "rule", "inet", "meiguan", "forward", "handle", handle),
            "a rule before ours": ("insert", "rule", "inet", "meiguan", "input", "accept"),
            "a network more": ("add", "element", "inet", "meiguan", "networks4", "{ 198.51.100.0/24 }"),
            "a chain flushed": ("flush", "chain", "inet", "meiguan", "ingress"),
            "put to sleep": ("add", "table", "inet", "meiguan", "{ flags dormant; }"),
            "the table deleted": ("delete", "table", "inet", "meiguan")}.items():
        nft(me, *words)
        told += 1
        wait_until(lambda: records() >= told, f"a record of: {what}", 5)
        same(ours(me), want, f"the table after: {what}")
        same(alarms().count("host-table-changed"), 1, f"an alarm of: {what}")
    same(others(me), before, "other programs' tables")
    same(pings_through(bench), True, "and packets are forwarded")


def pings_through(bench: Bench) -> bool:
    return curl(bench["finance"], "59.205.16.10", 443) == "cloud"
