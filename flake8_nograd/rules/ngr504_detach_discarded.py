"""`x.detach()` as a statement: the detached tensor is thrown away.

`detach()` changes nothing in `x`. It gives another tensor, which shares the
numbers and has no graph, and as a statement nobody takes it. `x` still has its
graph: what was to be kept constant is differentiated, and a history that was to
be cut grows on. Nothing says so.

`x = x.detach()` takes it. `x.detach_()` changes `x` itself, which torch 2.13
refuses where `x` is a view: `Can't detach views in-place. Use detach() instead.`

The rule wants to know that it is a tensor, by what it was computed from or by what
is asked of it beside (`x.requires_grad_()`, `x.backward()`, `x.unsqueeze(0)`); other
classes have a `detach()` that changes the object, such as a decoder's state that a
model gives together with its output. `x.detach` without parentheses does nothing either.

It is on, as what it speaks of has no effect, whatever was meant.

Example:

    import torch


    def targets(critic, rewards, following):
        values = critic(following) + torch.zeros(1)
        values = torch.squeeze(values)
        values.detach()
        return rewards + values

Use instead:

    import torch


    def targets(critic, rewards, following):
        values = critic(following) + torch.zeros(1)
        values = torch.squeeze(values)
        values = values.detach()
        return rewards + values

Fix safety:

    Unsafe: gradients that flowed through the tensor no longer do. There is no
    fix for the variable of a loop or comprehension, whose tensor is known by another name.

When to silence it:

    When the object only looks like a tensor.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import torch_operations
from ..edits import Fix, Replace
from ..expected_errors import asks_whether_it_exists, expects_an_error
from ..facts import Call, FileFacts, Function, Kind, Place, Purpose, Value
from ..rule import Finding, rule
from ..updating import LEAF_MAKERS

TENSORS = frozenset({Kind.TENSOR, Kind.PARAMETER})


@rule(code="NGR504", name="detach-discarded", message="`{tensor}.detach{call}` changes nothing in `{tensor}`: {why}")
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at calls of the method whose result nobody takes, and at the method alone."""
    for call in facts.calls:
        if call.api != ".detach" or not call.is_statement or call.arguments:
            continue
        if not _is_tensor(facts, call.receiver, call.place.function) or _is_tried(facts, call.place):
            continue
        details = {"tensor": call.receiver.label or "it", "call": "()", "why": "what it gives is thrown away"}
        yield Finding(call.anchor, details, _fix(call))
    for each in facts.discarded:
        name, _, attribute = each.value.label.rpartition(".")
        if each.operator or attribute != "detach" or each.place.function is None:
            continue
        if each.holder is not None and each.holder.kind in TENSORS and not _is_tried(facts, each.place):
            yield Finding(each.anchor, {"tensor": name, "call": "", "why": "it is not called"})


def _is_tried(facts: FileFacts, place: Place) -> bool:
    return expects_an_error(facts, place.function) or asks_whether_it_exists(place)


def _is_tensor(facts: FileFacts, value: Value, function: Function | None) -> bool:
    if value.kind not in TENSORS | {Kind.UNKNOWN}:
        return False
    certain = value.kind in TENSORS and not _is_part_of_output(facts, value, function)
    return certain or (bool(value.label) and _is_used_as_tensor(facts, value.label, function))


def _is_part_of_output(facts: FileFacts, value: Value, function: Function | None) -> bool:
    """Whether a model gives it together with something else: perhaps a state that detaches itself.

    ``torch.nn`` gives tensors alone.
    """
    ours = {each.anchor for each in facts.forwards if each.model.api.startswith("torch.nn.")}
    return (value.made_at is None or value.made_at in value.forwards) and any(
        each.target.label == value.label
        and each.place.function is function
        and not each.is_alone
        and each.value.made_at in each.value.forwards & value.forwards - ours
        for each in facts.assignments
    )


def _is_used_as_tensor(facts: FileFacts, label: str, function: Function | None) -> bool:
    """Whether a function asks of something, under the same name, what only tensors do."""
    called = any(
        each.api in LEAF_MAKERS and each.receiver.label == label and each.place.function is function
        for each in facts.calls
    )
    differentiated = any(each.target.label == label and each.place.function is function for each in facts.backwards)
    return (
        called
        or differentiated
        or any(
            each.value.label == label
            and each.place.function is function
            and each.purpose is Purpose.OPERATION
            and (each.callee in torch_operations.OF_TENSORS_ALONE or each.callee.startswith("torch."))
            for each in facts.uses
        )
    )


def _fix(call: Call) -> Fix | None:
    name = call.receiver.label
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    if any(loop.is_comprehension or name in loop.binds for loop in call.place.loops):
        return None
    return Fix((Replace(call.place.statement, f"{name} = {name}.detach()"),), False, "Keep the detached tensor")
