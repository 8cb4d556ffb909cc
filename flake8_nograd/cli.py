"""nograd-fix: the one with argparse, files, processes and exit codes."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import version
from pathlib import Path

from . import files, report
from .config import ConfigError, Options, listed, read_options, selected, settings_of
from .engine import NOT_ANALYSED, Fixed, Reported, check, fix, silenced
from .rule import Rule
from .rules import all_rules
from .source import Source, SourceError

CLEAN, FINDINGS, TROUBLE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    filename: str
    before: bytes
    result: Fixed | None
    trouble: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the result is its exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.list_rules:
            for rule in rules():
                print(f"{rule.code}  {rule.name}{'' if rule.default else '  (off by default)'}")
            return CLEAN
        if given.explain:
            return _explain(given.explain.upper())
        if not given.paths:
            print("nograd-fix: no paths given; see --help", file=sys.stderr)
            return TROUBLE
        return _run(given, _options(given))
    except (ConfigError, FileNotFoundError) as error:
        print(f"nograd-fix: {error}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS


def rules() -> tuple[Rule, ...]:
    """Every rule, and the one for files that could not be analysed."""
    return (NOT_ANALYSED, *all_rules())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nograd-fix", description="Find PyTorch grad-mode mistakes, and mend them in place."
    )
    parser.add_argument("paths", nargs="*", help="files and folders; - reads standard input")
    parser.add_argument("--diff", action="store_true", help="show what would change; write nothing")
    parser.add_argument("--check", action="store_true", help="report only; write nothing")
    parser.add_argument("--unsafe-fixes", action="store_true", help="apply unsafe fixes as well")
    parser.add_argument("--select", help="codes or prefixes to report, instead of the default ones")
    parser.add_argument("--extend-select", help="codes or prefixes to report as well")
    parser.add_argument("--ignore", help="codes or prefixes not to report")
    parser.add_argument("--no-grad-wrappers", help="names of the project's wrappers that turn gradients off")
    parser.add_argument("--torch-version", help="the oldest torch that the project supports")
    parser.add_argument("--isolated", action="store_true", help="read no configuration")
    parser.add_argument("--stdin-filename", default="<stdin>", help="name of what standard input holds")
    parser.add_argument("--output-format", choices=report.FORMATS, default="text")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    parser.add_argument("--explain", metavar="CODE", help="show the documentation of a rule")
    parser.add_argument("--list-rules", action="store_true", help="list all rules")
    parser.add_argument("-j", "--jobs", type=int, default=0, metavar="N", help="processes; 0 is one a core")
    parser.add_argument("--version", action="version", version=f"nograd-fix {version('flake8-nograd')}")
    return parser


def _explain(code: str) -> int:
    for rule in rules():
        if rule.code == code:
            print(f"# {rule.name} ({rule.code})\n\n{rule.documentation.strip()}")
            return CLEAN
    raise ConfigError(f"{code} is no rule; --list-rules shows them all")


def _options(given: argparse.Namespace) -> Options:
    options = Options() if given.isolated else read_options(Path.cwd())
    known = [rule.code for rule in rules()]
    chosen: dict[str, tuple[str, ...]] = {}
    for name in ("select", "extend_select", "ignore"):
        text: str | None = getattr(given, name)
        if text is None:
            continue
        codes = tuple(code.upper() for code in listed(text))
        for code in codes:
            if not any(each.startswith(code) for each in known):
                raise ConfigError(f"--{name.replace('_', '-')}: {code} is no rule, nor the start of one")
        chosen[name] = codes
    options = replace(
        options,
        select=chosen.get("select", options.select),
        extend_select=chosen.get("extend_select", options.extend_select),
        ignore=chosen.get("ignore", options.ignore),
    )
    if given.no_grad_wrappers is not None or given.torch_version is not None:
        settings = settings_of(listed(given.no_grad_wrappers or ""), given.torch_version or "")
        options = replace(options, settings=settings)
    return options


def wants(code: str, options: Options, filename: str) -> bool:
    """Whether a code is reported in a file."""
    default = {rule.code: rule.default for rule in rules()}[code]
    ignored = any(
        code.startswith(prefix) and (fnmatch(filename, pattern) or fnmatch(Path(filename).name, pattern))
        for pattern, prefix in options.per_file_ignores
    )
    return not ignored and selected(code, options, default=default)


def _run(given: argparse.Namespace, options: Options) -> int:
    if "-" in given.paths:
        return _standard_input(given, options)
    paths = list(files.python_files(given.paths, options.exclude))
    work = partial(examine, options=options, unsafe=given.unsafe_fixes)
    trouble = changed = False
    reports: list[tuple[str, Sequence[Reported]]] = []
    count = 0
    for outcome in _outcomes(work, paths, given.jobs):
        if outcome.result is None:
            trouble = True
            print(f"nograd-fix: {outcome.trouble}", file=sys.stderr)
            continue
        result = outcome.result
        if result.error:
            trouble = True
            print(f"nograd-fix: {outcome.filename}: {result.error}", file=sys.stderr)
        trouble |= any(each.code == NOT_ANALYSED.code for each in result.remaining)
        after = result.source.encode()
        if after != outcome.before:
            changed = True
            if given.diff:
                print(_diff(outcome), end="")
            elif not given.check:
                try:
                    files.replace(Path(outcome.filename), outcome.before, after)
                except OSError as error:
                    trouble = True
                    print(f"nograd-fix: {error}", file=sys.stderr)
        count += len(result.fixed)
        writes_nothing = given.check or given.diff
        found = tuple(_checked(outcome, options)) if writes_nothing and result.fixed else result.remaining
        reports.append((outcome.filename, found))
        if given.output_format in report.BY_LINE and not given.diff:
            if not writes_nothing:
                print(*report.fixed(outcome.filename, result.fixed), sep="\n", end="\n" if result.fixed else "")
            source = Source.read(outcome.before, outcome.filename) if writes_nothing else result.source
            _print_findings(source, found, given)
    if given.output_format not in report.BY_LINE and not given.diff:
        print(report.whole(given.output_format, reports))
    remaining = sum(len(found) for _, found in reports)
    if given.output_format in report.BY_LINE:
        _summary(count, remaining, writes_nothing=given.check or given.diff)
    if trouble:
        return TROUBLE
    return FINDINGS if remaining or (changed and (given.check or given.diff)) else CLEAN


def _outcomes(work: partial[Outcome], paths: list[Path], jobs: int) -> Iterator[Outcome]:
    count = min(jobs or os.cpu_count() or 1, len(paths) // 4 + 1)
    if count < 2:
        yield from map(work, paths)
        return
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(work, paths, chunksize=4)


def examine(path: Path, options: Options, *, unsafe: bool) -> Outcome:
    """Read a file, and fix it in memory."""
    name = str(path)
    try:
        before = path.read_bytes()
        source = Source.read(before, name)
    except OSError as error:
        return Outcome(name, b"", None, f"{name}: {error.strerror or error}")
    except SourceError as error:
        return Outcome(name, b"", None, f"{name}:{error.line}:{error.column}: NGR000 {error.message}")
    wanted = partial(wants, options=options, filename=name)
    return Outcome(name, before, fix(source, options.settings, wanted, unsafe=unsafe))


def _checked(outcome: Outcome, options: Options) -> Iterator[Reported]:
    """The findings of the file as it is on disk."""
    source = Source.read(outcome.before, outcome.filename)
    for each in check(source, options.settings):
        if wants(each.code, options, outcome.filename) and not silenced(source, each):
            yield each


def _standard_input(given: argparse.Namespace, options: Options) -> int:
    before = sys.stdin.buffer.read()
    try:
        source = Source.read(before, given.stdin_filename)
    except SourceError as error:
        print(f"nograd-fix: {given.stdin_filename}:{error.line}:{error.column}: {error.message}", file=sys.stderr)
        return TROUBLE
    wanted = partial(wants, options=options, filename=given.stdin_filename)
    result = fix(source, options.settings, wanted, unsafe=given.unsafe_fixes)
    outcome = Outcome(given.stdin_filename, before, result)
    if given.diff:
        print(_diff(outcome), end="")
    elif not given.check:
        sys.stdout.buffer.write(result.source.encode())
        sys.stdout.buffer.flush()
    found: Sequence[Reported] = result.remaining
    if given.check or given.diff:
        found = tuple(_checked(outcome, options))
    # The text goes to standard output, unless nothing is to change.
    out = sys.stdout if given.check else sys.stderr
    if given.output_format not in report.BY_LINE:
        print(report.whole(given.output_format, [(given.stdin_filename, found)]), file=out)
    else:
        for line in report.concise(given.stdin_filename, found):
            print(line, file=out)
    if any(each.code == NOT_ANALYSED.code for each in found):
        return TROUBLE
    return FINDINGS if found else CLEAN


def _print_findings(source: Source, found: Sequence[Reported], given: argparse.Namespace) -> None:
    if given.output_format == "concise":
        lines = report.concise(source.filename, found)
    else:
        lines = report.text(source, found, colour=_colour(given.color))
    for line in lines:
        print(line)


def _colour(wish: str) -> bool:
    if wish != "auto":
        return wish == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _diff(outcome: Outcome) -> str:
    if outcome.result is None:
        return ""
    before = Source.read(outcome.before, outcome.filename).text.splitlines(keepends=True)
    after = outcome.result.source.text.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, outcome.filename, outcome.filename)
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _summary(fixed: int, remaining: int, *, writes_nothing: bool) -> None:
    if not fixed and not remaining:
        print("All checks passed.", file=sys.stderr)
    elif writes_nothing:
        print(f"Found {remaining} errors; {fixed} can be fixed.", file=sys.stderr)
    else:
        print(f"Found {fixed + remaining} errors ({fixed} fixed, {remaining} remaining).", file=sys.stderr)
