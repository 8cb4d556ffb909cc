"""Compares the facts of a program with what its runs on torch saw: at points, and of backward passes and writes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, fields

import libcst as cst

from flake8_nograd.facts import Cut, FileFacts, Kind, Loss, Manner, Reveal, Value
from flake8_nograd.grad import Answer, GradMode
from flake8_nograd.source import Source

from .grammar import Program
from .lines import stands_on
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


def compare_points(found: Comparison, facts: FileFacts, lines: dict[object, int], runs: list[Run]) -> None:
    """What is known at points that were reached."""
    claims: dict[int, list[Reveal]] = {}
    for each in facts.reveals:
        claims.setdefault(_point(each), []).append(each)
    visits: dict[int, set[Seen]] = {}
    for done in runs:
        for point, seen in done.points.items():
            visits.setdefault(point, set()).update(seen)
    for point, seen in sorted(visits.items()):
        found.points += 1
        place = f"point {point}"
        rows = claims.get(point)
        if rows is None:
            found.wrong.append(Wrong("reached", place, "nothing", "it was reached"))
            continue
        for row in rows:
            _questions(found, place, row, seen)
            if row.value.cut is not None and _has_a_cut(row.value, seen) and len(runs) == 1:
                # Where ways met, the cut is that of one of them: chance, or an error, may have left it out.
                _ask_cut(
                    found, place, row.value.cut, seen, lines, {line for line, count in runs[0].lines.items() if count}
                )


def _point(reveal: Reveal) -> int:
    assert isinstance(reveal.anchor, cst.Call)
    number = reveal.anchor.args[1].value
    assert isinstance(number, cst.Integer)
    return number.evaluated_value


def _questions(found: Comparison, place: str, row: Reveal, visits: set[Seen]) -> None:
    value = row.value
    _ask_mode(found, "grad", place, row.grad, {seen.mode for seen in visits})
    tensors = [seen for seen in visits if seen.kind == "tensor"]
    modules = [seen for seen in visits if seen.kind == "module"]
    if tensors and len(tensors) == len(visits):
        _ask(found, "requires_grad", place, value.requires_grad, {seen.requires_grad for seen in tensors})
        _ask(found, "is_leaf", place, value.is_leaf, {seen.is_leaf for seen in tensors})
        _ask(found, "is_inference", place, value.is_inference, {seen.is_inference for seen in tensors})
        made = {seen.made_under for seen in tensors if seen.made_under is not None}
        if made and value.made_at is not None and value.kind is Kind.TENSOR:
            _ask_mode(found, "made_under", place, value.made_under, made)
    elif modules and len(modules) == len(visits):
        _ask(found, "training", place, row.training, {seen.training for seen in modules})
    _ask_kind(found, place, value.kind, {seen.kind for seen in visits})


def _has_a_cut(value: Value, visits: set[Seen]) -> bool:
    claimed = value.requires_grad is Answer.NO and value.made_at is not None
    # Of several callers in several modes, it is that of one of them.
    claimed &= value.made_under in {*CUT_BY[Loss.NO_GRAD], GradMode.ON, GradMode.NOT_ON}
    return claimed and all(seen.kind == "tensor" for seen in visits)


def _ask_cut(
    found: Comparison, place: str, cut: Cut, visits: set[Seen], lines: dict[object, int], ways: set[int]
) -> None:
    if cut.how not in CUT_BY:
        return
    found.asked["cut"] += 1
    modes = {mode for seen in visits for mode, _ in seen.cuts}
    if not modes & CUT_BY[cut.how] and stands_on(lines, cut.at, ways):
        cuts = ", ".join(str(mode.name) for mode in modes) or "no cut"
        found.wrong.append(Wrong("cut", place, f"cut by {cut.how.value}", cuts))


CUT_BY = {
    # Either way nothing is recorded: where it may be both, the analysis says no_grad.
    Loss.NO_GRAD: {GradMode.OFF, GradMode.INFERENCE},
    Loss.INFERENCE: {GradMode.INFERENCE},
}


def _ask(found: Comparison, what: str, place: str, claim: Answer, truths: set[bool | None]) -> None:
    if len(truths) == 1:
        found.asked[what] += 1
        if claim is Answer.UNKNOWN:
            found.unknown[what] += 1
            found.open.append(Wrong(what, place, "unknown", str(*truths)))
    for truth in truths:
        if not claim & (Answer.YES if truth else Answer.NO):
            found.wrong.append(Wrong(what, place, str(claim.name), str(truth)))


def _ask_mode(found: Comparison, what: str, place: str, claim: GradMode, truths: set[GradMode]) -> None:
    if len(truths) == 1:
        found.asked[what] += 1
        if claim not in {GradMode.ON, GradMode.OFF, GradMode.INFERENCE, GradMode.NEVER}:
            found.unknown[what] += 1
            found.open.append(Wrong(what, place, str(claim.name), " ".join(str(truth.name) for truth in truths)))
    for truth in truths:
        if not claim & truth:
            found.wrong.append(Wrong(what, place, str(claim.name), str(truth.name)))


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


def compare_rows(found: Comparison, source: Source, facts: FileFacts, lines: dict[object, int], done: Run) -> None:
    """What the tables of backward passes and writes imply of their lines."""
    for backward in facts.backwards:
        line = lines.get(backward.place.statement, 0)
        if not done.lines[line] or len(_ASKS.findall(source.line(line))) != 1:
            continue
        failed = [message for message in done.failures.get(line, []) if NO_GRAPH in message]
        claim = backward.target.requires_grad
        found.asked["backward"] += 1
        found.unknown["backward"] += claim is Answer.UNKNOWN
        if claim is Answer.UNKNOWN:
            found.open.append(Wrong("backward", f"line {line}", "unknown", "fails" if failed else "runs"))
        if claim is Answer.YES and failed:
            found.wrong.append(Wrong("backward", f"line {line}", "a graph", "it fails"))
        if claim is Answer.NO and goes_back(done, line):
            found.wrong.append(Wrong("backward", f"line {line}", "no graph", "it does not fail"))
        if backward.target.releafed is not None and done.reached.get(line):
            # The one claim of a backward pass that reaches no parameter: what it starts from was made a leaf.
            found.asked["reached"] += 1
            if any(done.reached[line]):
                found.wrong.append(Wrong("reached", f"line {line}", "no parameter", "one is behind it"))
    for write in facts.writes:
        line = lines.get(write.place.statement, 0)
        if not done.lines[line]:
            continue
        failed = [message for message in done.failures.get(line, []) if LEAF.search(message)]
        target, mode = write.target, write.place.grad
        found.asked["write"] += 1
        is_view = write.manner is Manner.ITEM or target.is_view
        is_no_leaf = not is_view and Answer.NO in {target.requires_grad, target.is_leaf}
        if write.manner is Manner.DATA or not mode & GradMode.ON or is_no_leaf:
            claim = Answer.NO
        elif mode is GradMode.ON and target.requires_grad is Answer.YES and target.is_leaf is Answer.YES:
            claim = Answer.YES
        else:
            claim = Answer.UNKNOWN
            found.unknown["write"] += 1
            found.open.append(Wrong("write", f"line {line}", "unknown", "fails" if failed else "runs"))
        if claim is Answer.NO and failed:
            found.wrong.append(Wrong("write", f"line {line}", "allowed", "it fails"))
        if claim is Answer.YES and done.completed(line) > 0:
            found.wrong.append(Wrong("write", f"line {line}", "a leaf changed in place", "it does not fail"))


def goes_back(done: Run, line: int) -> bool:
    """Whether a backward pass on a line came to its end: what ``flag and loss.backward()`` has may not run at all."""
    refused = [message for message in done.failures.get(line, []) if NO_GRAPH in message]
    return done.completed(line) > 0 and len(done.cuts.get(line, [])) > len(refused)


_ASKS = re.compile(r"\bbackward\(|autograd\.grad\(")
