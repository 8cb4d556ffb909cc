"""What people said of findings: right, false or arguable, one line each, in step with the rules.

A finding is known by a fingerprint of what it says and where in the code, not of
its line number: an edit elsewhere in the file does not ask for a new judgement.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

VERDICTS = Path(__file__).with_name("verdicts.tsv")
COLUMNS = ("package", "version", "file", "code", "function", "fingerprint", "verdict", "reason")


class Verdict(Enum):
    """What a reader says of a finding."""

    RIGHT = "right"
    FALSE = "false"
    ARGUABLE = "arguable"
    UNJUDGED = "?"


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding in a package, and what was said of it."""

    package: str
    version: str
    file: str
    code: str
    function: str
    fingerprint: str
    verdict: Verdict = Verdict.UNJUDGED
    reason: str = ""
    line: int = field(default=0, compare=False)
    """Where it stands today; not recorded."""
    message: str = field(default="", compare=False)

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes it the same finding; the version of the package is not part of it."""
        return self.package, self.file, self.code, self.function, self.fingerprint


def fingerprint(code: str, line: str, function: str) -> str:
    """A short name for a finding: the rule, the words of its line, and the function it is in."""
    return hashlib.sha256("\0".join((code, " ".join(line.split()), function)).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Today's findings beside the recorded ones."""

    judged: tuple[Judged, ...]
    """Found, and with a verdict."""
    unjudged: tuple[Judged, ...]
    """Found, without a verdict, by a rule that is on by default."""
    vanished: tuple[Judged, ...]
    """Recorded as right, and found no more."""

    @property
    def agrees(self) -> bool:
        """Whether nothing asks for a person."""
        return not self.unjudged and not self.vanished


def compared(
    found: Sequence[Judged],
    recorded: Sequence[Judged],
    packages: Iterable[str],
    sampled: Iterable[str] = (),
) -> Comparison:
    """Match findings with verdicts, of the packages that were looked at.

    Of the rules that are ``sampled`` (by code), those that are off by default, some
    findings have a verdict, and nobody is asked for the others.
    Findings with one key, as of two equal lines in a function, take the verdicts of
    that key in the order of the file.
    """
    looked_at = set(packages)
    waiting: dict[tuple[str, str, str, str, str], list[Judged]] = {}
    for known in recorded:
        if known.package in looked_at:
            waiting.setdefault(known.key, []).append(known)
    unasked = set(sampled)
    judged, unjudged = [], []
    for each in found:
        rows = waiting.get(each.key)
        said = rows.pop(0) if rows else each
        if said.verdict is Verdict.UNJUDGED:
            if each.code not in unasked:
                unjudged.append(each)
        else:
            judged.append(replace(each, verdict=said.verdict, reason=said.reason))
    vanished = [row for rows in waiting.values() for row in rows if row.verdict is Verdict.RIGHT]
    return Comparison(tuple(judged), tuple(unjudged), tuple(vanished))


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a rule is right."""

    right: int
    arguable: int
    false: int

    @property
    def share(self) -> float:
        """From 0 to 1; what is arguable counts half, and no finding is no error."""
        total = self.right + self.arguable + self.false
        return (self.right + self.arguable / 2) / total if total else 1.0


def precision(judged: Iterable[Judged]) -> dict[str, Precision]:
    """The precision of each rule, by code."""
    count = Counter((each.code, each.verdict) for each in judged)
    return {
        code: Precision(count[code, Verdict.RIGHT], count[code, Verdict.ARGUABLE], count[code, Verdict.FALSE])
        for code in sorted({code for code, _ in count})
    }


def read(text: str) -> tuple[Judged, ...]:
    """The rows of the file.

    Raises ``ValueError`` for a row with another number of columns or an unknown verdict.
    """
    rows = []
    for number, row in enumerate(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE), 1):
        if not row or tuple(row) == COLUMNS:
            continue
        if len(row) != len(COLUMNS):
            raise ValueError(f"line {number}: {len(row)} columns, not {len(COLUMNS)}")
        package, version, file, code, function, mark, verdict, reason = row
        rows.append(Judged(package, version, file, code, function, mark, Verdict(verdict), reason))
    return tuple(rows)


def written(rows: Iterable[Judged]) -> str:
    """The file, in the order of packages, files and codes."""
    lines = ["\t".join(COLUMNS)]
    for each in sorted(rows, key=lambda row: (row.package, row.file, row.code, row.function, row.line)):
        cells = (each.package, each.version, each.file, each.code, each.function, each.fingerprint)
        lines.append("\t".join((*cells, each.verdict.value, " ".join(each.reason.split()))))
    return "\n".join(lines) + "\n"
