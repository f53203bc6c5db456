"""`meiguan prove`, and assertions when a tree is loaded, from the outside: shapes, words, exit codes.

Run as: prove_test.py MEIGUAN SOURCE_ROOT [-v].
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
import unittest
from pathlib import Path

from world import BUDGET, PORTAL, ROOT, TREE, assertion, run

SAMPLE, GATEWAY = ROOT / "policies/jiangxi-sample", ROOT / "policies/gateways/jiangxi-360121.toml"


class Assertions(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "tree.toml"

    def write(self, *parts: str) -> Path:
        self.path.write_text(TREE + "".join(parts))
        return self.path

    def prove(self, *arguments) -> dict:
        result = run("prove", "--policy", self.path, *arguments, "-o", "json")
        document = json.loads(result.stdout)
        self.assertEqual(document["schema"], "meiguan.prove/v1")
        self.assertEqual(result.returncode, 0 if document["holds"] else 1, result.stderr)
        return document

    def ask(self, *arguments) -> dict:
        document = self.prove(*arguments)
        self.assertEqual(len(document["assertions"]), 1)
        return document["assertions"][0]

    def explain(self, example: dict) -> dict:
        result = run("explain", "--policy", self.path, *shlex.split(example["explain"]), "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_questions(self) -> None:
        self.write(BUDGET, PORTAL)
        never, always = "--never", "--always"
        cases = [
            # name, question, holds, rule, reason of the counter-example
            ("only finance reaches budget",
             [never, "--from", "any", "--except-from", "label:finance", "--to", "service:budget"],
             True, None, None),
            ("finance does", [never, "--from", "unit:czj", "--to", "any"], False, "360000/budget",
             "allowed"),
            ("finance by its address",
             [never, "--from", "net:10.64.37.16/28", "--to", "net:59.205.16.10/32"], False,
             "360000/budget", "allowed"),
            ("another port", [never, "--from", "any", "--to", "any", "--ports", "1-442/tcp",
                              "444-65535/tcp", "udp", "icmp", "icmp6"], True, None, None),
            ("finance always", [always, "--from", "label:finance", "--to", "service:budget"], True,
             None, None),
            ("no unit of IPv6 can send to an address of IPv4",
             [never, "--from", "net:2001:db8:1:36::/64", "--to", "service:budget"], True, None,
             None),
            ("not all of extranet always", [always, "--from", "zone:extranet", "--to",
                                            "service:budget"], False, None, "default-deny"),
            ("by the labels published",
             [never, "--from", "zone:internet", "--to", "any", "--except-to", "services:published"],
             True, None, None),
            ("the internet reaches the portal", [never, "--from", "zone:internet", "--to", "zone:dmz"],
             False, "360000/portal", "allowed"),
            ("port 80 of the portal is not open", [always, "--from", "zone:internet", "--to",
                                                  "service:portal"], False, None, "default-deny"),
            ("isolation", [always, "--from", "zone:internet", "--to", "zone:extranet"], False, None,
             "internet-isolated"),
        ]
        for name, question, holds, rule, reason in cases:
            with self.subTest(name):
                one = self.ask(*question)
                self.assertEqual(one["holds"], holds)
                self.assertEqual((one["id"], one["where"]), (None, None))
                self.assertEqual(one["kind"], question[0][2:])
                example = one["counter_example"]
                if holds:
                    self.assertIsNone(example)
                    continue
                self.assertEqual((example["rule"], example["reason"]), (rule, reason))
                said = self.explain(example)
                for key in ("verdict", "reason", "rule", "where", "unit", "to_unit", "service"):
                    self.assertEqual(said[key], example[key], key)

    def test_no_packet_matches(self) -> None:
        self.write(BUDGET)
        one = self.ask("--never", "--from", "unit:czj", "--to", "service:budget", "--ports", "udp")
        self.assertEqual((one["holds"], one["no_packet_matches"]), (True, True))
        # An address of IPv6 cannot send to one of IPv4, whether the rules would let it by or not.
        for kind in ("--never", "--always"):
            for service in ("budget", "portal"):
                with self.subTest(f"{kind} from IPv6 to {service}"):
                    one = self.ask(kind, "--from", "net:2001:db8:1:36::/64", "--to",
                                   f"service:{service}")
                    self.assertEqual((one["holds"], one["no_packet_matches"]), (True, True))
        one = self.ask("--never", "--from", "unit:mzj", "--to", "service:budget")
        self.assertEqual((one["holds"], one["no_packet_matches"]), (True, False))

    def test_an_egress_lets_out_its_own_family(self) -> None:
        self.write("""[[egress]]
id = "out"
from = ["unit:czj"]
pool = ["203.0.113.0/28"]
[[rule]]
id = "out"
action = "allow"
from = ["unit:czj"]
to = ["zone:internet"]
""")
        for source, holds in (("10.64.37.0/27", False), ("2001:db8:1:36::/64", True)):
            with self.subTest(source):
                one = self.ask("--never", "--from", f"net:{source}", "--to", "zone:internet")
                self.assertEqual((one["holds"], one["no_packet_matches"]), (holds, False))

    def test_those_of_the_tree(self) -> None:
        self.write(BUDGET, PORTAL,
                   assertion("finance", "always", 'from = ["label:finance"], to = ["service:budget"]'),
                   assertion("no-internet", "never", 'from = ["zone:internet"], to = ["any"]'))
        document = self.prove()
        self.assertEqual([(a["id"], a["kind"], a["holds"]) for a in document["assertions"]],
                         [("finance", "always", True), ("no-internet", "never", False)])
        line = self.path.read_text().splitlines().index("[[assert]]") + 1
        self.assertEqual(document["assertions"][0]["where"], f"tree.toml:{line}")
        self.assertEqual(document["assertions"][1]["counter_example"]["rule"], "360000/portal")
        result = run("prove", "--policy", self.path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("is allowed by 360000/portal (tree.toml:", result.stdout)
        result = run("prove", "--policy", self.path, LC_ALL="zh_CN.UTF-8")
        self.assertIn("被规则 360000/portal（tree.toml:", result.stdout)
        # A question is about itself, not about the tree's.
        self.assertTrue(self.ask("--never", "--from", "unit:mzj", "--to", "any")["holds"])

    def test_times(self) -> None:
        office = """[[schedule]]
id = "office"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:30:00
end = 18:00:00
"""
        timed = BUDGET + 'schedule = "office"\n'
        expiring = BUDGET + "expires = 2026-12-31\n"
        finance, budget = ["--from", "label:finance"], ["--to", "service:budget"]
        cases = [
            # name, tree, question, at, holds, instant of the counter-example
            ("not at night", office + timed, "--always", "2026-03-02T09:00", False,
             "2026-03-02T18:00:00+08:00"),
            ("asked at night", office + timed, "--never", "2026-03-06T19:00", False,
             "2026-03-09T08:30:00+08:00"),
            ("until it expires", expiring, "--always", "2026-03-02", False,
             "2027-01-01T00:00:00+08:00"),
            ("as long as it is there", expiring, "--never", "2026-12-31T23:59:59", False,
             "2026-12-31T23:59:59+08:00"),
            ("when it has expired", expiring, "--never", "2027-01-01", True, None),
        ]
        for name, rules, kind, at, holds, instant in cases:
            with self.subTest(name):
                self.write(rules)
                one = self.ask(kind, *finance, *budget, "--at", at)
                self.assertEqual(one["holds"], holds)
                if holds:
                    continue
                self.assertEqual(one["counter_example"]["at"], instant)
                said = self.explain(one["counter_example"])
                self.assertEqual(said["reason"], one["counter_example"]["reason"])
        self.write(expiring, assertion("budget", "always",
                                       'from = ["label:finance"], to = ["service:budget"]'))
        result = run("policy", "check", self.path, "--at", "2026-03-02")
        self.assertEqual(result.returncode, 2)
        self.assertIn("at 2027-01-01T00:00:00+08:00 is dropped: default-deny", result.stderr)

    def test_a_tree_whose_assertion_fails_does_not_load(self) -> None:
        self.write(BUDGET, assertion("nobody", "never", 'from = ["any"], to = ["service:budget"]'))
        line = self.path.read_text().splitlines().index("[[assert]]") + 1
        result = run("policy", "check", self.path)
        self.assertEqual(result.returncode, 2)
        self.assertIn(f"tree.toml:{line}:1: error: assertion `nobody` does not hold: ", result.stderr)
        self.assertIn("is allowed by 360000/budget (tree.toml:", result.stderr)
        document = json.loads(run("policy", "check", self.path, "-o", "json").stdout)
        self.assertEqual([(e["file"], e["line"]) for e in document["errors"]], [("tree.toml", line)])
        for result in (run("policy", "check", self.path, "--lang", "zh"),
                       run("prove", "--policy", self.path, "--lang", "zh")):
            self.assertRegex(result.stdout + result.stderr, r"区域 extranet），被规则 360000/budget（")
        image = self.directory / "image"
        result = run("policy", "compile", "--policy", self.path, "--out", image)
        self.assertEqual((result.returncode, image.exists()), (2, False))
        # Who looks into it, to see why, still can.
        result = run("explain", "--policy", self.path, "--from", "10.64.37.5", "--to",
                     "59.205.16.10:443/tcp", "-o", "json")
        self.assertEqual(json.loads(result.stdout)["rule"], "360000/budget")
        self.write(assertion("nobody", "never", 'from = ["any"], to = ["service:budget"]'))
        self.assertEqual(run("policy", "check", self.path).returncode, 0)

    def test_bad_questions(self) -> None:
        self.write(BUDGET)
        cases = [
            ("both", ["--never", "--always", "--from", "any", "--to", "any"], "--always"),
            ("neither", ["--from", "any", "--to", "any"], "--never or --always"),
            ("no to", ["--never", "--from", "any"], "--to"),
            ("unknown unit", ["--never", "--from", "unit:czi", "--to", "any"], "did you mean `czj`"),
            ("a service that sends", ["--never", "--from", "service:budget", "--to", "any"], "service"),
            ("bad ports", ["--never", "--from", "any", "--to", "any", "--ports", "0/tcp"], "0/tcp"),
            ("quotes", ["--never", "--from", 'net:"\\\n', "--to", "any"], "error"),
            ("no instant", ["--never", "--from", "any", "--to", "any", "--at", "soon"], "soon"),
            ("no policy", ["--never", "--from", "any", "--to", "any", "--policy", "/nowhere"], "nowhere"),
        ]
        for name, question, said in cases:
            with self.subTest(name):
                if "--policy" not in question:
                    question = ["--policy", self.path, *question]
                result = run("prove", *question)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertIn(said, result.stderr)

    def test_capture_is_judged_the_same_way(self) -> None:
        questions = [
            ["--never", "--from", "label:finance", "--to", "service:budget"],
            ["--never", "--from", "zone:extranet", "--to", "zone:dmz"],
            ["--always", "--from", "node:360121", "--to", "service:budget"],
            ["--always", "--from", "label:finance", "--to", "any", "--ports", "445/tcp"],
            ["--never", "--from", "any", "--to", "any", "--ports", "icmp", "icmp6"],
            ["--never", "--from", "zone:vpn-hrss", "--to", "any"],
            ["--always", "--from", "zone:vpn-hrss", "--to", "zone:vpn-hrss"],
        ]
        capture = self.directory / "counter.pcap"
        for question in questions:
            with self.subTest(" ".join(question)):
                result = run("prove", "--policy", SAMPLE, "--gateway", GATEWAY, *question, "--write",
                             capture, "-o", "json")
                self.assertEqual(result.returncode, 1, result.stderr)
                example = json.loads(result.stdout)["assertions"][0]["counter_example"]
                self.assertRegex(result.stderr, r"^replay: --in \S+=")
                replayed = run("replay", "--policy", SAMPLE, "--gateway", GATEWAY,
                               *result.stderr.split()[1:3], "-o", "jsonl")
                rows = [json.loads(line) for line in replayed.stdout.splitlines()]
                self.assertEqual(len(rows), 1, replayed.stderr)
                for key in ("reason", "rule", "unit", "verdict"):
                    self.assertEqual(rows[0][key], example[key], key)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
