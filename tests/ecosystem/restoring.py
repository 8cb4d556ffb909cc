"""Whether a fix puts back what a removal took away, and nothing else."""

from __future__ import annotations

import ast
import warnings
from enum import Enum

from .guards import Guards, Scope, Unguarded
from .recording import Recording


class Restored(Enum):
    """What became of a file that lost a scope and was fixed."""

    WHOLLY = "restored"
    PARTLY = "some of it runs with gradients still"
    CHANGED = "the rest of the file is another"
    NOT_FIXED = "no fix"


def parsed(text: str) -> ast.Module:
    """The tree of a text, without the warnings that real code earns.

    Raises ``SyntaxError`` or ``ValueError`` for what is no Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def restored(original: str, scope: Scope, mended: str) -> Restored:
    """Compare the file before the removal with the file after the fix.

    Without their grad-mode switches both must be one tree; so what stands in it can
    be paired, and whatever the scope guarded must be guarded again.
    """
    before, after = Guards(parsed(original)), Guards(parsed(mended))
    _drop_new_import(before.tree, after)
    recording = Recording(before)
    place = next(each for each in before.scopes() if (each.line, each.item) == (scope.line, scope.item))
    inside = set(recording.inside(place))
    guarded = [any(True for _ in after.guards_of(node)) for node in _actions(after)]
    wanted = [node in inside for node in _actions(before)]
    if ast.dump(Unguarded(before).visit(before.tree)) != ast.dump(Unguarded(after).visit(after.tree)):
        return Restored.CHANGED
    return Restored.WHOLLY if all(g for g, w in zip(guarded, wanted, strict=True) if w) else Restored.PARTLY


def _actions(guards: Guards) -> list[ast.AST]:
    """Calls and assignments in the order of the text, without the switches themselves."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [guards.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr) and guards.is_switch(node) and _switches(guards, node):
            continue
        if isinstance(node, ast.Call | ast.Assign | ast.AugAssign):
            found.append(node)
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _switches(guards: Guards, node: ast.expr) -> bool:
    """Whether an expression stands where ``Unguarded`` takes it out."""
    above = guards.parents.get(node)
    return isinstance(above, ast.withitem) or (
        isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef) and node in above.decorator_list
    )


def _drop_new_import(before: ast.Module, after: Guards) -> None:
    """A fix may add ``import torch`` where the file has no usable name."""

    def imports(tree: ast.Module) -> list[ast.stmt]:
        return [
            each for each in tree.body if isinstance(each, ast.Import) and [a.name for a in each.names] == ["torch"]
        ]

    had, has = imports(before), imports(after.tree)
    if len(has) == len(had) + 1:
        after.tree.body.remove(has[0])
