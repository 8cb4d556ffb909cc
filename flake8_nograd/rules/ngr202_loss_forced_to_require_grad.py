"""A loss that was made to require gradients by force, and has nothing behind it.

`backward()` raised, since the loss had no graph, and `requires_grad = True`
made the error go away. It does not bring the graph back: the loss becomes a
leaf of its own, `backward()` gives *it* a gradient of one and stops there.
Every weight keeps `.grad is None`, `optimizer.step()` skips them all, and
nothing says so: the training runs, and learns nothing.

The same happens with `loss.requires_grad_()` on a loss without a graph, with
`torch.tensor(loss, requires_grad=True)`, which copies the number and leaves the
graph behind, with `Variable(loss, requires_grad=True)` and `nn.Parameter(loss)`.

On torch 2.13, setting the attribute raises where the loss was fine all along:

    RuntimeError: you can only change requires_grad flags of leaf variables.

so that the statement is never of use: it raises, or it cuts the training off.
`torch.autograd.grad(loss, weights)` notices:

    RuntimeError: The differentiated Tensor at index 0 appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.

Look for what cut the graph instead: a `no_grad` block, `.item()`, `.detach()`,
`.data`, numpy, `argmax`, or a model whose weights are frozen.

The rule speaks at the `backward()` of such a loss. It is silent about a loss
that is a number to begin with (`torch.tensor(0.0, requires_grad=True)` for a
batch without targets), about `requires_grad_()` on a loss that may have a graph,
on which it changes nothing, and where the code asks `if not loss.requires_grad`.

Example:

    import torch
    import torch.nn.functional as F


    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss = torch.tensor(loss, requires_grad=True)
        loss.backward()
        optimizer.step()

Use instead:

    import torch
    import torch.nn.functional as F


    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

Fix safety:

    None: taking the statement away brings the error back that it hid. What cut the
    graph is to be mended.

When to silence it:

    When the gradient of the loss itself is what you want.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad_.html
    - https://docs.pytorch.org/docs/stable/generated/torch.tensor.html
    - https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
"""  # noqa: E501 - the error is quoted verbatim

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Backward, Differentiation, FileFacts, Kind
from ..rule import Finding, rule


@rule(
    code="NGR202",
    name="loss-forced-to-require-grad",
    message="{loss} was made to require gradients on line {line}: nothing behind it gets any",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for what is differentiated and was made a leaf."""
    reported = set()
    for each in facts.backwards:
        function = each.place.function
        if each.target.releafed is None or each.how is Differentiation.FUNCTIONAL or each.anchor in reported:
            continue
        if function is not None and function.is_test:
            continue
        if each.how is Differentiation.AUTOGRAD_GRAD and not _wants_weights(facts, each):
            continue
        reported.add(each.anchor)
        loss = f"`{each.target.label}`" if each.target.label else "what is differentiated here"
        yield Finding(each.anchor, {"loss": loss}, also=each.target.releafed)


def _wants_weights(facts: FileFacts, backward: Backward) -> bool:
    """Whether ``torch.autograd.grad`` is asked for the gradients of parameters, not of that leaf itself."""
    for call in facts.calls:
        if call.anchor is backward.anchor:
            inputs = [*call.arguments[1:2], *(value for name, value in call.keywords if name == "inputs")]
            return all(each.kind in {Kind.PARAMETER, Kind.PARAMETERS} for each in inputs)
    return False
