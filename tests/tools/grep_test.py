"""`meiguan policy grep` from the outside: grep_test.py MEIGUAN SOURCE_ROOT [-v]."""

from __future__ import annotations

import json

from command import ROOT, Case, main, run

COUNTY = ROOT / "policies/county"


class Grep(Case):
    def test_rows(self) -> None:
        result = run("policy", "grep", "10.65.64.37", COUNTY, "-o", "json")
        got = json.loads(result.stdout)
        self.assertEqual((result.returncode, got["schema"]), (0, "meiguan.grep/v1"))
        self.assertEqual([(r["kind"], r["id"]) for r in got["rows"]],
                         [("unit", "czj-360121"), ("terminal", "10.65.64.37")])
        for row in got["rows"]:
            file, line = row["place"].split(":")
            self.assertTrue((COUNTY / file).read_text().splitlines()[int(line) - 1].startswith("[["))
        self.assertEqual(got["rows"][0]["why"],
                         [{"match": "contains", "key": "prefixes", "value": "10.65.64.32/27"}])

    def test_the_directory_one_is_in(self) -> None:
        result = run("policy", "grep", "财政局", "--columns", "id", "--no-headers", "--sort", "id",
                     cwd=COUNTY)
        self.assertIn("czj-360121", result.stdout.split())
        self.assertIn("提到", run("--lang", "zh", "policy", "grep", "财政局", cwd=COUNTY).stdout)

    def test_nothing_found(self) -> None:
        for form in ("table", "json"):
            result = run("policy", "grep", "192.0.2.99", COUNTY, "-o", form)
            self.assertEqual(result.returncode, 1)
        self.assertIn("192.0.2.99", run("policy", "grep", "192.0.2.99", COUNTY).stderr)

    def test_what_cannot_be_searched(self) -> None:
        for pattern in ("", "10.65.64.37/27", "x" * 300):
            self.refused(run("policy", "grep", pattern, COUNTY))
        self.refused(run("policy", "grep", "x", COUNTY, "-o", "junit"))
        for path in self.hostile_files():
            with self.subTest(path.name):
                self.refused(run("policy", "grep", "x", path), path.name)

    def test_bytes_that_are_no_text(self) -> None:
        result = run("policy", "grep", b"\xff\xfe".decode("utf-8", "surrogateescape"), COUNTY)
        self.assertEqual(result.returncode, 1)
        self.assertIn("xff", result.stderr)


if __name__ == "__main__":
    main()
