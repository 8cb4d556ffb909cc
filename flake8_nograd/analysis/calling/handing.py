"""What a function of the file is handed, and what comes back."""

from __future__ import annotations

import libcst as cst

from ... import torch_api
from ...facts import Evaluated, Kind
from ...grad import Shift
from .. import lookup
from ..aspects import Aspect, Setting, is_part, setting_of
from ..collected import Arguments, forwards_of
from ..context import Context
from ..function_knowledge import FunctionKnowledge
from ..value import Abstract, Def, replace


def note_aliases(learned: FunctionKnowledge, bound: int, given: Arguments) -> None:
    """Which parameters get one object; what a ``*args`` gathers is none."""
    count = len(learned.parameters)
    handed = [(position, each) for position, each in enumerate(given.positional, bound) if position < count]
    handed += [
        (learned.parameters.index(key), each) for key, each in given.keywords.items() if key in learned.parameters
    ]
    for index, (position, each) in enumerate(handed):
        for other, held in handed[:index]:
            if each.identity & held.identity:
                learned.aliases.add(frozenset({position, other}))


def paths_inside(parameters: tuple[str, ...], bound: int, callee: Abstract, given: Arguments) -> dict[str, str]:
    """From access paths inside the function to paths here."""
    paths = {}
    if callee.bound is not None and parameters:
        paths[parameters[0]] = callee.bound.label
    for position, each in enumerate(given.positional):
        if position + bound < len(parameters) and each.label:
            paths[parameters[position + bound]] = each.label
    for key, each in given.keywords.items():
        if each.label:
            paths[key] = each.label
    return paths


def transfer(context: Context, definition: Def, paths: dict[str, str]) -> None:
    """Let the callee know what its models are in."""
    for aspect in Aspect:
        hand_over(context, definition, paths, aspect)


def _means_the_same(context: Context, called: FunctionKnowledge, name: str) -> bool:
    """Whether a name leads to the same variable in a function that is called: not what is local to this one."""
    owner = lookup.owner_of(context, name)
    around = called.parent
    while around is not None and around is not owner:
        around = context.learned.functions[around].parent
    return around is owner or owner is called.node


def hand_over(context: Context, definition: Def, paths: dict[str, str], aspect: Aspect) -> None:
    """Let the callee know which of its models are frozen, or in training mode; what is set but not known, too."""
    state = context.state
    learned = context.learned.functions[definition]
    table = state.settings[aspect]
    mapped = {}
    for inside, outside in paths.items():
        setting = setting_of(table, outside)
        if setting.is_set:
            mapped[inside] = setting
        for path, part in table.items():
            if is_part(path, outside):
                mapped[inside + path[len(outside) :]] = part
    # One that stands in the method at hand knows its object.
    is_within = learned.parent is not None and learned.parent in context.here.scopes
    for path, setting in table.items():
        root = path.split(".")[0]
        if root in learned.parameters or (root == "self" and not is_within):
            continue
        if root == "self" or _means_the_same(context, learned, root):
            mapped.setdefault(path, setting)
    mapped = {path: Setting(setting.answer, _by_caller(setting)) for path, setting in mapped.items()}
    before = learned.settings.get(aspect)
    if before is not None:
        mapped = {
            path: setting_of(before, path) | setting_of(mapped, path) for path in sorted(before.keys() | mapped.keys())
        }
    learned.settings[aspect] = mapped


def interrupted_by(context: Context, known: FunctionKnowledge, outside: Shift) -> None:
    """An error may leave a function of the file that is called, in a mode that its end would have brought back."""
    left = outside if _restores(known) else outside.then(known.raises)
    if left != outside:
        here = context.here
        here.interrupted = left if here.interrupted is None else here.interrupted | left


def _restores(known: FunctionKnowledge) -> bool:
    """Whether the mode after a call is that before, whatever the function does."""
    return known.is_generator or any(each in torch_api.SWITCHES for each in known.decorators)


def left_by(known: FunctionKnowledge, outside: Shift) -> Shift:
    """The mode after a call of a function of the file."""
    if _restores(known):
        return outside
    left = outside.then(known.leaves)
    # Other decorators may bring the mode back.
    return left | outside if known.decorators else left


def _computed_from(forwards: frozenset[cst.CSTNode], item: Abstract) -> Abstract:
    """What a function of the file gives one by one, and the parts of that, with the forward passes behind the call."""
    if item.kind is Kind.PLAIN:
        return item
    elements = item.elements
    if elements is not None:
        elements = tuple(_computed_from(forwards, each) for each in elements)
    inner = None if item.item is None else _computed_from(forwards, item.item)
    return replace(item, forwards=item.forwards | forwards, elements=elements, item=inner)


def result_of(node: cst.Call, returns: Abstract, bound: int, given: Arguments, runs: bool) -> Abstract:
    """What a call gives: what the function returns, with the arguments in place of its parameters."""
    forwards = returns.forwards | ({node} if runs else frozenset())
    if returns.kind is not Kind.PLAIN:
        forwards |= forwards_of(given.all())
    if returns.parameter is not None:
        handed = given.at(returns.parameter - bound)
        if handed is not None:
            # A list made of what was put off is handed on by that name, and nothing is put off any more.
            lazy = None if returns.lazy is None else handed.lazy
            return replace(handed, forwards=handed.forwards | forwards, parameter=None, lazy=lazy)
    elements = returns.elements
    if elements is not None:
        elements = tuple(result_of(node, each, bound, given, runs) for each in elements)
    item = None if returns.item is None else _computed_from(forwards, returns.item)
    return replace(
        returns,
        forwards=frozenset() if returns.kind is Kind.PLAIN else forwards,
        elements=elements,
        item=item,
        label="",
        parameter=None,
        identity=frozenset({node}),
    )


def _by_caller(setting: Setting) -> Evaluated:
    return Evaluated.CALLER if setting.where in {Evaluated.HERE, Evaluated.CALLER} else setting.where
