"""The READMEs, as those who try what they say read them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "README.zh-CN.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks with this word, or with none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.M | re.S)
    return [text for word, text in fenced if word == kind]


def commands(page: str, program: str) -> Iterator[list[str]]:
    """The words behind `program` of every command that begins with it, in the page's order."""
    first = program.split()
    for block in blocks(page, ""):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:len(first)] == first:
                yield words[len(first):]
