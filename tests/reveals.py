"""What a reveal mark names, and how what the facts hold there is written: for every table, by its dataclass alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import get_args, get_origin, get_type_hints

from flake8_nograd.facts import Class, FileFacts, Function, Value
from flake8_nograd.grad import Answer, GradMode
from flake8_nograd.source import Source

_MARK = re.compile(r"\s*#> (?P<claims>.+)$")
_CLAIM = re.compile(r"(?P<name>[a-z_.]+): (?P<shown>.+)")
_BETWEEN = re.compile(r"[,;] (?=[a-z_.]+: )")
_SHORT = {"cut": "value.cut.how", "inference": "value.is_inference", "leaf": "value.is_leaf"}
"""What a mark at ``reveal(x)`` may say for a column of its value that has a longer name."""
_THEN = " then "
"""Between what several rows of a table, or several reveals, on one line show."""
_MODES = (GradMode.ON, GradMode.OFF, GradMode.INFERENCE)
_WORDS: dict[GradMode | Answer, str] = {
    each: each.name.lower()
    for each in (*_MODES, GradMode.NEVER, GradMode.UNKNOWN, *Answer, Answer.NEVER, Answer.UNKNOWN)
}

Name = tuple[str, ...]
"""A table, and the way to one of its columns: ``writes.target.kind``."""
Claims = dict[int, dict[Name, str]]
"""What is said of each marked line."""


def row_types() -> dict[str, type]:
    """Each table, and what its rows are."""
    hints = get_type_hints(FileFacts)
    return {name: get_args(hint)[0] for name, hint in hints.items() if get_origin(hint) is tuple}


@cache
def columns(record: type) -> dict[str, type]:
    """The columns of a row, or of a record in it, and what each is; empty of what has none.

    Of an optional column and of a tuple of records it is that record.
    """
    if not (is_dataclass(record) or hasattr(record, "_fields")):
        return {}
    return {name: _innermost(hint) for name, hint in get_type_hints(record).items()}


def _innermost(hint: object) -> type:
    parts = [each for each in get_args(hint) if each not in (type(None), Ellipsis)]
    if len(set(parts)) == 1:
        return _innermost(parts[0])
    return hint if isinstance(hint, type) else object


def resolved(name: str) -> Name:
    """What a name in a mark stands for; ``KeyError`` where there is no such table or column, or it has no text."""
    first, *rest = name.split(".")
    if first not in row_types():
        value = (_SHORT[first].split(".")) if first in _SHORT else [first] if first in ("grad", "training") else None
        first, rest = "reveals", (value or ["value", first]) + rest
    record = row_types()[first]
    for each in rest:
        record = columns(record)[each]
    if columns(record) and record is not Value and "anchor" not in columns(record):
        raise KeyError(name)
    return first, *rest


def claims(code: str) -> Claims:
    """What the marks of a case say."""
    found: Claims = {}
    for number, line in enumerate(code.splitlines(), 1):
        if mark := _MARK.search(line):
            parts = [_CLAIM.fullmatch(each.strip()) for each in _BETWEEN.split(mark["claims"])]
            found[number] = {resolved(each["name"]): each["shown"] for each in parts if each}
            if len(found[number]) < len(parts):
                raise ValueError(f"line {number}: {mark['claims']}")
    return found


class Shown:
    """The rows of a file by line, and how what they hold is written."""

    def __init__(self, source: Source, facts: FileFacts) -> None:
        """Sort the rows of all tables by the line that they are anchored on."""
        self.source = source
        self.rows: dict[tuple[str, int], list[object]] = {}
        for table in row_types():
            for row in getattr(facts, table):
                self.rows.setdefault((table, self._line(row.anchor)), []).append(row)

    def of(self, line: int, name: Name) -> str:
        """What a name shows on a line: of each row there, in the order of evaluation."""
        table, *path = name
        rows = self.rows.get((table, line), [])
        return _THEN.join(self._written(_at(row, path), line) for row in rows) or ("no row" if path else "none")

    def _line(self, place: object) -> int:
        return self.source.range_of(place).line

    def _order(self, place: object) -> tuple[int, int]:
        return self._line(place), self.source.range_of(place).column

    def _written(self, held: object, line: int) -> str:
        match held:
            case None | "":
                return "none"
            case bool():
                return "yes" if held else "no"
            case str() | int():
                return str(held)
            case GradMode() | Answer():
                return _WORDS.get(held) or "|".join(_WORDS[each] for each in _MODES if each & held)
            case Enum():
                return str(held.value)
            case Value():
                return held.label or held.kind.value
            case Function() | Class():
                return held.name
            case tuple() if type(held) is tuple:
                parts = [self._written(each, line) for each in held]
                inside = [f"({part})" if type(each) is tuple else part for each, part in zip(held, parts, strict=True)]
                return ", ".join(inside) or "()"
            case frozenset():
                return self._written(tuple(sorted(held, key=self._order)), line)
        return self._place(getattr(held, "anchor", held), line)

    def _place(self, place: object, line: int) -> str:
        """The text of what stands on the line itself, of a statement its header; the line of anything else."""
        range_ = self.source.range_of(place)
        if range_.line != line:
            return f"line {range_.line}"
        end = range_.end_column - 1 if range_.end_line == line else None
        return _MARK.sub("", self.source.line(line)[range_.column - 1 : end])


def _at(row: object, path: Iterable[str]) -> object:
    """What stands at the end of a path, from each where several stand on the way; ``None`` where nothing does."""
    held = row
    for each in path:
        if held is None:
            return None
        held = tuple(getattr(one, each) for one in held) if type(held) is tuple else getattr(held, each)
    return held


def seen(marked: Iterable[Claims]) -> dict[tuple[type, str], dict[Name, set[str]]]:
    """Of each column of each record, what marks show of it, or of what it holds, by the names that they use."""
    found: dict[tuple[type, str], dict[Name, set[str]]] = {}
    for name, shown in (claim for each in marked for line in each.values() for claim in line.items()):
        table, *path = name
        record = row_types()[table]
        for each in path:
            found.setdefault((record, each), {}).setdefault(name, set()).update(shown.split(_THEN))
            record = columns(record)[each]
    return found


def every_column() -> Iterator[tuple[type, str]]:
    """Each column of each table, and of each record that stands in a column."""
    waiting, done = list(row_types().values()), set[type]()
    while waiting:
        record = waiting.pop(0)
        if record not in done:
            done.add(record)
            for name, held in columns(record).items():
                yield record, name
                if columns(held):
                    waiting.append(held)
