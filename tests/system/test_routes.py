"""Routes from the kernel: FRR beside the gateway speaks OSPF by a TAP, and what it learns steers the gateway."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import replace
from typing import Any

from clients import curl, ping
from frr import Frr
from lab import Bench, ONE_WORKER, same, test, true, wait_until

CLOUD = {4: "59.205.16.0/20", 6: "2001:db8:0:16::/64"}
SERVER = {4: "59.205.16.10", 6: "2001:db8:0:16::10"}
ROOM = 64  # routes that this data plane has room for

BESIDE = """
[[local]]
port = "wan"
from = ["59.205.5.56/30", "fe80::/10"]
services = ["proto-89"]
"""


def learning(text: str) -> str:
    """Without its own ways up and out: those to the province are to be learned, and there is no default."""
    for prefix in ("59.205.0.0/16", "2001:db8::/32", "0.0.0.0/0", "::/0"):
        text, found = re.subn(rf'\[\[route\]\][^\[]*prefix = "{re.escape(prefix)}"[^\[]*', "", text)
        same(found, 1, f"routes to {prefix} in the gateway file")
    return text.replace("workers = 1", 'workers = 1\nroutes = "kernel"', 1)


ROUTES = replace(ONE_WORKER, name="routes", beside=lambda bench: BESIDE, gateway_text=learning,
                 port_keys=(("wan", 'tap = "mg-wan"'),), options=("--routes", str(ROOM)))


def ospf(router: str, interface: str, more: str = "") -> dict[str, str]:
    """Two routers on one cable that miss each other after three seconds."""
    pace = "timers throttle spf 10 50 200"
    return {"ospfd": f"""
interface {interface}
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 3
router ospf
 ospf router-id {router}
 network 59.205.5.56/30 area 0
 {pace}
 {more}
""", "ospf6d": f"""
interface {interface}
 ipv6 ospf6 network point-to-point
 ipv6 ospf6 hello-interval 1
 ipv6 ospf6 dead-interval 3
 ipv6 ospf6 area 0
router ospf6
 ospf6 router-id {router}
 {pace}
 {more}
"""}


def start_frr(bench: Bench, host: str) -> Frr:
    return Frr(bench, host, ospf("192.0.2.1", "mg-wan") if host == "gateway" else
               ospf("192.0.2.2", "eth0", "redistribute kernel"))


def routers(bench: Bench) -> dict[str, Frr]:
    """FRR beside the gateway and at the province, once they have told each other their routes."""
    frrs = getattr(bench, "frrs", None)
    if frrs is None:
        frrs = bench.frrs = {host: start_frr(bench, host) for host in ("gateway", "province")}
    await_routes(bench, CLOUD.values(), ())
    return frrs


def learned(bench: Bench) -> dict[str, dict[str, Any]]:
    """What the gateway has from the kernel, by prefix; nothing while it cannot be asked."""
    answer = bench.gateway.json("routes")
    return {row["prefix"]: row for row in answer["rows"] if row["origin"] == "kernel"} if answer else {}


def used(bench: Bench) -> set[str]:
    return {prefix for prefix, row in learned(bench).items() if row["state"] == "used"}


def await_routes(bench: Bench, there: Any, gone: Any, seconds: float = 20) -> None:
    def as_wanted() -> bool:
        now = used(bench)
        return set(there) <= now and not now & set(gone)

    wait_until(as_wanted, f"routes {sorted(there)} used and {sorted(gone)} gone", seconds)


def counts(bench: Bench) -> dict[str, Any]:
    return bench.gateway.json("status")["dataplane"]["routes"]


def at_province(bench: Bench, change: str) -> None:
    """Adds or withdraws what the province redistributes."""
    bench["province"].ip(f"route {change} {CLOUD[4]} via 10.64.255.2",
                         f"route {change} {CLOUD[6]} via 2001:db8:0:ff::2")


@test(ROUTES)
def routes_by_ospf_are_learned_used_and_withdrawn(bench: Bench) -> None:
    """Both families; withdrawn, packets end as no-route and their senders are told; back, held connections go on."""
    routers(bench)
    cloud = learned(bench)[CLOUD[4]]
    same((cloud["port"], cloud["zone"], cloud["via"]), ("wan", "extranet", "59.205.5.57"), "the way to the cloud")
    true(learned(bench)[CLOUD[6]]["via"].startswith("fe80:"), "IPv6 by a link-local next hop")

    def get_pages() -> None:
        for family, server in SERVER.items():
            same(curl(bench["finance"], server, 443), "cloud", f"the cloud by a learned route, IPv{family}")

    same(bench.measure(get_pages).drops(), {}, "drops while the routes are there")
    before = counts(bench)
    with bench["finance"].entered():
        held = socket.create_connection((SERVER[4], 443), timeout=10)
    try:
        at_province(bench, "del")
        await_routes(bench, (), CLOUD.values())

        def in_vain() -> None:
            for family, server in SERVER.items():
                same(curl(bench["finance"], server, 443, 1.2), None, f"withdrawn, IPv{family}")
            unreachable = ping(bench["finance"], SERVER[4], count=2)
            same(unreachable.received, 0, "pings of what nobody leads to")
            true("Unreachable" in unreachable.output, f"the sender is told: {unreachable.output}")

        drops = bench.measure(in_vain).drops()
        true(set(drops) == {"no-route"} and drops["no-route"] >= 4, f"drops when they are withdrawn: {drops}")
        held.sendall(b"GET / HTTP/1.0\r\n\r\n")
    finally:
        at_province(bench, "add")
    await_routes(bench, CLOUD.values(), ())
    answer = b""
    while part := held.recv(4096):
        answer += part
    held.close()
    true(answer.endswith(b"cloud\n") or b"cloud" in answer, f"by the connection that was held: {answer!r}")
    same(bench.measure(get_pages).drops(), {}, "drops when the routes are back")
    true(counts(bench)["changes"] >= before["changes"] + 2, "changes are counted")


@test(ROUTES)
def routes_of_a_router_that_died_go_as_the_kernel_says(bench: Bench) -> None:
    """Killed at the province: gone with the dead interval. Killed beside the gateway: they stay, as in the kernel."""
    frrs = routers(bench)
    frrs.pop("province").kill()
    try:
        await_routes(bench, (), CLOUD.values())
        same(curl(bench["finance"], SERVER[4], 443, 1.2), None, "with no router at the province")
    finally:
        frrs["province"] = start_frr(bench, "province")
    await_routes(bench, CLOUD.values(), ())

    frrs.pop("gateway").kill()
    try:
        # As long as the kernel has them; nobody else takes them away.
        shown = bench["gateway"].run("ip", "route", "show", CLOUD[4]).stdout
        true("mg-wan" in shown, f"the kernel's route: {shown!r}")
        same(curl(bench["finance"], SERVER[4], 443), "cloud", "by what FRR left in the kernel")
        bench["gateway"].ip(f"route del {CLOUD[4]}")
        await_routes(bench, (), (CLOUD[4],))
    finally:
        frrs["gateway"] = start_frr(bench, "gateway")
    await_routes(bench, CLOUD.values(), ())
    same(curl(bench["finance"], SERVER[4], 443), "cloud", "with both routers back")


@test(ROUTES)
def learned_routes_open_no_door(bench: Bench) -> None:
    """Nothing inside what is connected, by no next hop that is not there, and never against the gateway file."""
    routers(bench)
    kernel = bench["gateway"]
    changes = {"10.65.64.37/32": "inside-own", "203.0.113.20/32": "inside-own", "10.0.0.0/8": "file-prefers",
               "59.255.7.0/24": "used", "100.64.0.0/10": "no-such-next-hop"}
    hops = {"100.64.0.0/10": "172.31.99.1 onlink"}
    for prefix in changes:
        kernel.ip(f"route add {prefix} via {hops.get(prefix, '59.205.5.57')} dev mg-wan")
    try:
        def judged() -> bool:
            now = learned(bench)
            return all(prefix in now and now[prefix]["state"] == state for prefix, state in changes.items())

        wait_until(judged, f"states {changes}, last {learned(bench)}")
        # The sender of a connected subnet is still held to its port and its MAC.
        same(curl(bench["finance"], SERVER[4], 443), "cloud", "finance, whose address somebody claims by a route")
        same(bench.measure(lambda: same(ping(bench["impostor"], SERVER[4], count=1).received, 0, "an impostor"))
             .drops().get("terminal-mac", 0), 1, "a terminal's address by another MAC")
    finally:
        kernel.ip(*(f"route del {prefix} dev mg-wan" for prefix in changes))
    await_routes(bench, CLOUD.values(), ("59.255.7.0/24",))


@test(ROUTES)
def more_routes_than_there_is_room_for_are_refused_by_name(bench: Bench) -> None:
    """The longest prefixes are left out, the alarm is routes-full, and what was learned before goes on."""
    routers(bench)
    kernel = bench["gateway"]
    many = [f"100.64.{n}.0/24" for n in range(200)]
    kernel.ip(*(f"route add {prefix} via 59.205.5.57 dev mg-wan" for prefix in many))

    def alarms() -> set[str]:
        return {alarm["alarm"] for alarm in bench.gateway.json("status")["alarms"]}

    try:
        wait_until(lambda: "routes-full" in alarms(), "the alarm routes-full")
        now = counts(bench)
        same(now["learned"] + now["unused"], ROOM, "routes that are known")
        true(now["excess"] >= 200 - ROOM, f"routes beyond: {now}")
        true(CLOUD[4] in used(bench), "the shorter prefix stays")
        same(curl(bench["finance"], SERVER[4], 443), "cloud", "meanwhile")
    finally:
        kernel.ip(*(f"route del {prefix} dev mg-wan" for prefix in many))
    wait_until(lambda: "routes-full" not in alarms(), "the alarm's end", 20)


@test(ROUTES)
def a_storm_of_changes_costs_little_and_disturbs_nobody(bench: Bench) -> None:
    """Thousands of changes are some dumps, live connections pass meanwhile, and the last change holds."""
    routers(bench)
    kernel = bench["gateway"]
    before = counts(bench)
    began = time.monotonic()
    flap = [line for n in range(50) for line in (f"route add 100.64.{n}.0/24 via 59.205.5.57 dev mg-wan",
                                                 f"route del 100.64.{n}.0/24 via 59.205.5.57 dev mg-wan")]
    lost = changed = 0
    while changed < 3000 or time.monotonic() < began + 4:
        kernel.ip(*flap)
        changed += len(flap)
        got = ping(bench["finance"], SERVER[4], count=3)
        lost += got.sent - got.received
    kernel.ip("route add 100.64.200.0/24 via 59.205.5.57 dev mg-wan")
    try:
        await_routes(bench, (*CLOUD.values(), "100.64.200.0/24"), ("100.64.1.0/24",))
    finally:
        kernel.ip("route del 100.64.200.0/24 via 59.205.5.57 dev mg-wan")
    dumps, seconds = counts(bench)["dumps"] - before["dumps"], time.monotonic() - began
    true(dumps <= seconds / 0.5 + 2, f"{dumps} dumps in {seconds:.1f} s for {changed} changes")
    same(lost, 0, "pings lost meanwhile")
    await_routes(bench, CLOUD.values(), ("100.64.200.0/24",))


@test(ROUTES)
def a_data_plane_started_again_learns_anew(bench: Bench) -> None:
    """Its TAPs go with it and the kernel's routes by them; FRR speaks by the new ones, and is heard."""
    routers(bench)
    assert bench.gateway.dataplane
    bench.gateway.dataplane.stop()
    bench.gateway.start_dataplane()
    bench.gateway.await_image()
    await_routes(bench, CLOUD.values(), ())
    wait_until(lambda: curl(bench["finance"], SERVER[4], 443, 1.2) == "cloud", "the cloud again")
