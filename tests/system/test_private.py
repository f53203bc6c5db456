"""Private networks: VLAN sub-ports, and two address spaces with the same addresses in them."""

from clients import curl, ping
from lab import ONE_WORKER, TWO_WORKERS, Bench, same, test, true


@test(ONE_WORKER, TWO_WORKERS)
def two_private_networks_with_the_same_addresses(bench: Bench) -> None:
    """10.1.1.10 asks 192.168.1.10 in VLAN 101 and in VLAN 102, and two different machines answer."""

    def act() -> None:
        same(curl(bench["hrss-desk"], "192.168.1.10", 443), "hrss-centre", "VLAN 101, IPv4")
        same(curl(bench["forestry-desk"], "192.168.1.10", 443), "forestry-centre", "VLAN 102, IPv4")
        same(curl(bench["hrss-desk"], "fd00:36:1:2::10", 443), "hrss-centre", "VLAN 101, IPv6")
        same(curl(bench["forestry-desk"], "fd00:36:1:2::10", 8443), "forestry-centre", "VLAN 102, IPv6")

    counted = bench.measure(act)
    same(counted.drops(late=2), {}, "drops")
    same((counted.services["social-insurance"]["flows"], counted.services["forest-rights"]["flows"]), (2, 2),
         "flows of the two services")
    same(counted.units["rsj-vpn-360121"]["sent"], counted.services["social-insurance"]["requests"],
         "packets of the unit in VLAN 101")
    same(counted.units["lyj-vpn-360121"]["sent"], counted.services["forest-rights"]["requests"],
         "packets of the unit in VLAN 102")
    same(counted.rules["360121/hrss-counters"]["packets"] + counted.rules["360121/forest-rights"]["packets"],
         counted.reasons["allowed"], "packets of the two rules")


@test()
def each_private_network_has_its_own_rules(bench: Bench) -> None:
    """8443 is open in one and shut in the other; ping likewise."""

    def act() -> None:
        same(curl(bench["forestry-desk"], "192.168.1.10", 8443), "forestry-centre", "VLAN 102")
        same(curl(bench["hrss-desk"], "192.168.1.10", 8443, 1.2), None, "VLAN 101")
        same(ping(bench["hrss-desk"], "192.168.1.10").received, 3, "ping in VLAN 101")
        same(ping(bench["forestry-desk"], "192.168.1.10").received, 0, "ping in VLAN 102")

    counted = bench.measure(act)
    same(counted.drops(), {"default-deny": counted.reasons["default-deny"]}, "drops")
    true(counted.reasons["default-deny"] >= 4, "a first packet and three pings were refused")
    same(counted.units["lyj-vpn-360121"]["denied"], 3, "denied in VLAN 102")


@test()
def sub_ports_count_for_themselves(bench: Bench) -> None:
    """Tagged frames count at the sub-ports that they came in by and left by, not at their parents."""
    counted = bench.measure(lambda: same(ping(bench["hrss-desk"], "192.168.1.10", count=4).received, 4, "ping"))
    true(4 <= counted.ports["lan.101"]["received"] < 8, "received by lan.101")
    true(4 <= counted.ports["wan.101"]["received"] < 8, "received by wan.101")
    true(counted.ports["wan.101"]["sent"] >= 4 and counted.ports["lan.101"]["sent"] >= 4, "sent by both")
    same(counted.ports["lan.102"]["received"], 0, "received by lan.102")


@test()
def private_networks_do_not_leak(bench: Bench) -> None:
    """From a private network there is no way to the extranet nor to the internet."""

    def act() -> None:
        same(curl(bench["hrss-desk"], "59.205.209.114", 9520, 1.2), None, "to the exchange")
        same(curl(bench["hrss-desk"], "59.205.16.10", 443, 1.2), None, "to the extranet")
        same(curl(bench["hrss-desk"], "198.51.100.80", 80, 1.2), None, "to the internet")

    counted = bench.measure(act)
    true(counted.reasons["zone-isolated"] >= 1 and counted.reasons["no-route"] >= 2, "both reasons")
    same(set(counted.drops()), {"zone-isolated", "no-route"}, "drops")
    same(counted.reasons["allowed"], 0, "allowed")
