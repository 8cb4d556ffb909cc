"""The ecosystem command: ``python -m tests.ecosystem findings | recall | fixes | agreement | judgements``."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from flake8_nograd.rules import all_rules

from . import verdicts
from .agreement import disagreements
from .findings import FileFindings, context, file_findings
from .judgements import Worths, file_worths, total
from .packages import SHORT, FetchError, Package, chosen, default_cache, fetch, shown, torch_files
from .recall import Outcome, file_outcomes
from .recording import Excuse, Kind
from .restoring import Restored

ALL_WELL, ATTENTION, TROUBLE = 0, 1, 2
BATCH = 400
"""Files given to one run of flake8: a command line holds no more than some thousand."""

PROGRESS = 500
"""Files between two signs of life: the whole set takes most of an hour on two cores."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package, and what it is called there."""

    package: Package
    path: Path
    name: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the result is its exit code."""
    given = _parser().parse_args(arguments)
    try:
        names = given.packages.split(",") if given.packages else SHORT if given.short else ()
        folders = _folders(given.folders)
        packages = tuple(folders) or chosen(names)
        files = _files(folders or {each: fetch(each, given.cache) for each in packages})
    except (ValueError, FetchError) as error:
        print(f"ecosystem: {error}", file=sys.stderr)
        return TROUBLE
    print(f"{len(files)} files that mention torch, in {len(packages)} packages")
    commands: dict[str, Callable[[], int]] = {
        "findings": lambda: _findings(packages, files, given),
        "recall": lambda: _recall(_outcomes(files, given.jobs), given.cache),
        "fixes": lambda: _fixes(_outcomes(files, given.jobs), given.cache),
        "agreement": lambda: _agreement(files, given.jobs),
        "judgements": lambda: _judgements(files, given.jobs),
        "all": lambda: _all(packages, files, given),
    }
    return commands[given.command]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.ecosystem",
        description="Measure the rules on published packages.",
        epilog="findings asks for a verdict on every finding of a rule that is on by default. Of a rule that is "
        "off some findings have one, and the others are only counted.",
    )
    parser.add_argument("command", choices=("findings", "recall", "fixes", "agreement", "judgements", "all"))
    parser.add_argument("--packages", metavar="A,B", help="only these of the list")
    parser.add_argument("--folders", nargs="+", type=Path, default=(), help="code that is not on the list, instead")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT)}")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where packages are unpacked")
    parser.add_argument("--new", action="store_true", help="findings: print the unjudged ones with their code")
    parser.add_argument("--select", default="", metavar="CODE", help="findings: print only codes that begin so")
    parser.add_argument(
        "--write-unjudged",
        action="store_true",
        help="findings: record those that ask for a verdict, with a ?",
    )
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    return parser


def _folders(given: Iterable[Path]) -> dict[Package, Path]:
    """Code that is not on the list, by its path: two folders may have one name.

    Raises ``ValueError`` for a folder that is not there.
    """
    for each in given:
        if not each.is_dir():
            raise ValueError(f"no folder: {each}")
    return {Package(str(each), ""): each for each in given}


def _files(folders: Mapping[Package, Path]) -> list[File]:
    return [
        File(package, path, shown(path, folder)) for package, folder in folders.items() for path in torch_files(folder)
    ]


def _each(work: Callable[[File], Result], files: Sequence[File], jobs: int) -> list[Result]:
    if jobs < 2:
        return [work(each) for each in files]
    results: list[Result] = []
    with ProcessPoolExecutor(jobs) as pool:
        for result in pool.map(work, files, chunksize=4):
            results.append(result)
            if len(results) % PROGRESS == 0:
                print(f"{len(results)} of {len(files)} files", file=sys.stderr, flush=True)
    return results


def _found(file: File) -> FileFindings:
    return file_findings(file.path, file.package.name, file.package.version, file.name)


def _removed(file: File) -> list[Outcome]:
    return file_outcomes(file.path, file.package.name, file.name)


def _outcomes(files: Sequence[File], jobs: int) -> list[Outcome]:
    return [outcome for found in _each(_removed, files, jobs) for outcome in found]


# --- findings -------------------------------------------------------------------------


def _findings(packages: Sequence[Package], files: Sequence[File], given: argparse.Namespace) -> int:
    results = _each(_found, files, given.jobs)
    found = [each for result in results for each in result.judged]
    broken = [result.broken for result in results if result.broken]
    recorded = verdicts.read(verdicts.VERDICTS.read_text(encoding="utf-8")) if verdicts.VERDICTS.exists() else ()
    names = {each.name for each in packages}
    off = [rule.code for rule in all_rules() if not rule.default]
    comparison = verdicts.compared(found, recorded, names, off)
    if given.write_unjudged:
        _record(comparison, recorded, names)
    for line in broken:
        print(f"not analysed: {line}")
    paths = {(each.package.name, each.name): each.path for each in files}
    for each in comparison.unjudged:
        if not each.code.startswith(given.select):
            continue
        if given.new:
            print(f"\n{context(paths[each.package, each.file], each)}")
        else:
            print(f"no verdict: {each.package} {each.file}:{each.line} {each.code} in {each.function}")
    for each in comparison.vanished:
        if each.code.startswith(given.select):
            print(f"vanished: {each.package} {each.file} {each.code} in {each.function}: {each.reason}")
    totals = Counter(each.code for each in found)
    shares = verdicts.precision(comparison.judged)
    print("\nrule    findings  right  arguable  false  precision")
    for code, count in sorted(totals.items()):
        share = shares.get(code)
        counts = f"{share.right:5}  {share.arguable:8}  {share.false:5}  {share.share:8.1%}" if share else ""
        print(f"{code}  {count:8}  {counts}")
    print(f"{len(comparison.unjudged)} without a verdict, {len(comparison.vanished)} right ones vanished")
    return ALL_WELL if comparison.agrees and not broken else ATTENTION


def _record(comparison: verdicts.Comparison, recorded: Sequence[verdicts.Judged], names: set[str]) -> None:
    """Keep what was judged, add what was not; a verdict on what is found no more stays, as it may come back."""
    now = {each.key for each in (*comparison.judged, *comparison.unjudged)}
    gone = [row for row in recorded if row.package not in names or row.key not in now]
    gone = [row for row in gone if row.verdict is not verdicts.Verdict.UNJUDGED or row.package not in names]
    fresh = [replace(each, verdict=verdicts.Verdict.UNJUDGED, reason="") for each in comparison.unjudged]
    text = verdicts.written([*gone, *comparison.judged, *fresh])
    verdicts.VERDICTS.write_text(text, encoding="utf-8", newline="\n")


# --- recall, fixes --------------------------------------------------------------------


def _recall(outcomes: Sequence[Outcome], cache: Path) -> int:
    print("\nclass                      scopes  excused  counted  noticed  recall  elsewhere")
    for kind in Kind:
        every = [each for each in outcomes if each.kind is kind]
        counted = [each for each in every if each.excuse is Excuse.NONE]
        noticed = [each for each in counted if each.noticed]
        elsewhere = [each for each in counted if not each.noticed and each.elsewhere]
        share = f"{len(noticed) / len(counted):6.1%}" if counted else "     -"
        print(
            f"{kind.value:25}  {len(every):6}  {len(every) - len(counted):7}  {len(counted):7}  {len(noticed):7}"
            f"  {share}  {len(elsewhere):9}"
        )
    path = cache / "misses.tsv"
    missed = [each for each in outcomes if not each.noticed and each.excuse is Excuse.NONE]
    _table(path, missed)
    print(f"{len(missed)} misses: {path}")
    return ALL_WELL


def _fixes(outcomes: Sequence[Outcome], cache: Path) -> int:
    noticed = [each for each in outcomes if each.noticed]
    count = Counter(each.restored for each in noticed)
    print(f"\n{len(noticed)} removals noticed")
    for what in Restored:
        print(f"{count[what]:6}  {what.value}")
    applied = len(noticed) - count[Restored.NOT_FIXED]
    print(f"of {applied} that were fixed {count[Restored.WHOLLY] / max(1, applied):.1%} are as before")
    path = cache / "unrestored.tsv"
    _table(path, [each for each in noticed if each.restored is not Restored.WHOLLY])
    print(f"the others: {path}")
    return ALL_WELL


def _table(path: Path, outcomes: Iterable[Outcome]) -> None:
    lines = ["class\tpackage\tfile\tline\titem\tfunction\tcodes\telsewhere\trestored\twhat"]
    for each in sorted(outcomes, key=lambda row: (row.kind.value, row.package, row.file, row.line)):
        cells = (
            each.kind.value,
            each.package,
            each.file,
            each.line,
            "decorator" if each.item is None else each.item,
            each.function,
            ",".join(each.codes),
            ",".join(each.elsewhere),
            each.restored.value,
            each.what,
        )
        lines.append("\t".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


# --- judgements -----------------------------------------------------------------------


def _worths(file: File) -> Worths:
    return file_worths(file.path, file.name)


def _judgements(files: Sequence[File], jobs: int) -> int:
    print("\nWhat would be won of the removals that are not noticed, and which findings would come and go:\n")
    print(*total(_each(_worths, files, jobs)).table(), sep="\n")
    return ALL_WELL


# --- agreement ------------------------------------------------------------------------


def _agreement(files: Sequence[File], jobs: int) -> int:
    both = 0
    lines: list[str] = []
    paths = [each.path for each in files]
    for first in range(0, len(paths), BATCH):
        same, differing = disagreements(paths[first : first + BATCH], jobs)
        both += same
        lines += differing
    for line in lines:
        print(line)
    print(f"flake8 and nograd-fix both report {both}; {len(lines)} are reported by one alone")
    return ATTENTION if lines else ALL_WELL


def _all(packages: Sequence[Package], files: Sequence[File], given: argparse.Namespace) -> int:
    outcomes = _outcomes(files, given.jobs)
    return max(
        _recall(outcomes, given.cache),
        _fixes(outcomes, given.cache),
        _findings(packages, files, given),
        _agreement(files, given.jobs),
    )


if __name__ == "__main__":
    sys.exit(main())
