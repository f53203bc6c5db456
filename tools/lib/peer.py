#!/usr/bin/env python3
"""The servers that a peer of the gateway runs: web pages, names, and who asks.

`peer.py --name TEXT [--http PORT]... [--dns ADDRESS]... [--who PORT]...` serves until it is ended; one line,
`ready`, says that every socket is open. The page at `/bytes/N` is N bytes long, that at `/ends` says which
addresses the connection has here, any other is one line of text; what is put is counted. A datagram to a `--who`
port is answered with its sender's address and port.
"""

from __future__ import annotations

import argparse
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

ANSWERS = {1: ip_address("59.205.39.10").packed, 28: ip_address("2001:db8:107:100::10").packed}


class Pages(BaseHTTPRequestHandler):
    name = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/bytes/"):
            left = int(self.path.removeprefix("/bytes/"))
        else:
            body = f"{self.ends() if self.path == '/ends' else self.name}\n".encode()
            left = 0
        self.send_response(200)
        self.send_header("Content-Length", str(left or len(body)))
        self.end_headers()
        if not left:
            self.wfile.write(body)
        while left:
            piece = bytes(min(left, 1 << 16))
            self.wfile.write(piece)
            left -= len(piece)

    def do_PUT(self) -> None:
        left = total = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)
        body = f"{total - left}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ends(self) -> str:
        """The client's address and port, the server's address and port."""
        names = (self.client_address, self.connection.getsockname())
        return " ".join(f"{name[0].removeprefix('::ffff:')} {name[1]}" for name in names)

    def log_message(self, *_: object) -> None:
        pass


class Pool(ThreadingHTTPServer):
    """One port of IPv4 and IPv6 together."""

    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 64


def dns_answer(query: bytes) -> bytes:
    """Answers A and AAAA questions with one address; anything else with no record."""
    end = query.index(b"\0", 12) + 5
    kind = int.from_bytes(query[end - 4:end - 2], "big")
    data = ANSWERS.get(kind)
    head = query[:2] + b"\x85\x80\0\x01" + (b"\0\x01" if data else b"\0\0") + bytes(4)
    answer = b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\x01\0\0\0\x3c" + \
        len(data).to_bytes(2, "big") + data if data else b""
    return head + query[12:end] + answer


def serve_datagrams(s: socket.socket) -> None:
    while True:
        query, client = s.recvfrom(4096)
        if len(query) > 16:
            s.sendto(dns_answer(query), client)


def serve_who(s: socket.socket) -> None:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    while True:
        _, asked, _, client = s.recvmsg(65536, 64)
        # From the address that was asked, of the several that there are.
        s.sendmsg([f"{client[0].removeprefix('::ffff:')} {client[1]}".encode()], asked, 0, client)


def serve_streams(s: socket.socket) -> None:
    while True:
        connection, _ = s.accept()
        with connection:
            connection.settimeout(5)
            try:
                query = connection.recv(4096)[2:]
                if len(query) > 16:
                    answer = dns_answer(query)
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)
            except OSError:
                pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--http", type=int, action="append", default=[])
    parser.add_argument("--dns", action="append", default=[])
    parser.add_argument("--who", type=int, action="append", default=[])
    arguments = parser.parse_args()
    Pages.name = arguments.name
    loops: list[threading.Thread] = []
    for port in arguments.http:
        loops.append(threading.Thread(target=Pool(("::", port), Pages).serve_forever))
    for address in arguments.dns:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        datagrams.bind((address, 53))
        streams = socket.create_server((address, 53), family=family)
        loops.append(threading.Thread(target=serve_datagrams, args=(datagrams,)))
        loops.append(threading.Thread(target=serve_streams, args=(streams,)))
    for port in arguments.who:
        datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        datagrams.bind(("::", port))
        loops.append(threading.Thread(target=serve_who, args=(datagrams,)))
    for loop in loops:
        loop.daemon = True
        loop.start()
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
