"""A morning at the county's access point, under policies/county and policies/gateways/county.toml."""

from __future__ import annotations

from ipaddress import ip_address

import packets as p
from story import ANSWER, HELLO, UNFIXED, Host, Port, Story, Talk, dns_answer, dns_query

PORTS = {
    "lan": Port("02:36:01:21:00:01"),
    "wan": Port("02:36:01:21:00:02", nanoseconds=True),
    "internet": Port("02:36:01:21:00:03", order="big"),
    "dmz": Port("02:36:01:21:00:04", order="big", nanoseconds=True),
    "exchange": Port("02:36:01:21:00:05"),
}

LAN_ROUTER = "02:36:01:21:0b:fe"
WAN_ROUTER = "02:36:01:00:00:fe"

budget_desk = Host("lan", "10.65.64.37", "52:54:00:21:01:37")
budget_desk6 = budget_desk.at("2001:db8:107:1::37")
printer = Host("lan", "10.65.64.45", "52:54:00:21:01:45")
hrss = Host("lan", "10.65.64.70", "52:54:00:21:02:70")
hrss6 = hrss.at("2001:db8:107:2::70")
civil = Host("lan", "10.65.64.100", "52:54:00:21:03:10")
hall = Host("lan", "10.65.64.130", "52:54:00:21:04:30")
hall6 = hall.at("2001:db8:107:4::130")
kiosk = Host("lan", "10.65.64.150", "52:54:00:21:04:50")
rescue = Host("lan", "10.65.64.165", "52:54:00:21:05:65")
operator = Host("lan", "10.65.64.230", "52:54:00:21:07:30")
approval = Host("lan", "59.205.39.10", "52:54:00:21:39:10")
queue = Host("lan", "59.205.39.11", "52:54:00:21:39:11")
resolver = Host("lan", "59.205.39.2", "52:54:00:21:39:02")
resolver6 = resolver.at("2001:db8:107:100::2")
town_desk = Host("lan", "10.65.80.70", LAN_ROUTER)
liantang = Host("lan", "10.65.80.9", LAN_ROUTER)

budget = Host("wan", "59.205.16.10", WAN_ROUTER)
budget6 = budget.at("2001:db8:0:16::10")
probe = budget.at("59.205.16.3")
probe6 = budget.at("2001:db8:0:16::3")
video = budget.at("59.205.17.5")
tunnel = budget.at("59.205.18.1")
wan_router = budget.at("59.205.5.57")
city_finance = budget.at("10.64.1.20")

citizen = Host("internet", "192.0.2.77", "02:00:5e:00:00:fe")
citizen6 = citizen.at("2001:db8:ffff:5::9")
website = citizen.at("198.51.100.80")
portal = Host("dmz", "203.0.113.20", "52:54:00:21:d0:20")
portal6 = portal.at("2001:db8:2107:1::20")
hotline = Host("dmz", "203.0.113.21", "52:54:00:21:d0:21")
front_end = Host("exchange", "59.205.209.114", "52:54:00:21:e0:14")
manager = Host("mgmt", "172.31.21.10", "52:54:00:21:f0:10")

hrss_vpn = Host("lan", "10.1.1.10", "52:54:00:21:a1:10", 101)
forestry_vpn = Host("lan", "10.1.1.10", "52:54:00:21:a2:10", 102)
insurance = Host("wan", "192.168.1.10", "02:36:01:00:01:65", 101)
forest = Host("wan", "192.168.1.10", "02:36:01:00:01:66", 102)


def build() -> Story:
    story = Story("360121", PORTS)
    for chapter in (neighbours, business, control, refusals, isolation, senders, addresses,
                    private_networks, broken, boundary):
        chapter(story)
    return story


def neighbours(s: Story) -> None:
    s.group("ARP, neighbour discovery, the gateway's own addresses",
            "The gateway consumes ARP and neighbour discovery and answers for its own addresses, "
            "before admission is asked. Duplicate address detection may come from `::`.")
    gateway = s.ports["lan"].mac
    broadcast, nobody = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
    for target in ("10.65.64.33", "10.65.64.38"):
        s.put_frame("lan", p.ethernet(broadcast, budget_desk.mac, p.ETHERTYPE_ARP, p.arp(
            1, budget_desk.mac, budget_desk.address, nobody, target)), "local", "for-gateway", "-")
    s.put_frame("wan", p.ethernet(s.ports["wan"].mac, WAN_ROUTER, p.ETHERTYPE_ARP, p.arp(
        2, WAN_ROUTER, "59.205.5.57", s.ports["wan"].mac, "59.205.5.58")), "local", "for-gateway", "-")
    for source, target, mac in ((budget_desk6.address, "2001:db8:107:1::1", budget_desk.mac),
                                ("::", "2001:db8:107:1::37", None)):
        group = p.solicited_node(target)
        s.local(budget_desk, p.ipv6(source, group, p.ICMP6, p.neighbour_solicitation(
            source, group, target, mac), hop_limit=255), dst_mac=p.multicast_mac(group))
    own6 = budget_desk.at("2001:db8:107:1::1")
    s.local(budget_desk6, p.ipv6(budget_desk6.address, own6.address, p.ICMP6, p.neighbour_advertisement(
        budget_desk6.address, own6.address, budget_desk6.address, budget_desk.mac), hop_limit=255))
    s.local(hrss, s.echo(hrss, hrss.at("10.65.64.65", gateway), 1))
    s.local(hrss6, s.echo(hrss6, hrss6.at("2001:db8:107:2::1", gateway), 2))
    # The subnet-router anycast address is the gateway's (RFC 4291 2.6.1).
    s.local(hrss6, s.echo(hrss6, hrss6.at("2001:db8:107:2::", gateway), 3))


def business(s: Story) -> None:
    s.group("The budget system over IPv4 and IPv6",
            "Finance reaches `budget` on 443/tcp; replies pass by state and carry the flow's rule.")
    Talk(s, budget_desk, budget, 50010, 443, "budget-for-finance").open().say(HELLO, ANSWER).close()
    Talk(s, budget_desk6, budget6, 50011, 443, "budget-for-finance").open().say(HELLO, ANSWER)
    # A registered terminal without a MAC may send from any.
    s.forward(printer, s.syn(printer, budget, 50012, 443), "budget-for-finance")

    s.group("Names, from every unit", "The mandatory `dns-for-all` decides before all else; the "
            "bound town desk sits behind a router, so its address alone is checked.")
    for source, server, ident in ((hrss, resolver, 11), (hrss6, resolver6, 12), (town_desk, resolver, 13),
                                  (city_finance, resolver, 14)):
        query = dns_query(ident, "approval.nanchangxian.example", 28 if ":" in source.address else 1)
        address = ip_address("2001:db8:107:100::10" if ":" in source.address else "59.205.39.10").packed
        s.forward(source, s.udp(source, server, 53000 + ident, 53, query), "dns-for-all")
        s.forward(server, s.udp(server, source, 53, 53000 + ident, dns_answer(query, address)), "dns-for-all")
    # A priority tag names no VLAN (IEEE 802.1Q 6.9): the frame is an untagged one.
    s.put(hrss, s.udp(hrss, resolver, 53015, 53, dns_query(15, "ntp.example")), "forward", "allowed",
          "dns-for-all", tags=(5 << 13,))

    s.group("Approvals, video, the emergency tunnel, the exchange",
            "Halls reach approvals and the queue; a datagram in fragments is judged as one; GRE and SCTP "
            "by service; the prefecture's finance bureau reaches approvals from above; servers hand in "
            "to the exchange, by a rule that names the service, and it delivers.")
    Talk(s, hall, approval, 50020, 443, "approval-for-frontline").open()
    s.forward(city_finance, s.syn(city_finance, approval, 50021, 443), "city-finance-approval")
    s.forward(operator, s.syn(operator, approval, 50022, 443), "operations-to-business")
    s.forward(hall, s.udp(hall, queue, 50023, 8000, b"A037"), "approval-for-frontline")
    datagram = p.udp(hall.address, video.address, 30010, 30500, bytes(range(256)) * 8)
    for fragment in p.ipv4_fragments(hall.address, video.address, p.UDP, datagram, [1480], ident=0x51):
        s.forward(hall, fragment, "video-meetings")
    init = p.sctp_chunk(1, 0, bytes.fromhex("00000abc 0001a000 000a ffff 00000001"))
    s.forward(hall, s.ip(hall, video, p.SCTP, p.sctp(40000, 2905, 0, init)), "video-meetings")
    s.forward(rescue, s.ip(rescue, tunnel, p.GRE, b"\0\0\x08\0" + p.ipv4(
        "10.9.0.1", "10.9.0.2", p.ICMP, p.icmp_echo(1, 1, b"hello"))), "emergency-tunnel")
    Talk(s, approval, front_end, 50024, 9520, "submit-to-exchange").open().say(b"PUT 1\n", b"OK 1\n")
    s.forward(front_end, s.syn(front_end, approval, 50025, 443), "exchange-delivers")

    s.group("The portal", "The internet reaches published services only; offices reach the portal and its "
            "editors the back office; the portal may call approvals.")
    Talk(s, citizen, portal, 50030, 443, "portal-for-public").open().say(HELLO, ANSWER)
    s.forward(citizen6, s.syn(citizen6, portal6, 50031, 80), "portal-for-public")
    s.forward(hrss, s.syn(hrss, portal, 50032, 443), "portal-for-offices")
    s.forward(operator, s.syn(operator, portal, 50033, 8443), "portal-editors")
    Talk(s, portal, approval, 50034, 443, "portal-calls-approval").open()


def control(s: Story) -> None:
    s.group("Pings", "By the local rule to the probe; by the baseline between units. `budget` answers pings "
            "as well, but no rule opens that: the probe, whose service covers the same address, is opened.")
    s.ping(hall, probe, 21, "ping-probe")
    s.ping(hall6, probe6, 22, "ping-probe")
    s.ping(budget_desk, budget, 23, "ping-probe")
    s.ping(hrss, civil, 24, "ping-between-units")
    large = p.icmp_echo(25, 1, bytes(2000))
    for fragment in p.ipv4_fragments(hall.address, probe.address, p.ICMP, large, [1480], ident=0x52):
        s.forward(hall, fragment, "ping-probe")

    s.group("ICMP errors that quote a flow", "They pass by state, whoever sends them: a router is of no unit.")
    lost = s.syn(budget_desk, budget, 50040, 443)
    s.forward(budget_desk, lost, "budget-for-finance")
    s.forward(wan_router, s.ip(wan_router, budget_desk, p.ICMP, p.icmp_error(3, 1, lost), tos=0xC0),
              "budget-for-finance")
    talk = Talk(s, budget_desk6, budget6, 50041, 443, "budget-for-finance").open()
    big = talk.send(0, p.ACK, bytes(1400))
    router6 = wan_router.at("2001:db8:107:ffff::1")
    s.forward(router6, s.ip(router6, budget_desk6, p.ICMP6, p.icmp6_error(
        router6.address, budget_desk6.address, 2, 0, big, rest=1280)), "budget-for-finance")
    query = dns_query(42, "late.example")
    s.forward(hrss, s.udp(hrss, resolver, 53042, 53, query), "dns-for-all")
    late = s.udp(resolver, hrss, 53, 53042, dns_answer(query, bytes(4)))
    s.forward(resolver, late, "dns-for-all")
    s.forward(hrss, s.ip(hrss, resolver, p.ICMP, p.icmp_error(3, 3, late)), "dns-for-all")

    s.group("ICMP that nobody asked for", "An error or a reply without a flow is dropped before the rules.")
    s.drop(probe, s.echo(probe, hrss, 99, reply=True), "icmp-unsolicited")
    s.drop(probe6, s.echo(probe6, hrss6, 99, reply=True), "icmp-unsolicited")
    never = s.syn(hrss, budget, 50043, 443)
    s.drop(probe, s.ip(probe, hrss, p.ICMP, p.icmp_error(3, 1, never)), "icmp-unsolicited")


def refusals(s: Story) -> None:
    s.group("Denied by a rule", "The worms' ports (mandatory), video from the kiosks (local), Telnet (baseline).")
    s.drop(hrss, s.syn(hrss, approval, 50050, 445), "denied", "no-worm-ports")
    s.drop(hrss6, s.syn(hrss6, hall6, 50051, 3389), "denied", "no-worm-ports")
    s.drop(kiosk, s.syn(kiosk, video, 50052, 1720), "denied", "no-video-from-kiosks")
    s.forward(hall, s.syn(hall, video, 50053, 1720), "video-meetings")
    s.drop(hrss, s.syn(hrss, civil, 50054, 23), "denied", "no-telnet")

    s.group("Nothing allows it", "Not finance; civil affairs are excepted by the rule, Liantang by the group, the "
            "queue by `except_to`; operations is excepted from the deny of 445, which allows nothing; SSH "
            "is only audited; 9527 lies outside the rule's ports; the back office is not the hall's, nor the public's.")
    for source, target, src_port, dst_port in (
            (hrss, budget, 50060, 443), (civil, approval, 50061, 443), (liantang, approval, 50062, 443),
            (operator, queue, 50063, 8001), (operator, approval, 50064, 445), (operator, budget, 50065, 22),
            (approval, front_end, 50066, 9527), (hrss, portal, 50067, 8443), (citizen, portal, 50068, 8443),
            (portal, budget, 50069, 443)):
        s.drop(source, s.syn(source, target, src_port, dst_port), "default-deny")
    s.drop(budget_desk6, s.syn(budget_desk6, budget6, 50070, 80), "default-deny")

    s.group("A connection that was never opened", "A segment in the middle opens nothing, though a SYN would.")
    s.drop(hall, s.ip(hall, approval, p.TCP, p.tcp(
        hall.address, approval.address, 50080, 443, 5, 9, p.ACK | p.PSH, b"x")), UNFIXED)


def isolation(s: Story) -> None:
    s.group("The extranet and the internet", "Isolated in both directions, before any rule; so is the DMZ's way out.")
    s.drop(citizen, s.syn(citizen, approval, 50100, 443), "internet-isolated")
    s.drop(citizen6, s.syn(citizen6, resolver6, 50101, 53), "internet-isolated")
    s.drop(citizen, s.syn(citizen, front_end, 50102, 9520), "internet-isolated")
    s.drop(citizen, s.syn(citizen, manager, 50103, 22), "internet-isolated")
    s.drop(hall, s.syn(hall, website, 50104, 443), "internet-isolated")
    s.drop(hall6, s.syn(hall6, citizen6, 50105, 443), "internet-isolated")
    s.drop(portal, s.syn(portal, website, 50106, 443), "internet-isolated")
    s.group("Private addresses towards the internet", "No route but the default covers the address.")
    s.drop(hall, s.syn(hall, website.at("192.168.77.1"), 50107, 80), "destination-private")

    s.group("Zones that never meet", "DMZ and exchange, extranet and management.")
    s.drop(portal, s.syn(portal, front_end, 50110, 9520), "zone-isolated")
    s.drop(front_end, s.syn(front_end, portal, 50111, 443), "zone-isolated")
    s.drop(operator, s.syn(operator, manager, 50112, 22), "zone-isolated")


def senders(s: Story) -> None:
    s.group("Senders that are not who they say", "Spoofed: the way back leads by another port. Then a private "
            "source from the internet, an address of no unit, a desk nobody registered, and a registered "
            "address with another MAC.")
    s.drop(hrss, s.syn(hrss.at("10.64.1.20"), budget, 50120, 443), "spoofed")
    s.drop(budget, s.syn(budget.at("10.65.64.37"), approval, 50121, 443), "spoofed")
    s.drop(citizen, s.syn(citizen.at("59.205.39.10"), portal, 50122, 443), "spoofed")
    s.drop(citizen6, s.syn(citizen6.at("2001:db8:107:2::70"), portal6, 50123, 443), "spoofed")
    s.drop(hrss, s.syn(hrss.at("10.1.1.10"), approval, 50124, 443), "spoofed")
    s.drop(citizen, s.syn(citizen.at("10.65.64.37"), portal, 50125, 443), "source-private")
    s.drop(citizen6, s.syn(citizen6.at("fd00:36::7"), portal6, 50126, 443), "source-private")
    for unknown in (liantang.at("10.65.81.7"), liantang.at("10.65.95.2"), liantang.at("2001:db8:107:bff::7")):
        target = resolver6 if ":" in unknown.address else resolver
        s.drop(unknown, s.udp(unknown, target, 53130, 53, dns_query(30, "who.example")), "unit-unknown")
    for stranger in (budget_desk.at("10.65.64.50"), budget_desk.at("2001:db8:107:1::50"),
                     town_desk.at("10.65.80.75")):
        target = resolver6 if ":" in stranger.address else resolver
        s.drop(stranger, s.udp(stranger, target, 53131, 53, dns_query(31, "who.example")), "terminal-unknown")
    impostor = "52:54:00:66:66:66"
    for source, target in ((budget_desk, budget), (budget_desk6, budget6)):
        s.drop(source.at(source.address, impostor), s.syn(source, target, 50132, 443), "terminal-mac")


def addresses(s: Story) -> None:
    s.group("Sources that no port may have", "Each kind by its own name, in the order of the contract.")
    for address, kind in (
            ("10.65.64.65", "own"), ("10.65.64.95", "broadcast"), ("255.255.255.255", "broadcast"),
            ("224.0.0.9", "multicast"), ("127.0.0.1", "loopback"), ("0.0.0.0", "unspecified"),
            ("240.0.0.1", "reserved"), ("0.1.2.3", "reserved"), ("169.254.1.1", "link-local")):
        s.drop(hrss, s.udp(hrss.at(address), resolver, 53140, 53, b"x"), f"source-{kind}")
    for address, kind in (
            ("2001:db8:107:2::1", "own"), ("2001:db8:107:2::", "own"), ("ff02::1", "multicast"),
            ("::1", "loopback"), ("::", "unspecified"), ("4000::1", "reserved"), ("fe80::70", "link-local")):
        s.drop(hrss6, s.udp(hrss6.at(address), resolver6, 53141, 53, b"x"), f"source-{kind}")
    s.group("Destinations that no packet in transit may have", "The same kinds, right behind the sources.")
    for address, kind in (
            ("10.65.64.127", "broadcast"), ("255.255.255.255", "broadcast"), ("224.0.0.251", "multicast"),
            ("127.0.0.1", "loopback"), ("0.0.0.0", "unspecified"), ("240.1.1.1", "reserved"),
            ("169.254.9.9", "link-local")):
        s.drop(hrss, s.udp(hrss, hrss.at(address), 53142, 5353, b"x"), f"destination-{kind}")
    for address, kind in (("ff05::fb", "multicast"), ("::1", "loopback"), ("4000::1", "reserved"),
                          ("fe80::9", "link-local")):
        s.drop(hrss6, s.udp(hrss6, hrss6.at(address), 53143, 5353, b"x"), f"destination-{kind}")


def private_networks(s: Story) -> None:
    s.group("Two private networks with the same addresses", "VLAN 101 and 102 carry the same five-tuple at the "
            "same time: two flows, each under its own rule. 8443 is forestry's alone.")
    one = Talk(s, hrss_vpn, insurance, 50200, 443, "hrss-counters")
    two = Talk(s, forestry_vpn, forest, 50200, 443, "forest-rights")
    for flags, side in ((p.SYN, 0), (p.SYN | p.ACK, 1), (p.ACK, 0)):
        one.send(side, flags)
        two.send(side, flags)
    one.say(HELLO, ANSWER)
    two.say(HELLO, ANSWER)
    s.forward(forestry_vpn, s.syn(forestry_vpn, forest, 50201, 8443), "forest-rights")
    s.drop(hrss_vpn, s.syn(hrss_vpn, insurance, 50201, 8443), "default-deny")
    vpn6, insurance6 = hrss_vpn.at("fd00:36:1:1::10"), insurance.at("fd00:36:1:2::10")
    s.forward(vpn6, s.syn(vpn6, insurance6, 50202, 443), "hrss-counters")
    s.ping(hrss_vpn, insurance, 27, "hrss-counters")
    s.group("The edges of a private network", "Outside the rule's /25; no route in that space; the exchange zone "
            "has a route, but no translation covers the sender; from the shared space the address is the internet's.")
    outside = hrss_vpn.at("10.1.1.200", "52:54:00:21:a1:c8")
    s.drop(outside, s.syn(outside, insurance, 50203, 443), "default-deny")
    s.drop(hrss_vpn, s.syn(hrss_vpn, insurance.at("172.16.9.9"), 50204, 443), "no-route")
    s.drop(hrss_vpn, s.syn(hrss_vpn, front_end, 50205, 9520), "zone-isolated")
    s.drop(hall, s.syn(hall, website.at("192.168.1.10"), 50206, 443), "destination-private")


def broken(s: Story) -> None:
    s.group("Packets at the end of their life", "An allowed packet with one hop left goes no further; the rule that "
            "allowed it is named, for it decided first.")
    s.drop(hall, s.syn(hall, approval, 50300, 443, ttl=1), UNFIXED, "approval-for-frontline")
    s.drop(hall6, s.echo(hall6, probe6, 60, hop_limit=1), UNFIXED, "ping-probe")

    s.group("Malformed", "Each breaks one rule of its header: checksum, header length, total length, version, data "
            "offset, flags, UDP length, payload length; source routing and routing header 0; a neighbour "
            "solicitation from afar.")
    good = p.tcp(hall.address, approval.address, 50310, 443, 1, 0, p.SYN)
    for fields in ({"header_checksum": 0x1234}, {"ihl": 4}, {"total_length": 400}, {"version": 5},
                   {"options": b"\x83\x07\x04\x0a\x00\x00\x01\x00"}):
        s.drop(hall, p.ipv4(hall.address, approval.address, p.TCP, good, **fields), UNFIXED)
    for segment in (p.tcp(hall.address, approval.address, 50311, 443, 1, 0, p.SYN, data_offset=4),
                    p.tcp(hall.address, approval.address, 50311, 443, 1, 0, p.SYN, data_offset=15),
                    p.tcp(hall.address, approval.address, 50311, 443, 1, 0, p.SYN | p.FIN),
                    p.tcp(hall.address, approval.address, 50311, 443, 1, 0, 0)):
        s.drop(hall, s.ip(hall, approval, p.TCP, segment), UNFIXED)
    s.drop(hrss, s.ip(hrss, resolver, p.UDP, p.udp(
        hrss.address, resolver.address, 53311, 53, b"query", length=300)), UNFIXED)
    s.drop(hrss6, p.ipv6(hrss6.address, resolver6.address, p.UDP, p.udp(
        hrss6.address, resolver6.address, 53312, 53, b"query"), payload_length=900), UNFIXED)
    number, payload = p.chain([p.routing_header(0, 1, [budget6.address])], p.UDP, p.udp(
        hrss6.address, resolver6.address, 53313, 53, b"query"))
    s.drop(hrss6, p.ipv6(hrss6.address, resolver6.address, number, payload), UNFIXED)
    own6 = "2001:db8:107:2::1"
    s.drop(hrss6, p.ipv6(hrss6.address, own6, p.ICMP6, p.neighbour_solicitation(
        hrss6.address, own6, own6, hrss.mac), hop_limit=254), UNFIXED)

    s.group("Bad fragments", "A TCP fragment at offset 8 hides the flags (RFC 1858); one ends beyond 65535; two "
            "overlap, which spoils their datagram whole (RFC 5722, RFC 3128).")
    s.drop(hall, p.ipv4(hall.address, approval.address, p.TCP, bytes(64), ident=0x61, offset=8,
                        dont_fragment=False), UNFIXED)
    s.drop(hall, p.ipv4(hall.address, approval.address, p.UDP, bytes(64), ident=0x62, offset=65528,
                        dont_fragment=False), UNFIXED)
    datagram = p.udp(hall6.address, probe6.address, 30011, 30501, bytes(300))
    for start, end, more in ((0, 160, True), (80, len(datagram), False)):
        number, payload = p.chain([p.fragment_header(start, more, 0x63)], p.UDP, datagram[start:end])
        s.drop(hall6, p.ipv6(hall6.address, probe6.address, number, payload), UNFIXED)

    s.group("Frames that no port takes", "A VLAN without a port, an ethertype that is not carried, and half a header.")
    s.put(hall, s.syn(hall, approval, 50320, 443), "drop", UNFIXED, "-", tags=(999,))
    s.put_frame("lan", p.ethernet("01:80:c2:00:00:0e", hall.mac, 0x88CC, b"\x02\x07\x04" + bytes(6)),
                "drop", UNFIXED, "-")
    s.put_frame("lan", p.ethernet(s.ports["lan"].mac, hall.mac, p.ETHERTYPE_IPV4, b"\x45\0\0\x28" + bytes(6),
                                  pad=False), "drop", UNFIXED, "-")


def boundary(s: Story) -> None:
    public = citizen.at("203.0.113.34")
    s.group("The hotline by its public address", "`[[publish]]` leads 203.0.113.34:443 to 203.0.113.21:8443. The public"
            " asks the one and the server answers from the other; the rule sees the inside address. Neither another "
            "port nor the inside address is published, and a public address sends nothing itself.")

    def asked(flags: int, seq: int, ack: int, data: bytes = b"") -> bytes:
        return s.ip(citizen, public, p.TCP, p.tcp(citizen.address, public.address, 50400, 443, seq, ack, flags, data))

    def answered(flags: int, seq: int, ack: int, data: bytes = b"") -> bytes:
        segment = p.tcp(hotline.address, citizen.address, 8443, 50400, seq, ack, flags, data)
        return s.ip(hotline, citizen, p.TCP, segment)

    for host, packet in ((citizen, asked(p.SYN, 100, 0)), (hotline, answered(p.SYN | p.ACK, 900, 101)),
                         (citizen, asked(p.ACK | p.PSH, 101, 901, HELLO)),
                         (hotline, answered(p.ACK | p.PSH, 901, 101 + len(HELLO), ANSWER))):
        s.forward(host, packet, "hotline-for-public")
    router = citizen.at("198.51.100.1")
    quoted = p.ipv4(public.address, citizen.address, p.TCP, p.tcp(
        public.address, citizen.address, 443, 50400, 901, 101 + len(HELLO), p.ACK))
    s.forward(router, s.ip(router, public, p.ICMP, p.icmp_error(3, 1, quoted)), "hotline-for-public")
    s.drop(citizen, s.syn(citizen, public, 50401, 8443), "nat-unsolicited")
    s.drop(citizen, s.echo(citizen, public, 70), "nat-unsolicited")
    s.drop(citizen, s.syn(citizen, hotline, 50402, 8443), "internet-isolated")
    s.drop(public, s.syn(public, portal, 50403, 443), "spoofed")
    s.group("The way out", "The information centre leaves by the unified exit, which covers it alone, for 443/tcp "
            "alone. What comes to its pool unasked belongs to nobody.")
    s.forward(operator, s.syn(operator, website, 50410, 443), "updates")
    s.drop(operator, s.syn(operator, website, 50411, 80), "default-deny")
    s.drop(hall, s.syn(hall, website, 50412, 443), "internet-isolated")
    pool = citizen.at("203.0.113.41")
    s.drop(citizen, s.syn(citizen, pool, 50413, 443), "nat-unsolicited")
    s.drop(citizen, s.udp(citizen, pool, 50414, 3, b"x"), "nat-unsolicited")
    s.drop(citizen, s.echo(citizen, pool, 71), "nat-unsolicited")
    s.drop(pool, s.syn(pool, portal, 50415, 443), "spoofed")
