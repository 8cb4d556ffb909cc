"""Generators that wait while their consumers go on: what these have changed meanwhile."""

from __future__ import annotations

from ..facts import Evaluated
from ..grad import GradMode, Shift
from . import lookup
from .aspects import Aspect, setting_of
from .context import Context, as_handed_in
from .putting import note
from .value import Abstract


def resumed(context: Context) -> None:
    """A generator goes on: whoever goes through it has perhaps changed what it was handed, gave, and finds."""
    function, names = context.function(), context.state.names
    if function is None:
        return
    if function.stirred or function.leaves_inference():
        # Under a decorator of torch, in what that makes of the mode of whoever goes on with it.
        again = function.own.of(GradMode.UNKNOWN)
        context.state.mode = Shift(again, again, again)
    resets = dict(function.resets)
    for position, left in function.meanwhile.items():
        handed = names[as_handed_in(position)]
        for name in [name for name, value in names.items() if value.identity & handed.identity]:
            resets.update(((function.node, aspect, name), left.setting(aspect)) for aspect in Aspect)
        context.state.mutate(handed, left.__or__)
    for identity, left in function.taken.items():
        context.state.mutate(Abstract(identity=identity), left.__or__)
    for (owner, aspect, name), setting in resets.items():
        if setting.is_set and owner is lookup.owner_of(context, name):
            before = setting_of(context.state.settings[aspect], name)
            note(context, aspect, name, setting.answer | before.answer, Evaluated.NOT)
