"""Recall by removal: one no-grad scope is taken out of real code; does a rule notice?"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from flake8_nograd.engine import Reported, check
from flake8_nograd.fixing import fixed
from flake8_nograd.source import Source, SourceError

from .guards import SWITCHES, Guards, Scope
from .recording import Excuse, Kind, Recording
from .removal import Removed, Remover
from .restoring import Restored, parsed, restored


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened after one removal."""

    package: str
    file: str
    line: int
    item: int | None
    function: str
    kind: Kind
    excuse: Excuse
    codes: tuple[str, ...]
    """The rules that now speak in the region; none: it was missed."""
    elsewhere: tuple[str, ...]
    """Those that now speak in another place, as of a caller: ``NGR101:120``."""
    restored: Restored
    what: str
    """The first call or update that the scope guarded."""

    @property
    def noticed(self) -> bool:
        """Whether a rule speaks in the region."""
        return bool(self.codes)


def outcomes(text: str, package: str = "", filename: str = "") -> list[Outcome]:
    """Take out each scope of a file that guards something, one at a time.

    Empty for a file that Python or LibCST cannot read.
    """
    try:
        guards = Guards(parsed(text))
    except (SyntaxError, ValueError, RecursionError):
        return []
    recording = Recording(guards, filename)
    scopes = [scope for scope in guards.scopes() if recording.inside(scope)]
    if not scopes:
        return []
    try:
        remover = Remover(text)
    except cst.ParserSyntaxError:
        return []
    before = check(Source.of(text))
    return [_outcome(text, remover, recording, scope, before, package, filename) for scope in scopes]


def _outcome(
    text: str,
    remover: Remover,
    recording: Recording,
    scope: Scope,
    before: tuple[Reported, ...],
    package: str,
    filename: str,
) -> Outcome:
    removed = remover.without(scope)
    source = Source.of(removed.text)
    new = new_findings(before, check(source), removed)
    loops = {line for loop in recording.loops_around(scope) if (line := getattr(loop, "lineno", None))}
    here = [each for each in new if scope.line <= each.line <= removed.last or each.line in loops]
    guards = recording.guards
    inside = recording.inside(scope)
    function = guards.function_of(inside[0])
    return Outcome(
        package,
        filename,
        scope.line,
        scope.item,
        guards.qualified(function),
        recording.kind(scope),
        recording.excuse(scope),
        tuple(sorted({each.code for each in here})),
        tuple(f"{each.code}:{each.line}" for each in new if each not in here),
        _restored(text, source, scope, here),
        " ".join(ast.unparse(inside[0]).split())[:120],
    )


def new_findings(before: tuple[Reported, ...], after: tuple[Reported, ...], removed: Removed) -> list[Reported]:
    """The findings that were not there before, when lines are counted as they are now."""
    known = Counter((each.code, removed.moved(each.line)) for each in before)
    new = []
    for each in after:
        if known[each.code, each.line] > 0:
            known[each.code, each.line] -= 1
        else:
            new.append(each)
    return new


def _restored(text: str, source: Source, scope: Scope, here: list[Reported]) -> Restored:
    fixes = [each.fix for each in here if each.fix is not None]
    if not fixes:
        return Restored.NOT_FIXED
    try:
        module, applied = fixed(source.module, fixes)
    except SourceError:
        return Restored.NOT_FIXED
    return restored(text, scope, module.code) if applied else Restored.NOT_FIXED


def file_outcomes(path: Path, package: str, filename: str) -> list[Outcome]:
    """The outcomes of a file on disk; none for one that cannot be decoded."""
    try:
        source = Source.read(path.read_bytes(), filename)
    except SourceError:
        return []
    return outcomes(source.text, package, filename) if any(word in source.text for word in SWITCHES) else []
