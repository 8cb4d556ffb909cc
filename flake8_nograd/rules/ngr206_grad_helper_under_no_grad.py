"""A helper that needs gradients, called with gradients off.

An attack, an adaptation at test time, forces as the gradient of an energy: the
function is right, and works in the training loop. Called from an evaluation
under `torch.no_grad()`, it computes its loss without a graph, and torch 2.13
raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

A function that needs gradients can turn them on itself, whoever calls it:
decorate it with `@torch.enable_grad()`. Under `torch.inference_mode()` that does
not help; there the caller has to use `no_grad`.

The rule speaks at the call, of functions of the same file. Where others call the
function with gradients on, it speaks if the function is named for an attack or
the like, or asks `torch.autograd.grad`: of any other, a flag may decide whether
it goes back at all.

Example:

    import torch


    def perturbed(model, loss_fn, x, y):
        x = x.clone().requires_grad_()
        loss = loss_fn(model(x), y)
        loss.backward()
        return x + 0.1 * x.grad.sign()


    def robustness(model, loss_fn, loader):
        model.eval()
        correct = 0
        with torch.no_grad():
            for x, y in loader:
                attacked = perturbed(model, loss_fn, x, y)
                correct += (model(attacked).argmax(1) == y).sum().item()
        return correct

Use instead:

    import torch


    @torch.enable_grad()
    def perturbed(model, loss_fn, x, y):
        x = x.clone().requires_grad_()
        loss = loss_fn(model(x), y)
        loss.backward()
        return x + 0.1 * x.grad.sign()


    def robustness(model, loss_fn, loader):
        model.eval()
        correct = 0
        with torch.no_grad():
            for x, y in loader:
                attacked = perturbed(model, loss_fn, x, y)
                correct += (model(attacked).argmax(1) == y).sum().item()
        return correct

Fix safety:

    Unsafe: what the helper gives back may now have a graph, which a caller under
    `no_grad` did not expect.

When to silence it:

    When the helper goes back only for some of its callers, and not for this one.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.enable_grad.html
    - https://github.com/BorealisAI/advertorch/issues/79
"""

from __future__ import annotations

from collections.abc import Iterator

from ..differentiating import is_tested, needs_gradients
from ..edits import ENABLE_GRAD, Decorate, Fix
from ..facts import Call, FileFacts, Guard
from ..grad import GradMode
from ..rule import Finding, rule


@rule(
    code="NGR206",
    name="grad-helper-under-no-grad",
    message="`{helper}` is called with gradients off, and needs them on line {line}: {remedy}",
    yields_to=("NGR205", "NGR207"),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at calls of functions of the file where gradients are certainly off."""
    for call in facts.calls:
        caller = call.place.function
        if caller is not None and caller.guard is Guard.FRAMEWORK and not call.place.switches:
            continue
        for each in needs_gradients(facts, call):
            if call.function is not None and not is_tested(facts, caller):
                inference = bool(call.place.grad & GradMode.INFERENCE)
                remedy = "use no_grad, which enable_grad undoes" if inference else "decorate it with enable_grad"
                details = {"helper": call.function.name, "remedy": remedy}
                fix = None if inference else _fix(call)
                yield Finding(call.anchor, details, fix, also=each.anchor, defect=each.anchor)


def _fix(call: Call) -> Fix | None:
    helper = call.function
    if helper is None or helper.is_async or helper.is_generator or not helper.name.isidentifier():
        return None
    return Fix((Decorate(helper.anchor, ENABLE_GRAD),), False, "Decorate the helper with enable_grad")
