"""`explain --block` and `replay --block`: an exported block list against the sample county.

Run as: block_test.py MEIGUAN SOURCE_ROOT [-v].
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
POLICY, GATEWAY = ROOT / "policies/county", ROOT / "policies/gateways/county.toml"
CAPTURE = ROOT / "policies/captures/county/lan.pcap"
FINANCE, BUDGET = "10.65.64.37", "59.205.16.10"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MEIGUAN, "--lang", "en", *map(str, arguments)], capture_output=True, text=True, timeout=60)


class Block(unittest.TestCase):
    def setUp(self) -> None:
        self.file = Path(tempfile.mkdtemp()) / "block.csv"

    def explain(self, text: str | None, *more: str) -> tuple[str, str]:
        """The reason, and what the stage of the block list says."""
        arguments: tuple[object, ...] = ()
        if text is not None:
            self.file.write_text(text)
            arguments = ("--block", self.file)
        result = run("explain", "--policy", POLICY, "--gateway", GATEWAY, "--from", FINANCE,
                     "--to", f"{BUDGET}:443/tcp", "--at", "2026-03-02T10:00", *more, *arguments, "-o", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        answer = json.loads(result.stdout)
        stage = next(s for s in answer["stages"] if s["stage"] == "block-list")
        told = any("block list" in text for text in answer["assumptions"])
        self.assertEqual(told, text is None)
        return answer["reason"], stage["result"]

    def test_explain(self) -> None:
        for text, want in ((None, ("allowed", "not-asked")), ("198.51.100.7\n", ("allowed", "pass")),
                           (FINANCE, ("blocked", "drop")), ("59.205.16.0/24 # all of it", ("blocked", "drop")),
                           (f"{FINANCE}@vpn-hrss", ("allowed", "pass")), ("0.0.0.0/0", ("blocked", "drop")),
                           (f"prefix,ends\n{FINANCE},2026-03-02T10:00:01\n", ("blocked", "drop")),
                           (f"prefix,ends\n{FINANCE},2026-03-02T10:00:00\n", ("allowed", "pass"))):
            self.assertEqual(self.explain(text), want, text)

    def test_explain_refuses(self) -> None:
        ask = ("explain", "--policy", POLICY, "--from", FINANCE, "--to", f"{BUDGET}:443/tcp", "--block", self.file)
        self.file.write_text("198.51.100.7\nx\n")
        without = run(*ask)
        self.assertEqual((without.returncode, "--gateway" in without.stderr), (2, True))
        wrong = run(*ask, "--gateway", GATEWAY)
        self.assertEqual((wrong.returncode, f"{self.file}:2:1: error:" in wrong.stderr), (2, True), wrong.stderr)
        self.file.unlink()
        self.assertEqual(run(*ask, "--gateway", GATEWAY).returncode, 2)

    def test_replay(self) -> None:
        replay = ("replay", "--policy", POLICY, "--gateway", GATEWAY, "--in", f"lan={CAPTURE}", "-o", "jsonl")

        def reasons(*more: object) -> list[str]:
            result = run(*replay, *more)
            self.assertEqual(result.returncode, 0, result.stderr)
            return [json.loads(line)["reason"] for line in result.stdout.splitlines()]

        before = reasons()
        self.assertNotIn("blocked", before)
        self.file.write_text(f"{FINANCE}\n")
        after = reasons("--block", self.file)
        self.assertIn("blocked", after)
        self.assertEqual(len(after), len(before))
        # Nobody else's packets fare otherwise, and what was dropped is still dropped.
        for was, now in zip(before, after):
            self.assertTrue(now in (was, "blocked"), (was, now))
        self.file.write_text("198.51.100.200\n")
        self.assertEqual(reasons("--block", self.file), before)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
