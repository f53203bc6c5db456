#!/usr/bin/env python3
"""Judges the strict matrix by `meiguan replay`: strict_test.py MEIGUAN. STRICT.md must be what the table prints."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strict import document, judge, leaving  # noqa: E402
from strict.case import Case, dropped, frame, passed  # noqa: E402
from strict.table import BOUNDARY, CASES  # noqa: E402

MEIGUAN = Path(sys.argv[1] if len(sys.argv) > 1 else "build/tools/cli/meiguan").resolve()


class Strict(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def test_replay_says_what_the_table_says(self) -> None:
        whose = judge.write(self.directory / "in.pcap", CASES)
        found = judge.differences(whose, judge.replay(MEIGUAN, self.directory / "in.pcap"), "replay")
        self.assertEqual(found, [])

    def test_replay_translates_and_limits(self) -> None:
        for name, cases in (("forwards", BOUNDARY), ("backwards", BOUNDARY[::-1])):
            whose = judge.write(self.directory / "in.pcap", cases)
            said = judge.replay(MEIGUAN, self.directory / "in.pcap", world=judge.BOUNDARY)
            self.assertEqual(judge.differences(whose, said, name), [])

    def test_each_case_alone_ends_as_among_others(self) -> None:
        """No case leans on another: in the opposite order all is the same."""
        backwards = CASES[::-1]
        whose = judge.write(self.directory / "in.pcap", backwards)
        found = judge.differences(whose, judge.replay(MEIGUAN, self.directory / "in.pcap"), "backwards")
        self.assertEqual(found, [])

    def test_a_wrong_expectation_is_found(self) -> None:
        syn = next(c for c in CASES if c.name == "tcp-syn-v4").sent[0]
        wrong = [Case("wrong", "", (dropped("denied", syn.frame),)), Case("right", "", (passed(syn.frame),)),
                 Case("short", "", (dropped("ip-truncated", frame(b"\x45")),))]
        whose = judge.write(self.directory / "in.pcap", wrong)
        found = judge.differences(whose, judge.replay(MEIGUAN, self.directory / "in.pcap"), "replay")
        self.assertEqual([line.split(": ")[1].split()[0] for line in found], ["wrong"])

    def test_the_document_is_current(self) -> None:
        made = document.text()
        if os.environ.get("UPDATE_EXPECT") == "1":
            document.FILE.write_text(made, encoding="utf-8")
        self.assertEqual(document.FILE.read_text(encoding="utf-8"), made,
                         "STRICT.md is out of date: run this with UPDATE_EXPECT=1")

    def test_what_leaves_is_reckoned_right(self) -> None:
        """The naive twin of the rewrite, by a packet written out by hand."""
        packet = bytes.fromhex("4500001c00004000401126bb0a01000a0a02000a") + bytes.fromhex("0001000200080000")
        want = "02000000021002000000000181000014" "0800" "4500001c000040003f1127bb0a01000a0a02000a" "0001000200080000"
        self.assertEqual(leaving.leaving(passed(frame(packet), "wan")).hex(), want)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
