"""Which judgement is in the way of a removal? Each is turned round, one at a time, and the rules are asked again.

What an evaluation is, and whose it is, is decided by some sixty questions. To answer one of them the same
whatever is asked shows what it is worth: the removals that would be noticed, and the findings that would come.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import libcst as cst

from flake8_nograd import evaluation, evaluation_loops, responsible
from flake8_nograd.analysis import facts_of
from flake8_nograd.facts import FileFacts
from flake8_nograd.rules import ngr101_eval_loop_with_grad, ngr102_eval_forward_with_grad
from flake8_nograd.source import Source, SourceError

from .guards import SWITCHES, Guards
from .recording import Excuse, Kind, Recording
from .removal import Remover
from .restoring import parsed

RULES = (ngr101_eval_loop_with_grad, ngr102_eval_forward_with_grad)
ROOMS = (evaluation, evaluation_loops, responsible, *RULES)
KINDS = (Kind.EVAL_LOOP, Kind.EVAL_SINGLE, Kind.LOOP_BY_NAME)

Lines = frozenset[tuple[str, int]]
"""Findings: the code and the line."""


@dataclass(frozen=True, slots=True, order=True)
class Judgement:
    """A question, and what is always answered."""

    question: str
    answer: bool

    def lines(self, source: Source, facts: FileFacts) -> Lines:
        """What the rules find of a file, if this is the answer."""
        with ExitStack() as stack:
            for room in ROOMS:
                if hasattr(room, self.question):
                    stack.enter_context(mock.patch.object(room, self.question, return_value=self.answer))
            return _lines(source, facts)


@dataclass(slots=True)
class Worth:
    """What comes of one judgement being turned round."""

    won: Counter[Kind] = field(default_factory=Counter)
    come: int = 0
    """Findings in files as they are published."""
    gone: int = 0


@dataclass(slots=True)
class Worths:
    """What comes of each, in some files."""

    counted: Counter[Kind] = field(default_factory=Counter)
    noticed: Counter[Kind] = field(default_factory=Counter)
    of: dict[Judgement, Worth] = field(default_factory=dict)

    def add(self, other: Worths) -> None:
        """Count another file as well."""
        self.counted += other.counted
        self.noticed += other.noticed
        for judgement, worth in other.of.items():
            mine = self.of.setdefault(judgement, Worth())
            mine.won += worth.won
            mine.come += worth.come
            mine.gone += worth.gone

    def table(self) -> Iterator[str]:
        """Those that win something, the best first."""
        for kind in KINDS:
            yield f"{kind.value:15} {self.noticed[kind]:5} of {self.counted[kind]} noticed"
        yield ""
        yield f"{'question':32} {'always':6}  {'won':>4}  {'come':>5}  {'gone':>5}"
        rows = sorted(self.of.items(), key=lambda row: (-row[1].won.total(), row[1].come, row[0]))
        for judgement, worth in rows:
            if worth.won:
                answer = "yes" if judgement.answer else "no"
                by_kind = ", ".join(f"{worth.won[kind]} {kind.value}" for kind in KINDS if worth.won[kind])
                counts = f"{worth.won.total():4}  {worth.come:5}  {worth.gone:5}"
                yield f"{judgement.question:32} {answer:6}  {counts}  {by_kind}"


def judgements() -> tuple[Judgement, ...]:
    """Every question of the rooms on evaluations that is answered by yes or no, with both answers."""
    questions = {
        name
        for room in ROOMS
        for name, value in vars(room).items()
        if inspect.isfunction(inspect.unwrap(value)) and inspect.unwrap(value).__annotations__.get("return") == "bool"
    }
    return tuple(Judgement(name, answer) for name in sorted(questions) for answer in (False, True))


def file_worths(path: Path, filename: str) -> Worths:
    """Those of a file on disk; none for one that cannot be read."""
    try:
        source = Source.read(path.read_bytes(), filename)
    except SourceError:
        return Worths()
    return worths(source, filename) if any(word in source.text for word in SWITCHES) else Worths()


def worths(source: Source, filename: str = "") -> Worths:
    """What each judgement is worth in one file, and in the same with one scope removed at a time."""
    counts = Worths()
    try:
        guards, remover = Guards(parsed(source.text)), Remover(source.text)
        before = _answers(source, judgements())
    except (SyntaxError, ValueError, RecursionError, SourceError, cst.ParserSyntaxError):
        return counts
    usual = before[None]
    for judgement, found in before.items():
        if judgement is not None and found != usual:
            counts.of[judgement] = Worth(come=len(found - usual), gone=len(usual - found))
    recording = Recording(guards, filename)
    for scope in guards.scopes():
        kind = recording.kind(scope) if recording.inside(scope) else None
        if kind not in KINDS or recording.excuse(scope) is not Excuse.NONE:
            continue
        removed = remover.without(scope)
        around = {line for loop in recording.loops_around(scope) if (line := getattr(loop, "lineno", None))}
        noticing = {
            judgement
            for judgement, found in _answers(Source.of(removed.text), judgements()).items()
            for code, line in found - {(code, removed.moved(line)) for code, line in before[judgement]}
            if scope.line <= line <= removed.last or line in around
        }
        counts.counted[kind] += 1
        if None in noticing:
            counts.noticed[kind] += 1
            continue
        for judgement in noticing:
            if judgement is not None:
                counts.of.setdefault(judgement, Worth()).won[kind] += 1
    return counts


def _answers(source: Source, asked: Sequence[Judgement]) -> dict[Judgement | None, Lines]:
    """What is found if nothing is turned round, and if each is."""
    facts = facts_of(source.module)
    return {None: _lines(source, facts), **{each: each.lines(source, facts) for each in asked}}


def _lines(source: Source, facts: FileFacts) -> Lines:
    evaluation.needless.cache_clear()
    try:
        return frozenset(
            (rule.check.code, source.range_of(finding.anchor).line)
            for rule in RULES
            for finding in rule.check.check(facts)
        )
    finally:
        evaluation.needless.cache_clear()


def total(each_file: Iterable[Worths]) -> Worths:
    """Of all files together."""
    whole = Worths()
    for each in each_file:
        whole.add(each)
    return whole
