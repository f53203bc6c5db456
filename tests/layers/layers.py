#!/usr/bin/env python3
"""Checks that the libraries include one another one way only, and other facts that a reader can see.

    tests/layers/layers.py [ROOT]

Prints a line for each violation, `FILE:LINE: what is, what should be`, and ends with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

CORE = ("dataplane/base", "dataplane/net", "dataplane/image", "dataplane/fastpath")
CRYPTO = ("dataplane/base", "controlplane/crypto")
WEB = ("dataplane/base", "dataplane/net", "controlplane/web")
CHANNEL = (*CORE, "dataplane/channel")
POLICY = (*CORE, "controlplane/policy")
ANALYSIS = (*POLICY, "controlplane/analysis")
AUDIT = (*CRYPTO, "controlplane/audit")
LIFECYCLE = (*ANALYSIS, *CRYPTO, "dataplane/channel", "controlplane/lifecycle")
KERNEL = (*LIFECYCLE, "controlplane/host", "controlplane/kernel")
SYSLOG = (*LIFECYCLE, *AUDIT, *WEB, "controlplane/syslog")
STORE = (*CORE, "controlplane/store")
REPORT = (*ANALYSIS, "dataplane/channel", "controlplane/store", "controlplane/report")
EXPORT = (*REPORT, "controlplane/export")
UPLINK = (*LIFECYCLE, "controlplane/store", "controlplane/web", "controlplane/uplink")
SERVED = (*ANALYSIS, "dataplane/channel", "controlplane/web", "controlplane/lifecycle", "controlplane/store",
          "controlplane/report", "controlplane/export", "controlplane/uplink", "controlplane/syslog",
          "controlplane/access", *AUDIT)

# What each library may include of ours, itself among it: the arrows, inside out.
MAY_INCLUDE: dict[str, tuple[str, ...]] = {
    "dataplane/base": CORE[:1],
    "dataplane/net": CORE[:2],
    "dataplane/image": CORE[:3],
    "dataplane/fastpath": CORE,
    "dataplane/channel": CHANNEL,
    "dataplane/runtime": (*CHANNEL, "dataplane/runtime"),
    "controlplane/policy": POLICY,
    "controlplane/analysis": ANALYSIS,
    "controlplane/lifecycle": LIFECYCLE,
    "controlplane/store": STORE,
    "controlplane/report": REPORT,
    "controlplane/uplink": UPLINK,
    "controlplane/export": EXPORT,
    "controlplane/crypto": CRYPTO,
    "controlplane/audit": AUDIT,
    "controlplane/web": WEB,
    "controlplane/syslog": SYSLOG,
    "controlplane/access": (*EXPORT, *SYSLOG, "controlplane/access"),
    "controlplane/host": (*POLICY, "controlplane/host"),
    "controlplane/kernel": KERNEL,
    "controlplane/api": (*SERVED, "controlplane/api"),
    "controlplane/daemon": (*SERVED, *KERNEL, "controlplane/api", "controlplane/daemon"),
    "tools/cli": (*SERVED, "controlplane/host", "controlplane/api", "tools/cli"),
    "tools/bench": (*SERVED, "tools/bench"),
}

# Where the headers of a foreign library may be included: directories end in "/", files do not.
FOREIGN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"rte_", "DPDK", ("dataplane/runtime/",)),
    (r"toml\+\+/", "toml++", ("controlplane/policy/toml_reader.cc",)),
    (r"(sqlite3|libpq-fe|libpq/)", "SQL", ("controlplane/store/",)),
    (r"openssl/(?!ssl)", "OpenSSL's cryptography",
     ("controlplane/crypto/", "controlplane/web/", "controlplane/export/tls.cc")),
    (r"(openssl/ssl|boost/asio/ssl|boost/beast)", "TLS and HTTP",
     ("controlplane/web/", "controlplane/export/tls.cc")),
    (r"zstd", "zstd", ("controlplane/lifecycle/", "controlplane/report/", "controlplane/store/")),
    (r"libmnl/", "netlink", ("controlplane/host/", "dataplane/runtime/")),
    (r"libnftnl/", "nftables by netlink", ("controlplane/host/",)),
    (r"pcap", "libpcap", ("dataplane/runtime/capture.h", "tools/cli/capture_filter.cc", "tests/")),
    (r"CLI/", "CLI11", ("tools/cli/", "controlplane/daemon/", "dataplane/runtime/")),
    (r"boost/test/", "Boost.Test", ("tests/",)),
    (r"benchmark/", "Google Benchmark", ("tests/", "tools/bench/")),
)

# What the innermost libraries do without: I/O, clocks, locks, text for people.
PURE = ("dataplane/net/", "dataplane/image/", "dataplane/fastpath/")
IMPURE = re.compile(
    r"(iostream|fstream|sstream|ostream|istream|cstdio|stdio\.h|chrono|ctime|time\.h|sys/time\.h|mutex|"
    r"shared_mutex|condition_variable|thread|semaphore|future|filesystem|unistd\.h|fcntl\.h|poll\.h|"
    r"sys/socket\.h|sys/epoll\.h|locale|regex)$")

# Nothing runs before main, nothing registers itself, product code does not know that tests exist.
SELF_STARTING = (
    (re.compile(r"__attribute__\s*\(\(\s*(constructor|destructor)|\[\[gnu::(constructor|destructor)"),
     "runs before or after main"),
    (re.compile(r"^\s*(RTE_INIT|RTE_FINI|RTE_PMD_REGISTER|RTE_LOG_REGISTER)\w*\s*\("), "registers itself"),
    (re.compile(r"#\s*(if|ifdef|ifndef|elif)\b.*(UNIT_?TEST|TESTING|FUZZING|_TEST\b)"),
     "asks whether it is being tested"),
)

# Files beside the code that only tests, fuzzers and benchmarks are made of.
TEST_NAME = re.compile(r"(test_\w+|\w+_(test|test_main|fixture|bench))\.(cc|h)")
MAX_LINES = 400
LONG_FILES_HEADING = "## Files over 400 lines"
INCLUDE = re.compile(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")')


@dataclass(frozen=True)
class Violation:
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def is_test(file: str) -> bool:
    return file.startswith("tests/") or bool(TEST_NAME.fullmatch(file.rsplit("/", 1)[-1]))


def library_of(file: str) -> str | None:
    return next((name for name in MAY_INCLUDE if file.startswith(name + "/")), None)


def sources(root: Path) -> Iterator[tuple[str, list[str]]]:
    for top in ("dataplane", "controlplane", "tools", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".cc", ".h", ".def"):
                yield path.relative_to(root).as_posix(), path.read_text().splitlines()


def check_include(root: Path, file: str, name: str, quoted: bool) -> Iterator[str]:
    if quoted:
        if not (root / name).is_file():
            yield f'"{name}" is no path from the top; ours are included by "directory/file.h"'
            return
        library, target = library_of(file), library_of(name)
        if library and target is None:
            yield f'{library} includes "{name}", which is in no library'
        elif library and target not in MAY_INCLUDE[library]:
            yield f'{library} may not see {target}: "{name}"'
        if is_test(name) and not is_test(file):
            yield f'product code includes "{name}", which is a test\'s'
        return
    if (root / name).is_file():
        yield f'<{name}> is ours; include it as "{name}"'
    for pattern, what, places in FOREIGN:
        if re.match(pattern, name) and not file.startswith(places) and not (
                "tests/" in places and is_test(file)):
            yield f"{what} (<{name}>) is for {', '.join(places)} only"
    if file.startswith(PURE) and not is_test(file) and IMPURE.match(name):
        yield f"{library_of(file)} does no I/O, reads no clock and takes no lock: <{name}>"


def check_sources(root: Path) -> Iterator[Violation]:
    for file, lines in sources(root):
        for number, line in enumerate(lines, 1):
            if include := INCLUDE.match(line):
                quoted = include[1].startswith('"')
                for message in check_include(root, file, include[1][1:-1], quoted):
                    yield Violation(file, number, message)
            if is_test(file):
                continue
            for pattern, what in SELF_STARTING:
                if pattern.search(line):
                    yield Violation(file, number, f"{what}: {line.strip()}")
        if file.endswith(".h") and "#pragma once" not in lines:
            yield Violation(file, 1, "has no #pragma once")


def check_builds(root: Path) -> Iterator[Violation]:
    """DPDK's include path is given to the runtime alone."""
    for path in sorted(root.glob("*/**/meson.build")) + [root / "meson.build"]:
        file = path.relative_to(root).as_posix()
        if not path.is_file() or file.startswith(("dataplane/runtime/", "build")):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"libdpdk|dpdk_dep", line.split("#")[0]):
                yield Violation(file, number, "DPDK is for dataplane/runtime only")


def check_lengths(root: Path) -> Iterator[Violation]:
    """A file over 400 lines needs a reason, and the reason stands in HACKING.md."""
    reasons: dict[str, int] = {}
    inside = False
    hacking = root / "HACKING.md"
    for number, line in enumerate(hacking.read_text().splitlines() if hacking.is_file() else [], 1):
        if line.startswith("#"):
            inside = line.strip() == LONG_FILES_HEADING
        elif inside and (row := re.match(r"\|\s*`([^`]+)`\s*\|\s*[^|\s]", line)):
            reasons[row[1]] = number
    for top in ("dataplane", "controlplane", "tools", "tests"):
        for path in sorted((root / top).rglob("*")):
            if not path.is_file() or not is_code(path):
                continue
            file, lines = path.relative_to(root).as_posix(), path.read_text().count("\n")
            excused = reasons.pop(file, None)
            if lines > MAX_LINES and excused is None:
                yield Violation(file, lines, f"{lines} lines; split it, or give the reason in HACKING.md, "
                                f'"{LONG_FILES_HEADING[3:]}"')
            elif lines <= MAX_LINES and excused is not None:
                yield Violation("HACKING.md", excused, f"{file} has {lines} lines and needs no reason")
    for file, number in reasons.items():
        yield Violation("HACKING.md", number, f"{file} does not exist")


def is_code(path: Path) -> bool:
    if path.suffix in (".cc", ".h", ".py"):
        return True
    if path.suffix:
        return False
    with path.open("rb") as opened:
        return opened.read(2) == b"#!"


def check(root: Path) -> list[Violation]:
    return [*check_sources(root), *check_builds(root), *check_lengths(root)]


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    violations = check(root)
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
