"""Real programs across the boundary: what leaves by an egress and what comes back, in IPv4 and IPv6."""

from __future__ import annotations

import socket as sockets
from ipaddress import ip_address, ip_network
from typing import Any

from clients import had_no_room, iperf, iperf_server, nothing_lost, ping, traceroute
from lab import Bench, same, test, true, wait_until
from nat_lab import (FAR, INSIDE, MEASURE, NARROW, NAT, NAT_TWO, PAGES, POOL, ROUTER, WHO, ends, forget_paths, path_mtu,
                     put)
from wire import watched

FAMILIES = tuple(zip(FAR, POOL, ((), ("-6",))))


def pooled(address: str, pool: str) -> bool:
    return bool(address) and ip_address(address) in ip_network(pool)


@test(NAT, NAT_TWO)
def curl_leaves_by_the_egress(bench: Bench) -> None:
    """The server sees one address of the pool for all connections of a desk, and never its own."""
    for far, pool, _ in FAMILIES:
        seen: list[tuple[str, str]] = []

        def act(to: str = far) -> None:
            seen.extend(ends(bench["hrss"], to) for _ in range(5))

        with watched(bench, "internet", INSIDE):
            counted = bench.measure(act)
        same(len(set(seen)), 1, f"paired addresses: {seen}")
        true(pooled(seen[0][0], pool) and seen[0][1] == far, f"the server saw {seen[0]}")
        same(counted.drops(late=2), {}, "drops")
        rule = counted.rules["360121/desks-to-internet"]
        same((rule["packets"], rule["hits"]), (counted.reasons["allowed"], 5), "packets and flows of the rule")
        same(counted.units["rsj-360121"]["sent"] + counted.units["rsj-360121"]["received"], rule["packets"],
             "packets of the unit")


@test(NAT, NAT_TWO)
def large_upload_finds_the_path_mtu(bench: Bench) -> None:
    """What a router in the internet says of its MTU reaches the desk, which sees its own packet quoted."""
    for far, _, _ in FAMILIES:
        forget_paths(bench["hrss"])
        with watched(bench, "internet", INSIDE):
            same(put(bench["hrss"], far, 2_000_000), "2000000", f"bytes that {far} counted")
        same(path_mtu(bench["hrss"], far), NARROW, f"the path MTU that the desk knows to {far}")


@test(NAT, NAT_TWO)
def names_of_a_real_server(bench: Bench) -> None:
    """dnsmasq by UDP, by TCP, and by TCP after an answer that was cut."""
    records = ["--host-record=far.example,192.0.2.99,2001:db8:ffff:9::99",
               *(f"--txt-record=long.example,{'x' * 200}{n}" for n in range(10))]
    server = bench["far"].start("dnsmasq", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
                                "--no-hosts", "--user=root", "--bind-interfaces",
                                *(f"--listen-address={far}" for far in FAR), *records)
    try:
        wait_until(lambda: server.listens(53), "dnsmasq listens")

        def ask(far: str, name: str, kind: str, *more: str) -> str:
            done = bench["hrss"].run("dig", "+short", "+tries=1", "+timeout=3", *more, f"@{far}", name, kind)
            return done.stdout.strip()

        def act() -> None:
            for far in FAR:
                same(ask(far, "far.example", "A"), "192.0.2.99", f"A by UDP of {far}")
                same(ask(far, "far.example", "AAAA", "+tcp"), "2001:db8:ffff:9::99", f"AAAA by TCP of {far}")
                same(len(ask(far, "long.example", "TXT", "+noedns").splitlines()), 10, f"TXT that was cut, of {far}")

        with watched(bench, "internet", INSIDE):
            counted = bench.measure(act)
        same(counted.drops(late=2), {}, "drops")
        same(counted.rules["360121/desks-to-internet"]["hits"], 8, "flows")
    finally:
        server.stop()


@test(NAT, NAT_TWO)
def ping_out(bench: Bench) -> None:
    """By identifiers; whole and in fragments; two desks with the same identifier at once."""
    for far, _, _ in FAMILIES:
        ping(bench["hrss"], far, "-s", "1352", "-M", "want", count=1)

        def act(to: str = far) -> None:
            for size in ("56", "1200", "9000"):
                seen = ping(bench["hrss"], to, "-s", size, count=5)
                same((seen.sent, seen.received), (5, 5), f"ping -s {size} {to}: {seen.output}")
            for host in ("hrss", "civil"):
                seen = ping(bench[host], to, "-e", "4711", count=5)
                same((seen.sent, seen.received), (5, 5), f"ping -e 4711 {to} of {host}: {seen.output}")

        with watched(bench, "internet", INSIDE):
            counted = bench.measure(act)
        same(set(counted.drops(late=2)) - {"too-big"}, set(), "drops")
        same(counted.rules["360121/desks-to-internet"]["hits"], 5, "flows")


@test(NAT, NAT_TWO)
def traceroute_out(bench: Bench) -> None:
    """Errors of routers behind the egress come back to the desk as answers to its own packets."""
    for far, router, first in zip(FAR, ROUTER, ("10.65.64.65", "2001:db8:107:2::1")):
        for way in ((), ("-I",), ("-T", "-p", str(PAGES))):
            with watched(bench, "internet", INSIDE):
                same(traceroute(bench["hrss"], far, *way), [first, router, far], f"traceroute {way} {far}")


@test(NAT, NAT_TWO)
def a_closed_port_is_told_of_through_the_egress(bench: Bench) -> None:
    """An inside host's port unreachable reaches who sent there, and shows nothing of the inside."""
    for far, pool, (family, version) in ((FAR[0], POOL[0], (sockets.AF_INET, 4)),
                                        (FAR[1], POOL[1], (sockets.AF_INET6, 6))):
        with bench["far"].socket(family, sockets.SOCK_DGRAM) as outside, \
                bench["hrss"].socket(family, sockets.SOCK_DGRAM) as inside, watched(bench, "internet", INSIDE):
            outside.bind((far, 0))
            outside.settimeout(5)
            inside.sendto(b"hello", outside.getsockname()[:2])
            _, sender = outside.recvfrom(100)
            true(pooled(sender[0], pool), f"seen from the far place: {sender}")
            outside.connect(sender)
            inside.close()
            outside.send(b"is anybody there")
            try:
                outside.recv(100)
                told = "an answer"
            except ConnectionRefusedError:
                told = "refused"
            same(told, "refused", f"what is told of the closed port, IPv{version}")


@test(NAT, NAT_TWO)
def one_mapping_for_all_remote_ends(bench: Bench) -> None:
    """A socket has one address and port outside, whoever it talks to (RFC 4787 REQ-1); UDP parity stays (REQ-4)."""
    with bench["hrss"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as s:
        s.settimeout(5)
        seen = set()
        for server in (FAR[0], "192.0.2.81", "192.0.2.90"):
            s.sendto(b"who", (server, WHO))
            answer, sender = s.recvfrom(100)
            same(sender, (server, WHO), "who answers")
            seen.add(answer.decode())
        same(len(seen), 1, f"mappings {seen}")
        same(int(seen.pop().split()[1]) % 2, s.getsockname()[1] % 2, "parity")


@test(NAT, NAT_TWO)
def iperf3_through_the_egress(bench: Bench) -> None:
    """TCP and UDP, in both directions: nothing is lost, nothing has a wrong checksum."""
    tcp, udp = ("-b", "100M"), ("-u", "-b", "10M", "-l", "1200")
    for number, words in ((0, tcp), (0, (*tcp, "-R")), (0, udp), (0, (*udp, "-R")), (1, tcp), (1, (*udp, "-R"))):
        far, _, family = FAMILIES[number]
        done: list[dict[str, Any]] = []
        with (iperf_server(bench, "far", far, MEASURE), watched(bench, "internet", INSIDE),
              nothing_lost(bench, "hrss" if "-R" in words else "far") as datagrams):
            counted = bench.measure(lambda: done.append(
                iperf(bench["hrss"], far, MEASURE, *words, *family, seconds=1)))
            datagrams.extend(done if "-u" in words else [])
        drops = counted.drops(late=counted.reasons["allowed"] // 50)
        same(set(drops) - {"too-big"}, set(), f"drops of {words} {far}: {drops}")
        if "-u" in words:
            true(done[0]["sum"]["packets"] > 500, "datagrams")
        else:
            true(done[0]["sum_received"]["bytes"] > 1_000_000, "something was carried")


@test(NAT, NAT_TWO)
def datagrams_in_fragments_through_the_egress(bench: Bench) -> None:
    """8,000 bytes each, both ways: every one is whole, in and out, and its checksum right."""
    for far, _, family in FAMILIES:
        ping(bench["hrss"], far, "-s", "3000", count=2)  # so that the path's MTU is known
        for way in ((), ("-R",)):
            done: list[dict[str, Any]] = []
            receiver = "hrss" if way else "far"
            missed, no_room = bench.missed(), had_no_room(bench, receiver)
            with iperf_server(bench, "far", far, MEASURE), watched(bench, "internet", INSIDE) as wire:
                counted = bench.measure(lambda: done.append(iperf(
                    bench["hrss"], far, MEASURE, "-u", "-b", "10M", "-l", "8000", *family, *way, seconds=1)))
            missed, no_room = bench.missed() - missed, had_no_room(bench, receiver) - no_room
            same(set(counted.drops(late=4)) - {"too-big"} - ({"fragment-incomplete"} if missed else set()), set(),
                 f"drops {way} {far}")
            # A busy machine may have no room for them, and the server may end before the last ones come.
            lost = done[0]["sum"]["lost_packets"]
            true(lost <= no_room + done[0]["sum"]["packets"] // 50,
                 f"datagrams lost {way} {far}: {lost}, the machine had no room for {no_room}: {counted.reasons}")
            true(done[0]["sum"]["packets"] > 50, "datagrams")
            if not way:
                true(sum(p.fragment is not None for p in wire.packets) > 300, "fragments on the wire")
            same(list(wire.parts), [], "datagrams that did not leave whole")


@test(NAT, NAT_TWO)
def who_had_a_public_address_and_port(bench: Bench) -> None:
    """`meiguan port-blocks` names the inside address of what a server saw, and nobody for what is nobody's."""
    with bench["civil"].socket(sockets.AF_INET, sockets.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(b"who", (FAR[0], WHO))
        address, port = s.recvfrom(100)[0].decode().split()

    def rows(about: str) -> list[dict[str, Any]]:
        return bench.gateway.json("port-blocks", about)["rows"]

    found = wait_until(lambda: rows(f"{address}:{port}"), "the block is told of")
    same([(row["inside"], row["unit"], row["state"]) for row in found], [("10.65.64.100", "mzj-360121", "held")],
         f"who holds {address}:{port}")
    logged = bench.gateway.json("port-blocks", f"{address}:{port}", "--since", "1h")["rows"]
    same([(row["inside"], row["unit"], row["taken"]) for row in logged],
         [("10.65.64.100", "mzj-360121", found[0]["taken"])], "as the log on disk has it")
    true(found[0]["first_port"] <= int(port) <= found[0]["last_port"] and found[0]["taken"], f"its ports: {found}")
    true(found[0] in rows("10.65.64.100"), "by the inside address")
    same(rows(f"{address}:1"), [], "whose port 1 is")
    for form in ("table", "json", "jsonl", "csv"):
        same(bench.gateway.ask("port-blocks", "-o", form).returncode, 0, f"port-blocks as {form}")
    true(bench.gateway.ask("port-blocks", "nobody").returncode == 3, "what is no address is refused")
