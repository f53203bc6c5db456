"""The sample captures through the live gateway: packet by packet what `meiguan replay` says of them."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from channel import PACKET, DataPlane, Event
from lab import ROOT, Bench, Failed, Setup, county, programs, same, test, true, wait_until

sys.path.insert(0, str(ROOT / "tools/captures"))
import county_story  # noqa: E402

SILENT = Setup("captures", live=False)
SILENT_TWO = Setup("captures, two workers", workers=2, live=False)
SHORTEST = 14  # the kernel sends no frame that ends inside its Ethernet header


@dataclass(frozen=True)
class Sent:
    file: str
    index: int
    time: int
    port: str
    frame: bytes


def story() -> list[Sent]:
    """All packets of the captures in the order of their time, from the captures' own script."""
    sent, index = [], dict.fromkeys(county_story.PORTS, 0)
    for group in county_story.build().groups:
        for e in group.packets:
            sent.append(Sent(f"{e.port}.pcap", index[e.port], e.time, e.port, e.frame))
            index[e.port] += 1
    return sorted(sent, key=lambda s: s.time)


def gateway_with_neighbours(bench: Bench) -> Path:
    """The sample's gateway file, which also knows every on-link host of the captures: nobody answers here."""
    file = county.gateway_file(bench.lab, bench.driver, workers=bench.setup.workers)
    known = {}
    for host in vars(county_story).values():
        if isinstance(host, county_story.Host) and host.mac not in (county_story.LAN_ROUTER, county_story.WAN_ROUTER):
            port = f"{host.port}.{host.vlan}" if host.vlan else host.port
            if not (host.vlan and host.port == "wan") and host.mac != "02:00:5e:00:00:fe":
                known[host.address, port] = host.mac
    text = "".join(f'[[neighbour]]\naddress = "{address}"\nport = "{port}"\nmac = "{mac}"\n'
                   for (address, port), mac in known.items())
    file.write_text(file.read_text() + text)
    return file


def replayed(bench: Bench, file: Path) -> dict[tuple[str, int], dict[str, str | None]]:
    words = [str(programs(bench.build)["meiguan"]), "replay", "--policy", str(county.POLICY), "--gateway", str(file),
             "-o", "jsonl"]
    for port in county_story.PORTS:
        words += ["--in", f"{port}={county.CAPTURES / port}.pcap"]
    done = subprocess.run(words, text=True, capture_output=True, timeout=60)
    same(done.returncode, 0, f"meiguan replay: {done.stderr}")
    return {(line["file"], line["index"]): line for line in map(json.loads, done.stdout.splitlines())}


def is_fragment(frame: bytes) -> bool:
    """Whether its fate may hang on other frames."""
    at = 16 if frame[12:14] == b"\x81\x00" else 12
    packet = frame[at + 2:]
    if frame[at:at + 2] == b"\x08\x00" and len(packet) >= 20:
        return int.from_bytes(packet[6:8], "big") & 0x3fff != 0
    return frame[at:at + 2] == b"\x86\xdd" and len(packet) >= 40 and packet[6] == county_story.p.FRAGMENT


def fates(dataplane: DataPlane, sent: list[Sent]) -> list[Event]:
    """The fates of what was sent, in the order in which they became known."""
    deadline = time.monotonic() + 3
    seen: list[Event] = []
    while time.monotonic() < deadline:
        seen += [e for e in dataplane.events() if e.kind == PACKET]
        if len(seen) >= len(sent):
            same(len(seen), len(sent), f"fates of {sent[0].file} {sent[0].index}")
            return seen
        time.sleep(0.001)
    raise Failed(f"{len(seen)} of {len(sent)} fates from {sent[0].file} {sent[0].index} on within 3 s")


def together(packets: list[Sent]) -> Iterator[list[Sent]]:
    """Each packet by itself, but fragments that follow one another: one ends with the others."""
    run: list[Sent] = []
    for sent in packets:
        if len(sent.frame) < SHORTEST:
            continue
        if run and not is_fragment(sent.frame):
            yield run
            run = []
        run.append(sent)
        if not is_fragment(sent.frame):
            yield run
            run = []
    if run:
        yield run


def trace(dataplane: DataPlane, wire: socket.socket) -> None:
    """Tracing is on once a frame, of a type that nobody carries, has left its event."""
    dataplane.trace(True)

    def seen() -> bool:
        wire.send(bytes.fromhex("023601210001 525400990000 88b5") + bytes(46))
        with contextlib.suppress(Failed):
            return wait_until(lambda: any(e.kind == PACKET for e in dataplane.events()), "its event", 0.2)
        return False

    wait_until(seen, "a traced frame")


@test(SILENT, SILENT_TWO)
def captures_live_and_replayed_agree(bench: Bench) -> None:
    """Every packet of the captures has the same verdict, reason, rule and out-port live and replayed."""
    bench.county = county.County.build(bench.lab, hosts=())
    file = gateway_with_neighbours(bench)
    bench.gateway = bench.new_gateway(county.POLICY, file)
    bench.gateway.start()
    bench.gateway.controld.stop()  # the rings have one reader: this test
    want = replayed(bench, file)
    packets = story()
    same(len(want), len(packets), "packets")
    rules = bench.names()["rules"]
    wires = {port: bench[f"{port}-cable"].packet_socket("trunk") for port in county_story.PORTS}
    differences, compared = [], 0
    with DataPlane(bench.gateway.run_dir) as dataplane:
        ports = list(dataplane.status().ports)
        trace(dataplane, wires["lan"])
        for group in together(packets):
            for sent in group:
                wires[sent.port].send(sent.frame)
            live = []
            for seen in fates(dataplane, group):
                said = {"verdict": seen.verdict, "reason": seen.reason,
                        "rule": None if seen.rule is None else rules[seen.rule],
                        "out": ports[seen.out_port] if seen.verdict == "forward" else None}
                live.append(json.dumps(said))
            wanted = []
            for sent in group:
                line = want[sent.file, sent.index]
                out = line["out"] if line["verdict"] == "forward" else None
                wanted.append(json.dumps({"verdict": line["verdict"], "reason": line["reason"], "rule": line["rule"],
                                          "out": out}))
            compared += len(group)
            # Two workers tell of the frames of one run in any order.
            if sorted(live) != sorted(wanted):
                differences.append(f"{group[0].file} {group[0].index}: live {live}, replayed {wanted}")
        dataplane.trace(False)
        totals = dataplane.counters().totals
    for wire in wires.values():
        wire.close()
    true(not differences, "\n".join([f"{len(differences)} of {compared} differ", *differences[:20]]))
    true(compared >= len(packets) - 1, "all packets but the one that no kernel sends were compared")
    same(totals["events_lost"], 0, "events lost")
