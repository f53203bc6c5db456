"""The same few packets in every shape of capture file: whatever reads one must read them all alike."""

from __future__ import annotations

from pathlib import Path

import packets as p
from capture_file import Record, write_pcap, write_pcapng
from story import START, dns_answer, dns_query

GATEWAY_LAN, GATEWAY_WAN = "02:36:01:21:00:01", "02:36:01:21:00:02"
DESK_MAC, ROUTER_MAC = "52:54:00:21:02:70", "02:36:01:00:00:fe"
DESK, DESK6, SERVER, SERVER6 = "10.65.64.70", "2001:db8:107:2::70", "59.205.19.2", "2001:db8:0:16::53"


def exchange() -> list[Record]:
    """A query and an answer over each family, the answer on the second interface."""
    records = []
    for number, (desk, server) in enumerate(((DESK, SERVER), (DESK6, SERVER6))):
        query = dns_query(number + 1, "oa.jiangxi.example")
        datagrams = ((desk, server, 53001, 53, query),
                     (server, desk, 53, 53001, dns_answer(query, bytes([59, 205, 16, 50]))))
        for interface, (src, dst, src_port, dst_port, data) in enumerate(datagrams):
            payload = p.udp(src, dst, src_port, dst_port, data)
            six = ":" in src
            packet = (p.ipv6 if six else p.ipv4)(src, dst, p.UDP, payload)
            to, from_ = ((GATEWAY_LAN, DESK_MAC), (GATEWAY_WAN, ROUTER_MAC))[interface]
            records.append(Record(
                START + len(records) * 1_250_037,
                p.ethernet(to, from_, p.ETHERTYPE_IPV6 if six else p.ETHERTYPE_IPV4, packet),
                interface, ("query", "answer")[interface]))
    return records


README = """# One conversation in every shape of capture file

Two DNS queries and their answers, over IPv4 and IPv6, in pcap (microseconds and nanoseconds, both byte
orders) and pcapng (two interfaces, both byte orders, nanoseconds and the default microseconds). Whatever
reads one must read the same four packets from each; times differ below the microsecond at most. Under
policies/jiangxi-sample all four are allowed by `360000/core-services`.
"""


def write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "README.md").write_text(README)
    records = exchange()
    write_pcap(directory / "micro-little.pcap", records)
    write_pcap(directory / "micro-big.pcap", records, order="big")
    write_pcap(directory / "nano-little.pcap", records, nanoseconds=True)
    write_pcap(directory / "nano-big.pcap", records, order="big", nanoseconds=True)
    write_pcapng(directory / "two-interfaces-little.pcapng", ["lan", "wan"], records)
    write_pcapng(directory / "two-interfaces-big.pcapng", ["lan", "wan"], records, order="big")
    write_pcapng(directory / "two-interfaces-micro.pcapng", ["lan", "wan"], records, nanoseconds=False)
