"""A grad-mode switch does not reach the code it was meant for, or reaches other tasks.

A decorator of torch switches while the function that it decorates runs. That is
not when the code below runs:

- An `async def` only makes a coroutine, an asynchronous generator only makes a
  generator: what is awaited later runs with gradients on.
- Above `@contextmanager` it guards the making of the manager. Below it, torch
  takes the mode back at the `yield`; either way the `with` block of the caller
  has gradients on. Below is silent when the function does more than to yield,
  since its own code does run without gradients.
- A decorated class is a class no more. Its `__init__` runs without gradients,
  its methods do not, and torch 2.13 warns that `Decorating classes is
  deprecated and will be disabled in future versions`.

An `await` inside a `with torch.no_grad():` is the reverse. Grad mode belongs to
the thread, so all that runs during the `await` has gradients off. Two such
blocks at the same time are not left in the reverse order of entering: the one
that goes on runs with gradients on, and at the end they stay off for good.

Example:

    import contextlib

    import torch


    @torch.no_grad()
    @contextlib.contextmanager
    def evaluating(model):
        model.eval()
        yield model
        model.train()

Use instead:

    import contextlib

    import torch


    @contextlib.contextmanager
    def evaluating(model):
        with torch.no_grad():
            model.eval()
            yield model
            model.train()

Fix safety:

    The body of a context manager, or of an `async def` that awaits nothing, is
    put under `no_grad` and the decorator taken away. Where something is
    awaited, put the switch into a function that is not asynchronous.
    Unsafe: what ran with gradients on then runs without them, as was meant.
    Safe for a context manager that is private to the file (`_evaluating`) or to a
    function, if those who enter it have gradients off anyway, or do nothing but
    evaluate: their models are in eval mode, and what these give leaves the
    function as numbers.

When to silence it:

    An `await` in a block, where the event loop has no other task that uses
    torch.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://docs.python.org/3/library/contextlib.html#contextlib.contextmanager
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import torch_api
from ..edits import ENABLE_GRAD, NO_GRAD, Fix, Unwrap, WrapBody
from ..facts import FileFacts, Form, Function, Guard, Switch
from ..grad import Answer, GradMode
from ..guarding import keeps_no_graph
from ..rule import Finding, rule


@rule(code="NGR407", name="switch-lost-at-await", message="{switch} {what}")
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at decorators and what they decorate, then at what stands around each ``await``."""
    for each in facts.switches:
        what = ""
        if each.form is Form.CLASS_DECORATOR:
            what = "on a class guards its __init__ alone, not its methods, and makes a function of it"
        elif each.form is Form.DECORATOR and each.function is not None:
            what = _lost(facts, each, each.function)
        if what:
            yield Finding(each.anchor, {"switch": _name(each), "what": what}, _mended(facts, each))
    yield from _awaited(facts)


def _name(switch: Switch) -> str:
    return switch.api.rsplit(".", 1)[-1]


def _lost(facts: FileFacts, switch: Switch, function: Function) -> str:
    """What a decorator does not reach."""
    managers = [name for name in function.decorators if _is_manager(name)]
    if any(not _is_manager(name) and not _is_harmless(name) for name in switch.below):
        return ""
    if any(_is_manager(name) for name in switch.below):
        return f"above @{managers[0].rsplit('.', 1)[-1]} has no effect: it is left before the with block is entered"
    if managers and not function.is_async:
        if _does_more(facts, function):
            return ""
        return "has no effect on the with block: its mode is taken back at the yield"
    if function.is_async:
        made = "generator" if function.is_generator else "coroutine"
        return f"has no effect on an async function: it is left when the {made} is made, before it runs"
    return ""


def _is_manager(decorator: str) -> bool:
    return decorator.rsplit(".", 1)[-1] in {"contextmanager", "asynccontextmanager"}


def _is_harmless(decorator: str) -> bool:
    return decorator in torch_api.SWITCHES or decorator.rsplit(".", 1)[-1] in {"abstractmethod", "override", "final"}


def _does_more(facts: FileFacts, function: Function) -> bool:
    """Whether a context manager computes something itself."""
    places = [each.place for each in facts.calls] + [each.place for each in facts.forwards]
    places += [each.place for each in facts.writes]
    return any(place.function is function for place in places)


def _mended(facts: FileFacts, switch: Switch) -> Fix | None:
    function = switch.function
    if function is None or switch.enables is Answer.UNKNOWN:
        return None
    if function.is_async and any(each.place.function is function for each in facts.yields):
        return None
    using = ENABLE_GRAD if switch.enables is Answer.YES else NO_GRAD
    edits = (Unwrap(switch.anchor), WrapBody(function.anchor, using))
    return Fix(edits, using == NO_GRAD and _only_guards(facts, function), "Put the body under the switch instead")


def _only_guards(facts: FileFacts, function: Function) -> bool:
    """Whether a context manager is entered where nobody can want a graph, and by nobody else."""
    calls = [each.place for each in facts.calls if each.function is function]
    private = function.name.startswith("_") or function.parent is not None
    return (
        private
        and function.guard is Guard.CALLERS
        and any(_is_manager(name) for name in function.decorators)
        and bool(calls)
        and all(not place.grad & GradMode.ON or keeps_no_graph(facts, place.function) for place in calls)
    )


def _awaited(facts: FileFacts) -> Iterator[Finding]:
    """Blocks that something is awaited in."""
    reported: set[Switch] = set()
    for each in facts.yields:
        function = each.place.function
        if not each.is_await or function is None or function.is_test or function.name == "main":
            continue
        around = [switch for switch in each.place.switches if switch.enables is Answer.NO]
        leaks = not each.place.grad & GradMode.ON and bool(function.entry & GradMode.ON)
        if leaks and around and around[-1] not in reported:
            reported.add(around[-1])
            what = "is in force for other tasks while this one awaits: leave the block before"
            yield Finding(around[-1].anchor, {"switch": _name(around[-1]), "what": what})
