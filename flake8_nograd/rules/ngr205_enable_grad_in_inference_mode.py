"""Gradients asked for under `inference_mode`, which `enable_grad` does not lift.

`enable_grad()` undoes `no_grad()`. Under `torch.inference_mode()` it sets a flag
that nothing there heeds: `torch.is_grad_enabled()` says true, and no operation
records a graph. `backward()` then raises on torch 2.13

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

and so does `torch.autograd.grad`. The same with `torch.set_grad_enabled(True)`.

`torch.autograd.functional` turns gradients on by itself, in the same way:
`jacobian`, `hessian`, `vjp`, `jvp`, `hvp` and `vhp` give nothing but zeros under
`inference_mode`, without a word. Under `no_grad` they are right. (`torch.func`
is right under both.)

`torch.inference_mode(False)` does lift it, for tensors that were not made under
it. `no_grad` in place of the outer `inference_mode` is the easier way.

Example:

    import torch


    def attack(model, loss_fn, x, y):
        with torch.inference_mode():
            clean = model(x)
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                loss_fn(model(x), y).backward()
            return clean, model(x + x.grad.sign())

Use instead:

    import torch


    def attack(model, loss_fn, x, y):
        with torch.no_grad():
            clean = model(x)
            with torch.enable_grad():
                x = x.clone().requires_grad_()
                loss_fn(model(x), y).backward()
            return clean, model(x + x.grad.sign())

Fix safety:

    Safe where the inner block begins with statements that go back through what
    they compute: it raised. Unsafe elsewhere: the inner block begins to record a
    graph, and the functions of `torch.autograd.functional` begin to give other
    numbers than zeros. A tensor of the inner block then needs `.detach()` before
    `.numpy()`. A decorator is left, as the function may be called for other things.

When to silence it:

    When the switch is there for callers that are not in the file.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    - https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
    - https://github.com/pytorch/pytorch/issues/128264
"""

from __future__ import annotations

from collections.abc import Iterator

from ..differentiating import is_tested
from ..edits import NO_GRAD, Fix, Replace
from ..facts import Backward, Differentiation, FileFacts, Form, Loss, Place, Switch
from ..grad import Answer, GradMode
from ..rule import Finding, rule

FUNCTIONAL = "torch.autograd.functional."


@rule(code="NGR205", name="enable-grad-in-inference-mode", message="`{name}` under inference_mode {consequence}")
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what asks for gradients where inference mode is certain."""
    for switch in facts.switches:
        if _is_without_effect(switch) and not is_tested(facts, switch.function):
            name = switch.api.rpartition(".")[2]
            details = {"name": name, "consequence": "has no effect: nothing is recorded"}
            useless = _made_useless(facts, switch)
            raises = any(each.place.statement in switch.begins for each in useless)
            fix = _fix(switch.place, safe=raises)
            for defect in (switch.anchor, *(each.anchor for each in useless)):
                yield Finding(switch.anchor, details, fix, defect=defect)
    for each in facts.backwards:
        if _gives_zeros(each) and not is_tested(facts, each.place.function):
            name = each.api.rpartition(".")[2]
            yield Finding(each.anchor, {"name": name, "consequence": "gives zeros, without a word"}, _fix(each.place))


def _is_without_effect(switch: Switch) -> bool:
    asks = switch.api in {"torch.enable_grad", "torch.set_grad_enabled"} and switch.enables is Answer.YES
    return asks and switch.before is GradMode.INFERENCE and switch.form is not Form.CONDITION


def _made_useless(facts: FileFacts, switch: Switch) -> list[Backward]:
    """What asks for gradients in the same function, and raises since the switch has no effect."""
    return [
        each
        for each in facts.backwards
        if each.place.function is switch.function and each.target.cut and each.target.cut.how is Loss.INFERENCE
    ]


def _gives_zeros(each: Backward) -> bool:
    functional = each.how is Differentiation.FUNCTIONAL and each.api.startswith(FUNCTIONAL)
    return functional and each.place.grad is GradMode.INFERENCE


def _fix(place: Place, *, safe: bool = False) -> Fix | None:
    blocks = [each for each in place.switches if each.api == "torch.inference_mode"]
    if len(blocks) != 1 or blocks[0].before & GradMode.INFERENCE:
        return None
    block = blocks[0]
    if block.form is not Form.WITH or not block.called or block.arguments:
        return None
    return Fix((Replace(block.anchor, f"{{{NO_GRAD}}}()"),), safe, "Use no_grad instead of inference_mode")
