"""Functions and modules that do one thing or another, as a flag says that callers hand in, or that a model has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .leaving import wanted
from .scope import Callable_, Scope, Thing
from .training import caught, guarded, train_step

if TYPE_CHECKING:
    from .statements import Writer


@dataclass(frozen=True)
class Flag:
    """What decides, how conditions ask for it, and what callers say."""

    path: str
    default: str
    holds: tuple[str, ...]
    fails: tuple[str, ...]
    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    rebound: tuple[str, ...] = ()
    """What it may be in the function, instead of what was handed in."""

    @property
    def is_parameter(self) -> bool:
        """Whether it is handed in, and no attribute of the model or the object."""
        return "." not in self.path


_TRAIN = Flag(
    "train",
    "False",
    ("train", "train", "train is True", "bool(train)"),
    ("not train", "not train", "train is False", "not (train and True)"),
    ("True",),
    ("False",),
    ("not train", "train and coin()", "bool(train)", "train or {model}.training"),
)
_FLAGS = (
    *(_TRAIN,) * 4,
    Flag(
        "evaluating",
        "True",
        ("not evaluating", "evaluating is False", "not evaluating"),
        ("evaluating", "evaluating", "evaluating is True"),
        ("False",),
        ("True",),
    ),
    *(
        Flag(
            "optimizer",
            "None",
            ("optimizer is not None", "optimizer", "optimizer is not None and True"),
            ("optimizer is None", "not optimizer"),
            ("{optimizer}",),
            ("None",),
            ("optimizer or {made}",),
        ),
    )
    * 3,
    *(
        Flag(
            "phase",
            '"val"',
            ('phase == "train"', 'phase in ("train", "fit")', 'phase not in ("val", "test")'),
            ('phase != "train"', 'phase == "val"', 'phase in ["val", "test"]'),
            ('"train"', '"train"', '"fit"'),
            ('"val"', '"test"'),
            ('phase + ""', '"train" if coin() else phase'),
        ),
    )
    * 2,
    *(Flag("{model}.training", "", ("{model}.training",), ("not {model}.training",)),) * 3,
)
_OF_OBJECT = Flag("self.train", "", ("self.train",), ("not self.train",), ("True",), ("False",))


@dataclass
class _Body:
    """A function with a flag, while it is written."""

    writer: Writer
    flag: Flag
    model: str

    @property
    def on(self) -> str:
        """A condition that holds where it is on."""
        return self.writer.choices.pick(self.flag.holds).format(model=self.model)

    @property
    def off(self) -> str:
        """One that holds where it is not."""
        return self.writer.choices.pick(self.flag.fails).format(model=self.model)

    def true(self, condition: str) -> str:
        """A condition as torch takes it: no object will do for ``True``."""
        return f"bool({condition})" if condition == "optimizer" else condition


def run_with_flag(writer: Writer) -> None:
    """A function that trains or evaluates, as its callers say, perhaps one that hands that on, and calls."""
    pick, chance = writer.choices.pick, writer.choices.chance
    name = writer.unused("run_epoch", "run_batch", "go_through")
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    flag = pick(_FLAGS)
    is_method = chance(25)
    if is_method and chance(25):
        flag = _OF_OBJECT
    taken = any(writer.scope.taken(each) for each in ("Runner", "runner", *_INNER))
    if not name or model is None or not model.isidentifier() or taken or writer.scope.in_loop:
        train_step(writer)
        return
    writer.scope.inner |= {name, "Runner", "runner", *_INNER}
    optimizer = writer.variable(Thing.OPTIMIZER) or writer.bind(Thing.OPTIMIZER, writer.made(Thing.OPTIMIZER))
    parameters: dict[str, Thing] = {"self": Thing.NONE} if is_method else {}
    inside = "self.model" if is_method else model
    if not is_method and chance(65):
        parameters[model] = Thing.MODEL
    parameters["inputs"] = Thing.MATRIX
    body = _Body(writer, flag, inside)
    if is_method:
        writer.line("class Runner:")
        writer.line("    def __init__(self, model):")
        writer.line("        self.model = model")
        if flag is _OF_OBJECT:
            writer.line(f"        self.train = {pick(flag.off + flag.on)}")
        writer.depth += 1
    default = flag.default if chance(65) else ""
    gives = _function(body, name, parameters, default, optimizer)
    handing, hands = "", writer.unused("hand_on", "pass_on")
    if hands and flag.is_parameter and chance(35):
        writer.scope.inner.add(hands)
        handing = _handing_on(body, name, hands, parameters, default)
    if is_method:
        writer.depth -= 1
        writer.line(f"runner = Runner({model})")
    called = [f"runner.{each}" if is_method else each for each in (name, handing) if each]
    writer.choices.more()
    arguments = [model] if model in parameters else []
    for _ in range(pick((1, 2, 2, 3))):
        _called(body, pick(called), arguments, default, optimizer, model, gives)
    if flag is _TRAIN and not is_method and gives is Thing.SCALAR:
        things = (*((Thing.MODEL,) if arguments else ()), Thing.MATRIX, Thing.FLAG)
        writer.scope.functions[name] = Callable_(name, things, gives)


_INNER = ("train", "evaluating", "phase", "inputs", "result", "optimizer_")


def _signature(flag: Flag, parameters: dict[str, Thing], default: str) -> str:
    given = [*parameters, *([f"{flag.path}={default}" if default else flag.path] if flag.is_parameter else [])]
    return ", ".join(given)


def _function(body: _Body, name: str, parameters: dict[str, Thing], default: str, optimizer: str) -> Thing:
    """Gives what it returns: a tensor, or nothing that can be relied on."""
    writer, flag = body.writer, body.flag
    pick, chance = writer.choices.pick, writer.choices.chance
    writer.line(f"def {name}({_signature(flag, parameters, default)}):")
    outside = writer.scope
    held = {flag.path: Thing.FLAG if flag is _TRAIN else Thing.NONE} if flag.is_parameter else {}
    # What is made in it is gone afterwards, and may be returned from in other ways.
    writer.scope = Scope(parent=outside, things={**parameters, **held})
    writer.depth += 1
    if flag.rebound and chance(12):
        writer.line(f"{flag.path} = {pick(flag.rebound).format(model=body.model, made=_made(body))}")
    _mode(body)
    writer.choices.more()
    over = chance(45)
    if over:
        writer.line(f"for _ in range({pick(('2', '1'))}):")
        writer.depth += 1
    restored = _prediction(body)
    writer.scope.things["result"] = Thing.SCALAR
    writer.line(writer.marked("result"))
    if chance(25):
        writer.statement()
    _decided(body, "optimizer" if flag.path == "optimizer" else optimizer, over)
    writer.depth -= over
    if restored:
        writer.line(restored)
    gives = Thing.SCALAR if chance(75) else Thing.NONE
    if gives is Thing.SCALAR:
        either = f"result if {body.on} else result.detach()"
        writer.line(f"return {pick(('result', 'result', either, 'result * 2'))}")
    else:
        writer.line(f"return {pick(('result.item()', 'None'))}")
    writer.depth -= 1
    writer.scope = outside
    return gives


def _made(body: _Body) -> str:
    return f"{body.writer.spelling.torch}.optim.SGD({body.model}.parameters(), lr=0.1)"


def _mode(body: _Body) -> None:
    """The model is put in a mode, as the flag says or not."""
    writer, model = body.writer, body.model
    kind = writer.choices.pick(("argument", "branches", "eval", "one branch", "none", "expression", "chosen"))
    if kind == "argument":
        writer.line(f"{model}.train({body.true(body.on)})")
    elif kind == "branches":
        writer.line(f"if {body.on}:")
        writer.line(f"    {model}.train()")
        writer.line("else:")
        writer.line(f"    {model}.eval()")
    elif kind == "eval":
        writer.line(f"{model}.eval()")
    elif kind == "one branch":
        writer.line(f"if {body.off}:")
        writer.line(f"    {model}.eval()")
    elif kind == "expression":
        writer.line(f"{model}.train() if {body.on} else {model}.eval()")
    elif kind == "chosen":
        writer.line(f"({model}.train if {body.on} else {model}.eval)()")
    if kind != "none":
        writer.line(writer.marked(model))


def _computed(body: _Body) -> str:
    pick = body.writer.choices.pick
    given = pick(("inputs", "inputs", body.writer.matrix(1)))
    return pick((f"F.mse_loss({body.model}({given}), inputs)", f"{body.model}({given}).sum()"))


def _prediction(body: _Body) -> str:
    """The forward pass, under a switch that the flag decides on or not; gives what is to restore the mode."""
    writer, spelling = body.writer, body.writer.spelling
    pick = writer.choices.pick
    kind = pick(("plain", "plain", "enabled", "enabled", "either", "branches", "statement", "one branch", "entered"))
    enabled, no_grad = spelling.of("set_grad_enabled"), f"{spelling.of('no_grad')}()"
    line = f"result = {_computed(body)}"
    if kind == "enabled":
        writer.line(
            f"with {pick((enabled, enabled, spelling.of('inference_mode')))}({body.true(pick((body.on, body.off)))}):"
        )
        writer.line(f"    {line}")
    elif kind == "either":
        kept = f"contextlib.nullcontext() if {body.on} else {no_grad}"
        writer.line(f"with {pick((kept, f'{no_grad} if {body.off} else {enabled}(True)'))}:")
        writer.line(f"    {line}")
    elif kind == "branches":
        writer.line(f"if {body.off}:")
        writer.line(f"    with {no_grad}:")
        writer.line(f"        {line}")
        writer.line("else:")
        # A point stands in one place.
        writer.line(f"    result = {_computed(body)}")
    elif kind == "one branch":
        writer.line(line)
        writer.line(f"if {body.off}:")
        writer.line(f"    result = {pick(('result.detach()', 'result.data', 'result * 2'))}")
    elif kind == "statement":
        writer.line(f"{enabled}({body.true(body.on)})")
        writer.line(line)
        return pick((f"{enabled}(True)", "", f"{enabled}(True)"))
    elif kind == "entered":
        writer.line("with contextlib.ExitStack() as stack:")
        writer.line(f"    if {body.off}:")
        writer.line(f"        stack.enter_context({no_grad})")
        writer.line(f"    {line}")
    else:
        writer.line(line)
    return ""


def _decided(body: _Body, optimizer: str, over: bool) -> None:
    """A backward pass that the flag decides on."""
    writer = body.writer
    pick = writer.choices.pick
    kind = pick(_DECIDED)
    if kind == "branch":
        writer.line(f"if {body.on}:")
        _step(body, optimizer)
    elif kind == "leave":
        writer.line(f"if {body.off}:")
        gives = pick(("return result", "return result.detach()"))
        if over:
            gives = pick((gives, "continue", "break"))
        writer.line(f"    {gives}")
        writer.depth -= 1
        _step(body, optimizer)
        writer.depth += 1
    elif kind == "expression":
        caught(writer, [f"result.backward() if {body.on} else None"], "RuntimeError")
    elif kind == "and":
        caught(writer, [f"({body.on}) and result.backward()"], "RuntimeError")
    elif kind == "both":
        writer.line(f"if {body.on} and coin():")
        _step(body, optimizer)
    elif kind == "raise":
        writer.line(f"if {body.off}:")
        writer.line("    raise ValueError")
        writer.depth -= 1
        _step(body, optimizer)
        writer.depth += 1
    elif kind == "else":
        writer.line(f"if {body.off}:")
        writer.line("    print(result.item())")
        writer.line("else:")
        _step(body, optimizer)
    elif kind == "detached":
        writer.line(f"if {body.on}:")
        _step(body, optimizer)
        writer.line("    result = result.detach()")
    else:
        writer.line(f"while {body.on}:")
        _step(body, optimizer)
        writer.line("    break")


_DECIDED = ("branch", "branch", "leave", "leave", "expression", "and", "both", "raise", "else", "detached", "while")


def _step(body: _Body, optimizer: str) -> None:
    """A step, one level deeper."""
    writer = body.writer
    writer.depth += 1
    whole = body.flag.path == "optimizer" or writer.choices.chance(50)
    if whole:
        writer.line(f"{optimizer}.zero_grad()")
    guarded(writer, ["result.backward()"], bare=30 if writer.scope.off else 65, block=3)
    if whole:
        writer.line(f"{optimizer}.step()")
    writer.depth -= 1


def _handing_on(body: _Body, name: str, hands: str, parameters: dict[str, Thing], default: str) -> str:
    """A function that hands the flag on, as it is or another; gives its name."""
    writer, flag = body.writer, body.flag
    pick = writer.choices.pick
    writer.line(f"def {hands}({_signature(flag, parameters, pick((default, flag.default)))}):")
    writer.depth += 1
    given = [each for each in parameters if each != "self"]
    called = f"self.{name}" if "self" in parameters else name
    handed = pick((flag.path, flag.path, f"{flag.path}={flag.path}", "constant", "asked", "default"))
    if handed == "constant":
        handed = pick(flag.off)
    elif handed == "asked" and flag is _TRAIN:
        handed = pick((body.on, body.off))
    elif handed in {"asked", "default"}:
        handed = "" if default else flag.path
    if writer.choices.chance(30):
        writer.line(f"if {pick((body.on, body.off))}:")
        writer.line(f"    {pick((writer.marked('None'), 'return inputs.sum()', f'{body.model}.eval()'))}")
    writer.line(f"return {called}({', '.join([*given, *([handed] if handed else [])])})")
    writer.depth -= 1
    return hands


def _called(
    body: _Body, called: str, arguments: list[str], default: str, optimizer: str, model: str, gives: Thing
) -> None:
    """One call, perhaps under a switch, and what becomes of the result."""
    writer, flag = body.writer, body.flag
    pick, chance = writer.choices.pick, writer.choices.chance
    handed = pick(pick((flag.off, flag.on))).format(optimizer=optimizer) if flag.on and flag.is_parameter else ""
    if handed and flag is _TRAIN and chance(25):
        handed = writer.variable(Thing.FLAG) or handed
    given = [*arguments, writer.matrix(1)]
    if handed and not (default and chance(25)):
        given.append(pick((handed, handed, f"{flag.path}={handed}", f'**{{"{flag.path}": {handed}}}')))
    if flag.path.endswith(".training") and chance(75):
        writer.line(f"{model}.{pick(('eval()', 'train()', 'train(False)'))}")
    if flag is _OF_OBJECT and chance(60):
        writer.line(f"runner.train = {pick(flag.off + flag.on)}")
    under = chance(20)
    if under:
        writer.line(f"with {writer.switch()}:")
        writer.depth += 1
    call = f"{called}({', '.join(given)})"
    if chance(15):
        writer.line("if coin():")
        writer.line(f"    print({call})")
    elif gives is Thing.SCALAR and chance(70):
        # It may raise where it is told to.
        writer.line("result = None")
        caught(writer, [f"result = {call}"], "(ValueError, RuntimeError)")
        writer.line("if result is not None:")
        writer.depth += 1
        wanted(writer, "result")
        writer.depth -= 1
    else:
        caught(writer, [f"print({call})"], "(ValueError, RuntimeError)")
    writer.depth -= under


def module_with_flag(writer: Writer) -> None:
    """A module whose forward pass asks for its mode, or takes a flag, and calls."""
    pick, chance = writer.choices.pick, writer.choices.chance
    made = writer.unused("gated", "branching")
    if not made or writer.scope.taken("Gated") or writer.scope.in_loop:
        train_step(writer)
        return
    writer.scope.inner.add("Gated")
    nn, no_grad = writer.spelling.nn, f"{writer.spelling.of('no_grad')}()"
    by_argument = chance(45)
    on, off = ("train", "not train") if by_argument else ("self.training", "not self.training")
    writer.line(f"class Gated({nn}.Module):")
    writer.line("    def __init__(self):")
    writer.line("        super().__init__()")
    writer.line(f"        self.layer = {nn}.Linear(2, 2)")
    writer.line(f"    def forward(self, x{', train=True' if by_argument else ''}):")
    writer.depth += 2
    for each in pick(_GATES):
        writer.line(each.format(on=on, off=off, no_grad=no_grad))
    writer.line(writer.marked("out"))
    writer.line(f"return {pick(('out', 'out', 'out.relu()'))}")
    writer.depth -= 2
    writer.line(f"{made} = Gated()")
    for _ in range(pick((1, 2, 2))):
        if chance(60):
            writer.line(f"{made}.{pick(('eval()', 'train()', 'train(coin())'))}")
        argument = pick(("", ", True", ", train=False", ", coin()")) if by_argument else ""
        out = writer.bind(Thing.MATRIX, f"{made}({writer.matrix(1)}{argument})")
        if chance(60):
            wanted(writer, out)
    writer.hold(made, Thing.MODEL)


_GATES: tuple[tuple[str, ...], ...] = (
    ("out = self.layer(x)", "if {off}:", "    return out.detach()"),
    ("out = self.layer(x)", "if {off}:", "    out = out.detach()"),
    ("if {on}:", "    out = self.layer(x)", "else:", "    with {no_grad}:", "        out = self.layer(x)"),
    ("if {off}:", "    return x", "out = self.layer(x)"),
    ("out = self.layer(x) if {on} else x * 2",),
    ("out = x", "for _ in range(2 if {on} else 0):", "    out = self.layer(out)"),
    ("if {off}:", "    with {no_grad}:", "        return self.layer(x)", "out = self.layer(x)"),
)

FLAGS: tuple[Callable[[Writer], None], ...] = (*(run_with_flag,) * 3, module_with_flag)
