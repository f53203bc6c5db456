"""The small province that prove and diff are asked about, and the asking."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MEIGUAN, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()

TREE = """[node]
code = "360000"
name = "江西省"
tier = "province"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "dmz"
kind = "dmz"
[[zone]]
id = "internet"
kind = "internet"
[[unit]]
id = "czj"
zone = "extranet"
prefixes = ["10.64.37.0/27", "2001:db8:1:36::/64"]
labels = ["finance"]
[[unit]]
id = "mzj"
zone = "extranet"
prefixes = ["10.64.38.0/27"]
[[service]]
id = "budget"
zone = "extranet"
endpoints = ["59.205.16.10:443/tcp"]
[[service]]
id = "portal"
zone = "dmz"
endpoints = ["59.205.8.10:443/tcp", "59.205.8.10:80/tcp"]
labels = ["published"]
publish = true
"""
BUDGET = """[[rule]]
id = "budget"
action = "allow"
from = ["label:finance"]
to = ["service:budget"]
"""
PORTAL = """[[rule]]
id = "portal"
action = "allow"
from = ["zone:internet"]
to = ["service:portal"]
ports = ["443/tcp"]
"""


def assertion(name: str, kind: str, words: str) -> str:
    return f'[[assert]]\nid = "{name}"\n{kind} = {{ {words} }}\n'


def run(*arguments, **env) -> subprocess.CompletedProcess:
    return subprocess.run([MEIGUAN, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **env}, timeout=60)
