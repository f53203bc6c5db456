"""Huge pages for the time of a measurement: reserved where too few are free, and given back."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
PAGE = 2 << 20


class NoHugepages(Exception):
    """There is no room; the message says what to do."""


class Hugepages:
    def __init__(self, wanted_bytes: int) -> None:
        self.pages = -(-wanted_bytes // PAGE)
        self.before: int | None = None

    @staticmethod
    def _read(name: str) -> int:
        return int((POOL / name).read_text())

    def __enter__(self) -> Hugepages:
        if not POOL.is_dir():
            raise NoHugepages("this kernel has no huge pages of 2 MB")
        total, free = self._read("nr_hugepages"), self._read("free_hugepages")
        if free >= self.pages:
            return self
        if os.geteuid() != 0:
            raise NoHugepages(f"{free} huge pages are free and {self.pages} are needed: run as root, or "
                              f"reserve them with 'sysctl vm.nr_hugepages={total - free + self.pages}'")
        self.before = total
        (POOL / "nr_hugepages").write_text(str(total - free + self.pages))
        if (free := self._read("free_hugepages")) < self.pages:
            self.give_back()
            raise NoHugepages(f"only {free * PAGE >> 20} of {self.pages * PAGE >> 20} MB of huge pages can be "
                              "had: give fewer --packets, or free some memory")
        return self

    def give_back(self) -> None:
        if self.before is not None:
            (POOL / "nr_hugepages").write_text(str(self.before))
            self.before = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.give_back()
