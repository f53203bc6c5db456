"""Sentences in English and Chinese, and how they are set out on the terminal."""

from __future__ import annotations

import os
import sys

from table import paint


class Words:
    def __init__(self, language: str) -> None:
        self.language = language
        self.colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, english: str, chinese: str) -> str:
        return chinese if self.language == "zh" else english

    def title(self, english: str, chinese: str) -> None:
        print("\n" + paint(self(english, chinese), "bold", self.colour))

    def say(self, english: str, chinese: str) -> None:
        print(self(english, chinese), flush=True)

    def command(self, line: str) -> None:
        print(paint(f"  $ {line}", "dim", self.colour))

    def quoted(self, text: str) -> None:
        for line in text.rstrip().splitlines():
            print(f"  {line}".rstrip())
        sys.stdout.flush()
