"""Many programs: generated, compared, counted, and the wrong claims reduced."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings

from .claims import Comparison, Counts, Wrong
from .comparison import compare
from .grammar import Program, programs
from .reducing import reduced, same

BATCH = 250


@dataclass
class Summary(Counts):
    """What many comparisons come to."""

    programs: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    defects: dict[str, Program] = field(default_factory=dict)
    wrong: list[tuple[Program, Wrong]] = field(default_factory=list)
    wrong_programs: int = 0

    def add(self, found: Comparison) -> None:
        """Count one more program."""
        self.programs += 1
        self.count(found)
        if found.error:
            self.errors[found.error.splitlines()[0][:70]] += 1
        if found.defect:
            self.defects.setdefault(found.defect, found.program)
        self.wrong += [(found.program, each) for each in found.wrong]
        self.wrong_programs += bool(found.wrong)

    def merge(self, other: Summary) -> None:
        """Take in what another process found."""
        self.programs += other.programs
        self.count(other)
        self.errors += other.errors
        self.defects = other.defects | self.defects
        self.wrong += other.wrong
        self.wrong_programs += other.wrong_programs

    def __str__(self) -> str:
        """The figures."""
        asked, unknown = sum(self.asked.values()), sum(self.unknown.values())
        lines = [
            f"{self.programs} programs, {self.points} points reached",
            f"{len(self.wrong)} wrong claims in {self.wrong_programs} programs",
            f"unknown where all visits agree: {unknown / max(asked, 1):.1%} of {asked} questions",
        ]
        lines += [
            f"  {what:14} {self.unknown[what] / count:6.1%} of {count}" for what, count in sorted(self.asked.items())
        ]
        lines.append(f"findings: {_table(self.findings)}")
        lines.append(f"  confirmed or denied by a run: {_table(self.judged)}")
        lines.append(f"failures on torch: {_table(self.failures)}; foreseen: {_table(self.foreseen)}")
        lines.append(f"safe fixes applied: {_table(self.fixes)}")
        lines.append(f"  programs that were compared to their end: {_table(self.compared)}")
        ended = ", ".join(f"{count} x {error}" for error, count in self.errors.most_common(6))
        lines.append(f"ended by an error: {sum(self.errors.values())} ({ended})")
        return "\n".join(lines)


def _table(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def campaign(count: int, number: int) -> Summary:
    """Generate and compare so many programs, from a seed."""
    summary = Summary()

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def one(program: Program) -> None:
        summary.add(compare(program))

    one()
    return summary


def kinds_of(wrong_claims: list[tuple[Program, Wrong]]) -> list[tuple[Program, Wrong, int]]:
    """The shortest program of each kind of wrong claim, and how often there is one of that kind."""
    kinds: list[tuple[Program, Wrong, int]] = []
    for program, wrong in sorted(wrong_claims, key=lambda each: len(each[0].text)):
        if not any(same(wrong, held) for _, held, _ in kinds):
            kinds.append((program, wrong, sum(same(wrong, each) for _, each in wrong_claims)))
    return kinds


def _show(total: Summary, most: int) -> None:
    for program, wrong, count in kinds_of(total.wrong)[:most]:
        print(f"\n{'-' * 70}\n{wrong}  ({count} times)\n{reduced(program, wrong)!r}", flush=True)


def main() -> int:
    """Run, with progress, and say what was found; 1 if a claim was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="how many wrong claims to reduce and print")
    parser.add_argument("--defects", action="store_true", help="print programs that ended as programs must not")
    options = parser.parse_args()
    start = time.monotonic()
    total = Summary()
    batches = range(-(-options.programs // BATCH))
    numbers = [options.seed * 1_000_003 + batch for batch in batches]
    with ProcessPoolExecutor(options.jobs) as pool:
        for done in pool.map(partial(campaign, BATCH), numbers):
            total.merge(done)
            cost = (time.monotonic() - start) * 1000 / total.programs
            if total.programs % (BATCH * 4) == 0:
                print(f"{total.programs} programs, {len(total.wrong)} wrong, {cost:.0f} ms each", flush=True)
    print(total)
    print(f"cost: {(time.monotonic() - start) * 1000 / max(total.programs, 1):.1f} ms a program")
    _show(total, options.show)
    for defect, program in list(total.defects.items())[: 5 if options.defects else 0]:
        print(f"\n{'-' * 70}\n{defect}\n{program!r}")
    return 1 if total.wrong else 0
