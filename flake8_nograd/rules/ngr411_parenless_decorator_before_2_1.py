"""A decorator of torch has no parentheses, and the project supports torch before 2.1.

`@torch.no_grad`, `@torch.enable_grad` and `@torch.inference_mode` decorate a
function since torch 2.1, with or without parentheses. Before, `no_grad` took no
argument, so the bare form raises `TypeError` when the module is imported.

The rule speaks where the option `torch-version` says that the project supports
a torch older than 2.1.

Example:

    import torch


    @torch.no_grad
    def predict(model, x):
        return model(x)

Use instead:

    import torch


    @torch.no_grad()
    def predict(model, x):
        return model(x)

Fix safety:

    Safe: both are the same since torch 2.1.

When to silence it:

    Raise `torch-version` instead, to the oldest torch that the project
    supports.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, Replace
from ..facts import FileFacts, Form
from ..rule import Finding, rule

SINCE = (2, 1)


@rule(
    code="NGR411",
    name="parenless-decorator-before-2.1",
    message="@{switch} without parentheses needs torch 2.1, and this project supports torch {version}",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at each decorator, when the project supports an old torch."""
    version = facts.settings.torch_version
    if version is None or version >= SINCE:
        return
    for each in facts.switches:
        decorates = each.form in {Form.DECORATOR, Form.CLASS_DECORATOR}
        if decorates and not each.called and each.api != "torch.set_grad_enabled":
            details = {"switch": each.api.rsplit(".", 1)[-1], "version": ".".join(map(str, version))}
            yield Finding(each.anchor, details, Fix((Replace(each.anchor, "{0}()"),), True, "Call it"))
