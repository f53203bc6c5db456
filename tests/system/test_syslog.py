"""Audit records and denials to a real rsyslog, by UDP and by TLS; it is killed and comes back."""

import json
import re
import signal
import subprocess
from pathlib import Path

from clients import curl
from lab import BARE, Bench, Gateway, Namespace, same, test, true, wait_until
from namespaces import Process
from test_access import records, start, verified

UDP, TLS = 15514, 16514


class Rsyslog:
    """A server that writes what comes, as it came."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "received"
        self.config = directory / "rsyslog.conf"
        (directory / "work").mkdir()
        authority, self.own, self.client = directory / "authority", directory / "server", directory / "gateway"
        make_certificates(authority, self.own, self.client)
        self.config.write_text(f"""global(workDirectory="{directory}/work" maxMessageSize="64k"
  defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{authority}.pem"
  defaultNetstreamDriverCertFile="{self.own}.pem" defaultNetstreamDriverKeyFile="{self.own}.key")
module(load="imudp")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="whole" type="string" string="%rawmsg%\\n")
ruleset(name="all") {{ action(type="omfile" file="{self.output}" template="whole" asyncWriting="off") }}
input(type="imudp" address="127.0.0.1" port="{UDP}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="{TLS}" ruleset="all")
""")
        self.process: Process | None = None

    def start(self, where: Namespace) -> None:
        self.process = where.start("rsyslogd", "rsyslogd", "-n", "-f", str(self.config),
                                   "-i", str(self.directory / "rsyslogd.pid"))

    def kill(self) -> None:
        assert self.process
        self.process.stop(by=signal.SIGKILL)
        (self.directory / "rsyslogd.pid").unlink(missing_ok=True)

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines() if self.output.exists() else []

    def records(self) -> list[tuple[int, str]]:
        """Number and text of the audit records, in order, each once."""
        found: dict[int, str] = {}
        for line in self.lines():
            if match := re.match(r'<1..>1 \S+ \S+ meiguan \d+ \S+ \[meiguan@32473 n="(\d+)" [^]]*\] \ufeff?(.*)', line):
                found.setdefault(int(match[1]), match[2])
        return list(found.items())


def make_certificates(authority: Path, *others: Path) -> None:
    def openssl(*words: str | Path) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*new, "-x509", "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-subj", "/CN=authority",
            "-addext", "keyUsage=critical,keyCertSign")
    for other in others:
        openssl(*new, "-x509", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-keyout", f"{other}.key",
                "-out", f"{other}.pem", "-subj", f"/CN={other.name}", "-addext", "subjectAltName=IP:127.0.0.1",
                "-addext", "basicConstraints=critical,CA:FALSE")
        Path(f"{other}.key").chmod(0o600)


def has_all(server: Rsyslog, gateway: Gateway) -> None:
    def said() -> bool:
        lines = [line for file in sorted((gateway.state_dir / "audit").glob("audit-*.log"))
                 for line in file.read_text().splitlines()]
        got = server.records()
        return [text for _, text in got] == lines and [n for n, _ in got] == list(range(1, len(lines) + 1))

    wait_until(said, "the server has the whole log, in order", seconds=30)


def forwards(bench: Bench, table: str) -> None:
    directory = bench.lab.directory / "syslog"
    directory.mkdir()
    server = Rsyslog(directory)
    gateway = start(bench, table.format(directory=directory))
    server.start(gateway.where)
    comment = "周五变更：放行预算系统"
    same(gateway.ask("apply", "--policy", str(bench.policy), "--comment", comment).returncode, 0, "apply")
    has_all(server, gateway)
    true(any(comment in line and "\ufeff{" in line for line in server.lines()), "Chinese behind a byte-order mark")
    wait_until(lambda: any(r["event"] == "syslog-up" for r in records(gateway)), "that it is connected is in the log")
    server.kill()
    for number in range(30):
        same(gateway.ask("reload").returncode, 0, f"reload {number}")
    wait_until(lambda: "syslog-away" in [a["alarm"] for a in gateway.json("status")["alarms"]], "an alarm")
    server.start(gateway.where)
    has_all(server, gateway)
    wait_until(lambda: "syslog-away" not in [a["alarm"] for a in gateway.json("status")["alarms"]], "no alarm")
    for _ in range(3):
        curl(bench["finance"], "59.205.16.10", 81)
    wait_until(lambda: any("denial" in line and "packets" in line for line in server.lines()), "a denial is told of")
    gateway.controld.stop()
    # What came last is sent at the next start.
    gateway.start_controld()
    has_all(server, gateway)
    gateway.controld.stop()
    same(verified(gateway), 0, "the log is whole")
    true(all(line.startswith("<") for line in server.lines()), "a message is a line")
    for line in server.lines():
        if "denial" in line:
            json.loads(line[line.index("] ") + 2:])


@test(BARE)
def syslog_by_tls_loses_no_audit_record(bench: Bench) -> None:
    """Every record arrives whole and in order over TLS, also after the server was killed."""
    forwards(bench, f'[[syslog]]\nserver = "tls://127.0.0.1:{TLS}"\nauthority = "{{directory}}/authority.pem"\n'
                    'certificate = "{directory}/gateway.pem"\nkey = "{directory}/gateway.key"\n')


@test(BARE)
def syslog_by_udp_sends_again_what_nobody_took(bench: Bench) -> None:
    """The same by datagrams, where the server's host says that nobody listens."""
    forwards(bench, f'[[syslog]]\nserver = "udp://127.0.0.1:{UDP}"\n')
