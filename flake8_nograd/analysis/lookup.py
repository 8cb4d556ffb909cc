"""What a name, or an attribute of a class of the file, leads to where the walk stands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import libcst as cst

from .. import naming
from ..facts import Kind, Role
from ..grad import Answer
from ..tables import table
from . import model_state
from .aspects import NOT_SET, is_part, root_of
from .context import Context
from .switching import of_another_function
from .value import UNKNOWN, Abstract, Definition, Holder, replace

NAMED = frozenset({Kind.MODEL, Kind.PARAMETER, Kind.PARAMETERS, Kind.TENSOR, Kind.DATA, Kind.UNKNOWN})
"""What may be changed in place, or put in a mode."""
BUILTINS = table("""
    print len range enumerate zip list tuple dict set sum max min map filter sorted reversed iter
    next float int bool str isinstance super getattr setattr hasattr open abs round any all type id
    repr format property staticmethod classmethod object vars
""")


def is_of(context: Context, model: Abstract, owner: Definition | None) -> bool:
    """Whether an object is of a class, or of one that is derived from it in the file."""
    seen: list[Definition] = list(model.definitions)
    for each in seen:
        known = context.known.classes.get(each) if isinstance(each, cst.ClassDef) else None
        seen += [parent for parent in known.parents if parent not in seen] if known is not None else []
    return owner in seen


def seen_from_within(context: Context, name: str, value: Abstract) -> None:
    """What a name holds has changed: functions that read it, and may run now, find it so."""
    context.learned.bind(owner_of(context, name), name, value.elsewhere())


def places_of(context: Context, value: Abstract) -> frozenset[Holder]:
    """The names and attributes by which others than the function that is handed a value may reach it."""
    if value.kind not in NAMED:
        return frozenset()
    found = {(owner_of(context, path), path) for path in (value.label, value.source) if root_of(path).isidentifier()}
    function = context.function()
    if value.parameter is not None and function is not None:
        found |= function.origins.get(value.parameter, frozenset())
    if value.views:
        # Written to by the name of what it is a view of, it has changed.
        shared = (name for name, held in context.state.names.items() if held.identity & value.views)
        found |= {(owner_of(context, name), name) for name in shared}
    return value.held | found


def aliases(context: Context, path: str) -> Iterator[str]:
    """Other names of what a path leads to, or a part of it: a parameter, and the name it was handed in by."""
    function = context.function()
    for position, places in function.origins.items() if function is not None and path else ():
        parameter = function.parameters[position] if function is not None else ""
        for scope, name in places:
            if isinstance(scope, cst.ClassDef):
                outer = f"self.{name}" if scope is context.here.owner else ""
            else:
                outer = name if owner_of(context, name) is scope else ""
            if not outer or outer == parameter:
                continue
            if path == outer or is_part(path, outer):
                yield parameter + path[len(outer) :]
            elif is_part(outer, path):
                yield parameter
            elif path == parameter or is_part(path, parameter):
                yield outer + path[len(parameter) :]


def handed_to(context: Context, maker: Definition | None, parameter: str) -> Iterator[str]:
    """The names here of what another function may have been handed: one that it made still has it."""
    known = None if maker is None or isinstance(maker, cst.ClassDef) else context.known.functions.get(maker)
    if known is not None and parameter in known.parameters:
        for scope, name in known.origins.get(known.parameters.index(parameter), ()):
            if not isinstance(scope, cst.ClassDef) and scope is owner_of(context, name):
                yield name


def variable(context: Context, name: str) -> Abstract:
    """What a name holds here."""
    found = context.state.names.get(name)
    if found is None:
        found = _outside(context, name)
    if found is None:
        return (
            replace(UNKNOWN, label=name, api=f"builtins.{name}") if name in BUILTINS else named(context, UNKNOWN, name)
        )
    return named(context, found, name)


def held_by_object(context: Context, path: str) -> Abstract:
    """What an attribute holds that the function at hand has not bound so far."""
    root, _, name = path.partition(".")
    owner = context.here.owner
    found = attribute(context, owner, name) if root == "self" and owner is not None else None
    return UNKNOWN if found is None else replace(model_state.of_some_mode(found), parameter=None, identity=frozenset())


def scope_of(context: Context, name: str) -> Definition | None:
    """The function around this one that binds a name; ``None`` for the module."""
    for scope in context.here.scopes[1:]:
        if isinstance(scope, cst.FunctionDef) and any(
            name in knowledge.bindings.get(scope, {}) for knowledge in (context.learned, context.known)
        ):
            return scope
    return None


def owner_of(context: Context, path: str) -> Definition | None:
    """The function whose variable, or parameter, is at the root of a path; ``None`` for the module."""
    root = root_of(path)
    held = context.learning()
    if root not in context.here.elsewhere and held is not None:
        if root in held.parameters or root in context.learned.bindings.get(held.node, {}):
            return held.node
    return scope_of(context, root)


def outlives(context: Context, path: str) -> bool:
    """Whether what is stored there is seen by others when the function has returned."""
    path = path.replace("[...]", "")  # What is in a container goes with it.
    root = path.partition(".")[0]
    if context.here.function is None:
        return False
    held = context.state.names.get(root)
    return held is None or root in context.here.elsewhere or root != path or context.was_handed_in(held)


def is_bound(context: Context, path: str) -> bool:
    """Whether anything in the file gives a meaning to a path."""
    root = path.split(".")[0]
    return "." in path or root in context.state.names or _outside(context, root) is not None


def _outside(context: Context, name: str) -> Abstract | None:
    inner, *outer = context.here.scopes
    scopes: list[Definition | None] = [scope for scope in outer if not isinstance(scope, cst.ClassDef)]
    if inner is None:
        scopes = [None]
    for scope in scopes:
        # What is bound further below is learned later, and known from the walk before.
        known, learned = (each.bindings.get(scope, {}).get(name) for each in (context.known, context.learned))
        value = known | learned if known is not None and learned is not None else known or learned
        if value is not None:
            context.finds(value)
            value = of_another_function(value)
            value = replace(value.elsewhere(), views=value.views, held=frozenset({(scope, name)}))
            return _perhaps_frozen_since(context, value)
    return None


def _perhaps_frozen_since(context: Context, value: Abstract) -> Abstract:
    """A parameter that a name of another scope holds, of a model that something here has frozen, or trained."""
    setting = model_state.frozen_of(context, value.source) if value.kind is Kind.PARAMETER else NOT_SET
    return replace(value, requires_grad=value.requires_grad | setting.answer.opposite()) if setting.is_set else value


def named(context: Context, value: Abstract, path: str) -> Abstract:
    """A value under the name it is reached by, with what the file says of that name."""
    if value.kind is Kind.UNKNOWN and path in context.known.modules and not value.is_none and not value.api:
        value = replace(value, kind=Kind.MODEL)
    elif value.kind is Kind.DATA and path in context.known.modules:
        value = replace(value, kind=Kind.MODEL, requires_grad=Answer.UNKNOWN)
    if value.kind is Kind.UNKNOWN and not value.forwards and not value.api and not value.definitions:
        value = _by_name(value, path)
    return replace(value, label=path) if value.label != path else value


def method(context: Context, owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    """A method of a class of the file; in the first walk, of the classes seen so far."""
    return context.known.method(owner, name) or context.learned.method(owner, name)


def overrides(context: Context, owner: cst.ClassDef, name: str) -> list[cst.FunctionDef]:
    """The methods of that name in classes of the file that are derived from one."""
    classes = context.known.classes.values()
    derived = [owner]
    for each in derived:
        derived += [known.node for known in classes if each in known.parents and known.node not in derived]
    found = (context.known.classes[each].methods.get(name) for each in derived[1:])
    return [each for each in found if each is not None]


def methods(context: Context, held: Abstract, name: str) -> list[cst.FunctionDef]:
    """The methods of that name which an object of a class of the file, that is nothing to torch, may have."""
    owners = held.definitions if held.kind is Kind.INSTANCE else ()
    found = (method(context, each, name) for each in owners if isinstance(each, cst.ClassDef))
    return [each for each in found if each is not None]


def is_module_of_another_file(context: Context, held: Abstract) -> bool:
    """Whether the class of an object is a module by a base in another file.

    It has a ``forward``, which nothing in the file calls, or puts itself in a mode.
    """
    for each in held.definitions if held.kind is Kind.INSTANCE else ():
        known = context.known.classes.get(each) if isinstance(each, cst.ClassDef) else None
        if known is None or method(context, known.node, "__call__") is not None:
            continue
        if held.label == "self" and "self" in known.retrains:
            return True
        if method(context, known.node, "forward") is not None and known.has_base_elsewhere:
            return True
    return False


def attribute(context: Context, owner: cst.ClassDef, name: str) -> Abstract | None:
    """What an attribute of a class's objects is ever bound to; in the first walk, so far."""
    found = context.known.attribute(owner, name) or context.learned.attribute(owner, name)
    if found is not None and found.is_none:
        # ``None`` alone holds its place: what is read of it later, another file has set.
        return UNKNOWN
    if found is None:
        return None
    context.finds(found)
    if found.cut is not None and _has_base_of_others(context, owner):
        # The methods of a class in another file bind it as well, to what has a graph perhaps.
        found = replace(found, requires_grad=Answer.UNKNOWN, is_leaf=Answer.UNKNOWN, cut=None)
    return replace(found, held=frozenset({(owner, name)}))


def _has_base_of_others(context: Context, owner: cst.ClassDef) -> bool:
    """Whether a class is derived from one in another file that is not torch's."""
    known = context.known.classes.get(owner) or context.learned.classes.get(owner)
    return known is not None and known.has_base_elsewhere and not all(each.startswith("torch.") for each in known.bases)


def role(context: Context, owner: cst.ClassDef | None) -> Role:
    """What a class is to torch."""
    if owner is None:
        return Role.NONE
    known = context.known.classes.get(owner) or context.learned.classes.get(owner)
    return Role.NONE if known is None else known.role


def _by_name(value: Abstract, path: str) -> Abstract:
    kind = _suggested(path)
    return value if kind is Kind.UNKNOWN else replace(value, kind=kind)


@cache
def _suggested(path: str) -> Kind:
    if naming.sounds_like_criterion(path):
        return Kind.CRITERION
    if naming.sounds_like_loader(path):
        return Kind.LOADER
    if naming.sounds_like_optimizer(path):
        return Kind.OPTIMIZER
    return Kind.UNKNOWN
