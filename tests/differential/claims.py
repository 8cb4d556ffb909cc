"""Compares the facts of a program with what its runs on torch saw: at points, and of backward passes and writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields

import libcst as cst

from flake8_nograd.facts import Backward, Cut, FileFacts, Kind, Loss, Manner, Reveal, Value, Write
from flake8_nograd.grad import Answer, GradMode
from flake8_nograd.source import Source

from .grammar import Program
from .running import Run, Seen

NO_GRAPH = "does not require grad and does not have a grad_fn"
LEAF = re.compile("a (view of a )?leaf Variable that requires grad")


@dataclass(frozen=True)
class Wrong:
    """A claim that the run denies."""

    what: str
    place: str
    """``point 3`` or ``line 12``."""
    claim: str
    truth: str

    def __str__(self) -> str:
        """One line of a report."""
        return f"{self.what} at {self.place}: claimed {self.claim}, but {self.truth}"


@dataclass
class Counts:
    """What is counted of a program, and of many."""

    asked: Counter[str] = field(default_factory=Counter)
    """Questions at points that were reached and where all visits agreed, by kind."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Those that the analysis leaves open."""
    points: int = 0
    """Points that were reached."""
    findings: Counter[str] = field(default_factory=Counter)
    """By the rule's code."""
    judged: Counter[str] = field(default_factory=Counter)
    """Findings that a run confirmed or denied."""
    failures: Counter[str] = field(default_factory=Counter)
    """Lines where torch raised what a rule is for, by its code."""
    foreseen: Counter[str] = field(default_factory=Counter)
    """Those that the rule spoke of."""
    fixes: Counter[str] = field(default_factory=Counter)
    """Safe fixes that were applied, by the rule's code."""
    compared: Counter[str] = field(default_factory=Counter)
    """Those whose program did the same before and after, all the way to its end."""

    def count(self, other: Counts) -> None:
        """Add the counts of another program, or of many."""
        for each in fields(Counts):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(kw_only=True)
class Comparison(Counts):
    """What became of one program."""

    program: Program
    wrong: list[Wrong] = field(default_factory=list)
    open: list[Wrong] = field(default_factory=list)
    """What it leaves open, to be read."""
    error: str = ""
    """What ended the run."""
    defect: str = ""
    """An error that programs must not end with: the grammar has to be mended."""
    astray: bool = False
    """Whether a run missed a name, caught or not."""


# --- points ---------------------------------------------------------------------------


def compare_points(
    found: Comparison, facts: FileFacts, lines: dict[object, int], runs: list[Run], others: list[Run]
) -> None:
    """What is known at points that were reached; it is a question where the other runs agree as well."""
    claims: dict[int, list[Reveal]] = {}
    for each in facts.reveals:
        claims.setdefault(_point(each), []).append(each)
    visits: dict[int, set[Seen]] = {}
    for done in runs:
        for point, seen in done.points.items():
            visits.setdefault(point, set()).update(seen)
    for point, seen in sorted(visits.items()):
        also = seen.union(*(done.points[point] for done in others if point in done.points))
        found.points += 1
        place = f"point {point}"
        rows = claims.get(point)
        if rows is None:
            found.wrong.append(Wrong("reached", place, "nothing", "it was reached"))
            continue
        for row in rows:
            _questions(found, place, row, seen, also)
            if row.value.cut is not None and row.value.cut.is_certain and _has_a_cut(row.value, seen):
                _ask_cut(found, place, row.value.cut, seen)


def _point(reveal: Reveal) -> int:
    assert isinstance(reveal.anchor, cst.Call)
    number = reveal.anchor.args[1].value
    assert isinstance(number, cst.Integer)
    return number.evaluated_value


def _questions(found: Comparison, place: str, row: Reveal, visits: set[Seen], others: set[Seen]) -> None:
    value = row.value

    def ask(what: str, claim: Answer | GradMode, of: Callable[[Seen], Answer | GradMode | None]) -> None:
        truths = {truth for seen in visits if (truth := of(seen)) is not None}
        if truths:
            is_question = len({of(seen) for seen in others} - {None}) == 1
            _ask(found, what, place, claim, truths, is_question=is_question)

    ask("grad", row.grad, lambda seen: seen.mode)
    kinds = {seen.kind for seen in visits}
    if kinds == {"tensor"}:
        ask("requires_grad", value.requires_grad, lambda seen: _answer(seen.requires_grad))
        ask("is_leaf", value.is_leaf, lambda seen: _answer(seen.is_leaf))
        ask("is_inference", value.is_inference, lambda seen: _answer(seen.is_inference))
        if value.made_at is not None and value.kind is Kind.TENSOR:
            ask("made_under", value.made_under, lambda seen: seen.made_under)
    elif kinds == {"module"} and value.kind is not Kind.CRITERION:
        # A loss does the same in both modes: no rule asks for it, and so no fact says it.
        ask("training", row.training, lambda seen: _answer(seen.training))
    _ask_kind(found, place, value.kind, kinds)


def _answer(truth: bool | None) -> Answer | None:
    return None if truth is None else Answer.YES if truth else Answer.NO


def _has_a_cut(value: Value, visits: set[Seen]) -> bool:
    return value.requires_grad is Answer.NO and all(seen.kind == "tensor" for seen in visits)


def _ask_cut(found: Comparison, place: str, cut: Cut, visits: set[Seen]) -> None:
    if cut.how not in CUT_BY:
        return
    found.asked["cut"] += 1
    modes = {mode for seen in visits for mode, _ in seen.cuts}
    if not modes & CUT_BY[cut.how]:
        cuts = ", ".join(str(mode.name) for mode in modes) or "no cut"
        found.wrong.append(Wrong("cut", place, f"cut by {cut.how.value}", cuts))


CUT_BY = {
    # Either way nothing is recorded: where it may be both, the analysis says no_grad.
    Loss.NO_GRAD: {GradMode.OFF, GradMode.INFERENCE},
    Loss.INFERENCE: {GradMode.INFERENCE},
}


KNOWN = {Answer.YES, Answer.NO, Answer.NEVER, GradMode.ON, GradMode.OFF, GradMode.INFERENCE, GradMode.NEVER}


def _ask(
    found: Comparison,
    what: str,
    place: str,
    claim: Answer | GradMode,
    truths: set[Answer | GradMode],
    *,
    is_question: bool,
) -> None:
    names = " ".join(sorted(str(truth.name) for truth in truths))
    if is_question:
        found.asked[what] += 1
        if claim not in KNOWN:
            found.unknown[what] += 1
            found.open.append(Wrong(what, place, "unknown", names))
    if any(not claim.value & truth.value for truth in truths):
        found.wrong.append(Wrong(what, place, str(claim.name), names))


_KINDS = {
    Kind.MODEL: "module",
    Kind.PARAMETER: "tensor",
    Kind.TENSOR: "tensor",
    Kind.PLAIN: "other",
    Kind.CONTAINER: "other",
    Kind.PARAMETERS: "other",
    Kind.FUNCTION: "other",
}


def _ask_kind(found: Comparison, place: str, claim: Kind, truths: set[str]) -> None:
    truths = truths - {"none"}
    if len(truths) != 1 or truths == {"other"}:
        return
    found.asked["kind"] += 1
    truth = next(iter(truths))
    if claim is Kind.UNKNOWN:
        found.unknown["kind"] += 1
        found.open.append(Wrong("kind", place, "unknown", truth))
    elif _KINDS.get(claim, truth) != truth:
        found.wrong.append(Wrong("kind", place, claim.value, truth))


# --- rows -----------------------------------------------------------------------------


def compare_rows(
    found: Comparison,
    source: Source,
    facts: FileFacts,
    lines: dict[object, int],
    runs: list[Run],
    others: list[Run],
) -> None:
    """What the tables of backward passes and writes imply of their lines."""
    for backward in facts.backwards:
        line = lines.get(backward.place.statement, 0)
        if len(_ASKS.findall(source.line(line))) == 1:
            _ask_of_line(found, "backward", line, backward.target.requires_grad, runs, others)
            _ask_reached(found, backward, line, runs)
    for write in facts.writes:
        _ask_of_line(found, "write", lines.get(write.place.statement, 0), _raises(write), runs, others)


def _raises(write: Write) -> Answer:
    """Whether it changes a leaf that requires gradients, while they are on."""
    target, mode = write.target, write.place.grad
    # Of a view, it counts what it is a view of.
    is_no_leaf = target.is_leaf is Answer.NO and not target.is_view
    if write.manner is Manner.DATA or not mode & GradMode.ON or is_no_leaf or target.requires_grad is Answer.NO:
        return Answer.NO
    surely = mode is GradMode.ON and target.requires_grad is Answer.YES and target.is_leaf is Answer.YES
    return Answer.YES if surely else Answer.UNKNOWN


def _ask_of_line(found: Comparison, what: str, line: int, claim: Answer, runs: list[Run], others: list[Run]) -> None:
    """Whether a line runs; of a backward pass, ``YES`` says so, and of a write ``NO``."""
    outcomes = [_outcomes(done, what, line) for done in runs]
    ends = set[str]().union(*outcomes)
    if len(ends.union(*(_outcomes(done, what, line) for done in others))) == 1 and ends:
        found.asked[what] += 1
        if claim is Answer.UNKNOWN:
            found.unknown[what] += 1
            found.open.append(Wrong(what, f"line {line}", "unknown", *ends))
    denied = {"backward": {Answer.YES: FAILS, Answer.NO: RUNS}, "write": {Answer.NO: FAILS, Answer.YES: RUNS}}
    if denied[what].get(claim) in ends:
        found.wrong.append(Wrong(what, f"line {line}", CLAIMED[what, claim], denied[what][claim]))


FAILS, RUNS = "it fails", "it does not fail"
CLAIMED = {
    ("backward", Answer.YES): "a graph",
    ("backward", Answer.NO): "no graph",
    ("write", Answer.NO): "allowed",
    ("write", Answer.YES): "a leaf changed in place",
}


def _outcomes(done: Run, what: str, line: int) -> set[str]:
    if not done.lines[line]:
        return set()
    messages = done.failures.get(line, [])
    if what == "backward":
        failed, ran = any(NO_GRAPH in each for each in messages), goes_back(done, line)
    else:
        failed, ran = any(LEAF.search(each) for each in messages), done.completed(line) > 0
    return {each for each, holds in ((FAILS, failed), (RUNS, ran)) if holds}


def _ask_reached(found: Comparison, backward: Backward, line: int, runs: list[Run]) -> None:
    """The one claim of a backward pass that reaches no parameter: what it starts from was made a leaf."""
    for done in runs:
        if backward.target.releafed is not None and done.lines[line] and done.reached.get(line):
            found.asked["reached"] += 1
            if any(done.reached[line]):
                found.wrong.append(Wrong("reached", f"line {line}", "no parameter", "one is behind it"))


def goes_back(done: Run, line: int) -> bool:
    """Whether a backward pass on a line came to its end: what ``flag and loss.backward()`` has may not run at all."""
    refused = [message for message in done.failures.get(line, []) if NO_GRAPH in message]
    return done.completed(line) > 0 and len(done.cuts.get(line, [])) > len(refused)


_ASKS = re.compile(r"\bbackward\(|autograd\.grad\(")
