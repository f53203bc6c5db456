"""The sample county in network namespaces: real programs on both sides of a real gateway."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import county
from county import County
from gateway import Gateway
from namespaces import Failed, Lab, wait_until
from quickstart_attempts import ATTEMPTS, NAMES, Attempt, Outcome, make
from table import print_table
from words import Words

HOSTS = (*NAMES, "hrss-centre", "forestry-centre", "province", "exchange")

CHINESE = {"allowed": "放行", "denied": "拒绝", "default-deny": "默认拒绝", "internet-isolated": "与互联网隔离",
           "terminal-mac": "终端 MAC 不符"}

PICTURE = ("""
    finance, social security, civil affairs,                       budget system, video, probe
    service hall, information centre, servers                      (province and prefecture)
                        |                                                  |
                   lan  |          +----------------------+                |  wan
                        +----------|                      |----------------+
    VLAN 101, 102:      |          |  meiguan-dataplane   |
    private networks ---+          |                      |----------------+  internet: a citizen
                                   +----------------------+                |
                                     |                 +-------------------+
                            dmz: county portal     exchange: front end
""", """
    财政局、人社局、民政局、政务大厅、                             预算管理、视频会议、探测点
    信息中心、业务服务器                                           （省、市）
                        |                                                  |
                   lan  |          +----------------------+                |  wan
                        +----------|                      |----------------+
    VLAN 101、102：     |          |  meiguan-dataplane   |
    部门专网 -----------+          |                      |----------------+  internet：互联网用户
                                   +----------------------+                |
                                     |                 +-------------------+
                            dmz：政府门户         exchange：交换前置机
""")


def show(build: Path, words: Words, driver: str) -> int:
    words.title("Meiguan: one county's access gateway, with real clients and servers around it",
                "梅关：一个县级接入点的网关，两侧是真实的客户端和服务器")
    print(words(*PICTURE).rstrip("\n"))
    with Lab() as lab:
        peers = County.build(lab, HOSTS)
        peers.serve()
        gateway, used = start(lab, peers, build, words, driver)
        status = gateway.json("status") or {}
        words.say(f"\n  Running: policy policies/county, gateway file policies/gateways/county.toml, "
                  f"{len(status.get('ports', []))} ports ({used}).",
                  f"\n  已运行：策略 policies/county，网关文件 policies/gateways/county.toml，"
                  f"{len(status.get('ports', []))} 个端口（{used}）。")
        wrong = reach(peers, gateway, words)
        wrong += throughput(peers, words)
        dropped(gateway, words)
        explained(gateway, words)
        counted(gateway, words)
    if wrong:
        words.say(f"\n{wrong} of these went otherwise than the policy says.", f"\n有 {wrong} 项与策略不符。")
        return 1
    farewell(words)
    return 0


def start(lab: Lab, peers: County, build: Path, words: Words, driver: str) -> tuple[Gateway, str]:
    """The gateway, by AF_XDP where the kernel has it."""
    for kind in ("af_xdp", "af_packet") if driver == "auto" else (driver,):
        gateway = Gateway(lab, peers.gateway, build, county.POLICY, county.gateway_file(lab, kind), words.language)
        try:
            gateway.start()
            # The data plane itself falls back where an interface cannot do it.
            return gateway, "af_packet" if "af_packet" in gateway.dataplane.output() else kind
        except Failed:
            gateway.stop()
            if kind == "af_packet" or driver != "auto":
                raise
    raise AssertionError


def reach(peers: County, gateway: Gateway, words: Words) -> int:
    """Makes all attempts at once; how many went otherwise than they should."""
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda a: make(a, peers.lab[a.who]), ATTEMPTS))
    said = [explain(gateway, a) for a in ATTEMPTS]
    reasons = drop_reasons(gateway)
    rows, colours, wrong = [], [], 0
    for attempt, outcome, answer in zip(ATTEMPTS, outcomes, said):
        seen = "allowed" if outcome.reached else reasons.get(flow_of(attempt), "?")
        policy = attempt.reason if attempt.checks_mac else answer["reason"]
        good = seen == attempt.reason == policy
        wrong += not good
        rows.append(("+" if good else "!", words(*NAMES[attempt.who]), words(*attempt.what),
                     f"{attempt.tool} v{attempt.family}", words(policy, CHINESE.get(policy, policy)),
                     shown(outcome, seen, words), because(answer, attempt, words)))
        colours.append("" if good else "bad")
    words.title("Who reached what", "谁访问了什么")
    print_table(("", words("who", "谁"), words("what", "什么"), words("how", "方式"), words("policy says", "策略判定"),
                 words("what was seen", "实际结果"), words("rule, file and line", "规则、文件与行号")),
                rows, colours=colours, colour=words.colour)
    words.say(f"  {len(rows) - wrong} of {len(rows)} went as the policy says.",
              f"  {len(rows)} 项中 {len(rows) - wrong} 项与策略一致。")
    return wrong


def shown(outcome: Outcome, seen: str, words: Words) -> str:
    if outcome.reached:
        return words(f"answered, {outcome.milliseconds:.0f} ms", f"有应答，{outcome.milliseconds:.0f} ms")
    return words(f"no answer: {seen}", f"无应答：{seen}")


def because(answer: dict[str, Any], attempt: Attempt, words: Words) -> str:
    if answer.get("rule") and not attempt.checks_mac:
        return f"{answer['rule'].split('/')[-1]}  {answer['where']}"
    return {"default-deny": words("no rule allows it", "没有规则放行"),
            "internet-isolated": words("isolation table", "隔离表"),
            "terminal-mac": words("terminal registered with another MAC", "与登记的 MAC 不符")}.get(attempt.reason, "")


def flow_of(attempt: Attempt) -> tuple[str, str, int]:
    return county.HOSTS[attempt.who].own(attempt.family), attempt.address, attempt.port


def explain_words(attempt: Attempt) -> tuple[str, ...]:
    host = county.HOSTS[attempt.who]
    return ("explain", "--policy", str(county.POLICY), "--gateway", str(county.GATEWAY),
            "--in", attempt.by, "--from", host.own(attempt.family), "--to", attempt.target())


def explain(gateway: Gateway, attempt: Attempt) -> dict[str, Any]:
    done = gateway.ask("-o", "json", *explain_words(attempt))
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def drop_reasons(gateway: Gateway) -> dict[tuple[str, str, int], str]:
    """Why the gateway dropped what, as it says itself: (from, to, port) -> reason."""
    answer = gateway.json("drops") or {"recent": []}
    return {(row["source"], row["destination"], row["destination_port"]): row["reason"] for row in answer["recent"]}


@dataclass(frozen=True)
class Transfer:
    who: str
    label: tuple[str, str]
    server: str
    address: str
    port: int
    more: tuple[str, ...]


TRANSFERS = (
    Transfer("hrss", ("video, up, UDP", "视频会议，上行 UDP"), "cloud", "59.205.17.5", 1720,
             ("-u", "-b", "50M", "-l", "1200")),
    Transfer("hrss", ("video, down, TCP", "视频会议，下行 TCP"), "cloud", "59.205.17.5", 1720, ("-R",)),
    Transfer("servers", ("data exchange, IPv6, TCP", "数据交换，IPv6 TCP"), "exchange", "2001:db8:e107:1::114", 9521,
             ("-R",)),
)


def throughput(peers: County, words: Words) -> int:
    rows, failed = [], 0
    for transfer in TRANSFERS:
        server = peers.lab[transfer.server].start("iperf3", "iperf3", "-s", "-1", "-B", transfer.address,
                                                  "-p", str(transfer.port))
        wait_until(lambda s=server, t=transfer: s.listens(t.port), "iperf3")
        done = peers.lab[transfer.who].run("iperf3", "-J", "-t", "2", "-c", transfer.address,
                                           "-p", str(transfer.port), *transfer.more)
        server.stop()
        try:
            end = json.loads(done.stdout)["end"]
            result = f"{(end.get('sum_received') or end['sum'])['bits_per_second'] / 1e6:.0f} Mbit/s"
            if "lost_packets" in end.get("sum", {}):
                lost, sent = end["sum"]["lost_packets"], end["sum"]["packets"]
                result += words(f", {lost} of {sent} lost", f"，{sent} 个丢 {lost} 个")
        except (ValueError, KeyError):
            result, failed = words("failed", "失败"), failed + 1
        rows.append((words(*NAMES[transfer.who]), words(*transfer.label), f"{transfer.address} {transfer.port}",
                     result))
    words.title("Bulk transfers, by iperf3 for two seconds each", "大流量传输（iperf3，各两秒）")
    print_table((words("who", "谁"), words("what", "什么"), words("to", "目的"), words("rate", "速率")), rows)
    return failed


def quote(gateway: Gateway, *line: str, shown_as: str | None = None) -> None:
    """Shows a command and what it prints."""
    done = gateway.ask(*line)
    print()
    Words(gateway.language).command(shown_as or f"meiguan {' '.join(line)}")
    Words(gateway.language).quoted(done.stdout if done.returncode in (0, 1) else done.stderr)


def dropped(gateway: Gateway, words: Words) -> None:
    words.title("What was dropped, and why", "丢弃了什么，为什么")
    quote(gateway, "drops", "--columns", "reason,unit,source,destination,destination_port,rule,packets")


def explained(gateway: Gateway, words: Words) -> None:
    words.title("Why exactly: one of these explained, offline, from the policy's files alone",
                "为什么：以其中一项为例，仅凭策略文件离线解释")
    attempt = next(a for a in ATTEMPTS if a.reason == "denied")
    line = explain_words(attempt)
    quote(gateway, *line, shown_as="meiguan " + " ".join(line).replace(f"{county.ROOT}/", ""))


def counted(gateway: Gateway, words: Words) -> None:
    words.title("What was counted", "统计")
    quote(gateway, "top", "units", "--columns", "unit,name,sent_bytes,received_bytes,flows,denied", "--limit", "8")
    quote(gateway, "top", "services", "--columns", "service,name,request_bytes,reply_bytes,flows,denied",
          "--limit", "8")
    quote(gateway, "top", "reasons", "--columns", "reason,verdict,packets,bytes")
    quote(gateway, "status")


def farewell(words: Words) -> None:
    words.title("Everything has been taken away again. What to try next:", "现场已全部清理。接下来可以试试：")
    words.say("""
  less policies/county/node.toml            the policy just shown: one file, commented
  build/tools/cli/meiguan explain --policy policies/county \\
      --from 10.65.64.70 --to 59.205.16.10:443/tcp           ask why, about any packet
  build/tools/cli/meiguan policy check policies/county       change the file, then check it
  build/tools/cli/meiguan isolation show                     what no rule can open
  less policies/SCHEMA.md                   every key of the policy language
  less policies/jiangxi-sample/zones.toml   a whole province as a tree""", """
  less policies/county/node.toml            刚才演示的策略：单个文件，带注释
  build/tools/cli/meiguan explain --policy policies/county \\
      --from 10.65.64.70 --to 59.205.16.10:443/tcp           任何报文都可以问“为什么”
  build/tools/cli/meiguan policy check policies/county       改动后先检查
  build/tools/cli/meiguan isolation show                     任何规则都打不开的隔离表
  less policies/SCHEMA.md                   策略语言的每个键
  less policies/jiangxi-sample/zones.toml   全省策略树""")
