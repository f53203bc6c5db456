"""Statistics up the tree: a county's sums are those of its prefecture and its province, over kills of both sides."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from lab import ROOT, Bench, Gateway, Setup, county, same, test, true, wait_until
from test_captures import gateway_with_neighbours
from test_stats import BY, kept, play, replayed, sums
from test_syslog import make_certificates

TIERS = Setup("tiers", live=False)
PREFECTURE, PROVINCE = 8444, 8445
# Slow enough that batches are on their way for seconds.
RATE_KBIT = 8
GATEWAY = """[gateway]
node = "{node}"
workers = 1
[[port]]
name = "lan"
device = "af_packet:none"
zone = "extranet"
addresses = ["10.127.0.1/24"]
mac = "02:36:00:00:00:01"
"""


class Tier(Gateway):
    """A node that takes what those below report. No data plane is beside it."""

    @classmethod
    def at(cls, bench: Bench, node: str) -> "Tier":
        directory = bench.lab.directory / node
        directory.mkdir()
        file = directory / "gateway.toml"
        file.write_text(GATEWAY.format(node=node), encoding="utf-8")
        tier = cls(bench.lab, bench.county.gateway, bench.build, ROOT / "policies/jiangxi-sample", file)
        tier.run_dir, tier.state_dir = directory / "run", directory / "state"
        return tier

    def start(self) -> None:
        start(self)

    def told(self) -> dict[str, dict[str, int]]:
        """What it has of the county."""
        answer = self.json("stats", "--node", "360121", "--by", ",".join(BY), "--since", "1h")
        return sums(answer["rows"]) if answer else {}


def hits(node: Gateway, *words: str) -> dict[str, dict[str, Any]]:
    """What is known of each of the county's rules that somebody watched."""
    answer = node.json("hits", *words)
    return {row["rule"]: {key: row[key] for key in (
        "state", "hits", "audited", "new", "first", "last", "watched_since", "watched_until", "watched_seconds",
        "nodes")}
        for row in answer["rows"] if row["nodes"]} if answer else {}


def flows(node: Gateway, *words: str) -> list[str]:
    """Records of flows that ended."""
    answer = node.json("flows", "--since", "1h", *words)
    return sorted(json.dumps(row, sort_keys=True) for row in answer["rows"]) if answer else []


def start(node: Gateway) -> None:
    """Its control plane, until that can be asked for what was."""
    node.start_controld(lambda: node.json("nodes"))


def kill(node: Gateway) -> None:
    assert node.controld
    node.controld.stop(by=signal.SIGKILL)


def appliance(directory: Path, node: str, children: int | None, parent: int | None) -> Path:
    files = f'certificate = "{node}.pem"\nkey = "{node}.key"\nauthority = "authority.pem"\n'
    text = ""
    if parent:
        text += (f'[uplink]\nparent = "https://127.0.0.1:{parent}"\nrate_kbit = {RATE_KBIT}\n'
                 f'flow_records = true\n{files}')
    if children:
        text += f'[children]\nlisten = "127.0.0.1:{children}"\nnetworks = ["127.0.0.0/8"]\n{files}'
    file = directory / f"{node}-appliance.toml"
    file.write_text(text, encoding="utf-8")
    return file


def spooled(node: Gateway) -> int:
    """Batches that wait for its parent; -1 where it cannot be asked."""
    answer: Any = node.json("nodes")
    own = [row for row in answer["rows"] if row["state"] == "self"] if answer else []
    return own[0]["spool_batches"] if own else -1


@test(TIERS)
def every_tier_has_the_same_sums(bench: Bench) -> None:
    """A capture has the same sums by replay, at the county, its prefecture and its province; two are killed."""
    bench.county = county.County.build(bench.lab, hosts=())
    bench.county.gateway.ip("link set lo up")
    file = gateway_with_neighbours(bench)
    bench.gateway = gateway = bench.new_gateway(county.POLICY, file)
    here = bench.lab.directory
    make_certificates(here / "authority", here / "360121", here / "360100", here / "360000")
    gateway.appliance = appliance(here, "360121", None, PREFECTURE)
    prefecture, province = Tier.at(bench, "360100"), Tier.at(bench, "360000")
    prefecture.appliance = appliance(here, "360100", PREFECTURE, PROVINCE)
    province.appliance = appliance(here, "360000", PROVINCE, None)
    gateway.start()
    want = replayed(bench, file)
    play(bench)
    same(kept(bench), want, "sums at the county")
    # What was in memory waits for the parent when the daemon has ended.
    assert gateway.controld
    gateway.controld.stop()
    start(gateway)
    waiting = spooled(gateway)
    true(waiting >= 2, f"denials and bulk wait for a parent that is away: {waiting}")
    prefecture.start()
    # It has some and not all; the province has nothing.
    wait_until(lambda: spooled(prefecture) > 0, "the first batch at the prefecture", 60)
    true(spooled(gateway) > 0, "batches on their way from the county")
    kill(gateway)
    kill(prefecture)
    province.start()
    prefecture.start()
    true(prefecture.told() != want, "the prefecture has not all yet")
    start(gateway)
    for tier in (prefecture, province):
        wait_until(lambda: not spooled(gateway) and not spooled(prefecture) and len(tier.told()) == len(want),
                   "all that was on its way has come", 60)
        same(tier.told(), want, f"the county's sums at {tier.file.parent.name}")
    same(kept(bench), want, "sums at the county, still")
    # Nobody watched the county before the capture; of another prefecture nothing was ever heard.
    answer: Any = province.json("nodes", "--down", "--since", "2h")
    down = {row["node"]: row for row in answer["rows"]}
    true("360121" in down and "360700" not in down, f"down in the last two hours: {sorted(down)}")
    row = down["360121"]
    same(len(row["unwatched"]) > 0, True, "spans of the county")
    true(90 * 60 <= row["unwatched_seconds"] <= 2 * 3600, f"seconds that nobody watched: {row['unwatched_seconds']}")
    same(province.json("nodes", "--down", "--node", "360121", "--since", "2h")["rows"][0]["node"], "360121",
         "of the county alone")
    ended = flows(gateway)
    true(len(ended) > 10, f"flows that ended: {len(ended)}")
    for tier in (prefecture, province):
        same(flows(tier, "--node", "360121"), ended, f"records of the county's flows at {tier.file.parent.name}")
        same(flows(tier, "--node", "360700"), [], "of another prefecture")
    own = hits(gateway)
    true(sum(row["hits"] for row in own.values()) > 0, "rules were hit")
    for tier in (prefecture, province):
        name = tier.file.parent.name
        same(hits(tier), own, f"hits of the subtree of {name}")
        same(hits(tier, "--node", "360121"), own, f"hits of the county at {name}")
        same(hits(tier, "--node", "360700"), {}, f"hits of another prefecture at {name}")
        same(tier.ask("hits", "--node", "999999").returncode != 0, True, "a node that is not there is refused")


def alarms(node: Gateway, of: str, *words: str) -> list[tuple[str, bool]]:
    """Those of a node as another knows them: each name, and whether it stands."""
    answer: Any = node.json("nodes", *words)
    return [(alarm["alarm"], alarm["until"] is None)
            for row in (answer["rows"] if answer else []) if row["node"] == of for alarm in row["alarm_list"]]


def status(node: Gateway) -> Any:
    """Also of a node without a data plane, which is not well."""
    return json.loads(node.ask("-o", "json", "status").stdout)


@test(TIERS)
def alarms_of_a_county_are_seen_at_the_province(bench: Bench) -> None:
    """An alarm stands at every tier while it stands at the county, over kills of both, and is over where it is."""
    bench.county = county.County.build(bench.lab, hosts=())
    bench.county.gateway.ip("link set lo up")
    here = bench.lab.directory
    make_certificates(here / "authority", here / "360121", here / "360100", here / "360000")
    low, prefecture, province = (Tier.at(bench, node) for node in ("360121", "360100", "360000"))
    low.appliance = appliance(here, "360121", None, PREFECTURE)
    quiet = low.appliance.read_text(encoding="utf-8")
    low.appliance.write_text(quiet + '[[syslog]]\nserver = "tls://127.0.0.1:9"\nauthority = "authority.pem"\n',
                             encoding="utf-8")
    prefecture.appliance = appliance(here, "360100", PREFECTURE, PROVINCE)
    province.appliance = appliance(here, "360000", PROVINCE, None)
    away = [("syslog-away", True)]
    start(low)
    wait_until(lambda: alarms(low, "360121") == away, "the county knows", 60)
    kill(low)
    start(prefecture)
    start(province)
    start(low)
    wait_until(lambda: alarms(province, "360121") == away, "the alarm at the province", 60)
    below = status(province)
    same([(alarm["node"], alarm["alarm"]) for alarm in below["alarms_below"]], [("360121", "syslog-away")],
         "alarms below in the province's status")
    true(" 360121 syslog-away " in province.ask("status").stdout, "and as a line")
    true("syslog-away" in province.ask("nodes", "--node", "360121").stdout, "and in the table of nodes")
    kill(prefecture)
    assert low.controld
    low.controld.stop()
    low.appliance.write_text(quiet, encoding="utf-8")
    start(low)
    start(prefecture)
    wait_until(lambda: alarms(province, "360121") == [], "the alarm is over at the province", 60)
    same(set(alarms(province, "360121", "--since", "1h")), {("syslog-away", False)}, "what was since an hour")
    same(status(province)["alarms_below_count"], 0, "alarms below")
