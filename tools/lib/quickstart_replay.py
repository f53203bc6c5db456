"""The sample county without root: its captures, judged packet by packet by the same code as live."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import county
from namespaces import Failed
from table import print_table
from words import Words

PORTS = ("lan", "wan", "internet", "dmz", "exchange")
POLICY = ("--policy", str(county.POLICY), "--gateway", str(county.GATEWAY))


def show(build: Path, words: Words) -> int:
    words.title("Meiguan: one county's access gateway, shown by its sample captures",
                "梅关：一个县级接入点的网关，用样例抓包演示")
    words.say("  Network namespaces need root: without them nothing is sent. The packets of a morning, as\n"
              "  captured at five ports, are judged by the code that judges them in the gateway.\n"
              "  With root (sudo tools/quickstart) you see real clients and servers instead.",
              "  建立网络命名空间需要 root；没有就不收发任何报文，改用五个端口上午的抓包，\n"
              "  由网关实际使用的同一段代码逐包判定。以 root 运行（sudo tools/quickstart）可看到真实的客户端和服务器。")
    meiguan = build / "tools/cli/meiguan"
    captures = [word for port in PORTS for word in ("--in", f"{port}={county.CAPTURES / port}.pcap")]
    lines = ask(meiguan, words, "-o", "jsonl", "replay", *POLICY, *captures).splitlines()
    packets = [json.loads(line) for line in lines]
    print()
    words.command("meiguan replay --policy policies/county --gateway policies/gateways/county.toml "
                  "--in lan=policies/captures/county/lan.pcap ...")
    words.title(f"Who reached what, of {len(packets)} packets", f"{len(packets)} 个报文中，谁访问了什么")
    reached(packets, rule_places(meiguan, words), words)
    words.title("What was dropped, and why", "丢弃了什么，为什么")
    dropped(packets, meanings(meiguan, words), words)
    words.title("Why exactly: one question, answered with the rule, its file and line",
                "为什么：一个问题，给出规则、文件与行号")
    line = ("explain", *POLICY, "--in", "lan", "--from", "10.65.64.130", "--to", "59.205.39.10:445/tcp")
    words.command("meiguan " + " ".join(line).replace(f"{county.ROOT}/", ""))
    words.quoted(ask(meiguan, words, *line))
    farewell(words)
    return 0


def ask(meiguan: Path, words: Words, *line: str) -> str:
    done = subprocess.run([str(meiguan), "--lang", words.language, *line], text=True, capture_output=True)
    if done.returncode not in (0, 1):
        raise Failed(done.stderr.strip())
    return done.stdout


def rule_places(meiguan: Path, words: Words) -> dict[str, str]:
    """The file and line of each rule."""
    with tempfile.TemporaryDirectory(prefix="meiguan-") as name:
        catalog = Path(name, "catalog.json")
        ask(meiguan, words, "policy", "compile", *POLICY, "--out", f"{name}/image", "--catalog", str(catalog))
        return {rule["full_name"]: rule["where"] for rule in json.loads(catalog.read_text(encoding="utf-8"))["rules"]}


def meanings(meiguan: Path, words: Words) -> dict[str, str]:
    rows = json.loads(ask(meiguan, words, "-o", "json", "reason"))["rows"]
    return {row["reason"]: row["meaning"] for row in rows}


def reached(packets: list[dict[str, Any]], places: dict[str, str], words: Words) -> None:
    seen = Counter((p["unit"] or words("(no unit)", "（无单位）"), p["service"] or p["to_unit"] or "", p["rule"])
                   for p in packets if p["verdict"] == "forward")
    rows = [(unit, to, str(n), rule.split("/")[-1], places[rule])
            for (unit, to, rule), n in sorted(seen.items(), key=lambda item: -item[1])]
    print_table((words("unit", "单位"), words("reached", "访问"), words("packets", "报文"), words("by the rule", "依据规则"),
                 words("file and line", "文件与行号")), rows)


def dropped(packets: list[dict[str, Any]], meaning: dict[str, str], words: Words) -> None:
    seen = Counter(p["reason"] for p in packets if p["verdict"] == "drop")
    print_table((words("reason", "原因"), words("packets", "报文"), words("meaning", "含义")),
                [(reason, str(n), meaning[reason]) for reason, n in seen.most_common()])


def farewell(words: Words) -> None:
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
