"""Which codes a line's comment silences, as flake8 reads it."""

from __future__ import annotations

import io
import re
import tokenize

_LINE = re.compile(r"# noqa(?::\s?(?P<codes>(?:[A-Z]+[0-9]+(?:[,\s]+)?)+))?", re.IGNORECASE)
_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)


class Comments:
    """The comments of one file that silence findings."""

    def __init__(self, text: str) -> None:
        """Read a text, whatever its line endings are."""
        self._lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")).readlines()
        self._whole_file = any(_FILE.match(line) for line in self._lines)
        self._joined: dict[int, str] | None = None

    def silence(self, line: int, code: str) -> bool:
        """Whether a finding of a code on a line is silenced.

        A comment that names no code, or something that is none, silences all. Codes are
        prefixes in capitals. flake8 takes ``# flake8: noqa`` for all codes even where some follow.
        """
        if self._whole_file:
            return True
        found = _LINE.search(self._spoken_for(line))
        if found is None:
            return False
        codes = found["codes"]
        return not codes or any(code.startswith(each) for each in re.split(r"[,\s]", codes) if each)

    def _spoken_for(self, line: int) -> str:
        """All lines of the statement or string that the line belongs to, joined: a comment speaks for all of them."""
        if self._joined is None:
            self._joined = _joined(self._lines)
        if line in self._joined:
            return self._joined[line]
        return self._lines[line - 1] if 0 < line <= len(self._lines) else ""


def _joined(lines: list[str]) -> dict[int, str]:
    mapping: dict[int, str] = {}
    first, last = len(lines) + 1, 0
    try:
        for token in tokenize.generate_tokens(iter([*lines, ""]).__next__):
            if token.type in {tokenize.ENDMARKER, tokenize.DEDENT}:
                continue
            first, last = min(first, token.start[0]), max(last, token.end[0])
            if token.type in {tokenize.NL, tokenize.NEWLINE}:
                mapping.update(dict.fromkeys(range(first, last + 1), "".join(lines[first - 1 : last])))
                first, last = len(lines) + 1, 0
    except (tokenize.TokenError, SyntaxError):
        return {}
    return mapping
