"""The attempts that the quickstart makes: who tries to reach what, by which program, and what should come of it.

What should come of it is written down here from the policy's own comments; the gateway and `meiguan
explain` are then held to it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from namespaces import Namespace

NAMES = {
    "finance": ("finance bureau", "财政局"),
    "impostor": ("finance's address, other MAC", "冒用财政局地址（MAC 不符）"),
    "hrss": ("social security bureau", "人社局"),
    "civil": ("civil affairs bureau", "民政局"),
    "hall": ("service hall", "政务大厅"),
    "operator": ("information centre", "信息中心"),
    "servers": ("business servers", "业务服务器"),
    "portal": ("portal server (dmz)", "门户服务器（DMZ）"),
    "internet": ("a citizen on the internet", "互联网用户"),
    "hrss-desk": ("social security, VLAN 101", "人社专网（VLAN 101）"),
    "forestry-desk": ("forestry, VLAN 102", "林业专网（VLAN 102）"),
}


@dataclass(frozen=True)
class Attempt:
    who: str
    what: tuple[str, str]
    tool: str      # curl, ping or dig
    address: str
    port: int
    reason: str    # allowed, or what the gateway should drop it for
    by: str = "lan"         # the port that it comes in by
    answer: str = "cloud"   # the name on the page, where one should come
    checks_mac: bool = False  # `explain` knows no MAC

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4

    def target(self) -> str:
        """As `explain --to` and `drops` write it."""
        host = f"[{self.address}]" if self.family == 6 else self.address
        if self.tool == "ping":
            return f"{host}/icmp{'6' if self.family == 6 else ''}"
        return f"{host}:{self.port}/{'udp' if self.tool == 'dig' else 'tcp'}"


@dataclass(frozen=True)
class Outcome:
    reached: bool
    milliseconds: float
    detail: str = ""


BUDGET = ("budget system (province)", "预算管理一体化（省）")
PROBE = ("reachability probe", "连通性探测点")
DNS = ("name server", "县域名解析")
APPROVAL = ("approval platform", "网上审批平台")
WEBSITE = ("a website on the internet", "互联网网站")
PORTAL = ("county portal (published)", "政府门户网站（已发布）")
ADMIN = ("portal's back office", "门户网站后台")
INSURANCE = ("social insurance 192.168.1.10", "社会保险 192.168.1.10")
FORESTRY = ("forest rights 192.168.1.10", "林权管理 192.168.1.10")

ATTEMPTS = (
    Attempt("finance", BUDGET, "curl", "59.205.16.10", 443, "allowed"),
    Attempt("finance", BUDGET, "curl", "2001:db8:0:16::10", 443, "allowed"),
    Attempt("hrss", BUDGET, "curl", "59.205.16.10", 443, "default-deny"),
    Attempt("impostor", BUDGET, "curl", "59.205.16.10", 443, "terminal-mac", checks_mac=True),
    Attempt("hall", DNS, "dig", "59.205.39.2", 53, "allowed", answer="59.205.39.10"),
    Attempt("hrss", DNS, "dig", "2001:db8:107:100::2", 53, "allowed", answer="59.205.39.10"),
    Attempt("hrss", PROBE, "ping", "59.205.16.3", 0, "allowed"),
    Attempt("hall", PROBE, "ping", "2001:db8:0:16::3", 0, "allowed"),
    Attempt("hall", APPROVAL, "curl", "59.205.39.10", 443, "allowed", answer="servers"),
    Attempt("civil", APPROVAL, "curl", "2001:db8:107:100::10", 443, "default-deny"),
    Attempt("operator", APPROVAL, "curl", "59.205.39.10", 443, "allowed", answer="servers"),
    Attempt("hall", ("file sharing, a worm's port", "文件共享（蠕虫端口）"), "curl", "59.205.39.10", 445, "denied"),
    Attempt("finance", WEBSITE, "curl", "198.51.100.80", 80, "internet-isolated"),
    Attempt("hrss", WEBSITE, "curl", "2001:db8:ffff:5::9", 80, "internet-isolated"),
    Attempt("internet", APPROVAL, "curl", "59.205.39.10", 443, "internet-isolated", by="internet"),
    Attempt("internet", PORTAL, "curl", "203.0.113.20", 443, "allowed", by="internet", answer="portal"),
    Attempt("internet", PORTAL, "curl", "2001:db8:2107:1::20", 80, "allowed", by="internet", answer="portal"),
    Attempt("internet", ADMIN, "curl", "203.0.113.20", 8443, "default-deny", by="internet"),
    Attempt("portal", APPROVAL, "curl", "59.205.39.10", 443, "allowed", by="dmz", answer="servers"),
    Attempt("portal", WEBSITE, "curl", "198.51.100.80", 80, "internet-isolated", by="dmz"),
    Attempt("hrss-desk", INSURANCE, "curl", "192.168.1.10", 443, "allowed", by="lan.101", answer="hrss-centre"),
    Attempt("forestry-desk", FORESTRY, "curl", "192.168.1.10", 443, "allowed", by="lan.102",
            answer="forestry-centre"),
    Attempt("hrss-desk", FORESTRY, "curl", "192.168.1.10", 8443, "default-deny", by="lan.101"),
)

PATIENCE = 1.5  # seconds that an attempt waits for an answer


def make(attempt: Attempt, where: Namespace) -> Outcome:
    """Tries it with the real program; `reached` where the right peer answered."""
    host = f"[{attempt.address}]" if attempt.family == 6 else attempt.address
    began = time.monotonic()
    if attempt.tool == "curl":
        done = where.run("curl", "-s", "--connect-timeout", str(PATIENCE), "-m", "5", f"http://{host}:{attempt.port}/")
        answer = done.stdout.strip()
        reached = answer == attempt.answer
    elif attempt.tool == "dig":
        done = where.run("dig", "+short", "+tries=1", f"+timeout={PATIENCE:.0f}", f"@{attempt.address}",
                         "approval.nanchangxian.example")
        answer = done.stdout.strip()
        reached = answer == attempt.answer
    else:
        done = where.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", f"{PATIENCE:.0f}", attempt.address)
        found = re.search(r"(\d) received", done.stdout)
        answer = f"{found[1]}/3" if found else ""
        reached = answer == "3/3"
    return Outcome(reached, (time.monotonic() - began) * 1000, answer)
