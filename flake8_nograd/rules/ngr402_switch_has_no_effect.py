"""`torch.no_grad()` stands alone as a statement and does nothing.

`no_grad()`, `enable_grad()` and `inference_mode()` make a context manager. The
mode changes when it is entered by `with`, not when it is made: after the
statement `torch.no_grad()` gradients are on as before, what the code computes
keeps its graph, and nothing is raised. `if torch.no_grad():` does not enter it
either: as a condition it is always true. Only `torch.set_grad_enabled(...)` acts
when it is called. The rule is silent where an `AttributeError` is caught: there an
old torch is asked whether it has the name.

It is on, as nothing of what it says is a matter of judgement.

Example:

    import torch


    def predict(model, x):
        torch.no_grad()
        return model(x)

Use instead:

    import torch


    def predict(model, x):
        with torch.no_grad():
            return model(x)

Fix safety:

    Unsafe: what follows in the block is put under the switch, and what it
    computes has no graph any more. Where the block is to end is a guess. There
    is no fix for a condition.

When to silence it:

    Never, as far as we know.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://github.com/kuprel/min-dalle/issues/24
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import ENABLE_GRAD, NO_GRAD, Fix, Remove, WrapRest
from ..expected_errors import asks_whether_it_exists
from ..facts import FileFacts, Form, Switch
from ..grad import Answer
from ..rule import Finding, rule


@rule(
    code="NGR402",
    name="switch-has-no-effect",
    message="{switch} as a {form} changes nothing: enter it by `with`",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at each statement that is a switch and no more, and at each that is asked whether it is true."""
    for each in facts.switches:
        if (each.called and each.api == "torch.set_grad_enabled") or asks_whether_it_exists(each.place):
            continue
        details = {"switch": each.api.rsplit(".", 1)[-1], "form": each.form.value}
        if each.form is Form.CONDITION:
            yield Finding(each.anchor, details)
        elif each.form is Form.STATEMENT:
            yield Finding(each.anchor, details, _mended(facts, each))


def _mended(facts: FileFacts, switch: Switch) -> Fix | None:
    statement = switch.place.statement
    if not switch.rest or switch.enables is Answer.UNKNOWN:
        return None
    if any(each.place.function is switch.function for each in facts.yields):
        return None
    using = ENABLE_GRAD if switch.enables is Answer.YES else NO_GRAD
    return Fix((WrapRest(statement, using), Remove(statement)), False, "Run the rest of the block under it")
