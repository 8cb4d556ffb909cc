"""`.data`, to read a result without its graph.

`.data` gives the numbers of a tensor without the graph, and so does `.detach()`.
The difference shows when somebody then writes into them. Both share memory with
the tensor; `detach()` lets autograd notice that what it saved for the backward
pass was changed, and torch 2.13 raises

    RuntimeError: one of the variables needed for gradient computation has been modified by an inplace operation

while after a write through `.data` the gradients are wrong, without a word. There
is no reason to write `.data` any more.

The rule is off: read at once, `.data` does no harm, and old code is full of it.
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

    Unsafe: where the numbers are then changed before `backward()`, it raises.

When to silence it:

    When autograd is not to notice a change.

References:

    - https://pytorch.org/blog/pytorch-0_4_0-migration-guide/
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..facts import FileFacts, Kind, Purpose, Use, Value
from ..rule import Finding, rule


@rule(
    code="NGR506",
    name="data-read",
    message="`{tensor}.data` hides changes from autograd: read `{tensor}.detach()`",
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
        yield Finding(each.anchor, {"tensor": each.value.label}, _fix(each))


def _reads_data(each: Use) -> bool:
    return each.purpose is Purpose.VALUE and each.callee == "data" and _is_computed(each.value)


def _is_computed(value: Value) -> bool:
    """Whether an operation gave it, which only gives tensors."""
    return value.kind is Kind.TENSOR and value.made_at is not None and value.made_at not in value.forwards


def _fix(each: Use) -> Fix | None:
    name = each.value.label
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    return Fix((Replace(each.anchor, f"{name}.detach()"),), False, "Detach instead")
