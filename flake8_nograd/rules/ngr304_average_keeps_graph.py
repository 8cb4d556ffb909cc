"""A moving average is updated with gradients on, so that it becomes part of the graph.

Averages of weights (a target network, a momentum encoder, EMA or Polyak weights),
running statistics and memory banks are only ever read. Updated with gradients on,
from what has a graph, they take that graph up:

- A frozen target silently becomes the result of an operation: it requires
  gradients, is no leaf any more, and a loss on its output trains the other model.
- A copy in a dictionary or attribute grows the graph by the update in each turn,
  and keeps it.
- A memory bank (`self.queue[:, i:j] = keys.T`) does the same, and keeps the
  activations of each encoder pass if the loss does not go back through them.
- A running statistic that the next loss is computed from raises in torch 2.13

    RuntimeError: Trying to backward through the graph a second time

Where the target itself requires gradients torch refuses, which is NGR301.

The rule speaks when parameters of a model are averaged onto tensors that are
not known to require gradients, when an attribute or variable that is named
for it (`running_mean`, `ema`, `avg_loss`) is averaged with something that surely
has a graph, and when such a thing is put into an attribute named for a bank (`queue`,
`memory_bank`). It is silent for `state_dict()`, `.data` and `.detach()`.

The rule is off, as nothing in the code says that an average is not to be differentiated,
and it has been seen at work too little: in 209 published packages it spoke twice,
and was right.

Example:

    import copy

    import torch

    model = torch.nn.Linear(2, 2)
    average = copy.deepcopy(model).requires_grad_(False)


    def update(tau):
        for mean, new in zip(average.parameters(), model.parameters()):
            mean.mul_(1 - tau).add_(new, alpha=tau)

Use instead:

    import copy

    import torch

    model = torch.nn.Linear(2, 2)
    average = copy.deepcopy(model).requires_grad_(False)


    def update(tau):
        for mean, new in zip(average.parameters(), model.parameters()):
            with torch.no_grad():
                mean.mul_(1 - tau).add_(new, alpha=tau)

Fix safety:

    Unsafe: the numbers of the average stay the same, but what was differentiated
    through it until now no longer is.

When to silence it:

    When gradients are to flow through the average, as through a recurrent state.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.optim.swa_utils.AveragedModel.html
    - https://github.com/pytorch/pytorch/issues/20275
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming
from ..edits import Fix, Wrap
from ..facts import Assignment, FileFacts, Kind, Leaf, Manner, Place, Value, Write
from ..grad import Answer, GradMode
from ..rule import Finding, rule
from ..updating import in_test, makes_new_tensor

AVERAGING = frozenset({"add_", "sub_", "lerp_", "+=", "-="})
"""Operations that mix what a tensor holds with something else."""


@rule(
    code="NGR304",
    name="average-keeps-graph",
    message="{target} is updated with gradients on and keeps the graph: update it under no_grad",
    default=False,
    yields_to=("NGR104",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look for updates that mix something with a graph into what is not trained."""
    reported = set()
    for each in facts.writes:
        mixed = _is_mixed(each) or _is_kept(facts, each)
        if _records(each.place) and mixed and each.place.statement not in reported:
            reported.add(each.place.statement)
            yield Finding(each.anchor, {"target": _name(each)}, _fix(facts, each.place))
    for bound in facts.assignments:
        if _records(bound.place) and _is_average(facts, bound):
            label = f"`{bound.target.label}`"
            target = label if naming.sounds_like_bank(label) else f"the average {label}"
            yield Finding(bound.anchor, {"target": target}, _fix(facts, bound.place))


def _name(write: Write) -> str:
    label = f"`{write.target.label}`" if write.target.label else "of weights"
    if write.operation not in AVERAGING and write.target.label:
        # What is copied may be anything with a graph: a convolution and the layer it is fused with.
        return label
    return label if naming.sounds_like_bank(write.target.label) else f"the average {label}"


def _records(place: Place) -> bool:
    return (place.grad is GradMode.ON or place.on_for_some_caller) and not in_test(place)


def _is_mixed(write: Write) -> bool:
    target = write.target
    if write.manner is Manner.DATA or (target.requires_grad is Answer.YES and target.leaf is not None):
        return False
    if target.kind is Kind.PARAMETER:
        return any(each.requires_grad is Answer.YES for each in write.sources)
    return write.operation in AVERAGING and any(_is_weight(each) for each in write.sources)


def _is_kept(facts: FileFacts, write: Write) -> bool:
    """Whether something with a graph is put into a statistic, or a bank, that the object keeps."""
    label = write.target.label
    averages = naming.sounds_like_average(label) and (write.operation in AVERAGING or write.operation == "copy_")
    stores = naming.sounds_like_bank(label) and (write.manner is Manner.ITEM or write.operation == "copy_")
    return (
        label.startswith("self.")
        and write.target.kind is Kind.TENSOR
        and write.target.leaf is None
        and (averages or stores)
        and any(each.requires_grad is Answer.YES for each in write.sources)
        and not _is_differentiated(facts, label)
        and not _starts_anew(facts, label, write.place)
    )


def _is_weight(value: Value) -> bool:
    """Whether it is a parameter of a model, gone through with the others."""
    gone_through = value.leaf in {Leaf.PARAMETERS, Leaf.ASKED}
    return value.kind is Kind.PARAMETER and gone_through and value.requires_grad is Answer.YES


def _is_average(facts: FileFacts, bound: Assignment) -> bool:
    label = bound.target.label
    reads = {read.label for read in bound.reads}
    if label not in reads or not makes_new_tensor(bound):
        return False
    if bound.value.requires_grad is not Answer.YES and not _takes_loss(facts, bound):
        return False
    if any(each.anchor is bound.expression for each in facts.forwards):
        # What a model makes of what it is handed, nobody knows: it may give an average of numbers.
        return False
    if any(_is_weight(read) for read in bound.reads):
        return "[" in label or "." in label
    attribute = label.startswith("self.")
    named = naming.sounds_like_average(label) or (attribute and naming.sounds_like_bank(label))
    return (
        (attribute or bool(bound.place.loops))
        and named
        and not _is_differentiated(facts, label)
        and not _starts_anew(facts, label, bound.place)
    )


def _takes_loss(facts: FileFacts, bound: Assignment) -> bool:
    """Whether the same turn of the loop goes back through what is mixed in."""
    return any(
        each.target.made_at is not None
        and each.place.loops == bound.place.loops
        and any(each.target.made_at is read.made_at for read in bound.reads)
        for each in facts.backwards
    )


def _starts_anew(facts: FileFacts, label: str, place: Place) -> bool:
    """Whether each turn of the innermost loop, or each call, begins with another value, and nothing is kept."""
    # A bank may be filled in a loop.
    loops = () if naming.sounds_like_bank(label) else place.loops
    return any(
        each.target.label == label
        and each.place.function is place.function
        and each.place.loops == loops
        and (bool(loops) or label.startswith("self."))
        and all(read.label != label for read in each.reads)
        for each in facts.assignments
    )


def _is_differentiated(facts: FileFacts, label: str) -> bool:
    return any(each.target.label == label for each in facts.backwards)


def _fix(facts: FileFacts, place: Place) -> Fix | None:
    if any(each.place.statement is place.statement for each in facts.yields):
        return None
    return Fix((Wrap((place.statement,)),), False, "Update the average under no_grad")
