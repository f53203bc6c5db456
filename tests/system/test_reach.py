"""Who reaches what: real clients and servers on both sides of the gateway, IPv4 and IPv6."""

from clients import curl, dig, ping, traceroute
from lab import ONE_WORKER, TWO_WORKERS, Bench, same, test, true, wait_until

BUDGET = ("59.205.16.10", "2001:db8:0:16::10")
MEASURE = ("59.205.16.3", "2001:db8:0:16::3")
PORTAL = ("203.0.113.20", "2001:db8:2107:1::20")
APPROVAL = ("59.205.39.10", "2001:db8:107:100::10")


@test(ONE_WORKER, TWO_WORKERS)
def curl_where_a_rule_allows(bench: Bench) -> None:
    """Finance reaches the budget system, and the rule counts every packet of it."""
    for address in BUDGET:
        counted = bench.measure(lambda a=address: same(curl(bench["finance"], a, 443), "cloud", f"curl {a}"))
        same(counted.drops(late=2), {}, "drops")
        rule = counted.rules["360121/budget-for-finance"]
        same(rule["packets"], counted.reasons["allowed"], "packets of the rule, of all that were allowed")
        same(rule["hits"], 1, "flows of the rule")
        service, unit = counted.services["budget"], counted.units["czj-360121"]
        same(service["flows"], 1, "flows of the service")
        same(service["requests"] + service["replies"], rule["packets"], "packets of the service")
        same((unit["sent"], unit["received"]), (service["requests"], service["replies"]), "packets of the unit")


@test(ONE_WORKER, TWO_WORKERS)
def curl_where_no_rule_allows(bench: Bench) -> None:
    """Social security is no finance unit: it gets nothing, and each of its packets is counted."""
    for address in BUDGET:
        counted = bench.measure(lambda a=address: same(curl(bench["hrss"], a, 443, 1.5), None, f"curl {a}"))
        true(counted.reasons["default-deny"] >= 1, "a first packet was dropped by default-deny")
        same(counted.drops(late=2), {"default-deny": counted.reasons["default-deny"]}, "drops")
        same(counted.reasons["allowed"], 0, "allowed")
        same(counted.units["rsj-360121"]["denied"], counted.reasons["default-deny"], "denied to the unit")


@test(ONE_WORKER, TWO_WORKERS)
def dns_over_udp(bench: Bench) -> None:
    """Everybody may ask for names: a desk on the segment and one behind the townships' router."""

    def ask() -> None:
        same(dig(bench["hrss"], "59.205.39.2"), "59.205.39.10", "A over IPv4")
        same(dig(bench["hrss"], "2001:db8:107:100::2", "AAAA"), "2001:db8:107:100::10", "AAAA over IPv6")
        same(dig(bench["town"], "59.205.39.2", "A", "-b", "10.65.80.70"), "59.205.39.10", "from the town")

    counted = bench.measure(ask)
    same(counted.reasons["allowed"], 6, "three questions and three answers")
    same(counted.rules["360121/dns-for-all"]["packets"], 6, "packets of the rule")
    same(counted.services["dns"]["flows"], 3, "flows of the service")
    same(counted.drops(), {}, "drops")


@test(ONE_WORKER, TWO_WORKERS)
def ping_through(bench: Bench) -> None:
    """Echo requests to the probe go and come back, as many as were sent."""

    def act() -> None:
        for address in MEASURE:
            seen = ping(bench["hrss"], address, count=5)
            same((seen.sent, seen.received), (5, 5), f"ping {address}")

    counted = bench.measure(act)
    same(counted.reasons["allowed"], 20, "requests and replies")
    same(counted.rules["360121/ping-probe"]["packets"], 20, "packets of the rule")
    same(counted.drops(), {}, "drops")


@test()
def traceroute_by_udp_and_icmp(bench: Bench) -> None:
    """The gateway shows itself as the first hop; errors from routers behind it pass by state."""
    for address, hops in (("59.205.16.3", ["10.65.64.65", "59.205.5.57", "59.205.16.3"]),
                          ("2001:db8:0:16::3", ["2001:db8:107:2::1", "2001:db8:107:ffff::1", "2001:db8:0:16::3"])):
        for way in ((), ("-I",)):
            counted = bench.measure(lambda a=address, w=way, h=hops: same(
                traceroute(bench["hrss"], a, *w), h, f"traceroute {w} {a}"))
            true(counted.reasons["ttl-expired"] >= 1, "a packet's life ended at the gateway")
            same(counted.drops(), {"ttl-expired": counted.reasons["ttl-expired"]}, "drops")


@test()
def extranet_and_internet_are_isolated(bench: Bench) -> None:
    """Neither direction opens, over neither family, whatever the rules say; nor does the dmz's way out."""

    def act() -> None:
        same(curl(bench["finance"], "198.51.100.80", 80, 1.5), None, "extranet to internet")
        same(curl(bench["finance"], "2001:db8:ffff:5::9", 80, 1.5), None, "extranet to internet")
        same(curl(bench["internet"], APPROVAL[0], 443, 1.5), None, "internet to extranet")
        same(curl(bench["internet"], APPROVAL[1], 443, 1.5), None, "internet to extranet")
        same(curl(bench["portal"], "198.51.100.80", 80, 1.5), None, "dmz to internet")
        same(ping(bench["internet"], APPROVAL[0]).received, 0, "ping from the internet")

    counted = bench.measure(act)
    true(counted.reasons["internet-isolated"] >= 8, "each first packet was isolated")
    same(counted.drops(), {"internet-isolated": counted.reasons["internet-isolated"]}, "drops")
    same(counted.reasons["allowed"], 0, "allowed")


@test()
def published_service_is_reached_from_the_internet(bench: Bench) -> None:
    """The portal by its own address; its back office on the same machine is not published."""

    def public() -> None:
        for address in PORTAL:
            same(curl(bench["internet"], address, 443), "portal", f"internet to {address}")
            same(curl(bench["internet"], address, 80), "portal", f"internet to {address}")

    counted = bench.measure(public)
    same(counted.rules["360121/portal-for-public"]["hits"], 4, "flows of the rule")
    same(counted.rules["360121/portal-for-public"]["packets"], counted.reasons["allowed"], "packets of the rule")
    same(counted.services["portal"]["flows"], 4, "flows of the service")
    same(counted.drops(), {}, "drops")

    counted = bench.measure(lambda: same(curl(bench["internet"], PORTAL[0], 8443, 1.5), None, "the back office"))
    same(counted.drops(), {"default-deny": counted.reasons["default-deny"]}, "drops")
    same(counted.services["portal-admin"]["denied"], counted.reasons["default-deny"], "denied of the service")


@test()
def zones_by_service(bench: Bench) -> None:
    """Offices and editors reach the portal, the portal the approvals, servers the exchange; no more."""

    def act() -> None:
        same(curl(bench["hall"], PORTAL[0], 443), "portal", "an office to the portal")
        same(curl(bench["operator"], PORTAL[1], 8443), "portal", "an editor to the back office")
        same(curl(bench["portal"], APPROVAL[0], 443), "servers", "the portal to approvals")
        same(curl(bench["portal"], APPROVAL[1], 443), "servers", "the portal to approvals")
        same(curl(bench["servers"], "59.205.209.114", 9520), "exchange", "servers to the exchange")
        same(curl(bench["servers"], "2001:db8:e107:1::114", 9520), "exchange", "servers to the exchange")

    counted = bench.measure(act)
    same(counted.drops(), {}, "drops")
    same({name: counted.rules[f"360121/{name}"]["hits"] for name in
          ("portal-for-offices", "portal-editors", "portal-calls-approval", "submit-to-exchange")},
         {"portal-for-offices": 1, "portal-editors": 1, "portal-calls-approval": 2, "submit-to-exchange": 2},
         "flows of the rules")

    def refused() -> None:
        same(curl(bench["hall"], PORTAL[0], 8443, 1.2), None, "an office to the back office")
        same(curl(bench["portal"], "59.205.209.114", 9520, 1.2), None, "dmz to exchange")
        same(ping(bench["finance"], "172.31.21.10", count=1).received, 0, "extranet to management")

    counted = bench.measure(refused)
    true(counted.reasons["default-deny"] >= 1 and counted.reasons["zone-isolated"] >= 2, "both reasons")
    same(set(counted.drops()), {"default-deny", "zone-isolated"}, "drops")
    same(counted.reasons["allowed"], 0, "allowed")


@test()
def denied_by_a_rule(bench: Bench) -> None:
    """The worms' ports: the rule that denied counts the packets."""
    counted = bench.measure(lambda: same(curl(bench["hall"], PORTAL[0], 445, 1.2), None, "port 445"))
    true(counted.reasons["denied"] >= 1, "denied")
    same(counted.drops(), {"denied": counted.reasons["denied"]}, "drops")
    same(counted.rules["360121/no-worm-ports"]["packets"], counted.reasons["denied"], "packets of the rule")


@test(ONE_WORKER, TWO_WORKERS)
def command_line_says_what_was_counted(bench: Bench) -> None:
    """`meiguan top`, `drops` and `ports` say of units, services, rules, reasons and ports what the memory holds."""
    bench.measure(lambda: same(curl(bench["finance"], BUDGET[0], 443), "cloud", "some traffic"))

    def agree() -> bool:
        counters, names = bench.settled(), bench.names()
        told = {what: bench.gateway.json("top", what)["rows"] for what in ("units", "services", "rules", "reasons")}
        ports = {row["port"]: row for row in bench.gateway.json("ports")["rows"]}
        held = {kind: dict(zip(names[kind], getattr(counters, kind))) for kind in names}
        return (
            all((row["sent_packets"], row["received_bytes"], row["denied"]) ==
                tuple(held["units"][row["unit"]][key] for key in ("sent", "received_bytes", "denied"))
                for row in told["units"]) and
            all((row["request_packets"], row["reply_bytes"], row["flows"]) ==
                tuple(held["services"][row["service"]][key] for key in ("requests", "reply_bytes", "flows"))
                for row in told["services"]) and
            all((row["packets"], row["hits"]) == tuple(held["rules"][row["rule"]][key] for key in ("packets", "hits"))
                for row in told["rules"]) and
            {row["reason"]: row["packets"] for row in told["reasons"]} == dict(counters.reasons) and
            all((ports[name]["received_packets"], ports[name]["sent_packets"], ports[name]["dropped"]) ==
                tuple(row[key] for key in ("received", "sent", "dropped")) for name, row in held["ports"].items()))

    wait_until(agree, "the command line and the counters agree")


@test(ONE_WORKER, TWO_WORKERS)
def live_flows_are_listed(bench: Bench) -> None:
    """`meiguan flows` shows a connection with its unit, service and rule while it lives, and not after."""
    with bench["finance"].socket() as client:
        client.settimeout(3)
        client.connect((BUDGET[0], 443))
        port = client.getsockname()[1]

        def shown() -> list[dict[str, object]]:
            return [row for row in bench.gateway.json("flows")["rows"] if row["source_port"] == port]

        rows = wait_until(shown, "the flow")
        same([(row["source"], row["destination"], row["destination_port"], row["unit"], row["service"], row["rule"])
              for row in rows], [("10.65.64.37", BUDGET[0], 443, "czj-360121", "budget", "360121/budget-for-finance")],
             "flows of the connection")
    wait_until(lambda: not shown(), "the flow's end")
