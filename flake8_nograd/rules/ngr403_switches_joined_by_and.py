"""Context managers are joined by `and` or `or`, and only one of them is entered.

`with torch.no_grad() and torch.autocast("cuda"):` is no list of two context
managers. `and` gives its last operand when the others are true, as objects
are: autocast is entered, `no_grad` is made and thrown away, and gradients stay
on. Of `torch.no_grad() or torch.autocast("cuda")` only the first is entered.
Nothing is raised, so the memory of the graph is all there is to notice.

The message names what is not entered, be it the switch or the other one. The
rule reads the block as it was meant: other rules take all of them as entered.
It is silent where an operand may be a condition (`flag and torch.no_grad()`,
`is_available() and torch.no_grad()`, `manager or torch.no_grad()`).

It is on, as Python decides which one is entered, whatever was meant.

Example:

    import torch


    def predict(model, x):
        with torch.no_grad() and torch.autocast("cuda"):
            return model(x)

Use instead:

    import torch


    def predict(model, x):
        with torch.no_grad(), torch.autocast("cuda"):
            return model(x)

Fix safety:

    Safe where `no_grad` is all that was lost, and nobody can want the graph: where
    gradients are off anyway, and in a function that only evaluates (its models
    are in eval mode, it goes back through nothing, and what they give leaves it
    as numbers). Unsafe elsewhere: what was written was never entered, so
    entering it changes what the block does. With `no_grad` what it computes has no
    graph any more, with autocast it has another precision.

When to silence it:

    Never, as far as we know.

References:

    - https://docs.python.org/3/reference/expressions.html#boolean-operations
    - https://docs.python.org/3/reference/compound_stmts.html#the-with-statement
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import torch_api
from ..edits import NO_GRAD, Fix, Split
from ..facts import FileFacts, Joined, Kind
from ..grad import GradMode
from ..guarding import keeps_no_graph
from ..rule import Finding, rule


@rule(
    code="NGR403",
    name="switches-joined-by-and",
    message="`{operator}` enters `{entered}` alone, not {lost}: write a comma",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at each ``with`` item that joins a switch of torch with something else."""
    for each in facts.joined:
        if any(value.kind is Kind.SWITCH and value.api in torch_api.SWITCHES for value in each.operands):
            lost = [text for index, text in enumerate(each.written) if index != each.entered]
            details = {
                "operator": each.operator,
                "entered": each.written[each.entered],
                "lost": " and ".join(f"`{text}`" for text in lost),
            }
            fix = Fix((Split(each.anchor),), _changes_no_number(facts, each), "Enter all of them")
            yield Finding(each.anchor, details, fix)


def _changes_no_number(facts: FileFacts, each: Joined) -> bool:
    lost = [value.api for index, value in enumerate(each.operands) if index != each.entered]
    if any(api != NO_GRAD for api in lost):
        return False
    entered = each.operands[each.entered].api
    off = not each.place.grad & GradMode.ON or entered in {NO_GRAD, "torch.inference_mode"}
    return off or keeps_no_graph(facts, each.place.function)
