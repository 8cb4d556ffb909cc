"""Makes a program with a wrong claim smaller, statement by statement.

Hypothesis shrinks the choices; this shrinks the text, which gets further: it can put
the body of a block in place of the block, and keep what a choice would have changed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from .claims import Wrong
from .comparison import compare
from .grammar import Program

ATTEMPTS = 500
"""Comparisons that one reduction may cost."""

_MODULES = frozenset({"torch", "t", "nn", "F", "contextlib", "functools"})


def reduced(program: Program, wrong: Wrong) -> Program:
    """The smallest program found that has the same kind of wrong claim."""
    left = ATTEMPTS
    improved = True
    while improved and left > 0:
        improved = False
        for smaller in (_shorter, _simpler):
            at = 0
            while left > 0:
                text = smaller(program.text, at)
                if text is None:
                    break
                left -= bool(text)
                if text and still(replace(program, text=text), wrong):
                    program, improved = replace(program, text=text), True
                else:
                    at += 1
    return program


def same(one: Wrong, other: Wrong) -> bool:
    """Whether two wrong claims are of one kind, wherever they stand."""
    return _kind(one) == _kind(other)


def _kind(wrong: Wrong) -> tuple[str, str, str]:
    return wrong.what, re.sub(r"\d+", "#", wrong.claim), re.sub(r"\d+|\[.*\]", "#", wrong.truth)


def still(program: Program, wrong: Wrong) -> bool:
    """Whether a program has that kind of wrong claim."""
    try:
        found = compare(program)
    except Exception:  # noqa: BLE001 - what cannot be compared is no smaller example
        return False
    return not (found.defect or found.astray) and any(same(each, wrong) for each in found.wrong)


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            held = getattr(node, name, None)
            if isinstance(held, list) and held:
                yield held


def _shorter(text: str, at: int) -> str | None:
    """The text without a statement, or with a block opened; empty where that is nothing, ``None`` past the end."""
    tree = ast.parse(text)
    places = [(block, index) for block in _blocks(tree) for index in reversed(range(len(block)))]
    if at >= 2 * len(places):
        return None
    block, index = places[at // 2]
    statement = block[index]
    if at % 2 == 0:
        if isinstance(statement, ast.Pass) and len(block) == 1:
            return ""
        block[index : index + 1] = [ast.Pass()] if len(block) == 1 else []
    else:
        inner = getattr(statement, "body", None) or [
            each for case in getattr(statement, "cases", ()) for each in case.body
        ]
        if not inner or isinstance(statement, ast.FunctionDef | ast.ClassDef):
            return ""
        block[index : index + 1] = inner
    return _written(tree)


def _simpler(text: str, at: int) -> str | None:
    """The text with an expression replaced by a part of itself, or without a decorator."""
    tree = ast.parse(text)
    changes: list[Callable[[], ast.AST]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            changes += [_without(tree, node.decorator_list, index) for index in range(len(node.decorator_list))]
        elif isinstance(node, ast.With) and len(node.items) > 1:
            changes += [_without(tree, node.items, index) for index in range(len(node.items))]
        elif isinstance(node, ast.Assign) and len(node.targets) > 1:
            changes += [_without(tree, node.targets, index) for index in range(len(node.targets))]
        elif isinstance(node, ast.expr):
            parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                parts.append(node.func.value)
            changes += [_swap(tree, node, part) for part in parts if getattr(part, "id", "") not in _MODULES]
    if at >= len(changes):
        return None
    written = _written(changes[at]())
    return written if len(written) < len(text) else ""


def _without(tree: ast.AST, held: list[ast.expr] | list[ast.withitem], index: int) -> Callable[[], ast.AST]:
    def change() -> ast.AST:
        del held[index]
        return tree

    return change


def _swap(tree: ast.AST, old: ast.expr, new: ast.expr) -> Callable[[], ast.AST]:
    return lambda: _Swap(old, new).visit(tree)


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else super().generic_visit(node)


def _written(tree: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
