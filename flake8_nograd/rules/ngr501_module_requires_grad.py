"""`requires_grad` set on a module, which changes none of its parameters.

A module is no tensor. `model.requires_grad = False` gives the Python object a
new attribute of that name, and torch never looks at it: the parameters keep
their own `requires_grad`, get gradients and are trained. Nothing says so. What
was meant to be frozen is not (and what was meant to be thawed with
`model.requires_grad = True` stays frozen).

`model.requires_grad_(False)`, with the underscore, sets it on every parameter.

The rule wants to know that it is a module: it was made by one of `torch.nn`,
of a library of models or by a class of the file, it is a part of such a model,
or `parameters()`, `state_dict()`, `eval()` or the like are called on it. Of
`self.requires_grad = flag` it says nothing, nor where a class of the file has
an attribute or a property of that name: that is a setting of the author's own.

Example:

    import torch


    class Tuner:
        def __init__(self, features, classes):
            self.backbone = torch.nn.Linear(features, features)
            self.backbone.requires_grad = False
            self.head = torch.nn.Linear(features, classes)

Use instead:

    import torch


    class Tuner:
        def __init__(self, features, classes):
            self.backbone = torch.nn.Linear(features, features)
            self.backbone.requires_grad_(False)
            self.head = torch.nn.Linear(features, classes)

Fix safety:

    Unsafe: from then on the parameters are frozen, or thawed, and the training
    gives other numbers. An optimizer that is handed nothing else has nothing
    to train.

When to silence it:

    When your module reads the attribute itself.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_
    - https://discuss.pytorch.org/t/9979
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..facts import Assignment, FileFacts, Kind
from ..rule import Finding, rule


@rule(
    code="NGR501",
    name="module-requires-grad",
    message="`{module}` is a module: setting `requires_grad` on it changes no parameter, call `requires_grad_()`",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what the attribute is set on."""
    if _is_a_setting(facts):
        return
    for each in facts.assignments:
        holder = each.holder
        if holder is None or holder.kind is not Kind.MODEL or holder.label == "self":
            continue
        if each.target.label == f"{holder.label}.requires_grad":
            yield Finding(each.anchor, {"module": holder.label or "this"}, _fix(each))


def _is_a_setting(facts: FileFacts) -> bool:
    """Whether a class of the file has an attribute, or a property, of that name."""
    return any(each.owner is not None and each.name == "requires_grad" for each in facts.functions) or any(
        each.target.label == "self.requires_grad" for each in facts.assignments
    )


def _fix(each: Assignment) -> Fix | None:
    if each.bound is None or not each.is_alone:
        return None
    call = Replace(each.anchor, "{1}_({2})", (each.bound, each.expression))
    return Fix((call,), False, "Call requires_grad_")
