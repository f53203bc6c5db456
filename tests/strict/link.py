"""Frames: Ethernet, VLAN tags, ARP, and what is not IP."""

from __future__ import annotations

import struct
from typing import Iterator

from .case import GATEWAY_MAC, V4, V6, Case, Family, both, drop, frame, fresh, local, p, passes

BROADCAST = "ff:ff:ff:ff:ff:ff"
# IEEE 802.1AE, 802.1X, slow protocols, LLDP, PTP, PPPoE, MPLS, RARP, IPX, loopback, QinQ of others, local experiments
FOREIGN = (0x88E5, 0x888E, 0x8809, 0x88CC, 0x88F7, 0x8863, 0x8864, 0x8847, 0x8848, 0x8035, 0x8137, 0x9000, 0x9100,
           0x9200, 0x88B5, 0x88B6, 0x88E7, 0x893F, 0x22F3, 0x0801, 0x0600, 0xFFFF)


def cases() -> Iterator[Case]:
    yield from both(of_family)()
    yield from frames()
    yield from arp()


def of_family(f: Family) -> Iterator[Case]:
    yield passes("ethernet-padding", "IEEE 802.3 4.2.3.3", frame(f.packet(17, f.udp(fresh(), data=b""))),
                 frame(f.packet(17, f.udp(fresh())), least=900))
    yield passes("unpadded", "IEEE 802.3: a link without a least size", frame(f.packet(6, f.tcp(fresh())), least=0))
    tagged = [frame(f.packet(6, f.tcp(fresh())), tags=(priority << 13 | dei << 12,))
              for priority in range(8) for dei in (0, 1)]
    yield passes("priority-tag", "IEEE 802.1Q 6.9.1: VLAN 0", *tagged)
    yield passes("priority-kept", "IEEE 802.1Q 6.9.4",
                 frame(f.packet(6, f.tcp(fresh(), source=f.office, destination=f.branch), destination=f.branch),
                       tags=(5 << 13,)), out="slim")
    data = b"x" * (9000 - 20 - (20 if f.number == 4 else 40))
    yield passes("jumbo-frame-of-the-mtu", "the port's MTU",
                 frame(f.packet(6, f.tcp(fresh(), data=data))))
    yield drop("larger-than-the-out-port", "RFC 1191 4; RFC 8200 5", "too-big",
               frame(f.packet(6, f.tcp(fresh(), data=bytes(1461), destination=f.branch), destination=f.branch)),
               frame(f.packet(17, f.udp(fresh(), data=bytes(8000), destination=f.branch), destination=f.branch)))
    packet = f.packet(6, f.tcp(fresh()))
    yield drop("vlan-unexpected", "IEEE 802.1Q: no member of this VLAN", "vlan-unexpected",
               *(frame(packet, tags=(vlan,)) for vlan in (1, 21, 999, 4094, 4095)))
    yield drop("vlan-service-tag", "IEEE 802.1ad", "vlan-unexpected", service_tagged(packet, 20),
               service_tagged(packet, 0))
    yield drop("vlan-nested", "IEEE 802.1ad: none here", "vlan-nested",
               *(frame(packet, tags=tags) for tags in ((20, 20), (0, 20), (20, 0), (0, 0), (999, 20))),
               service_tagged(packet, 20, inner=20))
    yield drop("group-frame", "RFC 1812 5.3.4; RFC 1122 3.3.6", "frame-group",
               *(frame(f.packet(6, f.tcp(fresh())), destination=mac)
                 for mac in (BROADCAST, "01:00:5e:00:00:01", "33:33:00:00:00:01", "01:80:c2:00:00:00")))
    yield drop("group-source", "IEEE 802.3 3.2.3", "frame-group",
               *(frame(f.packet(6, f.tcp(fresh())), source=mac)
                 for mac in (BROADCAST, "01:00:5e:00:00:01", "03:00:00:00:00:01")))
    yield drop("cut-in-ip-header", "RFC 1812 5.2.2 (1); RFC 8200 3", "ip-truncated",
               *(frame(packet[:n], ethertype=f.ethertype, least=0) for n in (1, 8, 19 if f is V4 else 39)))
    yield drop("wrong-ethertype", "RFC 894; RFC 2464 3", "ip-header-invalid",
               frame(packet, ethertype=(V6 if f is V4 else V4).ethertype, least=100))
    yield drop("llc-snap", "IEEE 802.2; RFC 1042", "frame-type", snap(f, packet))


def service_tagged(packet: bytes, vlan: int, inner: int | None = None) -> bytes:
    made = frame(packet, tags=() if inner is None else (inner,))
    return made[:12] + struct.pack("!HH", 0x88A8, vlan) + made[12:]


def snap(f: Family, packet: bytes) -> bytes:
    return frame(b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", f.ethertype) + packet, ethertype=len(packet) + 8)


def frames() -> Iterator[Case]:
    whole = frame(V4.packet(6, V4.tcp(fresh())))
    tagged = frame(V4.packet(6, V4.tcp(fresh())), tags=(20,))
    yield drop("runt", "IEEE 802.3 4.2.3.3", "frame-short", *(whole[:n] for n in (1, 6, 12, 13)))
    yield drop("runt-tagged", "IEEE 802.1Q 9.3", "frame-short", *(tagged[:n] for n in (14, 15, 17)))
    yield drop("ethernet-header-only", "RFC 894", "ip-truncated", whole[:14])
    yield drop("foreign-ethertype", "RFC 894; RFC 2464: IPv4, ARP, IPv6", "frame-type",
               *(frame(bytes(46), ethertype=e) for e in FOREIGN))
    yield drop("llc-length", "IEEE 802.3 3.2.6", "frame-type",
               *(frame(b"\x42\x42\x03" + bytes(43), ethertype=e) for e in (0, 3, 38, 46, 1500, 1501, 1535)))
    yield drop("spanning-tree", "IEEE 802.1D", "frame-type",
               frame(b"\x42\x42\x03" + bytes(35), ethertype=38, destination="01:80:c2:00:00:00"))
    yield drop("macsec", "IEEE 802.1AE", "frame-type",
               frame(bytes.fromhex("2c000000000100aabbccddee0001") + whole[12:] + bytes(16), ethertype=0x88E5))
    yield drop("priority-tagged-foreign", "IEEE 802.1Q", "frame-type",
               frame(bytes(46), ethertype=0x88B5, tags=(0,)))


def arp() -> Iterator[Case]:
    mac, here, router = "02:00:00:00:01:10", V4.office, V4.routers["lan"]
    request = p.arp(1, mac, here, "00:00:00:00:00:00", router)

    def framed(body: bytes, to: str = BROADCAST) -> bytes:
        return frame(body, ethertype=p.ETHERTYPE_ARP, destination=to, source=mac)

    yield local("arp", "RFC 826", framed(request), framed(p.arp(2, mac, here, GATEWAY_MAC, router), GATEWAY_MAC),
                framed(p.arp(1, mac, "0.0.0.0", "00:00:00:00:00:00", here)))
    yield drop("arp-malformed", "RFC 826", "arp-invalid",
               framed(b"\0\x06" + request[2:]), framed(request[:2] + b"\x86\xdd" + request[4:]),
               framed(request[:4] + b"\x08\x04" + request[6:]), framed(request[:4] + b"\x06\x10" + request[6:]),
               *(framed(request[:6] + bytes((0, n)) + request[8:]) for n in (0, 3, 4, 8, 9, 25)))
    yield drop("arp-cut", "RFC 826", "arp-invalid",
               *(frame(request[:n], ethertype=p.ETHERTYPE_ARP, destination=BROADCAST, least=0) for n in (0, 8, 27)))
    yield drop("arp-from-a-group", "RFC 1812 3.3.2", "arp-invalid",
               framed(request[:8] + b"\xff" * 6 + request[14:]),
               framed(request[:8] + b"\x01\0\x5e\0\0\x01" + request[14:]))
