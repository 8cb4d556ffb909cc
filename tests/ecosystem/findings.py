"""What the rules say of real code today."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flake8_nograd.engine import NOT_ANALYSED, check, silenced
from flake8_nograd.source import Source, SourceError

from .guards import FunctionNode, Guards
from .restoring import parsed
from .verdicts import Judged, fingerprint

BEFORE, AFTER = 12, 14
"""Lines shown around a finding, so that it can be judged."""


@dataclass(frozen=True, slots=True)
class FileFindings:
    """The findings of one file."""

    judged: tuple[Judged, ...]
    broken: str = ""
    """Why a file that Python reads could not be analysed: an error of ours."""


def file_findings(path: Path, package: str, version: str, filename: str) -> FileFindings:
    """All rules on one file on disk.

    What Python itself cannot read says nothing about us and is left out.
    """
    try:
        source = Source.read(path.read_bytes(), filename)
        tree = parsed(source.text)
    except (SourceError, SyntaxError, ValueError, RecursionError):
        return FileFindings(())
    function_at = functions(tree)
    judged = []
    broken = ""
    for each in check(source):
        if each.code == NOT_ANALYSED.code:
            broken = f"{package}: {filename}:{each.line}: {each.message}"
        elif not silenced(source, each):
            function = function_at(each.line)
            mark = fingerprint(each.code, source.line(each.line), function)
            judged.append(
                Judged(package, version, filename, each.code, function, mark, line=each.line, message=each.message)
            )
    return FileFindings(tuple(judged), broken)


def functions(tree: ast.Module) -> Callable[[int], str]:
    """Gives the qualified name of the innermost function around a line; of a decorator, the decorated one."""
    guards = Guards(tree)
    spans = [
        (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or node.lineno, node)
        for node in ast.walk(tree)
        if isinstance(node, FunctionNode)
    ]

    def at(line: int) -> str:
        around = [(last - first, node) for first, last, node in spans if first <= line <= last]
        return guards.qualified(min(around, key=lambda each: each[0])[1] if around else None)

    return at


def context(path: Path, finding: Judged) -> str:
    """The code around a finding, numbered, with a mark at its line."""
    lines = Source.read(path.read_bytes()).lines
    first, last = max(0, finding.line - 1 - BEFORE), min(len(lines), finding.line + AFTER)
    head = f"{finding.package} {finding.file}:{finding.line} {finding.code} in {finding.function}: {finding.message}"
    shown = [
        f"{'>' if number == finding.line else ' '}{number:5} {lines[number - 1].rstrip()}"
        for number in range(first + 1, last + 1)
    ]
    return "\n".join((head, f"  fingerprint {finding.fingerprint}", *shown))
