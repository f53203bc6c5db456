"""What `meiguan policy ...`, `prove` and `explain` print, and what they refuse, from the outside:
forms_test.py MEIGUAN SOURCE_ROOT [-v]."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import xml.etree.ElementTree as ElementTree

from command import HEAD, UNIT, Case, main, run

RULES = """
[[service]]
id = "budget"
name = "预算管理一体化"
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
ticket = "JX-2026-0731"

[[rule]]
id = "any"
action = "allow"
from = ["any"]
to = ["any"]
ports = ["22/tcp"]
expires = 2026-01-31
ticket = "JX-2026-0732"

[[assert]]
id = "nobody-reaches-the-budget"
never = { from = ["any"], to = ["service:budget"], ports = ["443/tcp"] }
"""
MONDAY, SUNDAY = "2026-03-02T10:00", "2026-03-01T10:00"
FINANCE = UNIT.format(id="czj", name="财政局", zone="extranet", prefixes='["10.64.37.0/27"]')
WITHOUT_ASSERTION = RULES.split("[[assert]]")[0]


class Forms(Case):
    """Each form of the output says the same."""

    def policy(self, rules: str = WITHOUT_ASSERTION):
        return self.file("policy.toml", HEAD + FINANCE + rules)

    def test_findings(self) -> None:
        for command in ("check", "lint"):
            with self.subTest(command):
                base = ("policy", command, self.policy(), "--at", MONDAY)
                found = json.loads(run(*base, "-o", "json").stdout)
                self.assertIn("rule-expired", [lint["name"] for lint in found["lints"]])
                rows = [json.loads(line) for line in run(*base, "-o", "jsonl").stdout.splitlines()]
                self.assertEqual([r["message"] for r in rows], [r["message"] for r in found["lints"]])
                table = list(csv.DictReader(io.StringIO(run(*base, "-o", "csv").stdout)))
                self.assertEqual([(r["name"], r["line"]) for r in table],
                                 [(r["name"], str(r["line"])) for r in rows])
                suite = ElementTree.fromstring(run(*base, "-o", "junit").stdout)
                self.assertEqual(suite.get("name"), f"meiguan policy {command}")
                self.assertIn("loads", [case.get("name") for case in suite])
                sarif = json.loads(run(*base, "-o", "sarif").stdout)
                self.assertEqual([r["ruleId"] for r in sarif["runs"][0]["results"]],
                                 [r["name"] for r in rows])

    def test_errors_of_a_policy(self) -> None:
        policy = self.file("broken.toml", HEAD + "[[rule]]\nid = 1\n")
        for command in ("check", "lint"):
            for form in ("jsonl", "csv", "junit", "sarif"):
                with self.subTest(f"{command} {form}"):
                    result = run("policy", command, policy, "-o", form)
                    self.assertEqual(result.returncode, 2)
                    self.assertIn("policy-error", result.stdout)
                    self.assertIn("broken.toml", result.stdout)

    def test_check_counts_the_notes(self) -> None:
        result = run("policy", "check", self.policy(WITHOUT_ASSERTION.replace("ticket", "name")),
                     "--at", "2025-12-01")
        self.assertRegex(result.stderr, r"no errors, \d+ warnings?, [1-9]\d* notes? \(`meiguan policy lint`")

    def test_strict_is_a_failure_of_junit(self) -> None:
        base = ("policy", "check", self.policy(), "--at", MONDAY, "-o", "junit")
        for strict, failures in ((), "0"), (("--strict",), None):
            suite = ElementTree.fromstring(run(*base, *strict).stdout)
            self.assertTrue(suite.get("failures") == failures if failures else suite.get("failures") != "0")

    def test_prove(self) -> None:
        base = ("prove", "--policy", self.policy(RULES), "--at", MONDAY)
        result = run(*base, "-o", "junit")
        case = ElementTree.fromstring(result.stdout).find("testcase")
        self.assertEqual((result.returncode, case.get("name")), (1, "nobody-reaches-the-budget"))
        self.assertIn("10.64.37", case.find("failure").text)
        result = run(*base, "-o", "sarif")
        found, = json.loads(result.stdout)["runs"][0]["results"]
        self.assertEqual((result.returncode, found["ruleId"]), (1, "nobody-reaches-the-budget"))
        place = found["locations"][0]["physicalLocation"]
        self.assertEqual(place["artifactLocation"]["uri"], "policy.toml")
        asked = run("prove", "--policy", self.policy(), "--never", "--from", "any", "--to",
                    "service:budget", "--at", MONDAY, "-o", "sarif")
        found, = json.loads(asked.stdout)["runs"][0]["results"]
        self.assertNotIn("locations", found)

    def test_show(self) -> None:
        base = ("policy", "show", self.policy(), "--effective", "--unit", "czj", "--at", MONDAY)
        found = json.loads(run(*base, "-o", "json").stdout)["may_reach"]
        budget = next(r for r in found if r["to"]["id"] == "budget")
        self.assertEqual((budget["schedule"], budget["expires"]), ("office-hours", None))
        rows = list(csv.DictReader(io.StringIO(run(*base, "-o", "csv").stdout)))
        self.assertIn(("may-reach", "budget", "443/tcp", "office-hours"),
                      [(r["direction"], r["to"], r["ports"], r["schedule"]) for r in rows])
        text = run(*base).stdout
        self.assertIn("at 2026-03-02T10:00:00+08:00; a schedule or a date passes at "
                      "2026-03-02T18:00:00+08:00", text)
        self.assertIn("360121/budget (policy.toml:", text)
        self.assertIn(", schedule office-hours", text)
        self.assertIn("时段 office-hours", run("--lang", "zh", *base).stdout)

    def test_diff(self) -> None:
        other = self.file("other.toml", HEAD + FINANCE +
                          WITHOUT_ASSERTION.replace('action = "allow"\nfrom = ["unit:czj"]',
                                                    'action = "deny"\nfrom = ["unit:czj"]'))
        base = ("policy", "diff", self.policy(), other)
        rows = list(csv.DictReader(io.StringIO(run(*base, "-o", "csv").stdout)))
        self.assertEqual([(r["kind"], r["id"], r["field"], r["before"], r["after"]) for r in rows],
                         [("rule", "360121/budget", "action", "allow", "deny")])
        result = run(*base, "--semantic", "--at", MONDAY, "-o", "csv")
        row, = csv.DictReader(io.StringIO(result.stdout))
        self.assertEqual((result.returncode, row["change"], row["unit"], row["service"],
                          row["before_rule"], row["at"]),
                         (1, "loses", "czj", "budget", "360121/budget", "2026-03-02T10:00:00+08:00"))

    def test_an_example_tells_its_time_where_the_rule_hangs_on_it(self) -> None:
        """Both before and after something allows or denies at all times: by which rule, depends."""
        deny = '\n[[rule]]\nid = "no"\naction = "deny"\nfrom = ["unit:czj"]\nto = ["service:budget"]\n'
        always = deny.replace('"no"', '"yes"').replace("deny", "allow")
        before, after = (self.file(f"{name}.toml", HEAD + FINANCE + WITHOUT_ASSERTION + more)
                         for name, more in (("before", always), ("after", "")))
        after.write_text(after.read_text().replace('action = "allow"\nfrom = ["unit:czj"]',
                                                   'action = "deny"\nfrom = ["unit:czj"]'))
        result = run("policy", "diff", before, after, "--semantic", "--at", SUNDAY)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(" at 2026-03-01T10:00:00+08:00", result.stdout)

    def test_rows_that_there_are_not(self) -> None:
        policy = self.policy()
        ask = ("explain", "--policy", policy, "--from", "10.64.37.5", "--to", "59.205.16.10:443/tcp")
        for words in (("policy", "check", policy, "--columns", "x"),
                      ("policy", "lint", policy, "--sort", "x"),
                      ("policy", "lint", policy, "-o", "sarif", "--limit", "1"),
                      ("policy", "lint", policy, "-o", "csv", "--columns", "x"),
                      ("policy", "show", policy, "--effective", "--unit", "czj", "--columns", "x"),
                      ("policy", "diff", policy, policy, "--columns", "x"),
                      ("policy", "grep", "czj", policy, "--columns", "x"),
                      ("prove", "--policy", policy, "-o", "json", "--columns", "x"),
                      ("prove", "--policy", policy, "-o", "json", "--limit", "1"),
                      (*ask, "--columns", "x"), (*ask, "-o", "csv")):
            with self.subTest(" ".join(map(str, words[:2]))):
                self.refused(run(*words))


class Words(Case):
    """What stands on the terminal is true, and can be used."""

    def test_places_can_be_opened_from_here(self) -> None:
        self.file("tree/node.toml", HEAD)
        self.file("tree/sub/rules.toml", "[[rule]]\nid = 1\n")
        for where, path in ((self.directory, "tree"), (self.directory / "tree", ".")):
            stderr = run("policy", "check", path, cwd=where).stderr
            place = stderr.split(":")[0]
            self.assertTrue((where / place).is_file(), stderr)
        errors = json.loads(run("policy", "check", self.directory / "tree", "-o", "json").stdout)
        self.assertEqual({e["file"] for e in errors["errors"]}, {"sub/rules.toml"})

    def test_the_path_is_not_the_level(self) -> None:
        policy = self.file("error 错误/policy.toml", HEAD + FINANCE + WITHOUT_ASSERTION)
        for lang, word in (("en", ": warning: "), ("zh", ": 警告：")):
            first = run("--lang", lang, "policy", "lint", policy, "--at", MONDAY).stdout.splitlines()[0]
            self.assertIn("error 错误/policy.toml:", first)
            self.assertIn(word, first)

    def test_a_name_forges_no_line(self) -> None:
        self.file("tree/node.toml", HEAD)
        self.file("tree/a\nnode.toml:1:1: error: forged.toml", "[[rule]]\nid = 1\n")
        result = run("policy", "check", self.directory / "tree")
        self.assertEqual(result.returncode, 2)
        self.assertIn("control character", result.stderr)
        self.assertFalse([line for line in result.stderr.splitlines() if line.startswith("node.toml")])
        for key in ("ticket", "owner", "name"):
            policy = self.file("one.toml", HEAD + FINANCE + WITHOUT_ASSERTION.replace(
                'ticket = "JX-2026-0731"', f'{key} = "JX\\nforged"'))
            self.assertEqual(run("policy", "check", policy).returncode, 2, key)
        policy = self.file("one.toml", HEAD + FINANCE + WITHOUT_ASSERTION + 'comment = "a\\nforged"\n')
        for command in (("policy", "grep", "forged", policy), ("policy", "diff", self.file(
                "two.toml", HEAD + FINANCE + WITHOUT_ASSERTION), policy)):
            lines = run(*command).stdout.splitlines()
            self.assertTrue(any("a\\x0aforged" in line for line in lines), lines)

    def test_an_argument_forges_no_line(self) -> None:
        policy = self.file("policy.toml", HEAD + FINANCE + WITHOUT_ASSERTION)
        hostile = "x\nmeiguan: error: forged\x1b[31m\u202e"
        for words in (("reason", hostile), (hostile,), ("policy", "show", policy, "--effective", "--unit", hostile),
                      ("explain", "--policy", policy, "--from", hostile, "--to", "10.64.37.5/icmp"),
                      ("policy", "grep", hostile, policy), ("replay", "--cases", hostile)):
            with self.subTest(" ".join(map(str, words))):
                told = run(*words).stderr
                self.assertIn("x\\x0ameiguan: error: forged\\x1b[31m\\xe2\\x80\\xae", told)
                self.assertNotRegex(told, "\\nmeiguan: error: forged|\x1b|\u202e")

    def test_near_words(self) -> None:
        for words, near in ((("polcy", "check"), "`policy`"), (("policy", "chekc", "."), "`check`"),
                            (("policy", "lint", ".", "--fail-lvel", "note"), "`--fail-level`"),
                            (("prove", "--polcy=x"), "`--policy`"),
                            (("policy", "lint", ".", "--outptu", "json"), "`--output`")):
            result = run(*words)
            with self.subTest(" ".join(words)):
                self.refused(result, "did you mean", near)
                self.assertIn("--help`", result.stderr)
        self.assertIn("是否想写", run("--lang", "zh", "polcy").stderr)

    def test_names_that_there_are_not(self) -> None:
        policy = self.file("policy.toml", HEAD + FINANCE + WITHOUT_ASSERTION)
        self.refused(run("policy", "show", policy, "--effective", "--unit", "czi"), "`czj`?")
        self.refused(run("policy", "show", policy, "--effective", "--service", "budgets"), "`budget`?")
        # The service stands at another port of that address.
        self.refused(run("explain", "--policy", policy, "--from", "10.64.37.5", "--to", "59.205.16.10:22/tcp"),
                     "59.205.16.10:22/tcp", "--to-zone (extranet, vpn-hrss)")

    def test_usage_errors_in_chinese(self) -> None:
        for words, says in ((("polcy",), "多余或不认识的参数：polcy"), (("prove",), "缺少必需的参数：--policy"),
                            (("policy",), "缺少命令"), (("reason", "--limit", "x"), "的值无法识别"),
                            (("reason", "-o", "xml"), "不在允许的值之内"),
                            (("replay", "--cases", "x", "--changes"), "不能与"),
                            (("explain", "--policy"), "缺少值")):
            with self.subTest(" ".join(words)):
                self.refused(run("--lang", "zh", *words), says)

    def test_groups_that_name_others_twice(self) -> None:
        """Each is looked into once: four ways at each of 31 levels would never come to an end."""
        groups = '[[group]]\nid = "g0"\nmembers = ["unit:czj"]\n' + "".join(
            f'[[group]]\nid = "g{i}"\nmembers = {[f"group:g{i - 1}"] * 4}\n'.replace("'", '"')
            for i in range(1, 32)) + '[[group]]\nid = "none"\nmembers = ["unit:czj"]\nexcept = ["group:g30"]\n'
        rule = ('[[rule]]\nid = "r"\naction = "allow"\nfrom = ["group:g30"]\nto = ["group:g30"]\n'
                'ticket = "x"\n')
        policy = self.file("policy.toml", HEAD + FINANCE + groups + rule)
        self.assertIn("group-empty", run("policy", "lint", policy, "-o", "json").stdout)

    def test_rules_outside_their_times(self) -> None:
        policy = self.file("policy.toml", HEAD + FINANCE + WITHOUT_ASSERTION)
        ask = ("explain", "--policy", policy, "--from", "10.64.37.5", "--to", "59.205.16.10:443/tcp")
        line = "outside their times now, and would match: 360121/budget"
        self.assertIn(line, run(*ask, "--at", SUNDAY).stdout)
        self.assertNotIn(line, run(*ask, "--at", MONDAY).stdout)
        self.assertIn("ticket JX-2026-0731", run(*ask, "--at", MONDAY).stdout)
        self.assertIn("此刻不在时段", run("--lang", "zh", *ask, "--at", SUNDAY).stdout)

    def test_syntax_errors_in_chinese(self) -> None:
        for text, word in (("a = [1\n", "列表"), ("id = 'x' 'y'\n", "注释或空白"), ("id =\n", "应为值"),
                           ("d = 2026-13-01\n", "1 至 12 的月份"), ("t = 24:00:00\n", "0 至 23"),
                           ('s = "\\q"\n', "转义"), ("action = allow\n", "双引号")):
            policy = self.file("broken.toml", HEAD + "[[rule]]\n" + text)
            stderr = run("--lang", "zh", "policy", "check", policy).stderr
            with self.subTest(text):
                self.assertIn("TOML 语法错误：", stderr)
                self.assertNotIn("解析器提示", stderr)
                self.assertIn(word, stderr)

    def test_help_in_chinese_is_chinese(self) -> None:
        for words in ((), ("policy", "lint"), ("replay",), ("policy", "import", "terminals")):
            text = run("--lang", "zh", *words, "--help").stdout
            for english in ("Usage", "OPTIONS", "Options", "ommands", "REQUIRED", "TEXT", "Excludes",
                            "Env:", "UINT", "：:"):
                self.assertNotIn(english, text, words)


class Statistics(Case):
    def test_words_that_rows_are_told_apart_by(self) -> None:
        """A word that is none of them is bad input, whether a daemon runs or not."""
        for words, told in ((("--by", "unti"), "did you mean `unit`?"), (("--by", "unit,verdic"), "`verdict`?"),
                            (("--by", "unit,,nothing-like-it"), "--by: `nothing-like-it` is none of node, unit"),
                            (("--by", "\033[1m"), "none of")):
            with self.subTest(words[1]):
                done = run("--run-dir", self.directory, "stats", *words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(told, done.stderr)
                self.assertNotIn("\033", done.stderr)
        self.assertEqual(run("--run-dir", self.directory, "stats", "--by", "unit,verdict").returncode, 3)
        chinese = run("--lang", "zh", "--run-dir", self.directory, "stats", "--by", "servise")
        self.assertIn("--by：`servise` 不是以下之一", chinese.stderr)


class Completion(Case):
    def complete(self, *words: str) -> list[str]:
        script = self.file("complete.sh", run("completion", "bash").stdout + """
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _meiguan; printf '%s\\n' "${COMPREPLY[@]}"
""")
        shown = subprocess.run(["bash", script, *words], capture_output=True, text=True, timeout=60,
                               check=True)
        return shown.stdout.split()

    def test_bash(self) -> None:
        for words, has in ((("meiguan", "policy", ""), "check"),
                           (("meiguan", "policy", "compile", "--ou"), "--out"),
                           (("meiguan", "--lang", ""), "zh"),
                           (("meiguan", "policy", "lint", "--fail-level", ""), "never"),
                           (("meiguan", "policy", "lint", "x", "-o", "s"), "sarif"),
                           (("meiguan", "explain", "--expect", "a"), "allow"),
                           (("meiguan", "top", "ser"), "services"),
                           (("meiguan", "completion", "f"), "fish")):
            with self.subTest(" ".join(words)):
                self.assertIn(has, self.complete(*words))

    def test_all_shells_print(self) -> None:
        for shell in ("bash", "zsh", "fish"):
            self.assertEqual(run("completion", shell).returncode, 0)
        self.assertIn("-l fail-level -x -a 'warning note never'", run("completion", "fish").stdout)


if __name__ == "__main__":
    main()
