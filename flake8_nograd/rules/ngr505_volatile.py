"""`volatile=True`, which turned gradients off before torch 0.4 and does nothing since.

What a volatile variable went into recorded no graph. The flag is gone: torch
takes the argument, does not heed it, and warns once where warnings are shown:

    UserWarning: volatile was removed and now has no effect. Use `with torch.no_grad():` instead.

An evaluation that relied on it runs with gradients on, and keeps the activations
of each forward pass alive until its outputs die. Setting `x.volatile = True`
warns and does nothing as well.

Put the forward passes under `torch.no_grad()`; `Variable` is not needed either.

Example:

    import torch
    from torch.autograd import Variable


    def score(run, x):
        x = Variable(x, volatile=True)
        return run(x).sum().item()

Use instead:

    import torch


    def score(run, x):
        with torch.no_grad():
            return run(x).sum().item()

Fix safety:

    Unsafe, although it changes nothing: the argument is dropped, and with it the
    only sign that no gradients are wanted here. Put the forward passes under
    `no_grad` first.

When to silence it:

    When the code has to run on torch 0.3.

References:

    - https://pytorch.org/blog/pytorch-0_4_0-migration-guide/
    - https://github.com/pytorch/pytorch/issues/4932
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import DropArgument, Fix
from ..facts import Assignment, FileFacts, Kind, Place
from ..rule import Finding, rule
from ..wanting import asks_for_version

VARIABLE = "torch.autograd.Variable"
LACKING = frozenset({"hasattr", "AttributeError", "ImportError"})
TENSORS = frozenset({Kind.TENSOR, Kind.PARAMETER, Kind.DATA})


@rule(
    code="NGR505",
    name="volatile",
    message="`volatile` has no effect since torch 0.4: gradients are recorded, use no_grad",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at variables that are made volatile, or become so."""
    for call in facts.calls:
        volatile = any(name == "volatile" for name, _ in call.keywords)
        if call.api == VARIABLE and volatile and not _is_for_another_torch(call.place):
            fix = Fix((DropArgument(call.anchor, "volatile"),), False, "Drop volatile")
            yield Finding(call.anchor, fix=fix)
    for each in facts.assignments:
        volatile = each.target.label.endswith(".volatile")
        if _is_of_a_tensor(each) and volatile and not _is_for_another_torch(each.place):
            yield Finding(each.anchor)


def _is_of_a_tensor(each: Assignment) -> bool:
    return each.holder is not None and each.holder.kind in TENSORS


def _is_for_another_torch(place: Place) -> bool:
    """Whether the code runs only where torch has another version, or lacks a name: ``no_grad``."""
    return asks_for_version(place) or not LACKING.isdisjoint(place.conditions)
