"""What training scripts consist of: epochs, evaluations, updates, averages, freezing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .scope import Callable_, Scope, Thing

if TYPE_CHECKING:
    from .statements import Writer


def guarded(writer: Writer, lines: list[str], bare: int = 15, block: int = 50) -> None:
    """Lines that may raise: under no-grad, bare, or caught."""
    chosen = writer.choices.below(100)
    if chosen < bare:
        for each in lines:
            writer.line(each)
    elif chosen < bare + block:
        writer.line(f"with {writer.spelling.of('no_grad')}():")
        for each in lines:
            writer.line(f"    {each}")
    else:
        caught(writer, lines, "(RuntimeError, TypeError)")


def caught(writer: Writer, lines: list[str], errors: str) -> None:
    """Lines whose errors are caught."""
    writer.line("try:")
    for each in lines:
        writer.line(f"    {each}")
    writer.line(f"except {errors}:")
    writer.line("    pass")


def backward(writer: Writer) -> None:
    """Ask for gradients."""
    pick = writer.choices.pick
    kind = pick(("model", "model", "loss", "any"))
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    loss = writer.variable(Thing.SCALAR) if kind == "loss" else None
    if kind == "model" and model is not None:
        loss = f"{model}({writer.matrix(1)}).{pick(('sum', 'mean'))}()"
    loss = loss or f"{writer.operand(2)}.{pick(('sum', 'mean'))}()"
    form = pick(("backward", "backward", "retain", "autograd", "grad", "grad", "matrix"))
    torch = writer.spelling.torch
    leaf = writer.variable(Thing.MATRIX)
    if form == "grad" and leaf is not None:
        lines = [f"{torch}.autograd.grad({loss}, {leaf}, allow_unused=True, retain_graph=True)"]
        if writer.choices.chance(40):
            lines = [f"(slope,) = {lines[0]}", writer.marked("slope")]
    elif form == "matrix" and leaf is not None:
        lines = [f"{leaf}.backward({torch}.ones(2, 2), retain_graph=True)"]
    else:
        written = {"backward": "{}.backward()", "retain": "{}.backward(retain_graph=True)"}
        lines = [written.get(form, f"{torch}.autograd.backward({{}})").format(loss)]
    likely = kind == "model" and form not in {"grad", "matrix"} and not writer.scope.off
    guarded(writer, lines, bare=80 if likely else 8, block=3)


def criterion(writer: Writer) -> str:
    """What computes a loss of two matrices."""
    held = writer.variable(Thing.CRITERION)
    return held if held is not None and writer.choices.chance(60) else "F.mse_loss"


def model_and_optimizer(writer: Writer) -> tuple[str, str]:
    """A model with a name, and what trains it, or another."""
    model = writer.held(Thing.MODEL)
    if not model.isidentifier():
        model = writer.bind(Thing.MODEL, model)
    optimizer = writer.variable(Thing.OPTIMIZER)
    return model, optimizer or writer.bind(Thing.OPTIMIZER, writer.made(Thing.OPTIMIZER))


def train_step(writer: Writer) -> None:
    """One step, as every training script has it."""
    model, optimizer = model_and_optimizer(writer)
    loss = writer.bind(Thing.SCALAR, f"{criterion(writer)}({model}({writer.matrix(1)}), {writer.matrix(1)})")
    _step(writer, model, optimizer, loss)
    if writer.choices.chance(30):
        writer.line(f"print({loss}.item())")


def _step(writer: Writer, model: str, optimizer: str, loss: str) -> None:
    chance = writer.choices.chance
    writer.line(f"{optimizer}.zero_grad()")
    guarded(writer, [f"{loss}.backward()"], bare=8 if writer.scope.off else 92, block=3)
    if chance(20):
        writer.line(f"{writer.spelling.nn}.utils.clip_grad_norm_({model}.parameters(), 1.0)")
    writer.line(f"{optimizer}.step()")


def epoch(writer: Writer) -> None:
    """A loop over batches that trains, and adds the losses up or collects them."""
    pick, chance = writer.choices.pick, writer.choices.chance
    model, optimizer = model_and_optimizer(writer)
    loader = writer.held(Thing.LOADER)
    first, second = writer.unused("x", "batch", "sample"), writer.unused("y", "target", "label")
    if not first or not second:
        return
    keeps = pick(("total", "total", "history", "nothing"))
    total = ""
    if keeps == "total":
        total = writer.new_name(Thing.NUMBER)
        writer.line(f"{total} = 0.0")
        writer.hold(total, Thing.NUMBER)
    elif keeps == "history":
        total = writer.bind(Thing.MATRICES, "[]")
    if chance(40):
        writer.line(f"{model}.train()")
    outside = writer.scope
    writer.scope = outside.fork()
    writer.scope.in_loop = True
    several = chance(35)
    if several:
        writer.line(f"for {writer.unused('epoch', 'turn') or '_'} in range({pick(('2', '1'))}):")
        writer.depth += 1
    header = f"for {first}, {second} in {loader}:"
    if chance(25):
        header = f"for {writer.unused('i', 'index') or '_'}, ({first}, {second}) in enumerate({loader}):"
    writer.line(header)
    writer.depth += 1
    writer.scope.things[first] = writer.scope.things[second] = Thing.MATRIX
    if chance(15):
        writer.line(f"if {writer.condition()}:")
        writer.line("    continue")
    loss = writer.new_name(Thing.SCALAR)
    writer.line(f"{loss} = {criterion(writer)}({model}({first}), {second})")
    writer.hold(loss, Thing.SCALAR)
    writer.reveal(loss)
    _step(writer, model, optimizer, loss)
    if chance(30):
        writer.statement()
    if keeps == "total":
        kept = pick(("{}.item()", "{}", "{}.detach()", "{}.item() * 2"))
        writer.line(f"{total} {pick(('+= ', f'= {total} + '))}{kept.format(loss)}")
    elif keeps == "history":
        writer.line(f"{total}.append({pick(('{}.item()', '{}', '{}.detach()')).format(loss)})")
    writer.depth -= 2 if several else 1
    writer.scope = outside
    if total:
        writer.line(writer.marked(total if keeps == "total" else "None"))
    if keeps == "history":
        # Numbers are no matrices.
        del writer.scope.things[total]
        writer.scope.inner.add(total)
    if keeps == "total" and chance(50):
        writer.line(f"print({total})")
    if chance(40):
        evaluate(writer)


def evaluate(writer: Writer) -> None:
    """An evaluation: a model in eval mode, results that become numbers."""
    model, loader = writer.variable(Thing.MODEL, Thing.LINEAR), writer.variable(Thing.LOADER)
    first = writer.unused("x", "batch", "sample")
    if model is None or loader is None or not first:
        writer.statement()
        return
    writer.line(f"{model}.eval()")
    outside, writer.scope = writer.scope, writer.scope.fork()
    writer.scope.in_loop = True
    switched = writer.choices.chance(30)
    if switched:
        writer.line(f"with {writer.switch()}:")
        writer.depth += 1
    writer.line(f"for {first}, _ in {loader}:")
    writer.scope.things[first] = Thing.MATRIX
    writer.depth += 1
    name = writer.bind(Thing.MATRIX, f"{model}({writer.matrix(1)})")
    if writer.choices.chance(40):
        writer.statement()
    writer.line(f"print({name}.{writer.choices.pick(('sum().item()', 'argmax(1)', 'detach().sum().item()'))})")
    writer.depth -= 2 if switched else 1
    writer.scope = outside


def evaluate_one(writer: Writer) -> None:
    """The same for one batch."""
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    if model is None:
        writer.statement()
        return
    writer.line(f"{model}.eval()")
    name = writer.bind(Thing.MATRIX, f"{model}({writer.matrix(1)})")
    writer.line(f"print({name}.{writer.choices.pick(('sum().item()', 'argmax(1)', 'detach()'))})")


def average(writer: Writer) -> None:
    """The weights of a copy follow those of a model."""
    pick = writer.choices.pick
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    copy = writer.unused("ema", "average", "momentum")
    if model is None or not copy:
        train_step(writer)
        return
    writer.line(f"{copy} = copy.deepcopy({model})")
    writer.hold(copy, Thing.MODEL)
    if writer.choices.chance(40):
        writer.line(f"{copy}.load_state_dict({model}.state_dict())")
    writer.line(writer.marked(copy))
    if writer.choices.chance(30):
        writer.line(f"for p in {copy}.parameters():")
        writer.line(f"    p.{pick(('requires_grad_(False)', 'requires_grad = False', 'detach_()'))}")
    if writer.choices.chance(30):
        train_step(writer)
    update = pick(
        (
            "q.mul_(0.9).add_(p, alpha=0.1)",
            "q.copy_(0.9 * q + 0.1 * p)",
            "q.data.mul_(0.9).add_(p.data, alpha=0.1)",
            "q.data = 0.9 * q.data + 0.1 * p.data",
            "q.mul_(0.9).add_(p.detach(), alpha=0.1)",
            "q += 0.1 * (p - q)",
            "q.lerp_(p, 0.1)",
        )
    )
    named = pick(("parameters", "parameters", "named_parameters"))
    targets = "q, p" if named == "parameters" else "(_, q), (_, p)"
    header = f"for {targets} in zip({copy}.{named}(), {model}.{named}()):"
    if writer.choices.chance(50):
        writer.line(f"with {writer.spelling.of('no_grad')}():")
        writer.depth += 1
        writer.line(header)
        writer.line(f"    {update}")
        writer.line("    " + writer.marked("q"))
        writer.depth -= 1
    else:
        writer.line(header)
        writer.depth += 1
        guarded(writer, [update])
        writer.line(writer.marked("q"))
        writer.depth -= 1
    writer.line(writer.marked(f"{copy}({writer.matrix(1)})"))


def freeze(writer: Writer) -> None:
    """Weights that are not to be trained, or are again."""
    pick = writer.choices.pick
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    if model is None:
        train_step(writer)
        return
    flag = pick(("False", "False", "True"))
    change = pick((f"p.requires_grad = {flag}", f"p.requires_grad_({flag})"))
    kind = pick(("parameters", "named", "if", "module"))
    if kind == "module":
        writer.line(f"{model}.requires_grad_({flag})")
    elif kind == "parameters":
        writer.line(f"for p in {model}.parameters():")
        writer.line(f"    {change}")
    else:
        writer.line(f"for name, p in {model}.named_parameters():")
        if kind == "if":
            writer.line(f"    if {pick(('name.endswith({})', '{} in name'))}:".format('"bias"'))
            change = f"    {change}"
        writer.line(f"    {change}")
    writer.line(writer.marked(f"{model}({writer.matrix(1)})"))


def attack(writer: Writer) -> None:
    """The gradient of an input."""
    torch, pick = writer.spelling.torch, writer.choices.pick
    model = writer.held(Thing.MODEL)
    given = writer.bind(Thing.MATRIX, f"{writer.operand(1)}.detach(){pick(('.clone()', ''))}.requires_grad_()")
    loss = f"{model}({given}).{pick(('sum', 'mean'))}()"
    if writer.choices.chance(50):
        lines = [f"(slope,) = {torch}.autograd.grad({loss}, {given})", writer.marked("slope"), "print(slope)"]
    else:
        lines = [f"{loss}.backward()", f"print({given}.grad)"]
    guarded(writer, lines, bare=8 if writer.scope.off else 90, block=3)


def carried(writer: Writer) -> None:
    """A hidden state that goes from turn to turn, detached or not."""
    pick = writer.choices.pick
    model = writer.held(Thing.MODEL)
    state = writer.bind(Thing.MATRIX, f"{writer.spelling.torch}.zeros(2, 2)")
    writer.line(f"for _ in range({pick(('2', '3'))}):")
    writer.line(f"    {state} = {pick((f'{state}.detach()', state, f'{state}.data'))}")
    writer.line(f"    {state} = {model}({state}).tanh()")
    writer.line("    " + writer.marked(state))
    if writer.choices.chance(50):
        guarded(writer, [f"{state}.sum().backward()"], bare=8 if writer.scope.off else 85, block=3)


def closure_step(writer: Writer) -> None:
    """An optimizer that evaluates the loss itself."""
    model, optimizer = model_and_optimizer(writer)
    if writer.scope.taken("closure") or writer.scope.in_loop:
        train_step(writer)
        return
    writer.scope.inner.add("closure")
    given = writer.variable(Thing.MATRIX) or writer.leaf()
    writer.line("def closure():")
    writer.line(f"    {optimizer}.zero_grad()")
    writer.line(f"    loss = F.mse_loss({model}({given}), {writer.leaf()})")
    writer.line("    " + writer.marked("loss"))
    writer.line("    loss.backward()")
    writer.line("    return loss")
    guarded(writer, [f"{optimizer}.step(closure)"], bare=30 if writer.scope.off else 75, block=0)


def own_optimizer(writer: Writer) -> None:
    """A class of optimizers, and a step of one."""
    torch, pick = writer.spelling.torch, writer.choices.pick
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    if model is None or writer.scope.taken("Descent") or writer.scope.in_loop:
        train_step(writer)
        return
    writer.scope.inner.add("Descent")
    writer.line(f"class Descent({torch}.optim.Optimizer):")
    writer.line("    def __init__(self, params):")
    writer.line("        super().__init__(params, dict(lr=0.1))")
    decorated = writer.choices.chance(60)
    if decorated:
        writer.line(f"    @{writer.spelling.of('no_grad')}()")
    writer.line("    def step(self, closure=None):")
    called = pick(("bare", "enabled", "none"))
    if called != "none":
        writer.line("        loss = None")
        writer.line("        if closure is not None:")
        if called == "enabled":
            writer.line(f"            with {writer.spelling.of('enable_grad')}():")
        writer.line(f"            {'    ' if called == 'enabled' else ''}loss = closure()")
    writer.line("        for group in self.param_groups:")
    writer.line('            for p in group["params"]:')
    writer.line("                if p.grad is not None:")
    writer.line("                    " + pick(('p.add_(p.grad, alpha=-group["lr"])', "p -= 0.1 * p.grad")))
    writer.line("                    " + writer.marked("p"))
    writer.line(f"        return {'None' if called == 'none' else 'loss'}")
    name = writer.new_name(Thing.OPTIMIZER)
    writer.line(f"{name} = Descent({model}.parameters())")
    writer.hold(name, Thing.OPTIMIZER)
    if writer.scope.taken("evaluated"):
        return
    writer.scope.inner.add("evaluated")
    given = writer.variable(Thing.MATRIX) or writer.leaf()
    writer.line("def evaluated():")
    writer.line(f"    loss = {model}({given}).sum()")
    writer.line("    loss.backward()")
    writer.line("    return loss")
    guarded(writer, [f"{name}.step({pick(('evaluated', ''))})"], bare=30, block=0)


def by_hand(writer: Writer) -> None:
    """Parameters that are updated without an optimizer."""
    pick = writer.choices.pick
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    if model is None:
        train_step(writer)
        return
    loss = f"{model}({writer.matrix(1)}).sum()"
    guarded(writer, [f"{loss}.backward()"], bare=8 if writer.scope.off else 92, block=3)
    update = pick(("p -= 0.1 * p.grad", "p.sub_(p.grad, alpha=0.1)", "p.data -= 0.1 * p.grad", "p.data.sub_(p.grad)"))
    writer.line(f"for p in {model}.parameters():")
    writer.depth += 1
    writer.line("if p.grad is not None:")
    writer.depth += 1
    guarded(writer, [update], bare=15)
    if writer.choices.chance(50):
        writer.line(pick(("p.grad = None", "p.grad.zero_()")))
    writer.depth -= 2


def data_loader(writer: Writer) -> None:
    """A loader of torch's own."""
    torch = writer.spelling.torch
    given = f"{torch}.randn(4, 2)"
    dataset = f"{torch}.utils.data.TensorDataset({given}, {given})"
    writer.bind(Thing.LOADER, f"{torch}.utils.data.DataLoader({dataset}, batch_size=2)")


def set_up(writer: Writer) -> None:
    """A criterion, a loader, an optimizer."""
    nn = writer.spelling.nn
    kind = writer.choices.pick(("criterion", "loader", "optimizer"))
    if kind == "criterion":
        writer.bind(Thing.CRITERION, f"{nn}.{writer.choices.pick(('MSELoss()', 'L1Loss()'))}")
    elif kind == "loader":
        data_loader(writer)
    else:
        writer.bind(Thing.OPTIMIZER, writer.made(Thing.OPTIMIZER))


def train_function(writer: Writer) -> None:
    """A function of model, loader and optimizer that trains or evaluates, and its calls."""
    pick = writer.choices.pick
    trains = writer.choices.chance(45)
    name = writer.unused(*(("train", "fit") if trains else ("validate", "test_model")))
    if not name or writer.scope.in_loop:
        train_step(writer)
        return
    model, optimizer = model_and_optimizer(writer)
    loader = writer.held(Thing.LOADER)
    writer.scope.inner.add(name)
    parameters = {"model": Thing.MODEL, "loader": Thing.LOADER}
    if trains:
        parameters["optimizer"] = Thing.OPTIMIZER
    if not trains and writer.choices.chance(35):
        writer.line(f"@{writer.spelling.of(pick(('no_grad', 'inference_mode', 'no_grad')))}()")
    writer.line(f"def {name}({', '.join(parameters)}):")
    outside = writer.scope
    writer.scope = Scope(parent=outside, things=dict(parameters), gives=Thing.SCALAR)
    writer.depth += 1
    writer.line(f"model.{'train' if trains else 'eval'}()")
    writer.line("total = 0.0")
    writer.scope.things["total"] = Thing.NUMBER
    wrapped = not trains and writer.choices.chance(25)
    if wrapped:
        writer.line(f"with {writer.switch()}:")
        writer.depth += 1
    writer.line("for inputs, targets in loader:")
    writer.scope.things.update(inputs=Thing.MATRIX, targets=Thing.MATRIX)
    writer.depth += 1
    writer.line(f"loss = F.mse_loss(model({writer.matrix(1)}), targets)")
    writer.scope.things["loss"] = Thing.SCALAR
    writer.reveal("loss")
    if trains:
        _step(writer, "model", "optimizer", "loss")
    if writer.choices.chance(30):
        writer.statement()
    kept = pick(("loss.item()", "loss.item()", "loss", "loss.detach()"))
    writer.line(f"total {pick(('+= ', '= total + '))}{kept}")
    writer.depth -= 2 if wrapped else 1
    writer.line(f"return total{pick((' / len(loader)', ''))}")
    writer.depth -= 1
    writer.scope = outside
    arguments = [model, loader, *([optimizer] if trains else [])]
    if writer.choices.chance(30):
        arguments[1:] = [f"{key}={value}" for key, value in zip(list(parameters)[1:], arguments[1:], strict=True)]
    call = f"{name}({', '.join(arguments)})"
    if writer.choices.chance(40):
        writer.line(f"for _ in range({pick(('2', '1'))}):")
        writer.line(f"    print({call})")
    else:
        writer.line(f"print({call})")
    outside.functions[name] = Callable_(name, tuple(parameters.values()), Thing.NONE)


TRAINING: tuple[Callable[[Writer], None], ...] = (
    *(train_step,) * 4,
    *(epoch,) * 5,
    *(evaluate,) * 4,
    *(evaluate_one,) * 2,
    *(train_function,) * 4,
    *(average,) * 2,
    *(freeze,) * 3,
    *(attack,) * 2,
    *(carried,) * 2,
    closure_step,
    *(own_optimizer,) * 2,
    *(by_hand,) * 2,
    *(set_up,) * 3,
)
