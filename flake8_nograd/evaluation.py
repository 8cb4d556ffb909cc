"""When is it an evaluation? What the rules on needless graphs ask of the facts.

Judged per region (a loop, a run of statements), never per function.
"""

from __future__ import annotations

from functools import lru_cache

from . import naming, torch_api
from .facts import (
    Anchor,
    Call,
    Class,
    Differentiation,
    Evaluated,
    FileFacts,
    Form,
    Forward,
    Function,
    Guard,
    Kind,
    Loop,
    Place,
    Purpose,
    Role,
    Use,
    Value,
)
from .grad import Answer, GradMode

ENDS = frozenset({Purpose.VALUE, Purpose.ACCUMULATED, Purpose.CALL, Purpose.RETURNED, Purpose.STORED, Purpose.YIELDED})
LEAVING = frozenset({Purpose.RETURNED, Purpose.STORED, Purpose.YIELDED})
PIECES = frozenset({Kind.CONTAINER, Kind.DATA, Kind.PLAIN})
WEIGHTS = frozenset({Kind.MODEL, Kind.PARAMETER, Kind.PARAMETERS})
MODULE_OWNERS = frozenset({Role.MODULE, Role.LIGHTNING})


@lru_cache(maxsize=1)  # of the file at hand
def needless(facts: FileFacts) -> tuple[Forward, ...]:
    """The forward passes that evaluate a model, record a graph, and of which nobody asks a gradient."""
    differentiated = _differentiated(facts)
    uses = _uses(facts)
    found = [
        each
        for each in facts.forwards
        if (records(each) or _is_presumed_to_record(each))
        and not _is_asked_for(facts, each.place)
        and not asks_for_version(each.place)
        and not any(switch.enables is Answer.NO for switch in each.place.idle)
        and not each.enables
        and each.anchor not in differentiated
        and each.frozen is not Answer.YES
        and each.inputs_require_grad is not Answer.YES
        and not _shared_with_training(each)
        and not _belongs_to_caller(facts, each)
        and _evaluates(facts, each, uses.get(each.anchor, []))
    ]
    if found and _differentiates_in_hooks(facts):
        return ()
    return _where_they_run(facts, found)


def _where_they_run(facts: FileFacts, found: list[Forward]) -> tuple[Forward, ...]:
    """Without the calls of a helper that is reported itself, however many calls away."""
    found = [each for each in found if not _is_called_for_evaluation(facts, each, found)]
    reported = {each.place.function for each in found if each.evaluated is not Evaluated.HERE}
    kept = found
    while True:
        dropped = [each for each in kept if each.via is not None and each.via in reported]
        if not dropped:
            return tuple(kept)
        kept = [each for each in kept if each not in dropped]
        reported |= {each.place.function for each in dropped}


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


def records(each: Forward) -> bool:
    """Whether a graph is recorded, whoever calls."""
    if each.graph is Answer.NO:
        return False
    return each.place.grad is GradMode.ON or each.place.on_for_some_caller


def _is_presumed_to_record(each: Forward) -> bool:
    """Whether a function that is handed on, and leaves gradients as they are, puts the model in evaluation mode."""
    return (
        each.graph is not Answer.NO
        and each.training is Answer.NO
        and each.evaluated is Evaluated.HERE
        and each.place.presumed_on
    )


def _is_asked_for(facts: FileFacts, place: Place) -> bool:
    """Whether gradients are on because somebody wrote so: ``with torch.enable_grad():``, ``if with_gradients:``.

    Or because the first try, without them, has raised.
    """
    return (
        any(switch.enables is Answer.YES for switch in place.switches)
        or any(naming.sounds_like_gradient_flag(name) or name == "RuntimeError" for name in place.tests)
        or any(
            switch.form is Form.DECORATOR and switch.enables is Answer.YES and switch.function is place.function
            for switch in facts.switches
        )
    )


def asks_for_version(place: Place) -> bool:
    """Whether torch's version decides if it runs: ``if torch.__version__ < "0.4":``."""
    return any("torch" in name.lower() and "version" in name.lower() for name in place.conditions)


def _differentiated(facts: FileFacts) -> set[Anchor]:
    return {anchor for use in facts.uses if use.purpose is Purpose.GRADIENT for anchor in use.value.forwards}


def _uses(facts: FileFacts) -> dict[Anchor, list[Use]]:
    table: dict[Anchor, list[Use]] = {}
    for use in facts.uses:
        if use.purpose is not Purpose.OPERATION:
            for anchor in use.value.forwards:
                table.setdefault(anchor, []).append(use)
    return table


@lru_cache(maxsize=1)  # of the file at hand
def _operated_on(facts: FileFacts) -> frozenset[Anchor]:
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
        if use.callee.startswith("torch.") or use.callee in torch_api.OF_TENSORS_ALONE:
            found |= origins
    return frozenset(found)


def _shared_with_training(each: Forward) -> bool:
    """Whether a condition decides between training and evaluation around the call, and not ``.eval()`` before it."""
    if each.training is Answer.NO and each.evaluated is Evaluated.HERE:
        return False
    return any("train" in name.lower() or name.rsplit(".", 1)[-1] in FLAGS for name in each.place.tests)


FLAGS = frozenset({"phase", "mode", "split", "stage", "optimizer", "is_train", "training", "train", "opt", "backward"})


def _belongs_to_caller(facts: FileFacts, each: Forward) -> bool:
    """Whether the helper that holds the call is not what is wrong: its callers are judged."""
    function = each.place.function
    if function is None:
        return False
    its_own = {Evaluated.HERE, Evaluated.CONSTRUCTOR}
    if function.guard is Guard.CALLERS and each.evaluated not in its_own and not each.place.loops:
        return True
    owner = _runs_itself(facts, each)
    if owner is None:
        return False
    if each.evaluated is not Evaluated.HERE:
        return not (_over_evaluation_data(each) and _trains_itself(facts, owner))
    if function.name == "__init__":
        return False
    over_loader = any(_goes_through_loader(loop) for loop in each.place.loops)
    return not (
        over_loader or _trains_itself(facts, owner) or _resumes_training(facts, each) or _switches_itself(facts, each)
    )


def _goes_through_loader(loop: Loop) -> bool:
    """Whether it goes through a loader, perhaps one of several, or counted: ``enumerate(loader)``."""
    return loop.iterates.kind is Kind.LOADER or naming.sounds_like_loader(loop.iterates.label)


def _runs_itself(facts: FileFacts, each: Forward) -> Class | None:
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


def _resumes_training(facts: FileFacts, each: Forward) -> bool:
    """Whether the function puts the model, or the whole it is a part of, back in training mode afterwards."""
    path = each.model.label + "."
    switches = [
        switch.training
        for switch in facts.mode_switches
        if switch.place.function is each.place.function and path.startswith(f"{switch.model.label}.")
    ]
    return switches[-1:] == [Answer.YES]


def _evaluates(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    function = each.place.function
    if each.via is not None and each.via in differentiating(facts):
        return False
    if any(inside is not None and inside.names_forces for inside in (function, each.via)):
        # What a model gives so, it differentiates inside.
        return False
    if each.training is Answer.NO:
        return _in_eval_mode(facts, each, uses)
    if each.training is Answer.YES and each.evaluated is Evaluated.HERE:
        return False
    return _evaluates_by_name(facts, each, uses)


def _evaluates_by_name(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a function named for evaluation has it in a loop, and only looks at what it gives.

    Of a loop over a loader that is named for evaluation, the function may have any name, or be none.
    """
    function = each.place.function
    if (
        not each.place.loops
        or (function is not None and function.is_test)
        or not (uses or _is_thrown_away(each))
        or _is_no_tensor(facts, each, uses)
        or any(use.purpose not in ENDS or _attacks(use) or trains_on(use) for use in uses)
        or _needs_gradients(facts, each, uses)
    ):
        return False
    if (
        function is None
        or not naming.sounds_like_evaluation(function.name)
        or naming.sounds_like_training(function.name)
    ):
        return _looks_at_a_test_set(each, uses)
    if _collects(facts, each, uses) or (_is_called(each) and any(_acts(use) for use in uses)):
        return True
    over = _over_evaluation_data(each)
    looked_at = _is_only_looked_at(each, uses) and not _puts_in_training_mode(facts, function)
    if not (over or looked_at or (_is_called(each) and _puts_in_eval_mode(facts, function))):
        return False
    return _is_thrown_away(each) or _ends_in_values(uses) or (over and any(use.purpose not in LEAVING for use in uses))


def _is_no_tensor(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a method of a model gives something that nothing shows to be a tensor: ``metric.compute()``."""
    return not _is_pass(each) and not (each.anchor in _operated_on(facts) or any(_is_tensor(use) for use in uses))


def _is_thrown_away(each: Forward) -> bool:
    """Whether nobody uses the result of the model itself; another method of it may be no forward pass."""
    return each.discarded and each.method in {"__call__", "forward"}


def _looks_at_a_test_set(each: Forward, uses: list[Use]) -> bool:
    """Whether a loop over a loader named for evaluation makes numbers of what the model gives, and nothing else."""
    over = any(
        naming.sounds_like_evaluation_loader(loop.iterates.label) and _goes_through_loader(loop)
        for loop in each.place.loops
    )
    return (
        over
        and _is_called(each)
        and _ends_in_values(uses)
        and all(
            use.purpose is Purpose.VALUE
            or (use.purpose is Purpose.ACCUMULATED and "." not in use.into)
            or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
            for use in uses
        )
    )


def _acts(use: Use) -> bool:
    """Whether it is handed to an environment, through which no gradient flows: ``env.step(action)``."""
    return use.purpose is Purpose.VALUE and use.callee == "env.step"


def _collects(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether predictions of all batches are collected and returned, by a function that does nothing else."""
    function = each.place.function
    return (
        function is not None
        and naming.sounds_like_predicting(function.name)
        and not function.is_filled_in
        and function not in _callees_of_differentiating(facts)
        and _is_called(each)
        and each.via is None
        and any(use.purpose is Purpose.ACCUMULATED and "." not in use.into for use in uses)
        and all(use.purpose in {Purpose.VALUE, Purpose.ACCUMULATED, Purpose.RETURNED} for use in uses)
        and any(
            value.kind in {Kind.LOADER, Kind.PLAIN} or naming.sounds_like_dataset(value.label)
            for value in _gone_through(each)
        )
    )


def _over_evaluation_data(each: Forward) -> bool:
    return any(naming.sounds_like_evaluation_loader(loop.iterates.label) for loop in each.place.loops)


def _is_only_looked_at(each: Forward, uses: list[Use]) -> bool:
    """Whether data is gone through, and no tensor with a graph leaves the function: no caller could differentiate it.

    What is handed to code that is not in the file, as to a metric, is taken for looked at in a loop over a loader.
    """
    if any(_leaves(use) for use in uses):
        return False
    over = _gone_through(each)
    if any(value.kind is Kind.LOADER or naming.sounds_like_loader(value.label) for value in over):
        return True
    handed = any(use.purpose is Purpose.CALL and not use.callee.endswith("save_image") for use in uses)
    return any(value.kind in PIECES for value in over) and _is_called(each) and each.via is None and not handed


def _gone_through(each: Forward) -> list[Value]:
    """What the loops around go through, unless it is models, or data to train on."""
    model = each.model.label.partition(".")[0]
    loops = [loop for loop in each.place.loops if model not in loop.binds]
    return [loop.iterates for loop in loops if not naming.sounds_like_training_loader(loop.iterates.label)]


def _leaves(use: Use) -> bool:
    """Whether a tensor with a graph, as far as we know, is seen when the function has returned."""
    kept = use.purpose is Purpose.ACCUMULATED and "." in use.into
    return (kept or use.purpose in LEAVING) and use.value.requires_grad is not Answer.NO


def _is_called(each: Forward) -> bool:
    return each.method in {"__call__", "forward"} and naming.sounds_like_model(each.model.label)


def _puts_in_eval_mode(facts: FileFacts, function: Function) -> bool:
    """Whether a function puts something in evaluation mode: this model, perhaps, under another name."""
    put = [each for each in facts.mode_switches if each.place.function is function]
    evaluated = {each.model.label for each in put if each.training is Answer.NO}
    return bool(evaluated) and all(each.model.label in evaluated for each in put)


def _puts_in_training_mode(facts: FileFacts, function: Function) -> bool:
    """Whether a function puts something in training mode: this model, perhaps, under another name."""
    return any(each.place.function is function and each.training is Answer.YES for each in facts.mode_switches)


def _ends_in_values(uses: list[Use]) -> bool:
    return any(
        use.purpose is Purpose.VALUE or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
        for use in uses
    )


def _in_eval_mode(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    function = each.place.function
    if not _is_pass(each) and (
        naming.sounds_like_preparation(each.method)
        or naming.sounds_like_parameters(each.method)
        or any(_has_no_graph(use) for use in uses)
        or not (each.anchor in _operated_on(facts) or any(_is_tensor(use) for use in uses))
    ):
        # Only a method whose result is used as a tensor runs the model.
        return False
    if each.discarded and each.via is None and not each.place.loops and not _is_for_nothing_else(facts, each):
        # A hook takes what it wants of it, gradients perhaps; or it is no forward pass.
        return False
    if each.discarded and each.via is None and not _is_pass(each):
        return False
    if each.evaluated is Evaluated.CONSTRUCTOR:
        # A model that its owner put in eval mode may be a feature extractor that gradients pass through.
        looked_at = bool(uses) and all(use.purpose is Purpose.VALUE for use in uses)
        if not looked_at and (function is None or not naming.sounds_like_evaluation(function.name)):
            return False
    if _needs_gradients(facts, each, uses) or _tries_out(facts, each, uses):
        return False
    if function is not None and _is_forward(function):
        return False
    leaves = any(use.purpose in LEAVING and use.value.requires_grad is not Answer.NO for use in uses)
    if function is not None and function.name == "__init__" and (leaves or not _is_tried_in_its_mode(each, uses)):
        return False
    if leaves and each.evaluated is not Evaluated.HERE and function in _callees_of_differentiating(facts):
        return False
    if leaves and not _over_data(each) and function is not None:
        # A tensor with its graph is what the function is for: its callers may differentiate it.
        if not _is_only_stored(each, uses) and not _gives_predictions(facts, each, uses):
            return False
        if not _is_pass(each) and not any(_is_tensor(use) for use in uses):
            return False
    return not any(_hands_on_a_loss(each, use) or _attacks(use) or trains_on(use) for use in uses)


def _is_tried_in_its_mode(each: Forward, uses: list[Use]) -> bool:
    """Whether a constructor runs a model that it puts in evaluation mode, to see the shape of what it gives."""
    return each.evaluated is Evaluated.HERE and _is_pass(each) and all(use.purpose is Purpose.VALUE for use in uses)


def _gives_predictions(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a function that returns a tensor with its graph is for predictions, and no caller differentiates them.

    One that puts its model in evaluation mode itself is, unless something near asks for gradients of inputs.
    """
    function = each.place.function
    if function is None:
        return False
    named = naming.sounds_like_evaluation(function.name)
    if each.evaluated is not Evaluated.HERE:
        return named and not function.is_filled_in and _runs_itself(facts, each) is None
    if _runs_itself(facts, each) is not None and not _switches_itself(facts, each):
        return False
    if function.is_filled_in:
        return naming.says_evaluation(function.name)
    if named or naming.sounds_like_inference(function.name):
        return True
    return (
        _is_pass(each)
        and all(use.purpose is not Purpose.STORED for use in uses)
        and any(switch.place.function is function and switch.training is Answer.NO for switch in facts.mode_switches)
        and function.parent is None
        and not function.name.startswith("_")
        and (_runs_itself(facts, each) is None or naming.sounds_like_encoding(function.name))
        and not naming.sounds_like_forward(function.name)
        and not naming.sounds_like_attack(function.name)
        and not naming.sounds_like_training(function.name)
        and not naming.sounds_like_gradient(function.name)
        and not naming.mentions_loss(function.name)
        and function not in differentiating(facts)
        and function not in _callees_of_differentiating(facts)
        and not _asks_for_gradients_of_others(facts, function)
    )


def _asks_for_gradients_of_others(facts: FileFacts, function: Function) -> bool:
    """Whether the class, or for a function the file, asks for gradients by ``autograd.grad``, or reads ``x.grad``."""
    near = [each for each in facts.functions if function.owner is None or each.owner is function.owner]
    return any(each.reads_grad or each.reads_graph for each in near) or any(
        each.how in {Differentiation.AUTOGRAD_GRAD, Differentiation.FUNCTIONAL} and each.place.function in near
        for each in facts.backwards
    )


def _is_pass(each: Forward) -> bool:
    """Whether it is a forward pass by its name: ``model(x)``, ``model.forward_features(x)``.

    So is ``model.validation_step(batch)`` in a loop.
    """
    if each.place.loops and naming.sounds_like_evaluation_step(each.method):
        return True
    return each.method == "__call__" or each.method.split("_")[0] == "forward"


def _is_only_stored(each: Forward, uses: list[Use]) -> bool:
    """Whether an evaluation is looked at here, and what stays of it with its graph in an object is for the next one."""
    return (
        each.evaluated is Evaluated.HERE
        and all(
            use.purpose not in {Purpose.RETURNED, Purpose.YIELDED} or use.value.requires_grad is Answer.NO
            for use in uses
        )
        and any(use.purpose is Purpose.VALUE for use in uses)
    )


def _is_for_nothing_else(facts: FileFacts, each: Forward) -> bool:
    """Whether the very model that was put in evaluation mode is run, and the file hooks into no module."""
    put = any(switch.model.label == each.model.label for switch in facts.mode_switches)
    return put and not any(call.api[1:] in torch_api.FORWARD_HOOK_REGISTRARS for call in facts.calls)


def _over_data(each: Forward) -> bool:
    """Whether it stands in a loop, and not in one over models, each of which is run once."""
    model = each.model.label.partition(".")[0]
    return any(model not in loop.binds for loop in each.place.loops)


def _is_forward(function: Function) -> bool:
    """The forward pass of a module: parts that it puts in evaluation mode are frozen, not evaluated."""
    owner = function.owner
    return function.name in {"forward", "__call__"} and owner is not None and owner.role in MODULE_OWNERS


@lru_cache(maxsize=1)  # of the file at hand
def _calls_of(facts: FileFacts) -> dict[Function, set[Function]]:
    """Which functions of the file each calls."""
    table: dict[Function, set[Function]] = {}
    for call in facts.calls:
        if call.function is not None and call.place.function is not None:
            table.setdefault(call.place.function, set()).add(call.function)
    return table


@lru_cache(maxsize=1)  # of the file at hand
def differentiating(facts: FileFacts) -> frozenset[Function]:
    """The functions that ask for gradients or attack, or call one that does, however many calls away."""
    found = {each.place.function for each in facts.backwards if each.place.function is not None}
    found |= {each.place.function for each in facts.calls if each.place.function is not None and _is_attack(each)}
    found |= {each for each in facts.functions if each.reads_graph}
    table = _calls_of(facts)
    while True:
        more = {caller for caller, callees in table.items() if callees & found} - found
        if not more:
            return frozenset(found)
        found |= more


@lru_cache(maxsize=1)  # of the file at hand
def _callees_of_differentiating(facts: FileFacts) -> frozenset[Function]:
    """The functions that are called, however many calls away, by one that asks for gradients."""
    table = _calls_of(facts)
    found: set[Function] = set()
    open_ = list(differentiating(facts))
    while open_:
        for callee in table.get(open_.pop(), set()) - found:
            found.add(callee)
            open_.append(callee)
    return frozenset(found)


def _differentiates_in_hooks(facts: FileFacts) -> bool:
    """Whether what the file hooks into modules asks for gradients, in the middle of a forward pass."""
    hooked = {
        each.label.rpartition(".")[2]
        for call in facts.calls
        if call.api[1:] in torch_api.FORWARD_HOOK_REGISTRARS
        for each in (*call.arguments, *(value for _, value in call.keywords))
    }
    return bool(hooked) and any(
        function.name in hooked or function.guard is Guard.ELSEWHERE for function in differentiating(facts)
    )


def _is_tensor(use: Use) -> bool:
    """Whether only tensors, or what is computed of them, are used so."""
    if use.purpose is Purpose.CALL:
        return use.callee in torch_api.TAKING_TENSORS
    return use.purpose is Purpose.VALUE and (
        use.callee in {"detach", "data", "cpu"}
        or use.callee in torch_api.PLAIN_METHODS
        or use.callee in torch_api.NON_DIFFERENTIABLE
    )


def _has_no_graph(use: Use) -> bool:
    """Whether it would raise on a tensor with a graph: what a method gives so was made without one."""
    return use.callee == "numpy" and use.purpose is Purpose.VALUE and use.value.requires_grad is not Answer.NO


def _is_attack(call: Call) -> bool:
    """Whether code that is not in the file is called, and is named for what differentiates inside."""
    return (
        call.function is None
        and not call.api.endswith("Error")
        and call.receiver.kind not in {Kind.MODEL, Kind.OPTIMIZER}
        and (naming.sounds_like_attack(call.api) or naming.sounds_like_attack(call.receiver.label))
    )


def _tries_out(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
    """Whether a single pass only shows that a model runs, what it costs, or that it gives what another gives.

    A script hands it noise, and prints or compares what comes out; a function only compares it, or asks what
    memory was taken, which gradients are a part of.
    """
    if each.place.loops:
        return False
    if uses and all(use.callee in torch_api.COMPARING for use in uses):
        return True
    if each.place.function is not None:
        return any(
            call.place.function is each.place.function and call.api in torch_api.MEMORY_PEAKS for call in facts.calls
        )
    return each.invented and all(
        use.purpose is Purpose.VALUE and use.callee not in {"cpu", "numpy", "detach", "data"} for use in uses
    )


def _attacks(use: Use) -> bool:
    return use.purpose is Purpose.CALL and naming.sounds_like_attack(use.callee)


def trains_on(use: Use) -> bool:
    """Whether it is handed, with its graph, to what trains: ``agent.learn(loss)``."""
    return (
        use.purpose is Purpose.CALL
        and naming.sounds_like_training_on(use.callee)
        and use.value.requires_grad is not Answer.NO
    )


def _hands_on_a_loss(each: Forward, use: Use) -> bool:
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


def _needs_gradients(facts: FileFacts, each: Forward, uses: list[Use]) -> bool:
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
    if _asks_for_gradients_of_input(facts, place):
        return True
    only_looked_at = bool(uses) and all(use.purpose is Purpose.VALUE for use in uses)
    return any(
        call.place.statement is place.statement
        or (not only_looked_at and call.place.loops[: len(place.loops)] == place.loops)
        for call in attacks_in(facts, place.function)
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


def region(each: Forward) -> Loop | None:
    """The outermost loop that belongs to the evaluation, if it stands in one of its own."""
    loops = [loop for loop in each.place.loops if not loop.is_comprehension]
    comprehensions = [loop for loop in each.place.loops if loop.is_comprehension]
    if not loops:
        return comprehensions[0] if comprehensions else None
    return loops[0]


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
        and not naming.sounds_like_criterion(each.model.label)
    ]
    return any(records(each) and each.frozen is not Answer.YES for each in trained) or any(
        loop in call.place.loops and ("train" in call.api.rsplit(".", 1)[-1] or call.function in differentiating(facts))
        for call in facts.calls
    )


def _switches_inside(facts: FileFacts, loop: Loop) -> bool:
    """Whether the loop holds the switch into training mode as well: an epoch loop."""
    return any(loop in each.place.loops and each.training is not Answer.NO for each in facts.mode_switches)
