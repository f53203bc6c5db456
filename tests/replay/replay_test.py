"""`meiguan replay`, `explain` and `policy check` from the outside: shapes, order, exit codes.

Run as: replay_test.py MEIGUAN SOURCE_ROOT [-v]. Captures are written by tools/captures, so that the
reader under test meets a writer that is not its own.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools/captures"))

import capture_file as cap  # noqa: E402
import packets as p  # noqa: E402

POLICY, GATEWAY = ROOT / "policies/jiangxi-sample", ROOT / "policies/gateways/jiangxi-360121.toml"
START = 1767574800 * 10**9  # 2026-01-05T01:00:00Z
LAN, WAN = "02:36:01:21:00:01", "02:36:01:21:00:02"
FINANCE, FINANCE_MAC = "10.65.64.37", "52:54:00:21:01:37"
BUDGET = "59.205.16.10"
ROUTER = "02:36:01:00:00:fe"


def frame(dst_mac: str, src_mac: str, ip: bytes, **options) -> bytes:
    kind = p.ETHERTYPE_IPV6 if ip[0] >> 4 == 6 else p.ETHERTYPE_IPV4
    return p.ethernet(dst_mac, src_mac, kind, ip, **options)


def tcp(src: str, dst: str, sport: int, dport: int, flags: int, seq: int = 1, ack: int = 0) -> bytes:
    return p.ipv4(src, dst, p.TCP, p.tcp(src, dst, sport, dport, seq, ack, flags, b""))


def syn(dport: int, sport: int = 50000) -> bytes:
    return frame(LAN, FINANCE_MAC, tcp(FINANCE, BUDGET, sport, dport, p.SYN))


def answer(sport: int, dport: int = 50000) -> bytes:
    return frame(WAN, ROUTER, tcp(BUDGET, FINANCE, sport, dport, p.SYN | p.ACK, 100, 2))


def run(*arguments, env=None, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run([MEIGUAN, *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=60, **options)


def replay(*arguments, env=None) -> subprocess.CompletedProcess:
    return run("replay", "--policy", POLICY, "--gateway", GATEWAY, *arguments, env=env)


def rows(result: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


class Replay(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.lan = self.directory / "lan.pcap"
        self.wan = self.directory / "wan.pcap"
        ms = 10**6
        self.lan_records = [cap.Record(START, syn(443)), cap.Record(START + 20 * ms, syn(445)),
                            cap.Record(START + 30 * ms, syn(80, 50001))]
        self.wan_records = [cap.Record(START + 10 * ms, answer(443)),
                            cap.Record(START + 40 * ms, answer(8443))]
        cap.write_pcap(self.lan, self.lan_records)
        cap.write_pcap(self.wan, self.wan_records)

    def both(self, *arguments, env=None) -> subprocess.CompletedProcess:
        return replay("--in", f"lan={self.lan}", "--in", f"wan={self.wan}", *arguments, env=env)

    def test_lines_in_order_of_time(self) -> None:
        result = self.both("-o", "jsonl")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        got = rows(result)
        self.assertEqual([(r["file"], r["index"]) for r in got],
                         [("lan.pcap", 0), ("wan.pcap", 0), ("lan.pcap", 1), ("lan.pcap", 2),
                          ("wan.pcap", 1)])
        self.assertEqual(list(got[0]), ["file", "index", "time", "in", "verdict", "reason", "rule",
                                        "unit", "to_unit", "service", "out"])
        self.assertEqual(got[0], {
            "file": "lan.pcap", "index": 0, "time": "2026-01-05T09:00:00.000000+08:00", "in": "lan",
            "verdict": "forward", "reason": "allowed", "rule": "360000/budget-for-finance",
            "unit": "czj-360121", "to_unit": "cloud-360000", "service": "budget", "out": "wan"})
        self.assertEqual((got[1]["verdict"], got[1]["out"]), ("forward", "lan"))
        self.assertEqual((got[2]["reason"], got[2]["rule"]), ("denied", "360000/no-worm-ports"))
        self.assertEqual((got[3]["reason"], got[3]["rule"]), ("default-deny", None))
        self.assertEqual(got[4]["reason"], "tcp-no-state")

    def test_every_shape_of_capture_says_the_same(self) -> None:
        want = None
        for order in ("little", "big"):
            for ns in (False, True):
                shapes = {"a.pcap": cap.write_pcap, "b.pcapng": lambda path, records, **o:
                          cap.write_pcapng(path, ["x"], records, **o)}
                for name, write in shapes.items():
                    path = self.directory / name
                    write(path, self.lan_records, order=order, nanoseconds=ns)
                    result = replay("--in", f"lan={path}", "-o", "jsonl")
                    self.assertEqual(result.returncode, 0, result.stderr)
                    got = rows(result)
                    self.assertEqual(len(got[0]["time"]), len("2026-01-05T09:00:00.000000+08:00") + 3 * ns)
                    for r in got:
                        r["file"], r["time"] = "", r["time"][:23]
                    want = want or got
                    self.assertEqual(got, want)

    def test_cut_and_malformed_captures(self) -> None:
        whole = self.lan.read_bytes()
        for cut, judged in ((len(whole) - 1, 2), (len(whole) - 60, 2), (24, 0)):
            path = self.directory / "cut.pcap"
            path.write_bytes(whole[:cut])
            result = replay("--in", f"lan={path}", "-o", "jsonl")
            self.assertEqual(len(rows(result)), judged)
            self.assertEqual(result.returncode, 0 if cut == 24 else 2)
        for bad in (b"", b"hello", whole[:20], whole[:20] + b"\x71\0\0\0" + whole[24:]):
            path.write_bytes(bad)
            result = replay("--in", f"lan={path}", "-o", "jsonl")
            self.assertEqual((result.returncode, result.stdout), (2, ""), bad[:8])
            self.assertIn("cut.pcap", result.stderr)

    def test_snapped_packet_is_judged_on_what_is_there(self) -> None:
        path = self.directory / "snap.pcap"
        record = cap.Record(START, syn(443)[:40])
        path.write_bytes(cap.pcap_header() + cap.pcap_record(record, original=54))
        result = replay("--in", f"lan={path}", "-o", "jsonl")
        self.assertEqual(rows(result)[0]["reason"], "ip-truncated")
        self.assertEqual((result.returncode, result.stderr), (
            0, "snap.pcap: judged 1 packet on what is there: cut short when captured\n"))

    def test_one_unreadable_file_among_several(self) -> None:
        bad = self.directory / "bad.pcap"
        bad.write_bytes(b"no capture at all")
        for path in (bad, self.directory / "missing.pcap"):
            result = replay("--in", f"wan={path}", "--in", f"lan={self.lan}", "-o", "jsonl")
            self.assertEqual(result.returncode, 2)
            self.assertEqual([(r["file"], r["index"]) for r in rows(result)],
                             [("lan.pcap", 0), ("lan.pcap", 1), ("lan.pcap", 2)])
            self.assertIn(path.name, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)
        result = replay("--in", f"lan={self.lan}", "--in", f"nowhere={bad}", "-o", "jsonl")
        self.assertEqual((result.returncode, result.stdout), (2, ""))

    def test_interfaces_that_are_not_ethernet(self) -> None:
        path = self.directory / "mixed.pcapng"
        cooked = cap.pcapng_block(1, (113).to_bytes(2, "little") + bytes(2) + bytes(4))
        packets = [cap.Record(r.time, r.frame, interface=i)
                   for r, i in zip(self.lan_records * 2, (0, 1, 1, 9, 1, 0))]
        path.write_bytes(cap.pcapng_section() + cooked + cap.pcapng_interface("lan") +
                         b"".join(map(cap.pcapng_packet, packets)))
        result = replay("--in", f"lan={path}", "-o", "jsonl")
        self.assertEqual([r["index"] for r in rows(result)], [1, 2, 4])
        self.assertEqual(result.returncode, 2)
        self.assertEqual(len(result.stderr.splitlines()), 2)
        self.assertIn("passed over 2 packets of an interface that is not Ethernet", result.stderr)
        self.assertIn("passed over 1 packet of an interface that the capture does not describe",
                      result.stderr)

    def test_capture_truncated_while_it_is_read(self) -> None:
        big = self.directory / "big.pcap"
        cap.write_pcap(big, self.lan_records * 50000)
        process = subprocess.Popen([MEIGUAN, "replay", "--policy", POLICY, "--gateway", GATEWAY,
                                    "--in", f"lan={big}", "-o", "jsonl"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with process.stdout, process.stderr:
            process.stdout.readline()  # it waits for us at a full pipe
            os.truncate(big, 100)
            process.stdout.read()
            self.assertIn(b"truncated", process.stderr.read())
        self.assertEqual(process.wait(), 2)

    def test_tap_infers_the_port(self) -> None:
        path = self.directory / "tap.pcapng"
        cap.write_pcapng(path, ["tap"], sorted(self.lan_records + self.wan_records,
                                               key=lambda r: r.time))
        got = rows(replay("--tap", path, "-o", "jsonl"))
        self.assertEqual([r["in"] for r in got], ["lan", "wan", "lan", "lan", "wan"])
        self.assertEqual([r["verdict"] for r in got],
                         ["forward", "forward", "drop", "drop", "drop"])

    def test_tap_port_by_space_sender_and_guess(self) -> None:
        path = self.directory / "tap.pcap"
        hrss = frame("02:36:01:21:00:01", "02:00:00:00:00:99",
                     tcp("10.1.1.5", "10.255.0.9", 50000, 443, p.SYN), tags=(301,))
        far = frame(WAN, "02:36:01:00:01:65",
                    tcp("192.168.1.7", "10.1.1.5", 50000, 443, p.SYN), tags=(301,))
        arp = [p.ethernet("ff:ff:ff:ff:ff:ff", mac, p.ETHERTYPE_ARP,
                          p.arp(1, mac, sender, "00:00:00:00:00:00", target))
               for mac, sender, target in (
                   ("02:00:00:00:00:98", "59.205.5.57", "59.205.5.58"),
                   ("02:00:00:00:00:97", "203.0.113.20", "203.0.113.17"),
                   ("02:00:00:00:00:96", "0.0.0.0", "203.0.113.20"))]  # a probe (RFC 5227)
        probe = p.ethernet("33:33:ff:00:00:20", "02:00:00:00:00:95", p.ETHERTYPE_IPV6, p.ipv6(
            "::", "ff02::1:ff00:20", p.ICMP6,
            p.neighbour_solicitation("::", "ff02::1:ff00:20", "2001:db8:2107:1::20", None)))
        to_dmz = frame("02:36:01:21:00:04", "02:00:00:00:00:94",
                       p.ipv6("fe80::5", "2001:db8:2107:1::1", p.UDP,
                              p.udp("fe80::5", "2001:db8:2107:1::1", 1, 2, b"")))
        frames = [hrss, far, *arp[:2], answer(443), arp[2], to_dmz, probe]
        cap.write_pcap(path, [cap.Record(START + i * 10**6, f) for i, f in enumerate(frames)])
        result = replay("--tap", path, "-o", "jsonl")
        self.assertEqual(result.returncode, 0)
        self.assertEqual([r["in"] for r in rows(result)],
                         ["lan", "wan", "wan", "dmz", "wan", "dmz", "dmz", "lan"])
        self.assertEqual(result.stderr, "tap.pcap: guessed the port of 3 packets: no route back "
                                        "to the source tells it\n")
        cap.write_pcap(path, [cap.Record(START + i * 10**6, f) for i, f in enumerate(frames[:5])])
        self.assertEqual(replay("--tap", path, "-o", "jsonl").stderr, "")
        whole = answer(443)
        path.write_bytes(cap.pcap_header() + cap.pcap_record(cap.Record(START, whole[:40]),
                                                             original=len(whole)))
        self.assertEqual(rows(replay("--tap", path, "-o", "jsonl"))[0]["in"], "wan")

    def test_expect(self) -> None:
        golden = self.directory / "golden.txt"
        self.assertEqual(self.both("--expect", golden, env={"UPDATE_EXPECT": "1"}).returncode, 0)
        text = golden.read_text()
        self.assertEqual(text.splitlines()[0],
                         "lan.pcap 0 forward allowed 360000/budget-for-finance")
        golden.write_text("# the first\n" + text)
        result = self.both("--expect", golden)
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        golden.write_text("# the first\n" + text.replace("default-deny", "denied"))
        result = self.both("--expect", golden)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "-lan.pcap 2 drop denied -\n+lan.pcap 2 drop default-deny -\n")
        self.both("--expect", golden, env={"UPDATE_EXPECT": "1"})
        self.assertEqual(golden.read_text(), "# the first\n" + text)

    def test_baseline(self) -> None:
        self.assertEqual(self.both("--baseline", POLICY, "-o", "jsonl").stdout, "")
        other = self.directory / "policy"
        subprocess.run(["cp", "-r", POLICY, other], check=True)
        rules = other / "rules-2-local.toml"
        rules.write_text(rules.read_text().replace('to = ["service:budget"]',
                                                   'to = ["service:oa"]'))
        result = self.both("--baseline", other, "-o", "jsonl")
        self.assertEqual(result.returncode, 1)
        got = rows(result)
        self.assertEqual([(r["file"], r["index"]) for r in got], [("lan.pcap", 0), ("wan.pcap", 0)])
        self.assertEqual(got[0]["baseline"]["reason"], "default-deny")

    def test_summary(self) -> None:
        result = self.both("--summary", "-o", "json")
        self.assertEqual(result.returncode, 0)
        summary = json.loads(result.stdout)
        self.assertEqual(summary["verdicts"], {"forward": 2, "drop": 3, "local": 0})
        self.assertEqual(summary["packets"], 5)
        self.assertIn("czj-360121", self.both("--summary").stdout)

    def test_json_and_csv_say_what_lines_say(self) -> None:
        for more in (), ("--baseline", POLICY), ("--limit", "3"), ("--limit", "0"):
            base = ("--in", f"lan={self.lan}", *more)
            lines = rows(replay(*base, "-o", "jsonl"))
            whole = json.loads(replay(*base, "-o", "json").stdout)
            self.assertEqual((whole["schema"], whole["rows"]), ("meiguan.replay/v1", lines))
            table = list(csv.DictReader(io.StringIO(replay(*base, "-o", "csv").stdout)))
            self.assertEqual([{k: v or None for k, v in row.items()} for row in table],
                             [{**line, "index": str(line["index"])} for line in lines])
        self.assertEqual(replay("--in", f"lan={self.lan}", "-o", "csv", "--no-headers").stdout.count("\n"),
                         len(self.lan_records))

    def test_write_makes_no_tree(self) -> None:
        result = replay("--in", f"lan={self.lan}", "--write", self.directory / "slip/of/fingers")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("slip/of/fingers: no such directory", result.stderr)
        self.assertFalse((self.directory / "slip").exists())

    def test_write(self) -> None:
        out = self.directory / "out"
        self.assertEqual(self.both("--write", out, "-o", "jsonl").returncode, 0)
        again = rows(replay("--in", f"lan={out / 'drops.pcapng'}", "-o", "jsonl"))
        self.assertEqual(len(again), 3)
        self.assertIn(b"denied 360000/no-worm-ports", (out / "drops.pcapng").read_bytes())
        sent = (out / "wan.pcapng").read_bytes()
        self.assertIn(p.mac_bytes(ROUTER) + p.mac_bytes(WAN), sent)  # rewritten
        self.assertIn(b"allowed 360000/budget-for-finance", sent)

    def test_usage(self) -> None:
        for arguments in ((), ("--in", "lan"), ("--in", f"nowhere={self.lan}"),
                          ("--in", f"lan.301={self.lan}"), ("--in", "lan=/nonexistent"),
                          ("--in", f"lan={self.lan}", "--tap", self.lan)):
            result = replay(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)

    def test_broken_pipe_is_quiet(self) -> None:
        big = self.directory / "big.pcap"
        cap.write_pcap(big, self.lan_records * 5000)
        process = subprocess.Popen([MEIGUAN, "replay", "--policy", POLICY, "--gateway", GATEWAY,
                                    "--in", f"lan={big}", "-o", "jsonl"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with process.stdout, process.stderr:
            process.stdout.readline()
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
        self.assertEqual(process.wait(), 0)


class Explain(unittest.TestCase):
    def ask(self, *arguments) -> tuple[int, dict]:
        result = run("explain", "--policy", POLICY, *arguments, "-o", "json")
        return result.returncode, json.loads(result.stdout) if result.stdout else {}

    def test_shape(self) -> None:
        code, got = self.ask("--from", FINANCE, "--to", f"{BUDGET}:443/tcp")
        self.assertEqual(code, 0)
        self.assertEqual(list(got), ["schema", "verdict", "reason", "rule", "where", "unit",
                                     "to_unit", "service", "stages", "assumptions", "at", "until",
                                     "schedule", "not_before", "expires", "ticket", "owner",
                                     "comment"])
        self.assertEqual(got["schema"], "meiguan.explain/v1")
        where, line = got["where"].split(":")
        text = (POLICY / where).read_text().splitlines()
        self.assertTrue(text[int(line) - 1].startswith("[[rule]]"))
        self.assertIn("budget-for-finance", text[int(line)])

    def test_agrees_with_replay(self) -> None:
        directory = Path(tempfile.mkdtemp())
        cases = [(FINANCE, BUDGET, port) for port in (22, 80, 135, 443, 445, 9520)]
        cases += [(FINANCE, "10.65.64.33", 22), (FINANCE, "203.0.113.20", 443),
                  (FINANCE, "8.8.8.8", 443), ("10.65.64.39", BUDGET, 443),
                  ("10.65.64.66", BUDGET, 443), ("10.65.80.5", "59.205.39.11", 8080),
                  (FINANCE, "59.205.39.12", 443), (FINANCE, "10.65.80.9", 443)]
        path = directory / "lan.pcap"
        cap.write_pcap(path, [cap.Record(START + i * 10**6, frame(
            LAN, FINANCE_MAC if src == FINANCE else "02:00:00:00:00:99",
            tcp(src, dst, 50000 + i, port, p.SYN))) for i, (src, dst, port) in enumerate(cases)])
        got = rows(replay("--in", f"lan={path}", "-o", "jsonl"))
        for case, row in zip(cases, got, strict=True):
            src, dst, port = case
            code, said = self.ask("--gateway", GATEWAY, "--from", src, "--to", f"{dst}:{port}/tcp",
                                  "--in", "lan")
            self.assertEqual(code, 0)
            keys = ("verdict", "reason", "rule", "unit", "to_unit", "service")
            self.assertEqual([said[k] for k in keys], [row[k] for k in keys], case)

    def test_target_is_looked_up_where_the_route_leads(self) -> None:
        code, got = self.ask("--gateway", GATEWAY, "--from", "10.1.1.5", "--in", "lan.301",
                             "--to", f"{BUDGET}:443/tcp")
        self.assertEqual((code, got["reason"], got["to_unit"], got["service"]),
                         (0, "zone-isolated", "cloud-360000", "budget"))
        detail = next(s["detail"] for s in got["stages"] if s["stage"] == "isolation")
        self.assertIn("budget", detail)

    def test_questions_that_cannot_be_answered(self) -> None:
        for arguments in (("--from", "10.9.9.9", "--to", f"{BUDGET}:443/tcp"),
                          ("--from", FINANCE, "--to", "8.8.8.8/icmp"),
                          ("--from", FINANCE, "--to", f"{BUDGET}/tcp"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443/icmp"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:0/tcp"),
                          ("--from", FINANCE, "--to", "[2001:db8::1]:443/tcp"),
                          ("--from", FINANCE, "--from-zone", "dmz", "--to", f"{BUDGET}:443/tcp"),
                          ("--from", FINANCE, "--from-zone", "nowhere", "--to", f"{BUDGET}:443/tcp"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443/tcp", "--to-zone", "dmz"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443/tcp", "--in", "lan"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443/tcp", "--at", "1969-01-01"),
                          ("--from", FINANCE, "--to", f"{BUDGET}:443/tcp", "--at", "tomorrow")):
            self.assertEqual(self.ask(*arguments), (2, {}), arguments)

    def test_expect(self) -> None:
        for port, allowed in ((443, True), (445, False)):
            for expect in ("allow", "deny"):
                code, _ = self.ask("--from", FINANCE, "--to", f"{BUDGET}:{port}/tcp",
                                   "--expect", expect)
                self.assertEqual(code, 0 if allowed == (expect == "allow") else 1)


class Show(unittest.TestCase):
    def test_effective(self) -> None:
        def show(*arguments: str) -> dict:
            result = run("policy", "show", "--effective", POLICY, "-o", "json", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)
        unit = show("--unit", "czj-360121")
        self.assertEqual(unit["schema"], "meiguan.effective/v1")
        budget = [x for x in unit["may_reach"] if x["to"]["id"] == "budget"
                  and "443/tcp" in x["ports"]]
        self.assertEqual([x["from"]["id"] for x in budget], ["czj-360121"])
        service = show("--service", "budget")
        self.assertEqual(service["may_reach"], [])
        self.assertIn((budget[0]["rule"], budget[0]["ports"]),
                      [(x["rule"], x["ports"]) for x in service["reached_by"]
                       if x["from"]["id"] == "czj-360121"])
        for wrong in (("--unit", "nobody"), ("--service", "nothing"), ()):
            self.assertEqual(
                run("policy", "show", "--effective", POLICY, *wrong).returncode, 2, wrong)

    def test_explain_all(self) -> None:
        result = run("explain", "--policy", POLICY, "--from", FINANCE, "--to", f"{BUDGET}:443/tcp",
                     "--all", "-o", "json")
        answer = json.loads(result.stdout)
        self.assertEqual([x["rule"] for x in answer["matched"] if x["decides"]], [answer["rule"]])
        self.assertEqual(set(answer["matched"][0]),
                         {"rule", "where", "phase", "node", "action", "decides", "why"})


class Check(unittest.TestCase):
    def test_shapes_and_codes(self) -> None:
        result = run("policy", "check", POLICY, "--gateway", GATEWAY, "-o", "json")
        self.assertEqual((result.returncode, json.loads(result.stdout)),
                         (0, {"schema": "meiguan.check/v1", "errors": [], "lints": []}))
        file = Path(tempfile.mkdtemp()) / "p.toml"
        text = ('[node]\ncode = "36"\nname = "n"\ntier = "province"\n[policy]\nschema = 1\n'
                '[[zone]]\nid = "extranet"\nkind = "extranet"\n')
        rule = '[[rule]]\nid = "r"\naction = "deny"\nfrom = ["{}"]\nto = ["any"]\n'
        file.write_text(text + rule.format("label:nobody"))
        for strict, code in ((), 0), (("--strict",), 1):
            result = run("policy", "check", file, "-o", "json", *strict)
            self.assertEqual(result.returncode, code)
            self.assertEqual([x["line"] for x in json.loads(result.stdout)["lints"]], [13])
        self.assertIn("lint", run("policy", "check", file).stderr)
        file.write_text(text + rule.format("zone:extrane"))
        result = run("policy", "check", file, "-o", "json")
        self.assertEqual(result.returncode, 2)
        error = json.loads(result.stdout)["errors"][0]
        self.assertEqual(set(error), {"file", "line", "column", "message", "hint"})
        self.assertEqual((error["file"], error["line"]), ("p.toml", 13))
        self.assertIn("extranet", error["hint"])
        plain = run("policy", "check", file)
        self.assertEqual((plain.returncode, plain.stdout), (2, ""))
        self.assertIn("p.toml:13:", plain.stderr)


class Words(unittest.TestCase):
    def test_codes(self) -> None:
        for arguments, code in ((("--version",), 0), (("--help",), 0), ((), 2), (("nonsense",), 2),
                                (("reason", "3"), 0), (("reason", "denied"), 0),
                                (("reason", "nonsense"), 2), (("isolation", "show"), 0),
                                (("isolation", "show", "-o", "jsonl"), 0),
                                (("completion", "bash"), 0), (("completion", "tcsh"), 2),
                                (("reason", "--columns", "nonsense"), 2),
                                (("--run-dir", "/nonexistent", "status"), 3)):
            self.assertEqual(run(*arguments).returncode, code, arguments)

    def test_languages(self) -> None:
        self.assertIn("规则", run("--lang", "zh", "reason", "denied").stdout)
        self.assertIn("规则", run("reason", "denied", env={"LC_ALL": "zh_CN.UTF-8"}).stdout)
        self.assertIn("rule", run("--lang", "en", "reason", "denied",
                                  env={"LC_ALL": "zh_CN.UTF-8"}).stdout)

    def test_table_forms(self) -> None:
        got = json.loads(run("reason", "denied", "-o", "json").stdout)
        self.assertEqual(got["rows"][0]["code"], 3)
        self.assertEqual(run("reason", "denied", "-o", "csv", "--columns", "reason,code",
                             "--no-headers").stdout, "denied,3\n")
        lines = run("reason", "-o", "csv", "--columns", "code", "--sort", "-code", "--limit",
                    "1", "--no-headers").stdout.split()
        codes = [row["code"] for row in json.loads(run("reason", "-o", "json").stdout)["rows"]]
        self.assertEqual(lines, [str(max(codes))])

    def test_completion_is_a_script(self) -> None:
        script = run("completion", "bash").stdout
        self.assertEqual(subprocess.run(["bash", "-n"], input=script, text=True).returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
