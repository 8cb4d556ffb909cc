"""Under which modes functions are entered: those of their callers in the file, however many calls away."""

from __future__ import annotations

import libcst as cst

from ..facts import Guard, Role
from ..grad import KEEP, GradMode
from .function_knowledge import FunctionKnowledge
from .knowledge import Knowledge
from .value import Def


def settle_callers(knowledge: Knowledge) -> None:
    """Give each function the modes that its callers in the file call it under, transitively."""
    known = knowledge.functions
    for owner in knowledge.classes.values():
        forward = known.get(owner.methods["forward"]) if "forward" in owner.methods else None
        if forward is not None and owner.role in {Role.MODULE, Role.LIGHTNING}:
            above = (known[each.function] if each.function is not None else None for each in forward.callers)
            forward.is_open = all(each is not None and each.owner is owner.node for each in above)
    # A hook that leaves grad mode changed changes it for the hooks that follow.
    switching = {each.owner for each in known.values() if each.framework is not None and each.leaves != KEEP}
    left = knowledge.leaves.of(GradMode.ON)
    for each in known.values():
        each.entry, each.guard = _start(each, left)
        if each.owner in switching and each.entry is GradMode.NOT_ON and each.guard is Guard.FRAMEWORK:
            each.entry = GradMode.UNKNOWN
        each.entered_on = each.entry is GradMode.ON and each.guard is not Guard.CALLERS
        each.presumed_on = each.entered_on or (each.guard is Guard.ELSEWHERE and left is GradMode.ON)
    _propagate(known)
    for each in known.values():
        if each.guard is Guard.CALLERS and each.entry is GradMode.NEVER and _calls_itself(known, each):
            # Only called by itself, or by functions that nobody else calls.
            each.entry, each.entered_on, each.presumed_on = left, left is GradMode.ON, left is GradMode.ON
            _propagate(known)


def _propagate(known: dict[Def, FunctionKnowledge]) -> None:
    changed = True
    while changed:
        changed = False
        for each in known.values():
            if each.guard is not Guard.CALLERS:
                continue
            entry, entered_on, presumed_on = each.entry, each.entered_on, each.presumed_on
            for caller in each.callers:
                modes, certain, presumed = GradMode.ON, True, True
                if caller.function is not None and not caller.fresh:
                    above = known[caller.function]
                    modes = above.own.of(above.entry)
                    keeps = above.own.of(GradMode.ON) is GradMode.ON
                    certain, presumed = above.entered_on and keeps, above.presumed_on and keeps
                keeps = caller.shift.of(GradMode.ON) is GradMode.ON
                entry |= caller.shift.of(modes)
                entered_on = entered_on or (certain and keeps)
                presumed_on = presumed_on or (presumed and keeps)
            if each.escapes and entry is not GradMode.ON:
                entry = GradMode.UNKNOWN
            if (entry, entered_on, presumed_on) != (each.entry, each.entered_on, each.presumed_on):
                each.entry, each.entered_on, each.presumed_on = entry, entered_on, presumed_on
                changed = True


def _calls_itself(known: dict[Def, FunctionKnowledge], function: FunctionKnowledge) -> bool:
    """Whether a function is among its own callers, however many calls away."""
    seen = [caller.function for caller in function.callers]
    for each in seen:
        if each is not None:
            seen += [caller.function for caller in known[each].callers if caller.function not in seen]
    return function.node in seen


def _start(each: FunctionKnowledge, left: GradMode) -> tuple[GradMode, Guard]:
    """The modes that a function is entered under by others than its callers: as the module level has left it."""
    nested = each.parent is not None or isinstance(each.node, cst.Lambda)
    if each.framework is not None:
        return each.framework, Guard.FRAMEWORK
    if each.is_step_of_base and not each.callers:
        # The class it is derived from decides about gradients.
        return GradMode.UNKNOWN, Guard.FRAMEWORK
    if each.escapes and nested:
        # A function within another is often handed to what turns gradients off; a caller in the file shows its mode.
        return GradMode.UNKNOWN, Guard.ELSEWHERE if not each.callers else Guard.CALLERS
    if each.callers:
        # Whoever it is handed to (``mp.spawn(worker)``, ``set_defaults(func=main)``) is presumed to change nothing.
        return left if each.escapes or each.is_open else GradMode.NEVER, Guard.CALLERS
    if nested:
        return GradMode.UNKNOWN, Guard.ELSEWHERE
    return left, Guard.NOBODY
