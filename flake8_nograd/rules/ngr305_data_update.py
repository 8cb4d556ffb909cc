"""A tensor is changed through `.data`, where autograd does not see it.

`.data` gives the same memory without its history, and without its version
counter. A weight that is changed so between the forward and the backward pass
gives wrong gradients without a word: for `y = w ** 3` with `w` at 2, and
`w.data.fill_(10)` before `backward()`, the gradient is 300 instead of 12.
Under `torch.no_grad()` the same change raises in torch 2.13

    RuntimeError: one of the variables needed for gradient computation has been modified by an inplace operation

`.data` is from before torch 0.4; `no_grad` is the way to change a parameter.

The rule is off: nearly all such code in published packages runs at places where
it does no harm: of 20 findings in 130 of them not one is a mistake that shows,
and all are arguable. It looks at changes in place (`p.data.add_(...)`, `p.data -= ...`,
`p.data[0] = ...`); `p.data = ...` gives the tensor other memory, shape or type,
which `no_grad` cannot.

Example:

    import torch


    def step(model, lr):
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)

Use instead:

    import torch


    def step(model, lr):
        for p in model.parameters():
            with torch.no_grad():
                p.add_(p.grad, alpha=-lr)

Fix safety:

    Unsafe: where a graph still needs the old numbers, `backward()` raises from
    then on instead of giving wrong gradients. None where the result of the change
    is used, which would then be the tensor itself and no longer without history.

When to silence it:

    When the numbers are meant to change behind autograd's back.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
    - https://github.com/pytorch/pytorch/issues/6990
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Edit, Fix, Replace, Wrap
from ..facts import Anchor, FileFacts, Manner, Write
from ..grad import GradMode
from ..rule import Finding, rule


@rule(
    code="NGR305",
    name="data-update",
    message="`{tensor}.data` is changed where autograd does not see it: change `{tensor}` under no_grad",
    default=False,
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at the changes in place of some ``.data``, once for each of them."""
    suspending = {each.place.statement for each in facts.yields}
    # Of a chain, the last change is the whole of it.
    for past, each in {each.past: each for each in facts.writes if each.manner is Manner.DATA}.items():
        label = each.target.label
        if past is None or not label.endswith(".data") or each.operation == ".data =":
            continue
        tensor = label.removesuffix(".data")
        if not tensor.endswith(".grad"):
            fix = None if each.is_used or each.place.statement in suspending else _fix(each, *past)
            yield Finding(each.anchor, {"tensor": tensor}, fix)


def _fix(write: Write, whole: Anchor, tensor: Anchor) -> Fix:
    edits: tuple[Edit, ...] = (Replace(whole, "{1}", (tensor,)),)
    if write.place.grad & GradMode.ON:
        edits = (*edits, Wrap((write.place.statement,)))
    return Fix(edits, False, "Change the tensor itself under no_grad")
