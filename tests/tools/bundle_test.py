"""`meiguan policy bundle` from the outside, with openssl and tar as peers: bundle_test.py MEIGUAN SOURCE_ROOT."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

from command import ROOT, Case, main, run

TREE = ROOT / "policies/jiangxi-sample"
COUNTY = "360121"


def county_directory() -> str:
    files = [file for file in TREE.rglob("node.toml") if f'code = "{COUNTY}"' in file.read_text()]
    return files[0].parent.relative_to(TREE).as_posix()


class Bundle(Case):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.where = Path(held.name)
        for name, kind in (("province", "SM2"), ("county", "ED25519"), ("stranger", "ED25519")):
            key = self.where / f"{name}.key"
            subprocess.run(["openssl", "genpkey", "-algorithm", kind, "-out", key], check=True, capture_output=True)
            key.chmod(0o600)
            subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", self.where / f"{name}.pem"], check=True)
        self.appliance = self.where / "appliance.toml"
        self.appliance.write_text(f"""[trust]
required = true
[[signer]]
name = "province"
key = "province.pem"
node = "360000"
at = ""
[[signer]]
name = "county"
key = "county.pem"
node = "{COUNTY}"
at = "{county_directory()}"
""")

    def built(self, name: str, *more: str, key: str | None = None) -> Path:
        file = self.where / name
        done = run("policy", "bundle", "build", TREE, "-o", file, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        if key:
            done = run("policy", "bundle", "sign", file, "--key", self.where / f"{key}.key")
            self.assertEqual(done.returncode, 0, done.stderr)
        return file

    def verify(self, *files: Path) -> tuple[int, str]:
        done = run("policy", "bundle", "verify", *files, "--trust", self.where)
        return done.returncode, done.stderr

    def test_a_province_and_a_county(self) -> None:
        province = self.built("province.bundle", "--revision", "5", "--without", COUNTY, key="province")
        county = self.built("county.bundle", "--revision", "3", "--node", COUNTY, "--hash", "sm3",
                            "--expires", "2099-01-01", key="county")
        code, said = self.verify(province, county)
        self.assertEqual(code, 0, said)
        self.assertIn("360000 revision 5 by province", said)
        shown = json.loads(run("policy", "bundle", "inspect", county, "-o", "json").stdout)
        self.assertEqual((shown["node"], shown["revision"], shown["hash"]), (COUNTY, 3, "sm3"))
        self.assertEqual(shown["expires"], "2099-01-01T00:00:00Z")
        # The county's own directory alone makes the same bundle.
        again = self.where / "again.bundle"
        done = run("policy", "bundle", "build", TREE / county_directory(), "-o", again, "--at", county_directory(),
                   "--node", COUNTY, "--revision", "3", "--hash", "sm3", "--expires", "2099-01-01")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.part(again, "manifest"), self.part(county, "manifest"))

    def part(self, file: Path, prefix: str) -> bytes:
        with tarfile.open(file, "r:") as archive:
            name = next(name for name in archive.getnames() if name.startswith(prefix))
            held = archive.extractfile(name)
            assert held
            return held.read()

    def test_openssl_verifies_what_we_sign(self) -> None:
        manifest, signature = self.where / "manifest", self.where / "signature"
        by_key = {"province": ["dgst", "-sm3", "-verify", self.where / "province.pem", "-sigopt",
                               "distid:1234567812345678", "-signature", signature, manifest],
                  "county": ["pkeyutl", "-verify", "-pubin", "-inkey", self.where / "county.pem", "-rawin", "-in",
                             manifest, "-sigfile", signature]}
        for key, command in by_key.items():
            file = self.built(f"{key}.bundle", "--revision", "1", key=key)
            manifest.write_bytes(self.part(file, "manifest"))
            signature.write_bytes(self.part(file, "signatures/"))
            self.assertEqual(subprocess.run(["openssl", *command], capture_output=True).returncode, 0, key)
            manifest.write_bytes(manifest.read_bytes() + b"\n")
            self.assertNotEqual(subprocess.run(["openssl", *command], capture_output=True).returncode, 0, key)

    def test_we_verify_what_openssl_signs(self) -> None:
        file = self.built("province.bundle", "--revision", "1", "--without", COUNTY, key="province")
        manifest = self.where / "manifest"
        manifest.write_bytes(self.part(file, "manifest"))
        ours = self.part(file, "signatures/")
        theirs = b""
        while len(theirs) != len(ours):  # in DER the length of the two integers varies
            theirs = subprocess.run(["openssl", "dgst", "-sm3", "-sign", self.where / "province.key", "-sigopt",
                                     "distid:1234567812345678", manifest], capture_output=True, check=True).stdout
        self.assertNotEqual(theirs, ours)
        file.write_bytes(file.read_bytes().replace(ours, theirs))
        code, said = self.verify(file)
        self.assertEqual(code, 0, said)

    def test_what_is_refused_and_why(self) -> None:
        province = self.built("province.bundle", "--revision", "5", "--without", COUNTY, key="province")
        unsigned = self.built("unsigned.bundle", "--revision", "5", "--without", COUNTY)
        cut = self.where / "cut.bundle"
        cut.write_bytes(province.read_bytes()[:-3000])
        refused = {"stripped": unsigned, "cut short": cut,
                   "none of its signatures": self.built("a", "--revision", "5", "--without", COUNTY, key="stranger"),
                   "may not sign for": self.built("b", "--revision", "5", key="province"),
                   "expired": self.built("c", "--revision", "5", "--without", COUNTY, "--expires", "2020-01-01",
                                         key="province")}
        for reason, file in refused.items():
            code, said = self.verify(file)
            self.assertEqual(code, 1, f"{reason}: {said}")
            self.assertIn(reason, said)

    def test_bad_usage(self) -> None:
        for words in (("build", TREE, "-o", self.where / "x"),
                      ("build", TREE, "-o", self.where / "x", "--revision", "0"),
                      ("build", TREE, "-o", self.where / "x", "--revision", "1", "--node", "999999"),
                      ("build", TREE, "-o", self.where / "x", "--revision", "1", "--expires", "soon"),
                      ("build", TREE, "-o", self.where / "x", "--revision", "1", "--at", "a"),
                      ("sign", self.where / "nothing", "--key", self.where / "county.key"),
                      ("sign", self.appliance, "--key", self.where / "county.key"),
                      ("verify", self.appliance)):
            self.assertEqual(run("policy", "bundle", *words).returncode, 2, words)
        with io.BytesIO() as memory, tarfile.open(fileobj=memory, mode="w") as archive:
            archive.add(self.appliance, "manifest")
            archive.close()
            other = self.where / "tar"
            other.write_bytes(memory.getvalue())
        self.assertEqual(run("policy", "bundle", "inspect", other).returncode, 2)


if __name__ == "__main__":
    main()
