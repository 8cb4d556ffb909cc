"""A teacher, target or reference model runs with gradients on, though it is not trained.

In distillation, Q-learning with a target network, or preference optimisation
one model is trained and another only gives the numbers to train it by. With
gradients on the loss goes back through both: the activations of the second are
kept, its backward pass is computed, and its weights gather gradients in `.grad`
that no `zero_grad()` ever clears. `teacher.eval()` changes nothing of this;
`teacher.requires_grad_(False)` and `no_grad` do.

The rule is off: names do not tell a teacher that is meant to be trained along, and
it has not been seen at work enough: in 130 published packages it spoke eleven times, and
the ten that were read, in two of them, are right.
It speaks when a model with such a name, or a feature network (`vgg`) of what no other
model has made, runs with gradients on, by itself or in a helper that gets it, its result goes
undetached into a loss that another model has a part in, and nothing in the file
is frozen; it must be in eval mode in that function, or an optimizer of the file
exist and take no parameters of it.

Example:

    import torch
    from torch import nn

    teacher, student = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)


    def train(loader):
        for x in loader:
            target = teacher(x)
            loss = nn.functional.mse_loss(student(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

Use instead:

    import torch
    from torch import nn

    teacher, student = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)


    def train(loader):
        for x in loader:
            with torch.no_grad():
                target = teacher(x)
            loss = nn.functional.mse_loss(student(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

Fix safety:

    Unsafe: the gradients of the teacher may be wanted after all. None where the
    call is a part of a longer expression.

When to silence it:

    When both models are trained, by an optimizer that is made in another file.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..edits import Fix, Wrap
from ..facts import Evaluated, FileFacts, Forward, Kind, Purpose
from ..grad import Answer, GradMode
from ..rule import Finding, rule
from ..updating import in_test


@rule(
    code="NGR103",
    name="teacher-forward-with-grad",
    message="`{model}` is not trained, but runs with gradients on: run it under no_grad",
    default=False,
    yields_to=("NGR101", "NGR102"),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for models whose name says that they only give targets, in a loss."""
    if _freezes(facts):
        return
    optimizes = any(each.value.kind is Kind.OPTIMIZER for each in facts.assignments)
    models = {each.anchor: each.model.label for each in facts.forwards}
    losses = [
        each.value.forwards
        for each in facts.uses
        if each.purpose is Purpose.GRADIENT and len({models.get(anchor) for anchor in each.value.forwards}) > 1
    ]
    for each in facts.forwards:
        if (
            (naming.sounds_like_teacher(each.model.label) or _gives_features_of_data(each))
            and each.place.grad is GradMode.ON
            and each.frozen is not Answer.YES
            and each.graph is not Answer.NO
            and not _runs_others(facts, each)
            and not in_test(each.place)
            and any(each.anchor in forwards for forwards in losses)
            and (_is_evaluated(each) or (optimizes and not _is_optimized(facts, each.model.label)))
        ):
            yield Finding(each.anchor, {"model": each.model.label}, _fix(facts, each))


def _gives_features_of_data(each: Forward) -> bool:
    """Whether it is a feature network, and no model that trains made what it looks at: ``vgg(real)``."""
    return (
        naming.sounds_like_feature_network(each.model.label)
        and not each.given
        and each.inputs_require_grad is Answer.NO
    )


def _runs_others(facts: FileFacts, each: Forward) -> bool:
    """Whether a helper of the file runs it beside other models, ``losses(student, teacher, x)``, or is a generator."""
    return each.via is not None and (
        each.via.is_generator
        or any(other.anchor is each.anchor and other.model.label != each.model.label for other in facts.forwards)
    )


def _is_evaluated(each: Forward) -> bool:
    return each.training is Answer.NO and each.evaluated is Evaluated.HERE


def _freezes(facts: FileFacts) -> bool:
    return any(each.target.label.endswith(".requires_grad") for each in facts.assignments) or any(
        each.api == ".requires_grad_" for each in facts.calls
    )


def _is_optimized(facts: FileFacts, label: str) -> bool:
    """Whether its parameters, or those of what it is a part of, are given to anybody, or an optimizer gets it."""
    wholes = {label[:index] for index, letter in enumerate(label) if letter == "."} | {label}
    parameters = {f"{each}.{name}" for each in wholes for name in ("parameters", "named_parameters")}
    return any(
        read.label in parameters or (each.value.kind is Kind.OPTIMIZER and read.label in wholes - {"self"})
        for each in facts.assignments
        for read in each.reads
    )


def _fix(facts: FileFacts, forward: Forward) -> Fix | None:
    """Wrap the statement, where it is nothing but a name for the result."""
    if not any(
        each.expression is forward.anchor and (forward.via is not None or each.value.made_at is forward.anchor)
        for each in facts.assignments
    ):
        return None
    return Fix((Wrap((forward.place.statement,)),), False, "Run it under no_grad")
