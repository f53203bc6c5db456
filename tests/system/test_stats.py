"""Statistics: what the gateway kept of a capture is what `meiguan replay --stats` says of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from channel import DataPlane
from lab import CHATTER, Bench, Setup, county, programs, same, test, true, wait_until
from test_captures import gateway_with_neighbours, story, together

STATS = Setup("statistics", live=False)
BY = ("unit", "peer", "service", "rule", "reason", "family", "direction", "from_zone", "to_zone")
SUMS = ("packets", "bytes", "denied", "started", "ended")
# A kernel cannot send it, and what its own neighbour discovery adds is in no capture.
NOT_COMPARED = {"frame-short", "for-gateway", *CHATTER}


def sums(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {" ".join(str(row[name]) for name in BY): {name: row[name] for name in SUMS}
            for row in rows if row["reason"] not in NOT_COMPARED}


def replayed(bench: Bench, file: Path) -> dict[str, dict[str, int]]:
    words = [str(programs(bench.build)["meiguan"]), "replay", "--policy", str(county.POLICY), "--gateway", str(file),
             "--stats", ",".join(BY), "-o", "json"]
    for port in sorted({Path(sent.file).stem for sent in story()}):
        words += ["--in", f"{port}={county.CAPTURES / port}.pcap"]
    done = subprocess.run(words, text=True, capture_output=True, timeout=60)
    same(done.returncode, 0, f"meiguan replay: {done.stderr}")
    return sums(json.loads(done.stdout)["rows"])


def kept(bench: Bench) -> dict[str, dict[str, int]]:
    assert bench.gateway
    answer = bench.gateway.json("stats", "--by", ",".join(BY), "--since", "1h")
    true(answer is not None, "an answer of meiguan stats")
    same(answer["untold_packets"], 0, "packets that nobody told of")
    same(answer["events_lost"], 0, "events lost")
    return sums(answer["rows"])


def play(bench: Bench) -> None:
    """The sample captures through the gateway, until each flow has ended with it and told what it had."""
    gateway = bench.gateway
    assert gateway.dataplane
    wires = {sent.port: bench[f"{sent.port}-cable"].packet_socket("trunk") for sent in story()}
    with DataPlane(gateway.run_dir) as dataplane:
        ended = dataplane.counters().totals["packets"]
        for group in together(story()):
            for sent in group:
                wires[sent.port].send(sent.frame)
            # One by one: what comes by two ports at once is judged in any order.
            ended += len(group)
            wait_until(lambda: dataplane.counters().totals["packets"] >= ended, "the end of what was sent", 5)
    for wire in wires.values():
        wire.close()
    gateway.dataplane.stop()
    wait_until(lambda: gateway.ask("status").returncode == 3, "the data plane is gone", 10)


@test(STATS)
def statistics_live_and_replayed_agree(bench: Bench) -> None:
    """A capture has the same sums in the store of a live gateway and by replay, also after a restart."""
    bench.county = county.County.build(bench.lab, hosts=())
    file = gateway_with_neighbours(bench)
    bench.gateway = gateway = bench.new_gateway(county.POLICY, file)
    gateway.start()
    want = replayed(bench, file)
    play(bench)
    live = kept(bench)
    different = [f"{key}: live {live.get(key)}, replayed {want.get(key)}"
                 for key in sorted({*live, *want}) if live.get(key) != want.get(key)]
    true(not different, "\n".join([f"{len(different)} of {len(want)} differ", *different[:20]]))
    true(len(want) > 20, "many kinds of rows were compared")
    # What was in memory is in the store when the daemon has ended.
    assert gateway.controld
    gateway.controld.stop()
    gateway.start_dataplane()
    gateway.start_controld()
    gateway.await_image()
    same(kept(bench), live, "sums after a restart")
    flows = gateway.json("flows", "--since", "1h")
    same(len(flows["rows"]), sum(row["ended"] for row in live.values()), "records of flows that ended")
    hits = {row["rule"]: row["hits"] for row in gateway.json("hits")["rows"]}
    true(sum(hits.values()) > 0, "rules were hit")
    for what in ("units", "services", "rules", "drops", "talkers"):
        true(gateway.json("top", what, "--since", "1h")["rows"], f"rows of top {what}")
    for form in ("md", "html", "csv"):
        same(gateway.ask("-o", form, "report", "month").returncode, 0, f"a report as {form}")
