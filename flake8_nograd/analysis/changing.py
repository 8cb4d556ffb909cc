"""Objects that are changed in place: who finds them changed, by which names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from ..facts import Kind
from ..grad import Answer
from . import lookup
from .aspects import is_part, root_of
from .collected import merge
from .context import Context, as_handed_in
from .state import mutated
from .value import Abstract, Definition, Holder, replace

ANY_TENSOR = (
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES),
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.YES, is_leaf=Answer.NO),
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.YES, is_leaf=Answer.YES),
)
ANY_MODE = tuple(Abstract(kind=Kind.TENSOR, is_inference=answer) for answer in (Answer.NO, Answer.YES))


def change_in_place(
    context: Context, target: Abstract, alter: Callable[[Abstract], Abstract], *, written: bool = False
) -> None:
    """A tensor is changed in place, under all the names that hold it, and for those who handed it in."""
    state = context.state
    changed = state.mutate(target, alter, written=written)
    for name in lookup.aliases(context, target.label):
        if name in state.names:
            state.names[name] |= alter(state.names[name])
    for name in changed:
        # Functions that read the name may run now.
        if name.isidentifier():
            lookup.seen_from_within(context, name, state.names[name])
        elif name.startswith("self.") and name.count(".") == 1 and context.here.owner is not None:
            _changes_elsewhere(context, context.here.owner, name.removeprefix("self."), target, state.names[name])
    changes_for_others(context, {*changed, target.label}, alter)
    for scope, name in target.held:
        _changes_elsewhere(context, scope, name, target, replace(alter(target), forwards=target.forwards))
        for other, value, after in _found_changed(context, scope, name, alter, written=written):
            _changes_elsewhere(context, scope, other, value, after)
    for each in context.here.generators:
        taken = context.learned.functions[each].taken
        left = replace(alter(target).elsewhere(), label="")
        taken[target.identity] = taken.get(target.identity, left) | left
    learning = context.learning()
    is_tensor = target.kind is not Kind.CONTAINER
    remakes = any(alter(each).is_inference is not each.is_inference for each in ANY_MODE)
    alters = remakes or any(alter(each).gist() != each.gist() for each in ANY_TENSOR)
    if learning is not None and is_tensor and alters:
        path = target.label
        owner = lookup.owner_of(context, path)
        if path and "." not in path and owner is not learning.node:
            left = replace(alter(target), parameter=None, identity=frozenset(), label="")
            context.rebinds(owner, path, left, in_place=True)
            if left.gist() != target.gist():
                # Else the name would stay for good what the first walk, which knows little, took it for.
                context.learned.bind(owner, path, left)
        for position in range(len(learning.parameters) + 1):  # the last one for what is gathered in ``*args``
            handed = state.names.get(as_handed_in(position))
            if handed is not None and (handed.identity & target.identity or as_handed_in(position) in changed):
                learning.altered.add(position)
                if remakes:
                    learning.remade.add(position)


def changes_for_others(
    context: Context,
    paths: set[str],
    alter: Callable[[Abstract], Abstract],
    after: Callable[[Abstract], Abstract] | None = None,
) -> None:
    """Others find changed what they were handed, or keep in an attribute, by one of these names.

    They may look before or after; ``after`` says what a generator finds that waits, if it is done then.
    """
    roots = _roots_of(paths)
    for handed, parameters in context.known.handed.items():
        for definition, position in parameters if _leads_there(context, paths, roots, handed) else ():
            known = context.known.functions[definition]
            held = known.handed(position)
            if held is not None:
                context.learned.bind(definition, known.parameters[position], alter(held))
                merge(context.learned.functions[definition].meanwhile, position, (after or alter)(held))
    for owner, name in stored_by(context, paths):
        attributes = context.learned.classes[owner].attributes
        held = context.known.classes[owner].attributes.get(name)
        if held is not None:
            attributes[name] = attributes.get(name, held) | alter(held)


def stored_by(context: Context, paths: set[str]) -> Iterator[tuple[cst.ClassDef, str]]:
    """The attributes of classes that keep what is reached by one of these names."""
    roots = _roots_of(paths)
    for (owner, name), places in context.known.stored.items():
        if any(_leads_there(context, paths, roots, place) for place in places):
            yield owner, name


def _found_changed(
    context: Context, scope: Definition | None, name: str, alter: Callable[[Abstract], Abstract], *, written: bool
) -> Iterator[tuple[str, Abstract, Abstract]]:
    """The other names of a scope that may hold the object that one does, with what they may hold now."""
    names = context.known.bindings.get(scope, {})
    held = names.get(name)
    if held is None or not held.identity:
        return
    shares = held.identity | held.views if written else held.identity
    for other, value in names.items():
        after = value if other == name else mutated(value, held, shares, alter, named=False)
        if after is not value:
            yield other, value, value | after


def _roots_of(paths: set[str]) -> tuple[str, ...]:
    """With what a name begins that has to do with one of these; few do, and many are asked."""
    return tuple({root_of(path) for path in paths})


def _leads_there(context: Context, paths: set[str], roots: tuple[str, ...], place: Holder) -> bool:
    scope, name = place
    if not name.startswith(roots):
        return False
    related = any(path == name or is_part(path, name) or is_part(name, path) for path in paths)
    return related and scope is lookup.owner_of(context, name)


def kept(context: Context, handed: Abstract, places: frozenset[tuple[Definition, str]]) -> None:
    """A function has stored what it was handed in attributes of its class."""
    for name, value in context.state.names.items():
        if value.identity & handed.identity:
            context.state.names[name] = replace(value, held=value.held | places)


def holds_too(context: Context, holder: Abstract, name: str, value: Abstract) -> None:
    """An attribute that a class binds is bound from outside: its methods find that as well."""
    for definition in holder.definitions:
        if isinstance(definition, cst.ClassDef) and definition is not context.here.owner:
            for owner in context.known.binders(definition, name):
                if owner in context.learned.classes:
                    attributes = context.learned.classes[owner].attributes
                    attributes[name] = attributes.get(name, value.elsewhere()) | value.elsewhere()


def _changes_elsewhere(
    context: Context, scope: Definition | None, name: str, before: Abstract, after: Abstract
) -> None:
    """What an attribute, or a name of another scope, holds was changed in place."""
    if after.gist() == before.gist():
        return
    before, after = (replace(each, parameter=None, identity=frozenset(), label="") for each in (before, after))
    if isinstance(scope, cst.ClassDef):
        attributes = context.learned.classes[scope].attributes
        # The attribute may be that of a base class.
        attributes[name] = attributes.get(name, before) | before | after
        return
    context.learned.bind(scope, name, after)
    if scope is not context.here.scopes[0]:
        context.rebinds(scope, name, before | after, in_place=True)
    elif name in context.state.names:
        context.state.names[name] |= after
