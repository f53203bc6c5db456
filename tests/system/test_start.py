"""What keeps a program from starting, and what it says then."""

import json
import os
import re
import socket
from pathlib import Path

from lab import BARE, Bench, county, programs, same, small, test, true


def image_of(bench: Bench) -> Path:
    """An image of the sample, as a gateway that ran once leaves it."""
    bench.county = county.County.build(bench.lab, hosts=())
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    bench.gateway.start()
    return bench.gateway.state_dir / "image.last"


def refused(bench: Bench, where: str, *words: str, code: int, says: str) -> None:
    """The data plane ends with the code, with one clear sentence and no stack of DPDK's."""
    process = bench[where].start("meiguan-dataplane", str(programs(bench.build)["meiguan-dataplane"]),
                                 "--lang", "en", *words)
    same(process.wait(20), code, f"exit code: {process.output()}")
    true(says in process.output(), f"{says!r} in what it says: {process.output()}")


@test(BARE)
def data_plane_says_what_it_lacks(bench: Bench) -> None:
    """No such interface, no huge pages, no room, a second one of it: a sentence that says what to do."""
    image = image_of(bench)
    bench.lab.namespace("empty")
    own = ("--run-dir", str(bench.lab.directory / "run-2"), "--state-dir", str(bench.lab.directory / "state-2"))
    for name in ("run-2", "state-2"):
        (bench.lab.directory / name).mkdir()
    refused(bench, "empty", *own, *small(), "--image", str(image), code=3, says="veth-lan")
    refused(bench, "gateway", *own, "--image", str(image), "--memory", "1000000", code=3, says="huge pages")
    refused(bench, "gateway", "--run-dir", str(bench.gateway.run_dir), "--state-dir", str(bench.gateway.state_dir),
            *small(), code=3, says="already")
    broken = bench.lab.directory / "broken.image"
    broken.write_bytes(image.read_bytes()[:1000])
    refused(bench, "gateway", *own, *small(), "--image", str(broken), code=2, says="image")
    refused(bench, "gateway", "--no-such-option", code=2, says="no-such-option")


@test(BARE)
def data_plane_without_permission(bench: Bench) -> None:
    """Without the rights that it needs it says which."""
    image = image_of(bench)
    bench.gateway.stop()
    for name in ("run-3", "state-3"):
        (bench.lab.directory / name).mkdir()
        os.chown(bench.lab.directory / name, 65534, 65534)
    os.chmod(bench.lab.directory, 0o755)
    copy = bench.lab.directory / "image"
    copy.write_bytes(image.read_bytes())
    copy.chmod(0o644)
    program = bench.lab.directory / "meiguan-dataplane"
    program.write_bytes(programs(bench.build)["meiguan-dataplane"].read_bytes())
    program.chmod(0o755)
    process = bench["gateway"].start(
        "meiguan-dataplane", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", str(program),
        "--lang", "en", "--run-dir", str(bench.lab.directory / "run-3"), "--state-dir",
        str(bench.lab.directory / "state-3"), *small(), "--image", str(copy))
    same(process.wait(20), 3, f"exit code: {process.output()}")
    true("CAP_NET_RAW" in process.output() or "root" in process.output(), f"what to do: {process.output()}")


def rights_of_unit() -> list[str]:
    """The capabilities that packaging/systemd gives to the data plane, as setpriv writes them."""
    unit = (county.ROOT / "packaging/systemd/meiguan-dataplane.service").read_text()
    given = re.search(r"^AmbientCapabilities=(.*)$", unit, re.MULTILINE)
    assert given, "the unit gives no capabilities"
    return [name.removeprefix("CAP_").lower() for name in given[1].split()]


@test(BARE)
def service_manager_hears_of_the_data_plane(bench: Bench) -> None:
    """With its unit's user and capabilities it starts, says READY, then WATCHDOG again and again, STOPPING at last."""
    image = image_of(bench)
    bench.gateway.stop()
    for name in ("run-4", "state-4"):
        (bench.lab.directory / name).mkdir()
        os.chown(bench.lab.directory / name, 65534, 65534)
    os.chmod(bench.lab.directory, 0o755)
    copy, program = bench.lab.directory / "image", bench.lab.directory / "meiguan-dataplane"
    copy.write_bytes(image.read_bytes())
    copy.chmod(0o644)
    program.write_bytes(programs(bench.build)["meiguan-dataplane"].read_bytes())
    program.chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        path = bench.lab.directory / "notify"
        heard.bind(str(path))
        path.chmod(0o666)
        heard.settimeout(20)
        caps = ",".join(f"+{name}" for name in rights_of_unit())
        process = bench["gateway"].start(
            "meiguan-dataplane", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            "--inh-caps", f"-all,{caps}", "--ambient-caps", f"-all,{caps}", "--bounding-set", f"-all,{caps}",
            "--no-new-privs", "env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=300000", str(program), "--lang", "en",
            "--run-dir", str(bench.lab.directory / "run-4"), "--state-dir", str(bench.lab.directory / "state-4"),
            *small(), "--image", str(copy))
        told = [heard.recv(4096).decode() for _ in range(5)]
        same([line for line in told if line.startswith("READY=1")], ["READY=1\nSTATUS=forwarding"],
             f"told: {told}; {process.output()}")
        same(told[-3:], ["WATCHDOG=1"] * 3, f"told: {told}")
        process.stop()
        while (last := heard.recv(4096).decode()) == "WATCHDOG=1":
            pass
        same(last, "STOPPING=1", "the last word")


@test(BARE)
def bad_input_is_refused(bench: Bench) -> None:
    """A broken policy or gateway file: exit code 2, the place of the mistake, and no half-loaded anything."""
    bench.county = county.County.build(bench.lab, hosts=())
    good = county.gateway_file(bench.lab, bench.driver)
    bad = bench.lab.directory / "bad-gateway.toml"
    bad.write_text(good.read_text().replace('zone = "dmz"', 'zone = "dmzz"'))
    broken = bench.lab.directory / "broken"
    broken.mkdir()
    (broken / "node.toml").write_text((county.POLICY / "node.toml").read_text() + "\n[[rule]]\nid = 7\n")
    gateway = bench.new_gateway(bench.policy, good)
    gateway.start_dataplane()
    for policy, file, says in ((bench.policy, bad, "bad-gateway.toml:"), (broken, good, "node.toml:"),
                               (bench.lab.directory / "nowhere", good, "nowhere")):
        process = bench["gateway"].start(
            "meiguan-controld", str(programs(bench.build)["meiguan-controld"]), "--run-dir", str(gateway.run_dir),
            "--state-dir", str(gateway.state_dir), "--policy", str(policy), "--gateway", str(file))
        same(process.wait(20), 2, f"exit code: {process.output()}")
        true(says in process.output(), f"{says!r} in what it says: {process.output()}")


@test(BARE)
def doctor_says_what_to_do(bench: Bench) -> None:
    """A forwarding kernel, a missing interface, no state directory: each by name, with the command that mends it."""
    bench.county = county.County.build(bench.lab, hosts=())
    good = county.gateway_file(bench.lab, bench.driver)
    gateway = bench["gateway"]

    def doctor(file: Path, state: Path) -> tuple[int, dict[str, dict[str, str]]]:
        done = gateway.run(str(programs(bench.build)["meiguan"]), "doctor", "--lang", "en", "-o", "jsonl", "--policy",
                           str(bench.policy), "--gateway", str(file), "--state-dir", str(state))
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, {row["check"]: row for row in rows}

    gateway.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    code, rows = doctor(good, bench.lab.directory)
    same({row["health"] for check, row in rows.items() if check.startswith("port ")}, {"good"}, f"ports: {rows}")
    same(rows["disk"]["health"], "good", f"disk: {rows['disk']}")
    gateway.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    missing = bench.lab.directory / "missing.toml"
    missing.write_text(good.read_text().replace("veth-lan", "no-such-if", 1))
    code, rows = doctor(missing, bench.lab.directory / "nowhere")
    same(code, 1, "the exit code where something is bad")
    true(any(row["health"] == "bad" and "no-such-if" in row["found"] for row in rows.values()), f"interface: {rows}")
    forwards = rows["kernel-forwarding-ipv4"]
    same(forwards["health"], "warning", f"forwarding: {forwards}")
    true("ip_forward=0" in forwards["fix"], f"forwarding: {forwards}")
    same(rows["disk"]["health"], "bad", f"disk: {rows['disk']}")


@test(BARE)
def doctor_looks_at_certificates(bench: Bench) -> None:
    """One that lasts, one that soon expires, one that is damaged, and an appliance file with a mistake."""
    gateway, directory = bench.lab.namespace("gateway"), bench.lab.directory
    appliance = directory / "appliance.toml"
    appliance.write_text('[roles]\nsystem = ["1"]\nsecurity = ["2"]\naudit = ["3"]\nsocket_group = "0"\n[api]\n'
                         'listen = "127.0.0.1:8443"\ncertificate = "own.pem"\nkey = "own.key"\n'
                         'authority = "own.pem"\nnetworks = ["127.0.0.0/8"]\n')

    def doctor() -> dict[str, dict[str, str]]:
        done = gateway.run(str(programs(bench.build)["meiguan"]), "doctor", "--lang", "en", "-o", "jsonl",
                           "--appliance", str(appliance))
        return {row["check"]: row for row in map(json.loads, done.stdout.splitlines())}

    for days, health, says in ((400, "good", "days left"), (10, "warning", "days left")):
        done = gateway.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-keyout", str(directory / "own.key"), "-out", str(directory / "own.pem"), "-days",
                           str(days), "-subj", "/CN=gateway")
        same(done.returncode, 0, done.stderr)
        row = doctor()["certificate [api]"]
        same((row["health"], says in row["found"]), (health, True), f"{days} days: {row}")
    (directory / "own.pem").write_text("damaged")
    row = doctor()["certificate [api]"]
    true(row["health"] == "bad" and "own.pem" in row["fix"], f"damaged: {row}")
    appliance.write_text("[trust]\nrequierd = true\n")
    row = doctor()["appliance-file"]
    true(row["health"] == "bad" and "requierd" in row["found"], f"a mistake: {row}")
