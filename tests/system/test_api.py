"""The commands over HTTPS: people by their certificates, from management networks only."""

import json
import subprocess
from pathlib import Path

from lab import BARE, Bench, county, programs, same, test, true, wait_until
from test_access import APPLIANCE, AUDIT, SECURITY, SYSTEM, ask, new_key, records, verified
from test_syslog import make_certificates

PORT = 18443
PEOPLE = {"system": SYSTEM, "security": SECURITY, "audit": AUDIT}


class Remote:
    """An appliance that listens on its own loopback, and people with certificates."""

    def __init__(self, bench: Bench, more: str = "") -> None:
        self.directory = bench.lab.directory / "tls"
        self.directory.mkdir()
        people = [self.directory / name for name in (*PEOPLE, "stranger", "gateway")]
        make_certificates(self.directory / "authority", *people)
        make_certificates(self.directory / "foreign", self.directory / "impostor")
        bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
        bench.county.serve()
        self.gateway = bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
        self.gateway.appliance = bench.lab.directory / "appliance.toml"
        self.gateway.appliance.write_text(more + APPLIANCE + f"""[api]
listen = "127.0.0.1:{PORT}"
certificate = "tls/gateway.pem"
key = "tls/gateway.key"
authority = "tls/authority.pem"
networks = ["127.0.0.1/32"]
""" + "".join(f'[[person]]\ncertificate = "{name}"\nuser = "{uid}"\n' for name, uid in PEOPLE.items()))
        for directory in (bench.lab.directory, self.gateway.run_dir):
            directory.chmod(0o755)
        self.gateway.start_dataplane()
        self.gateway.start_controld(ready=lambda: "ready" in self.gateway.controld.output())

    def ask(self, person: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.gateway.where.run(
            str(programs(self.gateway.build)["meiguan"]), "--lang", "en", "--server", f"https://127.0.0.1:{PORT}",
            "--certificate", f"{self.directory}/{person}.pem", "--key", f"{self.directory}/{person}.key",
            "--authority", f"{self.directory}/authority.pem", *words)

    def curl(self, person: str, *words: str) -> str:
        return self.gateway.where.run(
            "curl", "--silent", "--max-time", "5", "--cacert", f"{self.directory}/authority.pem",
            "--cert", f"{self.directory}/{person}.pem", "--key", f"{self.directory}/{person}.key", *words).stdout


@test(BARE)
def administrators_give_their_commands_over_https(bench: Bench) -> None:
    """Each certificate has its person's role, on the same table as the socket; others are not heard."""
    remote = Remote(bench)
    gateway = remote.gateway
    allowed = {"status": ("system", "security", "audit"), "ports": ("system",), "drops": ("security",),
               "history": ("security",), "audit show": ("audit",)}
    for command, people in allowed.items():
        for person in PEOPLE:
            done = remote.ask(person, *command.split())
            same(done.returncode, 0 if person in people else 3, f"{command} by {person}: {done.stderr}")
            same(remote.ask(person, "status").returncode, 0, "what is allowed begins the count anew")
    same(remote.ask("stranger", "status").returncode, 3, "a certificate that is nobody's")
    foreign = remote.ask("impostor", "status")
    same(foreign.returncode, 3, "a foreign authority's certificate")
    true("no answer" in foreign.stderr, foreign.stderr)
    for command in (("apply", str(bench.policy)), ("reload",), ("apply", "--dry-run", str(bench.policy))):
        done = remote.ask("security", *command)
        same(done.returncode, 3, f"{command}")
        true("local socket only" in done.stderr, done.stderr)
    same(remote.ask("security", "block", "add", "198.51.100.7", "--reason", "scan").returncode, 0, "a change")
    true("198.51.100.7" in remote.ask("security", "block", "list").stdout, "is made")
    url = f"https://127.0.0.1:{PORT}"
    post = ("--data", '{"command":"status"}', "--header", "Content-Type: application/json")
    same(json.loads(remote.curl("audit", *post, f"{url}/v1"))["ok"], True, "by curl")
    for words in ((f"{url}/v1",), (*post, f"{url}/v2"), ("--data", "{", f"{url}/v1"),
                  ("--data", "[" * 100, "--header", "Content-Type: application/json", f"{url}/v1")):
        same(json.loads(remote.curl("audit", *words))["ok"], False, f"{words}")
    same(remote.curl("audit", "--tls-max", "1.2", *post, f"{url}/v1"), "", "TLS 1.2")
    done = {(r["user"], r["event"], r["outcome"], r["detail"].get("by")) for r in records(gateway)}
    for wanted in ((f"uid {SECURITY}", "login", "done", "https"), (f"uid {SECURITY}", "block-add", "done", None),
                   ("certificate stranger", "status", "refused", "https")):
        true(wanted in done, f"{wanted} among {sorted(map(str, done))}")
    wait_until(lambda: any(r["event"] == "api-turned-away" for r in records(gateway)), "who was turned away is there")
    gateway.controld.stop()
    same(verified(gateway), 0, "the log is whole")


@test(BARE)
def a_lock_out_holds_on_both_ways_and_bundles_come_by_content(bench: Bench) -> None:
    """Refusals over HTTPS lock the user out on the socket too; a signed bundle is taken from afar."""
    key = new_key(bench, "county", "ED25519")
    remote = Remote(bench, '[trust]\nrequired = true\n[[signer]]\nname = "county"\nkey = "county.pem"\n'
                           'node = "360121"\nat = ""\n')
    gateway = remote.gateway
    bundle = bench.lab.directory / "a.bundle"
    same(gateway.ask("policy", "bundle", "build", str(bench.policy), "-o", str(bundle), "--revision", "3").returncode,
         0, "build")
    unsigned = remote.ask("security", "policy", "bundle", "apply", str(bundle))
    same(unsigned.returncode, 2, f"unsigned: {unsigned.stderr}")
    same(gateway.ask("policy", "bundle", "sign", str(bundle), "--key", str(key)).returncode, 0, "sign")
    done = remote.ask("security", "policy", "bundle", "apply", str(bundle))
    same((done.returncode, done.stdout.splitlines()),
         (0, ["signed policy: revision 2 is in force", "signed: 360121 revision 3 by county"]), done.stderr)
    true(not any((Path(gateway.state_dir) / "api").glob("*/*")), "nothing is left of what was sent")
    for _ in range(4):
        same(remote.ask("system", "drops").returncode, 3, "not his")
    locked = ask(gateway, SYSTEM, "ports")
    same(locked.returncode, 3, "his own command, on the socket")
    true("locked out" in locked.stderr, locked.stderr)
    same(remote.ask("security", "drops").returncode, 0, "another person")
