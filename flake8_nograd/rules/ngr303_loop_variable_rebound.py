"""A loop over parameters binds its variable to a new tensor, which changes no parameter.

In `for p in model.parameters(): p = p - lr * p.grad` the name `p` is bound to
a new tensor, and in the next turn to the next parameter. The model still holds
the old ones: nothing is updated, clipped, averaged or moved, and torch says
nothing, under `no_grad` or not. Only an operation in place (`p -= ...`,
`p.copy_(...)`) changes the parameter itself.

The rule speaks when what the loop goes through are parameters, the tensors of a
model's `state_dict()`, or tensors that are made to require gradients, when the right side computes a tensor and changes
none in place, or hands on another (`target = source`), and when nothing in the
loop, or after it, reads the new one. Where it is kept (`adapted.append(p)`), as
functional updates do, the rule is silent.

It is on, as the statement has no effect, whatever was meant.

Example:

    import torch


    def step(model, lr):
        for p in model.parameters():
            p = p - lr * p.grad

Use instead:

    import torch


    def step(model, lr):
        for p in model.parameters():
            with torch.no_grad():
                p -= lr * p.grad

Fix safety:

    Unsafe: the program begins to do what it says, so that it computes other
    numbers than before.

When to silence it:

    When the line is only there to be timed.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
    - https://docs.python.org/3/reference/compound_stmts.html#the-for-statement
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Assignment, FileFacts, Kind, Loop
from ..rule import Finding, rule
from ..updating import in_place, in_test, loop_variable_of, makes_new_tensor


@rule(
    code="NGR303",
    name="loop-variable-rebound",
    message="`{target}` is only the loop's name for {what}: bound to a new tensor, it changes none; "
    "change it in place under no_grad",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for variables of loops over parameters that get a tensor nobody reads."""
    changed = {each.place.statement for each in facts.writes}
    for each in facts.assignments:
        loop = loop_variable_of(each)
        if loop is None or each.is_read or in_test(each.place) or each.place.statement in changed:
            continue
        of_state = each.target.api == "torch.nn.Module.state_dict"
        if (makes_new_tensor(each) or _hands_on_another(each)) and (of_state or _is_parameter(each, loop)):
            what = "a tensor of the state" if of_state else "a parameter"
            yield Finding(each.anchor, {"target": each.target.label, "what": what}, in_place(each))


def _hands_on_another(each: Assignment) -> bool:
    """``target = source``, of two parameters."""
    if len(each.reads) != 1 or not each.is_alone:
        return False
    other = each.reads[0]
    return other.kind is Kind.PARAMETER and other.label != each.target.label and each.value.kind is Kind.PARAMETER


def _is_parameter(each: Assignment, loop: Loop) -> bool:
    gradient = f"{each.target.label}.grad"
    return (
        each.target.kind is Kind.PARAMETER
        or each.target.leaf is not None
        or loop.iterates.kind is Kind.PARAMETERS
        or any(read.label == gradient or read.label.startswith(f"{gradient}.") for read in each.reads)
    )
