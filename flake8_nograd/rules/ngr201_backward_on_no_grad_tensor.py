"""`backward()` on a tensor that was made under no-grad.

What is computed under `torch.no_grad()` or `torch.inference_mode()` has no
graph, and gets none later. Where the loss was made decides, not where
`backward()` stands: a loss made outside may be back-propagated inside a
no-grad block. torch 2.13 raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

A view that is taken under no-grad of a tensor with a graph (`loss[0]`, `loss.squeeze()`)
says that it requires gradients, and has no graph either: its own `backward()` raises
the same.

Where all callers in the file turn gradients off, and a condition decides whether the
function goes back at all, the rule is silent: other files may call it to train.

Example:

    import torch
    from torch import nn

    model = nn.Linear(2, 1)
    criterion = nn.MSELoss()


    def train_step(x, y):
        with torch.no_grad():
            loss = criterion(model(x), y)
        loss.backward()

Use instead:

    import torch
    from torch import nn

    model = nn.Linear(2, 1)
    criterion = nn.MSELoss()


    def train_step(x, y):
        loss = criterion(model(x), y)
        loss.backward()

Fix safety:

    None: whether the loss belongs outside of the block, or gradients are to be
    turned on in it (`with torch.enable_grad():`), its author knows.

When to silence it:

    When the call is meant to raise, in a test.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..differentiating import asks_for_the_mode, is_tested
from ..facts import Anchor, Backward, Cut, Differentiation, FileFacts, Form, Guard, Loss, Value
from ..grad import Answer, GradMode
from ..rule import Finding, rule

MADE_UNDER = {Loss.NO_GRAD: "no_grad", Loss.INFERENCE: "inference_mode"}


@rule(
    code="NGR201",
    name="backward-on-no-grad-tensor",
    message="{tensor} was made under {switch} on line {line}: it has no graph to go back through",
    yields_to=("NGR302", "NGR205", "NGR206", "NGR207", "NGR406"),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at the provenance of everything that is differentiated."""
    reported = set()
    for each in facts.backwards:
        cut = _cut(each.target)
        if each.how is Differentiation.FUNCTIONAL or not each.is_certain or cut is None or cut.how not in MADE_UNDER:
            continue
        function = each.place.function
        if is_tested(facts, function) or asks_for_the_mode(facts, function) or _is_for_other_callers(each):
            continue
        if each.anchor in reported:
            continue
        reported.add(each.anchor)
        tensor = f"`{each.target.label}`" if each.target.label else "what is differentiated here"
        details = {"tensor": tensor, "switch": MADE_UNDER[cut.how]}
        yield Finding(each.anchor, details, also=cut.at, defect=_in_a_generator(facts, each))


def _in_a_generator(facts: FileFacts, each: Backward) -> Anchor | None:
    """The switch that stands around a ``yield`` of what the loops around go through, if no other is at hand."""
    if each.place.switches or each.place.grad & GradMode.ON:
        return None
    around = {loop.statement for loop in each.place.loops}
    consumed = {call.function for call in facts.calls if call.place.statement in around}
    return next(
        (
            switch.anchor
            for given in facts.yields
            if given.place.function in consumed and not given.is_await
            for switch in reversed(given.place.switches)
            if switch.form is Form.WITH and switch.enables is Answer.NO
        ),
        None,
    )


def _is_for_other_callers(each: Backward) -> bool:
    """Whether only callers turn gradients off, and a condition may keep those of the file from coming here."""
    function = each.place.function
    if function is None or function.guard is not Guard.CALLERS or function.entry & GradMode.ON:
        return False
    return each.target.made_under is function.entry and bool(each.place.tests or each.place.passed)


def _cut(target: Value) -> Cut | None:
    """How a tensor is without a graph, or a view lost the one of its base."""
    if target.requires_grad is Answer.NO:
        return target.cut
    if target.is_view and target.requires_grad is Answer.UNKNOWN and target.made_at is not None:
        how = {GradMode.OFF: Loss.NO_GRAD, GradMode.INFERENCE: Loss.INFERENCE}.get(target.made_under)
        return None if how is None else Cut(how, target.made_at)
    return None
