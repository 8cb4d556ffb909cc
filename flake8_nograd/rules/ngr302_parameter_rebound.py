"""A parameter is updated by binding its name to a new tensor.

`w = w - lr * w.grad` does not change the tensor that is trained: it computes
another one, and gives it the name. With gradients on, the new tensor is the
result of an operation, no leaf: autograd keeps no gradient for it, so `w.grad`
is `None` in the next turn, and torch 2.13 raises

    TypeError: unsupported operand type(s) for *: 'float' and 'NoneType'

Under `torch.no_grad()` the new tensor does not require gradients at all, and
the next `backward()` raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

or, where other terms of the loss have a graph, `w` is no longer trained
without a word. Wrapping the line in `no_grad` is therefore not enough: the
tensor has to be changed in place.

A parameter of a module cannot be rebound either: `self.w = self.w - step` raises

    TypeError: cannot assign 'torch.FloatTensor' as parameter 'w' (torch.nn.Parameter or None expected)

The rule speaks when the right side reads the tensor and its `.grad` and the
line is run again: it stands in a loop, or updates an attribute of `self`. It
is silent when something in that loop, or in that class, makes a leaf again
(`requires_grad_()`, `detach()`, a new tensor with `requires_grad=True`).

Example:

    import torch

    w = torch.zeros(3, requires_grad=True)


    def train(loss_of, steps, lr=0.1):
        global w
        for _ in range(steps):
            loss = loss_of(w)
            loss.backward()
            w = w - lr * w.grad

Use instead:

    import torch

    w = torch.zeros(3, requires_grad=True)


    def train(loss_of, steps, lr=0.1):
        global w
        for _ in range(steps):
            loss = loss_of(w)
            loss.backward()
            with torch.no_grad():
                w -= lr * w.grad
            w.grad = None

Fix safety:

    Unsafe: in place, the change is seen under every other name of the tensor
    as well (a list it was appended to, the caller's variable). A loop of more
    than one turn did not work before; one of a single turn did.
    Safe where the function makes the tensor itself, no other name, container or
    callee gets it, gradients are on, and there is one `backward()`: then a single
    turn computes the same.

When to silence it:

    When the loop is left before its second turn, or a function that is called
    in it makes the tensor a leaf again.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#setting-requires-grad
    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_leaf.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Assignment, FileFacts
from ..grad import GradMode
from ..rule import Finding, rule
from ..updating import (
    in_place,
    in_test,
    is_its_only_name,
    is_made_leaf_again,
    is_registered,
    leaves_of,
    loop_variable_of,
    rebinds_with_gradient,
    turn_of,
)


@rule(
    code="NGR302",
    name="parameter-rebound",
    message="`{target}` is bound to a new tensor instead of updated: {consequence}",
    yields_to=("NGR303",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for names that are bound to what was computed from themselves and their gradient."""
    for each in facts.assignments:
        if in_test(each.place) or loop_variable_of(each) is not None:
            continue
        label = each.target.label
        if _is_refused(facts, each):
            consequence = "a module refuses a tensor as a parameter; change it in place under no_grad"
        elif rebinds_with_gradient(each) and _comes_again(facts, each):
            consequence = "it is no leaf and has no `.grad` next time; change it in place under no_grad"
        else:
            continue
        yield Finding(
            each.anchor, {"target": label, "consequence": consequence}, in_place(each, safe=_is_safe(facts, each))
        )


def _is_safe(facts: FileFacts, each: Assignment) -> bool:
    """Whether one turn of the loop, which is all that worked, computes the same in place."""
    passes = [one for one in facts.backwards if one.place.function is each.place.function]
    return each.place.grad is GradMode.ON and len(passes) == 1 and is_its_only_name(facts, each)


def _is_refused(facts: FileFacts, each: Assignment) -> bool:
    return each.operand is not None and each.value.made_at is each.expression and is_registered(facts, each)


def _comes_again(facts: FileFacts, each: Assignment) -> bool:
    function, label = each.place.function, each.target.label
    loop = turn_of(each)
    if loop is None and not leaves_of(facts, each):
        return False
    return not is_made_leaf_again(facts, function, loop, label)
