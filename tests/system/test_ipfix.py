"""IPFIX: what a gateway exports, as nfdump, pmacct and tshark read it, is what it says itself."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Sequence
from xml.etree import ElementTree

from lab import Bench, Setup, county, same, test, true, wait_until
from prometheus import METRICS, Prometheus
from test_captures import gateway_with_neighbours
from test_stats import BY, NOT_COMPARED, kept, play, replayed

IPFIX = Setup("ipfix", live=False)
ENTERPRISE = 32473
NFCAPD, NFACCTD, TCP, TLS = 9995, 9996, 4739, 4740
PRIMITIVES = {"reply_packets": ("29305:2", "8", "u_int"), "reply_bytes": ("29305:1", "8", "u_int"),
              "dropped": ("133", "8", "u_int"), "event": ("233", "1", "u_int"),
              "unit": (f"{ENTERPRISE}:1001", "vlen", "str"), "service": (f"{ENTERPRISE}:1003", "vlen", "str"),
              "rule": (f"{ENTERPRISE}:1004", "vlen", "str"), "reason": (f"{ENTERPRISE}:1005", "vlen", "str")}


@dataclass
class Receiver:
    """A collector of streams: takes messages apart by their length, as RFC 7011 has it, and keeps them."""

    listener: socket.socket
    tls: ssl.SSLContext | None = None
    messages: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        try:
            stream, _ = self.listener.accept()
            if self.tls:
                stream = self.tls.wrap_socket(stream, server_side=True)
            with stream:
                while header := self.exactly(stream, 4):
                    self.messages.append(header + self.exactly(stream, struct.unpack("!H", header[2:])[0] - 4))
        except OSError:
            return

    @staticmethod
    def exactly(stream: socket.socket, n: int) -> bytes:
        data = b""
        while len(data) < n and (more := stream.recv(n - len(data))):
            data += more
        return data

    def capture(self, file: Path) -> Path:
        """As datagrams from one socket to another, for tshark."""
        with file.open("wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
            for message in self.messages:
                udp = struct.pack("!HHHH", 40000, TCP, len(message) + 8, 0) + message
                packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, len(udp) + 20, 0, 0, 64, 17, 0, b"\x7f\0\0\1",
                                     b"\x7f\0\0\2") + udp
                out.write(struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet)
        return file


def certificate(directory: Path) -> ssl.SSLContext:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", directory / "collector.key",
                    "-out", directory / "collector.pem", "-days", "2", "-subj", "/CN=collector",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "collector.pem", directory / "collector.key")
    return context


def appliance(directory: Path) -> Path:
    def collector(port: int, transport: str, more: str = "") -> str:
        return (f'[[ipfix]]\ncollector = "127.0.0.1:{port}"\ntransport = "{transport}"\n'
                f"enterprise = {ENTERPRISE}\n{more}")

    file = directory / "appliance.toml"
    file.write_text(collector(NFCAPD, "udp") + collector(NFACCTD, "udp") + collector(TCP, "tcp") +
                    collector(TLS, "tls", 'ca = "collector.pem"\n') +
                    f'[metrics]\nlisten = "127.0.0.1:{METRICS}"\n', encoding="utf-8")
    return file


class Collectors:
    """The real ones, in the gateway's namespace."""

    def __init__(self, bench: Bench) -> None:
        here, self.directory = bench.county.gateway, bench.lab.directory
        here.ip("link set lo up")
        (self.directory / "nfcapd").mkdir()
        self.nfcapd = here.start("nfcapd", "nfcapd", "-b", "127.0.0.1", "-p", str(NFCAPD),
                                 "-w", str(self.directory / "nfcapd"))
        (self.directory / "primitives").write_text("".join(
            f"name={name} field_type={kind} len={length} semantics={semantics}\n"
            for name, (kind, length, semantics) in PRIMITIVES.items()), encoding="utf-8")
        (self.directory / "nfacctd.conf").write_text(
            f"daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {NFACCTD}\nnfacctd_time_new: true\n"
            f"plugins: print\nprint_output: json\nprint_refresh_time: 1\nprint_output_file_append: true\n"
            f"print_output_file: {self.directory}/pmacct.json\naggregate_primitives: {self.directory}/primitives\n"
            "aggregate: src_host,dst_host,src_port,dst_port,proto,tcpflags,in_iface,out_iface,timestamp_start,"
            f"timestamp_end,{','.join(PRIMITIVES)}\n", encoding="utf-8")
        self.nfacctd = here.start("nfacctd", "nfacctd", "-f", str(self.directory / "nfacctd.conf"))
        self.streams = {}
        for name, port, tls in (("tcp", TCP, None), ("tls", TLS, certificate(self.directory))):
            listener = here.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
            self.streams[name] = Receiver(listener, tls)
        for port in (NFCAPD, NFACCTD):
            wait_until(lambda: f":{port} " in here.run("ss", "-nul").stdout, f"a collector at {port}", 20)

    def nfdump(self) -> list[dict[str, Any]]:
        self.nfcapd.stop()
        done = subprocess.run(["nfdump", "-R", str(self.directory / "nfcapd"), "-o", "json"], text=True,
                              capture_output=True, timeout=30)
        same(done.returncode, 0, f"nfdump: {done.stderr}")
        return json.loads(done.stdout)

    def pmacct_rows(self) -> list[dict[str, Any]]:
        file = self.directory / "pmacct.json"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines if line.strip().endswith("}")]

    def pmacct_packets(self) -> int:
        return sum(row.get("packets", 0) for row in self.pmacct_rows())

    def pmacct(self) -> list[dict[str, Any]]:
        self.nfacctd.stop()
        return self.pmacct_rows()

    def tshark(self, name: str) -> list[dict[str, str]]:
        """Each data record of a stream, by the dissector's names of fields; our own by their numbers."""
        file = self.streams[name].capture(self.directory / f"{name}.pcap")
        words = ["tshark", "-r", str(file), "-d", f"udp.port=={TCP},cflow", "-T", "pdml"]
        done = subprocess.run(words, text=True, capture_output=True, timeout=60)
        same(done.returncode, 0, f"tshark: {done.stderr}")
        for bad in ("_ws.malformed", "_ws.expert", "No template found"):
            true(bad not in done.stdout, f"tshark has no {bad}")
        return [read(one) for one in ElementTree.fromstring(done.stdout).iter("field")
                if one.get("name") == "" and one.get("show", "").startswith("Flow ")]


def read(record: ElementTree.Element) -> dict[str, str]:
    fields: dict[str, str] = {}
    for one in record.iter("field"):
        name, shown, value = one.get("name", ""), one.get("showname", ""), one.get("show", "")
        if own := re.search(r"Type (\d+): Value", shown):
            name, value = own[1], bytes.fromhex(value.replace(":", "")).decode("latin-1")
        if "(Reverse" in shown:
            name += ".reverse"
        fields[name] = value
    return fields


def moment(text: str) -> int:
    """Milliseconds since 1970 of what the tools print in UTC."""
    form = "%Y-%m-%dT%H:%M:%S.%f" if "T" in text[:12] else "%Y-%m-%d %H:%M:%S.%f" if text[0].isdigit() else \
        "%b %d, %Y %H:%M:%S.%f"
    at = datetime.strptime(re.sub(r"(\.\d{6})\d*( UTC)?$", r"\1", text), form).replace(tzinfo=timezone.utc)
    return round(at.timestamp() * 1000)


def flow(row: dict[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


COUNTERS = ("packets", "bytes", "reply_packets", "reply_bytes")
# What each tool has a field of.
BY_ALL = ("source", "destination", "protocol", "ports", "start_ms", "end_ms", "tcp_flags", *COUNTERS)
BY_TSHARK = (*BY_ALL, "in", "out", "reply_tcp_flags", "unit", "to_unit", "service", "rule", "revision", "translated")
BY_PMACCT = (*BY_ALL, "in", "out", "unit", "service", "rule")


def as_gateway(row: dict[str, Any]) -> dict[str, Any]:
    is_icmp = row["protocol"] in (1, 58)
    ends = [row.get(f"translated_{end}") for end in
            (("source", "destination") if is_icmp else
             ("source", "source_port", "destination", "destination_port"))]
    return {**row, "ports": (row["destination_port"],) if is_icmp else (row["source_port"], row["destination_port"]),
            "translated": tuple(ends) if ends[0] else None,
            **{name: row[name] or "" for name in ("unit", "to_unit", "service", "rule", "revision")}}


def as_nfdump(row: dict[str, Any]) -> dict[str, Any]:
    flags = sum(1 << bit for bit, letter in enumerate("FSRPAUEC") if letter in row.get("tcp_flags", ""))
    ports = (row["src_port"], row["dst_port"]) if "src_port" in row else (row["icmp_type"] * 256 + row["icmp_code"],)
    return {"source": row.get("src4_addr") or row["src6_addr"], "destination": row.get("dst4_addr") or row["dst6_addr"],
            "protocol": row["proto"], "ports": ports, "start_ms": moment(row["first"]), "end_ms": moment(row["last"]),
            "tcp_flags": flags, "packets": row["in_packets"], "bytes": row["in_bytes"],
            "reply_packets": row.get("out_packets", 0), "reply_bytes": row.get("out_bytes", 0)}


def as_pmacct(row: dict[str, Any], ports: Sequence[str]) -> dict[str, Any]:
    protocol = int(row["ip_proto"]) if row["ip_proto"].isdigit() else socket.getprotobyname(row["ip_proto"])
    return {"source": row["ip_src"], "destination": row["ip_dst"], "protocol": protocol,
            "ports": (row["port_src"], row["port_dst"]), "start_ms": moment(row["timestamp_start"]),
            "end_ms": moment(row["timestamp_end"]), "tcp_flags": int(row["tcp_flags"]), "packets": row["packets"],
            "bytes": row["bytes"], "reply_packets": int(row["reply_packets"]), "reply_bytes": int(row["reply_bytes"]),
            "in": ports[row["iface_in"] - 1], "out": ports[row["iface_out"] - 1],
            **{name: row[name] for name in ("unit", "service", "rule")}}


def as_tshark(row: dict[str, str], ports: Sequence[str]) -> dict[str, Any]:
    def number(*names: str) -> int:
        return next(int(row[f"cflow.{name}"], 0) for name in names if f"cflow.{name}" in row)

    def end(*names: str) -> str:
        return next(row[f"cflow.{name}"] for name in names if f"cflow.{name}" in row)

    is_icmp = number("protocol") in (1, 58)
    if is_icmp:
        about = (number("icmp_type_code_ipv4"),) if "cflow.icmp_type_code_ipv4" in row else \
            (number("icmp_ipv6_type") * 256 + number("icmp_ipv6_code"),)
    else:
        about = (number("srcport"), number("dstport"))
    translated: tuple[Any, ...] | None = None
    if any(name.startswith("cflow.post_natsource") for name in row):
        source = end("post_natsource_ipv4_address", "post_natsource_ipv6_address")
        destination = end("post_natdestination_ipv4_address", "post_natdestination_ipv6_address")
        translated = (source, destination)
        if not is_icmp:
            translated = (source, number("post_naptsource_transport_port"),
                          destination, number("post_naptdestination_transport_port"))
    return {"source": end("srcaddr", "srcaddrv6"), "destination": end("dstaddr", "dstaddrv6"),
            "protocol": number("protocol"), "ports": about, "start_ms": moment(end("abstimestart")),
            "end_ms": moment(end("abstimeend")), "tcp_flags": number("tcpflags"), "packets": number("packets"),
            "bytes": number("octets"), "reply_packets": number("packets.reverse"),
            "reply_bytes": number("octets.reverse"), "in": ports[number("inputint") - 1],
            "out": ports[number("outputint") - 1], "reply_tcp_flags": ord(row["1007"]), "translated": translated,
            **{name: row.get(str(n), "") for n, name in
               ((1001, "unit"), (1002, "to_unit"), (1003, "service"), (1004, "rule"), (1006, "revision"))}}


def agree(got: list[dict[str, Any]], want: list[dict[str, Any]], names: Sequence[str], who: str) -> None:
    have, should = Counter(flow(row, names) for row in got), Counter(flow(row, names) for row in want)
    same((sorted(map(str, have - should)), sorted(map(str, should - have))), ([], []), f"{who} by {names}")


@test(IPFIX)
def collectors_read_what_the_gateway_says(bench: Bench) -> None:
    """nfdump, pmacct and tshark read each flow and each sum as `meiguan flows` and `stats` have them."""
    bench.county = county.County.build(bench.lab, hosts=())
    file = gateway_with_neighbours(bench)
    bench.gateway = gateway = bench.new_gateway(county.POLICY, file)
    collectors = Collectors(bench)
    gateway.appliance = appliance(bench.lab.directory)
    gateway.start()
    wait_until(lambda: all(row["connected"] for row in gateway.json("status")["exports"]), "all are connected", 20)
    prometheus = Prometheus(bench)
    prometheus.await_value("meiguan_dataplane_up", 1)
    prometheus.check()
    play(bench)
    flows = [as_gateway(row) for row in gateway.json("flows", "--since", "1h")["rows"]]
    stats = gateway.json("stats", "--by", "reason,direction,verdict", "--since", "1h")["rows"]
    ports = bench.names()["ports"]
    true(len(flows) > 30, "flows of many kinds")
    assert gateway.controld
    exports: list[dict[str, Any]] = []

    def all_sent() -> bool:
        # Its exit code says that the data plane is gone.
        exports[:] = json.loads(gateway.ask("-o", "json", "status").stdout)["exports"]
        return len({row["records"] for row in exports}) == 1 and not any(row["waiting"] for row in exports)

    wait_until(all_sent, "each was sent the same and nothing waits", 10)
    same([row["lost_records"] for row in exports], [0] * 4, "records lost")
    # The same capture by replay, and what Prometheus has of it.
    same(kept(bench), replayed(bench, file), f"statistics by {BY}, live and replayed")
    prometheus.await_value("meiguan_dataplane_up", 0)
    prometheus.check()
    want = Counter[str]()
    for row in stats:
        want[row["reason"]] += row["packets"]
    have = prometheus.values("meiguan_packets_total", "reason")
    same(*({reason: n for reason, n in numbers.items() if n and reason not in NOT_COMPARED}
           for numbers in (have, want)), "packets that Prometheus has, by reason")
    reasons = json.loads(gateway.ask("-o", "json", "top", "reasons").stdout)["rows"]
    prometheus.await_value("sum(meiguan_frame_bytes_total)", sum(row["bytes"] for row in reasons))
    prometheus.await_value("meiguan_flows_ended_total", len(flows))
    units = json.loads(gateway.ask("-o", "json", "top", "units").stdout)["rows"]
    prometheus.await_value("sum(meiguan_unit_sent_packets_total)", sum(row["sent_packets"] for row in units))
    prometheus.await_value("sum(meiguan_export_lost_records_total)", 0)
    gateway.controld.stop()

    streams = {name: collectors.tshark(name) for name in ("tcp", "tls")}
    for name, records in streams.items():
        agree([as_tshark(row, ports) for row in records if "cflow.packets" in row], flows, BY_TSHARK,
              f"tshark of {name}")
        denied: Counter[str] = Counter()
        for row in records:
            if "cflow.drop_packets" in row:
                same(row["cflow.firewall_event"], "3", "the event of a denial")
                denied[row["1005"]] += int(row["cflow.drop_packets"])
        same(denied, Counter({row["reason"]: row["packets"] for row in stats if row["verdict"] == "drop"}),
             f"what was dropped, by {name}")
        true(any("cflow.nat_event" in row for row in records), "events of translations")
    wait_until(lambda: collectors.pmacct_packets() >= sum(row["packets"] for row in flows), "pmacct's purge", 15)
    read = {"nfdump": [as_nfdump(row) for row in collectors.nfdump() if row.get("in_packets")],
            "pmacct": [as_pmacct(row, ports) for row in collectors.pmacct() if row.get("packets")]}
    agree(read["nfdump"], flows, BY_ALL, "nfdump")
    for named, names in ((True, BY_PMACCT), (False, [name for name in BY_PMACCT if name != "ports"])):
        # pmacct has no ICMP types.
        agree([row for row in read["pmacct"] if (row["protocol"] not in (1, 58)) == named],
              [row for row in flows if (row["protocol"] not in (1, 58)) == named], names, "pmacct")
    want = {direction: tuple(sum(row[name] for row in stats if row["direction"] == direction)
                             for name in ("packets", "bytes")) for direction in ("request", "reply")}
    for who, rows in read.items():
        sums = [sum(row[name] for row in rows) for name in COUNTERS]
        same({"request": tuple(sums[:2]), "reply": tuple(sums[2:])}, want, f"sums of {who}")
