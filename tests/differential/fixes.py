"""Applies the safe fixes of a program, and compares its runs before and after."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from unittest.mock import patch

import libcst as cst

from flake8_nograd.analysis import facts_of
from flake8_nograd.engine import fix
from flake8_nograd.facts import FileFacts, Form
from flake8_nograd.grad import Answer
from flake8_nograd.settings import Settings
from flake8_nograd.source import Source

from .claims import Comparison, Wrong
from .findings import SAVED
from .running import Endless, Run, run

SETTINGS = Settings(torch_version=(2, 0))
"""So that the rules on old torch speak, too."""
ENDS_AN_ERROR = {"NGR203", "NGR301", "NGR401", "NGR502"}
"""Rules whose fix ends an error on the line of the finding: from there on the program does something else."""
ENDS_ERRORS_ELSEWHERE = {"NGR204", "NGR205", "NGR208", "NGR302", "NGR405", "NGR406", "NGR408"}
"""The same, where other lines may raise as well: what a ``finally`` found of the mode in which an error left it."""
EVALUATIONS = {"NGR101", "NGR102"}
ENDED_BY_NO_GRAD = re.compile(f"{SAVED}|is a view and its base or another view of its base has been modified inplace")
"""What is raised only while a graph is recorded."""
UNRECORDED = "no graph is recorded"


def compare_fixes(
    found: Comparison,
    source: Source,
    facts: FileFacts,
    places: set[tuple[str, int]],
    runs: list[Run],
    seeds: tuple[int, ...],
) -> None:
    """Apply what is safe, all at once as users do; if that goes wrong, say whose fix it was."""

    def known(module: cst.Module, settings: Settings) -> FileFacts:
        return facts if module is source.module else facts_of(module, settings)

    # To find out once more what the facts are would be a third of the cost.
    with patch("flake8_nograd.engine.facts_of", known):
        wrong = _applied(found, source, None, places, runs, seeds)
        codes = sorted(code for code, count in found.fixes.items() if count) if wrong else ()
        alone = [each for code in codes for each in _applied(None, source, code, places, runs, seeds)]
    if wrong:
        found.wrong += [each for each in alone or wrong if each.claim != UNRECORDED or not _records_itself(facts)]


def _records_itself(facts: FileFacts) -> bool:
    """Whether a function turns gradients on itself, perhaps: it records graphs of its own, whoever calls it."""
    own = (each for each in facts.switches if each.form is Form.DECORATOR or each.function is not None)
    return any(each.enables is not Answer.NO for each in own)


def _applied(
    found: Comparison | None,
    source: Source,
    only: str | None,
    places: set[tuple[str, int]],
    runs: list[Run],
    seeds: tuple[int, ...],
) -> list[Wrong]:
    result = fix(source, SETTINGS, wanted=lambda code: only is None or code == only)
    what = f"fix {only or 'of several rules'}"
    if result.error is not None:
        return [Wrong(what, "file", "it can be applied", result.error)]
    done = Counter(each.code for each in result.fixed)
    if found is not None:
        found.fixes += done
    if not done:
        return []
    wrong = []
    text = result.source.text
    # Of what later rounds fixed, the lines are those of the text as it was then.
    first = [each for each in result.fixed if (each.code, each.line) in places]
    regions = [range(each.line, each.end_line + 1) for each in first if each.code in EVALUATIONS]
    for seed, before in zip(seeds, runs, strict=True):
        after = run(text, seed)
        if isinstance(before.error, Endless) or isinstance(after.error, Endless):
            continue
        wrong += [
            Wrong(what, f"line {line}", UNRECORDED, "one is") for line in _recording(source.text, text, regions, after)
        ]
        lines = {each.line for each in first if each.code in ENDS_AN_ERROR}
        if done.keys() & EVALUATIONS:
            lines |= {line for line, failed in before.failures.items() if any(map(ENDED_BY_NO_GRAD.search, failed))}
        limits = _limits(before, lines)
        if done.keys() & ENDS_ERRORS_ELSEWHERE or len(first) < len(result.fixed):
            limits += list(before.printed_before.values())
        if limits:
            if after.printed[: min(limits)] != before.printed[: min(limits)]:
                wrong.append(Wrong(what, "file", "prints the same up to an error", "it does not"))
            continue
        if found is not None:
            found.compared += Counter(done.keys())
        if _error(after) != _error(before):
            wrong.append(Wrong(what, "file", f"ends with {_error(before)}", f"it ends with {_error(after)}"))
        elif after.printed != before.printed:
            wrong.append(Wrong(what, "file", "prints the same", "it does not"))
        elif after.left != before.left:
            names = [name for name in before.left if before.left[name] != after.left.get(name)]
            wrong.append(Wrong(what, "file", "leaves the same", f"not in {names}"))
    return wrong


def _limits(before: Run, lines: set[int]) -> list[int]:
    """How much was printed before each error that is no more."""
    return [count for line, count in before.printed_before.items() if line in lines]


def _error(done: Run) -> str:
    return "no error" if done.error is None else type(done.error).__name__


def _recording(before: str, after: str, regions: list[range], done: Run) -> list[int]:
    """The regions in which a graph is recorded, although a fix said that none is wanted."""
    lines = _moved(before, after) if regions else {}
    return [
        region[0]
        for region in regions
        if any(recorded for line in region for recorded in done.forwards.get(lines.get(line, 0), []))
    ]


def _moved(before: str, after: str) -> dict[int, int]:
    """Where each line went: fixes change indentation, add lines and take some away."""
    old, new = ([line.strip() for line in text.splitlines()] for text in (before, after))
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {block.a + at + 1: block.b + at + 1 for block in blocks for at in range(block.size)}
