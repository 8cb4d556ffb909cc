"""`requires_grad`, misspelt.

Python lets any attribute be set on a tensor or a module. `p.require_grad = False`
makes one that torch never looks at: `p.requires_grad` stays what it was, `p` is
trained, and nothing says so. The same with `required_grad`, `requires_grads`,
`requires_gradient`.

As an argument the word is noticed. torch 2.13 raises

    TypeError: tensor() got an unexpected keyword argument 'require_grad'

The rule wants to know that it is a tensor, a parameter or a module whose
attribute is set; of `args.require_grad` and `self.require_grad` it says nothing.

Example:

    import torch


    def freeze(model):
        for parameter in model.parameters():
            parameter.require_grad = False

Use instead:

    import torch


    def freeze(model):
        for parameter in model.parameters():
            parameter.requires_grad = False

Fix safety:

    Unsafe for an attribute: the right name starts to freeze what was trained so
    far, and raises where the tensor is not a leaf. Safe for an argument, which
    raised. There is no fix for an attribute of a module, where the right name
    does nothing either (NGR501).

When to silence it:

    When the attribute is your own and your code reads it.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
    - https://github.com/udacity/deep-learning-v2-pytorch/issues/12
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..edits import Fix, Rename, RenameArgument
from ..facts import Assignment, Call, FileFacts, Kind
from ..rule import Finding, rule

HOLDERS = frozenset({Kind.TENSOR, Kind.PARAMETER, Kind.DATA, Kind.MODEL})


@rule(
    code="NGR502",
    name="misspelt-requires-grad",
    message="`{name}` is nothing that torch looks at: it is spelt `requires_grad`",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at attributes that are set, and at the keywords of functions that take the flag."""
    for each in facts.assignments:
        name = _name(each)
        if naming.misspells_requires_grad(name) and not _is_own(facts, name):
            yield Finding(each.anchor, {"name": each.target.label}, _fix(each, name))
    for call in facts.calls:
        for keyword, _ in call.keywords:
            if _takes_the_flag(call) and naming.misspells_requires_grad(keyword):
                renamed = RenameArgument(call.anchor, keyword, "requires_grad")
                yield Finding(call.anchor, {"name": f"{keyword}="}, Fix((renamed,), True, "Spell it requires_grad"))


def _name(each: Assignment) -> str:
    """The attribute that is set on a tensor or a module."""
    holder = each.holder
    if holder is None or holder.kind not in HOLDERS or holder.label == "self":
        return ""
    return each.target.label.rpartition(".")[2]


def _is_own(facts: FileFacts, name: str) -> bool:
    """Whether a class of the file has an attribute of that name."""
    return any(each.target.label == f"self.{name}" for each in facts.assignments)


def _takes_the_flag(call: Call) -> bool:
    # torch.Tensor._make_subclass has an argument that is spelt require_grad.
    private = call.api.rsplit(".", 1)[-1].startswith("_")
    return call.api.startswith("torch.") and not private and call.function is None


def _fix(each: Assignment, name: str) -> Fix | None:
    if each.bound is None or (each.holder is not None and each.holder.kind is Kind.MODEL):
        return None
    right = "requires_grad_" if name.endswith("_") else "requires_grad"
    return Fix((Rename(each.bound, right),), False, f"Spell it {right}")
