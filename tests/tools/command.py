"""What the tests of `meiguan policy ...` share: how it is run, a small policy, hostile files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.dont_write_bytecode = True

HEAD = """[node]
code = "360121"
name = "南昌县"
tier = "county"

[policy]
schema = 1

[[zone]]
id = "extranet"
kind = "extranet"

[[zone]]
id = "vpn-hrss"
kind = "private"
"""

UNIT = """
[[unit]]
id = "{id}"
name = "{name}"
zone = "{zone}"
prefixes = {prefixes}
"""


def run(*arguments, env=None, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    options.setdefault("text", True)
    return subprocess.run([MEIGUAN, *map(str, arguments)], capture_output=True, env=environment,
                          timeout=60, **options)


class Case(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = Path(holder.name)

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def refused(self, result: subprocess.CompletedProcess, *words: str) -> None:
        self.assertEqual((result.returncode, result.stdout), (2, ""), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def hostile_files(self) -> list[Path]:
        """Files that no command may load, crash on, or wait for."""
        os.mkfifo(self.directory / "pipe.toml")
        (self.directory / "directory.toml").mkdir()
        (self.directory / "link.toml").symlink_to(self.file("elsewhere/x.toml", HEAD))
        (self.directory / "dangling.toml").symlink_to("nowhere")
        return [self.directory / "pipe.toml", self.directory / "link.toml",
                self.directory / "dangling.toml", self.directory / "missing.toml",
                self.file("nul.toml", b"[node]\ncode = \"\0\"\n"),
                self.file("binary.toml", bytes(range(256)) * 100),
                self.file("gbk.toml", "[node]\nname = \"南昌县\"\n".encode("gb18030")),
                self.file("line.toml", b"x = \"" + b"a" * 3_000_000),
                self.file("brackets.toml", b"x = " + b"[" * 100_000)]


def main() -> None:
    unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[3:]])
