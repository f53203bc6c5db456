"""FTP across the boundary: every way to open a data connection, out by the egress and in to what is published."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from clients import url
from lab import Bench, same, test, wait_until
from nat_lab import FAR, INSIDE, NAT, NAT_TWO
from wire import watched

PYTHON = "/usr/bin/python3"  # where Debian's python3-pyftpdlib is
WAYS = {"EPSV": (), "PASV": ("--disable-epsv",), "EPRT": ("-P", "-"), "PORT": ("-P", "-", "--disable-eprt")}
TEXT = "一份文件 a file\n" * 2000


@contextmanager
def ftp_server(bench: Bench, host: str, address: str) -> Iterator[None]:
    shared = bench.lab.directory / f"ftp-{host}"
    shared.mkdir(exist_ok=True)
    (shared / "file").write_text(TEXT, encoding="utf-8")
    server = bench[host].start(f"ftp-{host}", PYTHON, "-m", "pyftpdlib", "-i", address, "-p", "21", "-w", "-d",
                               str(shared))
    wait_until(lambda: server.listens(21), "the FTP server listens")
    try:
        yield
    finally:
        server.stop()


def fetched(bench: Bench, host: str, address: str, words: tuple[str, ...]) -> str:
    done = bench[host].run("curl", "-sS", "-m", "10", *words, url(address, 21, "/file").replace("http:", "ftp:"))
    return done.stdout or done.stderr


@test(NAT, NAT_TWO)
def ftp_leaves_by_the_egress(bench: Bench) -> None:
    """Active as well as passive, over IPv4 and IPv6: the server connects to what the pool stands for."""
    for far in FAR:
        with ftp_server(bench, "far", far):
            for way, words in WAYS.items():
                if ":" in far and way in ("PASV", "PORT"):
                    continue  # IPv4 alone has these (RFC 2428)
                with watched(bench, "internet", INSIDE):
                    counted = bench.measure(lambda w=words: same(fetched(bench, "hrss", far, w), TEXT, f"{way} {far}"))
                same(counted.drops(late=4), {}, f"drops of {way} {far}")


@test(NAT, NAT_TWO)
def ftp_to_what_is_published(bench: Bench) -> None:
    """The server tells its inside address, and clients outside are told the public one."""
    with ftp_server(bench, "portal", "203.0.113.21"):
        for way, words in WAYS.items():
            with watched(bench, "internet", INSIDE):
                counted = bench.measure(lambda w=words: same(fetched(bench, "far", "203.0.113.36", w), TEXT, way))
            drops = counted.drops(late=4)
            drops.pop("too-big", None)  # the way out is narrow, and the server is told so
            same(drops, {}, f"drops of {way}")
