"""A parameter, or a part with parameters, is replaced after the optimizer was made.

An optimizer holds the tensors it was given. `model.weight = nn.Parameter(...)`
or `model.fc = nn.Linear(...)` afterwards puts others in the model: `step()`
goes on changing the old ones, and what the model computes with is never
trained, without a word.

The rule is off: it cannot see when the model is given to another optimizer in
another file, or a parameter is replaced for good because training has ended.
In 130 published packages it found nothing to learn from.

It speaks when the optimizer was made of the model's parameters earlier in the
same function, or in the constructor of the same class, and neither is another
optimizer made nor `add_param_group` called in that function.

Example:

    import torch
    from torch import nn


    def train(loader):
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.weight = nn.Parameter(model.weight.clamp(-1, 1))
        for x in loader:
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()

Use instead:

    import torch
    from torch import nn


    def train(loader):
        model = nn.Linear(2, 2)
        model.weight = nn.Parameter(model.weight.clamp(-1, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x in loader:
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()

Fix safety:

    None: where the optimizer is made belongs to the order of the program.

When to silence it:

    When the new parameter is not to be trained, or given to the optimizer elsewhere.

References:

    - https://docs.pytorch.org/docs/stable/optim.html#constructing-it
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Assignment, FileFacts, Function, Kind, Leaf
from ..rule import Finding, rule


@rule(
    code="NGR306",
    name="parameter-replaced-after-optimizer",
    message="`{target}` is replaced after the optimizer on line {line} was made, which goes on training the old one",
    default=False,
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for parts of a model that are bound after an optimizer took its parameters."""
    made: list[Assignment] = []
    for each in facts.assignments:
        if each.value.kind is Kind.OPTIMIZER and each.target.kind is not Kind.PARAMETER:
            made.append(each)
        elif _replaces(each):
            optimizer = next((one for one in made if _holds(one, each)), None)
            if optimizer is not None and not _is_told(facts, each, optimizer):
                yield Finding(each.anchor, {"target": each.target.label}, also=optimizer.anchor)


def _replaces(each: Assignment) -> bool:
    """Whether it gives a model another parameter or part."""
    return (
        each.holder is not None
        and bool(each.holder.label)
        and (each.value.leaf is Leaf.REGISTERED or (each.value.kind is Kind.MODEL and bool(each.value.api)))
        and each.value.made_at is each.expression
    )


def _holds(optimizer: Assignment, each: Assignment) -> bool:
    """Whether an optimizer made earlier took the parameters of the model that holds the target."""
    if not _comes_before(optimizer.place.function, each.place.function):
        return False
    return any(
        each.target.label.startswith(read.label.removesuffix("parameters"))
        for read in optimizer.reads
        if read.label.endswith(".parameters")
    )


def _comes_before(maker: Function | None, user: Function | None) -> bool:
    if maker is user:
        return True
    if maker is None or user is None or maker.owner is None:
        return False
    return maker.owner is user.owner and maker.name == "__init__"


def _is_told(facts: FileFacts, each: Assignment, optimizer: Assignment) -> bool:
    """Whether the same function makes an optimizer anew, or tells one of the new parameter."""
    function = each.place.function
    return any(
        other.value.kind is Kind.OPTIMIZER and other is not optimizer and other.place.function is function
        for other in facts.assignments
    ) or any(call.api == ".add_param_group" and call.place.function is function for call in facts.calls)
