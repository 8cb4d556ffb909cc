"""Gradients are switched off where they are off already.

A `with torch.no_grad():` inside another one, inside `inference_mode`, or in a
function that is decorated with either changes nothing, and neither does one in
`forward` of an `autograd.Function` or in a Lightning validation hook, which run
without gradients. It does no harm; it may mislead the reader, who thinks that
gradients were on. `backward` and the hooks of a backward pass are another matter:
they run with gradients on when it is asked to create a graph.

The rule is off, since many write it on purpose: the inner function stays
guarded when it is called from elsewhere, or the outer guard is removed. In 130
published packages it spoke 33 times, of code that works.

Example:

    import torch


    @torch.no_grad()
    def predict(model, x):
        with torch.no_grad():
            return model(x)

Use instead:

    import torch


    @torch.no_grad()
    def predict(model, x):
        return model(x)

Fix safety:

    Safe inside another block or decorator of the same function: the mode is
    the same without. Unsafe where a framework switches gradients off, as
    somebody else may call the method, too.

When to silence it:

    Where the outer guard is to go, or to be optional.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import torch_api
from ..edits import Fix, Unwrap
from ..facts import FileFacts, Form, Guard, Switch
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR409",
    name="redundant-no-grad",
    message="{switch} changes nothing: gradients are off here already",
    default=False,
    yields_to=("NGR410",),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at each block for what stands around it."""
    for each in facts.switches:
        changes_nothing = each.before is each.after and not each.before & GradMode.ON
        if each.form is not Form.WITH or each.enables is not Answer.NO or not each.called or not changes_nothing:
            continue
        inside = _is_inside_another(each)
        if inside or _is_in_a_hook(each):
            keeps = any(other.form is Form.STATEMENT and each in other.place.switches for other in facts.switches)
            fix = None if keeps else Fix((Unwrap(each.anchor),), inside, "Take it away")
            yield Finding(each.anchor, {"switch": each.api.rsplit(".", 1)[-1]}, fix)


def _is_inside_another(switch: Switch) -> bool:
    function = switch.function
    around = any(each.enables is Answer.NO for each in switch.place.switches)
    decorated = (
        function is not None
        and not function.is_async
        and any(name in torch_api.SWITCHES for name in function.decorators)
    )
    return around or decorated


def _is_in_a_hook(switch: Switch) -> bool:
    """Whether a framework calls the function, and always without gradients."""
    function = switch.function
    return function is not None and function.guard is Guard.FRAMEWORK
