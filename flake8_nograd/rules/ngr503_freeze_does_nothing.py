"""A statement that was to set `requires_grad` or `.grad`, and does nothing.

`p.requires_grad == False` compares and throws the answer away: one `=` too
many, and `p` is trained on. So does `p.grad == None`, which leaves the gradient
where it was. `p.requires_grad`, alone on its line, is read and no more.
`map(lambda p: p.requires_grad_(False), parameters)` calls nothing before somebody
goes through it, and as a statement nobody does; a generator expression neither.
`p.requires_grad_ = False` gives the name of the method to a value, and
`p.requires_grad_` without parentheses calls nothing. None of these says a word.

Others raise on torch 2.13, as soon as they are run: `named_parameters()` gives
pairs of a name and a parameter, what has the parameters is no tensor, and
`p.requires_grad(False)` calls the flag, which is a bool.

    AttributeError: 'tuple' object has no attribute 'requires_grad'
    AttributeError: 'generator' object has no attribute 'requires_grad_'
    TypeError: 'bool' object is not callable

At module level, outside of loops, a comparison or an attribute may be there to
be shown, as in a notebook; there the rule is silent about them.

It is on, as the statements do nothing, or raise, whatever was meant.

Example:

    import torch


    def freeze(model):
        for parameter in model.parameters():
            parameter.requires_grad == False

Use instead:

    import torch


    def freeze(model):
        for parameter in model.parameters():
            parameter.requires_grad = False

Fix safety:

    Unsafe: the statement starts to do what it says, and the training gives
    other numbers. Safe for `p.requires_grad(False)`, which raised.

When to silence it:

    When the attribute is read to see whether it raises.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.Tensor.requires_grad.html
    - https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.named_parameters
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Rename, Replace
from ..expected_errors import asks_whether_it_exists, expects_an_error
from ..facts import Assignment, Call, Discarded, FileFacts, Kind, Place
from ..rule import Finding, rule

CALLABLE = frozenset({Kind.FUNCTION, Kind.CLASS, Kind.API})
"""What may stand in for a method: ``module.requires_grad_ = lambda flag=True: module``."""

SEVERAL = {Kind.CONTAINER: "a tuple or a list", Kind.PARAMETERS: "several parameters"}


@rule(code="NGR503", name="freeze-does-nothing", message="`{target}` {why}")
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at statements without effect, and at what the flag is set on."""
    for discarded in facts.discarded:
        if discarded.never_run is not None:
            yield from _never_run(facts, discarded)
            continue
        why = _discards(discarded)
        if why and not expects_an_error(facts, discarded.place.function):
            yield Finding(discarded.anchor, {"target": discarded.value.label, "why": why}, _assigned(discarded))
    for each in facts.assignments:
        holder = each.holder
        if holder is None:
            continue
        if each.target.label.endswith(".requires_grad_") and each.value.kind not in CALLABLE:
            why = "is a method: call it, an assignment changes no parameter"
            yield Finding(each.anchor, {"target": each.target.label, "why": why}, _called(each))
        elif holder.kind in SEVERAL and each.target.label.endswith(".requires_grad"):
            yield Finding(each.anchor, {"target": each.target.label, "why": _several(holder.kind)})
    for call in facts.calls:
        if _is_called_on_several(call):
            target = f"{call.receiver.label}.requires_grad_".lstrip(".")
            yield Finding(call.anchor, {"target": target, "why": _several(call.receiver.kind)})
        elif _is_called_flag(call) and not expects_an_error(facts, call.place.function):
            fix = Fix((Rename(call.anchor, "requires_grad_"),), True, "Call requires_grad_")
            target = f"{call.receiver.label}.requires_grad".lstrip(".")
            yield Finding(call.anchor, {"target": target, "why": "is a bool, and raises when it is called"}, fix)


def _never_run(facts: FileFacts, each: Discarded) -> Iterator[Finding]:
    """Whether it would set the flag: as a generator expression, or by the function that it maps."""

    def stands_in(place: Place) -> bool:
        mapped = place.function is not None and place.function.anchor is each.never_run
        return mapped or any(loop.anchor is each.never_run for loop in place.loops)

    why = "is never called: nobody goes through the generator that would"
    if any(call.api == ".requires_grad_" and stands_in(call.place) for call in facts.calls):
        yield Finding(each.anchor, {"target": "requires_grad_", "why": why})


def _discards(each: Discarded) -> str:
    """What happens to the flag or the gradient instead; empty if that may be meant."""
    if (each.place.function is None and not each.place.loops) or asks_whether_it_exists(each.place):
        return ""
    attribute = each.value.label.rpartition(".")[2]
    if each.operator == "==" and attribute in {"requires_grad", "grad"}:
        return "is compared and the answer thrown away: `=` sets it"
    if each.operator == "==" and attribute == "requires_grad_":
        return "is a method, compared and never called: nothing is frozen"
    if not each.operator and attribute in {"requires_grad", "requires_grad_"}:
        return "is read and nothing is done with it: nothing is frozen"
    return ""


def _several(kind: Kind) -> str:
    return f"raises: what it is asked of is {SEVERAL[kind]}, not a tensor"


def _is_called_on_several(call: Call) -> bool:
    return call.api == ".requires_grad_" and call.receiver.kind in SEVERAL


def _is_called_flag(call: Call) -> bool:
    return call.api == ".requires_grad" and call.receiver.kind in {Kind.TENSOR, Kind.PARAMETER}


def _assigned(each: Discarded) -> Fix | None:
    if not each.operator or (each.holder is not None and each.holder.kind is Kind.MODEL):
        return None
    if each.value.label.endswith(".requires_grad_"):
        return Fix((Replace(each.anchor, "{1}({2})", each.parts),), False, "Call requires_grad_")
    return Fix((Replace(each.anchor, "{1} = {2}", each.parts),), False, "Write =")


def _called(each: Assignment) -> Fix | None:
    if each.bound is None or not each.is_alone:
        return None
    return Fix((Replace(each.anchor, "{1}({2})", (each.bound, each.expression)),), False, "Call requires_grad_")
