"""`meiguan policy fmt` from the outside: fmt_test.py MEIGUAN SOURCE_ROOT [-v]."""

from __future__ import annotations

import json
import os
import subprocess

from command import HEAD, ROOT, Case, main, run

UGLY = "[node]\r\n  code=\"360121\" # 代码\r\nname = 'n'\r\ntier = \"county\"\r\n[policy]\r\nschema=1\r\n"
NICE = '[node]\ncode = "360121"  # 代码\nname = \'n\'\ntier = "county"\n\n[policy]\nschema = 1\n'


class Format(Case):
    def test_one_file_is_printed(self) -> None:
        path = self.file("p.toml", UGLY)
        result = run("policy", "fmt", path)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, NICE, ""))
        self.assertEqual(path.read_bytes(), UGLY.encode())

    def test_check(self) -> None:
        self.file("p/node.toml", UGLY)
        self.file("p/nice.toml", "")
        result = run("policy", "fmt", "--check", self.directory / "p")
        self.assertEqual((result.returncode, result.stdout.splitlines()[1:]), (1, ["node.toml"]))
        result = run("policy", "fmt", "--check", self.directory / "p", "-o", "json")
        self.assertEqual((result.returncode, json.loads(result.stdout)),
                         (1, {"schema": "meiguan.fmt/v1", "rows": [{"file": "node.toml"}]}))
        self.file("p/node.toml", NICE)
        result = run("policy", "fmt", "--check", self.directory / "p")
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_diff_is_what_patch_takes(self) -> None:
        directory = self.directory / "p"
        units = "".join(f'[[unit]]\nid="u{i}"\nzone = "extranet"\nprefixes = ["10.0.{i}.0/24"]\n\n'
                        for i in range(40))
        self.file("p/node.toml", HEAD.replace("kind = ", "kind=") + "\n" + units)
        self.file("p/end.toml", "# no end of the line")
        result = run("policy", "fmt", "--diff", directory)
        self.assertEqual(result.returncode, 1)
        subprocess.run(["patch", "-p0", "-s"], input=result.stdout, text=True, cwd=directory,
                       check=True)
        result = run("policy", "fmt", "--diff", directory)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_write(self) -> None:
        path = self.file("p/node.toml", UGLY)
        other = self.file("p/sub/a.toml", "# fine\n")
        os.chmod(path, 0o640)
        before = other.stat()
        result = run("policy", "fmt", "--write", self.directory / "p")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("1 of 2 files rewritten", result.stderr)
        self.assertEqual(path.read_text(), NICE)
        self.assertEqual(path.stat().st_mode & 0o7777, 0o640)
        self.assertEqual((other.stat().st_ino, other.stat().st_mtime_ns), (before.st_ino, before.st_mtime_ns))
        self.assertEqual(sorted(p.name for p in path.parent.iterdir()), ["node.toml", "sub"])

    def test_all_or_nothing(self) -> None:
        path = self.file("p/node.toml", UGLY)
        self.file("p/z.toml", "[[unit]]\nid = \n")
        result = run("policy", "fmt", "--write", self.directory / "p")
        self.refused(result, "z.toml:2:", "nothing was formatted")
        self.assertEqual(path.read_bytes(), UGLY.encode())

    def test_what_is_wrong_with_the_policy_does_not_matter(self) -> None:
        path = self.file("node.toml", '[[unit]]\nzone="nowhere"\n[nonsense]\n')
        self.assertEqual(run("policy", "fmt", path).stdout,
                         '[[unit]]\nzone = "nowhere"\n\n[nonsense]\n')

    def test_hostile_files(self) -> None:
        for path in self.hostile_files():
            with self.subTest(path.name):
                self.refused(run("policy", "fmt", path), path.name)

    def test_usage(self) -> None:
        self.file("p/node.toml", NICE)
        self.refused(run("policy", "fmt", self.directory / "p"), "--check")
        self.refused(run("policy", "fmt", "--check", "--write", self.directory / "p"))
        self.refused(run("policy", "fmt", "--write", self.directory / "p", "-o", "json"))

    def test_shipped_policies_are_in_canonical_text(self) -> None:
        for policy in ("county", "jiangxi-sample", "gateways/county.toml",
                       "gateways/jiangxi-360121.toml"):
            result = run("policy", "fmt", "--diff", ROOT / "policies" / policy)
            self.assertEqual((result.returncode, result.stdout), (0, ""), "meiguan policy fmt --write")


if __name__ == "__main__":
    main()
