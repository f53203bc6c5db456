"""The chapters of the READMEs that need a gateway, as written: first policy, internet, change safely."""

import shlex

from lab import BARE, Bench, county, same, test, true, wait_until
from pages import blocks, commands

# Of what the pages say, only what this machine has otherwise: where programs and their sockets lie.
GATEWAY = """[gateway]
node = "360121"
workers = 1
[[port]]
name = "lan"
device = "{driver}:veth-lan"
zone = "extranet"
addresses = ["10.65.64.33/27", "59.205.16.1/24"]
[[port]]
name = "internet"
device = "{driver}:veth-internet"
zone = "internet"
addresses = ["198.51.100.2/30"]
[[port]]
name = "dmz"
device = "{driver}:veth-dmz"
zone = "dmz"
addresses = ["203.0.113.17/28"]
"""


def walk(page: str) -> list[list[str]]:
    """Every `sudo meiguan` of the page; `capture`, which waits for packets, has tests of its own."""
    return [words for words in commands(page, "sudo meiguan") if words[0] != "capture"]


def follow(bench: Bench, page: str) -> None:
    mine = bench.lab.directory / "mine"
    mine.mkdir()
    node, internet = blocks(page, "toml")
    (mine / "node.toml").write_text(node, encoding="utf-8")
    (mine / "internet.toml").write_text(internet, encoding="utf-8")
    file = bench.lab.directory / "gateway.toml"
    file.write_text(GATEWAY.format(driver=bench.driver), encoding="utf-8")
    bench.county = county.County.build(bench.lab, hosts=())
    bench.gateway = bench.new_gateway(mine, file)
    bench.gateway.start()
    told: dict[str, str] = {}
    for words in walk(page):
        if words[:2] == ["apply", "mine"] and "--dry-run" in words:  # what a first change may be
            (mine / "node.toml").write_text(node.replace("443/tcp", "8443/tcp"), encoding="utf-8")
        done = bench.gateway.ask(*[str(mine) if word == "mine" else word for word in words])
        # `compare` answers as `diff`: 1 where there is a difference.
        want = 1 if words[0] == "compare" else 0
        same(done.returncode, want, f"{page}: meiguan {shlex.join(words)}: {done.stdout}{done.stderr}")
        told[" ".join(words[:2])] = done.stdout
        if "--confirm" in words:
            alarms = [row["alarm"] for row in bench.gateway.json("status")["alarms"]]
            true("revision-unconfirmed" in alarms, f"a revision waits: {alarms}")
    true({"block add", "apply mine", "confirm", "history", "compare 1", "rollback 1"} <= set(told),
         f"what the page tells of: {sorted(told)}")
    true("budget-for-finance" in told["apply mine"] + told["compare 1"], f"what changes: {told['compare 1']}")
    history = bench.gateway.json("history")["rows"]
    same([row["revision"] for row in history][:3], [3, 2, 1], f"revisions: {history}")
    # As the page says: the files are left as they are, and that is an alarm.
    wait_until(lambda: "policy-files-differ" in [row["alarm"] for row in bench.gateway.json("status")["alarms"]],
               "the alarm that the files differ", 90)
    same(bench.gateway.ask("block", "remove", "192.0.2.7").returncode, 0, "the block is taken back")


@test(BARE)
def the_english_readme_is_true(bench: Bench) -> None:
    """Each command of the chapters, in their order, on a gateway with the policy that the page has written."""
    follow(bench, "README.md")


@test(BARE)
def the_chinese_readme_is_true(bench: Bench) -> None:
    """The same of the other page."""
    follow(bench, "README.zh-CN.md")
