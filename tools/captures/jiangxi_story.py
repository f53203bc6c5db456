"""A county inside its province, under policies/jiangxi-sample and policies/gateways/jiangxi-360121.toml.

What this story adds to the county's own is the tree: which node's rule decides.
"""

from __future__ import annotations

import packets as p
from story import ANSWER, HELLO, UNFIXED, Host, Port, Story, Talk, dns_answer, dns_query

PORTS = {
    "lan": Port("02:36:01:21:00:01", nanoseconds=True),
    "wan": Port("02:36:01:21:00:02"),
    "internet": Port("02:36:01:21:00:03"),
    "dmz": Port("02:36:01:21:00:04", order="big"),
}

LAN_ROUTER = "02:36:01:21:0b:fe"

finance = Host("lan", "10.65.64.37", "52:54:00:21:01:37")
finance6 = finance.at("2001:db8:107:1::37")
hrss = Host("lan", "10.65.64.70", "52:54:00:21:02:70")
hrss6 = hrss.at("2001:db8:107:2::70")
hall = Host("lan", "10.65.64.130", "52:54:00:21:04:30")
kiosk = Host("lan", "10.65.64.150", "52:54:00:21:04:50")
rescue = Host("lan", "10.65.64.165", "52:54:00:21:05:65")
queue = Host("lan", "59.205.39.11", "52:54:00:21:39:11")
archive = Host("lan", "59.205.39.12", "52:54:00:21:39:12")
liantang = Host("lan", "10.65.80.9", LAN_ROUTER)
xiangtang = Host("lan", "10.65.80.70", LAN_ROUTER)

wan = Host("wan", "59.205.5.57", "02:36:01:00:00:fe")
budget, budget6 = wan.at("59.205.16.10"), wan.at("2001:db8:0:16::10")
credit, office = wan.at("59.205.16.40"), wan.at("59.205.16.50")
command, resolver = wan.at("59.205.18.1"), wan.at("59.205.19.2")
service_net, relay = wan.at("59.205.8.10"), wan.at("59.205.8.25")
exchange = wan.at("59.205.208.10")
city_finance, city_server = wan.at("10.64.1.20"), wan.at("59.205.32.10")
jinxian_hall, ganzhou_finance = wan.at("10.65.128.130"), wan.at("10.112.1.20")

citizen = Host("internet", "198.18.7.7", "02:00:5e:00:00:fe")
portal = Host("dmz", "203.0.113.20", "52:54:00:21:d0:20")

hrss_vpn = Host("lan", "10.1.1.10", "52:54:00:21:a1:10", 301)
forestry_vpn = Host("lan", "10.1.1.10", "52:54:00:21:a2:10", 302)
insurance = Host("wan", "192.168.1.10", "02:36:01:00:01:65", 301)
forest = Host("wan", "192.168.1.10", "02:36:01:00:01:66", 302)


def build() -> Story:
    story = Story("360121", PORTS)
    for chapter in (province, tiers, province_refuses, boundary, private_networks, senders, wire):
        chapter(story)
    return story


def province(s: Story) -> None:
    s.group("Systems that the province opens", "The root alone can open them; what decides carries the root's code. "
            "Names are a mandatory allow, which no tier can deny.")
    Talk(s, finance, budget, 51010, 443, "360000/budget-for-finance").open().say(HELLO, ANSWER).close()
    Talk(s, finance6, budget6, 51011, 443, "360000/budget-for-finance").open()
    for source, ident in ((hrss, 11), (xiangtang, 12)):
        query = dns_query(ident, "oa.jiangxi.example")
        s.forward(source, s.udp(source, resolver, 53000 + ident, 53, query), "360000/core-services")
        s.forward(resolver, s.udp(resolver, source, 53, 53000 + ident,
                                  dns_answer(query, bytes([59, 205, 16, 50]))), "360000/core-services")
    s.forward(rescue, s.udp(rescue, command, 5060, 5060, b"OPTIONS sip:jx SIP/2.0\r\n\r\n"),
              "360000/emergency-command")
    s.forward(rescue, s.ip(rescue, command, p.GRE, b"\0\0\x08\0" + bytes(28)), "360000/emergency-command")
    s.group("Services in zones that this gateway has no port in", "By ports it is extranet to extranet, by objects "
            "extranet to DMZ or exchange: the stricter holds, and the rule names a service. A unit that is no "
            "declared exchange node is not served.")
    s.forward(hrss, s.syn(hrss, service_net, 51020, 443), "360000/portal-for-offices")
    s.forward(hrss, s.syn(hrss, relay, 51021, 25), "360000/portal-for-offices")
    s.forward(archive, s.syn(archive, exchange, 51022, 9525), "360000/exchange-declared-nodes")
    s.drop(hrss, s.syn(hrss, exchange, 51023, 9525), "default-deny")


def tiers(s: Story) -> None:
    s.group("The nearest to the root that denies", "The province allows OA to all. The county denies it to its kiosks, "
            "Xiangtang to its own counter; any node's deny wins over another's allow.")
    s.forward(hall, s.syn(hall, office, 51030, 443), "360000/oa-for-all")
    s.forward(liantang, s.syn(liantang, office, 51031, 443), "360000/oa-for-all")
    s.drop(kiosk, s.syn(kiosk, office, 51032, 443), "denied", "no-oa-from-kiosks")
    s.drop(xiangtang, s.syn(xiangtang, office, 51033, 443), "denied", "360121101/no-oa-on-counter")
    s.group("An audit decides nothing", "The county's trial records the towns' use of `credit`, and the province's "
            "allow decides.")
    s.forward(liantang, s.syn(liantang, credit, 51034, 443), "360000/credit-for-authorities")

    s.group("What the county owns", "A mandatory allow of a county holds where both ends are its own: Jinxian's hall "
            "gets nothing by it. The archive is open to the county's bureaus and to the prefecture's finance "
            "bureau, not to townships, nor to Ganzhou's finance bureau.")
    Talk(s, liantang, queue, 51040, 8010, "queue-always").open()
    s.drop(jinxian_hall, s.syn(jinxian_hall, queue, 51041, 8010), "default-deny")
    Talk(s, hrss, archive, 51042, 443, "archive-for-bureaus").open().say(HELLO, ANSWER)
    s.forward(city_finance, s.syn(city_finance, archive, 51043, 443), "archive-for-city-finance")
    s.drop(liantang, s.syn(liantang, archive, 51044, 443), "default-deny")
    s.drop(ganzhou_finance, s.syn(ganzhou_finance, archive, 51045, 443), "default-deny")

    s.group("The prefecture", "Its servers open no connections to counties' offices; to a county's servers "
            "the deny does not reach, and nothing allows it.")
    s.drop(city_server, s.syn(city_server, hrss, 51050, 443), "denied", "360100/servers-answer-only")
    s.drop(city_server, s.syn(city_server, archive.at("59.205.39.20"), 51051, 443), "default-deny")
    s.group("The deepest baseline first", "The county's baseline refuses pings to its servers before the province's "
            "allows pings between units.")
    s.ping(city_finance, hrss, 31, "360000/ping-between-units")
    s.drop(city_finance, s.echo(city_finance, archive, 32), "denied", "no-ping-to-servers")
    s.drop(hrss6, s.echo(hrss6, archive.at("2001:db8:107:100::12"), 33), "denied", "no-ping-to-servers")


def province_refuses(s: Story) -> None:
    s.group("Mandatory denies of the province", "The worms' ports, and mail from anyone but the relay.")
    s.drop(hrss, s.syn(hrss, archive, 51060, 445), "denied", "360000/no-worm-ports")
    s.drop(jinxian_hall, s.syn(jinxian_hall, hall, 51061, 139), "denied", "360000/no-worm-ports")
    s.drop(hrss, s.syn(hrss, office, 51062, 25), "denied", "360000/no-smtp-but-relay")
    s.group("Nothing allows it", "Social security is not finance; a remote login is recorded and not allowed.")
    s.drop(hrss, s.syn(hrss, budget, 51063, 443), "default-deny")
    s.drop(hall, s.syn(hall, budget, 51064, 22), "default-deny")


def boundary(s: Story) -> None:
    s.group("The internet at this county", "The county's portal is published under the province's rule for all "
            "published services; the province's portal is not reached through the county.")
    Talk(s, citizen, portal, 51070, 443, "360000/portal-for-public").open().say(HELLO, ANSWER)
    s.drop(citizen, s.syn(citizen, portal, 51071, 22), "default-deny")
    s.drop(citizen, s.syn(citizen, service_net, 51072, 443), "internet-isolated")
    s.drop(citizen, s.syn(citizen, archive, 51073, 443), "internet-isolated")
    s.drop(hall, s.syn(hall, citizen, 51074, 443), "internet-isolated")
    s.drop(portal, s.syn(portal, citizen, 51075, 443), "internet-isolated")
    s.drop(portal, s.syn(portal, archive, 51076, 443), "default-deny")


def private_networks(s: Story) -> None:
    s.group("Two private networks with the same addresses", "The same five-tuple in VLAN 301 and 302 is two flows. A "
            "leaked route does not lead out of the space, and what one space knows the other does not.")
    one = Talk(s, hrss_vpn, insurance, 51100, 443, "360000/hrss-counters")
    two = Talk(s, forestry_vpn, forest, 51100, 443, "360000/forestry-offices")
    for flags, side in ((p.SYN, 0), (p.SYN | p.ACK, 1), (p.ACK, 0)):
        one.send(side, flags)
        two.send(side, flags)
    two.say(HELLO, ANSWER)
    s.ping(hrss_vpn, insurance, 41, "360000/hrss-counters")
    vpn6 = hrss_vpn.at("fd00:36:107:1::10")
    s.forward(vpn6, s.syn(vpn6, insurance.at("fd00:36:0:1::10"), 51101, 443), "360000/hrss-counters")
    s.drop(hrss_vpn, s.syn(hrss_vpn, budget, 51102, 443), "zone-isolated")
    s.drop(forestry_vpn, s.syn(forestry_vpn, forest.at("10.7.24.5"), 51103, 443), "no-route")
    s.drop(hrss_vpn, s.syn(hrss_vpn, insurance.at("10.1.33.5"), 51104, 443), "default-deny")


def senders(s: Story) -> None:
    s.group("Senders that are not who they say", "An address of the prefecture from the LAN, of the county from the "
            "WAN; an address of no unit; an unregistered desk; a registered address with another MAC; a desk "
            "in the wrong VLAN, whose way back is another port of that space; a private source from the internet.")
    s.drop(hall, s.syn(hall.at("10.64.1.20"), archive, 51110, 443), "spoofed")
    s.drop(wan, s.syn(wan.at("10.65.64.37"), archive, 51111, 443), "spoofed")
    s.drop(liantang, s.syn(liantang.at("10.65.81.7"), office, 51112, 443), "unit-unknown")
    s.drop(finance, s.syn(finance.at("10.65.64.60"), budget, 51113, 443), "terminal-unknown")
    s.drop(xiangtang, s.syn(xiangtang.at("10.65.80.71"), queue, 51114, 8010), "terminal-unknown")
    s.drop(finance.at(finance.address, "52:54:00:66:66:66"), s.syn(finance, budget, 51115, 443), "terminal-mac")
    s.drop(Host("lan", "10.1.33.5", hrss_vpn.mac, 301), s.syn(hrss_vpn.at("10.1.33.5"), insurance, 51116, 443),
           "spoofed")
    s.drop(citizen, s.syn(citizen.at("10.65.64.130"), portal, 51117, 443), "source-private")
    s.drop(citizen, s.syn(citizen.at("100.64.0.9"), portal, 51118, 443), "source-private")


def wire(s: Story) -> None:
    s.group("Too large for the way out", "The carrier's link takes 1400 bytes. An allowed packet that may not be cut "
            "is dropped under the rule that allowed it, and the sender is told.")
    talk = Talk(s, finance, budget, 51200, 443, "360000/budget-for-finance").open()
    s.drop(finance, talk.segment(0, p.ACK, bytes(1460)), UNFIXED, "360000/budget-for-finance")
    talk6 = Talk(s, finance6, budget6, 51201, 443, "360000/budget-for-finance").open()
    s.drop(finance6, talk6.segment(0, p.ACK, bytes(1440)), UNFIXED, "360000/budget-for-finance")

    s.group("The gateway's own, and what is no packet", "ARP, a ping to the gateway; then the last hop, a bad "
            "checksum, a segment without a connection, an unknown VLAN.")
    s.put_frame("lan", p.ethernet("ff:ff:ff:ff:ff:ff", hall.mac, p.ETHERTYPE_ARP, p.arp(
        1, hall.mac, hall.address, "00:00:00:00:00:00", "10.65.64.129")), "local", "for-gateway", "-")
    s.local(hall, s.echo(hall, hall.at("10.65.64.129"), 51))
    s.drop(hall, s.syn(hall, office, 51210, 443, ttl=1), UNFIXED, "360000/oa-for-all")
    s.drop(hall, s.syn(hall, office, 51211, 443, header_checksum=0xBEEF), UNFIXED)
    s.drop(hall, s.ip(hall, office, p.TCP, p.tcp(hall.address, office.address, 51212, 443, 5, 9, p.ACK)), UNFIXED)
    s.put(hall, s.syn(hall, office, 51213, 443), "drop", UNFIXED, "-", tags=(4000,))
