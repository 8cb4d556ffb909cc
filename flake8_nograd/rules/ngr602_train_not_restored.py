"""A model is put in eval mode in the epoch loop, and never back in training mode.

`model.eval()` stays in force until `model.train()`. Where `.train()` stands
before the epoch loop and `.eval()` in it, only the first epoch trains with
dropout and with the statistics of the batch in batch-norm; torch says nothing.

The rule is off, as it is not about gradients, though all of its five findings in
130 published packages are right. It speaks when a loop trains
(goes back through a loss), puts the model in eval mode, itself or in a function
of the file that it calls, and neither the loop nor a function it calls puts
anything in training mode, while the function does so with that model outside the loop.

Example:

    import torch


    def train(model, loader, val_loader, criterion, optimizer):
        model.train()
        for epoch in range(10):
            for x, y in loader:
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for x, y in val_loader:
                    print(criterion(model(x), y))

Use instead:

    import torch


    def train(model, loader, val_loader, criterion, optimizer):
        for epoch in range(10):
            model.train()
            for x, y in loader:
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for x, y in val_loader:
                    print(criterion(model(x), y))

Fix safety:

    None: `.train()` belongs where the epoch begins, or after the evaluation.

When to silence it:

    When all epochs but the first are meant to train without dropout.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
    - https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import FileFacts, Function, Loop, ModeSwitch, Place
from ..grad import Answer
from ..rule import Finding, rule


@rule(
    code="NGR602",
    name="train-not-restored",
    message="`{model}` is put in eval mode in a loop that trains, and stays in it from the second turn on",
    default=False,
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for training loops with one switch in them, to eval mode."""
    reported = set()
    for loop in facts.loops:
        if loop.is_comprehension or loop.parent is not None:
            continue
        inside = _called_in(facts, loop)

        def runs(place: Place, loop: Loop = loop, inside: frozenset[Function] = inside) -> bool:
            return loop in place.loops or place.function in inside

        switches = [each for each in facts.mode_switches if runs(each.place)]
        if any(each.training is not Answer.NO for each in switches) or not any(
            runs(each.place) for each in facts.backwards
        ):
            continue
        for each in switches:
            if each.anchor not in reported and _was_training(facts, loop, each):
                reported.add(each.anchor)
                yield Finding(each.anchor, {"model": each.model.label})


def _called_in(facts: FileFacts, loop: Loop) -> frozenset[Function]:
    """The functions of the file that the loop calls, however many calls away."""
    found: set[Function] = set()
    while True:
        more = {
            each.function
            for each in facts.calls
            if each.function is not None and (loop in each.place.loops or each.place.function in found)
        } - found
        if not more:
            return frozenset(found)
        found |= more


def _was_training(facts: FileFacts, loop: Loop, switch: ModeSwitch) -> bool:
    """Whether the function of the loop puts the same model in training mode outside of it."""
    name = switch.model.label.rsplit(".", 1)[-1]
    return any(
        each.training is Answer.YES
        and each.place.function is loop.function
        and not each.place.loops
        and each.model.label.rsplit(".", 1)[-1] == name
        for each in facts.mode_switches
    )
