"""Which names a piece of code binds and reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from functools import cache, lru_cache

import libcst as cst

from .. import torch_classes

OPERATORS: dict[type[cst.BaseBinaryOp], str] = {
    cst.Add: "+",
    cst.Subtract: "-",
    cst.Multiply: "*",
    cst.Divide: "/",
}
COMMUTATIVE = frozenset({"+", "*"})


def path_of(node: cst.BaseExpression) -> str:
    """``self.net.head`` for a chain of names; empty for anything else."""
    parts: list[str] = []
    while type(node) is cst.Attribute:  # isinstance is slow on LibCST's abstract classes
        parts.append(node.attr.value)
        node = node.value
    if type(node) is not cst.Name:
        return ""
    parts.append(node.value)
    return ".".join(reversed(parts))


def elements_of(loop: cst.For | cst.CompFor) -> tuple[str, str]:
    """The collection that a loop goes through, each element of which its variable is, and that; else empty.

    ``for model in self.models``, ``for name, model in models.items()``.
    """
    target: cst.BaseExpression = loop.target
    source = loop.iter
    match source:
        case cst.Call(func=cst.Name(value="list" | "tuple" | "reversed"), args=[cst.Arg(value=inner, star="")]):
            source = inner
        case cst.Call(func=cst.Name(value="enumerate"), args=[cst.Arg(value=inner, star=""), *_]):
            source, target = inner, _second(target)
        case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="values")), args=[]):
            source = inner
        case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value="items")), args=[]):
            source, target = inner, _second(target)
    path = path_of(source)
    return (path, target.value) if path and isinstance(target, cst.Name) else ("", "")


def _second(target: cst.BaseExpression) -> cst.BaseExpression:
    """``model`` of ``name, model``; anything else as it is, in a pair."""
    match target:
        case cst.Tuple(elements=[_, cst.Element(value=second)]):
            return second
    return cst.Tuple([])


@lru_cache(maxsize=4096)
def evaluated(literal: str) -> int | str | None:
    """What an integer or a text says, ``None`` of bytes; LibCST parses it each time it is asked."""
    value = ast.literal_eval(literal)
    return value if isinstance(value, int | str) else None


def breaks(node: cst.CSTNode) -> bool:
    """Whether a loop may be left before its end; a ``break`` of one within it counts as well."""
    return isinstance(node, cst.Break) or any(breaks(each) for each in _children(node))


def rebinds(node: cst.CSTNode, name: str) -> bool:
    """Whether a piece of code binds a name to another object: not ``model = model.to(device)``."""
    match node:
        case (
            cst.AssignTarget(target=target)
            | cst.AnnAssign(target=target)
            | cst.NamedExpr(target=target)
            | cst.For(target=target)
            | cst.AsName(name=target)
        ) if name in bound_by(target):
            return True
        case cst.Assign(
            targets=[cst.AssignTarget(target=cst.Name(value=bound))],
            value=cst.Call(func=cst.Attribute(value=cst.Name(value=held), attr=cst.Name(value=method))),
        ) if bound == held and method in torch_classes.MODULE_RETURNS_SELF:
            return False
    return any(rebinds(each, name) for each in _children(node))


def place_of(node: cst.BaseExpression) -> str:
    """``self.w``, ``params[i]``, ``params['w'].grad``: what can be assigned to and read again; else empty."""
    if isinstance(node, cst.Attribute):
        base = place_of(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    if isinstance(node, cst.Subscript):
        base, key = place_of(node.value), _key(node)
        return f"{base}[{key}]" if base and key else ""
    return path_of(node)


def _key(node: cst.Subscript) -> str:
    if len(node.slice) != 1:
        return ""
    match node.slice[0].slice:
        case cst.Index(value=cst.Integer(value=text) | cst.SimpleString(value=text)):
            return text
        case cst.Index(value=cst.Name() | cst.Attribute() as key):
            return path_of(key)
    return ""


def bound_by(target: cst.BaseExpression) -> tuple[str, ...]:
    """The names that the target of a ``for`` binds."""
    if isinstance(target, cst.Tuple | cst.List):
        return tuple(name for each in target.elements for name in bound_by(each.value))
    return (target.value,) if isinstance(target, cst.Name) else ()


def operation_on(place: str, node: cst.BaseExpression) -> tuple[str, cst.BaseExpression | None]:
    """``-`` and ``x`` of ``w - x``, for ``w``."""
    if isinstance(node, cst.BinaryOperation):
        operator = OPERATORS.get(type(node.operator), "")
        if operator and place_of(node.left) == place:
            return operator, node.right
        if operator in COMMUTATIVE and place_of(node.right) == place:
            return operator, node.left
    return "", None


@lru_cache(maxsize=4096)  # asked in every walk of a file
def places_in(node: cst.BaseExpression) -> tuple[tuple[str, cst.BaseExpression], ...]:
    """The names, attributes and items that an expression reads, longest first, in order."""
    found: list[tuple[str, cst.BaseExpression]] = []
    _collect(node, found)
    return tuple(found)


def _collect(node: cst.CSTNode, found: list[tuple[str, cst.BaseExpression]]) -> None:
    if isinstance(node, cst.Name):
        found.append((node.value, node))
        return
    if isinstance(node, cst.Arg):
        _collect(node.value, found)
        return
    if isinstance(node, cst.Attribute | cst.Subscript):
        place = place_of(node)
        if place:
            found.append((place, node))
    if isinstance(node, cst.Attribute):
        if not path_of(node):
            _collect(node.value, found)
        return
    for each in _children(node):
        _collect(each, found)


@lru_cache(maxsize=4096)
def holders_in(node: cst.CSTNode) -> tuple[str, ...]:
    """The names, attributes and items in a piece of code, and what each is an attribute or item of."""
    found: list[tuple[str, cst.BaseExpression]] = []
    _collect(node, found)
    places = dict.fromkeys(place for place, _ in found)
    parts = [place[:end] for place in places for end, sign in enumerate(place) if sign in ".["]
    return tuple(dict.fromkeys((*places, *parts)))


def _children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Without whitespace and punctuation; LibCST's own descent enters them, and takes five times as long."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, list | tuple):
            yield from value


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if not each.name.startswith(PUNCTUATION))


PUNCTUATION = ("whitespace", "lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace", "comma", "equal", "operator")


def is_read_after(loop: cst.For, binding: cst.BaseSmallStatement, name: str, around: cst.CSTNode | None) -> bool:
    """Whether a loop reads its variable below a binding, for more than its ``.grad``, or what is around it does then.

    The last turn leaves it what was bound there.
    """
    reader = _Reader(binding, name)
    reader.visit(loop.body)
    if not reader.found and around is not None:
        reader = _Reader(loop, name)
        reader.visit(around)
    return reader.found


def is_read_outside(loop: cst.For | cst.While, name: str, around: cst.CSTNode | None) -> bool:
    """Whether what is around a loop reads a name when the loop is done, or as it begins anew."""
    reader = _Reader(loop, name)
    if around is not None:
        reader.visit(around)
    return reader.found


class _Reader:
    def __init__(self, binding: cst.CSTNode, name: str) -> None:
        self.binding = binding
        self.name = name
        self.below = False
        self.found = False

    def visit(self, node: cst.CSTNode) -> None:
        """Do not enter the binding itself: what it reads is the old value. Of a loop, what its end runs is below."""
        if node is self.binding:
            self.below = True
            if isinstance(node, cst.For | cst.While) and node.orelse is not None:
                self.visit(node.orelse)
        elif not self.found and self._enters(node):
            for each in _children(node):
                self.visit(each)

    def _enters(self, node: cst.CSTNode) -> bool:
        if type(node) is cst.Name:  # isinstance is slow on LibCST's abstract classes
            self.found |= self.below and node.value == self.name
            return False
        if type(node) is cst.Attribute:
            if not (isinstance(node.value, cst.Name) and node.attr.value == "grad"):
                self.visit(node.value)
            return False
        match node:
            case cst.Arg():
                self.visit(node.value)
                return False
            case cst.AssignTarget():
                return not isinstance(node.target, cst.Name)
            case cst.FunctionDef() | cst.Lambda():
                return self._later(node)
            case cst.While():
                return self._turns(node)
            case cst.For():
                if self.name in bound_by(node.target) and not _holds(node, self.binding):
                    # Its own from here on.
                    self.visit(node.iter)
                    return False
                return self._turns(node)
            case cst.ListComp() | cst.SetComp() | cst.DictComp() | cst.GeneratorExp():
                return self._comprehends(node)
            case cst.ClassDef() | cst.MatchCase() | cst.ExceptHandler():
                # Their other parts are evaluated before the body, and stand behind it in LibCST's fields.
                for each in _children(node):
                    if each is not node.body:
                        self.visit(each)
                self.visit(node.body)
                return False
        return True

    def _comprehends(self, node: cst.BaseComp) -> bool:
        """Whether a comprehension does not bind the name; if it does, only its first iterable is read outside."""
        target: cst.CompFor | None = node.for_in
        while target is not None:
            if self.name in bound_by(target.target):
                self.visit(node.for_in.iter)
                return False
            target = target.inner_for_in
        return True

    def _later(self, node: cst.FunctionDef | cst.Lambda) -> bool:
        """What is defined above the binding may run below it; a parameter is another variable."""
        given = node.params
        if any(each.name.value == self.name for each in (*given.params, *given.kwonly_params, *given.posonly_params)):
            return False
        below, self.below = self.below, True
        self.visit(node.body)
        self.below = below
        return False

    def _turns(self, node: cst.For | cst.While) -> bool:
        """A loop around the binding comes back to what stands above it."""
        if _holds(node, self.binding):
            self.below = True
        return True


def _holds(node: cst.CSTNode, inner: cst.CSTNode) -> bool:
    return node is inner or any(_holds(each, inner) for each in _children(node))


def joined(node: cst.BaseExpression) -> tuple[str, tuple[cst.BaseExpression, ...]]:
    """``and`` and the operands of ``a and b and c``; no operator, and the expression, of anything else."""
    operands: list[cst.BaseExpression] = []
    operator = ""
    while isinstance(node, cst.BooleanOperation):
        each = "and" if isinstance(node.operator, cst.And) else "or"
        if operator and (each != operator or node.lpar):
            break
        operator = each
        operands.insert(0, node.right)
        node = node.left
    return operator, (node, *operands)


def compared(node: cst.BaseExpression) -> tuple[str, tuple[cst.BaseExpression, ...]]:
    """``==`` and both sides of a comparison for equality; any other expression as it is."""
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1:
        target = node.comparisons[0]
        if isinstance(target.operator, cst.Equal):
            return "==", (node.left, target.comparator)
    return "", (node,)
