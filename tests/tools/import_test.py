"""`meiguan policy import terminals` from the outside: import_test.py MEIGUAN SOURCE_ROOT [-v]."""

from __future__ import annotations

import os

from command import HEAD, UNIT, Case, main, run

ROOT_UNIT = UNIT.format(id="czj", name="财政局", zone="extranet", prefixes='["10.64.37.0/27"]')
TOWN = '[node]\ncode = "360121100"\nname = "莲塘镇"\ntier = "township"\n' + UNIT.format(
    id="town", name="莲塘镇", zone="extranet", prefixes='["10.65.80.0/24"]')
SHEET = "单位,IP地址,姓名,备注\r\n财政局,10.64.37.5,张三,=1+1\r\n"


class Import(Case):
    def setUp(self) -> None:
        super().setUp()
        self.policy = self.file("policy/node.toml", HEAD + ROOT_UNIT).parent
        self.file("policy/town/node.toml", TOWN)

    def bring(self, sheet: str | bytes, *arguments, **options):
        return run("policy", "import", "terminals", self.file("表.csv", sheet), "--policy", self.policy,
                   *arguments, **options)

    def test_standard_output(self) -> None:
        for encoding in ("utf-8", "utf-8-sig", "gb18030"):
            result = self.bring(SHEET.encode(encoding))
            self.assertEqual((result.returncode, result.stdout), (0, (
                '# 终端导入自 / terminals imported from 表.csv\n\n[[terminal]]\nunit = "czj"\n'
                'addresses = ["10.64.37.5"]\nname = "张三"\n')), result.stderr)
            self.assertIn("columns not used: 备注", result.stderr)
            self.assertIn("1 terminal", result.stderr)

    def test_into_the_policy(self) -> None:
        out = self.policy / "terminals.toml"
        self.assertEqual(self.bring(SHEET, "--out", out, "--dry-run").returncode, 0)
        self.assertFalse(out.exists())
        self.assertEqual(self.bring(SHEET, "--out", out).returncode, 0)
        self.assertEqual(run("policy", "check", self.policy).returncode, 0)
        self.assertEqual(run("policy", "fmt", "--check", self.policy / "terminals.toml").returncode, 0)
        self.refused(self.bring(SHEET, "--out", out), "exists already")
        self.refused(self.bring(SHEET), "terminals.toml:3")

    def test_all_or_nothing(self) -> None:
        out = self.policy / "terminals.toml"
        rows = SHEET + "nobody,10.64.37.6,,\r\n财政局,10.64.38.1,,\r\n"
        result = self.bring(rows, "--out", out)
        self.refused(result, "表.csv:3: 单位: the policy has no unit `nobody`", "表.csv:4: IP地址:",
                     "2 problems; nothing was imported")
        self.assertFalse(out.exists())
        self.assertEqual(sorted(p.name for p in self.policy.iterdir()), ["node.toml", "town"])
        chinese = self.bring(rows, "--lang", "zh").stderr
        self.assertIn("表.csv：第 3 行，单位：策略中没有单位 `nobody`", chinese)

    def test_nodes(self) -> None:
        town = "unit,ip\ntown,10.65.80.5\n"
        self.assertEqual(self.bring(town, "--node", "360121100").returncode, 0)
        self.refused(self.bring(SHEET, "--node", "360121100"), "not within 360121100")
        self.refused(self.bring(town, "--node", "nowhere"), "nowhere")
        self.refused(self.bring(SHEET, "--out", self.policy / "town/t.toml"), "not within 360121100")
        self.refused(self.bring(town, "--node", "360121", "--out", self.policy / "town/t.toml"),
                     "would belong to node 360121100")
        self.refused(self.bring(town, "--out", self.policy / "town/t.txt"), ".toml")
        self.assertEqual(self.bring(town, "--out", self.policy / "town/t.toml").returncode, 0)
        self.assertEqual(run("policy", "check", self.policy).returncode, 0)

    def test_hostile_files(self) -> None:
        self.file("plain.csv", SHEET)
        os.mkfifo(self.directory / "pipe.csv")
        for name in ("pipe.csv", "missing.csv", "policy"):
            self.refused(run("policy", "import", "terminals", self.directory / name, "--policy", self.policy))
        for sheet in (b"", b"\0", bytes(range(256)) * 100, b'"' * 1001, b"," * 5_000_000, b"a" * 5_000_000,
                      b"unit,ip\n" + b"x" * 100_000, b"unit,ip\n" + b'"' + b"\n" * 100_000):
            self.refused(self.bring(sheet), "表.csv")
        for path in self.hostile_files():
            self.refused(run("policy", "import", "terminals", self.directory / "plain.csv",
                             "--policy", path), path.name)

    def test_size(self) -> None:
        self.file("policy/big.toml", UNIT.format(id="big", name="大", zone="extranet",
                                                 prefixes='["10.128.0.0/14"]'))
        rows = "".join(f"big,10.{128 + i // 65536}.{i // 256 % 256}.{i % 256},\n" for i in range(200_000))
        result = self.bring("unit,ip,name\n" + rows, "--dry-run")
        self.assertEqual(result.returncode, 0, result.stderr[-300:])
        self.assertIn("200000 terminals, nothing written", result.stderr)


if __name__ == "__main__":
    main()
