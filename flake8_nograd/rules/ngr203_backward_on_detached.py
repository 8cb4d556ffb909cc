"""`backward()` on a tensor that was just cut off from its graph.

`.detach()`, `.data` and `torch.tensor(loss)` give the numbers of a loss without
its graph, `.item()` and `.numpy()` give numbers that are no tensor at all. None of them can be gone
back from: torch 2.13 raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

and, of `.item()`, Python does

    AttributeError: 'float' object has no attribute 'backward'

Often the line was written for the log (`loss = loss.item()`) and stands above
the `backward()` that needs the graph.

A round trip through NumPy (`torch.from_numpy(out.detach().numpy())`) makes a new
tensor of the numbers, and what is computed from detached tensors alone has no graph
either: `loss.detach().mean()`. Where other operands come in, the rule is silent,
as the graph may go through them.

Example:

    import torch.nn.functional as F


    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.data.backward()
        optimizer.step()

Use instead:

    import torch.nn.functional as F


    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

Fix safety:

    Safe, and only for `loss.data.backward()`: as it stood, it raised.

When to silence it:

    When the error is what you want to see.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..differentiating import is_tested
from ..edits import Fix, Replace
from ..facts import Backward, Cut, Differentiation, FileFacts, Kind, Loss
from ..grad import Answer
from ..rule import Finding, rule

HOW = {
    Loss.DETACH: "detached",
    Loss.DATA: "detached by `.data`",
    Loss.ITEM: "a number",
    Loss.NUMPY: "an array",
    Loss.COPY: "a copy of its numbers",
}


@rule(
    code="NGR203",
    name="backward-on-detached",
    message="{tensor} is {how} since line {line}: it has no graph to go back through",
    yields_to=("NGR201",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at how what is differentiated lost its graph."""
    for each in facts.backwards:
        cut = _cut(each)
        if cut is None or each.how in {Differentiation.FUNCTIONAL, Differentiation.HELPER}:
            continue
        if is_tested(facts, each.place.function):
            continue
        tensor = f"`{each.target.label}`" if each.target.label else "what is differentiated here"
        yield Finding(each.anchor, {"tensor": tensor, "how": HOW[cut.how]}, _fix(each), also=cut.at, defect=cut.at)


def _cut(each: Backward) -> Cut | None:
    """Where the target itself was cut off, or all that it was computed from, not one of several operands."""
    target = each.target
    if target.cut is None or target.cut.how not in HOW or target.requires_grad is not Answer.NO:
        return None
    alone = target.kind is Kind.PLAIN or target.made_at is target.cut.at or target.is_all_cut
    return target.cut if alone else None


def _fix(each: Backward) -> Fix | None:
    loss, _, data = each.target.label.rpartition(".")
    if data != "data" or not loss or each.receiver is None:
        return None
    if each.target.cut is None or each.target.cut.at is not each.receiver:
        # It was cut off before: the loss itself has no graph either.
        return None
    return Fix((Replace(each.receiver, loss),), True, "Go back from the loss itself")
