"""What is differentiated in vain under its callers' grad mode? What the rules on gradients in evaluations ask."""

from __future__ import annotations

from . import naming
from .expected_errors import expects_an_error
from .facts import Backward, Call, Differentiation, FileFacts, Function, Guard
from .grad import Answer, GradMode

ASKS_A_TENSOR = frozenset({Differentiation.BACKWARD, Differentiation.AUTOGRAD_BACKWARD, Differentiation.AUTOGRAD_GRAD})


def is_made_without_graph(backward: Backward) -> bool:
    """Whether what is differentiated was computed, here or elsewhere, and never under ``enable_grad``."""
    target = backward.target
    if backward.how not in ASKS_A_TENSOR or target.made_at is None or target.requires_grad is Answer.YES:
        return False
    return bool(target.made_under) and not target.made_under & GradMode.ON


def needs_gradients(facts: FileFacts, call: Call) -> tuple[Backward, ...]:
    """What a call without gradients of a function of the file makes it go back from in vain.

    That is what the function computes in whatever mode it is called. Where some callers
    have gradients on, a condition may tell them apart: then only what attacks or asks for
    the gradient of an input is certain.
    """
    helper = call.function
    if helper is None or helper is call.place.function or helper.guard is not Guard.CALLERS:
        return ()
    if not call.place.grad or call.place.grad & GradMode.ON or asks_for_the_mode(facts, helper):
        return ()
    found = tuple(each for each in facts.backwards if each.place.function is helper and _follows(helper, each))
    if helper.entry & GradMode.ON and not naming.sounds_like_attack(helper.name):
        return tuple(each for each in found if each.how is Differentiation.AUTOGRAD_GRAD)
    return found


def is_tested(facts: FileFacts, function: Function | None) -> bool:
    """Whether a test may want the error: one that it stands in, or one that calls it and expects an error."""
    if function is None:
        return False
    callers = [each.place.function for each in facts.calls if each.function is function]
    return function.is_test or any(expects_an_error(facts, each) for each in (function, *callers))


def asks_for_the_mode(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function asks ``torch.is_grad_enabled()``, and so may act on it."""
    return any(each.place.function is function and each.api == "torch.is_grad_enabled" for each in facts.calls)


def _follows(helper: Function, backward: Backward) -> bool:
    target = backward.target
    return (
        backward.how in ASKS_A_TENSOR
        and not (backward.place.tests or backward.place.passed)
        and target.made_at is not None
        and target.requires_grad is not Answer.YES
        and target.made_under is helper.entry
    )
