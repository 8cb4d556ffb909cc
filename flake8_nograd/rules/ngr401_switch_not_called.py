"""A `with` statement names a grad-mode switch and does not call it.

`torch.no_grad` is a class; what can be entered is `torch.no_grad()`. Python
raises when it gets there, which may be at the first evaluation after hours of
training: on Python 3.13

    TypeError: 'type' object does not support the context manager protocol

and so does `stack.enter_context(torch.no_grad)` on an `ExitStack`.
As a decorator `@torch.no_grad` works without parentheses since torch 2.1.

Example:

    import torch


    def predict(model, x):
        with torch.no_grad:
            return model(x)

Use instead:

    import torch


    def predict(model, x):
        with torch.no_grad():
            return model(x)

Fix safety:

    Safe: the statement raises as it stands. `set_grad_enabled` has no fix, as
    its argument is missing.

When to silence it:

    Where the error is expected. The rule is silent in tests that use
    `pytest.raises` or `assertRaises`.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..expected_errors import expects_an_error
from ..facts import FileFacts, Form
from ..rule import Finding, rule

WHAT = {Form.WITH: "with", Form.ENTERED: "enter_context"}


@rule(
    code="NGR401",
    name="switch-not-called",
    message="`{what}` enters the class {switch} itself, which raises TypeError: call it",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at each ``with``, and at each ``enter_context``."""
    for each in facts.switches:
        if each.form in WHAT and not each.called and not expects_an_error(facts, each.function):
            fix = Fix((Replace(each.anchor, "{0}()"),), True, "Call it")
            needs_argument = each.api == "torch.set_grad_enabled"
            details = {"switch": each.api.rsplit(".", 1)[-1], "what": WHAT[each.form]}
            yield Finding(each.anchor, details, None if needs_argument else fix)
