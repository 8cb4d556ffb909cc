"""Evaluations in functions that other tensors leave, of which their callers may ask gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scope import Scope, Thing
from .training import caught, evaluate

if TYPE_CHECKING:
    from .statements import Writer

_GIVEN_BACK = ("return", "return", "pair", "dictionary", "list", "function", "yield")
_KEPT = (
    *("argument", "helper", "changed", "attribute", "of self", "of the model"),
    *("global", "collected", "item", "here"),
)
_NAMES = ("keep", "kept", "extra", "holder", "inputs", "prediction", "judge", "weighted")


def evaluation_with_others(writer: Writer) -> None:
    """A function that evaluates, and lets another tensor go; then what its caller does with that."""
    pick, chance = writer.choices.pick, writer.choices.chance
    name, data = writer.unused("assess", "measure", "inspect"), writer.unused("data", "samples", "points")
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    taken = any(writer.scope.taken(each) for each in _NAMES)
    if not name or not data or model is None or not model.isidentifier() or taken or writer.scope.in_loop:
        evaluate(writer)
        return
    writer.scope.inner |= {name, *_NAMES}
    loader = writer.held(Thing.LOADER)
    weight = pick((f"next({model}.parameters())", writer.variable(Thing.MATRIX) or writer.leaf()))
    way = pick(_GIVEN_BACK if chance(50) else _KEPT)
    source = _before(writer, way, model)
    if chance(20):
        writer.line("def weighted(value):")
        writer.line("    return value * 2")
        weight = f"weighted({weight})"
    is_method = way == "of self" or chance(20)
    inside, parameters = model, dict[str, Thing]()
    if is_method and "self." in weight:
        weight = writer.leaf()  # There, another object is ``self``.
    if is_method:
        writer.line("class Judge:")
        writer.line("    def __init__(self, model):")
        writer.line("        self.model = model")
        inside, parameters = "self.model", {"self": Thing.NONE}
        writer.depth += 1
    elif chance(50):
        parameters = {model: Thing.MODEL}
    if chance(70):
        parameters[data] = Thing.LOADER
    arguments = [model] * (model in parameters) + [loader] * (data in parameters)
    if way in {"argument", "changed"}:
        parameters["kept"] = Thing.NONE
        arguments.append(source)
    writer.line(f"def {name}({', '.join(parameters)}):")
    _body(writer, way, inside, data if data in parameters else loader, weight, parameters)
    if is_method:
        writer.depth -= 1
        writer.line(f"judge = Judge({model})")
        name = f"judge.{name}"
    _called(writer, way, f"{name}({', '.join(arguments)})", source)


def _called(writer: Writer, way: str, call: str, source: str) -> None:
    got = {
        "return": call,
        "pair": f"{call}[1]",
        "dictionary": f'{call}["extra"]',
        "list": f"{call}[-1]",
        "function": f"{call}()",
        "yield": f"next(iter({call}))",
    }
    if way in got:
        writer.line(f"kept = {got[way]}")
        source = "kept"
    elif source:
        writer.line(call)
        source = f"{source}[-1]" if way in {"argument", "helper", "collected"} else source
        source = f'{source}["extra"]' if way == "item" else source
    else:
        writer.line(f"print({call})")
        return
    wanted(writer, source)


def _before(writer: Writer, way: str, model: str) -> str:
    """What keeps the tensor, made before; gives how the caller reaches it."""
    if way in {"argument", "helper", "collected"}:
        writer.line("kept = []")
    elif way in {"changed", "global"}:
        writer.line(f"kept = {writer.spelling.torch}.zeros(2, 2)")
    elif way == "item":
        writer.line("kept = {}")
    elif way == "attribute":
        writer.line("class Holder:")
        writer.line("    extra = None")
        writer.line("holder = Holder()")
        return "holder.extra"
    elif way in {"of self", "of the model"}:
        return "judge.extra" if way == "of self" else f"{model}.extra"
    else:
        return ""
    if way == "helper":
        writer.line("def keep(tensor):")
        writer.line("    kept.append(tensor)")
    return "kept"


def _body(writer: Writer, way: str, model: str, loader: str, weight: str, parameters: dict[str, Thing]) -> None:
    pick, chance = writer.choices.pick, writer.choices.chance
    outside = writer.scope
    writer.scope = Scope(parent=outside, things=dict(parameters), inner={"kept"})
    writer.depth += 1
    if way == "global":
        writer.line(f"{'global' if outside.is_module else 'nonlocal'} kept")
    extra = [
        f"extra = {pick(_EXTRAS).format(weight)}",
        *([writer.marked("extra")] if chance(40) else []),
    ]
    let_go = {
        "argument": "kept.append(extra)",
        "helper": "keep(extra)",
        "collected": pick(("kept.append(extra)", "kept.extend([extra])")),
        "changed": pick(("kept.add_(extra)", "kept.copy_(extra)", "kept[:] = extra", "kept += extra")),
        "attribute": "holder.extra = extra",
        "of self": "self.extra = extra",
        "of the model": f"{model}.extra = extra",
        "global": "kept = extra",
        "item": 'kept["extra"] = extra',
    }
    if way in let_go:
        extra.append(let_go[way])
    where = pick(("before", "within", "after", "within"))
    if where == "before":
        _lines(writer, extra)
    if chance(85):
        writer.line(f"{model}.eval()")
    over = chance(70)
    if over:
        writer.line(f"for inputs, _ in {loader}:")
        writer.depth += 1
        writer.scope.things["inputs"] = Thing.MATRIX
    given = "inputs" if over else writer.matrix(1)
    if where != "before" and chance(15):
        # What the model gives leaves itself, and another part of it is looked at.
        extra[0] = f"extra = {pick(('prediction', 'prediction.sum()', 'prediction.detach()', 'prediction * 2'))}"
    writer.line(f"prediction = {model}({given})")
    if where == "within":
        _lines(writer, extra)
    if chance(25):
        writer.statement()
    writer.line(f"print(prediction.{pick(('sum().item()', 'argmax(1)', 'detach().sum().item()'))})")
    writer.depth -= over
    if where == "after":
        _lines(writer, extra)
    if way == "here":
        caught(writer, ["extra.sum().backward()", "print(1)"], "RuntimeError")
    last = {
        "return": "return extra",
        "pair": "return prediction.sum().item(), extra",
        "dictionary": 'return {"extra": extra}',
        "list": "return [extra]",
        "function": "return lambda: extra * 2",
        "yield": "yield extra",
    }
    if way in last:
        writer.line(last[way])
    writer.depth -= 1
    writer.scope = outside


def _lines(writer: Writer, lines: list[str]) -> None:
    for each in lines:
        writer.line(each)


def wanted(writer: Writer, source: str) -> None:
    """What the caller does with it."""
    pick = writer.choices.pick
    torch = writer.spelling.torch
    writer.line(writer.marked(source))
    kind = pick(("flag", "backward", "backward", "later", "grad"))
    if writer.scope.is_module:
        # A function that looks at that is another thing without gradients.
        writer.line(f"print({source}.requires_grad, {source}.is_leaf)")
    if kind == "backward":
        caught(writer, [f"{source}.sum().backward()", "print(1)"], "RuntimeError")
    elif kind == "later":
        leaf = writer.leaf()
        caught(writer, [f"({source} * {leaf}).sum().backward()", "print(1)"], "RuntimeError")
    elif kind == "grad":
        leaf = writer.variable(Thing.MATRIX) or writer.leaf()
        grads = f"{torch}.autograd.grad({source}.sum(), {leaf}, allow_unused=True)"
        caught(writer, [f"print({grads}[0] is None)"], "RuntimeError")


_EXTRAS = (
    "({} * 2)",
    "({} ** 2).sum()",
    "{}.norm()",
    "{}.t()",
    "0.1 * {}",
    "{}",
    "{}.clone()",
    "{}[0]",
    "{}.detach().requires_grad_()",
    "{}.detach() * 2",
    "{}.abs().sum() + 1",
)
