"""An optimizer's `step` that calls its closure with gradients off.

The closure that `optimizer.step(closure)` is given computes the loss and calls
`backward()` on it. Under the `@torch.no_grad()` that the update of the weights
needs, the loss gets no graph. torch 2.13 raises

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

Nothing shows as long as `step()` is called without a closure. Lightning always
passes one, so that such an optimizer fails there at its first step. All
optimizers of `torch.optim` call it under `torch.enable_grad()`.

A closure that does not call `backward()` is worse off: its loss is right, and
the update uses the gradients of the step before.

The rule wants a method `step` whose class reads gradients (`p.grad`), or calls
another `step`; an optimizer that only compares the values of the loss needs
none. It is silent where the closure is wrapped first
(`closure = torch.enable_grad()(closure)`).

Example:

    import torch
    from torch.optim import Optimizer


    class Descent(Optimizer):
        @torch.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.add_(p.grad, alpha=-group["lr"])
            return loss

Use instead:

    import torch
    from torch.optim import Optimizer


    class Descent(Optimizer):
        @torch.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.add_(p.grad, alpha=-group["lr"])
            return loss

Fix safety:

    Safe: the numbers that the closure computes do not depend on grad mode, and
    a closure that turns gradients on by itself, or needs none, gives what it
    gave before. There is no fix under `inference_mode`, which `enable_grad` does
    not lift.

When to silence it:

    When the closures that are passed never call `backward()`.

References:

    - https://docs.pytorch.org/docs/stable/optim.html#optimizer-step-closure
    - https://github.com/Lightning-AI/pytorch-lightning/issues/18254
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import ENABLE_GRAD, Fix, Wrap
from ..facts import Call, FileFacts, Function
from ..grad import GradMode
from ..rule import Finding, rule


@rule(
    code="NGR208",
    name="closure-under-no-grad",
    message="`{closure}()` is called with gradients off, where its backward() raises: call it under enable_grad",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at the calls of what `step` is given."""
    reported = set()
    for call in facts.calls:
        step = call.place.function
        if step is None or step.name != "step" or "closure" not in call.api or call.api not in step.parameters:
            continue
        if call.place.grad is GradMode.NEVER or call.place.grad & GradMode.ON or call.anchor in reported:
            continue
        if _is_rebound(facts, step, call.api) or not _needs_gradients(facts, step):
            continue
        reported.add(call.anchor)
        yield Finding(call.anchor, {"closure": call.api}, _fix(facts, call))


def _is_rebound(facts: FileFacts, step: Function, name: str) -> bool:
    return any(each.place.function is step and each.target.label == name for each in facts.assignments)


def _needs_gradients(facts: FileFacts, step: Function) -> bool:
    """Whether the class works with gradients, or leaves the work to another optimizer."""
    if any(each.reads_grad for each in facts.functions if each is step or _same_class(each, step)):
        return True
    return any(each.place.function is step and each.api == ".step" for each in facts.calls)


def _same_class(one: Function, other: Function) -> bool:
    return one.owner is not None and one.owner is other.owner


def _fix(facts: FileFacts, call: Call) -> Fix | None:
    """Only of a simple statement that does nothing but call it."""
    statement = call.place.statement
    simple = call.is_statement or any(each.place.statement is statement for each in facts.assignments)
    changes = any(each.place.statement is statement for each in facts.writes)
    if not simple or changes or call.place.grad is not GradMode.OFF:
        return None
    return Fix((Wrap((statement,), ENABLE_GRAD),), True, "Call the closure under enable_grad")
