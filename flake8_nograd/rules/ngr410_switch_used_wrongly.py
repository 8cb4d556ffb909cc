"""A grad-mode switch is given an argument it does not take, entered inside itself, or left before the code in it runs.

What torch 2.13 does with them:

- `no_grad` and `enable_grad` take no argument. What stands in the parentheses
  is taken for the function to decorate, so `with torch.no_grad(True):` raises
  `TypeError: 'function' object does not support the context manager protocol`.
  The same goes for `inference_mode` when the argument is no bool.
- `set_grad_enabled` wants a bool: `set_grad_enabled("train")` raises
  `TypeError: set_grad_enabled(): argument 'enabled' (position 1) must be bool, not str`.
  Without parentheses, as a decorator, it is handed the function and raises the
  same. A string is no flag: compare it (`phase == "train"`).
- One `no_grad()` object keeps one mode to go back to. Entered inside itself, it
  forgets the first, and gradients stay off when both blocks are left. An
  `inference_mode()` object stays in inference mode. Nothing is raised.
- A generator expression and `map(model, batches)` run a model when they are
  consumed. Made under `no_grad()` and consumed after it, or returned from a
  decorated function, they run it with gradients on, and every output has a graph.
  `list(...)` inside of the block runs them there; a list comprehension does, too.
  `enumerate`, `zip` and an object that keeps what it is given take nothing from it yet.

It is on: the arguments raise, the nested object leaves gradients off, and of what is lazy
the mode is certain where it is consumed.

Example:

    import torch


    def predict(model, x):
        with torch.no_grad(True):
            return model(x)

Use instead:

    import torch


    def predict(model, x):
        with torch.no_grad():
            return model(x)

Fix safety:

    None: what was meant by the argument, and where a generator is to be consumed,
    its author knows.

When to silence it:

    Where the error is expected. The rule is silent in tests that use
    `pytest.raises` or `assertRaises`.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.set_grad_enabled.html
    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..expected_errors import expects_an_error
from ..facts import Anchor, FileFacts, Form, LazyRun, Place, Purpose, Switch
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(code="NGR410", name="switch-used-wrongly", message="{switch} {what}")
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what each switch is given, and at what it stands in."""
    for each in facts.switches:
        what = _misuse(each)
        if not what and _is_inside_itself(each):
            what = "is entered inside itself: gradients stay off when both blocks are left"
        if what and not expects_an_error(facts, each.function):
            yield Finding(each.anchor, {"switch": each.api.rsplit(".", 1)[-1], "what": what})
    reported: set[Anchor] = set()
    for run in facts.lazy_runs:
        switch = _left_before(facts, run)
        if switch and run.anchor not in reported:
            reported.add(run.anchor)
            yield Finding(run.anchor, {"switch": switch, "what": LATE}, also=run.consumed)


LATE = "is left before this runs, and it records a graph: make a list of it inside"


def _misuse(switch: Switch) -> str:
    """What is wrong with the arguments."""
    wants_flag = switch.api == "torch.set_grad_enabled"
    decorates = switch.form in {Form.DECORATOR, Form.CLASS_DECORATOR}
    if wants_flag and decorates and not switch.called:
        return "without parentheses is handed the function, and raises TypeError: it wants True or False"
    if switch.arguments is None or (switch.form is Form.STATEMENT and not wants_flag):
        return ""
    if wants_flag and not switch.arguments:
        return "wants True or False, and raises TypeError without"
    literal = switch.arguments[0].literal if switch.arguments else ""
    if wants_flag or switch.api == "torch.inference_mode":
        return (
            "" if literal in {"", "bool"} else f"wants True or False, and raises TypeError when it is given {literal}"
        )
    # A None may be taken for no argument.
    if switch.arguments and literal != "None" and (literal or switch.form is Form.WITH):
        return "takes no argument, and raises TypeError with one"
    return ""


def _left_before(facts: FileFacts, run: LazyRun) -> str:
    """The switch under which something lazy is made that runs with gradients on."""
    if run.grad is not GradMode.ON or run.made.grad & GradMode.ON or _is_harmless(facts, run):
        return ""
    around = [each.api for each in run.made.switches if each.enables is Answer.NO] or _decorators(facts, run.made)
    return around[-1].rsplit(".", 1)[-1] if around else ""


def _is_harmless(facts: FileFacts, run: LazyRun) -> bool:
    """Whether nothing trains there, or the graph is what is wanted."""
    frozen = {each.anchor for each in facts.forwards if each.frozen is Answer.YES}
    wanted = any(each.purpose is Purpose.GRADIENT and each.value.forwards & run.forwards for each in facts.uses)
    return wanted or run.forwards <= frozen


def _decorators(facts: FileFacts, place: Place) -> list[str]:
    return [
        each.api
        for each in facts.switches
        if each.form is Form.DECORATOR and each.enables is Answer.NO and each.function is place.function
    ]


def _is_inside_itself(switch: Switch) -> bool:
    keeps_one = switch.api in {"torch.no_grad", "torch.inference_mode"} and switch.form is Form.WITH
    return keeps_one and switch.made is not None and any(each.made is switch.made for each in switch.place.switches)
