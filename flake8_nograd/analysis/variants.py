"""What is known of a function where a call says its flags outright: it is walked once more for such calls."""

from __future__ import annotations

from collections.abc import Mapping

from ..facts import Condition, Evaluated, Kind, Literal
from ..grad import CERTAIN, Answer
from . import model_state
from .aspects import Aspect, Setting, root_of
from .collected import Arguments
from .conditions import MODE
from .context import Context, as_handed_in
from .function_knowledge import GRAD, Flag, Flags, FunctionKnowledge
from .value import NONE, UNKNOWN, Abstract, constant, replace


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
            if handed is not None and handed.kind in OBJECTS:
                if not _may_be_none(context, handed):
                    found[path] = Flag(path, OBJECT, True)
            elif handed is not None and (handed.is_none or handed.constant is not None):
                found[path] = _flag(path, None if handed.is_none else handed.constant)
    modes, here = known.own.of(known.entry), context.mode()
    if here in CERTAIN and modes not in CERTAIN:
        # What it makes of the mode it is called under, this call finds, and no other caller's.
        found[GRAD] = Flag(GRAD, "mode", here.value)
    return tuple(found[path] for path in sorted(found))


def _may_be_none(context: Context, handed: Abstract) -> bool:
    """Whether it is what the function around was given, and is ``None`` where callers leave it out."""
    around = context.learning()
    default = None if around is None or handed.parameter is None else around.defaults.get(handed.parameter)
    return default is not None and default.is_none


def flags_here(context: Context) -> Flags:
    """What calls say of which the function at hand comes to where the walk stands."""
    known = context.learning()
    if known is None:
        return ()
    said = {each.path: _saying(context, known, each) for each in context.here.requires}
    return tuple(each for _, each in sorted(said.items()) if each is not None)


def _saying(context: Context, known: FunctionKnowledge, condition: Condition) -> Flag | None:
    """What a call says that meets a condition, if that is one thing to say."""
    path, among, holds = condition
    if path.endswith(MODE):
        return Flag(path, "mode", holds)
    if among is not None and among != (None,):
        return _flag(path, among[0]) if holds and len(among) == 1 else None
    handed = context.state.names.get(as_handed_in(known.parameters.index(path)), UNKNOWN)
    if handed.kind in OBJECTS:
        return Flag(path, OBJECT, True) if holds is (among is None) else _flag(path, None)
    if among is None and any(other.path == path and other.among is not None for other in known.conditions):
        # What is more than a flag is true, or false, in more ways than one.
        return None
    return None if among and not holds else _flag(path, None if among else holds)


def _flag(path: str, said: Literal) -> Flag:
    return Flag(path, type(said).__name__, said)


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
            held = context.state.names[each.path]
            said = NONE if each.constant is None else constant(each.constant)
            said = replace(said, parameter=position, identity=held.identity)
            if each.kind == OBJECT:
                said = replace(held, constant=True)
            context.state.names[each.path] = context.state.names[as_handed_in(position)] = said


OBJECT = "object"
OBJECTS = frozenset({Kind.OPTIMIZER, Kind.SCALER, Kind.FUNCTION})
"""What is true, if it is not ``None``."""
