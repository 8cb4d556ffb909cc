"""Which codes a line's comment silences, as flake8 reads it."""

from __future__ import annotations

import io
import re
import tokenize

_LINE = re.compile(r"# noqa(?::[\s]?(?P<codes>[A-Z][A-Z0-9]*(?:[,\s]+[A-Z][A-Z0-9]*)*))?", re.IGNORECASE)
_FILE = re.compile(
    r"^\s*# flake8[:=]\s*noqa(?P<codes>:\s?[A-Z][A-Z0-9]*(?:[,\s]+[A-Z][A-Z0-9]*)*)?\s*$", re.IGNORECASE | re.MULTILINE
)


def silences(text: str, code: str) -> bool:
    """Whether a line, or the lines of one statement, silences a code."""
    found = _LINE.search(text)
    if found is None:
        return False
    return _covers(found["codes"], code)


def file_silences(text: str, code: str) -> bool:
    """Whether ``# flake8: noqa`` stands on a line of its own, for all codes or for this one."""
    return any(_covers((found["codes"] or "").lstrip(": ") or None, code) for found in _FILE.finditer(text))


def _covers(codes: str | None, code: str) -> bool:
    if not codes:
        return True
    return any(code.startswith(each.upper()) for each in re.split(r"[,\s]+", codes) if each)


def logical_lines(text: str) -> dict[int, str]:
    """For each line of a statement or string of several lines, all of them joined.

    flake8 lets a comment at the end of such a statement speak for all its lines.
    """
    lines = text.splitlines(keepends=True)
    mapping: dict[int, str] = {}
    first, last = len(lines) + 1, 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in {tokenize.ENDMARKER, tokenize.DEDENT}:
                continue
            first, last = min(first, token.start[0]), max(last, token.end[0])
            if token.type in {tokenize.NL, tokenize.NEWLINE}:
                _join(mapping, lines, first, last)
                first, last = len(lines) + 1, 0
    except (tokenize.TokenError, SyntaxError):
        return mapping
    return mapping


def _join(mapping: dict[int, str], lines: list[str], first: int, last: int) -> None:
    joined = "".join(lines[first - 1 : last])
    for number in range(first, last + 1):
        mapping[number] = joined
