"""Sources and destinations that may not be, and what comes from where it does not belong."""

from __future__ import annotations

from typing import Iterator

from .case import V4, V6, Case, Family, both, drop, frame, fresh, local, p, passes

C = "FFW_RUL_EXT.1.6 "
BEFORE = "FFW_RUL_EXT.1.7 "


def cases() -> Iterator[Case]:
    yield from both(of_family)()
    yield from ipv4()
    yield from ipv6()


def from_(f: Family, *sources: str, port: str = "lan") -> list[bytes]:
    return [f.syn(port, source=s) for s in sources] + [
        frame(f.packet(17, f.udp(fresh(), source=s), source=s), port) for s in sources]


def to(f: Family, *destinations: str, port: str = "lan") -> list[bytes]:
    return [f.syn(port, destination=d) for d in destinations] + [
        frame(f.packet(17, f.udp(fresh(), destination=d), destination=d), port) for d in destinations]


def of_family(f: Family) -> Iterator[Case]:
    yield land(f)
    yield drop("source-own", BEFORE + "a", "source-own", *from_(f, f.routers["lan"], f.routers["wan"]))
    elsewhere = (f.server[:-2] + "20", f.branch, f.stranger, "192.0.2.9" if f is V4 else "2001:db8:99::9")
    yield drop("source-of-another-port", BEFORE + "c; RFC 2827; RFC 3704 2.2", "spoofed", *from_(f, *elsewhere))
    yield drop("source-of-another-port-from-internet", BEFORE + "c; RFC 3704 2.2", "spoofed",
               *from_(f, f.portal, port="internet"), port="internet")
    yield drop("no-route", "RFC 1812 5.2.7.1", "no-route",
               *to(f, "192.0.2.9" if f is V4 else "2001:db8:99::9"))
    private = ("10.9.9.9", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "100.127.255.254") \
        if f is V4 else ("fc00::1", "fd12:3456::1")
    yield drop("source-private-from-internet", "RFC 1918 3; RFC 6598 4; RFC 4193 4.3; SP 800-41 4.1", "source-private",
               *from_(f, *private, port="internet"), port="internet")
    yield local("for-the-gateway", "policy.md 5", frame(f.packet(f.icmp, f.echo(
        fresh(), destination=f.routers["lan"]), destination=f.routers["lan"])))


def land(f: Family) -> Case:
    return drop("land", C + "i; CERT CA-1997-28", "land",
                *(frame(f.packet(protocol, body, end, end)) for end in (f.office, f.server) for protocol, body in (
                    (6, f.tcp(139, 139, source=end, destination=end)),
                    (17, f.udp(7, 7, source=end, destination=end)),
                    (f.icmp, f.echo(fresh(), source=end, destination=end)))))


def ipv4() -> Iterator[Case]:
    yield drop("source-broadcast", C + "c; RFC 1122 3.2.1.3 (c)", "source-broadcast",
               *from_(V4, "255.255.255.255", "10.1.0.255", "10.2.0.255"))
    yield drop("source-multicast-v4", C + "d; RFC 1112 7.2", "source-multicast",
               *from_(V4, "224.0.0.1", "224.0.1.1", "232.1.2.3", "239.255.255.255"))
    yield drop("source-loopback-v4", C + "e; RFC 1122 3.2.1.3 (g)", "source-loopback",
               *from_(V4, "127.0.0.1", "127.255.255.254", "127.0.0.0"))
    yield drop("source-unspecified-v4", C + "f; RFC 1122 3.2.1.3 (a)", "source-unspecified", *from_(V4, "0.0.0.0"))
    yield drop("source-reserved-v4", C + "f; RFC 1112 4; RFC 6890", "source-reserved",
               *from_(V4, "240.0.0.1", "255.255.255.254", "0.0.0.1", "0.255.255.255"))
    yield drop("source-link-local-v4", BEFORE + "b; RFC 3927 2.7", "source-link-local",
               *from_(V4, "169.254.0.1", "169.254.255.254"))
    yield drop("destination-broadcast", "RFC 2644; RFC 1812 5.3.5", "destination-broadcast",
               *to(V4, "255.255.255.255", "10.1.0.255", "10.2.0.255"))
    yield drop("destination-broadcast-in-group-frame", "RFC 2644", "destination-broadcast",
               frame(V4.packet(17, V4.udp(fresh(), 137, destination="10.1.0.255"), destination="10.1.0.255"),
                     destination="ff:ff:ff:ff:ff:ff"))
    yield drop("destination-multicast-v4", "RFC 1112: no group is routed here", "destination-multicast",
               *to(V4, "224.0.0.1", "224.0.0.251", "232.1.2.3", "239.255.255.250"),
               frame(V4.packet(17, V4.udp(fresh(), 5353, destination="224.0.0.251"), destination="224.0.0.251"),
                     destination="01:00:5e:00:00:fb"))
    yield drop("destination-loopback-v4", "RFC 1122 3.2.1.3 (g)", "destination-loopback", *to(V4, "127.0.0.1"))
    yield drop("destination-unspecified-v4", C + "f; RFC 1122 3.2.1.3 (a)", "destination-unspecified",
               *to(V4, "0.0.0.0"))
    yield drop("destination-reserved-v4", C + "f; RFC 1112 4", "destination-reserved",
               *to(V4, "240.0.0.1", "255.255.255.254", "0.1.2.3"))
    yield drop("destination-link-local-v4", BEFORE + "b; RFC 3927 2.7", "destination-link-local",
               *to(V4, "169.254.1.1", "169.254.169.254"))
    yield drop("link-local-across-zones-v4", BEFORE + "b", "source-link-local",
               V4.syn("internet", source="169.254.1.1", destination=V4.portal), port="internet")
    yield drop("multicast-across-zones-v4", C + "d", "destination-multicast",
               V4.syn("internet", source=V4.stranger, destination="239.1.1.1"), port="internet")
    yield passes("first-address-of-a-subnet", "RFC 3021; policy.md 5: a host like any other",
                 frame(V4.packet(6, V4.tcp(fresh(), source="10.1.0.0"), source="10.1.0.0")))
    dhcp = p.udp("0.0.0.0", "255.255.255.255", 68, 67, bytes(300))
    yield local("dhcp", C + "f: not DHCP", frame(p.ipv4("0.0.0.0", "255.255.255.255", 17, dhcp),
                                                 destination="ff:ff:ff:ff:ff:ff"))


def ipv6() -> Iterator[Case]:
    yield drop("source-multicast-v6", C + "d; RFC 4291 2.7", "source-multicast",
               *from_(V6, "ff02::1", "ff05::2", "ff0e::1"))
    yield drop("source-loopback-v6", C + "e; RFC 4291 2.5.3", "source-loopback", *from_(V6, "::1"))
    yield drop("source-unspecified-v6", C + "g; RFC 4291 2.5.2", "source-unspecified", *from_(V6, "::"))
    reserved = ("4000::1", "8000::1", "fec0::1", "::2", "::127.0.0.1", "::ffff:10.1.0.10", "64:ff9b::a01:a",
                "100::1", "1fff::1", "5f00::1")
    yield drop("source-reserved-v6", C + "g; RFC 4291 2.4", "source-reserved", *from_(V6, *reserved))
    yield drop("source-link-local-v6", BEFORE + "b; RFC 4291 2.5.6", "source-link-local",
               *from_(V6, "fe80::1", "febf::1"))
    yield drop("source-ula-unrouted", C + "g: ULA by the zone's routes", "spoofed", *from_(V6, "fd00::1"))
    yield drop("destination-multicast-v6", "RFC 4291 2.7: no group is routed here", "destination-multicast",
               *to(V6, "ff01::1", "ff02::1", "ff05::1:3", "ff0e::1"),
               frame(V6.packet(17, V6.udp(fresh(), 5353, destination="ff02::fb"), destination="ff02::fb"),
                     destination="33:33:00:00:00:fb"))
    yield drop("destination-loopback-v6", "RFC 4291 2.5.3", "destination-loopback", *to(V6, "::1"))
    yield drop("destination-unspecified-v6", C + "g; RFC 4291 2.5.2", "destination-unspecified", *to(V6, "::"))
    yield drop("destination-reserved-v6", C + "g; RFC 4291 2.4", "destination-reserved", *to(V6, *reserved))
    yield drop("destination-link-local-v6", BEFORE + "b; RFC 4291 2.5.6", "destination-link-local",
               *to(V6, "fe80::1", "fe80::2:1"))
    yield drop("link-local-across-zones-v6", BEFORE + "b", "source-link-local",
               V6.syn("internet", source="fe80::9", destination=V6.portal), port="internet")
    yield drop("multicast-across-zones-v6", C + "d", "destination-multicast",
               V6.syn("internet", source=V6.stranger, destination="ff0e::1"), port="internet")
    group = p.solicited_node(V6.routers["lan"])
    probe = p.neighbour_solicitation("::", p.solicited_node("2001:db8:1::77"), "2001:db8:1::77", None)
    asks = p.neighbour_solicitation(V6.office, group, V6.routers["lan"], "02:00:00:00:01:10")
    yield local("neighbour-discovery", C + "g: not DAD; RFC 4861 7.1.1",
                frame(p.ipv6("::", p.solicited_node("2001:db8:1::77"), 58, probe, hop_limit=255),
                      destination="33:33:ff:00:00:77"),
                frame(p.ipv6(V6.office, group, 58, asks, hop_limit=255), destination=p.multicast_mac(group)))
    yield drop("neighbour-discovery-from-afar", "RFC 4861 7.1.1: hop limit 255", "icmp-invalid",
               frame(p.ipv6(V6.office, group, 58, asks, hop_limit=254), destination=p.multicast_mac(group)))
