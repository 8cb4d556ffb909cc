"""What happens to a file: ``check`` it, or ``fix`` it. No files, no printing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from . import noqa
from .analysis import facts_of
from .edits import Fix
from .facts import Anchor
from .fixing import brings_torch, fixed
from .rule import Finding, Rule
from .rules import all_rules
from .settings import Settings
from .source import Source, SourceError

ROUNDS = 10
"""Fixes of one round can make way for others; more rounds than this are an error of ours."""

_DEPTH = 12_000
"""Frames that a deeply nested expression may take."""


def _nothing(_facts: object) -> tuple[Finding, ...]:
    return ()


NOT_ANALYSED = Rule(
    "NGR000",
    "file-not-analysed",
    "cannot be analysed: {reason}",
    _nothing,
    """A file that could not be analysed, and why.

The syntax is newer than LibCST reads, or wrong; an expression is nested too
deeply; or this tool has an error, which is worth a report.
""",
    True,
    (),
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding with its words and its place (one-based, the end exclusive)."""

    code: str
    name: str
    message: str
    line: int
    column: int
    end_line: int
    end_column: int
    fix: Fix | None = field(default=None, compare=False)
    also_line: int | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file after its fixes."""

    source: Source
    fixed: tuple[Reported, ...]
    remaining: tuple[Reported, ...]
    error: str | None = None


def check(source: Source, settings: Settings | None = None) -> tuple[Reported, ...]:
    """All findings in a file, in the order of places; comments that silence are not heeded.

    Never raises: what cannot be analysed is itself a finding, NGR000.
    """
    if not source.mentions_torch:
        return ()
    try:
        with _deep_recursion():
            return _check(source, settings or Settings())
    except SourceError as error:
        return (_not_analysed(error.message, error.line, error.column),)
    except RecursionError:
        return (_not_analysed("an expression is nested too deeply"),)
    except Exception as error:  # noqa: BLE001 - an error of ours must not stop flake8
        return (_not_analysed(f"internal error, please report it: {type(error).__name__}: {error}"),)


def silenced(source: Source, reported: Reported) -> bool:
    """Whether a comment silences a finding."""
    return noqa.Comments(source.text).silence(reported.line, reported.code)


def fix(
    source: Source,
    settings: Settings | None = None,
    wanted: Callable[[str], bool] = bool,
    *,
    unsafe: bool = False,
) -> Fixed:
    """Apply fixes until none is left; each round's text is parsed before it is accepted.

    Where fixes call for ever more fixes, none is applied and ``Fixed.error`` says so.
    """
    with _deep_recursion():
        return _fix(source, settings, wanted, unsafe=unsafe)


def _fix(source: Source, settings: Settings | None, wanted: Callable[[str], bool], *, unsafe: bool) -> Fixed:
    done: list[Reported] = []
    unfixed = source
    for _ in range(ROUNDS):
        open_ = _open(source, settings, wanted)
        ready = [each for each in open_ if each.fix is not None and (unsafe or each.fix.safe)]
        if not ready:
            return Fixed(source, tuple(done), open_)
        try:
            module, applied = fixed(source.module, [each.fix for each in ready if each.fix is not None])
            changed = source.with_module(module)
            changed.module  # noqa: B018 - parsed to see whether it can be
        except SourceError as error:
            return Fixed(source, tuple(done), open_, f"a fix gave code that does not parse: {error.message}")
        except Exception as error:  # noqa: BLE001 - an error of ours must not lose the other files
            reason = f"internal error while fixing, please report it: {type(error).__name__}: {error}"
            return Fixed(source, tuple(done), open_, reason)
        if not applied or changed.text == source.text:
            return Fixed(source, tuple(done), open_)
        done += [each for number, each in enumerate(ready) if number in applied]
        source = changed
    open_ = _open(unfixed, settings, wanted)
    return Fixed(unfixed, (), open_, "fixes do not come to an end, so none is applied; please report this")


def _open(source: Source, settings: Settings | None, wanted: Callable[[str], bool]) -> tuple[Reported, ...]:
    """The findings that are wanted and that no comment silences."""
    found = [each for each in check(source, settings) if wanted(each.code)]
    if not found:
        return ()
    comments = noqa.Comments(source.text)
    return tuple(each for each in found if not comments.silence(each.line, each.code))


def _check(source: Source, settings: Settings) -> tuple[Reported, ...]:
    facts = facts_of(source.module, settings)
    found = [(rule, finding) for rule in all_rules() for finding in rule.check(facts)]
    spoken: dict[str, set[Anchor]] = {}
    for rule, finding in found:
        if rule.default:
            spoken.setdefault(rule.code, set()).add(_defect(finding))
    kept = {
        _reported(source, rule, finding): None
        for rule, finding in found
        if not any(_defect(finding) in spoken.get(code, ()) for code in rule.yields_to)
    }
    return tuple(sorted(kept, key=lambda each: (each.line, each.column, each.code, each.message)))


def _defect(finding: Finding) -> Anchor:
    return finding.anchor if finding.defect is None else finding.defect


def _reported(source: Source, rule: Rule, finding: Finding) -> Reported:
    place = source.range_of(finding.anchor)
    also = source.range_of(finding.also).line if finding.also is not None else None
    details = {"line": str(also), **finding.details}
    return Reported(
        rule.code,
        rule.name,
        rule.message.format_map(details),
        place.line,
        place.column,
        place.end_line,
        place.end_column,
        _judged(source, finding.fix),
        also,
    )


def _judged(source: Source, fix: Fix | None) -> Fix | None:
    """A fix that is not safe where it would end a file's life without torch: others may do without what needs it."""
    if fix is None or not fix.safe or not brings_torch(source.module, fix):
        return fix
    return replace(fix, safe=False)


def _not_analysed(reason: str, line: int = 1, column: int = 1) -> Reported:
    message = NOT_ANALYSED.message.format(reason=reason)
    return Reported(NOT_ANALYSED.code, NOT_ANALYSED.name, message, line, column, line, column)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
