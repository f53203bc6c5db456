"""Who may do what on an appliance, and the record of it: real users, a real log, a real full disk."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from clients import curl
from lab import BARE, ROOT, Bench, DataPlane, Gateway, county, programs, same, test, true, wait_until

SYSTEM, SECURITY, AUDIT, STRANGER, GROUP = 61001, 61002, 61003, 61004, 61000
APPLIANCE = f"""[roles]
socket_group = "{GROUP}"
system = ["{SYSTEM}"]
security = ["{SECURITY}"]
audit = ["{AUDIT}"]
lock_after = 4
[audit]
hash = "sm3"
"""
VERIFY = ROOT / "tools/audit_verify"


def start(bench: Bench, appliance: str) -> Gateway:
    bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
    bench.county.serve()
    gateway = bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    gateway.appliance = bench.lab.directory / "appliance.toml"
    gateway.appliance.write_text(appliance)
    bench.lab.directory.chmod(0o755)
    gateway.run_dir.chmod(0o755)
    gateway.start_dataplane()
    gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())
    return gateway


def ask(gateway: Gateway, user: int, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line as another user, who is in the socket's group."""
    return subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={GROUP}", "--",
         str(programs(gateway.build)["meiguan"]), "--run-dir", str(gateway.run_dir), "--lang", "en", *words],
        text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def log_of(gateway: Gateway) -> Path:
    return gateway.state_dir / "audit"


def records(gateway: Gateway) -> list[dict]:
    files = sorted(log_of(gateway).glob("audit-*.log"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def verified(gateway: Gateway) -> int:
    """What both verifiers say of the log; they must agree."""
    ours = gateway.ask("audit", "verify", "--directory", str(log_of(gateway)))
    independent = subprocess.run([sys.executable, "-B", VERIFY, log_of(gateway), "--key", log_of(gateway) / "key.pem"],
                                 text=True, capture_output=True)
    same(independent.returncode, ours.returncode, f"verifiers: {ours.stderr}{independent.stdout}{independent.stderr}")
    return ours.returncode


@test(BARE)
def three_administrators_have_their_own_commands(bench: Bench) -> None:
    """Each real user may do what is his role's and nothing else; all of it is in a log that verifies."""
    # Each of them is refused more often here than anybody may be.
    gateway = start(bench, APPLIANCE.replace("lock_after = 4", "lock_after = 50"))
    allowed = {"status": (SYSTEM, SECURITY, AUDIT), "ports": (SYSTEM,), "flows": (SECURITY,), "drops": (SECURITY,),
               "apply": (SECURITY,), "audit show": (AUDIT,), "audit verify": (AUDIT,)}
    for command, users in allowed.items():
        words = command.split() + (["--policy", str(bench.policy)] if command == "apply" else [])
        for user in (SYSTEM, SECURITY, AUDIT):
            done = ask(gateway, user, *words)
            same(done.returncode, 0 if user in users else 3, f"{command} by {user}: {done.stderr}")
            if user not in users:
                true("administrator" in done.stderr, f"a reason: {done.stderr}")
    same(ask(gateway, STRANGER, "status").returncode, 3, "a user without a role")
    same(gateway.ask("status").returncode, 3, "root, where roles are configured and it has none")
    done = {(r["uid"], r["event"], r["outcome"]) for r in records(gateway)}
    for wanted in ((SYSTEM, "login", "done"), (SYSTEM, "apply", "refused"), (SECURITY, "apply", "begun"),
                   (SECURITY, "apply", "done"), (AUDIT, "audit-show", "done"), (STRANGER, "status", "refused"),
                   (0, "start", "noted")):
        true(wanted in done, f"{wanted} among {sorted(done)}")
    gateway.controld.stop()
    same(records(gateway)[-1]["event"], "signature", "the last record is a signature")
    same(verified(gateway), 0, "the log is whole")


@test(BARE)
def who_is_refused_too_often_is_locked_out(bench: Bench) -> None:
    """After four refusals, whatever was allowed in between, also what the user may do is refused; others are not
    touched."""
    gateway = start(bench, APPLIANCE)
    for _ in range(4):
        same(ask(gateway, SYSTEM, "ports").returncode, 0, "his own command before")
        same(ask(gateway, SYSTEM, "flows").returncode, 3, "not his")
    locked = ask(gateway, SYSTEM, "ports")
    same(locked.returncode, 3, "his own command")
    true("locked out" in locked.stderr, locked.stderr)
    same(ask(gateway, SECURITY, "flows").returncode, 0, "another user")
    true(any(r["detail"].get("locked_out") for r in records(gateway)), "the log says so")


@test(BARE)
def tampering_with_the_audit_log_is_found(bench: Bench) -> None:
    """A changed word is found by both verifiers, told by controld at its next start, and never forgotten."""
    gateway = start(bench, "")
    same(gateway.ask("apply", "--policy", str(bench.policy)).returncode, 0, "root may do all by default")
    gateway.controld.stop()
    same(verified(gateway), 0, "whole")
    file = sorted(log_of(gateway).glob("audit-*.log"))[-1]
    file.write_text(file.read_text().replace('"event":"apply"', '"event":"reply"', 1))
    same(verified(gateway), 1, "changed")
    gateway.start_controld()
    alarms = [alarm["alarm"] for alarm in gateway.json("status")["alarms"]]
    true("audit-tampered" in alarms, f"alarms: {alarms}")
    gateway.controld.stop()
    same(verified(gateway), 1, "still known afterwards")


@test(BARE)
def what_cannot_be_recorded_is_not_done(bench: Bench) -> None:
    """The audit log's disk is full: a change is refused and says why, forwarding goes on; with room it is done."""
    gateway = start(bench, "")
    gateway.controld.stop()
    log = log_of(gateway)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", log], check=True)
    try:
        gateway.start_controld()
        filler = log / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        refused = 0
        for _ in range(200):  # what was set aside for ends is used up first
            done = gateway.ask("reload")
            if done.returncode != 0:
                refused += 1
                true("could not be recorded" in done.stderr, done.stderr)
                break
        same(refused, 1, "a change is refused")
        same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "forwarding goes on")
        alarms = [alarm["alarm"] for alarm in gateway.json("status")["alarms"]]
        true("audit-not-written" in alarms, f"alarms: {alarms}")
        filler.unlink()
        wait_until(lambda: gateway.ask("reload").returncode == 0, "a change is done again")
        same(verified(gateway), 0, "the log is whole")
        gateway.controld.stop()
    finally:
        subprocess.run(["umount", log], check=False)


def generation(gateway: Gateway) -> int:
    with DataPlane(gateway.run_dir) as dataplane:
        return dataplane.status().generation


def new_key(bench: Bench, name: str, kind: str) -> Path:
    key = bench.lab.directory / f"{name}.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", kind, "-out", key], check=True, capture_output=True)
    key.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key.with_suffix(".pem")], check=True)
    return key


@test(BARE)
def only_signed_policy_that_goes_up_is_taken(bench: Bench) -> None:
    """Stripped, foreign, cut, expired, replayed: each is refused with its reason, and the old policy stays."""
    county_key, foreign = new_key(bench, "county", "SM2"), new_key(bench, "foreign", "ED25519")
    gateway = start(bench, '[trust]\nrequired = true\n[[signer]]\nname = "county"\nkey = "county.pem"\n'
                           'node = "360121"\nat = ""\n')
    gateway.await_image()

    def bundle(name: str, revision: int, key: Path | None, *more: str) -> Path:
        file = bench.lab.directory / f"{name}.bundle"
        done = gateway.ask("policy", "bundle", "build", str(bench.policy), "-o", str(file),
                           "--revision", str(revision), *more)
        same(done.returncode, 0, done.stderr)
        if key:
            same(gateway.ask("policy", "bundle", "sign", str(file), "--key", str(key)).returncode, 0, "sign")
        return file

    def apply(file: Path) -> tuple[int, str]:
        done = gateway.ask("policy", "bundle", "apply", str(file))
        return done.returncode, done.stdout + done.stderr

    first = bundle("first", 7, county_key)
    (bench.policy / "more.toml").write_text('[[service]]\nid = "more"\nzone = "extranet"\n'
                                            'endpoints = ["59.205.17.100:80/tcp"]\n')
    code, said = apply(first)
    same(code, 0, said)
    true("360121 revision 7 by county" in said, said)
    kept = bench.lab.directory / "revisions-of-first"
    shutil.copytree(gateway.state_dir / "revisions", kept)
    began = generation(gateway)
    cut = bundle("cut", 9, county_key)
    cut.write_bytes(cut.read_bytes()[:-3000])
    for reason, file in {"stripped": bundle("stripped", 9, None), "none of its signatures": bundle("f", 9, foreign),
                         "cut short": cut, "replayed": bundle("old", 6, county_key),
                         "same revision": bundle("other", 7, county_key),
                         "expired": bundle("late", 9, county_key, "--expires", "2020-01-01")}.items():
        code, said = apply(file)
        same(code, 2, f"{reason}: {said}")
        true(reason in said, f"{reason}: {said}")
    for words in (("apply", "--policy", str(bench.policy)), ("reload",)):
        done = gateway.ask(*words)
        same(done.returncode, 3, f"unsigned: {done.stderr}")
        true("signed policy only" in done.stderr, done.stderr)
    same(generation(gateway), began, "the policy in force stays")
    same(apply(bundle("next", 8, county_key))[0], 0, "the next revision")
    true(generation(gateway) > began, "is in force")
    same(apply(first)[0], 2, "the first one again")
    # What was taken is in force again after a restart, and not what lies at --policy.
    gateway.controld.stop()
    (bench.policy / "more.toml").write_text("not a policy")
    gateway.start_controld()
    true(str(gateway.state_dir) in gateway.json("status")["policy"]["directory"], "the signed policy")
    newest = gateway.json("history")["rows"][0]
    same((newest["state"], newest["origin"], newest["signature"]), ("in-force", "apply", "360121 revision 8 by county"),
         "the revision that was applied, and who signed it")
    # Nor is a kept revision that is not what was signed last.
    gateway.controld.stop()
    shutil.rmtree(gateway.state_dir / "revisions")
    shutil.copytree(kept, gateway.state_dir / "revisions")
    gateway.start_controld()
    newest = gateway.json("history")["rows"][0]
    same((newest["state"], newest["origin"], newest["signature"]), ("in-force", "start", "360121 revision 8 by county"),
         "an older store of revisions")
    signed = [r for r in records(gateway) if r["event"] == "apply" and r["outcome"] == "done"]
    same([r["detail"]["signature"] for r in signed], ["360121 revision 7 by county", "360121 revision 8 by county"],
         "in the audit log")


@test(BARE)
def two_persons_put_a_policy_in_force(bench: Bench) -> None:
    """What one security administrator applies waits for another's word on the same content."""
    other = SECURITY + 100
    gateway = start(bench, "[trust]\nrequired = false\ntwo_persons = true\n" +
                    APPLIANCE.replace(f'security = ["{SECURITY}"]', f'security = ["{SECURITY}", "{other}"]'))
    words = ("apply", "--policy", str(bench.policy))
    refused = ask(gateway, SECURITY, *words)
    same(refused.returncode, 3, "alone")
    digest = refused.stderr.split("meiguan approve ")[1][:64]
    same(ask(gateway, SECURITY, "approve", digest).returncode, 0, "his own word")
    same(ask(gateway, SECURITY, *words).returncode, 3, "counts for nothing")
    same(ask(gateway, AUDIT, "approve", digest).returncode, 3, "an audit administrator has none")
    same(ask(gateway, other, "approve", digest).returncode, 0, "the other's word")
    (bench.policy / "more.toml").write_text('[[service]]\nid = "more"\nzone = "extranet"\n'
                                            'endpoints = ["59.205.17.100:80/tcp"]\n')
    same(ask(gateway, SECURITY, *words).returncode, 3, "for another content it does not count")
    (bench.policy / "more.toml").unlink()
    file = gateway.file
    text = file.read_text().replace('anti_spoof = "loose"', 'anti_spoof = "off"')
    file.write_text(text + "\n[limits]\nnothing = 1\n")
    done = ask(gateway, SECURITY, *words)
    same(done.returncode, 0, f"approved: {done.stderr}")
