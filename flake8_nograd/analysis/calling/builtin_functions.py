"""Calls of Python's built-in functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

import libcst as cst

from ... import naming
from ...facts import Assignment, Cut, Kind, Loss, Purpose
from ...grad import KEEP, Answer
from .. import model_state
from ..collected import Arguments, forwards_of, tupled
from ..computing import computed
from ..conditions import makes_a_flag
from ..context import Context
from ..value import NAMED_PARAMETERS, PLAIN, UNKNOWN, Abstract, Def, Definition, Lazy, nameless, replace, some_of
from .containers import Containers
from .gradients import Gradients
from .rows import Rows


@dataclass(slots=True)
class BuiltinFunctions:
    """What built-in functions do to tensors and models."""

    context: Context
    rows: Rows
    containers: Containers
    gradients: Gradients

    def call(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        """Call a built-in function."""
        if name not in PUTTING_OFF:
            self.context.goes_on_with(given.positional)
            return self._done(node, name, given)
        result = self._done(node, name, given)
        draws = frozenset[Definition]().union(*(each.draws for each in given.positional))
        return replace(result, draws=draws) if draws else result

    def _done(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        context = self.context
        first = given.at(0)
        if name in ENDS:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=name)
                context.escapes(each)
            if name in {"len", "range"}:
                # for i in range(len(data)): goes through the data.
                counted = next((source for each in given.positional if (source := _counted(each, name))), "")
                return replace(PLAIN, source=counted)
            if name == "bool":
                return makes_a_flag(context, node)
            return replace(PLAIN, cut=Cut(Loss.ITEM, node)) if name in {"float", "int"} else PLAIN
        if name == "iter" and first is not None:
            return nameless(first)
        if name in {"list", "tuple", "reversed", "sorted", "set"}:
            if first is None:
                return Abstract(kind=Kind.CONTAINER)
            context.consumes(first, node)
            collected = replace(nameless(first), lazy=None, identity=frozenset({node}))
            if name == "reversed" and collected.elements is not None:
                return replace(collected, elements=collected.elements[::-1])
            # In another order, with nothing twice.
            return some_of(collected) if name in {"sorted", "set"} and collected.elements is not None else collected
        if name == "enumerate" and first is not None:
            item = tupled([PLAIN, self.containers.inside(node, first)])
            return Abstract(kind=Kind.CONTAINER, label=first.label, item=item, source=first.source, lazy=first.lazy)
        if name == "zip":
            loaders = [each for each in given.positional if each.kind is Kind.LOADER]
            label = next((each.label for each in (*loaders, *given.positional) if each.label), "")
            # Each argument gives objects of its own, so each has its own place where they are made.
            places = [each.value for each in node.args if each.keyword is None]
            items = [self.containers.inside(place, each) for place, each in zip(places, given.positional, strict=True)]
            lazy = next((each.lazy for each in given.positional if each.lazy is not None), None)
            return Abstract(kind=Kind.CONTAINER, label=label, item=tupled(items), lazy=lazy)
        if name == "dict" and first is not None and first.kind is Kind.PARAMETERS:
            return _named(node, first)
        if name == "dict":
            values = [] if given.positional or given.starred else list(given.keywords.values())
            forwards, identity = forwards_of(given.all()), frozenset({node})
            content = reduce(or_, values) if values else None
            return Abstract(kind=Kind.CONTAINER, item=content, forwards=forwards, identity=identity)
        if name in {"sum", "max", "min", "abs", "round"}:
            if first is not None and first.kind not in COLLECTIONS:
                context.consumes(first, node)
            operands = [
                self.containers.item(node, each) if each.kind in COLLECTIONS else each for each in given.positional
            ]
            return computed(node, operands, context.mode())
        if name == "next" and first is not None:
            return self.containers.item(node, first)
        if name in {"map", "filter"}:
            for each in given.all():
                context.escapes(each)
            if name == "filter" and len(given.positional) > 1:
                return some_of(given.positional[1])
            if first is None or not self._runs_models(first):
                return Abstract(forwards=forwards_of(given.all()))
            runs = frozenset({node})
            return Abstract(forwards=forwards_of(given.all()) | runs, lazy=Lazy(node, context.place(), runs))
        if name == "super":
            return self._super()
        if name == "setattr" and len(given.positional) > 2:
            context.use(given.positional[2], node, Purpose.STORED)
            self._setattr(node, given)
        self.rows.call(node, f"builtins.{name}", UNKNOWN, given)
        if name not in {"isinstance", "type", "id", "hasattr"}:
            self.rows.handed_on(node, name, given)
        return UNKNOWN

    def _super(self) -> Abstract:
        """The object around, as those of its classes know it that are in the file."""
        context = self.context
        owner, function = context.here.owner, context.learning()
        known = context.known.classes.get(owner) if owner is not None else None
        if known is None or function is None or not function.parameters:
            return replace(UNKNOWN, api="super")
        held = context.state.names.get(function.parameters[0], UNKNOWN)
        return replace(held, api="super", definitions=known.parents, label=function.parameters[0])

    def _runs_models(self, function: Abstract) -> bool:
        """Whether calling it runs a model that is not frozen, in the mode of the caller."""
        named = function.kind is Kind.UNKNOWN and naming.sounds_like_model(function.label)
        if named or function.kind is Kind.MODEL:
            return model_state.frozen(self.context, function) is not Answer.YES
        known = [self.context.known.functions.get(each) for each in _functions(function)]
        return bool(known) and all(each is not None and bool(each.forwards) and each.own == KEEP for each in known)

    def _setattr(self, node: cst.Call, given: Arguments) -> None:
        """The row of ``setattr(x, "name", value)``."""
        context = self.context
        holder, name, value = given.positional[:3]
        if not isinstance(name.constant, str):
            return
        label = f"{holder.label}.{name.constant}"
        context.recorder.write(
            Assignment(
                node,
                context.place(),
                replace(UNKNOWN, label=label).fact(),
                replace(value, label=label).fact(),
                node,
                (),
                holder=holder.fact(),
            )
        )
        if name.constant == "requires_grad" and holder.kind is not Kind.MODEL:
            self.gradients.set_requires_grad(node, holder, value.answer())


def _counted(value: Abstract, name: str) -> str:
    """What a length is of."""
    return value.source or (value.label if name == "len" else "")


def _named(node: cst.Call, parameters: Abstract) -> Abstract:
    """Parameters by their names: ``dict(model.named_parameters())``."""
    held = parameters.item
    if held is not None and held.elements is not None:
        held = held.elements[-1]
    return replace(nameless(parameters), item=held, api=NAMED_PARAMETERS, identity=frozenset({node}))


def _functions(value: Abstract) -> list[Def]:
    if value.kind is not Kind.FUNCTION:
        return []
    return [each for each in value.definitions if not isinstance(each, cst.ClassDef)]


ENDS = frozenset({"print", "float", "int", "bool", "str", "len", "repr", "format", "range", "any", "all"})
COLLECTIONS = frozenset({Kind.CONTAINER, Kind.PARAMETERS, Kind.STATE})
PUTTING_OFF = frozenset({"iter", "enumerate", "zip", "map", "filter"})
"""Which give an iterator, and go on with what they are given only where that is gone on with."""
