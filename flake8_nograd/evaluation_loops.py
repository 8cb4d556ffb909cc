"""Which loop is an evaluation, and not the training loop around it."""

from __future__ import annotations

from . import naming
from .facts import FileFacts, Forward, Kind, Loop, Purpose
from .grad import Answer
from .results import uses_of_passes
from .wanting import attacks_in, differentiates, trains_on


def evaluation_loop(facts: FileFacts, each: Forward, needless_ones: tuple[Forward, ...]) -> Loop | None:
    """The outermost loop around a call in which nothing trains, and in which the model stays in evaluation mode."""
    chosen: Loop | None = None
    for loop in reversed(each.place.loops):
        if _trains(facts, loop, needless_ones) or _switches_inside(facts, loop):
            break
        chosen = loop
    return chosen


def _trains(facts: FileFacts, loop: Loop, evaluated: tuple[Forward, ...]) -> bool:
    if any(loop in each.place.loops for each in facts.backwards):
        return True
    if any(
        loop in each.place.loops and each.api == ".step" and each.receiver.kind in {Kind.OPTIMIZER, Kind.SCALER}
        for each in facts.calls
    ):
        return True
    if any(loop in each.place.loops for each in attacks_in(facts, loop.function)):
        return True
    if any(loop in each.place.loops and trains_on(each) for each in facts.uses):
        return True
    trained = [
        each
        for each in facts.forwards
        if loop in each.place.loops
        and each not in evaluated
        and each.training is not Answer.NO
        and not (each.training is Answer.UNKNOWN and _is_named_for_evaluation(loop))
        and not naming.sounds_like_criterion(each.model.label)
        and not naming.sounds_like_preparation(each.method)
        and not is_scored(facts, each)
    ]
    return any(each.records and each.frozen is not Answer.YES for each in trained) or any(
        loop in call.place.loops
        and (naming.mentions_training(call.api.rsplit(".", 1)[-1]) or differentiates(facts, call))
        for call in facts.calls
    )


def _is_named_for_evaluation(loop: Loop) -> bool:
    """Whether the function around says that it evaluates: what it runs beside, nobody here trains."""
    function = loop.function
    return (
        function is not None
        and naming.sounds_like_evaluation(function.name)
        and not naming.sounds_like_training(function.name)
    )


def is_scored(facts: FileFacts, each: Forward) -> bool:
    """Whether nothing but numbers is made of what a model gives, which nobody has put in training mode."""
    uses = uses_of_passes(facts).get(each.anchor, [])
    return each.training is Answer.UNKNOWN and bool(uses) and all(use.purpose is Purpose.VALUE for use in uses)


def _switches_inside(facts: FileFacts, loop: Loop) -> bool:
    """Whether the loop holds the switch into training mode as well: an epoch loop."""
    return any(loop in each.place.loops and each.training is not Answer.NO for each in facts.mode_switches)
