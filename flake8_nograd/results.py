"""What becomes of the result of a forward pass? Looked at, collected, thrown away, or handed out with its graph."""

from __future__ import annotations

from functools import lru_cache

from . import naming, torch_api, torch_operations
from .facts import LEAVING, Anchor, Evaluated, FileFacts, Forward, Kind, Loop, Purpose, Use, Value
from .grad import Answer

ENDS = LEAVING | {Purpose.VALUE, Purpose.ACCUMULATED, Purpose.CALL}
PIECES = frozenset({Kind.CONTAINER, Kind.DATA, Kind.PLAIN})


@lru_cache(maxsize=1)  # of the file at hand
def uses_of_passes(facts: FileFacts) -> dict[Anchor, list[Use]]:
    """What the result of each forward pass is used for."""
    table: dict[Anchor, list[Use]] = {}
    for use in facts.uses:
        if use.purpose is not Purpose.OPERATION:
            for anchor in use.value.forwards:
                table.setdefault(anchor, []).append(use)
    return table


@lru_cache(maxsize=1)  # of the file at hand
def operated_on(facts: FileFacts) -> frozenset[Anchor]:
    """The forward passes that give tensors: what they give is taken by operations on tensors alone."""
    sources: dict[Anchor, set[Anchor]] = {}
    found: set[Anchor] = set()
    for use in facts.uses:
        made_at = use.value.made_at
        if use.purpose is not Purpose.OPERATION or made_at is None:
            continue
        # Of what others than operations make of a result, we do not know that a tensor is behind it.
        origins = sources.get(made_at, set()) | ({made_at} & use.value.forwards)
        sources.setdefault(use.anchor, set()).update(origins)
        if use.callee.startswith("torch.") or use.callee in {"cpu", *torch_operations.OF_TENSORS_ALONE}:
            found |= origins
    return frozenset(found)


def goes_through_loader(loop: Loop) -> bool:
    """Whether it goes through a loader, perhaps one of several, or counted: ``enumerate(loader)``."""
    return loop.iterates.kind is Kind.LOADER or naming.sounds_like_loader(loop.iterates.label)


def is_no_tensor(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a method of a model gives something that nothing shows to be a tensor: ``metric.compute()``."""
    return not is_pass(each) and not (each.anchor in operated_on(facts) or any(is_tensor(use) for use in uses))


def is_discarded(facts: FileFacts, each: Forward) -> bool:
    """Whether nobody uses the result, or it is bound to ``_``, which says so."""
    return each.discarded or each.anchor in _bound_to_nothing(facts)


@lru_cache(maxsize=1)  # of the file at hand
def _bound_to_nothing(facts: FileFacts) -> frozenset[Anchor]:
    return frozenset(bound.expression for bound in facts.assignments if bound.target.label == "_" and bound.is_alone)


def is_thrown_away(facts: FileFacts, each: Forward) -> bool:
    """Whether nobody uses the result of the model itself; another method of it may be no forward pass."""
    return is_discarded(facts, each) and each.method in {"__call__", "forward"}


def looks_at_a_test_set(each: Forward, uses: list[Use]) -> bool:
    """Whether a loop over a loader named for evaluation makes numbers of what the model gives, and nothing else."""
    over = any(
        naming.sounds_like_evaluation_loader(loop.iterates.label) and goes_through_loader(loop)
        for loop in each.place.loops
    )
    return (
        over
        and is_called(each)
        and ends_in_values(uses)
        and all(
            use.purpose is Purpose.VALUE
            or (use.purpose is Purpose.ACCUMULATED and "." not in use.into)
            or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
            for use in uses
        )
    )


def rolls_out(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a model chooses the actions of a loop: no gradient flows through an environment, ``env.step(action)``."""
    if not is_called(each) or not uses:
        return False
    if any(use.purpose is Purpose.VALUE and use.callee == "env.step" for use in uses):
        return True
    return all(use.purpose is Purpose.VALUE for use in uses) and any(
        call.api == ".step"
        and naming.sounds_like_environment(call.receiver.label)
        and each.place.loops[-1:] == call.place.loops[-1:]
        for call in facts.calls
    )


def over_evaluation_data(each: Forward) -> bool:
    """Whether a loop around it goes through a loader that is named for evaluation."""
    return any(naming.sounds_like_evaluation_loader(loop.iterates.label) for loop in each.place.loops)


def is_only_looked_at(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether data is gone through, and no tensor with a graph leaves the function: no caller could differentiate it.

    What is handed to code that is not in the file, as to a metric, is taken for looked at in a loop over a loader.
    """
    if any(_leaves(use) for use in uses):
        return False
    over = gone_through(facts, each)
    if any(value.kind is Kind.LOADER or naming.sounds_like_loader(value.label) for value in over):
        return True
    handed = any(use.purpose is Purpose.CALL and not use.callee.endswith("save_image") for use in uses)
    return any(value.kind in PIECES for value in over) and is_called(each) and each.via is None and not handed


def gone_through(facts: FileFacts, each: Forward) -> list[Value]:
    """What the loops around go through, unless it is models, or data to train on; or each turn does the same again."""
    model = each.model.label.partition(".")[0]
    loops = [
        loop
        for loop in each.place.loops
        if model not in loop.binds and not _counts_parts(loop) and not _repeats(facts, loop, each)
    ]
    return [loop.iterates for loop in loops if not naming.sounds_like_training_loader(loop.iterates.label)]


def _counts_parts(loop: Loop) -> bool:
    """``for index in range(len(self.model))``: the parts of a model, each of which is run once."""
    return loop.iterates.kind is Kind.PLAIN and naming.sounds_like_model(loop.iterates.label)


def _repeats(facts: FileFacts, loop: Loop, each: Forward) -> bool:
    """Whether a loop only counts, and binds nothing but what a pass gives: it is run on the same again."""
    return loop.binds == ("_",) and all(
        each.anchor in bound.value.forwards for bound in facts.assignments if loop in bound.place.loops
    )


def _leaves(use: Use) -> bool:
    """Whether a tensor with a graph, as far as we know, is seen when the function has returned."""
    kept = use.purpose is Purpose.ACCUMULATED and "." in use.into
    return (kept or use.purpose in LEAVING) and use.value.requires_grad is not Answer.NO


def is_called(each: Forward) -> bool:
    """Whether it is ``model(x)``, of what sounds like a model."""
    return each.method in {"__call__", "forward"} and naming.sounds_like_model(each.model.label)


def ends_in_values(uses: list[Use]) -> bool:
    """Whether numbers are made of the result, or recorded."""
    return any(
        use.purpose is Purpose.VALUE or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
        for use in uses
    )


def is_pass(each: Forward) -> bool:
    """Whether it is a forward pass by its name: ``model(x)``, ``model.forward_features(x)``.

    So is ``model.validation_step(batch)`` in a loop, and what torch or MONAI run of a model they are handed.
    """
    if each.method in torch_api.RUNNING_FUNCTIONS or naming.sounds_like_inferer(each.method):
        return True
    if each.place.loops and naming.sounds_like_evaluation_step(each.method):
        return True
    return each.method == "__call__" or each.method.split("_")[0] == "forward"


def is_only_stored(each: Forward, uses: list[Use]) -> bool:
    """Whether an evaluation is looked at here, and what stays of it with its graph in an object is for the next one."""
    return (
        each.evaluated is Evaluated.HERE
        and all(
            use.purpose not in {Purpose.RETURNED, Purpose.YIELDED} or use.value.requires_grad is Answer.NO
            for use in uses
        )
        and any(use.purpose is Purpose.VALUE for use in uses)
    )


def over_data(each: Forward) -> bool:
    """Whether it stands in a loop, and not in one over models, each of which is run once."""
    model = each.model.label.partition(".")[0]
    return any(model not in loop.binds for loop in each.place.loops)


def is_tensor(use: Use) -> bool:
    """Whether only tensors, or what is computed of them, are used so."""
    if use.purpose is Purpose.CALL:
        return use.callee in torch_operations.TAKING_TENSORS
    return use.purpose is Purpose.VALUE and (
        use.callee in {"detach", "cpu"}
        or use.callee in torch_operations.PLAIN_METHODS
        or use.callee.removeprefix("torch.") in torch_operations.NON_DIFFERENTIABLE - torch_operations.OF_ANYTHING
    )


def has_no_graph(use: Use) -> bool:
    """Whether it would raise on a tensor with a graph: what a method gives so was made without one."""
    return use.callee == "numpy" and use.purpose is Purpose.VALUE and use.value.requires_grad is not Answer.NO
