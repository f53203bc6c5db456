"""STRICT.md, from the table."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from .case import Sent
from .differences import DIFFERENCES, base
from .table import BOUNDARY, BOUNDARY_SECTIONS, CASES, SECTIONS, Section

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "STRICT.md"

HEAD = """# The strict matrix 严格性矩阵

Made by `tests/strict/`: do not edit; `UPDATE_EXPECT=1 python3 tests/strict/strict_test.py MEIGUAN` writes it anew.
Every packet below is built by our own scripts and judged twice, by `meiguan replay` and by the running
`meiguan-dataplane`; both must say what stands here, and what is forwarded must leave byte for byte as RFC 1812 and
RFC 8200 want it. Cases in which time passes are judged by replay alone. {packets} packets in {cases} cases; one
that stands for both families is written once.

本文件由 `tests/strict/` 生成，请勿手工修改；`UPDATE_EXPECT=1 python3 tests/strict/strict_test.py MEIGUAN` 重新生成。
下列报文全部由我们自己的脚本构造，并分别由 `meiguan replay` 和运行中的 `meiguan-dataplane` 判定，两者结论必须与本表一致；
放行的报文必须逐字节符合 RFC 1812 与 RFC 8200。含时间流逝的用例只由 replay 判定。共 {cases} 个用例、{packets} 个报文。两个地址族相同的用例只写一行。
"""


CHECKSUMS = """## Checksums 校验和

The checksum of an IPv4 header is verified, and of a quoted one (RFC 1812 5.2.2). Those of TCP, UDP and ICMP in transit
are not: they are between the two ends (RFC 9293 3.1, RFC 768), and no forwarder may rely on having them right. A
translation changes them by the difference alone (RFC 1624), so that a wrong one is as wrong behind it and the receiver
drops the packet; ours must not make a good one of it. What a packet with a wrong checksum does to a flow's state here
is what a right one with the same numbers does: a reset or FIN that its receiver never takes ends the flow here, and
what follows is dropped as `tcp-no-state`, never let by. Linux's connection tracking does verify them, and leaves such
packets without a state (`nf_conntrack_checksum`).

IPv4 首部及 ICMP 所引首部的校验和必须正确。转发报文的 TCP、UDP、ICMP 校验和属于两端，网关不验证；
地址转换按增量更新（RFC 1624），错误的校验和转换后仍然错误，由接收方丢弃。校验和错误的 RST、FIN 会使网关的流结束，其后的报文按 `tcp-no-state` 丢弃，不会因此放行。
"""


def text() -> str:
    every = CASES + BOUNDARY
    parts = [HEAD.format(packets=sum(len(c.sent) for c in every), cases=len(every))]
    for section in SECTIONS + BOUNDARY_SECTIONS:
        title = section.english if section.english == section.chinese else f"{section.english} {section.chinese}"
        parts.append(f"## {title}\n")
        parts.append("| Packets 报文 | Norm and clause 标准条款 | Verdict and reason 结论与原因 |\n|---|---|---|")
        parts += rows(section)
        parts.append("")
    parts.append(CHECKSUMS)
    parts.append(beside_the_kernel())
    parts.append(reasons())
    return "\n".join(parts)


def rows(section: Section) -> list[str]:
    """A line for each case; one for both families where they end alike."""
    told = {case.name: f"{case.norm} | {ends(case.sent)}" for case in section.cases}
    lines = []
    for name, text_ in told.items():
        other = base(name) + ("-v6" if name.endswith("-v4") else "-v4")
        if other != name and told.get(other) == text_:
            if name.endswith("-v4"):
                lines.append(f"| {base(name)} (v4, v6) | {text_} |")
        else:
            lines.append(f"| {name} | {text_} |")
    return lines


def ends(sent: tuple[Sent, ...]) -> str:
    """One for each run of packets that end alike."""
    words = []
    for (verdict, reason, wait), run in groupby(sent, key=lambda s: (s.verdict, s.reason, s.wait)):
        count = len(list(run))
        word = {"forward": "forward", "local": "local", "drop": f"drop `{reason}`"}[verdict]
        word = f"after {wait:g} s {word}" if wait else word
        words.append(word + (f" ×{count}" if count > 1 else ""))
    return ", ".join(words)


def beside_the_kernel() -> str:
    rows = [f"| {name} | {d.kernel} | {d.english} | {d.chinese} |" for name, d in DIFFERENCES.items()]
    return "\n".join([
        "## Beside the Linux kernel 与 Linux 内核对照\n",
        "The same packets through nftables with connection tracking and the rules of `tests/strict/kernel.nft`, on "
        "Linux 6.18.\nThe two agree on every packet but some of those in these cases. `passes`: the kernel forwards "
        "what we drop; `drops`: the opposite.\n",
        "同样的报文经过启用连接跟踪的 nftables（规则见 `tests/strict/kernel.nft`，Linux 6.18）。"
        "除下列用例中的部分报文外，两者结论全部一致。\n`passes` 表示内核放行而我们丢弃，`drops` 表示相反。\n",
        "| Case 用例 | Kernel 内核 | Why ours is right | 我们为何正确 |", "|---|---|---|---|", *rows, ""])


def reasons() -> str:
    used = {s.reason for c in CASES + BOUNDARY for s in c.sent if s.verdict == "drop"}
    listed = re.findall(r'^REASON\(\w+, "([a-z0-9-]+)", k\w+, \d+, "([^"]+)", "([^"]+)"\)',
                        (ROOT / "dataplane/fastpath/reason.def").read_text(encoding="utf-8"), re.M)
    rows = [f"| `{name}` | {english} | {chinese} |" for name, english, chinese in listed if name in used]
    return "\n".join(["## What the reasons say 原因说明\n", "| Reason 原因 | English | 中文 |", "|---|---|---|", *rows, ""])
