"""`meiguan policy test` from the outside: cases_test.py MEIGUAN SOURCE_ROOT [-v]."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

from command import HEAD, ROOT, UNIT, Case, main, run

POLICY = HEAD + UNIT.format(id="czj", name="财政局", zone="extranet", prefixes='["10.64.37.0/27"]') + """
[[service]]
id = "budget"
zone = "extranet"
endpoints = ["59.205.16.10:443/tcp"]

[[schedule]]
id = "office-hours"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:30:00
end = 18:00:00

[[rule]]
id = "budget"
action = "allow"
from = ["unit:czj"]
to = ["service:budget"]
schedule = "office-hours"
"""

ASK = """
[[case]]
name = "{name}"
from = "10.64.37.5"
to = "59.205.16.10:443/tcp"
"""
MONDAY, SUNDAY = "2026-01-05T10:00:00", "2026-01-04T10:00:00"


class Cases(Case):
    def setUp(self) -> None:
        super().setUp()
        self.file("policy/node.toml", POLICY)

    def ask(self, cases: str, *arguments, head: str = '[defaults]\npolicy = "policy"\n'):
        return run("policy", "test", self.file("cases.toml", head + cases), *arguments)

    def results(self, cases: str, **options) -> list[dict]:
        result = self.ask(cases, "-o", "json", **options)
        got = json.loads(result.stdout)
        self.assertEqual(got["schema"], "meiguan.policy-test/v1")
        return got["rows"]

    def test_expectations(self) -> None:
        table = (
            (f"at = {MONDAY}", 'expect = "allow"', "pass"),
            (f"at = {MONDAY}", 'expect = "deny"', "fail"),
            (f"at = {MONDAY}", 'expect = "drop"', "fail"),
            (f"at = {SUNDAY}", 'expect = "deny"', "pass"),
            (f"at = {SUNDAY}", 'expect = "drop"', "pass"),
            (f"at = {SUNDAY}", 'expect = "allow"', "fail"),
            (f'at = "{MONDAY}"', 'expect = "allow"', "pass"),
            ("at = 2026-01-05", 'expect = "deny"', "pass"),
            ("at = 2026-01-05T01:00:00Z", 'expect = "allow"', "pass"),
            ("at = 2026-01-05T01:00:00-08:00", 'expect = "allow"', "pass"),
            ("at = 2026-01-05T11:00:00Z", 'expect = "allow"', "fail"),
            (f"at = {MONDAY}", 'expect = "allow"\nrule = "360121/budget"\nunit = "czj"\n'
             'to_unit = ""\nservice = "budget"\nreason = "allowed"', "pass"),
            (f"at = {MONDAY}", 'expect = "allow"\nrule = "360121/other"', "fail"),
            (f"at = {MONDAY}", 'expect = "allow"\nunit = ""', "fail"),
            (f"at = {MONDAY}", 'expect = "allow"\nto_unit = "x"', "fail"),
            (f"at = {MONDAY}", 'expect = "allow"\nservice = "x"', "fail"),
            (f"at = {SUNDAY}", 'expect = "deny"\nreason = "denied"', "fail"),
            (f"at = {SUNDAY}", 'expect = "deny"\nrule = ""', "pass"),
            (f"at = {MONDAY}\nfrom_zone = \"extranet\"", 'expect = "allow"', "pass"),
            (f"at = {MONDAY}\nfrom_zone = \"nowhere\"", 'expect = "allow"', "error"),
            (f"at = {MONDAY}\nin = \"lan\"", 'expect = "allow"', "error"),
            ('at = "soon"', 'expect = "allow"', "error"),
            ('at = "1969-12-31"', 'expect = "allow"', "error"),
        )
        cases = "".join(ASK.format(name=i) + f"{at}\n{expect}\n" for i, (at, expect, _) in enumerate(table))
        got = self.results(cases)
        for row, (at, expect, want) in zip(got, table, strict=True):
            self.assertEqual(row["result"], want, (at, expect, row))

    def test_isolation_is_no_denial_by_rules(self) -> None:
        cases = ASK.format(name="x").replace("59.205.16.10", "10.9.9.9") + 'to_zone = "vpn-hrss"\n'
        self.assertEqual(self.results(cases + 'expect = "deny"')[0]["result"], "fail")
        got = self.results(cases + 'expect = "drop"')[0]
        self.assertEqual((got["result"], got["reason"]), ("pass", "zone-isolated"))

    def test_all_failures_with_their_places(self) -> None:
        cases = f'at = {MONDAY}\n' + "".join(
            ASK.format(name=name) + 'expect = "deny"\nrule = "x"\n' for name in ("one", "二"))
        result = self.ask(cases)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout.splitlines(), [
            line for place, name in ((5, "one"), (12, "二")) for line in (
                f"cases.toml:{place}: failed: {name}", "  expect: want deny, got forward: allowed",
                "  rule: want x, got 360121/budget",
                "  -> forward: allowed, 360121/budget (node.toml:34)")])
        self.assertIn("2 cases, 2 failed", result.stderr)
        self.assertIn("应为 deny，实为 forward: allowed", self.ask(cases, "--lang", "zh").stdout)

    def test_junit(self) -> None:
        cases = (f'at = {MONDAY}\n' + ASK.format(name="<good>") + 'expect = "allow"\n' +
                 ASK.format(name="bad") + 'expect = "drop"\n' +
                 ASK.format(name="odd") + 'expect = "drop"\nin = "lan"\n')
        result = self.ask(cases, "-o", "junit")
        self.assertEqual(result.returncode, 2)
        suite = ElementTree.fromstring(result.stdout)
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")),
                         ("3", "1", "1"))
        good, bad, odd = suite.findall("testcase")
        self.assertEqual((good.get("name"), list(good)), ("<good>", []))
        self.assertIn("want drop", bad.find("failure").get("message"))
        self.assertIn("cases.toml:11", bad.find("failure").text)
        self.assertIsNotNone(odd.find("error"))

    def test_policies_of_cases_and_of_the_command_line(self) -> None:
        other = self.file("other/node.toml", POLICY.replace('"allow"', '"deny"')).parent
        cases = (ASK.format(name="a") + f'expect = "allow"\nat = {MONDAY}\n' +
                 ASK.format(name="b") + f'expect = "deny"\nat = {MONDAY}\npolicy = "other"\n')
        self.assertEqual(self.ask(cases).returncode, 0)
        result = self.ask(cases, "--policy", other)
        self.assertEqual((result.returncode, result.stdout.count("failed")), (1, 1))
        result = self.ask(cases, head="")
        self.assertEqual((result.returncode, result.stdout.count("--policy")), (2, 1))
        self.file("other/node.toml", "[node]\n")
        result = self.ask(cases)
        self.assertEqual((result.returncode, result.stdout.count("does not load")), (2, 1))
        self.assertIn("node.toml:1:", result.stderr)

    def test_mistakes_in_the_file_are_all_reported(self) -> None:
        self.refused(self.ask('[[case]]\nname = "x"\nfrom = 1\nexpect = "maybe"\nreason = "why"\n'
                              'nonsense = 1\n[other]\n'),
                     ":5:8", ":6:10", ":7:10", ":8:1", ":9:1", "to", "nothing was tested")
        self.refused(self.ask(""), "[[case]]")
        self.refused(self.ask(2 * (ASK.format(name="x") + 'expect = "deny"\n')), "second time")

    def test_hostile_files(self) -> None:
        for path in self.hostile_files():
            with self.subTest(path.name):
                self.refused(run("policy", "test", path), path.name)

    def test_shipped_cases(self) -> None:
        for path in sorted((ROOT / "policies/cases").glob("*.toml")):
            result = run("policy", "test", path)
            self.assertEqual((result.returncode, result.stdout), (0, ""), result.stderr)
            self.assertEqual(run("policy", "fmt", "--check", path).returncode, 0)


if __name__ == "__main__":
    main()
