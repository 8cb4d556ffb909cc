"""Who wants gradients? Backward passes, attacks, hooks and training, which stand against their being needless."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from . import naming, torch_api, torch_operations
from .facts import (
    Anchor,
    Call,
    Condition,
    Differentiation,
    Evaluated,
    FileFacts,
    Form,
    Forward,
    Function,
    Guard,
    Kind,
    Place,
    Purpose,
    Use,
)
from .grad import Answer

GRAPH_ATTRIBUTES = frozenset({"grad_fn", "is_leaf", "requires_grad"})
"""What is only asked of a tensor to learn of its graph."""
WEIGHTS = frozenset({Kind.MODEL, Kind.PARAMETER, Kind.PARAMETERS})


def is_asked_for(facts: FileFacts, place: Place) -> bool:
    """Whether gradients are on because somebody wrote so: ``with torch.enable_grad():``, ``if with_gradients:``.

    Or because the first try, without them, has raised.
    """
    return (
        any(switch.enables is Answer.YES for switch in place.switches)
        or any(naming.sounds_like_gradient_flag(name) for name in place.tests)
        or ("RuntimeError" in place.tests and _turns_off(facts, place.function))
        or any(
            switch.form is Form.DECORATOR and switch.enables is Answer.YES and switch.function is place.function
            for switch in facts.switches
        )
    )


def _turns_off(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function turns gradients off for a part of itself."""
    return any(
        switch.function is function and switch.form is not Form.DECORATOR and switch.enables is Answer.NO
        for switch in facts.switches
    )


def asks_for_version(place: Place) -> bool:
    """Whether torch's version decides if it runs: ``if torch.__version__ < "0.4":``."""
    return any("torch" in name.lower() and "version" in name.lower() for name in place.conditions)


def differentiated_passes(facts: FileFacts) -> set[Anchor]:
    """The forward passes whose results somebody goes back through."""
    return {anchor for use in facts.uses if use.purpose is Purpose.GRADIENT for anchor in use.value.forwards}


def is_kept_apart(facts: FileFacts, each: Forward) -> bool:
    """Whether only another function goes back through the attribute that keeps what an evaluation gives.

    It has a forward pass of its own behind that: ``self.output`` of a training step, and that of ``test``, which puts
    its model in evaluation mode.
    """
    function = each.place.function
    if each.evaluated is not Evaluated.HERE or each.training is not Answer.NO or function is None:
        return False
    here = [use for use in facts.uses if each.anchor in use.value.forwards and use.place.function is function]
    gradients = [use for use in facts.uses if use.purpose is Purpose.GRADIENT and each.anchor in use.value.forwards]
    passes = {run.anchor: run.place.function for run in facts.forwards}
    return (
        naming.sounds_like_evaluation(function.name)
        and any(use.purpose is Purpose.STORED for use in here)
        and all(use.purpose not in {Purpose.RETURNED, Purpose.YIELDED} for use in here)
        and all(
            use.place.function is not function
            and any(passes.get(anchor) is use.place.function for anchor in use.value.forwards)
            for use in gradients
        )
    )


def asks_for_gradients_of_others(facts: FileFacts, function: Function) -> bool:
    """Whether the class, or for a function the file, asks for gradients by ``autograd.grad``, or reads ``x.grad``."""
    near = [each for each in facts.functions if function.owner is None or each.owner is function.owner]
    return any(each.reads_grad or each.reads_graph for each in near) or any(
        each.how in {Differentiation.AUTOGRAD_GRAD, Differentiation.FUNCTIONAL} and each.place.function in near
        for each in facts.backwards
    )


def functions_run_by(each: Forward) -> tuple[Function, ...]:
    """The functions of the file that a forward pass runs: a helper, or the model's own ``forward``."""
    return each.runs if each.via is None else (each.via, *each.runs)


def names_forces(facts: FileFacts, each: Forward) -> bool:
    """Whether forces are named beside a pass, in what it runs, or in what is called beside: the model differentiates.

    What stands in other loops is said of other results.
    """
    function = each.place.function
    if function is None or not function.names_forces:
        beside = False
    else:
        beside = not each.place.loops or not function.forces_in or each.place.loops[0].anchor in function.forces_in
    return (
        beside
        or any(run.names_forces for run in functions_run_by(each))
        or any(
            call.function is not None
            and call.function.names_forces
            and call.place.function is function
            and (not call.place.loops or call.place.loops[:1] == each.place.loops[:1])
            for call in facts.calls
        )
    )


@lru_cache(maxsize=1)  # of the file at hand
def _calls_of(facts: FileFacts) -> dict[Function, set[Function]]:
    """Which functions of the file each calls."""
    table: dict[Function, set[Function]] = {}
    for call in facts.calls:
        if call.function is not None and call.place.function is not None:
            table.setdefault(call.place.function, set()).add(call.function)
    for each in facts.forwards:
        if each.place.function is not None:
            table.setdefault(each.place.function, set()).update(each.runs)
    return table


@lru_cache(maxsize=1)  # of the file at hand
def differentiating(facts: FileFacts) -> frozenset[Function]:
    """The functions that ask for gradients or attack, or call one that does, however many calls away."""
    return _with_callers(facts, _asking(facts))


def _asking(facts: FileFacts) -> set[Function]:
    """The functions that ask for gradients or attack themselves."""
    found = {each.place.function for each in facts.backwards if each.place.function is not None}
    found |= {each.place.function for each in facts.calls if each.place.function is not None and _is_attack(each)}
    return found | {each for each in facts.functions if each.reads_graph}


def _with_callers(facts: FileFacts, found: set[Function]) -> frozenset[Function]:
    """Functions, and those that call one of them, however many calls away."""
    table = _calls_of(facts)
    while True:
        more = {caller for caller, callees in table.items() if callees & found} - found
        if not more:
            return frozenset(found)
        found = found | more


def differentiates(facts: FileFacts, call: Call) -> bool:
    """Whether a function of the file asks for gradients, or attacks, when it is called with this."""
    return call.function in differentiating(facts) and (
        not call.fails or _asks(facts, call.function, frozenset(call.fails), frozenset())
    )


def run_differentiates(facts: FileFacts, each: Forward) -> bool:
    """Whether what a forward pass runs in the file asks for gradients."""
    if not differentiating(facts).isdisjoint(each.runs):
        return True
    calls = [call for call in facts.calls if call.anchor is each.anchor and call.function is each.via]
    return each.via in differentiating(facts) and all(differentiates(facts, call) for call in calls)


def _asks(facts: FileFacts, function: Function, fails: frozenset[Condition], above: frozenset[Function]) -> bool:
    """Whether a function asks for gradients where some conditions on its parameters do not hold."""
    if function in above:
        return False
    if function.reads_graph:
        return True

    def is_reached(place: Place) -> bool:
        return place.function is function and fails.isdisjoint(place.requires)

    return (
        any(is_reached(each.place) for each in facts.backwards)
        or any(is_reached(each.place) and not differentiating(facts).isdisjoint(each.runs) for each in facts.forwards)
        or any(
            is_reached(call.place)
            and (
                _is_attack(call)
                or (
                    call.function in differentiating(facts)
                    and _asks(
                        facts,
                        call.function,
                        frozenset(call.fails).union(each.inside for each in call.passes if each.here in fails),
                        above | {function},
                    )
                )
            )
            for call in facts.calls
        )
    )


@lru_cache(maxsize=1)  # of the file at hand
def callees_of_differentiating(facts: FileFacts) -> frozenset[Function]:
    """The functions that are called, however many calls away, by one that asks for gradients."""
    return called_by(facts, differentiating(facts))


@lru_cache(maxsize=1)  # of the file at hand
def callees_of_asking(facts: FileFacts) -> frozenset[Function]:
    """The functions that are called, however many calls away, by one that asks for gradients itself."""
    return called_by(facts, _asking(facts))


def called_by(facts: FileFacts, functions: Collection[Function]) -> frozenset[Function]:
    """The functions of the file that some functions call, however many calls away."""
    table = _calls_of(facts)
    found: set[Function] = set()
    open_ = list(functions)
    while open_:
        for callee in table.get(open_.pop(), set()) - found:
            found.add(callee)
            open_.append(callee)
    return frozenset(found)


def hooking_in(facts: FileFacts) -> list[Call]:
    """The calls that hook something into forward passes, which takes what it wants of each, with its graph."""
    return [call for call in facts.calls if call.api[1:] in torch_api.FORWARD_HOOK_REGISTRARS]


def _hooked(facts: FileFacts) -> set[str]:
    """The names of what the file hooks into forward passes."""
    return {
        each.label.rpartition(".")[2]
        for call in hooking_in(facts)
        for each in (*call.arguments, *(value for _, value in call.keywords))
    }


@lru_cache(maxsize=1)  # of the file at hand
def run_by_hooks(facts: FileFacts) -> frozenset[Function]:
    """The functions that are hooked into forward passes, and what they call: those of training run them as well."""
    hooked, statements = _hooked(facts), {call.place.statement for call in hooking_in(facts)}
    makers = {call.function for call in facts.calls if call.place.statement in statements} - {None}
    hooks = {
        function
        for function in facts.functions
        if function.guard is Guard.ELSEWHERE and (function.name in hooked or function.parent in makers)
    }
    return called_by(facts, hooks) | hooks


def differentiates_in_hooks(facts: FileFacts) -> bool:
    """Whether what the file hooks into modules asks for gradients, in the middle of a forward pass."""
    hooked = _hooked(facts)
    going_back = {each.place.function for each in facts.backwards if each.place.function is not None}
    return bool(hooked) and any(
        function.name in hooked or function.guard is Guard.ELSEWHERE for function in _with_callers(facts, going_back)
    )


def _is_attack(call: Call) -> bool:
    """Whether code that is not in the file is called, and is named for what differentiates inside."""
    return (
        call.function is None
        and not call.api.endswith("Error")
        and call.receiver.kind not in {Kind.MODEL, Kind.OPTIMIZER}
        and (naming.sounds_like_attack(call.api) or naming.sounds_like_attack(call.receiver.label))
    )


def is_handed_to_attack(use: Use) -> bool:
    """Whether what it is handed to is named for an attack."""
    return use.purpose is Purpose.CALL and naming.sounds_like_attack(use.callee)


def trains_on(use: Use) -> bool:
    """Whether it is handed, with its graph, to what trains: ``agent.learn(loss)``."""
    return (
        use.purpose is Purpose.CALL
        and naming.sounds_like_training_on(use.callee)
        and use.value.requires_grad is not Answer.NO
    )


def hands_on_a_loss(each: Forward, use: Use) -> bool:
    """``strategy.loss += penalty``: whoever owns the loss goes back through it."""
    functions = [function for function in (each.place.function, use.place.function) if function is not None]
    return (
        use.purpose in {Purpose.ACCUMULATED, Purpose.STORED}
        and "." in use.into
        and naming.sounds_like_loss(use.into)
        and not naming.sounds_like_evaluation(use.into)
        and not any(naming.sounds_like_evaluation(function.name) for function in functions)
        and use.value.requires_grad is not Answer.NO
    )


def needs_gradients(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether the innermost loop, or the function of a single call, asks autograd about something else's input."""
    place = each.place
    for backward in facts.backwards:
        if backward.place.function is not place.function:
            continue
        if backward.target.forwards and each.anchor not in backward.target.forwards:
            # What is differentiated is the result of other passes.
            continue
        same_loop = bool(place.loops) and place.loops[-1] in backward.place.loops
        inputs = backward.how in {Differentiation.AUTOGRAD_GRAD, Differentiation.FUNCTIONAL}
        if same_loop or (not place.loops and not backward.place.loops) or (inputs and not place.loops):
            return True
    if place.function is not None and place.function.reads_graph:
        return True
    if any(use.callee in GRAPH_ATTRIBUTES for use in uses):
        return True
    only_looked_at = bool(uses) and all(use.purpose is Purpose.VALUE for use in uses)
    if _asks_for_gradients_of_input(facts, place):
        # Of other passes, where this is a single one, and the function goes back through those.
        explained = only_looked_at and _differentiates_others(facts, place.function)
        if place.loops or not (explained or _only_chooses(each, uses)):
            return True
    return any(
        call.place.statement is place.statement
        or (not only_looked_at and call.place.loops[: len(place.loops)] == place.loops)
        for call in attacks_in(facts, place.function)
    )


def _differentiates_others(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function says itself where it differentiates: it goes back, or hands a model to an attack."""
    return any(each.place.function is function for each in facts.backwards) or any(
        call.api != ".requires_grad_" for call in attacks_in(facts, function)
    )


def _only_chooses(each: Forward, uses: list[Use]) -> bool:
    """Whether a pass gives one tensor, of which nothing but ``argmax`` and the like is asked: no gradient behind it."""
    return bool(uses) and all(
        use.callee in torch_operations.NON_DIFFERENTIABLE and use.value.made_at is each.anchor for use in uses
    )


def attacks_in(facts: FileFacts, function: Function | None) -> list[Call]:
    """The calls of a function that attack, and so differentiate inside."""
    return [call for call in facts.calls if call.place.function is function and _is_attack(call)]


def _asks_for_gradients_of_input(facts: FileFacts, place: Place) -> bool:
    """Whether something that is no weight is made to require gradients: ``batch["position"]``, ``graph.cell``."""
    asked = [
        (each.place, each.holder)
        for each in facts.assignments
        if each.holder is not None and each.target.label.endswith(".requires_grad")
    ]
    asked += [(call.place, call.receiver) for call in facts.calls if call.api == ".requires_grad_"]
    return any(
        where.function is place.function
        and where.loops[: len(place.loops)] == place.loops
        and value.kind not in WEIGHTS
        for where, value in asked
    )
