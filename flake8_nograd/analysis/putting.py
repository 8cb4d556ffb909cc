"""What models are put in: a mode, or frozen, under all the names that they and their parts have."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import libcst as cst

from ..facts import Evaluated, Kind
from ..grad import Answer
from . import lookup, model_state
from .aspects import NOT_SET, Aspect, Setting, is_part, root_of, setting_of, some_part
from .changing import changes_for_others, stored_by
from .context import Context
from .value import UNKNOWN, Abstract, Definition, replace

MOST_NAMES = 64
"""Of one model: ``a = b.x; b = a.y`` would lead to ever longer ones."""
GROUPS = "torch.optim.Optimizer.param_groups[]"
"""What is known of a parameter group is who made it; of a parameter in it, that it is in one."""


def freeze(context: Context, parameter: Abstract, requires: Answer) -> None:
    """A parameter of a model requires gradients from here on, or does not; of its others, we cannot tell."""
    if parameter.kind not in {Kind.PARAMETER, Kind.TENSOR} or not parameter.source:
        if parameter.kind is Kind.PARAMETER and "." in parameter.label:
            # ``self.scale`` of a module of the file: a part of it.
            put(context, Aspect.FROZEN, parameter.label, requires.opposite())
        return
    if parameter.source == GROUPS:
        freeze_some(context)
        return
    path, frozen = parameter.source, requires.opposite()
    before = model_state.frozen_of(context, path)
    if (before.is_set and before.answer is frozen) or (
        not before.is_set and frozen is Answer.NO and parameter.turn is None
    ):
        return
    # One of several: ``net.weight``.
    turns = context.state.turns.get(path)
    put(context, Aspect.FROZEN, path, Answer.UNKNOWN)
    if turns is not None and turns[0] is None:
        return
    if parameter.turn in [loop.anchor for loop in context.here.loops] and parameter.turn is not None:
        context.state.turns[path] = parameter.turn, frozen
    else:
        context.state.turns.pop(path, None)


def freeze_some(context: Context) -> None:
    """Parameters of some model are frozen, or trained: of which, only their optimizer knows."""
    for name, value in [*context.state.names.items()]:
        if value.kind is Kind.MODEL and name != "self":
            put(context, Aspect.FROZEN, name, Answer.UNKNOWN)
    learning = context.learning()
    if learning is not None:
        learning.marks[None, Aspect.FROZEN, GROUPS] = None


def went_through(context: Context, loop: cst.CSTNode) -> None:
    """A loop over all parameters of a model has ended: what it has done to each, it has done to the model."""
    for path, (through, frozen) in [*context.state.turns.items()]:
        if through is loop:
            put(context, Aspect.FROZEN, path, frozen)


def reached(context: Context, value: Abstract) -> Abstract:
    """A parameter that a loop reaches now, which may have frozen its model as a whole before."""
    if value.elements is not None:
        return replace(value, elements=tuple(reached(context, each) for each in value.elements))
    setting = model_state.frozen_of(context, value.source)
    if value.turn is None or not setting.is_set or context.state.turns.get(value.source, (None,))[0] is value.turn:
        return value
    return replace(value, requires_grad=value.requires_grad | setting.answer.opposite())


def put(
    context: Context,
    aspect: Aspect,
    path: str,
    answer: Answer,
    where: Evaluated = Evaluated.HERE,
    *,
    by_method: bool = False,
) -> None:
    """A model is put in a mode, or frozen, here, under all the names that hold it or parts of it.

    Or another method of the object does so, of which that is noted.
    """
    table = context.state.settings[aspect]
    names = _names_of(context, path, of_wholes=aspect is Aspect.FROZEN)
    source = context.state.names.get(path, UNKNOWN).source
    if aspect is Aspect.TRAINING and source and source != path:
        names.setdefault(some_part(source), False)
    if aspect is Aspect.FROZEN:
        names.update({other: False for other in _tied(context, names) if other not in names})
    others = {other for name in names for other in (*lookup.aliases(context, name), *_kept_as(context, name))}
    for other in others - names.keys():
        # Who calls this function, knows whether they are one.
        note(context, aspect, other, answer | setting_of(table, other).answer, where)
    setting = Setting(answer, where)
    changes_for_others(
        context,
        {*names},
        lambda value: _put(value, aspect, setting),
        lambda value: value.put(aspect, setting) if value.kind is Kind.MODEL else _put(value, aspect, setting),
    )
    for owner, name in stored_by(context, {*names}):
        meanwhile = context.learned.classes[owner].meanwhile
        meanwhile[aspect, name] = meanwhile.get((aspect, name), answer) | answer
    for generator in context.here.generators:
        resets = context.learned.functions[generator].resets
        for name in names:
            key = lookup.owner_of(context, name), aspect, name
            resets[key] = resets.get(key, Setting(answer, where)) | Setting(answer, where)
    # What is marked makes what is known of its parts obsolete.
    for name, certain in sorted(names.items(), key=lambda each: each[1]):
        left = answer if certain else answer | setting_of(table, name).answer
        mark(context, aspect, name, left, where, by_method=by_method and name == path)

    for whole in (path, *(name for name, certain in names.items() if not certain and name != path)):
        target = context.state.names.get(whole)
        if target is None or not (whole == path or target.views):
            continue
        for name in _put_within(context, aspect, target, Setting(answer if whole == path else Answer.UNKNOWN, where)):
            known = setting_of(table, name)
            if name not in names and (known.is_set or aspect is Aspect.FROZEN) and target.label != name:
                # What it was made of, or what was made of it.
                mark(context, aspect, name, answer | known.answer if known.is_set else Answer.UNKNOWN, Evaluated.NOT)


def _tied(context: Context, paths: Collection[str]) -> Iterator[str]:
    """The models that share a parameter with one of these, or with a part of it."""
    for one, other in context.known.tied | context.learned.tied:
        for mine, its in ((one, other), (other, one)):
            if any(path == mine or is_part(path, mine) or is_part(mine, path) for path in paths):
                yield its


def put_unnamed(context: Context, aspect: Aspect, model: Abstract, answer: Answer) -> None:
    """A model that is reached by no name, as an item of a list, is put in a mode, or frozen, here."""
    names = context.state.names
    for name in _put_within(context, aspect, model, Setting(answer, Evaluated.HERE)):
        before = setting_of(context.state.settings[aspect], name)
        if before.is_set and names[name].kind is Kind.MODEL:
            certain = names[name].identity == model.identity and len(model.identity) == 1
            mark(context, aspect, name, answer if certain else answer | before.answer)


def _put_within(context: Context, aspect: Aspect, model: Abstract, setting: Setting) -> list[str]:
    """Those that hold a model find it in something; gives their names."""

    def change(value: Abstract) -> Abstract:
        return value.put(aspect, setting) if value.kind is Kind.MODEL else value

    return context.state.mutate(model, change, written=bool(model.views))


def perhaps_rebound(context: Context, name: str, model: Abstract) -> None:
    """A name holds another model now, or the same: each with what it was put in."""
    for aspect, table in context.state.settings.items():
        before = {path: setting.answer for path, setting in table.items() if path == name or is_part(path, name)}
        # What is noted of a whole overrules what was of its parts: they come after it.
        for path in sorted(before, key=len):
            answer = model.setting(aspect).answer if path == name else Answer.UNKNOWN
            note(context, aspect, path, before[path] | answer, Evaluated.NOT)


def takes_mode_of(context: Context, collection: str, each: str) -> None:
    """A loop reaches a model of a collection, of which a loop before has put all in a mode."""
    setting = context.state.settings[Aspect.TRAINING].get(some_part(collection), NOT_SET)
    if setting.answer is not Answer.UNKNOWN:
        context.state.settings[Aspect.TRAINING][each] = setting
        value = context.state.names.get(each, UNKNOWN)
        if value.kind is Kind.UNKNOWN:
            context.state.names[each] = replace(value, kind=Kind.MODEL)


def put_all(context: Context, collection: str, setting: Setting, *, perhaps: bool = False) -> None:
    """A loop over a collection has ended: what a turn does to one model, or perhaps does, it has done to all."""
    mark(context, Aspect.TRAINING, some_part(collection), Answer.UNKNOWN if perhaps else setting.answer)


def alias(context: Context, name: str, path: str) -> None:
    """A model gets one more name: under it, and for its parts, what is known of them under the other holds."""
    for aspect, table in context.state.settings.items():
        setting = setting_of(table, path)
        parts = {part: held for part, held in table.items() if is_part(part, path)}
        if setting.is_set:
            mark(context, aspect, name, setting.answer)
        for part, held in parts.items():
            mark(context, aspect, name + part[len(path) :], held.answer)


def put_elsewhere(context: Context, owner: Definition | None, aspect: Aspect, path: str, answer: Answer) -> None:
    """A function that is called here has put a model in a mode, which is a variable of a function around both."""
    if owner is lookup.owner_of(context, path):
        put(context, aspect, path, answer, Evaluated.CALLEE)
        return
    # A function that another one made, of what that was handed.
    root = root_of(path)
    for name in lookup.handed_to(context, owner, root):
        outer = name + path[len(root) :]
        before = setting_of(context.state.settings[aspect], outer)
        put(context, aspect, outer, answer | before.answer, Evaluated.NOT)


def mark(
    context: Context,
    aspect: Aspect,
    path: str,
    answer: Answer,
    where: Evaluated = Evaluated.HERE,
    *,
    by_method: bool = False,
) -> None:
    """What is known of a model under one of its names, for callers as well."""
    note(context, aspect, path, answer, where)
    learning = context.learning()
    if learning is not None:
        learning.marks[lookup.owner_of(context, path), aspect, path] = None
        if aspect is Aspect.TRAINING:
            certain = Answer.UNKNOWN if context.here.by_chance or context.is_bound_anew(path) else answer
            learning.ways.setdefault(path, set()).add((frozenset(context.here.requires), certain))
    owner = context.here.owner
    if owner is not None and path.split(".")[0] == "self" and not by_method:
        function = context.here.function
        if function is not None and not (isinstance(function, cst.FunctionDef) and function.name.value == "__init__"):
            context.learned.classes[owner].retrains.setdefault(path, set()).add(function)


def note(context: Context, aspect: Aspect, path: str, answer: Answer, where: Evaluated) -> None:
    """What is known of a model under one of its names from here on."""
    table = context.state.settings[aspect]
    for name in [name for name in table if is_part(name, path)]:
        del table[name]
    table[path] = Setting(answer, where)
    if aspect is Aspect.FROZEN:
        for turn in [turn for turn in context.state.turns if is_part(turn, path)]:
            del context.state.turns[turn]
        if any(each.iterates.kind is Kind.PARAMETERS for each in context.here.loops):
            context.state.turns[path] = None, Answer.UNKNOWN
        else:
            context.state.turns.pop(path, None)
        for name, value in context.state.names.items():
            context.state.names[name] = _with(value, path, answer)
        context.learned.freezes |= answer is not Answer.NO


def _kept_as(context: Context, path: str) -> Iterator[str]:
    """Of what an object was handed, ``holder.load(model)``, its attribute that keeps it; of that, the name here."""
    names = context.state.names
    held = names.get(path, UNKNOWN).held
    holder, _, attribute = path.rpartition(".")
    classes = names.get(holder, UNKNOWN).definitions
    for name, value in names.items():
        if any((owner, attribute) in value.held for owner in classes):
            yield name
        yield from (f"{name}.{kept}" for owner, kept in held if owner is not None and owner in value.definitions)


def _names_of(context: Context, path: str, *, of_wholes: bool) -> dict[str, bool]:
    """The access paths of a model and of parts of it, and whether it surely is the model that each leads to.

    Of a whole it is a part, and perhaps not all: ``for each in model.children():``, ``model[0]``.
    """
    found = {path: not path.endswith("[...]")}
    waiting = [path]
    for each in waiting:
        whole, rest = each, ""
        while whole:
            for name, certain in _same(context, whole, of_parts=not rest):
                if name + rest not in found and len(found) < MOST_NAMES:
                    found[name + rest] = certain and found[each]
                    waiting.append(name + rest)
            whole, dot, last = whole.rpartition(".")
            rest = dot + last + rest
        source = context.state.names.get(each, UNKNOWN).source or (each.endswith("]") and each.rpartition("[")[0])
        if of_wholes and source and source not in found:
            found[source] = False
            waiting.append(source)
    return found


def _same(context: Context, path: str, *, of_parts: bool) -> Iterator[tuple[str, bool]]:
    """The other names of a model, and those that its parts have of their own."""
    mine = context.state.names.get(path, UNKNOWN)
    for name, value in context.state.names.items():
        if value.kind is not Kind.MODEL or name == path or " " in name:
            continue
        if is_part(name, path) or is_part(path, name):
            # ``model = model.module``: no model is a part of itself.
            continue
        shared = value.identity & mine.identity
        if value.label == path or mine.label == name:
            if shared or not (value.identity and mine.identity):
                yield name, True
        elif shared:
            yield name, value.identity == mine.identity and len(shared) == 1
        elif of_parts and is_part(value.label, path):
            yield name, True
    for name in _outside_of(context, path):
        yield name, False
    label = "" if mine.kind is not Kind.MODEL or is_part(mine.label, path) else mine.label
    if label and label != path and label not in context.state.names:
        yield label, True


def _outside_of(context: Context, path: str) -> Iterator[str]:
    """The names that an object was handed by what it holds in an attribute: ``trainer.model``, ``self.model``."""
    root, dot, attribute = path.rpartition(".")
    if not dot or not context.known.stored:
        return
    holder = context.state.names.get(root) or (UNKNOWN if "." in root else lookup.variable(context, root))
    for (owner, name), places in context.known.stored.items():
        if (name != attribute and all(other != attribute for _, other in places)) or not lookup.is_of(
            context, holder, owner
        ):
            continue
        if name == attribute:
            yield from (outer for scope, outer in places if outer != path and scope is lookup.owner_of(context, outer))
            yield from (f"{root}.{other}" for scope, other in places if isinstance(scope, cst.ClassDef))
        elif any(other == attribute for scope, other in places if isinstance(scope, cst.ClassDef)):
            yield f"{root}.{name}"


def _put(value: Abstract, aspect: Aspect, setting: Setting) -> Abstract:
    """A model that was perhaps put in a mode, or a parameter of one that was perhaps frozen."""
    if value.kind is not Kind.MODEL:
        frozen = aspect is Aspect.FROZEN and value.kind is Kind.PARAMETER
        return replace(value, requires_grad=value.requires_grad | setting.answer.opposite()) if frozen else value
    return value.put(aspect, value.setting(aspect) | setting)


def _with(value: Abstract, path: str, frozen: Answer) -> Abstract:
    """A value that may hold parameters of a model that is frozen, or trained, from here on."""
    if value.elements is not None:
        value = replace(value, elements=tuple(_with(each, path, frozen) for each in value.elements))
    if value.item is not None:
        value = replace(value, item=_with(value.item, path, frozen))
    if value.kind not in {Kind.PARAMETER, Kind.TENSOR} or not value.source:
        return value
    if value.kind is Kind.TENSOR:
        related = value.source == path or is_part(value.source, path) or is_part(path, value.source)
        return replace(value, requires_grad=value.requires_grad | frozen.opposite()) if related else value
    if value.source == path or is_part(value.source, path):
        return replace(value, requires_grad=frozen.opposite())
    if is_part(path, value.source):
        return replace(value, requires_grad=value.requires_grad | frozen.opposite())
    return value
