"""What tools/bench/run makes of its policy and of what other programs print: bench_test.py SOURCE_ROOT [-v]."""

from __future__ import annotations

import argparse
import contextlib
import io
import ipaddress
import struct
import sys
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

sys.dont_write_bytecode = True
BENCH = Path(sys.argv.pop(1)) / "tools/bench"
sys.path.insert(0, str(BENCH))

import kernel  # noqa: E402
import peers  # noqa: E402
import rules  # noqa: E402
from contenders import Bench, Failed, Rate  # noqa: E402
from make_capture import Shape, Traffic, World  # noqa: E402

SHAPE = Shape(units=60, services=12, flows=400, packets=800, ipv6=0.0, zipf=1.0, lag=10, seed=7)

PORTS = """OFPST_PORT reply (xid=0x4): 3 ports
  port LOCAL: rx pkts=5, bytes=426, drop=0, errs=0, frame=0, over=0, crc=0
           tx pkts=7, bytes=0, drop=0, errs=0, coll=0
  port  lan: rx pkts=100, bytes=6000, drop=0, errs=0, frame=0, over=0, crc=0
           tx pkts=20, bytes=1200, drop=0, errs=0, coll=0
  port  wan: rx pkts=30, bytes=1800, drop=0, errs=0, frame=0, over=0, crc=0
           tx pkts=90, bytes=5400, drop=3, errs=0, coll=0
"""


def program() -> ModuleType:
    loader = SourceFileLoader("bench_run", str(BENCH / "run"))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def first_match(lines: list[str], source: str, destination: str, source_port: int, port: int) -> str:
    """The out-port of l3fwd's first rule that matches, "drop" where it shuts, "none" where there is none."""
    for line in lines:
        _from, to, low, _, high, low2, _, high2, protocol, *out = line[1:].split()
        if ipaddress.ip_address(source) in ipaddress.ip_network(_from) \
                and ipaddress.ip_address(destination) in ipaddress.ip_network(to) \
                and int(low) <= source_port <= int(high) and int(low2) <= port <= int(high2) \
                and protocol in ("0x11/0xff", "0x00/0x00"):
            return out[0] if line[0] == "R" else "drop"
    return "none"


class Rules(unittest.TestCase):
    def test_as_many_as_asked_for(self) -> None:
        for count in (10, 100, 1000):
            self.assertEqual(len(list(rules.l3fwd4(SHAPE, count))), count)
            self.assertEqual(len(rules.pairs(SHAPE, count)), min(count, SHAPE.units * SHAPE.services))
            self.assertEqual(sum("priority=10,udp" in line for line in rules.openflow(SHAPE, count)), count - 2)
            self.assertEqual(sum("priority=10,udp" in line for line in rules.openflow_conntrack(SHAPE, count)),
                             min(count - 1, SHAPE.units * SHAPE.services))

    def test_seed_settles_them(self) -> None:
        other = Shape(**{**vars(SHAPE), "seed": 8})
        for make in (rules.l3fwd4, rules.openflow, rules.openflow_conntrack, rules.nftables):
            self.assertEqual(list(make(SHAPE, 100)), list(make(SHAPE, 100)))
            self.assertNotEqual(list(make(SHAPE, 100)), list(make(other, 100)))

    def test_verdicts_are_the_policys(self) -> None:
        world = World(SHAPE)
        service_of = {f"59.205.16.{10 + s.number}": s for s in world.services}
        for pair in rules.pairs(SHAPE, 720):
            number = (int(ipaddress.ip_network(pair.unit)[0]) - int(ipaddress.ip_address("10.64.0.0"))) // 32
            service = service_of[pair.service]
            may = {u.number for u in world.may_reach(service)}
            self.assertEqual((pair.port, pair.allowed), (service.port, number in may), pair)

    def test_all_traffic_passes(self) -> None:
        traffic = Traffic(SHAPE, World(SHAPE))
        for count in (50, 720, 1442):
            lines = list(rules.l3fwd4(SHAPE, count))
            for frames, out in ((traffic.requests[:100], "1"), (traffic.replies[:100], "0")):
                for frame in frames:
                    source, destination, source_port, port = struct.unpack_from("!IIHH", frame, 26)
                    got = first_match(lines, str(ipaddress.ip_address(source)),
                                      str(ipaddress.ip_address(destination)), source_port, port)
                    self.assertEqual(got, out)


class Counts(unittest.TestCase):
    def test_open_vswitch(self) -> None:
        self.assertEqual(peers.dump_ports(PORTS), (130, 110))
        self.assertEqual(peers.dump_ports(PORTS.replace("  lan", '  "lan"').replace("  wan", "  2")), (130, 110))
        with self.assertRaisesRegex(Failed, "port  dmz"):
            peers.dump_ports(PORTS.replace("  wan", "  dmz"))

    def test_l3fwd(self) -> None:
        ports = ['{"/ethdev/stats":{"ipackets":%d,"opackets":%d,"ibytes":9}}' % p for p in ((3, 4), (50, 60))]
        self.assertEqual(peers.telemetry_sum(ports), (53, 64))
        with self.assertRaises(ValueError):
            peers.telemetry_sum([ports[0], '{"/ethdev/stats":null}'])

    def test_linux(self) -> None:
        said = '[{"ifname":"lan-out","stats64":{"rx":{"packets":1},"tx":{"packets":22,"dropped":3}}}]'
        self.assertEqual(kernel.link_statistics(said), {"lan-out": (22, 3)})


class Fails(kernel.Nftables):
    """Another's program that ends in its second round."""

    name = "breaks"

    def __init__(self) -> None:
        self.rounds, self.command = 0, []

    def measure(self, bench: Bench) -> Rate:
        self.rounds += 1
        if self.rounds == 2:
            raise Failed("it ended; the end of its log:\n" + "\n".join(f"  line {n}" for n in range(9)))
        return Rate(1e6, 0.0)


class Runs(Fails):
    name = "runs"

    def measure(self, bench: Bench) -> Rate:
        return Rate(2e6, 0.25, core_share=0.5)


class LeftOut(unittest.TestCase):
    def test_who_fails_is_told_of_and_the_rest_goes_on(self) -> None:
        run = program()
        options = argparse.Namespace(rounds=3, seconds=1.0, shape=SHAPE)
        left_out: dict[str, str] = {}
        who = [Runs(), Fails()]
        with contextlib.redirect_stderr(io.StringIO()) as said:
            rounds = run.measure(options, None, who, left_out)
        self.assertEqual([list(r) for r in rounds], [["runs"]] * 3)
        self.assertEqual(who[1].rounds, 2)
        why = "it ended; the end of its log: | line 5 | line 6 | line 7 | line 8"
        self.assertEqual(left_out, {"breaks": why})
        self.assertIn(f"left out: breaks: {why}\n", said.getvalue())
        options.window_seconds = 1.0
        result = run.report(options, rounds, who, left_out)
        table = run.markdown({**result, "window_seconds": 1.0}, SHAPE)
        self.assertIn("| runs | 2.00 | 2.00..2.00 | 4.00 | 50% | 25.000% |", table)
        self.assertNotIn("| breaks", table)
        self.assertTrue(table.endswith(f"left out: breaks: {why}"))


if __name__ == "__main__":
    unittest.main()
