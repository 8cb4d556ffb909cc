"""What each name of one scope is bound to, as far as it concerns the spelling of torch names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node

from .tree import Tree

ABSENT = "None"
"""The meaning of a name that stands in for a library that is not installed: ``torch = None``."""
OTHER = ""
"""The meaning of anything that is no import."""

_GRAD_MODE = re.compile(r"torch\.(?:autograd\.)?(?:grad_mode\.)?(no_grad|enable_grad|set_grad_enabled|inference_mode)$")
_STAR = ("no_grad", "enable_grad", "inference_mode")
"""The grad-mode switches in ``torch.__all__``, which ``from torch import *`` gives."""

Scope = cst.Module | cst.FunctionDef | cst.ClassDef | cst.Lambda


@dataclass(frozen=True, slots=True)
class Binding:
    """One statement that binds a name."""

    meaning: str
    """The canonical name of what is imported, ``ABSENT`` or ``OTHER``."""
    scope: Scope
    at: cst.CSTNode
    block: cst.CSTNode
    """Inside this node the binding has certainly happened, once it is passed."""
    only_typing: bool
    """Under ``if TYPE_CHECKING:``: not there when the program runs."""
    is_fallback: bool
    """In an ``except`` clause."""


class _Binder(cst.CSTVisitor):
    """Collects the bindings of one scope, and of none inside it."""

    def __init__(self, scope: Scope, tree: Tree) -> None:
        super().__init__()
        self.found: dict[str, list[Binding]] = {}
        self._scope = scope
        self._tree = tree

    def _bind(self, name: str, at: cst.CSTNode, meaning: str = OTHER) -> None:
        block: cst.CSTNode = self._scope
        only_typing = is_fallback = False
        inner = at
        for above in self._tree.ancestors(at):
            if above is self._scope:
                break
            if block is self._scope and _is_conditional(inner, above):
                block = inner
            is_fallback |= isinstance(above, (cst.ExceptHandler, cst.ExceptStarHandler))
            only_typing |= isinstance(above, cst.If) and inner is above.body and _is_type_checking(above.test)
            inner = above
        binding = Binding(meaning, self._scope, at, block, only_typing, is_fallback)
        self.found.setdefault(name, []).append(binding)

    def _bind_target(self, target: cst.CSTNode, at: cst.CSTNode, meaning: str = OTHER) -> None:
        for name in _names(target):
            self._bind(name, at, meaning)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        if node is self._scope:
            return True
        self._bind(node.name.value, node)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        if node is self._scope:
            return True
        self._bind(node.name.value, node)
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return node is self._scope

    def visit_Param(self, node: cst.Param) -> None:
        self._bind(node.name.value, node)

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            full = get_full_name_for_node(alias.name) or OTHER
            if alias.asname is not None:
                self._bind_target(alias.asname.name, node, _canonical(full))
            else:
                top = full.split(".")[0]
                self._bind(top, node, top)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        origin = (get_full_name_for_node(node.module) or OTHER) if node.module and not node.relative else OTHER
        if isinstance(node.names, cst.ImportStar):
            for name in _STAR if origin == "torch" else ():
                self._bind(name, node, f"torch.{name}")
            return
        for alias in node.names:
            full = get_full_name_for_node(alias.name) or OTHER
            bound = alias.asname.name if alias.asname is not None else alias.name
            self._bind_target(bound, node, _canonical(f"{origin}.{full}") if origin else OTHER)

    def visit_Assign(self, node: cst.Assign) -> None:
        is_none = isinstance(node.value, cst.Name) and node.value.value == "None"
        for target in node.targets:
            self._bind_target(target.target, node, ABSENT if is_none else OTHER)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._bind_target(node.target, node)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._bind_target(node.target, node)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._bind_target(node.target, node)

    def visit_For(self, node: cst.For) -> None:
        self._bind_target(node.target, node)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._bind_target(node.target, node)

    def visit_AsName(self, node: cst.AsName) -> None:
        if not isinstance(self._tree.parent(node), cst.ImportAlias):
            self._bind_target(node.name, node)

    def visit_Del(self, node: cst.Del) -> None:
        self._bind_target(node.target, node)

    def visit_NameItem(self, node: cst.NameItem) -> None:
        self._bind(node.name.value, node)

    def visit_MatchAs(self, node: cst.MatchAs) -> None:
        if node.name is not None:
            self._bind(node.name.value, node)

    def visit_MatchStar(self, node: cst.MatchStar) -> None:
        if node.name is not None:
            self._bind(node.name.value, node)

    def visit_MatchMapping(self, node: cst.MatchMapping) -> None:
        if node.rest is not None:
            self._bind(node.rest.value, node)


def bindings_of(scope: Scope, tree: Tree) -> dict[str, list[Binding]]:
    """What binds each name of a scope: imports, parameters, assignments, ``global`` and the like.

    The variables of comprehensions count as if they were the scope's: too much, never too little.
    """
    binder = _Binder(scope, tree)
    scope.visit(binder)
    return binder.found


def _names(target: cst.CSTNode) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names(element.value)


def _canonical(full: str) -> str:
    """``torch.autograd.grad_mode.no_grad`` is ``torch.no_grad``."""
    match = _GRAD_MODE.match(full)
    return f"torch.{match[1]}" if match else full


def _is_conditional(inner: cst.CSTNode, above: cst.CSTNode) -> bool:
    """Whether what is in ``inner``, a part of ``above``, may be skipped while ``above`` runs to its end."""
    if isinstance(above, (cst.Try, cst.TryStar)):
        return not (inner is above.finalbody or all(_leaves(handler.body) for handler in above.handlers))
    return isinstance(above, (cst.If, cst.For, cst.While, cst.Match, cst.MatchCase, cst.BooleanOperation))


def _leaves(body: cst.BaseSuite) -> bool:
    """Whether a block ends by raising or by leaving the program."""
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    if isinstance(last, cst.Expr) and isinstance(last.value, cst.Call):
        return get_full_name_for_node(last.value.func) in {"sys.exit", "exit", "quit", "pytest.skip"}
    return isinstance(last, (cst.Raise, cst.Return))


def _is_type_checking(test: cst.BaseExpression) -> bool:
    return (get_full_name_for_node(test) or "").split(".")[-1] == "TYPE_CHECKING"
