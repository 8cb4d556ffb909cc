"""An evaluation under no_grad whose model is never put in eval mode.

`no_grad` stops the recording of a graph and nothing else. A model that was not
put in eval mode evaluates with dropout active, so that two passes over the same
data differ, and its batch-norm layers normalise by the batch and overwrite
their running statistics with those of the data of the evaluation.

The rule is off, as it is not about gradients, and cannot see whether the model
has such layers. It speaks when a function named for evaluation goes through a
validation or test loader under `no_grad`, the file trains as well, and nothing in
the file puts any model in eval mode. It is silent where the function says
`.train()` itself, as for dropout by purpose (Monte Carlo dropout). In 130 published
packages it found nothing to learn from.

Example:

    import torch


    def train(model, loader, criterion, optimizer):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()


    @torch.no_grad()
    def evaluate(model, val_loader):
        correct = 0
        for x, y in val_loader:
            correct += (model(x).argmax(1) == y).sum().item()
        return correct

Use instead:

    import torch


    def train(model, loader, criterion, optimizer):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()


    @torch.no_grad()
    def evaluate(model, val_loader):
        model.eval()
        correct = 0
        for x, y in val_loader:
            correct += (model(x).argmax(1) == y).sum().item()
        return correct

Fix safety:

    None: which model is to be put in eval mode, and who puts it back, is not known.

When to silence it:

    When the model has neither dropout nor batch-norm, or a caller in another
    file puts it in eval mode.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..facts import FileFacts, Forward, Kind
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR601",
    name="no-grad-without-eval",
    message="`{model}` is evaluated under no_grad but never put in eval mode: dropout and batch-norm stay active",
    default=False,
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at evaluations in files that train, and know no eval mode."""
    if not facts.backwards or any(each.training is not Answer.YES for each in facts.mode_switches):
        return
    reported = set()
    for each in facts.forwards:
        loop = next((one for one in each.place.loops if naming.sounds_like_evaluation_loader(one.iterates.label)), None)
        if loop is not None and loop.anchor not in reported and _evaluates(facts, each):
            reported.add(loop.anchor)
            yield Finding(loop.anchor, {"model": each.model.label or "the model"})


def _evaluates(facts: FileFacts, each: Forward) -> bool:
    function = each.place.function
    return (
        function is not None
        and not function.is_test
        and naming.sounds_like_evaluation(function.name)
        and not naming.sounds_like_training(function.name)
        and each.model.kind is Kind.MODEL
        and each.training is not Answer.NO
        and bool(each.place.grad)
        and not each.place.grad & GradMode.ON
        and not any(switch.place.function is function for switch in facts.mode_switches)
    )
