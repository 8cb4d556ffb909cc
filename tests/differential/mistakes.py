"""Mistakes that rules with a safe fix speak of, where programs made at random seldom have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .scope import Thing
from .training import caught

if TYPE_CHECKING:
    from .statements import Writer


def toggled(writer: Writer) -> None:
    """Gradients are switched off by hand, and on."""
    enabled = writer.spelling.of("set_grad_enabled")
    writer.line(f"{enabled}(False)")
    before, writer.scope.off = writer.scope.off, True
    writer.statement()
    writer.line(writer.marked("None"))
    writer.scope.off = before
    writer.line(f"{enabled}(True)")


def detached_loss(writer: Writer) -> None:
    """``backward`` on what has no graph any more."""
    loss = writer.bind(Thing.SCALAR, writer.scalar())
    lost = writer.choices.pick((".data", ".data", ".detach()"))
    caught(writer, [f"{loss}{lost}.backward()"], "RuntimeError")


def forced_loss(writer: Writer) -> None:
    """A loss without a graph, which is made to require gradients before ``backward``."""
    pick = writer.choices.pick
    loss = writer.bind(Thing.SCALAR, f"({writer.scalar()}){pick(('.detach()', '.data', '.detach().clone()', ''))}")
    lines = [f"{loss}{pick(('.requires_grad_()', '.requires_grad = True'))}", writer.marked(loss)]
    lines.append(f"{pick((loss, loss, f'({loss} / 2)', f'({loss} + {writer.scalar()})'))}.backward()")
    caught(writer, lines, "RuntimeError")


def inference_tensor(writer: Writer) -> None:
    """A tensor of inference mode where autograd records."""
    pick = writer.choices.pick
    model = writer.held(Thing.MODEL)
    writer.line(f"with {writer.spelling.of('inference_mode')}():")
    writer.depth += 1
    name = writer.bind(Thing.MATRIX, f"{model}({writer.matrix(1)})")
    writer.depth -= 1
    use = pick((f"{model}({name}).sum().backward()", f"{name}.add_(1)", f"print({model}({name}).sum().item())"))
    caught(writer, [use], "RuntimeError")


def not_called(writer: Writer) -> None:
    """``with torch.no_grad:``."""
    name = writer.spelling.of(writer.choices.pick(("no_grad", "no_grad", "enable_grad", "inference_mode")))
    caught(writer, [f"with {name}:", f"    print({writer.matrix(1)})"], "(TypeError, AttributeError)")


def misspelt(writer: Writer) -> None:
    """An argument that torch does not know."""
    torch = writer.spelling.torch
    caught(writer, [f"print({torch}.ones(2, 2, require_grad=True))"], "TypeError")


def yielding(writer: Writer) -> None:
    """A generator that is all under no-grad, with its consumer."""
    name = writer.unused("predictions", "batches_of")
    model, loader = writer.variable(Thing.MODEL, Thing.LINEAR), writer.variable(Thing.LOADER)
    first = writer.unused("prediction", "sample", "batch")
    if not name or model is None or loader is None or not first or writer.scope.in_loop:
        toggled(writer)
        return
    writer.scope.inner.add(name)
    writer.line(f"def {name}(data):")
    writer.line(f"    with {writer.spelling.of(writer.choices.pick(('no_grad', 'inference_mode', 'no_grad')))}():")
    writer.line("        for inputs, _ in data:")
    writer.line(f"            yield {model}(inputs)")
    writer.line(f"for {first} in {name}({loader}):")
    writer.depth += 1
    writer.line(writer.marked(first))
    outside, writer.scope = writer.scope, writer.scope.fork()
    writer.scope.things[first] = Thing.MATRIX
    writer.scope.in_loop = writer.scope.off = True
    if writer.choices.chance(50):
        writer.statement()
    writer.scope = outside
    writer.line(f"print({first}.sum().item())")
    writer.depth -= 1


def wrong_order(writer: Writer) -> None:
    """A switch above ``staticmethod`` or ``property``, or below, where it belongs."""
    name = writer.unused("Metric", "Box")
    if not name or writer.scope.in_loop:
        toggled(writer)
        return
    writer.scope.inner.add(name)
    kind = writer.choices.pick(("staticmethod", "classmethod", "property", "classmethod"))
    decorators = [f"@{kind}", f"@{writer.spelling.of(writer.choices.pick(('no_grad', 'inference_mode')))}()"]
    if writer.choices.chance(50):
        decorators.reverse()
    first = {"staticmethod": "", "classmethod": "cls, ", "property": "self"}[kind]
    given = writer.variable(Thing.MATRIX) or writer.leaf()
    writer.line(f"class {name}:")
    for each in decorators:
        writer.line(f"    {each}")
    writer.line(f"    def area({first}{'' if kind == 'property' else 'a'}):")
    writer.line(f"        return {writer.marked(f'{given} * 2' if kind == 'property' else 'a * 2')}")
    holder = name if writer.choices.chance(40) and kind != "property" else f"{name}()"
    used = f"{holder}.area" if kind == "property" else f"{holder}.area({given})"
    caught(writer, [f"print({used}.sum())"], "(TypeError, AttributeError)")


MISTAKES: tuple[Callable[[Writer], None], ...] = (
    *(toggled,) * 3,
    *(detached_loss,) * 2,
    *(forced_loss,) * 2,
    *(inference_tensor,) * 2,
    not_called,
    misspelt,
    *(yielding,) * 3,
    *(wrong_order,) * 3,
)
