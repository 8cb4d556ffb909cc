"""Compares what the analysis claims of a program with what its runs on torch saw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from flake8_nograd.analysis import facts_of
from flake8_nograd.engine import fix
from flake8_nograd.facts import FileFacts, Kind, Loss, Manner, Reveal
from flake8_nograd.grad import Answer, GradMode
from flake8_nograd.rule import Finding, Rule
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

from .grammar import Program
from .lines import stands_on, statement_lines
from .running import Run, Seen, run

NO_GRAPH = "does not require grad and does not have a grad_fn"
LEAF = re.compile("a (view of a )?leaf Variable that requires grad")
ASKS_FOR_THE_MODE = "is_grad_enabled"
"""NGR201 is silent, by its choice, where a program asks for the mode itself."""
FREEZES = re.compile(r"requires_grad_\(\w|\.requires_grad = (?!True)")
"""NGR301 is silent on weights of models, by its choice, in files that freeze some."""


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
class Comparison:
    """What became of one program."""

    program: Program
    wrong: list[Wrong] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """Questions at points that were reached and where all visits agreed, by kind."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Those that the analysis leaves open."""
    open: list[Wrong] = field(default_factory=list)
    """What it leaves open, to be read."""
    points: int = 0
    """Points that were reached."""
    findings: Counter[str] = field(default_factory=Counter)
    fixes: int = 0
    """Safe fixes whose program was run before and after."""
    error: str = ""
    """What ended the run."""
    defect: str = ""
    """An error that programs must not end with: the grammar has to be mended."""
    astray: bool = False
    """Whether a run missed a name, caught or not."""


def compare(program: Program) -> Comparison:
    """Analyse a program, run it, and compare."""
    found = Comparison(program)
    source = Source.of(program.text)
    facts = facts_of(source.module)
    seeds = (program.seed, program.seed + 1) if re.search(r"\b(coin|roll|fail)\(\)", program.text) else (program.seed,)
    runs = [run(program.text, seed) for seed in seeds]
    for each in runs:
        _note_error(found, each)
    _compare_points(found, facts, runs)
    for each in runs:
        _compare_rows(found, source, facts, each)
    _compare_rules(found, source, facts, runs, seeds)
    found.wrong = list(dict.fromkeys(found.wrong))
    return found


def _note_error(found: Comparison, each: Run) -> None:
    found.astray |= each.astray
    if each.error is None:
        return
    found.error = f"{type(each.error).__name__}: {each.error}"
    expected = isinstance(each.error, RuntimeError) or "as it happens" in found.error or found.error == "ValueError: "
    expected = expected or "'NoneType'" in found.error or "non-leaf" in found.error
    if not expected:
        found.defect = found.error


# --- points ---------------------------------------------------------------------------


def _compare_points(found: Comparison, facts: FileFacts, runs: list[Run]) -> None:
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
        one_way = value.requires_grad is Answer.NO and value.made_at is not None
        # Where branches met, the cut is that of one of them.
        if one_way and value.cut is not None and value.cut.how in _CUT_BY:
            found.asked["cut"] += 1
            for seen in tensors:
                modes = {mode for mode, _ in seen.cuts}
                if not modes & _CUT_BY[value.cut.how]:
                    cuts = ", ".join(str(mode.name) for mode in modes) or "no cut"
                    found.wrong.append(Wrong("cut", place, f"cut by {value.cut.how.value}", cuts))
    elif modules and len(modules) == len(visits):
        _ask(found, "training", place, row.training, {seen.training for seen in modules})
    _ask_kind(found, place, value.kind, {seen.kind for seen in visits})


_CUT_BY = {
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


def _compare_rows(found: Comparison, source: Source, facts: FileFacts, done: Run) -> None:
    """What the tables of backward passes and writes imply of their lines."""
    lines = statement_lines(source.module)
    for backward in facts.backwards:
        line = lines.get(backward.place.statement, 0)
        if not done.lines[line] or len(_ASKS.findall(source.line(line))) != 1:
            continue
        failed = [message for message in done.failures.get(line, []) if NO_GRAPH in message]
        other = len(done.failures.get(line, [])) - len(failed)
        claim = backward.target.requires_grad
        found.asked["backward"] += 1
        found.unknown["backward"] += claim is Answer.UNKNOWN
        if claim is Answer.UNKNOWN:
            found.open.append(Wrong("backward", f"line {line}", "unknown", "fails" if failed else "runs"))
        if claim is Answer.YES and failed:
            found.wrong.append(Wrong("backward", f"line {line}", "a graph", "it fails"))
        if claim is Answer.NO and len(failed) + other < done.lines[line] - _interrupted(done, line):
            found.wrong.append(Wrong("backward", f"line {line}", "no graph", "it does not fail"))
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
        if claim is Answer.YES and not done.failures.get(line):
            found.wrong.append(Wrong("write", f"line {line}", "a leaf changed in place", "it does not fail"))


def _interrupted(done: Run, line: int) -> int:
    """Times that a line was begun and ended by something other than what it does: a call in it raised."""
    return 1 if done.error is not None and not done.failures.get(line) else 0


_ASKS = re.compile(r"\bbackward\(|autograd\.grad\(")


# --- rules and fixes ------------------------------------------------------------------


def _findings(facts: FileFacts) -> Iterator[tuple[Rule, Finding]]:
    for rule in all_rules():
        if rule.code in {"NGR101", "NGR102", "NGR201", "NGR301"}:
            for finding in rule.check(facts):
                yield rule, finding


def _compare_rules(
    found: Comparison, source: Source, facts: FileFacts, runs: list[Run], seeds: tuple[int, ...]
) -> None:
    findings = list(_findings(facts))
    spoken: dict[str, set[int]] = {}
    lines = statement_lines(source.module)
    # The lines are at hand for the rows; the provider of positions costs more than the analysis.
    rows = {each.anchor: lines.get(each.place.statement, 0) for each in facts.backwards}
    rows.update((each.anchor, lines.get(each.place.statement, 0)) for each in facts.writes)
    for rule, finding in findings:
        found.findings[rule.code] += 1
        line = rows.get(finding.anchor, 0)
        spoken.setdefault(rule.code, set()).add(line)
        if rule.code == "NGR201":
            _check_no_graph(found, line, finding.also, lines, runs)
        elif rule.code == "NGR301":
            _check_leaf(found, line, runs)
        else:
            place = source.range_of(finding.anchor)
            _check_recorded(found, rule.code, place.line, place.end_line, runs)
    _check_missed(found, facts, lines, runs, spoken)
    if any(finding.fix is not None and finding.fix.safe for _, finding in findings):
        _check_fixes(found, source, runs, seeds)


def _check_no_graph(found: Comparison, line: int, also: object, lines: dict[object, int], runs: list[Run]) -> None:
    for done in runs:
        if done.lines[line] and not done.failures.get(line) and not _interrupted(done, line):
            found.wrong.append(Wrong("NGR201", f"line {line}", "no graph", "backward does not fail"))
        for cuts in done.cuts.get(line, []):
            ways = {cut for _, cut in cuts}
            if done.failures.get(line) and not stands_on(lines, also, ways):
                found.wrong.append(Wrong("NGR201", f"line {line}", "made under no-grad there", f"on {sorted(ways)}"))


def _check_leaf(found: Comparison, line: int, runs: list[Run]) -> None:
    reached = [done for done in runs if done.lines[line] and not _interrupted(done, line)]
    if reached and not any(done.failures.get(line) for done in reached):
        found.wrong.append(Wrong("NGR301", f"line {line}", "a leaf changed in place", "it does not fail"))


def _check_recorded(found: Comparison, code: str, line: int, end: int, runs: list[Run]) -> None:
    recorded = [each for done in runs for number in range(line, end + 1) for each in done.forwards.get(number, [])]
    # A run that an error ended has not come to all callers.
    ended = any(done.error is not None for done in runs)
    if recorded and not any(recorded) and not ended:
        found.wrong.append(Wrong(code, f"line {line}", "a graph is recorded", "none is"))


def _check_missed(
    found: Comparison, facts: FileFacts, lines: dict[object, int], runs: list[Run], spoken: dict[str, set[int]]
) -> None:
    """Rules speak wherever the facts say that torch fails."""
    asks = ASKS_FOR_THE_MODE in found.program.text
    for backward in () if asks else facts.backwards:
        target = backward.target
        if target.requires_grad is Answer.NO and target.cut is not None and target.cut.how in _CUT_BY:
            line = lines.get(backward.place.statement, 0)
            if any(done.failures.get(line) for done in runs) and line not in spoken.get("NGR201", ()):
                found.wrong.append(Wrong("NGR201", f"line {line}", "nothing", "backward fails, by known facts"))
    for write in facts.writes:
        target = write.target
        known = write.place.grad is GradMode.ON and target.requires_grad is Answer.YES and target.is_leaf is Answer.YES
        if known and write.manner is not Manner.DATA:
            line = lines.get(write.place.statement, 0)
            failed = any(LEAF.search(each) for done in runs for each in done.failures.get(line, []))
            if failed and line not in spoken.get("NGR301", ()) and not FREEZES.search(found.program.text):
                found.wrong.append(Wrong("NGR301", f"line {line}", "nothing", "the write fails, by known facts"))


def _check_fixes(found: Comparison, source: Source, runs: list[Run], seeds: tuple[int, ...]) -> None:
    result = fix(source, wanted=lambda code: code in {"NGR101", "NGR102", "NGR201", "NGR301"})
    if result.error is not None:
        found.wrong.append(Wrong("fix", "file", "it can be applied", result.error))
        return
    text = result.source.text
    regions = [range(each.line, each.end_line + 1) for each in result.fixed if each.code in {"NGR101", "NGR102"}]
    updates = {each.line for each in result.fixed if each.code == "NGR301"}
    for seed, before in zip(seeds, runs, strict=True):
        after = run(text, seed)
        _check_region(found, source.text, text, regions, after)
        if before.error is not None or any(before.failures.get(line) for line in updates):
            # What raised before, and was perhaps caught, runs now, and does something else.
            continue
        found.fixes += 1
        if after.error is not None:
            found.wrong.append(Wrong("fix", "file", "the program runs", f"it raises {after.error}"))
        elif after.printed != before.printed:
            found.wrong.append(Wrong("fix", "file", "prints the same", "it does not"))
        elif after.left != before.left:
            names = [name for name in before.left if before.left[name] != after.left.get(name)]
            found.wrong.append(Wrong("fix", "file", "leaves the same", f"not in {names}"))


def _check_region(found: Comparison, before: str, after: str, regions: list[range], done: Run) -> None:
    """No graph is recorded any more where a fix said that none is wanted."""
    lines = _moved(before, after)
    for region in regions:
        recorded = [each for line in region for each in done.forwards.get(lines.get(line, 0), [])]
        if any(recorded):
            found.wrong.append(Wrong("fix", f"line {region[0]}", "no graph is recorded", "one is"))


def _moved(before: str, after: str) -> dict[int, int]:
    """Where each line went: a fix adds lines and indentation, and keeps the order of the rest."""
    rest = list(enumerate(after.splitlines(), 1))
    lines: dict[int, int] = {}
    for number, line in enumerate(before.splitlines(), 1):
        for index, (place, text) in enumerate(rest):
            if text.strip() == line.strip():
                lines[number] = place
                rest = rest[index + 1 :]
                break
    return lines
