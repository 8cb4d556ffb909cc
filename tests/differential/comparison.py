"""Analyses a program, runs it on torch, and compares the two."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flake8_nograd.analysis import facts_of
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

from .claims import Comparison, compare_points, compare_rows
from .elsewhere import WAYS, functions_of
from .findings import compare_findings
from .fixes import SETTINGS, compare_fixes
from .grammar import Program
from .lines import statement_lines
from .running import Endless, Run, run

FREQUENT = {"NGR101", "NGR301", "NGR405", "NGR409", "NGR411"}
"""Rules of which many programs have a fix: of programs with no others, one in four is tried, for the sake of time."""
ASKED_OF = 4
"""Of so many programs, one is asked what remains unknown, for which it runs in many more ways; all are compared."""
MORE = 2
"""Runs that show whether what the first agree on is chance."""
MOST_CALLED = 4
"""Functions that are called as other files may call them."""
RANDOM = re.compile(r"\b(coin|roll|fail)\(\)")


def compare(program: Program) -> Comparison:
    """What becomes of a program."""
    found = Comparison(program=program)
    source = Source.of(program.text)
    facts = facts_of(source.module, SETTINGS)
    seeds = (program.seed, program.seed + 1) if RANDOM.search(program.text) else (program.seed,)
    runs = [run(program.text, seed) for seed in seeds]
    lines = statement_lines(source.module)
    for each in runs:
        _note_error(found, each)
    is_asked = program.seed % ASKED_OF == 1
    others = _as_it_may_be(program, seeds) if is_asked else []
    compare_points(found, facts, lines, runs, others)
    compare_rows(found, source, facts, lines, runs, others)
    spoken = [(rule, finding) for rule in all_rules() for finding in rule.check(facts)]
    compare_findings(found, source, facts, lines, runs, spoken)
    safe = [(rule, finding) for rule, finding in spoken if finding.fix is not None and finding.fix.safe]
    if safe and ({rule.code for rule, _ in safe} - FREQUENT or program.seed % 4 == 0):
        places = {(rule.code, source.range_of(finding.anchor).line) for rule, finding in safe}
        compare_fixes(found, source, facts, places, runs, seeds)
    if not is_asked:
        # What all ways would agree on is not known of it.
        found.asked.clear(), found.unknown.clear(), found.open.clear()
    found.wrong = list(dict.fromkeys(found.wrong))
    return found


def _as_it_may_be(program: Program, seeds: Sequence[int]) -> list[Run]:
    """Runs in which coins fall otherwise, and functions are called as other files may call them."""
    further = [program.seed + number for number in range(len(seeds), len(seeds) + MORE)] if len(seeds) > 1 else []
    names = [*dict.fromkeys(functions_of(program.text))][:MOST_CALLED]
    elsewhere = [run(program.text, program.seed, name, way) for name in names for way in WAYS]
    return [run(program.text, seed) for seed in further] + elsewhere


def _note_error(found: Comparison, each: Run) -> None:
    found.astray |= each.astray
    if each.error is None:
        return
    found.error = f"{type(each.error).__name__}: {each.error}"
    expected = isinstance(each.error, RuntimeError | Endless)
    expected = expected or "as it happens" in found.error or found.error == "ValueError: "
    expected = expected or "'NoneType'" in found.error or "non-leaf" in found.error
    if not expected:
        found.defect = found.error
