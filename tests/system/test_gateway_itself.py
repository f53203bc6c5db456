"""What the gateway says and answers itself: ARP, neighbour discovery, ICMP."""

import re

from clients import ping, url
from frames import echo, frame, inject, p
from lab import Bench, same, test, true

LAN_MAC = "02:36:01:21:00:01"


@test()
def answers_for_its_own_addresses(bench: Bench) -> None:
    """ARP and neighbour discovery yield the port's MAC; echo works, also to the address of another port."""
    for address in ("10.65.64.65", "2001:db8:107:2::1", "59.205.5.58", "2001:db8:107:ffff::2"):
        counted = bench.measure(lambda a=address: same(ping(bench["hrss"], a).received, 3, f"ping {a}"))
        true(counted.reasons["for-gateway"] >= 3, "for-gateway")
        same(counted.drops(), {}, "drops")
        same(counted.reasons["allowed"], 0, "allowed")
    known = bench["hrss"].run("ip", "neigh", "show", "dev", "eth0").stdout
    for address in ("10.65.64.65", "2001:db8:107:2::1"):
        true(re.search(rf"^{re.escape(address)} lladdr {LAN_MAC} ", known, re.M), f"neighbour {address}: {known}")


@test()
def answers_for_no_other_address(bench: Bench) -> None:
    """No ARP answer for a host on the segment, nor for one behind another port."""
    with bench["hrss"].packet_socket("eth0") as s:
        s.settimeout(0.3)
        for target in ("10.65.64.66", "59.205.16.10"):
            s.send(p.ethernet("ff:ff:ff:ff:ff:ff", "52:54:00:21:02:70", p.ETHERTYPE_ARP, p.arp(
                1, "52:54:00:21:02:70", "10.65.64.70", "00:00:00:00:00:00", target)))
        try:
            while True:
                seen = s.recv(2048)
                true(not (seen[12:14] == b"\x08\x06" and seen[20:22] == b"\0\x02"), f"an ARP answer: {seen.hex()}")
        except TimeoutError:
            pass


@test()
def first_packets_wait_for_the_next_hop(bench: Bench) -> None:
    """Packets are held while the next hop is looked for: not even the first ping is lost."""
    for family, address in ((4, "10.65.64.100"), (6, "2001:db8:107:3::10")):
        seen = ping(bench["hrss"], address, "-l", "3", count=3)
        same((seen.sent, seen.received), (3, 3), f"ping IPv{family}, three at once: {seen.output}")


@test()
def next_hop_that_does_not_answer(bench: Bench) -> None:
    """The sender is told that the host is unreachable, and the packets are counted as such."""
    for address, words in (("59.205.39.20", "Destination Host Unreachable"),
                           ("2001:db8:107:100::77", "Address unreachable")):
        replies: list[str] = []

        def act() -> None:
            seen = ping(bench["operator"], address, "-W", "4", count=2)
            same(seen.received, 0, f"ping {address}")
            replies.append(seen.output)

        counted = bench.measure(act)
        same(counted.drops(), {"next-hop-unresolved": 2}, "drops")
        true(words in replies[0], f"{words}: {replies[0]}")


@test()
def packet_too_big_and_path_mtu_discovery(bench: Bench) -> None:
    """A large file comes through a port of MTU 1400: the server is told and sends smaller packets."""
    size = 2_000_000
    for address, client in (("203.0.113.20", "198.51.100.1"), ("2001:db8:2107:1::20", "2001:db8:ffff:1::1")):

        def fetch() -> None:
            done = bench["internet"].run("curl", "-sS", "-m", "15", "-o", "/dev/null", "-w", "%{size_download}",
                                         url(address, 80, f"/bytes/{size}"))
            same((done.returncode, done.stdout), (0, str(size)), f"curl {address}: {done.stderr}")

        counted = bench.measure(fetch)
        true(counted.reasons["too-big"] >= 1, "too-big")
        same(counted.drops(), {"too-big": counted.reasons["too-big"]}, "drops")
        route = bench["portal"].run("ip", "route", "get", client).stdout
        true("mtu 1400" in route, f"what the server has learnt: {route}")


@test()
def no_route(bench: Bench) -> None:
    """Where there is no route the sender is told."""
    seen: list[str] = []
    counted = bench.measure(lambda: seen.append(ping(bench["hrss-desk"], "10.99.0.1", count=1).output))
    same(counted.drops(), {"no-route": 1}, "drops")
    true("Destination Net Unreachable" in seen[0], seen[0])


@test()
def icmp_errors_are_rate_limited(bench: Bench) -> None:
    """A thousand packets whose life ends here earn far fewer errors, and none goes uncounted."""
    frames = [frame("lan", "52:54:00:21:02:70", echo("10.65.64.70", "59.205.16.3", 9, n, ttl=1)) for n in range(1000)]
    told: list[int] = []

    def act() -> None:
        before = bench["hrss"].statistics("eth0")["rx_packets"]
        inject(bench, "lan", frames)
        told.append(bench["hrss"].statistics("eth0")["rx_packets"] - before)

    counted = bench.measure(act)
    same(counted.drops(), {"ttl-expired": 1000}, "drops")
    same(counted.cable_received["wan"], 0, "frames that went on")
    true(1 <= counted.cable_received["lan"] <= 300, f"errors sent: {counted.cable_received['lan']}")


@test()
def malformed_neighbours_teach_nothing(bench: Bench) -> None:
    """An unasked ARP answer with the router's address does not turn traffic to another MAC."""
    same(ping(bench["hrss"], "59.205.16.3", count=1).received, 1, "before")
    forged = p.ethernet("02:36:01:21:00:01", "52:54:00:66:66:66", p.ETHERTYPE_ARP, p.arp(
        2, "52:54:00:66:66:66", "59.205.5.57", "02:36:01:21:00:01", "10.65.64.33"))
    counted = bench.measure(lambda: inject(bench, "lan", [forged]))
    true(counted.reasons["for-gateway"] + counted.reasons["arp-invalid"] >= 1, "the frame was taken")
    same(ping(bench["hrss"], "59.205.16.3", count=1).received, 1, "after")
