"""Gradients are switched off and on again by two statements, not by a block.

`torch.set_grad_enabled(False)` and, further down, `torch.set_grad_enabled(True)`
do not bring back what was there before. They promise more than they keep:

- An exception or an early `return` between them leaves gradients off, for the
  rest of the thread.
- Called under somebody's `torch.no_grad()`, the second statement switches
  gradients *on*: from there on the caller's evaluation records a graph. Loss
  functions that toggle inside `forward` do that to each validation loop.

`with torch.no_grad():` brings back the mode before, however it is left.

The rule wants both statements in one function, or at module level, one after
the other: in one block, in blocks under the same condition (`if self.quick:`
twice), or with the second in a `finally`. A branch that switches them on as well
before it returns changes nothing of that. The rule is silent where the mode is
saved with `torch.is_grad_enabled()` and restored.

The rule is off. Unlike its neighbours it speaks of code that works as long as nothing
is raised between the statements and no caller has gradients off, and too few such
pairs have been found in published packages to say how often it is right.

Example:

    import torch


    def focal_weight(probability, target):
        torch.set_grad_enabled(False)
        right = probability * target + (1 - probability) * (1 - target)
        weight = (1 - right) ** 2
        torch.set_grad_enabled(True)
        return weight

Use instead:

    import torch


    def focal_weight(probability, target):
        with torch.no_grad():
            right = probability * target + (1 - probability) * (1 - target)
            weight = (1 - right) ** 2
        return weight

Fix safety:

    Safe where gradients are on before the first statement: what runs between
    the two runs without gradients as before, and what follows runs with them.
    Unsafe where a caller in the file may have switched them off, since what
    follows the second statement had gradients on and then has not. There is no
    fix for a pair in two blocks, or with a branch that switches them on between.

When to silence it:

    Where the mode must outlive the function; then say so in a name and a
    comment. In a notebook cell, perhaps.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://github.com/huggingface/pytorch-image-models/pull/2760
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import NO_GRAD, Fix, Remove, Wrap
from ..facts import FileFacts, Form, Switch
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR405",
    default=False,
    name="grad-toggled-by-hand",
    message="gradients are switched off here and on again on line {line}, whatever they were before, "
    "and an exception between leaves them off: use a no_grad block",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Pair each statement that switches off with the next that switches on."""
    by_hand = [
        each
        for each in facts.switches
        if each.form is Form.STATEMENT and each.called and each.api == "torch.set_grad_enabled"
    ]
    for index, off in enumerate(by_hand):
        on = _next(off, by_hand[index + 1 :])
        if on is not None and _is_pair(off, on):
            fix = _mended(facts, off, on) if on is by_hand[index + 1] else None
            yield Finding(off.anchor, fix=fix, also=on.anchor)


def _next(off: Switch, following: list[Switch]) -> Switch | None:
    """The next statement that is not one of a branch alone: ``if y is None: set_grad_enabled(True); return``."""
    for each in following:
        branches = len(each.conditions) > len(off.conditions) and each.function is off.function
        if not (branches and each.enables is Answer.YES and each.conditions[: len(off.conditions)] == off.conditions):
            return each
    return None


def _is_pair(off: Switch, on: Switch) -> bool:
    return (
        off.enables is Answer.NO
        and on.enables is Answer.YES
        and off.function is on.function
        and not (off.function is not None and off.function.is_test)
        and off.place.loops == on.place.loops
        and off.place.switches == on.place.switches
        and off.conditions == on.conditions
    )


def _mended(facts: FileFacts, off: Switch, on: Switch) -> Fix | None:
    if off.place.block is not on.place.block or on.place.statement not in off.rest:
        return None
    between = off.rest[: off.rest.index(on.place.statement)]
    if not between or any(each.place.function is off.function for each in facts.yields):
        return None
    edits = (Wrap(between, NO_GRAD), Remove(off.place.statement), Remove(on.place.statement))
    return Fix(edits, off.before is GradMode.ON, "Put what is between under no_grad")
