"""Gradients are switched off for the whole thread and never switched on again.

As a statement, `torch.set_grad_enabled(False)` acts on the thread from there
on: not on the block it stands in, not on the function, not on the object whose
constructor it is. Who calls that function, builds that object or imports that
module has no gradients afterwards. Inference still works, so nobody notices
until a training in the same process does, far from the cause, where torch 2.13
raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

or, where only the first part of a network ran meanwhile, trains without it. In
the other direction it promises too much: grad mode belongs to a thread, so a
server that runs its requests in worker threads has gradients on in all of them.

The rule speaks of functions and constructors that are left with gradients off,
and of modules that others import. It is silent about a program's own top
level, `main`, and what only they call, about the target of a thread or
process, about a mode that is saved and restored, and about a class that
switches gradients on again in another method (`__enter__` and `__exit__`,
`eval` and `train`).

The rule is off, as whether the mode was meant to stay is a question of intent, and
it has been seen at work too little. In 209 published packages it spoke four times:
twice of code that leaves its callers without gradients unawares, twice of what its
author meant.

Example:

    import torch


    class Detector:
        def __init__(self, network):
            torch.set_grad_enabled(False)
            self.network = network.eval()

        def detect(self, image):
            return self.network(image)

Use instead:

    import torch


    class Detector:
        def __init__(self, network):
            self.network = network.eval()

        @torch.no_grad()
        def detect(self, image):
            return self.network(image)

Fix safety:

    Unsafe: what follows in the function is put under `no_grad`, which ends
    with it; code elsewhere may count on gradients staying off. A constructor
    and a module have no fix: the methods and functions that run the model are
    what should be guarded.

When to silence it:

    In a file that is only ever run as a program, never imported.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    - https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
    - https://github.com/huggingface/transformers/issues/13257
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..edits import NO_GRAD, Fix, Remove, WrapRest
from ..facts import Call, FileFacts, Form, Function, Kind, Role, Switch
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR404",
    name="grad-switched-off-for-good",
    message="set_grad_enabled(False) is never undone: gradients stay off for {whom}",
    default=False,
    yields_to=("NGR405",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what each function, and the module, leaves behind."""
    by_hand = [each for each in facts.switches if _is_by_hand(each)]
    seen: set[Function | None] = set()
    for each in by_hand:
        function = each.function
        if each.enables is not Answer.NO or function in seen:
            continue
        others = [other for other in by_hand if other.function is function]
        seen.add(function)
        if function is None:
            if _is_library(facts) and all(other.enables is Answer.NO for other in others):
                yield Finding(each.anchor, {"whom": "all who import this module"})
        elif _stays_off(function, others) and not _is_meant(facts, function, by_hand):
            fix = _mended(facts, each) if len(others) == 1 else None
            yield Finding(each.anchor, {"whom": f"all that runs after `{function.qualified}`"}, fix)


def _is_by_hand(switch: Switch) -> bool:
    return switch.form is Form.STATEMENT and switch.called and switch.api == "torch.set_grad_enabled"


def _stays_off(function: Function, switches: list[Switch]) -> bool:
    left = function.leaves
    if left and not left & GradMode.ON:
        return True
    return bool(left & GradMode.OFF) and all(each.enables is Answer.NO for each in switches)


def _is_library(facts: FileFacts) -> bool:
    """Whether the module level only defines, so that the file is there to be imported."""
    if not facts.functions and not facts.classes:
        return False
    at_work = (
        [each.place for each in facts.forwards]
        + [each.place for each in facts.backwards]
        + [each.place for each in facts.mode_switches]
        + [each.place for each in facts.assignments if each.value.kind in {Kind.MODEL, Kind.OPTIMIZER, Kind.LOADER}]
        + [each.place for each in facts.calls if each.is_statement and not each.api.startswith(SETTINGS)]
        + [each.place for each in facts.switches if "__name__" in each.place.tests]
        + [each.place for each in facts.calls if "__name__" in each.place.tests]
    )
    return not any(place.function is None for place in at_work) and not any(
        loop.function is None and not loop.is_comprehension for loop in facts.loops
    )


SETTINGS = (
    "torch.set_",
    "torch.manual_seed",
    "torch.backends.",
    "torch.random.",
    "torch.cuda.",
    "numpy.",
    "random.",
    "warnings.",
    "logging.",
    "os.",
    "sys.",
)
"""Statements that modules have at their top as well as programs."""


def _is_meant(facts: FileFacts, function: Function, by_hand: list[Switch]) -> bool:
    owner = function.owner
    if function.is_test or (owner is not None and owner.role is Role.TEST_CASE):
        return True
    if naming.sounds_like_no_grad(function.name) or _is_entry_point(function):
        return True
    if owner is not None and any(base.rsplit(".", 1)[-1].endswith(("Process", "Thread")) for base in owner.bases):
        return True
    if any(
        each.function is not None
        and each.function is not function
        and each.function.owner is owner
        and each.enables is not Answer.NO
        for each in by_hand
    ):
        # Each sets the mode that it needs: the next that trains has gradients.
        return True
    return _is_handed_on(facts, function) or _is_of_the_program(facts, function)


def _is_entry_point(function: Function) -> bool:
    decorated = any(name.rsplit(".", 1)[-1] in {"command", "main", "record"} for name in function.decorators)
    return decorated or (function.owner is None and function.name.strip("_") in {"main", "cli"})


def _is_handed_on(facts: FileFacts, function: Function) -> bool:
    """Whether somebody else runs it, perhaps in a thread or process of its own."""
    return any(
        value.kind is Kind.FUNCTION and value.label.rsplit(".", 1)[-1] == function.name
        for call in facts.calls
        if call.function is None
        for value in (*call.arguments, *(each for _, each in call.keywords))
    )


def _is_of_the_program(facts: FileFacts, function: Function) -> bool:
    """Whether only the module level calls it, or ``main``, through whatever functions, and no training goes on then."""
    seen = {function}
    waiting = [function]
    while waiting:
        callee = waiting.pop()
        calls = [each for each in facts.calls if each.function is callee]
        if not calls and not _is_entry_point(callee):
            return False
        for each in calls:
            if _is_in_training(facts, each):
                return False
            above = each.place.function
            if above is not None and above not in seen:
                seen.add(above)
                waiting.append(above)
    return True


def _is_in_training(facts: FileFacts, call: Call) -> bool:
    """Whether a loop around the call trains as well."""
    loops = call.place.loops
    return any(loop in each.place.loops for loop in loops for each in facts.backwards) or any(
        loop in each.place.loops and each is not call and naming.sounds_like_training(each.api)
        for loop in loops
        for each in facts.calls
    )


def _mended(facts: FileFacts, switch: Switch) -> Fix | None:
    function = switch.function
    if not switch.rest or function is None or function.name == "__init__":
        return None
    if any(each.place.function is function for each in facts.yields):
        return None
    statement = switch.place.statement
    return Fix(
        (WrapRest(statement, NO_GRAD), Remove(statement)), False, "Run the rest of the block under no_grad instead"
    )
