"""Signed policy, two persons and lock-outs over everything that ends a control plane."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

from clients import curl
from lab import BARE, Bench, Gateway, same, test, true, wait_until
from test_access import APPLIANCE, AUDIT, SECURITY, SYSTEM, ask, new_key, records, start

OTHER = SECURITY + 100
TWO_SECURITY = APPLIANCE.replace(f'security = ["{SECURITY}"]', f'security = ["{SECURITY}", "{OTHER}"]')
TWO_PERSONS = "[trust]\nrequired = false\ntwo_persons = true\n" + TWO_SECURITY
SIGNED = ('[trust]\nrequired = true\ntwo_persons = true\n[[signer]]\nname = "county"\nkey = "county.pem"\n'
          'node = "360121"\nat = ""\n' + TWO_SECURITY)
ENDS = (signal.SIGKILL, signal.SIGTERM)


def again(gateway: Gateway, by: signal.Signals) -> None:
    gateway.controld.stop(by=by)
    gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())


def history(gateway: Gateway) -> list[tuple[str, str, str]]:
    """State, origin and signature of each revision, the newest first."""
    done = ask(gateway, SECURITY, "history", "-o", "csv", "--no-headers", "--columns", "state,origin,signature")
    same(done.returncode, 0, done.stderr)
    return [tuple(line.split(",")) for line in done.stdout.splitlines()]


def reaches(bench: Bench) -> bool:
    return curl(bench["finance"], "59.205.16.10", 443, 1.2) == "cloud"


def signed(bench: Bench, gateway: Gateway, key: Path, revision: int) -> Path:
    """The policy as it is now, as a bundle."""
    file = bench.lab.directory / f"{revision}.bundle"
    same(gateway.ask("policy", "bundle", "build", str(bench.policy), "-o", str(file),
                     "--revision", str(revision)).returncode, 0, "build")
    same(gateway.ask("policy", "bundle", "sign", str(file), "--key", str(key)).returncode, 0, "sign")
    return file


@test(BARE)
def lockouts_outlast_restarts(bench: Bench) -> None:
    """Neither a kill nor an orderly restart of controld lifts a lock-out, or forgets refusals before one."""
    gateway = start(bench, APPLIANCE)
    for _ in range(3):
        same(ask(gateway, SYSTEM, "flows").returncode, 3, "not his")
    again(gateway, signal.SIGKILL)
    true("not for the system" in ask(gateway, SYSTEM, "flows").stderr, "the fourth refusal")
    for by in ENDS:
        again(gateway, by)
        locked = ask(gateway, SYSTEM, "ports")
        same(locked.returncode, 3, f"after {by.name}")
        true("locked out" in locked.stderr, f"after {by.name}: {locked.stderr}")
        same(ask(gateway, SECURITY, "flows").returncode, 0, f"another user after {by.name}")
    gateway.controld.stop()
    kept = gateway.state_dir / "lockouts"
    kept.write_bytes(kept.read_bytes()[:-5])
    gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())
    true("lockouts-not-kept" in ask(gateway, AUDIT, "status").stdout, "that they are lost is an alarm")


@test(BARE)
def approvals_outlast_restarts_and_are_used_once(bench: Bench) -> None:
    """What a second person approved is approved after a kill, and is no word for the next change."""
    gateway = start(bench, TWO_PERSONS)
    words = ("apply", "--policy", str(bench.policy))
    for by in ENDS:
        (bench.policy / "more.toml").write_text(f'[[service]]\nid = "more-{by.name.lower()}"\nzone = "extranet"\n'
                                                'endpoints = ["59.205.17.100:80/tcp"]\n')
        refused = ask(gateway, SECURITY, *words)
        same(refused.returncode, 3, "alone")
        digest = refused.stderr.split("meiguan approve ")[1][:64]
        seen = ask(gateway, OTHER, *words, "--dry-run")
        true(f"meiguan approve {digest}" in seen.stdout, f"what the other looks at is what he approves: {seen.stdout}")
        same(ask(gateway, OTHER, "approve", digest).returncode, 0, "the other's word")
        again(gateway, by)
        same(ask(gateway, OTHER, *words).returncode, 3, f"after {by.name}: one's own word is none")
        done = ask(gateway, SECURITY, *words)
        same(done.returncode, 0, f"after {by.name}: {done.stderr}")
        again(gateway, by)
        same(ask(gateway, SECURITY, *words).returncode, 3, f"after {by.name}: once more is another change")


@test(BARE)
def signed_policy_waits_to_be_confirmed(bench: Bench) -> None:
    """With required signatures and two persons: aborted, late, killed at each step; confirmed it is taken for good,
    and what is older stays out."""
    key = new_key(bench, "county", "ED25519")
    gateway = start(bench, SIGNED)

    def bundle(revision: int) -> Path:
        return signed(bench, gateway, key, revision)

    def apply(file: Path, *more: str) -> None:
        words = ("policy", "bundle", "apply", str(file), *more)
        refused = ask(gateway, SECURITY, *words)
        true("meiguan approve " in refused.stderr, f"a second person: {refused.stdout}{refused.stderr}")
        same(ask(gateway, OTHER, "approve", refused.stderr.split("meiguan approve ")[1][:64]).returncode, 0, "approve")
        done = ask(gateway, SECURITY, *words)
        same(done.returncode, 0, f"{words}: {done.stderr}")
        true(not more or "meiguan confirm" in done.stderr, f"says so: {done.stderr}")

    def refused(file: Path, why: str) -> None:
        done = ask(gateway, SECURITY, "policy", "bundle", "apply", str(file))
        same(done.returncode, 2, f"{file.name}: {done.stderr}")
        true(why in done.stderr, f"{why}: {done.stderr}")

    six, seven = bundle(6), bundle(7)
    (bench.policy / "denial.toml").write_text('[[rule]]\nid = "denial"\nphase = "mandatory"\naction = "deny"\n'
                                              'from = ["unit:czj-360121"]\nto = ["service:budget"]\n')
    eight = bundle(8)
    by_seven, by_eight = "360121 revision 7 by county", "360121 revision 8 by county"
    apply(seven)
    true(reaches(bench), "by the first bundle")
    waiting = gateway.state_dir / "signed/waiting"

    apply(eight, "--confirm", "60s")
    true(not reaches(bench), "in force at once")
    again(gateway, signal.SIGKILL)
    same(history(gateway)[0], ("unconfirmed", "apply", by_eight), "it waits on after a kill")
    true(not reaches(bench), "in force after it")
    other = ask(gateway, OTHER, "policy", "bundle", "apply", str(seven))
    same(other.returncode, 3, f"nothing else meanwhile: {other.stderr}")
    same(ask(gateway, SECURITY, "abort").returncode, 0, "abort")
    true(reaches(bench), "back by hand")
    same(history(gateway)[0], ("in-force", "return", by_seven), "the one before")
    true(not waiting.exists(), "nothing waits")

    apply(eight, "--confirm", "3s")  # it never was taken: the same bundle may come again
    wait_until(lambda: history(gateway)[0][1] == "return", "the return in time", 8)
    true(reaches(bench), "back by itself")

    apply(eight, "--confirm", "3s")
    gateway.controld.stop(by=signal.SIGKILL)
    true(not reaches(bench), "nothing returns without a control plane")
    wait_until(lambda: overdue(gateway), "the deadline", 8)
    gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())
    same(history(gateway)[0], ("in-force", "return", by_seven), "a start after the deadline")
    true(reaches(bench), "the one before is in force")
    refused(six, "replayed")

    # Killed between the confirmation and the record of what was taken: as if it lay still to be done.
    apply(eight, "--confirm", "60s")
    kept = bench.lab.directory / "signed-before"
    shutil.copytree(gateway.state_dir / "signed", kept)
    same(ask(gateway, OTHER, "confirm").returncode, 0, "confirm")
    true(not waiting.exists(), "nothing waits")
    for stage in ("confirmed", "killed before it was taken"):
        again(gateway, signal.SIGKILL)
        same(history(gateway)[0], ("in-force", "apply", by_eight), stage)
        true(not reaches(bench), f"{stage}: in force")
        refused(seven, "replayed")
        true(not waiting.exists(), f"{stage}: nothing waits")
        if stage == "confirmed":
            gateway.controld.stop()
            shutil.rmtree(gateway.state_dir / "signed")
            shutil.copytree(kept, gateway.state_dir / "signed")
            gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())

    # What waits is damaged: it cannot be started with, and does not wait any more.
    (bench.policy / "denial.toml").unlink()
    nine = bundle(9)
    apply(nine, "--confirm", "60s")
    true(reaches(bench), "the ninth")
    (file,) = waiting.glob("360121-*.bundle")
    content = file.read_bytes()
    file.write_bytes(content[:-2000])
    again(gateway, signal.SIGKILL)
    same(history(gateway)[0], ("in-force", "return", by_eight), "what waited is damaged")
    true(not reaches(bench), "the one before is in force")
    same(ask(gateway, SECURITY, "confirm").returncode, 3, "nothing to confirm")


@test(BARE)
def damage_to_what_was_taken_lets_nothing_old_in(bench: Bench) -> None:
    """A record or a bundle that is cut, gone, or gone with its directory: the last signed policy is in force again,
    nothing older is taken, and one command by the administrator puts it right."""
    key = new_key(bench, "county", "ED25519")
    gateway = start(bench, SIGNED.replace("two_persons = true\n", ""))
    directory = gateway.state_dir / "signed"

    def apply(file: Path, *more: str) -> tuple[int, str]:
        done = ask(gateway, SECURITY, "policy", "bundle", "apply", str(file), *more)
        return done.returncode, done.stderr

    def taken(file: Path, *more: str) -> None:
        code, said = apply(file, *more)
        same(code, 0, f"{file.name} {more}: {said}")

    def refused(why: str, file: Path, *more: str) -> None:
        code, said = apply(file, *more)
        true(code in (2, 3) and why in said, f"{file.name} {more}: {code}: {said}")

    def alarmed() -> bool:
        return "signed-policy-damaged" in ask(gateway, AUDIT, "status").stdout

    def cut(file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-3])

    seven = signed(bench, gateway, key, 7)
    taken(seven)
    true(reaches(bench), "by the first bundle")
    (bench.policy / "denial.toml").write_text('[[rule]]\nid = "denial"\nphase = "mandatory"\naction = "deny"\n'
                                              'from = ["unit:czj-360121"]\nto = ["service:budget"]\n')
    newest = 8
    file = signed(bench, gateway, key, newest)
    taken(file)
    refused("is whole", seven, "--after-damage")

    def the_bundle() -> Path:
        (one,) = directory.glob("360121-*.bundle")
        return one

    for name, harm in (("a record that is cut", lambda: cut(directory / "taken")),
                       ("no record", lambda: (directory / "taken").unlink()),
                       ("nothing at all", lambda: shutil.rmtree(directory)),
                       ("a bundle that is cut", lambda: cut(the_bundle())),
                       ("no bundle", lambda: the_bundle().unlink())):
        gateway.controld.stop()
        harm()
        gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())
        true(alarmed(), f"{name}: an alarm")
        same(history(gateway)[0], ("in-force", "apply", f"360121 revision {newest} by county"), name)
        true(not reaches(bench), f"{name}: the last signed policy is in force")
        again(gateway, signal.SIGKILL)
        true(alarmed(), f"{name}: an alarm after one more start")
        if "bundle" in name:  # which is old is known
            refused("replayed", seven)
            refused("is whole", seven, "--after-damage")
            taken(file)
        else:
            refused("--after-damage", seven)
            refused("--after-damage", file)
            refused(f"revision {newest} was taken before", seven, "--after-damage")
            refused("without --confirm", file, "--after-damage", "--confirm", "10m")
            if name == "nothing at all":
                refused("higher revision", file, "--after-damage")
                newest += 1
                file = signed(bench, gateway, key, newest)
            taken(file, "--after-damage")
        true(not alarmed(), f"{name}: put right")
        for _ in range(2):
            refused("replayed", seven)
            true(not reaches(bench), f"{name}: after it is put right")
            again(gateway, signal.SIGTERM)
        true(not alarmed(), f"{name}: it stays so")

    # What waits is started with only where it can be told that it may.
    (bench.policy / "denial.toml").unlink()
    taken(signed(bench, gateway, key, newest + 1), "--confirm", "60s")
    true(reaches(bench), "what waits")
    gateway.controld.stop()
    cut(directory / "taken")
    gateway.start_controld(ready=lambda: "ready" in gateway.controld.output())
    same(history(gateway)[0], ("in-force", "return", f"360121 revision {newest} by county"), "what waited is not taken")
    true(not reaches(bench), "the last that was confirmed is in force")


@test(BARE)
def requests_that_are_no_good_hold_nobody_up(bench: Bench) -> None:
    """Pipes where files should be keep no worker waiting; a time to confirm that is none is not left out."""
    gateway = start(bench, "")
    pipe = bench.lab.directory / "pipe"
    os.mkfifo(pipe)

    def said(request: dict[str, object]) -> str:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(10)
            asked.connect(str(gateway.run_dir / "controld.sock"))
            asked.sendall(json.dumps({"command": "apply", "policy": str(bench.policy)} | request).encode() + b"\n")
            answer = json.loads(asked.makefile().readline())
        same(answer["ok"], False, f"{request}: {answer}")
        return json.dumps(answer)

    for _ in range(3):  # there are two workers
        true("not a regular file" in said({"bundles": [str(pipe)]}), "a pipe for a bundle")
        said({"gateway": str(pipe)})
        said({"policy": str(pipe)})
    (bench.policy / "more.toml").write_text('[[service]]\nid = "more"\nzone = "extranet"\n'
                                            'endpoints = ["59.205.17.100:80/tcp"]\n')
    for seconds in ("600", 600.5, 2**63, 1e300, None, True, -1):
        true("confirm" in said({"confirm_seconds": seconds}), f"{seconds!r}")
    same(gateway.ask("block", "add", "198.51.100.7", "--reason", "scan").returncode, 0, "a block")
    for words in ({}, {"addresses": "198.51.100.8"}, {"text": 5}):
        true("is missing" in said({"command": "block-import"} | words), f"{words}")
    true("198.51.100.7" in gateway.ask("block", "list").stdout, "the list stays")
    # Whatever else stands in a request, what it asks for is in its record, or nothing is done.
    junk = {f"junk{i}": "x" * 1000 for i in range(20)}
    true("too long to be recorded" in said(junk), "what would leave no room for the rest")
    said({"comment": "x" * 9000, "ticket": "JX-1"})
    begun = [r["detail"] for r in records(gateway) if r["event"] == "apply" and r["outcome"] == "begun"][-1]
    same((begun["ticket"], begun["comment"]["sha256"]), ("JX-1", hashlib.sha256(b"x" * 9000).hexdigest()), "recorded")
    nested: object = 1
    for _ in range(15):  # as deep as a request may be
        nested = [nested]
    said({"comment": "a\nb", "junk": nested})
    shown = [row for row in gateway.json("audit", "show")["rows"] if row.get("outcome") == "begun"]
    same(shown[-1]["detail"].get("junk"), nested, "and it is shown")
    same(len(gateway.json("history")["rows"]), 1, "nothing was applied")


def overdue(gateway: Gateway) -> bool:
    """Whether the newest revision's time to be confirmed has passed, by the clock of its own file."""
    newest = sorted((gateway.state_dir / "revisions").glob("*.revision"))[-1]
    limit = json.loads(newest.read_bytes().split(b"\n")[0])["confirm"]["boot_milliseconds"]
    return time.clock_gettime(time.CLOCK_BOOTTIME) * 1000 > limit
