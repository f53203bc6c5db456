"""The county with translation at its boundary, and a place in the internet behind a router with a smaller MTU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clients import url
from lab import ROOT, Bench, Setup
from namespaces import Namespace, await_ready

PEER = ROOT / "tools/lib/peer.py"
POLICY = Path(__file__).with_name("nat.toml")
NARROW = 1300  # between the router and the place behind it; the gateway's own port has 1400

FAR = ("192.0.2.2", "2001:db8:ffff:9::2")
ROUTER = ("198.51.100.1", "2001:db8:ffff:1::1")
POOL = ("203.0.113.48/30", "2001:db8:f0:2::/64")  # of social security
HOTLINE = ("203.0.113.34", 443)
MIRROR = ("203.0.113.35", "2001:db8:2107:f::35")
INSIDE = ("10.0.0.0/8", "59.205.0.0/16", "203.0.113.21/32", "203.0.113.22/31", "2001:db8:107::/48",
          "2001:db8:2107:1::22/128")
PAGES, WHO, MEASURE = 80, 7007, 5201


def beside(bench: Bench) -> str:
    """The far place and the servers of the dmz; the text is for the gateway file."""
    router, far = bench["internet"], bench.lab.namespace("far")
    bench.lab.cable(router, "far0", far, "eth0")
    for key, value in (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/icmp_ratelimit", 0),
                       ("ipv6/icmp/ratelimit", 0)):
        router.sysctl(f"net/{key}", value)
    router.ip("address add 192.0.2.1/24 dev far0", "address add 2001:db8:ffff:9::1/64 dev far0 nodad",
              "link set far0 up", f"route add {FAR[0]}/32 dev far0 mtu lock {NARROW}",
              f"route add {FAR[1]}/128 dev far0 mtu lock {NARROW}")
    far.ip("address add 192.0.2.2/24 dev eth0", "address add 2001:db8:ffff:9::2/64 dev eth0 nodad",
           *(f"address add 192.0.2.{n}/32 dev eth0" for n in range(81, 97)), "link set eth0 up",
           "route add default via 192.0.2.1", "route add default via 2001:db8:ffff:9::1")
    bench["portal"].ip(*(f"address add {a} dev eth0" for a in (
        "203.0.113.21/32", "203.0.113.22/32", "203.0.113.23/32", "2001:db8:2107:1::22/128 nodad")))
    for host, words in (("far", ("--http", str(PAGES), "--who", str(WHO))), ("portal", ("--http", "8080"))):
        await_ready(bench[host].start(f"server-{host}", "python3", "-B", str(PEER), "--name", host, *words))
    return """
[[route]]  # the other private network's way to the exchange, which a translation opens
prefix = "59.205.209.112/28"
port = "exchange"
space = "vpn-forestry"
"""


NAT = Setup("nat", policy=(POLICY,), beside=beside)
NAT_TWO = replace(NAT, name="nat, two workers", workers=2)


def ends(where: Namespace, address: str, port: int = PAGES, *more: str) -> tuple[str, str]:
    """Who the server says that the client is, and who it is itself; addresses alone."""
    done = where.run("curl", "-sS", "--connect-timeout", "3", "-m", "10", *more, url(address, port, "/ends"))
    words = done.stdout.split()
    return (words[0], words[2]) if len(words) == 4 else ("", done.stderr.strip())


def path_mtu(where: Namespace, address: str) -> int:
    """What the kernel there believes of the way to an address; 0 where it has learned nothing."""
    words = where.run("ip", "route", "get", address).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0


def forget_paths(*hosts: Namespace) -> None:
    for host in hosts:
        for family in ("-4", "-6"):
            host.run("ip", family, "route", "flush", "cache")


def put(where: Namespace, address: str, size: int) -> str:
    """What the server counted of so many bytes that were sent to it."""
    done = where.run("sh", "-c", f"head -c {size} /dev/zero | curl -sS -m 30 -H 'Expect:' -T - "
                     f"-H 'Transfer-Encoding:' -H 'Content-Length: {size}' '{url(address, PAGES, '/')}'", seconds=40)
    return done.stdout.strip() or done.stderr.strip()


def download(where: Namespace, address: str, port: int, size: int) -> int:
    done = where.run("curl", "-sS", "-m", "30", "-o", "/dev/null", "-w", "%{size_download}",
                     url(address, port, f"/bytes/{size}"), seconds=40)
    return int(done.stdout) if done.returncode == 0 and done.stdout.isdigit() else -1


__all__ = ["FAR", "HOTLINE", "INSIDE", "MEASURE", "MIRROR", "NARROW", "NAT", "NAT_TWO", "PAGES", "POOL", "ROUTER",
           "WHO", "download", "ends", "forget_paths", "path_mtu", "put"]
