"""Findings as words: one function for each output format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from .engine import Reported
from .source import Source

URL = "https://github.com/flake8-nograd/flake8-nograd/blob/main/docs/rules/"
_BOLD, _RED, _CYAN, _END = "\033[1m", "\033[31;1m", "\033[36m", "\033[0m"


BY_LINE = ("text", "concise")
"""Formats that are printed file by file."""
FORMATS = (*BY_LINE, "json", "github", "sarif")


def url_of(code: str) -> str:
    """Where a rule is documented."""
    return f"{URL}{code}.md"


def fixed(filename: str, done: Sequence[Reported]) -> list[str]:
    """One line for each finding that was mended."""
    return [f"{filename}:{each.line}:{each.column}: fixed {each.code} {each.message}" for each in done]


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
            "url": url_of(each.code),
        }
        for filename, found in files
        for each in found
    ]
    return json.dumps(rows, indent=2)


def as_github(files: Sequence[tuple[str, Sequence[Reported]]]) -> str:
    """Workflow commands, which GitHub shows in the diff of a pull request."""
    return "\n".join(
        f"::error title=nograd-fix ({each.code}),file={_escaped(filename, ':,')},line={each.line},col={each.column},"
        f"endLine={each.end_line},endColumn={each.end_column}::{each.code} {_escaped(each.message)}"
        for filename, found in files
        for each in found
    )


def _escaped(words: str, more: str = "") -> str:
    """Words as a workflow command takes them; in a property, its separators are escaped as well."""
    return "".join(f"%{ord(letter):02X}" if letter in "%\r\n" + more else letter for letter in words)


def as_sarif(files: Sequence[tuple[str, Sequence[Reported]]]) -> str:
    """Static Analysis Results Interchange Format 2.1.0 (OASIS), for code scanning."""
    reported = [(filename, each) for filename, found in files for each in found]
    rules = {each.code: {"id": each.code, "name": each.name, "helpUri": url_of(each.code)} for _, each in reported}
    results = [
        {
            "ruleId": each.code,
            "level": "warning",
            "message": {"text": each.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(PurePath(filename).as_posix(), errors="surrogateescape")},
                        "region": {
                            "startLine": each.line,
                            "startColumn": each.column,
                            "endLine": each.end_line,
                            "endColumn": each.end_column,
                        },
                    }
                }
            ],
        }
        for filename, each in reported
    ]
    tool = {"driver": {"name": "nograd-fix", "rules": [rules[code] for code in sorted(rules)]}}
    schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    run = {"tool": tool, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def whole(how: str, files: Sequence[tuple[str, Sequence[Reported]]]) -> str:
    """All findings in a format that is printed at once."""
    return {"json": as_json, "github": as_github, "sarif": as_sarif}[how](files)
