"""What is known of a function where a call says its flags outright: it is walked once more for such calls."""

from __future__ import annotations

from collections.abc import Mapping

from ..facts import Evaluated
from ..grad import CERTAIN, Answer
from . import model_state
from .aspects import Aspect, Setting, root_of
from .collected import Arguments
from .conditions import MODE
from .context import Context, as_handed_in
from .knowledge import GRAD, Flag, Flags, FunctionKnowledge
from .value import NONE, UNKNOWN, constant, replace


def as_called(
    context: Context, known: FunctionKnowledge, bound: int, given: Arguments, paths: Mapping[str, str]
) -> FunctionKnowledge:
    """What is known of a function of the file where it is called so: what this walk asks for, the next one has."""
    flags = _flags_of(context, known, bound, given, paths)
    context.learned.functions[known.node].request(flags)
    return known.variants.get(flags, known)


def _flags_of(
    context: Context, known: FunctionKnowledge, bound: int, given: Arguments, paths: Mapping[str, str]
) -> Flags:
    """What a call says outright, of what the conditions of a function of the file ask for."""
    found: dict[str, Flag] = {}
    for path in known.asks if not given.starred else ():
        root = root_of(path)
        if path.endswith(MODE):
            outside = paths.get(root, "")
            model = outside + path[len(root) :].removesuffix(MODE)
            held = replace(context.state.names.get(model, UNKNOWN), label=model)
            mode = model_state.training(context, held).answer
            if outside and mode is not Answer.UNKNOWN:
                found[path] = Flag(path, "mode", mode is Answer.YES)
        elif root == path:
            position = known.parameters.index(root)
            handed = given.at(position - bound, root) or known.defaults.get(position)
            if handed is not None and (handed.is_none or handed.constant is not None):
                said = None if handed.is_none else handed.constant
                found[path] = Flag(path, type(said).__name__, said)
    modes, here = known.own.of(known.entry), context.mode()
    if here in CERTAIN and modes not in CERTAIN:
        # What it makes of the mode it is called under, this call finds, and no other caller's.
        found[GRAD] = Flag(GRAD, "mode", here.value)
    return tuple(found[path] for path in sorted(found))


def take(context: Context, known: FunctionKnowledge, flags: Flags) -> None:
    """The function is entered by a call that says this."""
    context.here.flags = flags
    for each in flags:
        if each.path == GRAD:
            continue  # Of that, the context knows.
        if each.path.endswith(MODE):
            path = each.path.removesuffix(MODE)
            answer = Answer.YES if each.constant else Answer.NO
            context.state.settings[Aspect.TRAINING][path] = Setting(answer, Evaluated.CALLER)
        else:
            position = known.parameters.index(each.path)
            identity = context.state.names[each.path].identity
            said = NONE if each.constant is None else constant(each.constant)
            said = replace(said, parameter=position, identity=identity)
            context.state.names[each.path] = context.state.names[as_handed_in(position)] = said
