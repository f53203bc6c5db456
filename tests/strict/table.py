"""All cases, in the order of STRICT.md."""

from __future__ import annotations

from dataclasses import dataclass

from . import addresses, boundary, evasion, fragments, helpers, icmp, ip, limits, link, state, transport, windows
from .case import Case


@dataclass(frozen=True)
class Section:
    english: str
    chinese: str
    cases: tuple[Case, ...]


SECTIONS = tuple(Section(english, chinese, tuple(cases())) for english, chinese, cases in (
    ("Frames", "帧", link.cases),
    ("The IP header, its options and extension headers", "IP 头、选项与扩展头", ip.cases),
    ("Addresses", "地址", addresses.cases),
    ("Transport headers", "传输层头", transport.cases),
    ("ICMP", "ICMP", icmp.cases),
    ("Fragments", "分片", fragments.cases),
    ("State", "状态", state.cases),
    ("TCP by its numbers", "TCP 序号与窗口", windows.cases),
    ("Evasions", "规避", evasion.cases),
))
# Those of a world of its own, where addresses are translated and flows limited.
BOUNDARY_SECTIONS = (Section("Translation", "地址转换", tuple(boundary.cases())),
                     Section("Helpers and filters", "辅助程序与过滤", tuple(helpers.cases())),
                     Section("Limits", "限制", tuple(limits.cases())))
CASES = tuple(case for section in SECTIONS for case in section.cases)
BOUNDARY = tuple(case for section in BOUNDARY_SECTIONS for case in section.cases)
NAMES = {case.name for case in CASES + BOUNDARY}
assert len(NAMES) == len(CASES) + len(BOUNDARY), "two cases have one name"
