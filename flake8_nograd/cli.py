"""nograd-fix: the one with argparse, files, processes and exit codes."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from . import files, report
from .config import ConfigError, Options, for_file, listed, matches, read_options, selected, settings_of
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
    if sys.stdout is None:  # closed by who started us: what is printed is lost
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it stays open as long as we run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name or line that the terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _main(given)
        sys.stdout.flush()
        return code
    except ConfigError as error:
        print(f"nograd-fix: {error}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    except OSError as error:
        _complain(error.filename, error)
        return TROUBLE


def _main(given: argparse.Namespace) -> int:
    if given.list_rules:
        for rule in rules():
            print(f"{rule.code}  {rule.name}{'' if rule.default else '  (off by default)'}")
        return CLEAN
    if given.explain:
        return _explain(given.explain.upper())
    if not given.paths:
        raise ConfigError("no paths given; see --help")
    if given.jobs < 0:
        raise ConfigError("--jobs: a number of processes, or 0 for one a core")
    options = _options(given)
    return _standard_input(given, options) if "-" in given.paths else _run(given, options)


def _complain(filename: str | None, reason: OSError | str) -> None:
    """Say why a file could not be read or written; ``None``: what failed is no file, as a full disk behind output."""
    words = reason if isinstance(reason, str) else reason.strerror or str(reason)
    print("nograd-fix", *([filename] if filename is not None else []), words, sep=": ", file=sys.stderr)


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
    parser.add_argument("--ignore", help="codes or prefixes not to report, instead of those that are off by default")
    parser.add_argument("--extend-ignore", help="codes or prefixes not to report as well")
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
    for name in ("select", "extend_select", "ignore", "extend_ignore"):
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
        extend_ignore=chosen.get("extend_ignore", options.extend_ignore),
    )
    if given.no_grad_wrappers is not None or given.torch_version is not None:
        settings = settings_of(listed(given.no_grad_wrappers or ""), given.torch_version or "")
        options = replace(options, settings=settings)
    return options


def wants(code: str, options: Options, filename: str) -> bool:
    """Whether a code is reported in a file."""
    default = {rule.code: rule.default for rule in rules()}[code]
    return selected(code, for_file(options, filename), default=default)


def _run(given: argparse.Namespace, options: Options) -> int:
    unread: list[OSError] = []
    paths = list(files.python_files(given.paths, options.exclude, unread.append))
    for error in unread:
        _complain(str(error.filename), error)
    work = partial(examine, options=options, unsafe=given.unsafe_fixes)
    trouble, changed = bool(unread), False
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
            _complain(outcome.filename, result.error)
        trouble |= any(each.code == NOT_ANALYSED.code for each in result.remaining)
        after = result.source.encode()
        if after != outcome.before:
            changed = True
            if given.diff:
                _write(_diff(outcome))
            elif not given.check:
                try:
                    files.replace(Path(outcome.filename), outcome.before, after)
                except OSError as error:
                    trouble = True
                    _complain(outcome.filename, error)
                    reports.append((outcome.filename, tuple(_checked(outcome, options))))
                    continue
        count += len(result.fixed)
        writes_nothing = given.check or given.diff
        found = tuple(_checked(outcome, options)) if writes_nothing and result.fixed else result.remaining
        reports.append((outcome.filename, found))
        if given.diff:
            for each in report.concise(outcome.filename, [each for each in found if each.code == NOT_ANALYSED.code]):
                print(each, file=sys.stderr)
        elif given.output_format in report.BY_LINE:
            if not writes_nothing:
                print(*report.fixed(outcome.filename, result.fixed), sep="\n", end="\n" if result.fixed else "")
            source = Source.read(outcome.before, outcome.filename) if writes_nothing else result.source
            _print_findings(source, found, given)
    if given.output_format not in report.BY_LINE and not given.diff:
        _print_whole(given.output_format, reports, sys.stdout)
    remaining = sum(len(found) for _, found in reports)
    if given.output_format in report.BY_LINE and (count or remaining or not trouble):
        _summary(count, remaining, writes_nothing=given.check or given.diff)
    if trouble:
        return TROUBLE
    return FINDINGS if remaining or (changed and (given.check or given.diff)) else CLEAN


def _outcomes(work: partial[Outcome], paths: list[Path], jobs: int) -> Iterator[Outcome]:
    count = min(jobs or os.cpu_count() or 1, len(paths) // 4 + 1)
    if count < 2:
        yield from map(work, paths)
        return
    done = 0
    with ProcessPoolExecutor(count, initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            for outcome in pool.map(work, paths, chunksize=4):
                yield outcome
                done += 1
        except BrokenProcessPool:
            yield _lost(paths[done:])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _lost(paths: list[Path]) -> Outcome:
    """What a system that kills a process leaves of the run; what was fixed before is written."""
    first, others = str(paths[0]), len(paths) - 1
    left = f"this file and {others} after it were not examined" if others else "this file was not examined"
    reason = f"a process was killed, perhaps for want of memory; {left} (try --jobs 1)"
    return Outcome(first, b"", None, f"{first}: {reason}")


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
    if sys.stdin is None:
        raise ConfigError("standard input is closed")
    before = sys.stdin.buffer.read()
    if any(matches(given.stdin_filename, each) for each in options.exclude):
        if not given.check and not given.diff:
            _write(before)
        return CLEAN
    try:
        source = Source.read(before, given.stdin_filename)
    except SourceError as error:
        print(f"nograd-fix: {given.stdin_filename}:{error.line}:{error.column}: {error.message}", file=sys.stderr)
        return TROUBLE
    wanted = partial(wants, options=options, filename=given.stdin_filename)
    result = fix(source, options.settings, wanted, unsafe=given.unsafe_fixes)
    outcome = Outcome(given.stdin_filename, before, result)
    if given.diff:
        _write(_diff(outcome))
    elif not given.check:
        _write(result.source.encode())
    found: Sequence[Reported] = result.remaining
    if given.check or given.diff:
        found = tuple(_checked(outcome, options))
    # The text goes to standard output, unless nothing is to change.
    out = sys.stdout if given.check else sys.stderr
    if given.output_format not in report.BY_LINE:
        _print_whole(given.output_format, [(given.stdin_filename, found)], out)
    else:
        for line in report.concise(given.stdin_filename, found):
            print(line, file=out)
    if result.error:
        _complain(given.stdin_filename, result.error)
    if result.error or any(each.code == NOT_ANALYSED.code for each in found):
        return TROUBLE
    return FINDINGS if found else CLEAN


def _print_findings(source: Source, found: Sequence[Reported], given: argparse.Namespace) -> None:
    if given.output_format == "concise":
        lines = report.concise(source.filename, found)
    else:
        lines = report.text(source, found, colour=_colour(given.color))
    for line in lines:
        print(line)


def _print_whole(how: str, reports: Sequence[tuple[str, Sequence[Reported]]], out: TextIO) -> None:
    if words := report.whole(how, reports):
        print(words, file=out)


def _write(data: bytes) -> None:
    """Bytes as they stand in a file, in their place among what was printed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _colour(wish: str) -> bool:
    if wish != "auto":
        return wish == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _diff(outcome: Outcome) -> bytes:
    """What changes, in the bytes of the file, so that ``patch -p0`` takes it whatever the encoding is."""
    if outcome.result is None:
        return b""
    before = io.BytesIO(outcome.before).readlines()
    after = io.BytesIO(outcome.result.source.encode()).readlines()
    name = os.fsencode(outcome.filename) + (b"\t" if " " in outcome.filename else b"")  # a tab ends a name with blanks
    lines = difflib.diff_bytes(difflib.unified_diff, before, after, name, name)
    return b"".join(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines)


def _summary(fixed: int, remaining: int, *, writes_nothing: bool) -> None:
    if not fixed and not remaining:
        print("All checks passed.", file=sys.stderr)
    elif writes_nothing:
        print(f"Found {_errors(remaining)}; {fixed} can be fixed.", file=sys.stderr)
    else:
        print(f"Found {_errors(fixed + remaining)} ({fixed} fixed, {remaining} remaining).", file=sys.stderr)


def _errors(count: int) -> str:
    return "1 error" if count == 1 else f"{count} errors"
