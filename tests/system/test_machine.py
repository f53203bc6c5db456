"""The machine itself behind the data ports: TAPs, what is offered, and what stays closed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from clients import curl, ping
from frames import frame, inject, p
from lab import Bench, ONE_WORKER, ROOT, programs, same, test, true, wait_until
from namespaces import await_ready

PEER = ROOT / "tools/lib/peer.py"
OWN = "10.65.64.33"
OFFICE = "10.65.64.32/27"


def beside(bench: Bench) -> str:
    """A TAP for lan; the machine's page is offered to the finance office alone."""
    return f"""
[[local]]
port = "lan"
from = ["{OFFICE}", "2001:db8:107:1::/64"]
services = ["8022/tcp"]
"""


MACHINE = replace(ONE_WORKER, name="machine", beside=beside, port_keys=(("lan", 'tap = "mg-lan"'),))


def serve(bench: Bench) -> None:
    if not getattr(bench, "machine_serves", False):
        await_ready(bench["gateway"].start("server-machine", "python3", "-B", str(PEER), "--name", "machine",
                                           "--http", "8022", "--http", "8023"))
        bench.machine_serves = True


@test(MACHINE)
def machine_is_reached_from_where_it_is_offered(bench: Bench) -> None:
    """A server of the machine answers by the TAP, in both families; nobody else and no other port gets an answer."""
    serve(bench)
    for address in (OWN, "2001:db8:107:1::1"):
        same(curl(bench["finance"], address, 8022), "machine", f"the offered port at {address}")
        same(curl(bench["finance"], address, 8023, 1.2), None, f"another port at {address}")
    same(curl(bench["hrss"], OWN, 8022, 1.2), None, "from another office")
    same(ping(bench["finance"], OWN).received, 3, "ping, which the kernel answers")
    same(ping(bench["finance"], "59.205.5.58").received, 3, "ping of another port's address, which the gateway answers")
    counts = bench.gateway.json("status")["dataplane"]["machine"]
    true(counts["received"] > 6 and counts["sent"] > 6 and counts["refused"] > 0, f"counted: {counts}")


@test(MACHINE)
def machine_and_gateway_have_the_same_addresses(bench: Bench) -> None:
    """What the gateway file says is what the interface has; what somebody takes away is put back."""
    def addresses() -> set[str]:
        shown = bench["gateway"].run("ip", "-br", "address", "show", "dev", "mg-lan").stdout.split()[2:]
        return {a for a in shown if not a.startswith("fe80")}

    whole = addresses()
    true(len(whole) == 16 and f"{OWN}/27" in whole, f"addresses: {whole}")
    bench["gateway"].ip(f"address del {OWN}/27 dev mg-lan")
    wait_until(lambda: addresses() == whole, "the address put back", 6)
    bench["gateway"].ip("link del mg-lan")
    wait_until(lambda: addresses() == whole, "the interface made again", 6)
    serve(bench)
    same(curl(bench["finance"], OWN, 8022), "machine", "afterwards")


@test(MACHINE)
def machine_is_no_way_round_the_policy(bench: Bench) -> None:
    """Though the kernel forwards, nothing passes by it: its frames leave from the port's own addresses alone."""
    gateway = bench["gateway"]
    gateway.sysctl("net/ipv4/ip_forward", 1)
    gateway.ip("address add 192.0.2.200/32 dev lo")
    try:
        same(curl(bench["hrss"], "59.205.16.10", 443, 1.2), None, "what the policy denies")
        before = bench.gateway.json("status")["dataplane"]["machine"]["unsent"]
        gateway.run("ping", "-c", "2", "-i", "0.1", "-W", "1", "-I", "192.0.2.200", "10.65.64.37")
        after = bench.gateway.json("status")["dataplane"]["machine"]["unsent"]
        true(after >= before + 1, f"a foreign source of the kernel's: {before} before, {after} after")
    finally:
        gateway.ip("address del 192.0.2.200/32 dev lo")
        gateway.sysctl("net/ipv4/ip_forward", 0)


@test(MACHINE)
def host_table_knows_the_machine_behind_a_port(bench: Bench) -> None:
    """A guarded management port is reached by a TAP from where it is offered; the kernel forwards by no TAP."""
    serve(bench)
    gateway = bench.gateway
    gateway.appliance = bench.lab.directory / "machine.toml"
    gateway.appliance.write_text('[management]\nnetworks = ["192.0.2.0/24"]\nports = ["8022/tcp", "8023/tcp"]\n')
    at_boot = bench["gateway"].run(str(programs(bench.build)["meiguan-controld"]), "--host-table", "--gateway",
                                   str(gateway.file), "--appliance", str(gateway.appliance))
    try:
        same(at_boot.returncode, 0, at_boot.stderr)
        same(curl(bench["finance"], OWN, 8022, 1.2), None, "before the gateway file was checked nothing is offered")
        gateway.controld.stop()
        gateway.more_of_controld = ("--keep-host-table", "--host-table-seconds", "1")
        gateway.start_controld()
        for address in (OWN, "2001:db8:107:1::1"):
            wait_until(lambda: curl(bench["finance"], address, 8022, 1) == "machine", f"the offered port at {address}")
        same(curl(bench["finance"], OWN, 8023, 1.2), None, "the other management port")
        listed = bench["gateway"].run("nft", "list", "set", "inet", "meiguan", "data_ports").stdout
        true('"mg-lan"' in listed and '"veth-lan"' in listed, f"nothing is forwarded by the TAP: {listed}")
    finally:
        gateway.controld.stop()
        gateway.appliance, gateway.more_of_controld = None, ()
        bench["gateway"].run("nft", "delete", "table", "inet", "meiguan")
        gateway.start_controld()
        gateway.await_image()


@test(MACHINE)
def flood_for_the_machine_disturbs_nobody(bench: Bench) -> None:
    """While packets for the gateway itself pour in, a first packet to a new next hop still finds its way."""
    flood = [frame("lan", "52:54:00:21:01:37", p.ipv4("10.65.64.37", OWN, 6, p.tcp(
        "10.65.64.37", OWN, 40000 + n % 999, 8023, 1, 0, 2))) for n in range(500)]
    over = threading.Event()

    def pour() -> None:
        while not over.is_set():
            inject(bench, "lan", flood)
            time.sleep(0.002)  # the lab has few cores, and the peers need them as well

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        received = sum(ping(bench["finance"], "59.205.16.3", count=5).received for _ in range(4))
        true(received >= 15, f"pings that came back while it pours: {received} of 20")
        same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "a page while it pours")
    finally:
        over.set()
        pouring.join()
