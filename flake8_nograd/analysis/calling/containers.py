"""What containers take in and give out."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ...facts import Kind, Purpose
from .. import lookup
from ..aspects import Aspect, some_part
from ..changing import change_in_place
from ..collected import Arguments, contents, filled, forwards_of, merge, shallow
from ..computing import computed
from ..context import Context
from ..value import DATA, NAMED_PARAMETERS, NONE, PLAIN, UNKNOWN, Abstract, replace
from .rows import Rows


@dataclass(slots=True)
class Containers:
    """Methods of containers, and iteration."""

    context: Context
    rows: Rows

    def method(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """Call a method of a list, a dictionary, or a number."""
        context = self.context
        if name in {"append", "extend", "add", "insert", "appendleft", "update", "setdefault"}:
            for each in given.all():
                context.escapes(each)
            self.put_into(node, receiver, self.taken_in(node, name, given))
            return NONE if name != "setdefault" else _perhaps(receiver.item, given)
        if name in REORDERING:
            self.put_into(node, receiver, [])
        held = receiver.item or replace(UNKNOWN, forwards=receiver.forwards)
        if name == "items":
            item = held
            return Abstract(
                kind=Kind.CONTAINER, item=Abstract(kind=Kind.CONTAINER, elements=(PLAIN, item)), forwards=item.forwards
            )
        if name == "values" and receiver.kind is Kind.STATE:
            return Abstract(kind=Kind.CONTAINER, item=receiver.item, identity=frozenset({node}))
        if name in {"values", "copy"}:
            # Another container, with the same in it.
            another = replace(receiver, elements=None, label="", identity=frozenset({node}))
            return replace(another, api="") if name == "values" else another
        if name in {"get", "pop"}:
            return replace(UNKNOWN, label="") if receiver.kind is Kind.STATE else _perhaps(held, given)
        if name == "keys":
            return PLAIN
        self.rows.handed_on(node, f"{receiver.label}.{name}", given, known=True)
        return Abstract(forwards=receiver.forwards | forwards_of(given.all()))

    def taken_in(self, node: cst.CSTNode, name: str, given: Arguments) -> list[Abstract]:
        """What a method that fills a container puts into it: ``extend`` what is in another."""
        if name not in {"extend", "update"}:
            return given.all()
        held = {Kind.CONTAINER, Kind.PARAMETERS}
        return [self.item(node, each) if each.kind in held else each for each in given.all()]

    def put_into(self, node: cst.CSTNode, container: Abstract, values: list[Abstract]) -> None:
        """Something is stored in a container: under its name, and for those who see it from elsewhere."""
        context = self.context
        path = container.label
        context.state.settings[Aspect.TRAINING].pop(some_part(path), None)
        purpose = Purpose.STORED if lookup.outlives(context, path) else Purpose.ACCUMULATED
        for each in values:
            context.use(each, node, purpose, into=path, added=_appended(node))
        after = shallow(filled(container, values))
        if path in context.state.names:
            context.state.names[path] = after

        def fill(value: Abstract) -> Abstract:
            return shallow(filled(value, values)) if value.kind in FILLED else value

        if container.identity or container.held:
            change_in_place(context, container, fill)
            context.state.names.update((name, shallow(value)) for name, value in context.state.names.items())
        if path.isidentifier() and after != container:
            # Else the name would stay for good what the first walk, which knows little, took it for.
            lookup.seen_from_within(context, path, after)
        values = values or contents(after)
        learning = context.learning()
        if learning is None:
            return
        root, dot, rest = path.partition(".")
        owner = context.here.owner
        if root == "self" and owner is not None and dot and "." not in rest:
            merge(context.learned.classes[owner].attributes, rest, after)
        elif container.parameter is not None and not dot:
            for each in values:
                merge(learning.stores, container.parameter, each)
        elif path.isidentifier() and lookup.owner_of(context, path) is not learning.node:
            context.rebinds(lookup.owner_of(context, path), path, after)

    def item(self, node: cst.CSTNode, value: Abstract) -> Abstract:
        """What iterating over a value gives."""
        self.context.consumes(value, node)
        return self.inside(node, value)

    def inside(self, node: cst.CSTNode, value: Abstract) -> Abstract:
        """What iterating over a value will give, of which nothing is asked yet."""
        if value.kind is Kind.LOADER:
            return replace(DATA, identity=frozenset({node}))
        if value.kind is Kind.STATE or value.api == NAMED_PARAMETERS:
            # Its names.
            return PLAIN
        if value.elements:
            result = value.elements[0]
            for each in value.elements[1:]:
                result = result | each
            return replace(result, label="")
        if value.item is not None:
            # One of those in it, which other loops over it reach as well.
            return replace(_one_of(value.item, node), forwards=value.item.forwards | value.forwards)
        if value.kind in {Kind.TENSOR, Kind.PARAMETER}:
            return computed(node, [value], self.context.mode(), view=True)
        if value.kind in {Kind.DATA, Kind.PLAIN}:
            return replace(value, label="", constant=None, identity=frozenset({node}))
        return Abstract(forwards=value.forwards, identity=frozenset({node}))


def _perhaps(held: Abstract | None, given: Arguments) -> Abstract:
    """What is held under a key, or else is given for it."""
    default = given.at(1, "default")
    either = held if default is None else default if held is None else held | default
    return replace(UNKNOWN if either is None else either, label="")


REORDERING = frozenset({"reverse", "sort", "pop", "remove", "clear", "popleft", "popitem", "rotate"})
"""Methods after which what is where in a container is not known."""
FILLED = frozenset({Kind.CONTAINER, Kind.PARAMETERS, Kind.UNKNOWN})


def _one_of(item: Abstract, node: cst.CSTNode) -> Abstract:
    """What is reached there, and what of it goes to each target: ``for x, y in loader:``."""
    elements = item.elements
    if elements is not None and isinstance(node, cst.Tuple) and len(node.elements) == len(elements):
        elements = tuple(_one_of(each, to.value) for each, to in zip(elements, node.elements, strict=True))
    return replace(item, identity=item.identity | {node}, elements=elements)


def _appended(node: cst.CSTNode) -> cst.BaseExpression | None:
    """What ``history.append(loss)`` adds."""
    match node:
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="append" | "appendleft")), args=[cst.Arg(value=value)]):
            return value
    return None
