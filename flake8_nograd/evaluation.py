"""When is it an evaluation? What the rules on needless graphs ask of the facts.

Judged per region (a loop, a run of statements), never per function.
"""

from __future__ import annotations

from functools import lru_cache

from . import naming, torch_api
from .facts import LEAVING, Evaluated, FileFacts, Forward, Function, Kind, Purpose, Use
from .grad import Answer
from .responsible import (
    MODULE_OWNERS,
    belongs_to_caller,
    is_chosen_by_callers,
    is_left_out,
    is_named_for_it,
    resumes_training,
    runs_itself,
)
from .results import (
    ENDS,
    ends_in_values,
    gone_through,
    has_no_graph,
    is_called,
    is_discarded,
    is_no_tensor,
    is_only_looked_at,
    is_only_stored,
    is_pass,
    is_tensor,
    is_thrown_away,
    looks_at_a_test_set,
    operated_on,
    over_data,
    over_evaluation_data,
    rolls_out,
    uses_of_passes,
)
from .wanting import (
    asks_for_gradients_of_others,
    asks_for_version,
    callees_of_asking,
    callees_of_differentiating,
    differentiated_passes,
    differentiates_in_hooks,
    differentiating,
    hands_on_a_loss,
    hooking_in,
    is_asked_for,
    is_handed_to_attack,
    is_kept_apart,
    names_forces,
    needs_gradients,
    run_differentiates,
    trains_on,
)


@lru_cache(maxsize=1)  # of the file at hand
def needless(facts: FileFacts) -> tuple[Forward, ...]:
    """The forward passes that evaluate a model, record a graph, and of which nobody asks a gradient."""
    differentiated = differentiated_passes(facts)
    uses = uses_of_passes(facts)
    found = [
        each
        for each in facts.forwards
        if (each.records or _is_presumed_to_record(each))
        and not is_asked_for(facts, each.place)
        and not asks_for_version(each.place)
        and not any(switch.enables is Answer.NO for switch in each.place.idle)
        and not each.enables
        and (each.anchor not in differentiated or is_kept_apart(facts, each))
        and each.frozen is not Answer.YES
        and each.inputs_require_grad is not Answer.YES
        and not _shared_with_training(each)
        and not is_left_out(facts, each)
        and not belongs_to_caller(facts, each, uses.get(each.anchor, []))
        and _evaluates(facts, each, uses.get(each.anchor, []))
        and not is_chosen_by_callers(facts, each.place.function)
        and not is_chosen_by_callers(facts, each.via)
    ]
    if found and differentiates_in_hooks(facts):
        return ()
    return _where_they_run(facts, found)


def _where_they_run(facts: FileFacts, found: list[Forward]) -> tuple[Forward, ...]:
    """Without the calls of a helper that is reported itself, however many calls away."""
    found = [each for each in found if not _is_called_for_evaluation(facts, each, found)]
    reported = {each.place.function for each in found if each.evaluated is not Evaluated.HERE}
    handing_on: dict[Function | None, list[Forward]] = {}
    for each in facts.forwards:
        if each.records:
            handing_on.setdefault(each.place.function, []).append(each)
    kept = found
    while True:
        dropped = [each for each in kept if each.via is not None and each.via in reported]
        kept = [each for each in kept if each not in dropped]
        more = {each.place.function for each in dropped} | {
            function
            for function, passes in handing_on.items()
            if all(each.via is not None and each.via in reported for each in passes)
        }
        if more <= reported:
            return tuple(kept)
        reported |= more


def _is_called_for_evaluation(facts: FileFacts, each: Forward, found: list[Forward]) -> bool:
    """Whether a helper runs it for evaluations alone, which put the model in evaluation mode and are reported."""
    function = each.place.function
    if each.evaluated is not Evaluated.CALLER or function is None or naming.sounds_like_evaluation(function.name):
        return False
    calls = [call for call in facts.forwards if call.via is function]
    return bool(calls) and all(
        call.evaluated is Evaluated.HERE
        and call.place.function is not None
        and naming.sounds_like_evaluation(call.place.function.name)
        and call in found
        for call in calls
    )


def serves_tests(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function is a test, or a helper that only tests of the file call: they do not care what it records."""
    if function is None or function.is_test:
        return function is not None
    callers = [call.place.function for call in facts.calls if call.function is function]
    return bool(callers) and all(each is not None and each.is_test for each in callers)


def _is_presumed_to_record(each: Forward) -> bool:
    """Whether a function that is handed on, and leaves gradients as they are, puts the model in evaluation mode."""
    return (
        each.graph is not Answer.NO
        and each.training is Answer.NO
        and each.evaluated is Evaluated.HERE
        and each.place.presumed_on
    )


def _shared_with_training(each: Forward) -> bool:
    """Whether a condition decides between training and evaluation around the call, and not ``.eval()`` before it."""
    if each.training is Answer.NO and each.evaluated is Evaluated.HERE:
        return False
    return any(naming.mentions_training(name) or name.rsplit(".", 1)[-1] in FLAGS for name in each.place.tests)


FLAGS = frozenset({"phase", "mode", "split", "stage", "optimizer", "is_train", "training", "train", "opt", "backward"})


def _evaluates(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    if run_differentiates(facts, each) or names_forces(facts, each):
        return False
    if each.training is Answer.NO:
        return _in_eval_mode(facts, each, uses)
    if each.training is Answer.YES and each.evaluated is Evaluated.HERE and not _keeps_training_mode(each):
        return False
    return _evaluates_by_name(facts, each, uses)


def _keeps_training_mode(each: Forward) -> bool:
    """Whether an evaluation puts its model in training mode: to sample by dropout, or as it gives losses only then."""
    function = each.place.function
    return (
        over_evaluation_data(each)
        and function is not None
        and naming.sounds_like_evaluation(function.name)
        and not naming.sounds_like_training(function.name)
    )


def _evaluates_by_name(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a function named for evaluation has it in a loop, and only looks at what it gives.

    Of a loop over a loader that is named for evaluation, the function may have any name, or be none.
    """
    function = each.place.function
    if (
        not each.place.loops
        or (function is not None and function.is_test)
        or not (uses or is_thrown_away(facts, each))
        or is_no_tensor(facts, each, uses)
        or any(use.purpose not in ENDS or is_handed_to_attack(use) or trains_on(use) for use in uses)
        or needs_gradients(facts, each, uses)
    ):
        return False
    if (
        function is None
        or not naming.sounds_like_evaluation(function.name)
        or naming.sounds_like_training(function.name)
    ):
        return looks_at_a_test_set(each, uses)
    if _collects(facts, each, uses) or rolls_out(facts, each, uses):
        return True
    over = over_evaluation_data(each)
    looked_at = is_only_looked_at(facts, each, uses) and not _puts_in_training_mode(facts, function)
    if not (over or looked_at or (is_called(each) and _puts_in_eval_mode(facts, function))):
        return False
    if is_thrown_away(facts, each) or ends_in_values(uses):
        return True
    return over and any(use.purpose not in LEAVING for use in uses)


def _collects(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether predictions of all batches are collected and returned, by a function that does nothing else."""
    function = each.place.function
    return (
        function is not None
        and naming.sounds_like_predicting(function.name)
        and not function.is_filled_in
        and function not in callees_of_asking(facts)
        and is_called(each)
        and each.via is None
        and any(use.purpose is Purpose.ACCUMULATED and "." not in use.into for use in uses)
        and not _adds_up(facts, function, uses)
        and not _runs_once(facts, each)
        and all(
            use.purpose in {Purpose.VALUE, Purpose.ACCUMULATED, Purpose.RETURNED} or use.place.function is not function
            for use in uses
        )
        and any(
            value.kind in {Kind.LOADER, Kind.PLAIN} or naming.sounds_like_dataset(value.label)
            for value in gone_through(facts, each)
        )
    )


def _runs_once(facts: FileFacts, each: Forward) -> bool:
    """Whether the function runs the model outside of loops as well: it gives more than predictions of all batches."""
    return any(
        other.place.function is each.place.function
        and other.model.label == each.model.label
        and is_pass(other)
        and not other.place.loops
        for other in facts.forwards
    )


def _adds_up(facts: FileFacts, function: Function, uses: list[Use]) -> bool:
    """Whether results are added to parts of a tensor: windows of one input, not the predictions of many."""
    into = {use.into for use in uses if use.purpose is Purpose.ACCUMULATED}
    return any(
        write.place.function is function and write.operation == "+=" and write.target.label in into
        for write in facts.writes
    )


def _puts_in_eval_mode(facts: FileFacts, function: Function) -> bool:
    """Whether a function puts something in evaluation mode: this model, perhaps, under another name."""
    put = [each for each in facts.mode_switches if each.place.function is function]
    evaluated = {each.model.label for each in put if each.training is Answer.NO}
    return bool(evaluated) and all(each.model.label in evaluated for each in put)


def _puts_in_training_mode(facts: FileFacts, function: Function) -> bool:
    """Whether a function puts something in training mode: this model, perhaps, under another name."""
    return any(each.place.function is function and each.training is Answer.YES for each in facts.mode_switches)


def _in_eval_mode(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    function = each.place.function
    if not is_pass(each) and not _runs_model(facts, each, uses):
        return False
    if is_discarded(facts, each) and each.via is None:
        if not is_pass(each) or not (each.place.loops or _is_for_nothing_else(facts, each)):
            # A hook takes what it wants of it, gradients perhaps; or it is no forward pass.
            return False
    if each.evaluated is Evaluated.CONSTRUCTOR:
        # A model that its owner put in eval mode may be a feature extractor that gradients pass through.
        named = function is not None and naming.sounds_like_evaluation(function.name)
        if not (_gives_values(facts, uses) or named or each.invented):
            return False
    if needs_gradients(facts, each, uses) or _tries_out(facts, each, uses):
        return False
    if function is not None and _is_forward(function):
        return False
    leaving = any(use.purpose in LEAVING and use.value.requires_grad is not Answer.NO for use in uses)
    if function is not None and function.name == "__init__" and (leaving or not _is_tried_in_its_mode(each, uses)):
        return False
    if leaving and each.evaluated is not Evaluated.HERE and function in callees_of_differentiating(facts):
        return False
    if leaving and not over_data(each) and function is not None:
        # A tensor with its graph is what the function is for: its callers may differentiate it.
        if not is_only_stored(each, uses) and not _gives_predictions(facts, each, uses):
            return False
        if not (is_pass(each) or _encodes(each) or any(is_tensor(use) for use in uses)):
            return False
    return not any(hands_on_a_loss(each, use) or is_handed_to_attack(use) or trains_on(use) for use in uses)


def _runs_model(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a method of a model that says so runs it, or one whose result is used as a tensor."""
    if (
        each.method.startswith("_")
        or naming.sounds_like_preparation(each.method)
        or naming.sounds_like_parameters(each.method)
        or (_is_for_evaluation(each.method) and any(has_no_graph(use) for use in uses))
    ):
        return False
    if naming.sounds_like_forward(each.method):
        return True
    used = _encodes(each) or each.anchor in operated_on(facts) or any(is_tensor(use) for use in uses)
    return used and not _is_left_unguarded(facts, each)


def _encodes(each: Forward) -> bool:
    """Whether a method gives a tensor, by its name and as it is handed data: ``encode(x)``, ``get_embeddings(ids)``."""
    return each.takes_data and naming.sounds_like_encoding(each.method)


def _is_for_evaluation(method: str) -> bool:
    """Whether a method of a model, by its name, is no part of training, so that it may turn gradients off itself."""
    return naming.sounds_like_evaluation(method) or naming.sounds_like_encoding(method)


def _is_left_unguarded(facts: FileFacts, each: Forward) -> bool:
    """Whether beside it the model itself is run with gradients off: who thought of them there, needs it not here.

    So of a part of it: ``model.module.get_inputs(batch)``, beside ``model(batch)``.
    """
    return any(
        f"{each.model.label}.".startswith(f"{other.model.label}.")
        and other.place.function is each.place.function
        and other.place.loops == each.place.loops
        and is_pass(other)
        and any(switch.enables is Answer.NO for switch in other.place.switches)
        for other in facts.forwards
    )


def _gives_values(facts: FileFacts, uses: list[Use]) -> bool:
    """Whether numbers are all that is made of a result, if need be by functions of other files, where nobody trains."""
    purposes = {use.purpose for use in uses}
    return purposes == {Purpose.VALUE} or (purposes == {Purpose.VALUE, Purpose.CALL} and not facts.backwards)


def _is_tried_in_its_mode(each: Forward, uses: list[Use]) -> bool:
    """Whether a constructor runs a model that it puts in evaluation mode, to see the shape of what it gives.

    What a model gives for noise, nobody wants for itself.
    """
    if each.evaluated is not Evaluated.HERE or not is_pass(each):
        return False
    return each.invented or all(use.purpose is Purpose.VALUE for use in uses)


def _gives_predictions(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a function that returns a tensor with its graph is for predictions, and no caller differentiates them.

    One that puts its model in evaluation mode itself is, unless something near asks for gradients of inputs.
    """
    function = each.place.function
    if function is None:
        return False
    named = naming.sounds_like_evaluation(function.name)
    if each.evaluated is not Evaluated.HERE:
        # Who calls a private method, perhaps from a base class in another file, is judged instead; and who hands
        # a model in evaluation mode to a class, of which others may make objects that train.
        return (
            (named or (each.evaluated is Evaluated.CONSTRUCTOR and each.invented))
            and not function.is_private
            and runs_itself(facts, each) is None
            and (each.evaluated is not Evaluated.CONSTRUCTOR or _is_put_by_its_class(facts, function))
        )
    if runs_itself(facts, each) is not None and not (is_named_for_it(function) or _acts(facts, each, function)):
        return False
    if function.is_filled_in:
        return naming.says_evaluation(function.name)
    if named or naming.sounds_like_inference(function.name):
        return True
    return (
        is_pass(each)
        and not any(use.purpose is Purpose.STORED and use.value.kind is not Kind.UNKNOWN for use in uses)
        and any(switch.place.function is function and switch.training is Answer.NO for switch in facts.mode_switches)
        and function.parent is None
        and not function.is_private
        and (runs_itself(facts, each) is None or naming.sounds_like_encoding(function.name))
        and not naming.sounds_like_forward(function.name)
        and not naming.sounds_like_attack(function.name)
        and not naming.sounds_like_training(function.name)
        and not naming.sounds_like_gradient(function.name)
        and not naming.mentions_loss(function.name)
        and function not in differentiating(facts)
        and function not in callees_of_differentiating(facts)
        and not asks_for_gradients_of_others(facts, function)
    )


def _is_put_by_its_class(facts: FileFacts, function: Function) -> bool:
    """Whether the class of a method, or one above or below it, puts something in evaluation mode."""
    owner = function.owner
    owners = [each.place.function.owner for each in facts.mode_switches if each.place.function is not None]
    return owner is None or any(
        other is not None and (other is owner or other.name in owner.bases or owner.name in other.bases)
        for other in owners
    )


def _acts(facts: FileFacts, each: Forward, function: Function) -> bool:
    """Whether a module runs itself to act, and is back in training mode afterwards: between two steps of training.

    Of its parts it leaves gradients to the program that calls it, as with ``translate``.
    """
    return each.model.label == "self" and naming.sounds_like_inference(function.name) and resumes_training(facts, each)


def _is_for_nothing_else(facts: FileFacts, each: Forward) -> bool:
    """Whether the very model that was put in evaluation mode is run, and no hook differentiates what it takes of it.

    The file has none, or the pass only tries the model: by noise, or between two steps of training.
    """
    put = any(switch.model.label == each.model.label for switch in facts.mode_switches)
    tries = each.invented or resumes_training(facts, each)
    return put and (not hooking_in(facts) or (tries and not any(function.reads_graph for function in facts.functions)))


def _is_forward(function: Function) -> bool:
    """The forward pass of a module: parts that it puts in evaluation mode are frozen, not evaluated."""
    owner = function.owner
    return function.name in {"forward", "__call__"} and owner is not None and owner.role in MODULE_OWNERS


def _tries_out(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a pass only shows that a model gives what another gives; a single one that it runs, or what it costs.

    A script hands it noise, and prints or compares what comes out; a function only compares it, or asks what
    memory was taken, which gradients are a part of.
    """
    here = [use for use in uses if use.place.function is each.place.function]
    if here and all(use.callee in torch_api.COMPARING for use in here):
        return True
    if each.place.loops:
        return False
    if each.place.function is not None:
        return any(
            call.place.function is each.place.function and call.api in torch_api.MEMORY_PEAKS for call in facts.calls
        )
    return each.invented and all(
        use.purpose is Purpose.VALUE and use.callee not in {"cpu", "numpy", "detach", "data"} for use in uses
    )
