"""The sample county without root: its captures, judged packet by packet by the same code as live."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import county
from namespaces import Failed
from table import print_table
from words import Words

PORTS = ("lan", "wan", "internet", "dmz", "exchange")


def show(build: Path, words: Words) -> int:
    words.title("Meiguan: one county's access gateway, shown by its sample captures",
                "梅关：一个县级接入点的网关，用样例抓包演示")
    words.say("  Network namespaces need root, and you are not root: nothing is sent. The packets of a morning, as\n"
              "  captured at five ports, are judged by the code that judges them in the gateway.\n"
              "  With root (sudo tools/quickstart) you see real clients and servers instead.",
              "  建立网络命名空间需要 root，当前不是 root，因此不收发任何报文；改用五个端口上午的抓包，\n"
              "  由网关实际使用的同一段代码逐包判定。以 root 运行（sudo tools/quickstart）可看到真实的客户端和服务器。")
    meiguan = build / "tools/cli/meiguan"
    captures = [word for port in PORTS for word in ("--in", f"{port}={county.CAPTURES / port}.pcap")]
    replay = ["replay", "--policy", str(county.POLICY), "--gateway", str(county.GATEWAY), *captures]
    packets = [json.loads(line) for line in ask(meiguan, words, "-o", "jsonl", *replay).splitlines()]
    print()
    words.command("meiguan replay --policy policies/county --gateway policies/gateways/county.toml "
                  "--in lan=lan.pcap ...")
    words.title(f"What became of the {len(packets)} packets", f"{len(packets)} 个报文的去向")
    fates(packets, words, lambda p: p["verdict"] == "forward",
          words("forwarded, by which rule", "转发，依据的规则"), by_rule=True)
    fates(packets, words, lambda p: p["verdict"] == "drop", words("dropped, and why", "丢弃及原因"), by_rule=False)
    words.title("Why exactly: one question, with the rule, its file and line", "为什么：一个问题，给出规则、文件与行号")
    line = ("explain", "--policy", str(county.POLICY), "--gateway", str(county.GATEWAY), "--in", "lan",
            "--from", "10.65.64.130", "--to", "59.205.39.10:445/tcp")
    words.command("meiguan " + " ".join(line).replace(f"{county.ROOT}/", ""))
    words.quoted(ask(meiguan, words, *line))
    words.title("What to try next", "接下来可以试试")
    words.say("""
  sudo tools/quickstart                     the same with real traffic
  less policies/county/node.toml            the policy just shown: one file, commented
  less policies/captures/county/README.md   what each packet of the captures is there for
  build/tools/cli/meiguan policy check policies/county       change the file, then check it""", """
  sudo tools/quickstart                     用真实流量演示
  less policies/county/node.toml            刚才演示的策略：单个文件，带注释
  less policies/captures/county/README.md   抓包中每个报文的用意
  build/tools/cli/meiguan policy check policies/county       改动后先检查""")
    return 0


def ask(meiguan: Path, words: Words, *line: str) -> str:
    done = subprocess.run([str(meiguan), "--lang", words.language, *line], text=True, capture_output=True)
    if done.returncode not in (0, 1):
        raise Failed(done.stderr.strip())
    return done.stdout


def fates(packets: list[dict[str, Any]], words: Words, which: Any, title: str, *, by_rule: bool) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for packet in filter(which, packets):
        counts[packet["rule"] or "" if by_rule else packet["reason"], packet["unit"] or ""] += 1
    sums: Counter[str] = Counter()
    units: dict[str, list[str]] = {}
    for (name, unit), n in counts.most_common():
        sums[name] += n
        if unit:
            units.setdefault(name, []).append(unit)
    rows = [(name, str(n), ", ".join(units.get(name, [])[:4])) for name, n in sums.most_common()]
    print_table((title, words("packets", "报文"), words("of the units", "涉及单位")), rows)
    print()
