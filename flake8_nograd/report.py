"""Findings as words: one function for each output format."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .engine import Reported
from .source import Source

URL = "https://github.com/flake8-nograd/flake8-nograd#"
_BOLD, _RED, _CYAN, _END = "\033[1m", "\033[31;1m", "\033[36m", "\033[0m"


def concise(filename: str, found: Sequence[Reported]) -> list[str]:
    """One line for each finding, as flake8 writes it."""
    return [f"{filename}:{each.line}:{each.column}: {each.code} {each.message}" for each in found]


def text(source: Source, found: Sequence[Reported], *, colour: bool) -> list[str]:
    """Each finding with its source line and a caret."""
    bold, red, cyan, end = (_BOLD, _RED, _CYAN, _END) if colour else ("", "", "", "")
    lines = []
    for each in found:
        place = f"{bold}{source.filename}{end}{cyan}:{end}{each.line}{cyan}:{end}{each.column}{cyan}:{end}"
        lines.append(f"{place} {red}{each.code}{end} {each.message}")
        line = source.line(each.line)
        if line:
            # Tabs before the caret keep it below its column.
            margin = "".join("\t" if letter == "\t" else " " for letter in line[: each.column - 1])
            last = each.end_column - 1 if each.end_line == each.line else len(line)
            lines += [f"    {line}", f"    {margin}{red}{'^' * max(1, last - each.column + 1)}{end}"]
    return lines


def as_json(files: Sequence[tuple[str, Sequence[Reported]]]) -> str:
    """All findings in the shape that ruff uses."""
    rows = [
        {
            "code": each.code,
            "message": each.message,
            "filename": filename,
            "location": {"row": each.line, "column": each.column},
            "end_location": {"row": each.end_line, "column": each.end_column},
            "fix": None
            if each.fix is None
            else {"applicability": "safe" if each.fix.safe else "unsafe", "message": each.fix.message},
            "url": URL + each.code.lower(),
        }
        for filename, found in files
        for each in found
    ]
    return json.dumps(rows, indent=2)
