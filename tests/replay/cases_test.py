"""`meiguan replay --cases`, `--changes`, the rows of `--summary`, and what `--write` leaves.

Run as: cases_test.py MEIGUAN SOURCE_ROOT [-v].
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
POLICIES = ROOT / "policies"
COUNTY, GATEWAY = POLICIES / "county", POLICIES / "gateways/county.toml"
CAPTURES = POLICIES / "captures/county"


def run(*arguments, env=None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "UPDATE_EXPECT": "", **(env or {})}
    return subprocess.run([MEIGUAN, "replay", *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=120)


def captures() -> list[str]:
    return [word for path in sorted(CAPTURES.glob("*.pcap")) for word in ("--in", f"{path.stem}={path}")]


def comments(path: Path) -> list[tuple[bytes, str]]:
    """Frames and comments of a pcapng file (draft-ietf-opsawg-pcapng), read by this test itself."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4)[0] == length
        if kind == 6:
            captured, original = struct.unpack_from("<II", data, at + 20)
            assert captured == original
            option, end = at + 28 + (captured + 3) // 4 * 4, at + length - 4
            text = ""
            while option < end:
                code, size = struct.unpack_from("<HH", data, option)
                if code == 1:
                    text = data[option + 4:option + 4 + size].decode()
                option += 4 + (size + 3) // 4 * 4
            found.append((data[at + 28:at + 28 + captured], text))
        at += length
    return found


class Base(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = Path(holder.name)

    def other_policy(self, was: str, now: str) -> Path:
        other = self.directory / "other"
        shutil.copytree(COUNTY, other)
        path = other / "node.toml"
        text = path.read_text()
        self.assertIn(was, text)
        path.write_text(text.replace(was, now))
        return other


class Changes(Base):
    def changes(self, policy: Path, baseline: Path, *arguments) -> subprocess.CompletedProcess:
        return run("--policy", policy, "--baseline", baseline, "--gateway", GATEWAY, *captures(),
                   "--changes", *arguments)

    def test_losses_and_gains(self) -> None:
        other = self.other_policy('to = ["service:budget"]', 'to = ["service:dns"]')
        for policy, baseline, side, none in ((other, COUNTY, "lost", "gained"),
                                             (COUNTY, other, "gained", "lost")):
            result = self.changes(policy, baseline, "-o", "json")
            self.assertEqual((result.returncode, result.stderr), (1, ""))
            got = json.loads(result.stdout)
            self.assertEqual(got["schema"], "meiguan.replay-changes/v1")
            rows = {(row["kind"], row["id"]): row for row in got["rows"]}
            lines = run("--policy", policy, "--baseline", baseline, "--gateway", GATEWAY, *captures(),
                        "-o", "jsonl").stdout.splitlines()
            for key in (("unit", "czj-360121"), ("service", "budget")):
                row = rows[key]
                self.assertEqual(row[f"{side}_packets"], len(lines))
                self.assertEqual((row[f"{none}_packets"], row[f"{none}_flows"]), (0, 0))
                self.assertLess(0, row[f"{side}_flows"])
                self.assertLess(row[f"{side}_flows"], row[f"{side}_packets"])
            # A reason is no rule: it stands for the packets that none decides.
            self.assertEqual({row["id"] for row in got["rows"] if row["kind"] == "rule"},
                             {"360121/budget-for-finance"} if side == "gained" else set())
            self.assertEqual(sum(row[f"{side}_packets"] for (kind, _), row in rows.items()
                                 if kind in ("rule", "reason")), len(lines))
            example = rows["unit", "czj-360121"]["example"]
            self.assertEqual((example["file"], example["index"], example["packet"]),
                             ("lan.pcap", 8, "10.65.64.37 -> 59.205.16.10:443/tcp"))
            self.assertEqual({example["was"], example["now"]},
                             {"allowed 360121/budget-for-finance", "default-deny"})

    def test_another_rule_is_neither(self) -> None:
        other = self.other_policy('id = "budget-for-finance"', 'id = "budget-for-some"')
        rows = json.loads(self.changes(other, COUNTY, "-o", "json").stdout)["rows"]
        row = next(r for r in rows if r["kind"] == "rule")
        self.assertEqual((row["id"], row["gained_packets"], row["lost_packets"]),
                         ("360121/budget-for-some", 0, 0))
        self.assertLess(0, row["other_packets"])

    def test_no_change(self) -> None:
        result = self.changes(COUNTY, COUNTY, "-o", "jsonl")
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_rows_can_be_chosen_and_sorted(self) -> None:
        other = self.other_policy('to = ["service:budget"]', 'to = ["service:dns"]')
        result = self.changes(other, COUNTY, "-o", "csv", "--columns", "id,lost_packets", "--sort",
                              "-lost_packets", "--limit", "2")
        rows = list(csv.reader(result.stdout.splitlines()))
        self.assertEqual(rows[0], ["id", "lost_packets"])
        self.assertEqual(sorted(r[0] for r in rows[1:]), ["budget", "czj-360121"])
        self.assertEqual(run("--policy", COUNTY, "--gateway", GATEWAY, *captures(), "--changes").returncode, 2)

    def test_rows_of_the_summary(self) -> None:
        base = ("--policy", COUNTY, "--gateway", GATEWAY, *captures(), "--summary")
        counts = json.loads(run(*base, "-o", "json").stdout)
        result = run(*base, "-o", "csv", "--sort", "-packets")
        rows = list(csv.DictReader(result.stdout.splitlines()))
        self.assertEqual({(r["of"], r["name"]): int(r["packets"]) for r in rows},
                         {(part[:-1], name): n for part in ("verdicts", "reasons", "rules", "units", "services")
                          for name, n in counts[part].items()})
        self.assertEqual([int(r["packets"]) for r in rows],
                         sorted((int(r["packets"]) for r in rows), reverse=True))
        self.assertEqual(run(*base, "--columns", "nonsense").returncode, 2)


class Cases(Base):
    def make(self, name: str, **files: Path) -> Path:
        case = self.directory / "suite" / name
        case.mkdir(parents=True)
        shutil.copytree(COUNTY, case / "policy")
        shutil.copy(GATEWAY, case / "gateway.toml")
        shutil.copy(CAPTURES / "lan.pcap", case / "lan.pcap")
        (case / "expect.txt").write_text("")
        return case

    def suite(self, *arguments, env=None) -> subprocess.CompletedProcess:
        return run("--cases", self.directory / "suite", *arguments, env=env)

    def test_a_suite(self) -> None:
        one, two = self.make("one"), self.make("two")
        shutil.move(two / "policy", self.directory / "suite/policy")
        shutil.move(two / "gateway.toml", self.directory / "suite/gateway.toml")
        self.assertEqual(self.suite().returncode, 1)
        result = self.suite(env={"UPDATE_EXPECT": "1"})
        self.assertEqual((result.returncode, result.stdout), (0, "pass  one\npass  two\n"))
        text = (one / "expect.txt").read_text()
        self.assertEqual(text, (two / "expect.txt").read_text())
        self.assertEqual(len(text.splitlines()), 154)
        lines = text.splitlines()
        lines[3] = " ".join(lines[3].split()[:2] + ["?", "?", "?"])
        lines[8] = lines[8].replace("allowed", "denied")
        (two / "expect.txt").write_text("# why\n" + "\n".join(lines) + "\n")
        result = self.suite("-o", "json")
        rows = json.loads(result.stdout)["rows"]
        self.assertEqual((result.returncode, [r["result"] for r in rows]), (1, ["pass", "fail"]))
        self.assertEqual(rows[1]["first"], ["-" + lines[8], "+" + text.splitlines()[8]])
        suite = ElementTree.fromstring(self.suite("-o", "junit").stdout)
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("2", "1", "0"))
        self.assertIn(lines[8], suite.find("testcase/failure").text)

    def test_differences_are_bounded(self) -> None:
        self.make("one")
        row = json.loads(self.suite("-o", "json").stdout)["rows"][0]
        self.assertEqual((row["differences"], len(row["first"])), (154, 10))

    def test_a_case_that_cannot_be_run(self) -> None:
        def missing(name: str):
            return lambda case: (case / name).unlink()

        breaks = {
            "gateway": missing("gateway.toml"), "captures": missing("lan.pcap"),
            "policy": lambda case: shutil.rmtree(case / "policy"),
            "bad-policy": lambda case: (case / "policy/node.toml").write_text("x"),
            "bad-capture": lambda case: (case / "lan.pcap").write_bytes(b"nothing"),
            "cut": lambda case: os.truncate(case / "lan.pcap", 500),
            "other-port": lambda case: (case / "lan.pcap").rename(case / "nowhere.pcap"),
            "settings": lambda case: (case / "case.toml").write_text("[case]\nnonsense = 1\n"),
        }
        for name, spoil in breaks.items():
            spoil(self.make(name))
        for update in ("", "1"):
            result = self.suite("-o", "json", env={"UPDATE_EXPECT": update})
            rows = json.loads(result.stdout)["rows"]
            self.assertEqual((result.returncode, {r["case"]: r["result"] for r in rows}),
                             (2, {name: "error" for name in breaks}))
        for name in breaks:
            self.assertEqual((self.directory / "suite" / name / "expect.txt").read_text(), "")

    def test_usage(self) -> None:
        for arguments in (("--cases", self.directory / "nowhere"), ("--cases", self.directory),
                          ("--cases", self.directory, "--policy", COUNTY), ("--cases", GATEWAY)):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)

    def test_shipped_cases(self) -> None:
        result = run("--cases", POLICIES / "cases/replay")
        self.assertEqual((result.returncode, result.stdout), (0, "pass  county\npass  jiangxi-360121\n"))


class Golden(Base):
    def test_expectations_are_not_rewritten_from_a_part(self) -> None:
        golden, cut = self.directory / "golden.txt", self.directory / "lan.pcap"
        golden.write_text("# mine\n")
        cut.write_bytes((CAPTURES / "lan.pcap").read_bytes()[:1000])
        result = run("--policy", COUNTY, "--gateway", GATEWAY, "--in", f"lan={cut}", "--expect", golden,
                     env={"UPDATE_EXPECT": "1"})
        self.assertEqual((result.returncode, golden.read_text()), (2, "# mine\n"))


class Written(Base):
    def test_comments(self) -> None:
        out = self.directory / "out"
        lines = run("--policy", COUNTY, "--gateway", GATEWAY, *captures(), "--write", out, "-o",
                    "jsonl").stdout.splitlines()
        want: dict[str, list[str]] = {}
        for line in map(json.loads, lines):
            name = {"forward": line["out"], "drop": "drops"}.get(line["verdict"])
            if name:
                want.setdefault(name, []).append(" ".join(filter(None, (line["reason"], line["rule"]))))
        types = set()
        for path in sorted(out.glob("*.pcapng")):
            got = comments(path)
            self.assertEqual([text for _, text in got], want.get(path.stem, []), path.name)
            types |= {frame[12:14] for frame, _ in got}
        self.assertLessEqual({b"\x08\x00", b"\x86\xdd", b"\x81\x00"}, types)
        if tshark := shutil.which("tshark"):
            told = subprocess.run([tshark, "-r", out / "drops.pcapng", "-T", "fields", "-e", "frame.comment"],
                                  capture_output=True, text=True, check=True).stdout.splitlines()
            self.assertEqual(told, want["drops"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
