"""Who is to turn gradients off for a forward pass: the function that runs it, or its callers."""

from __future__ import annotations

from . import naming
from .facts import Class, Evaluated, FileFacts, Form, Forward, Function, Guard, Role, Use
from .grad import Answer, GradMode
from .results import goes_through_loader, has_no_graph, is_tensor, over_evaluation_data

MODULE_OWNERS = frozenset({Role.MODULE, Role.LIGHTNING})


def is_left_out(facts: FileFacts, each: Forward) -> bool:
    """Whether a helper runs it that turns gradients off for other parts of itself, as a flag says: this keeps them."""
    return each.via is not None and any(
        switch.function is each.via and switch.form is Form.WITH and switch.enables is Answer.UNKNOWN
        for switch in facts.switches
    )


def belongs_to_caller(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether the helper that holds the call is not what is wrong: its callers are judged."""
    function = each.place.function
    if function is None:
        return False
    is_uncut = any(has_no_graph(use) for use in uses)
    its_own = {Evaluated.HERE, Evaluated.CALLEE, Evaluated.CONSTRUCTOR}
    if function.guard is Guard.CALLERS and each.evaluated not in its_own and not each.place.loops:
        return True
    if each.evaluated is Evaluated.NOT and each.via is None and _becomes_an_array(uses):
        return True
    if (
        each.evaluated is Evaluated.NOT
        and _is_entered_from_elsewhere(facts, function)
        and not _is_made_here(facts, each)
    ):
        # Another file puts the model in evaluation mode, and may turn gradients off there as well.
        if is_uncut or (_is_of_a_base_class(each) and not _expects_a_graph(facts, each)):
            return True
    owner = runs_itself(facts, each)
    if owner is None:
        return each.evaluated is Evaluated.NOT and _is_perhaps_a_module(facts, each)
    if each.evaluated is not Evaluated.HERE:
        return not (over_evaluation_data(each) and _trains_itself(facts, owner))
    if function.name == "__init__":
        return False
    if is_uncut:
        return True
    over_loader = any(goes_through_loader(loop) for loop in each.place.loops)
    return not (
        over_loader
        or _trains_itself(facts, owner)
        or resumes_training(facts, each)
        or (_switches_itself(facts, each) and not _is_called_by_a_program(each, function))
        or is_named_for_it(function)
    )


def _becomes_an_array(uses: list[Use]) -> bool:
    """Whether numpy gets what a model gives as it is: its functions raise on a tensor with a graph, but for a few.

    What is called guards itself then, or is no model of torch's. A helper may make arrays itself.
    """
    shown = any(is_tensor(use) or use.callee == "data" for use in uses)
    return not shown and any(use.callee.startswith("numpy.") for use in uses)


def _is_entered_from_elsewhere(facts: FileFacts, function: Function) -> bool:
    """Whether nobody in the file calls it, or only methods of its own class that nobody in the file calls."""
    found = {function}
    while True:
        callers = {call.place.function for call in facts.calls if call.function in found} - found
        if any(each is None or each.owner is None or each.owner is not function.owner for each in callers):
            return False
        if not callers:
            return all(each.guard in {Guard.NOBODY, Guard.CALLERS} for each in found)
        found |= {each for each in callers if each is not None}


def _is_made_here(facts: FileFacts, each: Forward) -> bool:
    """Whether the file binds its name, or that of the whole, to something, and so may make the model itself."""
    path = each.model.label + "."
    return any(
        path.startswith(f"{bound.target.label}.") and bound.target.label and bound.value.literal != "None"
        for bound in facts.assignments
    )


def _is_of_a_base_class(each: Forward) -> bool:
    """Whether a method runs a model that its object has from a base class, which is in another file."""
    function = each.place.function
    return (
        function is not None
        and function.owner is not None
        and function.owner.has_base_elsewhere
        and each.model.label.startswith("self.")
    )


def _expects_a_graph(facts: FileFacts, each: Forward) -> bool:
    """Whether the function, or the helper that it calls, cuts off what a model gives: it is taken to have a graph."""
    return any(
        use.callee in {"detach", "data"}
        and use.value.forwards
        and use.place.function in {each.place.function, each.via}
        for use in facts.uses
    )


def is_chosen_by_callers(facts: FileFacts, function: Function | None) -> bool:
    """Whether every caller with gradients on calls it without them too, as a condition decides: that is meant."""
    if function is None or function.guard is not Guard.CALLERS:
        return False
    calls = [call.place for call in facts.calls if call.function is function]
    wanted = [place for place in calls if place.grad & GradMode.ON]
    return bool(wanted) and all(
        place.tests
        and any(
            other.function is place.function
            and other.tests == place.tests
            and any(switch.enables is Answer.NO for switch in other.switches)
            for other in calls
        )
        for place in wanted
    )


def runs_itself(facts: FileFacts, each: Forward) -> Class | None:
    """The module whose own method runs it or a part of it."""
    function = each.place.function
    while function is not None and function.parent is not None:
        function = function.parent
    owner = None if function is None else function.owner
    if owner is None or each.model.label.split(".")[0] != "self":
        return None
    return owner if owner.role in MODULE_OWNERS or _says_it_is_a_module(facts, owner) else None


def _says_it_is_a_module(facts: FileFacts, owner: Class) -> bool:
    """``self.eval()`` in a class whose base is not in the file."""
    return bool(owner.bases) and any(
        each.model.label == "self" and each.place.function is not None and each.place.function.owner is owner
        for each in facts.mode_switches
    )


def _is_perhaps_a_module(facts: FileFacts, each: Forward) -> bool:
    """Whether the method of a class that runs it has a ``forward`` beside it, and the base class is in another file."""
    owner = None if each.place.function is None else each.place.function.owner
    return (
        owner is not None
        and bool(owner.bases)
        and each.model.label.startswith("self.")
        and any(function.owner is owner and function.name == "forward" for function in facts.functions)
    )


def _trains_itself(facts: FileFacts, owner: Class) -> bool:
    """Whether a method of the module goes back through a loss: it decides about gradients itself, not its callers."""
    return any(each.place.function is not None and each.place.function.owner is owner for each in facts.backwards)


def _switches_itself(facts: FileFacts, each: Forward) -> bool:
    """Whether the whole module puts itself in evaluation mode, ``self.eval()``, where it is run: it does not train."""
    return any(
        switch.place.function is each.place.function
        and switch.training is Answer.NO
        and switch.model.label == each.model.label.split(".")[0]
        for switch in facts.mode_switches
    )


def _is_called_by_a_program(each: Forward, function: Function) -> bool:
    """Whether parts of a module are run by a method that a program in another file calls: ``recognize``, ``translate``.

    That program turns gradients off, for all that it does; ``self.eval()`` is for the dropout.
    """
    return each.model.label != "self" and naming.sounds_like_inference(function.name)


def is_named_for_it(function: Function) -> bool:
    """Whether a method that others may call evaluates, by its name: the part in evaluation mode is not frozen."""
    named = naming.says_evaluation(function.name) or naming.sounds_like_predicting(function.name)
    return named and not function.is_private


def resumes_training(facts: FileFacts, each: Forward) -> bool:
    """Whether the function puts the model, or the whole it is a part of, back in training mode afterwards.

    Or in the mode that it was in: ``self.net.train(was_training)``.
    """
    path = each.model.label + "."
    switches = [
        switch.training
        for switch in facts.mode_switches
        if switch.place.function is each.place.function and path.startswith(f"{switch.model.label}.")
    ]
    return bool(switches) and switches[-1] is not Answer.NO
