"""How a file writes a torch name at one place, and where ``import torch`` belongs if it has no way."""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node

from .. import torch_api
from .scopes import ABSENT, Binding, Scope, bindings_of
from .tree import Block, RefusedError, Tree

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
"""What stands in a block."""

_GRAD_SWITCHES = frozenset({"torch.no_grad", "torch.enable_grad", "torch.set_grad_enabled", "torch.inference_mode"})
_GRAD_MODULES = frozenset({"torch.autograd", "torch.autograd.grad_mode"})
_TORCH_LIKE = re.compile(r"torch(\w*)(\.|$)")


@dataclass(frozen=True, slots=True)
class Spelled:
    """A torch name as the file writes it, and whether ``import torch`` must be added for it."""

    text: str
    needs_import: bool = False
    """At the top of the file."""
    imported_in: tuple[Block, int] | None = None
    """Above a statement of a block that imports something of torch's, where the file does not."""


class Spelling:
    """Spells canonical torch names for the places of one module."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._scopes: dict[cst.CSTNode, dict[str, list[Binding]]] = {}

    def spell(self, canonical: str, place: cst.CSTNode, *, is_decorator: bool = False) -> Spelled:
        """Write a canonical name as the file does at a place; ``RefusedError`` when unsure.

        A decorator runs when its ``def`` does: a name whose import may have failed
        (``try: import torch``) or that comes later is of no use to it.
        """
        visible = self._visible(place)
        ways: list[tuple[int, int, str]] = []
        for name, bindings in visible.items():
            for binding in bindings:
                for rank, suffix in _ways(binding.meaning, canonical):
                    if self._is_usable(binding, bindings, place, is_decorator):
                        ways.append((rank, self._tree.order[binding.at], name + suffix))
        if ways:
            return Spelled(min(ways)[2])
        if "torch" not in visible and not is_decorator and not needs_torch(self._tree.module):
            beside = self._import_before(place)
            if beside is not None:
                return Spelled(canonical, imported_in=beside)
        if all(map(_allows_import, visible.get("torch", ()))):
            return Spelled(canonical, needs_import=True)
        raise RefusedError(f"no sure way to write {canonical} there")

    def _visible(self, place: cst.CSTNode) -> dict[str, list[Binding]]:
        """What binds each name in the nearest scope that does; classes are seen only from their own body."""
        visible: dict[str, list[Binding]] = {}
        is_nearest = True
        for scope in self._tree.ancestors(place):
            if isinstance(scope, Scope):
                if is_nearest or not isinstance(scope, cst.ClassDef):
                    if scope not in self._scopes:
                        self._scopes[scope] = bindings_of(scope, self._tree)
                    for name, bindings in self._scopes[scope].items():
                        visible.setdefault(name, bindings)
                is_nearest = False
        return visible

    def _import_before(self, place: cst.CSTNode) -> tuple[Block, int] | None:
        """An import of something of torch's in a function, which has run when the place is reached."""
        inner = place
        for above in self._tree.ancestors(place):
            if isinstance(above, cst.IndentedBlock) and not isinstance(self._tree.parent(above), cst.ClassDef):
                for index, statement in enumerate(above.body):
                    if statement is inner:
                        break
                    if any(map(_TORCH_LIKE.match, _imported(statement))):
                        return above, index
            if isinstance(above, cst.FunctionDef):
                return None
            inner = above
        return None

    def _is_usable(self, binding: Binding, all_of_name: list[Binding], place: cst.CSTNode, is_decorator: bool) -> bool:
        """Whether an import surely gives its name at a place, and no other binding takes it away."""
        for other in all_of_name:
            is_same = other.meaning == binding.meaning or other.only_typing
            if not (is_same or other.meaning == ABSENT or other.is_fallback):
                return False
        if binding.only_typing:
            return False
        is_inside = False
        for above in self._tree.ancestors(place):
            if above is binding.scope:
                break
            if isinstance(above, (cst.FunctionDef, cst.Lambda)):
                return True
            is_inside |= above is binding.block
        if self._tree.order[binding.at] > self._tree.order[place]:
            return False
        may_be_skipped = binding.block is not binding.scope and not is_inside
        return not may_be_skipped or (isinstance(binding.scope, cst.Module) and not is_decorator)


def needs_torch(module: cst.Module) -> bool:
    """Whether a file cannot be imported without torch: it imports torch, or a package built on it, at its top."""
    imported = {origin.partition(".")[0] for each in module.body for origin in _imported(each)}
    return not imported.isdisjoint(torch_api.NEEDING_TORCH)


def importing_above(statement: Statement) -> list[Statement]:
    """A statement below ``import torch``; its comments stay above both."""
    line = cst.SimpleStatementLine([_import_of_torch()], leading_lines=statement.leading_lines)
    return [line, statement.with_changes(leading_lines=())]


def _import_of_torch() -> cst.Import:
    return cst.Import([cst.ImportAlias(cst.Name("torch"))])


def with_import(module: cst.Module) -> cst.Module:
    """Add ``import torch`` above the first torch-like import of the leading ones, else below them."""
    body = list(module.body)
    leading = 0
    torch_like: int | None = None
    for index, statement in enumerate(body):
        origins = _imported(statement)
        if not origins and (index > 0 or module.get_docstring() is None):
            break
        leading = index + 1
        if torch_like is None and any(map(_TORCH_LIKE.match, origins)):
            torch_like = index
    if torch_like is not None:
        body[torch_like : torch_like + 1] = importing_above(body[torch_like])
    else:
        line = cst.SimpleStatementLine([_import_of_torch()])
        blank = (cst.EmptyLine(indent=False),)
        last = _imported(body[leading - 1]) if leading else ["builtins"]
        if not last or last == ["__future__"]:
            line = line.with_changes(leading_lines=blank)
        if leading < len(body) and not body[leading].leading_lines:
            body[leading] = body[leading].with_changes(leading_lines=blank)
        body.insert(leading, line)
    return module.with_changes(body=body)


def _imported(statement: cst.BaseStatement) -> list[str]:
    """The modules that a line of imports, and of nothing else, imports from."""
    origins: list[str] = []
    for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
        if isinstance(small, cst.Import):
            origins += [get_full_name_for_node(alias.name) or "" for alias in small.names]
        elif isinstance(small, cst.ImportFrom):
            origins.append("." * len(small.relative) + ((small.module and get_full_name_for_node(small.module)) or ""))
        else:
            return []
    return origins


def _ways(meaning: str, canonical: str) -> list[tuple[int, str]]:
    """How a name of that meaning leads to a canonical name: rank, best first, and what follows the name."""
    if meaning == "torch":
        return [(0, canonical.removeprefix("torch"))]
    if meaning == canonical:
        return [(1, "")]
    if meaning in _GRAD_MODULES and canonical in _GRAD_SWITCHES:
        return [(3, canonical.removeprefix("torch"))]
    if meaning and canonical.startswith(meaning + "."):
        return [(2, canonical.removeprefix(meaning))]
    return []


def _allows_import(binding: Binding) -> bool:
    """Whether ``import torch`` above it does no harm: it is the same import, or one for type checkers."""
    if not isinstance(binding.scope, cst.Module):
        return False
    return binding.only_typing or (binding.meaning == "torch" and binding.block is binding.scope)
