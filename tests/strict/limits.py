"""Limits: as many as the policy says, and the next ends with the limit's own name."""

from __future__ import annotations

from typing import Iterator

from .case import V4, Case, Sent, dropped, frame, fresh, p, passed, story

SERVER = "10.2.0.10"


def cases() -> Iterator[Case]:
    yield story("unit-flows", "policy limits: flows = 2", udp("10.1.10.10", 1000), udp("10.1.10.11", 1000),
                over("flow-limit", udp("10.1.10.10", 1000)), over("flow-limit", tcp("10.1.10.12", 1000)))
    port = fresh()
    yield story("service-flows", "policy limits: flows = 2", udp("10.1.13.10", 1001), tcp("10.1.13.11", 1001, port),
                over("flow-limit", udp("10.1.13.12", 1001)), tcp("10.1.13.11", 1001, port))
    yield story("rule-flows", "policy limits: flows = 2", udp("10.1.13.20", 1003), udp("10.1.13.21", 1003),
                over("flow-limit", udp("10.1.13.20", 1003)), udp("10.1.13.20", 1004))
    yield story("unit-rate", "policy limits: new_per_second = 2", udp("10.1.11.10", 1000), udp("10.1.11.11", 1000),
                over("rate-limit", udp("10.1.11.10", 1000)), over("rate-limit", udp("10.1.11.12", 1000)))
    one, two = fresh(), fresh()
    yield story("service-half-open", "policy limits: half_open = 2", tcp("10.1.13.30", 1002, one),
                tcp("10.1.13.31", 1002, two), over("half-open", tcp("10.1.13.32", 1002)),
                answer("10.1.13.30", one), over("half-open", tcp("10.1.13.33", 1002)),
                acknowledged("10.1.13.30", one), tcp("10.1.13.33", 1002))
    large = fresh()
    whole = udp("10.1.12.10", 1000, large, bytes(8000))  # two of the largest are a burst, and one more may begin in it
    yield story("unit-bandwidth", "policy limits: bandwidth = 64kbit", *[whole] * 3,
                *[over("bandwidth-limit", whole)] * 3)
    yield story("source-flows", "FFW_RUL_EXT.1.7; [limits] source_flows = 70",
                *(udp("10.1.13.100", 2000 + n, 40000) for n in range(70)),
                *(over("source-flows", udp("10.1.13.100", 3000 + n, 40000)) for n in range(3)),
                udp("10.1.13.101", 2000))


def udp(source: str, port: int, own: int = 0, data: bytes = b"data") -> Sent:
    segment = p.udp(source, SERVER, own or fresh(), port, data)
    return passed(frame(V4.packet(17, segment, source, SERVER)))


def tcp(source: str, port: int, own: int = 0) -> Sent:
    return passed(frame(V4.packet(6, p.tcp(source, SERVER, own or fresh(), port, 1000, 0, p.SYN), source, SERVER)))


def answer(source: str, own: int) -> Sent:
    segment = p.tcp(SERVER, source, 1002, own, 5000, 1001, p.SYN | p.ACK)
    return passed(frame(V4.packet(6, segment, SERVER, source), "wan"), "lan", "wan")


def acknowledged(source: str, own: int) -> Sent:
    return passed(frame(V4.packet(6, p.tcp(source, SERVER, own, 1002, 1001, 5001, p.ACK), source, SERVER)))


def over(reason: str, sent: Sent) -> Sent:
    return dropped(reason, sent.frame, sent.port)
