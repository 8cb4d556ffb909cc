"""A generator yields inside a no-grad block: its consumer runs without gradients.

Grad mode belongs to the thread, not to the function. A generator that stops at
a `yield` inside `with torch.no_grad():` has not left the block, so gradients
are off in whatever code asked for the item, until it asks for the next one. A
training step in that loop fails, in torch 2.13 with

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

After `break` they stay off until the generator is closed or collected. Two
such generators side by side (`zip(batches(), batches())`) are not left in the
reverse order of entering, and gradients then stay off for good.

`@torch.no_grad()` on a generator function does what is wanted: torch enters the
mode each time the generator runs and leaves it at each `yield`. So does a
block that is left before the `yield`.

The rule is silent where the mode is meant for the consumer: context managers
(`@contextmanager`), pytest fixtures and hooks; where a decorator it does not
know may make one; and where all callers in the file have gradients off anyway.

Example:

    import torch


    def predictions(model, loader):
        with torch.no_grad():
            for x in loader:
                yield model(x)

Use instead:

    import torch


    @torch.no_grad()
    def predictions(model, loader):
        for x in loader:
            yield model(x)

Fix safety:

    Safe, and offered where the block is all that the function does: the
    generator computes what it did, and only its consumer gets its gradients
    back. The decorator is `no_grad` whatever the block was. Elsewhere move the
    `yield` out of the block. The decorator has no effect on an `async`
    generator.

When to silence it:

    When the generator is driven by code that wants its mode, as a context
    manager is.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://github.com/pytorch/pytorch/pull/49017
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import NO_GRAD, Decorate, Fix, Unwrap
from ..facts import FileFacts, Form, Function, Kind, Switch, Yield
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR406",
    name="yield-under-no-grad",
    message="the `yield` on line {line} stands inside {switch}: what consumes it runs without gradients, too",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what stands around each ``yield``."""
    reported: set[Switch] = set()
    for each in facts.yields:
        function = each.place.function
        if each.is_await or function is None or not _reaches_the_consumer(each) or _is_meant(facts, function):
            continue
        switch = _innermost(each)
        if switch is None or switch in reported:
            continue
        reported.add(switch)
        details = {"switch": switch.api.rsplit(".", 1)[-1]}
        yield Finding(switch.anchor, details, _mended(function, switch), also=each.anchor)


def _reaches_the_consumer(each: Yield) -> bool:
    function = each.place.function
    return not each.place.grad & GradMode.ON and function is not None and bool(function.entry & GradMode.ON)


def _innermost(each: Yield) -> Switch | None:
    off = [switch for switch in each.place.switches if switch.form is Form.WITH and switch.enables is Answer.NO]
    return off[-1] if off else None


def _is_meant(facts: FileFacts, function: Function) -> bool:
    """Whether the mode is for the consumer, or torch's decorator takes it back at each ``yield``."""
    if any(name.rsplit(".", 1)[-1] not in HARMLESS for name in function.decorators):
        return True
    return function.is_test or any(
        value.kind is Kind.FUNCTION and value.label.rsplit(".", 1)[-1] == function.name
        for call in facts.calls
        if call.function is None
        for value in call.arguments
    )


HARMLESS = frozenset({"staticmethod", "classmethod", "abstractmethod", "override", "final", "overload", "ignore"})
"""Decorators that leave a generator function what it is."""


def _mended(function: Function, switch: Switch) -> Fix | None:
    if not switch.spans_body or function.is_async:
        return None
    return Fix((Unwrap(switch.anchor), Decorate(function.anchor, NO_GRAD)), True, "Decorate the generator instead")
