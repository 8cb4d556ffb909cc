"""A training loop adds losses up, or collects them, with their graphs.

`backward()` frees what a graph saved (the activations), but its nodes live as
long as a tensor that was computed by them. `total += loss` makes a graph that
grows by one node and one batch's graph per turn, and `history.append(loss)`
holds one graph per turn: on torch 2.13 ten steps of a two-layer perceptron keep
over seventy nodes, and `loss.detach()` keeps none. Over a long run that is
host memory that only grows (30 KB a step for twenty layers).

The rule speaks where the same turn of the loop goes back through the loss, so
that nobody can do so again, and where the total outlives the turn. It is silent
when the total is bound anew in that loop or for each batch, or differentiated itself.

Example:

    import torch


    def train(model, loader, criterion, optimizer):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss
        return total / len(loader)

Use instead:

    import torch


    def train(model, loader, criterion, optimizer):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total / len(loader)

Fix safety:

    Safe where what is added is the tensor that `backward()` was called on, by its
    name: it has the same numbers, on the same device, without waiting for them as
    `.item()` would.
    Unsafe where it is another tensor of the same turn, of which we only believe
    that it is one, and where `retain_graph=True` keeps the graph for whoever goes
    back once more.

When to silence it:

    When `backward(retain_graph=True)` keeps the graphs on purpose, to go back
    through the total as well.

References:

    - https://docs.pytorch.org/docs/stable/notes/faq.html#my-model-reports-cuda-runtime-error-2-out-of-memory
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..facts import Anchor, FileFacts, Kind, Loop, Place, Purpose, Use, Value
from ..grad import Answer, GradMode
from ..rule import Finding, rule

KEPT = frozenset({Purpose.ACCUMULATED, Purpose.STORED})


@rule(
    code="NGR104",
    name="total-keeps-graph",
    message="`{total}` keeps the graph of every turn of the loop: add {value} instead",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for what is added to something that outlives the turn of a loop."""
    gradients = [each for each in facts.uses if each.purpose is Purpose.GRADIENT]
    for each in facts.uses:
        if each.purpose in KEPT and each.added is not None and each.into:
            yield from _judged(facts, gradients, each.anchor, each.place, each.value, each.into, each.added)
    for bound in facts.assignments:
        others = [read for read in bound.reads if read.label != bound.target.label]
        if bound.operator == "+" and bound.operand is not None and len(others) == 1:
            yield from _judged(
                facts, gradients, bound.anchor, bound.place, others[0], bound.target.label, bound.operand
            )


def _judged(
    facts: FileFacts, gradients: list[Use], anchor: Anchor, place: Place, value: Value, total: str, added: Anchor
) -> Iterator[Finding]:
    loops = [loop for loop in place.loops if not loop.is_comprehension]
    if not loops or not (place.grad is GradMode.ON or place.on_for_some_caller):
        return
    if value.kind not in {Kind.TENSOR, Kind.UNKNOWN} or value.requires_grad is Answer.NO or value.made_at is None:
        return
    loop = loops[-1]
    # What a model gives may be unpacked into parts of one origin, of which some have no graph.
    computed = all(each.anchor is not value.made_at for each in facts.forwards)
    backwards = [
        each for each in facts.backwards if each.target.made_at is value.made_at and each.place.loops[-1:] == (loop,)
    ]
    labels = {each.target.label for each in backwards}
    same = bool(value.label) and value.label in labels
    scaled = "" in labels and computed
    part = (
        computed
        and value.kind is Kind.TENSOR
        and value.requires_grad is Answer.YES
        and any(value.forwards & each.value.forwards for each in gradients if each.place.loops[-1:] == (loop,))
    )
    if not (same or scaled or part) or _is_short_lived(facts, loops, total):
        return
    if any(each.target.label == total and _may_be_one(each.place, place, total) for each in facts.backwards) or any(
        value.forwards & each.value.forwards and loop not in each.place.loops for each in gradients
    ):
        return
    detached = f"`{value.label}.detach()`" if value.label else "what is detached"
    safe = same and not any(each.retains for each in backwards)
    yield Finding(
        anchor,
        {"total": total, "value": detached},
        Fix((Replace(added, "{0}.detach()"),), safe, "Detach what is added"),
    )


def _may_be_one(one: Place, other: Place, name: str) -> bool:
    """Whether a name means the same in two places: a local one does in its function, an attribute perhaps anywhere."""
    return "." in name or one.function is other.function or one.function is None or other.function is None


def _is_short_lived(facts: FileFacts, loops: list[Loop], total: str) -> bool:
    """Whether the total is bound anew in each turn, or for each batch of which the turns are parts."""
    *outer, loop = loops
    return any(
        _starts_anew(facts, each, total) for each in (loop, *(one for one in outer if one.iterates.kind is Kind.LOADER))
    )


def _starts_anew(facts: FileFacts, loop: Loop, total: str) -> bool:
    """Whether the loop binds the total, or what holds it, in each turn."""
    return total in loop.binds or any(
        loop in each.place.loops
        and each.operand is None
        and (total == each.target.label or total.startswith((f"{each.target.label}.", f"{each.target.label}[")))
        for each in facts.assignments
    )
