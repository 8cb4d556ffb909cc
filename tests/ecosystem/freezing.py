"""Which models of a file have all their weights frozen, read from its syntax alone."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from .guards import FunctionNode, Guards, dotted

_LISTS = frozenset({"parameters", "named_parameters"})


class Freezing:
    """The models that a file freezes, each within the class or function that does so."""

    def __init__(self, guards: Guards) -> None:
        """Collect what is frozen, and what is thawed again."""
        self._guards = guards
        answers = [(path, self._home(node, path), frozen) for node, path, frozen in _switched(guards.tree)]
        self._thawed = {path for path, _, frozen in answers if not frozen}
        self._frozen = {(path, home) for path, home, frozen in answers if frozen}

    def passes_no_gradient(self, call: ast.Call, is_forward: Callable[[ast.AST], bool]) -> bool:
        """Whether no graph is recorded by a model: it is frozen, and given nothing that another model made."""
        callee = dotted(call.func)
        if callee is None:
            return False
        parts = callee.split(".")
        wholes = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        frozen = any((each, self._home(call, each)) in self._frozen for each in wholes)
        if not frozen or any(each in self._thawed for each in wholes):
            return False
        given = [node for each in (*call.args, *call.keywords) for node in ast.walk(each)]
        names = {node.id for node in given if isinstance(node, ast.Name)} - {"self"}
        function = self._guards.function_of(call)
        made = [
            value
            for node in ast.walk(function or self._guards.tree)
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and (value := node.value) is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if any(isinstance(each, ast.Name) and each.id in names for each in ast.walk(target))
        ]
        return not any(is_forward(node) for node in (*given, *(part for each in made for part in ast.walk(each))))

    def _home(self, node: ast.AST, path: str) -> ast.AST | None:
        """Where a path means the same object: the class for ``self.teacher``, the function for ``teacher``."""
        kind = ast.ClassDef if path.startswith("self.") else FunctionNode
        return next((each for each in self._guards.around(node) if isinstance(each, kind)), None)


def _switched(tree: ast.Module) -> Iterator[tuple[ast.AST, str, bool]]:
    """Where the weights of a model are frozen, or thawed, all of them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and not node.orelse:
            path = _lists(node.iter)
            answers = [answer for each in node.body if (answer := _answer(each)) is not None]
            if path is not None and answers:
                yield node, path, answers[-1]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            answer = _answer(node)
            if answer is not None and isinstance(call.func, ast.Attribute) and (path := dotted(call.func.value)):
                yield node, path, answer


def _lists(expression: ast.expr) -> str | None:
    """The model of which the parameters are gone through."""
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Attribute):
        return None
    return dotted(expression.func.value) if expression.func.attr in _LISTS else None


def _answer(statement: ast.stmt) -> bool | None:
    """Whether a statement freezes, or thaws; ``None``: neither, for certain."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(attr="requires_grad")], value=ast.Constant(value=bool(on))):
            return not on
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="requires_grad_"), args=[], keywords=[])):
            return False
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="requires_grad_"), args=[ast.Constant(value=bool(on))])):
            return not on
    return None
