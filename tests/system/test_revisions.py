"""The life of a policy: revisions, confirmation, going back, and what a start finds."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

from clients import curl
from lab import BARE, ROOT, Bench, DataPlane, county, same, test, true, wait_until

BUDGET = ("59.205.16.10", 443)  # what finance may reach in the sample


def start(bench: Bench) -> None:
    bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
    bench.county.serve()
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    bench.gateway.start()


def reaches(bench: Bench) -> bool:
    return curl(bench["finance"], *BUDGET, 1.2) == "cloud"


def write_denial(bench: Bench, name: str = "denial") -> None:
    (bench.policy / f"{name}.toml").write_text(
        f'[[rule]]\nid = "{name}"\nphase = "mandatory"\naction = "deny"\nfrom = ["unit:czj-360121"]\n'
        'to = ["service:budget"]\n')


def apply(bench: Bench, *more: str, want: int = 0) -> str:
    done = bench.gateway.ask("apply", str(bench.policy), *more)
    same(done.returncode, want, f"meiguan apply {' '.join(more)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def history(bench: Bench) -> list[dict[str, object]]:
    return bench.gateway.json("history")["rows"]


def alarms(bench: Bench) -> set[str]:
    return {alarm["alarm"] for alarm in bench.gateway.json("status")["alarms"]}


def runs_an_image(bench: Bench) -> bool:
    """Whether the data plane answers and forwards; the socket of a killed one may still lie there."""
    try:
        with DataPlane(bench.gateway.run_dir) as dataplane:
            return dataplane.status().generation > 0
    except OSError:
        return False


def restart_controld(bench: Bench, by: signal.Signals = signal.SIGKILL) -> None:
    bench.gateway.controld.stop(by=by)
    bench.gateway.start_controld()
    bench.gateway.await_image()


@test(BARE)
def applied_policies_are_revisions(bench: Bench) -> None:
    """Who, when, why; compared and rolled back to from the store alone; in force again after a restart."""
    start(bench)
    true(reaches(bench), "finance reaches the budget system")
    write_denial(bench)
    dry = apply(bench, "--dry-run")
    true("czj-360121" in dry and "budget" in dry, f"who loses what: {dry}")
    true("meiguan approve" not in dry, "where nobody need approve it nothing is said of that")
    true(reaches(bench), "nothing has changed by that")
    apply(bench, "--ticket", "JX-2026-0731", "--comment", "为财政局停用")
    true(not reaches(bench), "denied now")
    rows = history(bench)
    same([(row["revision"], row["state"], row["origin"]) for row in rows],
         [(2, "in-force", "apply"), (1, "past", "start")], "revisions")
    same((rows[0]["author"], rows[0]["ticket"], rows[0]["comment"]), ("root", "JX-2026-0731", "为财政局停用"), "who")
    # The files are gone: what is kept is enough.
    shutil.rmtree(bench.policy)
    said = bench.gateway.ask("compare", "1", "2", "--semantic")
    same(said.returncode, 1, f"they differ: {said.stderr}")
    true("czj-360121" in said.stdout, f"who loses: {said.stdout}")
    restart_controld(bench)
    same(bench.gateway.json("status")["policy"]["revision"], 2, "in force after a restart")
    true(not reaches(bench), "still denied")
    true("policy-files-differ" in alarms(bench), "that the files are gone is told")
    done = bench.gateway.ask("rollback", "1")
    same(done.returncode, 0, "rollback")
    true("would bring back" in done.stderr, f"that the files stay as they are: {done.stderr}")
    true("policy-files-differ" in alarms(bench), "and are not what is in force")
    true(reaches(bench), "as before")
    same([(row["revision"], row["repeats"]) for row in history(bench)][0], (3, 1), "a new revision")
    same(bench.gateway.ask("rollback", "9").returncode, 3, "no such revision")


@test(BARE)
def what_is_not_confirmed_goes_back(bench: Bench) -> None:
    """In time, by hand, over a killed controld, over a killed data plane; confirmed it stays."""
    start(bench)
    write_denial(bench)
    said = apply(bench, "--confirm", "4s")
    true("confirm" in said, f"says so: {said}")
    true(not reaches(bench), "in force at once")
    true("revision-unconfirmed" in alarms(bench), "an alarm while it waits")
    true("waits to be confirmed" in apply(bench, want=3), "no other change meanwhile")
    wait_until(lambda: history(bench)[0]["origin"] == "return", "the return", 8)
    true(reaches(bench), "back in force")
    true("revision-returned" in alarms(bench), "an alarm that it came back")
    same([row["state"] for row in history(bench)], ["in-force", "returned", "past"], "states")

    # The data plane starts with what was confirmed, never with what waits.
    last = bench.gateway.state_dir / "image.last"
    before = last.read_bytes()
    apply(bench, "--confirm", "60s")
    same(last.read_bytes() == before, True, "the image to start with is the confirmed one")
    same(bench.gateway.ask("abort").returncode, 0, "abort")
    true(reaches(bench), "back by hand")

    apply(bench, "--confirm", "5s")
    bench.gateway.controld.stop(by=signal.SIGKILL)
    time.sleep(6)
    bench.gateway.start_controld()
    bench.gateway.await_image()
    true(reaches(bench), "the start after the deadline puts the one before in force")
    same(history(bench)[0]["origin"], "return", "and writes it down")

    apply(bench, "--confirm", "60s")
    restart_controld(bench)
    true("revision-unconfirmed" in alarms(bench), "it still waits after a restart of controld")
    same(bench.gateway.ask("confirm").returncode, 0, "confirm")
    bench.gateway.controld.stop()
    bench.gateway.dataplane.stop(by=signal.SIGKILL)
    bench.gateway.start_dataplane()
    wait_until(lambda: runs_an_image(bench), "an image in force")
    true(not reaches(bench), "the confirmed one is what the data plane starts with")
    bench.gateway.start_controld()
    bench.gateway.await_image()
    same(bench.gateway.ask("confirm").returncode, 3, "nothing waits any more")


@test(BARE)
def two_at_once(bench: Bench) -> None:
    """Of two people who apply at the same time the second is refused, with the name of the first."""
    start(bench)

    def both() -> list[str]:
        words = [str(bench.build / "tools/cli/meiguan"), "--run-dir", str(bench.gateway.run_dir), "--lang", "en",
                 "apply", str(bench.policy)]
        running = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for _ in range(4)]
        return [process.communicate()[1] for process in running]

    said: list[str] = []
    for _ in range(20):
        said += both()
        if any(said):
            break
    refused = [text for text in said if text]
    true(refused, "one of many was refused")
    same({text for text in refused if "root is changing the policy" not in text}, set(), "what the others say")


@test(BARE)
def damage_on_disk_is_found(bench: Bench) -> None:
    """Revision, content and image: each damaged for once; the last good one is in force, with an alarm."""
    start(bench)
    write_denial(bench)
    apply(bench)
    store = bench.gateway.state_dir / "revisions"
    newest = store / "00000002.revision"
    good = newest.read_bytes()
    newest.write_bytes(good[:100] + b"x" + good[101:])
    restart_controld(bench)
    same(bench.gateway.json("status")["policy"]["revision"], 1, "the last good one")
    true("revision-store-damaged" in alarms(bench), "an alarm")
    true(reaches(bench), "it is in force")
    newest.write_bytes(good)

    # A damaged content is read from the files where these still say the same.
    content = store / "objects" / json.loads(good.split(b"\n")[0])["content"]
    whole = content.read_bytes()
    content.write_bytes(whole[: len(whole) // 2])
    restart_controld(bench)
    same(bench.gateway.json("status")["policy"]["revision"], 2, "from the files")
    true("revision-store-damaged" in alarms(bench), "an alarm")
    (bench.policy / "denial.toml").write_text("damaged")
    restart_controld(bench)
    same(bench.gateway.json("status")["policy"]["revision"], 1, "neither: the one before")
    true(reaches(bench), "it is in force")

    bench.gateway.controld.stop()
    bench.gateway.dataplane.stop()
    last = bench.gateway.state_dir / "image.last"
    image = last.read_bytes()
    last.unlink()
    last.write_bytes(image[:5000] + bytes([image[5000] ^ 1]) + image[5001:])
    bench.gateway.start_dataplane()
    with DataPlane(bench.gateway.run_dir) as dataplane:
        wait_until(lambda: dataplane.status().generation > 0, "an image in force")
        same(dataplane.status().alarms, 1, "it says that image.last was damaged")
    bench.gateway.start_controld()
    bench.gateway.await_image()
    wait_until(lambda: reaches(bench), "finance reaches the budget system")

    # Nothing is left that could be trusted: it forwards nothing until it is given an image.
    bench.gateway.controld.stop()
    bench.gateway.dataplane.stop()
    for name in ("image.last", "image.before"):
        file = bench.gateway.state_dir / name
        image = file.read_bytes()
        file.unlink()
        file.write_bytes(image[: len(image) // 2])
    bench.gateway.start_dataplane()
    with DataPlane(bench.gateway.run_dir) as dataplane:
        same((dataplane.status().alarms, dataplane.status().generation), (1, 0), "alarm, and no image")
    true(not reaches(bench), "closed")
    bench.gateway.start_controld()
    bench.gateway.await_image()
    wait_until(lambda: reaches(bench), "finance reaches it again")


@test(BARE)
def controld_killed_at_any_moment(bench: Bench) -> None:
    """SIGKILL at random moments of applies: no verdict changes, no counted packet is lost, a start finds one
    of the two policies, whole."""
    start(bench)
    finance, hrss = bench["finance"], bench["hrss"]
    before = bench.counters().reasons
    done = 0
    for number in range(12):
        (bench.policy / "more.toml").write_text(
            f'[[service]]\nid = "more-{number}"\nzone = "extranet"\nendpoints = ["59.205.17.{100 + number}:80/tcp"]\n')
        running = subprocess.Popen(
            [str(bench.build / "tools/cli/meiguan"), "--run-dir", str(bench.gateway.run_dir), "apply",
             str(bench.policy)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.005 * number ** 1.5)
        bench.gateway.controld.stop(by=signal.SIGKILL)
        done += running.wait(20) == 0
        same(curl(finance, *BUDGET), "cloud", f"round {number}: without a control plane")
        same(curl(hrss, *BUDGET, 0.3), None, f"round {number}: what is denied stays denied")
        bench.gateway.start_controld()
        bench.gateway.await_image()
        same(alarms(bench) - {"policy-files-differ"}, set(), f"round {number}: alarms")
        now = history(bench)[0]
        true(now["state"] == "in-force", f"round {number}: the newest is in force: {now}")
    after = bench.counters()
    same(sum(after.reasons.values()), after.totals["packets"], "every packet ended with one reason")
    true((after.reasons - before)["allowed"] >= 12 * 6, "the answers of 12 rounds were counted")
    same({name for name in (after.reasons - before) if name == "revoked"}, set(), "flows revoked")


def fill_up(file: Path) -> None:
    """Writes until there is no room for a byte."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 16, 1 << 9, 1):
            with contextlib.suppress(OSError):
                while True:
                    out.write(bytes(size))


@test(BARE)
def full_disk_changes_nothing(bench: Bench) -> None:
    """No room in the state directory: a change is refused, forwarding goes on, room again and it works."""
    bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
    bench.county.serve()
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    state = bench.gateway.state_dir
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(state)], check=True)
    try:
        bench.gateway.start()
        fill = state / "fill"
        fill_up(fill)
        write_denial(bench)
        said = apply(bench, want=3)
        true("could not be recorded" in said, f"why, of the audit log first: {said}")
        true(reaches(bench), "what was in force stays")
        same(len(history(bench)), 1, "revisions")
        fill.unlink()
        apply(bench, "--confirm", "4s")
        true(not reaches(bench), "with room again")
        fill_up(fill)
        wait_until(lambda: reaches(bench), "the return does not hang on room", 8)
        true("revision-not-recorded" in alarms(bench), "an alarm")
        same(len(history(bench)), 2, "nothing is written down")
        fill.unlink()
        owed = {"revision-not-recorded", "image-not-kept"}
        wait_until(lambda: not alarms(bench) & owed, "what failed is tried again until it is done", 150)
        same([(row["state"], row["origin"]) for row in history(bench)][0], ("in-force", "return"), "written down")
        restart_controld(bench)
        true(reaches(bench), "the start knows that it was not confirmed")
    finally:
        bench.gateway.stop()
        subprocess.run(["umount", "-l", str(state)], check=False)


@test(BARE)
def clock_jumps_do_not_move_the_deadline(bench: Bench) -> None:
    """A day forward, a day back: a revision waits as long as was asked for."""
    if not shutil.which("faketime"):
        raise AssertionError("faketime is not installed: tools/packages test")
    start(bench)
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    clock = bench.lab.directory / "clock"
    bench.gateway.controld.stop()
    kept = dict(os.environ)
    os.environ.update({"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                       "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    try:
        clock.write_text("+0")
        bench.gateway.start_controld()
    finally:
        os.environ.clear()
        os.environ.update(kept)
    bench.gateway.await_image()
    write_denial(bench)
    for jump in ("+1d", "-1d"):
        apply(bench, "--confirm", "4s")
        began = time.monotonic()
        clock.write_text(jump)
        time.sleep(1.5)
        same(history(bench)[0]["state"], "unconfirmed", f"{jump}: it still waits")
        wait_until(lambda: history(bench)[0]["origin"] == "return", f"{jump}: the return", 8)
        true(3 < time.monotonic() - began < 7, f"{jump}: after {time.monotonic() - began:.1f} s")
        true(reaches(bench), f"{jump}: back in force")


@test(BARE)
def other_ports_by_apply(bench: Bench) -> None:
    """Another gateway file with other ports: refused, unless it is said that ports may be opened anew."""
    start(bench)
    other = county.gateway_file(bench.lab, bench.driver, mtu={"lan": 1400}, name="other.toml")
    other.write_text(other.read_text().replace("veth-lan", "veth-nowhere", 1))
    bad = apply(bench, "--gateway", str(other), "--reopen-ports", want=3)
    true("veth-nowhere" in bad, f"which: {bad}")
    wait_until(lambda: reaches(bench), "the ports of before are open again")
    workers = county.gateway_file(bench.lab, bench.driver, workers=1, name="without.toml")
    text = workers.read_text()
    first = text.index('[[port]]\nname = "mgmt"')
    workers.write_text(text[:first] + text[text.find("[[", first + 2):])
    true("--reopen-ports" in apply(bench, "--gateway", str(workers), want=3), "what to do")
    true(reaches(bench), "nothing has changed")
    apply(bench, "--gateway", str(workers), "--reopen-ports")
    wait_until(lambda: reaches(bench), "through the ports of the new file")
    true("mgmt" not in [row["port"] for row in bench.gateway.json("ports")["rows"]], "its ports")


def chapter(page: str, heading: str) -> list[list[str]]:
    """The commands of one chapter of a README, as written."""
    text = (ROOT / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    true(lines and all(words[:2] == ["sudo", "meiguan"] for words in lines), f"{page}: commands of the chapter")
    return [words[2:] for words in lines]


@test(BARE)
def readme_changes_safely_as_written(bench: Bench) -> None:
    """The chapter "Change safely" of both READMEs, command by command."""
    start(bench)
    for page, heading in (("README.md", "Change safely"), ("README.zh-CN.md", "安全地更改")):
        write_denial(bench, f"denial-{len(page)}")
        for words in chapter(page, heading):
            done = bench.gateway.ask(*[str(bench.policy) if word == "mine" else word for word in words])
            same(done.returncode, 1 if words[0] == "compare" else 0,
                 f"{page}: meiguan {shlex.join(words)}: {done.stdout}{done.stderr}")
    true(reaches(bench), "rolled back to the first revision")
