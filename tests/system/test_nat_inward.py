"""Translation inwards: what is published, hairpins, and two private networks with the same addresses."""

from __future__ import annotations

import socket as sockets

from clients import curl, ping, traceroute
from lab import Bench, same, test, true
from nat_lab import (FAR, HOTLINE, INSIDE, MIRROR, NARROW, NAT, NAT_TWO, POOL, WHO, download, ends, forget_paths,
                     path_mtu)
from test_nat import pooled
from wire import watched

EXCHANGE = "59.205.209.114"


@test(NAT, NAT_TWO)
def a_published_service_with_one_endpoint(bench: Bench) -> None:
    """Reached at its public address alone; the server sees the client as it is."""
    seen: list[tuple[str, str]] = []
    with watched(bench, "internet", INSIDE):
        counted = bench.measure(lambda: seen.append(ends(bench["far"], *HOTLINE)))
    same(seen, [(FAR[0], "203.0.113.21")], "client and server, as the server sees them")
    same(counted.drops(late=2), {}, "drops")
    rule = counted.rules["360121/hotline-for-public"]
    same((rule["packets"], rule["hits"]), (counted.reasons["allowed"], 1), "packets and flows of the rule")
    same(counted.services["hotline"]["flows"], 1, "flows of the service")

    def refused() -> None:
        same(curl(bench["far"], "203.0.113.21", 8443, 1.2), None, "by its inside address")
        same(curl(bench["far"], HOTLINE[0], 8443, 1.2), None, "by a port that is not published")
        same(ping(bench["far"], HOTLINE[0], count=1).received, 0, "a ping of the public address")

    counted = bench.measure(refused)
    same(set(counted.drops()), {"internet-isolated", "nat-unsolicited"}, "drops")
    same(counted.reasons["allowed"], 0, "allowed")


@test(NAT, NAT_TWO)
def a_published_service_with_several_endpoints(bench: Bench) -> None:
    """Clients are spread over the machines, and each keeps its own."""
    clients = [f"192.0.2.{n}" for n in range(81, 97)]
    chosen: dict[str, set[str]] = {client: set() for client in clients}

    def act() -> None:
        for client in clients * 2:
            source, server = ends(bench["far"], MIRROR[0], 80, "--interface", client)
            same(source, client, "the client, as the server sees it")
            chosen[client].add(server)

    with watched(bench, "internet", INSIDE):
        counted = bench.measure(act)
    same(counted.drops(late=2), {}, "drops")
    same({len(servers) for servers in chosen.values()}, {1}, f"machines of each client: {chosen}")
    same({server for servers in chosen.values() for server in servers}, {"203.0.113.22", "203.0.113.23"}, "machines")
    same(counted.rules["360121/mirror-for-all"]["hits"], 32, "flows of the rule")
    with watched(bench, "internet", INSIDE):
        same(ends(bench["far"], MIRROR[1], 80), (FAR[1], "2001:db8:2107:1::22"), "by IPv6")


@test(NAT, NAT_TWO)
def large_download_finds_the_path_mtu(bench: Bench) -> None:
    """What a router in the internet says of its MTU to a public address reaches the server behind it."""
    for family, public, port in ((0, HOTLINE[0], HOTLINE[1]), (1, MIRROR[1], 80)):
        forget_paths(bench["portal"])
        with watched(bench, "internet", INSIDE):
            same(download(bench["far"], public, port, 2_000_000), 2_000_000, f"bytes from {public}")
        same(path_mtu(bench["portal"], FAR[family]), NARROW, f"the path MTU that the server knows to {FAR[family]}")


@test(NAT, NAT_TWO)
def traceroute_to_a_public_address(bench: Bench) -> None:
    """The last hop is the public address: the server behind it is not shown."""
    for public, router, first in ((MIRROR[0], "198.51.100.2", "192.0.2.1"),
                                  (MIRROR[1], "2001:db8:ffff:1::2", "2001:db8:ffff:9::1")):
        with watched(bench, "internet", INSIDE):
            same(traceroute(bench["far"], public, "-T", "-p", "80"), [first, router, public], f"traceroute -T {public}")


@test(NAT, NAT_TWO)
def hairpins_to_public_addresses(bench: Bench) -> None:
    """Offices reach what is published by its public address, and so does a machine that is behind it itself."""

    def act() -> None:
        same(ends(bench["hrss"], *HOTLINE), ("10.65.64.70", "203.0.113.21"), "an office to the hotline")
        same(ends(bench["hrss"], MIRROR[1]), ("2001:db8:107:2::70", "2001:db8:2107:1::22"), "an office, IPv6")
        source, server = ends(bench["portal"], MIRROR[0])
        true(pooled(source, "203.0.113.52/31"), f"the server is seen by its own pool address: {source}")
        true(server in ("203.0.113.22", "203.0.113.23"), f"a machine behind the public address: {server}")

    same(bench.measure(act).drops(late=2), {}, "drops")


@test(NAT, NAT_TWO)
def hairpins_to_mapped_addresses(bench: Bench) -> None:
    """Two desks talk by the addresses that a third party told them (RFC 4787 REQ-9), and one with itself."""
    with bench["hrss"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as one, \
            bench["civil"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as other, \
            bench["hrss"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as own:
        outside = {}
        for s in (one, other, own):
            s.settimeout(5)
            s.sendto(b"who", (FAR[0], WHO))
            address, port = s.recvfrom(100)[0].decode().split()
            outside[s] = (address, int(port))
        for asking in (other, own):
            asking.sendto(b"hello", outside[one])
            same(one.recvfrom(100), (b"hello", outside[asking]), "what arrives, and from whom")
            one.sendto(b"welcome", outside[asking])
            same(asking.recvfrom(100), (b"welcome", outside[one]), "the answer, and from whom")
        # What nobody inside may open is refused by inside addresses: social security to civil affairs.
        with bench["hrss"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as refused:
            counted = bench.measure(lambda: refused.sendto(b"hello", outside[other]))
        same(counted.drops(), {"default-deny": 1}, "drops")


@test(NAT, NAT_TWO)
def nobody_outside_opens_a_mapping(bench: Bench) -> None:
    """A live mapping lets in who was spoken to, and nobody else: RFC 4787 section 5, the strictest filtering."""
    with bench["hrss"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as inside, \
            bench["far"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as stranger:
        inside.settimeout(5)
        inside.sendto(b"who", (FAR[0], WHO))
        address, port = inside.recvfrom(100)[0].decode().split()
        true(pooled(address, POOL[0]), f"seen as {address}")

        def act() -> None:
            stranger.sendto(b"from another port", (address, int(port)))
            stranger.sendto(b"to another port", (address, int(port) ^ 1))
            same(ping(bench["far"], address, count=2).received, 0, "a ping of a pool address")

        counted = bench.measure(act)
    same(counted.drops(), {"nat-unsolicited": 4}, "drops")
    # Of IPv6, an outside address leads nowhere without a flow.
    counted = bench.measure(lambda: same(ping(bench["far"], POOL[1].replace("/64", "70"), count=2).received, 0, "v6"))
    same(counted.drops(), {"nat-unsolicited": 2}, "drops")


@test(NAT, NAT_TWO)
def private_networks_translated(bench: Bench) -> None:
    """Two machines with one address are two to the exchange, and it reaches each by its own outside address."""
    seen: dict[str, object] = {}

    def outwards() -> None:
        for host in ("hrss-desk", "forestry-desk"):
            seen[host] = ends(bench[host], EXCHANGE, 9520)
        for host in ("hrss-desk", "forestry-desk"):
            seen[f"upload of {host}"] = download(bench[host], EXCHANGE, 9520, 500_000)

    with watched(bench, "exchange", ("10.1.1.0/24", "192.168.1.0/24")):
        counted = bench.measure(outwards)
    same(seen, {"hrss-desk": ("10.200.1.10", EXCHANGE), "forestry-desk": ("10.200.2.10", EXCHANGE),
                "upload of hrss-desk": 500_000, "upload of forestry-desk": 500_000}, "what the exchange saw")
    same(counted.drops(late=2), {}, "drops")
    same((counted.units["rsj-vpn-360121"]["sent"] > 4, counted.units["lyj-vpn-360121"]["sent"] > 4), (True, True),
         "packets of the units, by inside addresses")

    def inwards() -> None:
        same(curl(bench["exchange"], "10.201.1.10", 443), "hrss-centre", "by the outside of the one")
        same(curl(bench["exchange"], "10.201.2.10", 443), "forestry-centre", "by the outside of the other")
        same(curl(bench["exchange"], "10.201.2.10", 8443), "forestry-centre", "by the outside of the other")
        same(curl(bench["exchange"], "10.201.1.10", 8443, 1.2), None, "what the one does not offer")

    with watched(bench, "exchange", ("10.1.1.0/24", "192.168.1.0/24")):
        counted = bench.measure(inwards)
    same(set(counted.drops(late=2)), {"default-deny"}, "drops")
    same((counted.services["social-insurance"]["flows"], counted.services["forest-rights"]["flows"]), (1, 2), "flows")
