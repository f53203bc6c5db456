"""`meiguan explain` of addresses that stand for others.

Run as: explain_test.py MEIGUAN SOURCE_ROOT [-v].
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
POLICY, GATEWAY = ROOT / "tests/strict/boundary.toml", ROOT / "tests/strict/boundary_gateway.toml"


def explain(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MEIGUAN, "explain", "--policy", POLICY, *arguments], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=60, check=False)


class Outside(unittest.TestCase):
    def at_gateway(self, to: str) -> tuple[str, dict[str, str]]:
        done = explain("--gateway", GATEWAY, "--from", "198.51.100.10", "--in", "internet", "--to", to, "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        return answer["reason"], {stage["stage"]: stage["result"] for stage in answer["stages"]}

    def test_what_is_published_is_judged_as_the_service(self) -> None:
        reason, stages = self.at_gateway("192.0.2.16:443/tcp")
        self.assertEqual((reason, stages["isolation"], stages["rules"]), ("allowed", "pass", "pass"))

    def test_nobody_asks_whether_nobody_may_be_reached(self) -> None:
        reason, stages = self.at_gateway("192.0.2.16:444/tcp")
        self.assertEqual((reason, stages["isolation"], stages["rules"], stages["nat"], stages["forward"]),
                         ("nat-unsolicited", "not-asked", "not-asked", "drop", "not-asked"))

    def test_a_public_address_needs_the_gateway(self) -> None:
        for to, service in (("192.0.2.16:443/tcp", "web"), ("192.0.2.16:21/tcp", "files"),
                            ("[2001:db8:e:1::16]:5060/udp", "calls")):
            family = "2001:db8:f::10" if to.startswith("[") else "198.51.100.10"
            done = explain("--from", family, "--from-zone", "internet", "--to", to)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{to} is where 360121 publishes service {service}", done.stderr)
            self.assertIn("--gateway", done.stderr)
        done = explain("--from", "198.51.100.10", "--from-zone", "internet", "--to", "192.0.2.16:444/tcp")
        self.assertIn("no unit or service stands at", done.stderr)

    def test_the_outside_of_a_translation_needs_the_gateway(self) -> None:
        done = explain("--from", "10.7.0.10", "--to", "10.200.1.9:443/tcp")
        self.assertEqual(done.returncode, 2)
        self.assertIn("10.200.1.9:443/tcp stands for", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
