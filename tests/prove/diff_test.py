"""`meiguan policy diff` from the outside: shapes, words, exit codes.

Run as: diff_test.py MEIGUAN SOURCE_ROOT [-v].
"""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path

from world import BUDGET, PORTAL, TREE, assertion, run


class Diff(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())

    def write(self, name: str, *parts: str) -> Path:
        path = self.directory / name
        path.write_text("".join(parts))
        return path

    def diff(self, before: Path, after: Path, *arguments) -> tuple[int, dict]:
        result = run("policy", "diff", before, after, "-o", "json", *arguments)
        self.assertEqual(result.stderr, "")
        document = json.loads(result.stdout)
        self.assertEqual(document["schema"], "meiguan.diff/v1")
        self.assertEqual(document["same"], result.returncode == 0)
        return result.returncode, document

    def test_objects(self) -> None:
        before = self.write("a.toml", TREE, BUDGET, PORTAL)
        after = self.write("b.toml", TREE.replace('"10.64.38.0/27"', '"10.64.38.0/26"'), PORTAL,
                           BUDGET.replace("label:finance", "unit:czj"),
                           assertion("a", "never", 'from = ["any"], to = ["unit:mzj"]'))
        code, document = self.diff(before, after)
        self.assertEqual(code, 1)
        got = [(o["change"], o["kind"], o["id"], [tuple(f.values()) for f in o["fields"]])
               for o in document["objects"]]
        self.assertEqual(got, [
            ("changed", "unit", "mzj", [("prefixes", "10.64.38.0/27", "10.64.38.0/26")]),
            ("changed", "rule", "360000/budget", [("from", "label:finance", "unit:czj")]),
            ("changed", "rule", "360000/portal", [("order", "2 of 2", "1 of 2")]),
            ("added", "assert", "a", [])])
        where = document["objects"][1]
        self.assertRegex(where["where_before"] + " " + where["where_after"],
                         r"^a\.toml:\d+ b\.toml:\d+$")
        code, document = self.diff(after, before)
        self.assertEqual([o["change"] for o in document["objects"]],
                         ["changed", "changed", "removed"])
        # Other files and lines for the same are no difference.
        self.assertEqual(self.diff(before, self.write("c.toml", TREE, "\n# moved\n", BUDGET, PORTAL)),
                         (0, {"schema": "meiguan.diff/v1", "same": True, "objects": []}))

    def test_access(self) -> None:
        before = self.write("a.toml", TREE, BUDGET, PORTAL)
        cases = [
            ("no change", TREE + PORTAL + BUDGET.replace("label:finance", "unit:czj"), []),
            ("a rule gone", TREE + PORTAL, [("loses", "czj", "budget", None)]),
            ("another label", TREE + PORTAL + BUDGET.replace("label:finance", "unit:mzj"),
             [("loses", "czj", "budget", None), ("gains", "mzj", "budget", None)]),
            ("for the internet", TREE + BUDGET + PORTAL.replace("443", "80"),
             [("gains", None, "portal", None), ("loses", None, "portal", None)]),
            ("between units", TREE + BUDGET + PORTAL +
             '[[rule]]\nid = "u"\naction = "allow"\nfrom = ["unit:mzj"]\nto = ["unit:czj"]\n'
             'ports = ["22/tcp"]\n', [("gains", "mzj", None, "czj")]),
        ]
        for name, text, want in cases:
            with self.subTest(name):
                after = self.write("b.toml", text)
                code, document = self.diff(before, after, "--semantic")
                self.assertEqual(code, 1 if want else 0)
                self.assertTrue(document["access_complete"])
                got = [(c["change"], c["unit"], c["service"], c["to_unit"])
                       for c in document["access"]]
                self.assertEqual(sorted(got, key=str), sorted(want, key=str))
                for change in document["access"]:
                    self.check_example(change, before, after)

    def check_example(self, change: dict, before: Path, after: Path) -> None:
        packet = change["example"]
        for side, policy in (("before", before), ("after", after)):
            result = run("explain", "--policy", policy, "--from", packet["from"], "--to",
                         packet["to"], "--from-zone", change["from_zone"], "--to-zone",
                         change["to_zone"], "-o", "json")
            said = json.loads(result.stdout)
            for key in ("verdict", "reason", "rule", "where"):
                self.assertEqual(said[key], change[side][key], (side, key))
        lets_by = change["change"] == "gains"
        self.assertEqual(change["after"]["verdict"] == "forward", lets_by)
        self.assertEqual(change["before"]["verdict"] == "forward", not lets_by)

    def test_an_address_space_that_one_policy_has(self) -> None:
        with_it = self.write("a.toml", TREE, """
[[zone]]
id = "vpn-new"
kind = "private"
[[unit]]
id = "clinic"
zone = "vpn-new"
prefixes = ["10.7.0.0/24"]
[[rule]]
id = "among-clinics"
action = "allow"
from = ["unit:clinic"]
to = ["unit:clinic"]
""")
        without = self.write("b.toml", TREE)
        for before, after, change in ((with_it, without, "loses"), (without, with_it, "gains")):
            with self.subTest(change):
                code, document = self.diff(before, after, "--semantic")
                self.assertEqual(code, 1)
                self.assertEqual([(c["change"], c["unit"], c["to_unit"]) for c in document["access"]],
                                 [(change, "clinic", "clinic")])

    def test_ends_are_of_one_family(self) -> None:
        of_ipv6 = """[[unit]]
id = "of-ipv6"
zone = "extranet"
prefixes = ["2001:db8:1:99::/64"]
"""
        before = self.write("a.toml", TREE, of_ipv6)
        after = self.write("b.toml", TREE, of_ipv6, BUDGET.replace("label:finance", "any"))
        code, document = self.diff(before, after, "--semantic")
        self.assertEqual(code, 1)
        gain = {c["unit"] for c in document["access"] if c["service"] == "budget"}
        self.assertLessEqual({"czj", "mzj"}, gain)
        self.assertNotIn("of-ipv6", gain)

    def test_text_is_by_node_and_unit(self) -> None:
        before, after = self.write("a.toml", TREE, BUDGET, PORTAL), self.write("b.toml", TREE, PORTAL)
        result = run("policy", "diff", before, after, "--semantic")
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[:2], ["360000 江西省", "  czj"])
        self.assertRegex(lines[2], r"^    - service budget: 10\.64\.37\.\d+ -> 59\.205\.16\.10:443/tcp$")
        self.assertIn("360000/budget (a.toml:", lines[3])
        self.assertIn("default-deny", lines[4])
        self.assertEqual(lines[5], "access: 0 gained, 1 lost")
        rows = run("policy", "diff", before, after, "--semantic", "-o", "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(row)["unit"] for row in rows], ["czj"])

    def test_a_policy_with_an_error(self) -> None:
        before, after = self.write("a.toml", TREE), self.write("b.toml", TREE, "[[rul]]\n")
        for arguments in ([], ["--semantic"]):
            result = run("policy", "diff", before, after, *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("b.toml:", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
