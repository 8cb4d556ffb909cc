"""Compares what rules say of a program with its runs: where they must speak, and where they may not."""

from __future__ import annotations

import re

from flake8_nograd.differentiating import asks_for_the_mode
from flake8_nograd.facts import Backward, FileFacts, Forward, Function, Kind, Leaf, Manner, Write
from flake8_nograd.grad import Answer, GradMode
from flake8_nograd.rule import Finding, Rule
from flake8_nograd.source import Source

from .claims import CUT_BY, LEAF, NO_GRAPH, Comparison, Wrong, goes_back
from .grammar import Program
from .lines import holds, stands_on
from .running import Run, run

SAVED = "Inference tensors cannot be saved for backward"
"""What a forward pass may raise only while it records a graph."""
AUGMENTED = re.compile(r"[-+*/]=")
"""What it does to something of which nothing is known, is not known: it may be a number."""
ITEM = re.compile(r"\s*(\w+)\[.*\] = ")
"""So is what this does: it may fill a dictionary."""
TENSORS = {Kind.TENSOR, Kind.PARAMETER}
FREEZES = re.compile(r"requires_grad_\(\w|\.requires_grad = (?!True)")
"""NGR301 is silent on weights of models, by its choice, in files that freeze some."""

COINS = 12
"""Runs more, before it counts as wrong what chance alone may have left out."""

Lines = dict[object, int]
Spoken = list[tuple[Rule, Finding]]


def compare_findings(
    found: Comparison, source: Source, facts: FileFacts, lines: Lines, runs: list[Run], spoken: Spoken
) -> None:
    """Rules speak only where torch fails, or records a graph; and wherever it fails, by known facts."""
    # The lines are at hand for the rows; the provider of positions costs more than the analysis.
    rows = {each.anchor: lines.get(each.place.statement, 0) for each in facts.backwards}
    rows.update((each.anchor, lines.get(each.place.statement, 0)) for each in facts.writes)
    places: dict[str, set[int]] = {}
    for rule, finding in spoken:
        found.findings[rule.code] += 1
        line = rows.get(finding.anchor, 0)
        places.setdefault(rule.code, set()).add(line)
        if rule.code == "NGR201":
            function = next(each.place.function for each in facts.backwards if each.anchor is finding.anchor)
            # Of several functions that bind a name of another, the place is that of one of them.
            is_own = function is None or holds(function.anchor, finding.also)
            _check_no_graph(found, line, finding.also if is_own else None, lines, runs)
        elif rule.code == "NGR301":
            _check_leaf(found, facts, lines, line, runs)
        elif rule.code in {"NGR101", "NGR102"}:
            place = source.range_of(finding.anchor)
            _check_recorded(found, rule.code, facts, lines, range(place.line, place.end_line + 1), runs)
    _check_backwards_missed(found, facts, lines, runs, places)
    _check_writes_missed(found, source, facts, lines, runs, places)


def _check_no_graph(found: Comparison, line: int, also: object, lines: Lines, runs: list[Run]) -> None:
    found.judged["NGR201"] += any(goes_back(done, line) or done.failures.get(line) for done in runs)
    for done in runs:
        if goes_back(done, line):
            found.wrong.append(Wrong("NGR201", f"line {line}", "no graph", "backward does not fail"))
    if len(runs) > 1 or also is None:
        return  # Where ways met, the place is that of one of them, which chance may have left out.
    seen = [{cut for _, cut in cuts} for done in runs if done.failures.get(line) for cuts in done.cuts.get(line, [])]
    if seen and not any(stands_on(lines, also, ways) for ways in seen):
        found.wrong.append(
            Wrong("NGR201", f"line {line}", "made under no-grad there", f"on {sorted(set().union(*seen))}")
        )


def _check_leaf(found: Comparison, facts: FileFacts, lines: Lines, line: int, runs: list[Run]) -> None:
    failed = any(done.failures.get(line) for done in runs)
    completed = any(done.completed(line) > 0 for done in runs)
    certain = any(each.place.grad is GradMode.ON for each in facts.writes if lines.get(each.place.statement, 0) == line)
    if not failed and not certain and not _all_called(facts, lines, runs):
        return  # It raises for some caller, which the runs have not come to.
    found.judged["NGR301"] += failed or completed
    if completed and not failed:
        found.wrong.append(Wrong("NGR301", f"line {line}", "a leaf changed in place", "it does not fail"))


def _check_recorded(
    found: Comparison, code: str, facts: FileFacts, lines: Lines, region: range, runs: list[Run]
) -> None:
    """At least one forward pass in the region records a graph, in one of the runs."""
    recorded = [each for done in runs for number in region for each in done.forwards.get(number, [])]
    # A run that an error ended has not come to all callers, nor one with a condition that never holds: then what
    # is so for each of them can be judged.
    ended = not _all_called(facts, lines, runs)
    interrupted = any(done.raised[number] for done in runs for number in region)
    # In a function that is called there: what would have been recorded is refused.
    interrupted |= any(SAVED in message for _, message in _failed(runs))
    certain = all(
        each.place.grad is GradMode.ON and each.frozen is Answer.NO
        for each in facts.forwards
        if lines.get(each.place.statement, 0) in region
    )
    # A forward pass of the file that runs no other, but in a loop, which may have no turn, is presumed to record,
    # whatever it is given at each call; so is a model that some way has frozen, and some way has not.
    inner = {each.place.function for each in facts.forwards if not each.place.loops}
    freezes = bool(FREEZES.search(found.program.text))
    presumed = any(
        (each.graph is Answer.UNKNOWN and (forwards := _run_by(facts, each)) and not inner.intersection(forwards))
        or (freezes and each.frozen is Answer.UNKNOWN)
        for each in facts.forwards
        if lines.get(each.place.statement, 0) in region
    )
    if not recorded or (not any(recorded) and (interrupted or presumed or (ended and not certain))):
        return
    found.judged[code] += 1
    if not any(recorded) and not (len(runs) > 1 and _records_otherwise(found.program, region)):
        found.wrong.append(Wrong(code, f"line {region[0]}", "a graph is recorded", "none is"))


def _run_by(facts: FileFacts, forward: Forward) -> set[Function]:
    """The ``forward`` functions of the file behind a forward pass, through a helper that runs it as well."""
    if forward.via is None:
        return {*forward.runs}
    inside = (each for each in facts.forwards if each.place.function is forward.via and each.via is None)
    return {run for each in inside for run in each.runs}


def _records_otherwise(program: Program, region: range) -> bool:
    """Whether a forward pass in the region records a graph where coins fall otherwise: for a caller not seen so far."""
    more = (run(program.text, program.seed + number) for number in range(2, 2 + COINS))
    return any(any(done.forwards.get(number, [])) for done in more for number in region)


def _all_called(facts: FileFacts, lines: Lines, runs: list[Run]) -> bool:
    """Whether the runs have come to all calls of functions of the program."""
    calls = [lines.get(each.place.statement, 0) for each in facts.calls if each.function is not None]
    ended = any(done.error is not None for done in runs)
    return not ended and all(any(done.lines[line] for done in runs) for line in calls)


def _check_backwards_missed(
    found: Comparison, facts: FileFacts, lines: Lines, runs: list[Run], places: dict[str, set[int]]
) -> None:
    known = {lines.get(each.place.statement, 0): each for each in facts.backwards}
    for line, message in _failed(runs):
        if NO_GRAPH not in message:
            continue
        row = known.get(line)
        if row is None:
            found.wrong.append(Wrong("backward", f"line {line}", "nothing", "it fails"))
            continue
        speaks = line in places.get("NGR201", ())
        if any(cuts for done in runs for cuts in done.cuts.get(line, [])):
            found.failures["NGR201"] += 1
            found.foreseen["NGR201"] += speaks
        # It is silent, by its choice, where a function asks for the mode, or a condition stands before.
        silent = asks_for_the_mode(facts, row.place.function) or bool(row.place.tests or row.place.passed)
        if _is_cut(row) and not speaks and not silent:
            found.wrong.append(Wrong("NGR201", f"line {line}", "nothing", "backward fails, by known facts"))


def _is_cut(row: Backward) -> bool:
    """Whether the facts say that it was made without a graph, by a switch."""
    target = row.target
    if target.requires_grad is Answer.NO:
        return target.cut is not None and target.cut.how in CUT_BY
    view = target.is_view and target.requires_grad is Answer.UNKNOWN and target.made_at is not None
    return view and target.made_under in {GradMode.OFF, GradMode.INFERENCE}


def _check_writes_missed(
    found: Comparison, source: Source, facts: FileFacts, lines: Lines, runs: list[Run], places: dict[str, set[int]]
) -> None:
    known = {lines.get(each.place.statement, 0): each for each in facts.writes}
    for line, message in _failed(runs):
        if not LEAF.search(message):
            continue
        row = known.get(line)
        speaks = line in places.get("NGR301", ())
        found.failures["NGR301"] += 1
        found.foreseen["NGR301"] += speaks
        if row is None:
            if not _may_be_no_tensor(facts, source.line(line)):
                found.wrong.append(Wrong("write", f"line {line}", "nothing", "it fails"))
        elif _is_a_leaf(row) and not speaks and not _may_be_frozen(found, row):
            found.wrong.append(Wrong("NGR301", f"line {line}", "nothing", "the write fails, by known facts"))


def _may_be_no_tensor(facts: FileFacts, text: str) -> bool:
    """Whether a line changes what may be a number, or a dictionary: no binding of its name says that it is a tensor."""
    item = ITEM.match(text)
    if item is None:
        return AUGMENTED.search(text) is not None
    return not any(each.target.label == item[1] and each.value.kind in TENSORS for each in facts.assignments)


def _is_a_leaf(row: Write) -> bool:
    known = row.place.grad is GradMode.ON and row.target.requires_grad is Answer.YES
    return known and row.target.is_leaf is Answer.YES and row.manner is not Manner.DATA


def _may_be_frozen(found: Comparison, row: Write) -> bool:
    return row.target.leaf in {Leaf.PARAMETERS, Leaf.ATTRIBUTE} and bool(FREEZES.search(found.program.text))


def _failed(runs: list[Run]) -> set[tuple[int, str]]:
    return {(line, message) for done in runs for line, messages in done.failures.items() for message in messages}
