"""Tables for people; a Chinese character is two cells wide."""

from __future__ import annotations

import sys
import unicodedata
from typing import Sequence

COLOURS = {"good": "32", "bad": "31", "dim": "2", "bold": "1"}


def width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
               for c in text)


def pad(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))


def paint(text: str, colour: str, on: bool) -> str:
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if on else text


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, colours: Sequence[str] = (),
                colour: bool = False) -> None:
    """`colours` has a colour or "" for each row."""
    cells = [max(width(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "  " + "  ".join(pad(text, n) for text, n in zip(row, cells)).rstrip()

    print(paint(line(head), "dim", colour))
    for number, row in enumerate(rows):
        shade = colours[number] if colours else ""
        print(paint(line(row), shade, colour) if shade else line(row))
    sys.stdout.flush()
