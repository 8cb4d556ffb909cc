"""Expressions of generated programs: tensors, switches, conditions."""

from __future__ import annotations

from dataclasses import dataclass, field

from .choices import Choices
from .scope import POOLS, Callable_, Scope, Thing

_SWITCHES = ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled", "is_grad_enabled")


@dataclass(frozen=True)
class Spelling:
    """How a program writes torch."""

    lines: tuple[str, ...]
    torch: str = "torch"
    switches: tuple[tuple[str, str], ...] = ()
    """The local name of each switch that is not reached through the module."""
    nn: str = "nn"

    def of(self, name: str) -> str:
        """A switch, as the program writes it."""
        return dict(self.switches).get(name, f"{self.torch}.{name}")


_NN = ("from torch import nn", "import torch.nn.functional as F")
SPELLINGS = (
    *[Spelling(("import torch", *_NN))] * 3,
    Spelling(("import torch as t", *_NN), torch="t"),
    Spelling(
        ("import torch", f"from torch import {', '.join(_SWITCHES)}", *_NN),
        switches=tuple((name, name) for name in _SWITCHES),
    ),
    Spelling(
        ("import torch", "from torch import no_grad as ng_, inference_mode as im_", *_NN),
        switches=(("no_grad", "ng_"), ("inference_mode", "im_")),
    ),
    Spelling(
        ("import torch", "from torch.autograd import no_grad, enable_grad", *_NN),
        switches=(("no_grad", "no_grad"), ("enable_grad", "enable_grad")),
    ),
    Spelling(
        ("import torch", "from torch.autograd.grad_mode import set_grad_enabled, no_grad", *_NN),
        switches=(("no_grad", "no_grad"), ("set_grad_enabled", "set_grad_enabled")),
    ),
    Spelling(("import torch, torch.nn as nn", "import torch.nn.functional as F")),
    Spelling(
        ("import torch", "from torch.autograd import grad_mode", *_NN),
        switches=(("no_grad", "grad_mode.no_grad"), ("enable_grad", "grad_mode.enable_grad")),
    ),
)


@dataclass
class ExpressionWriter:
    """Writes expressions that hold what is asked for, from what is in scope."""

    choices: Choices
    spelling: Spelling
    scope: Scope = field(default_factory=lambda: Scope(is_module=True))
    points: int = 0

    def marked(self, expression: str) -> str:
        """The expression as a point where the analysis and the run are compared."""
        self.points += 1
        return f"reveal({expression}, {self.points})"

    def variable(self, *wanted: Thing) -> str | None:
        """A name that holds such a thing; late names are the likelier, as in real code."""
        names = self.scope.visible(*wanted)
        if not names:
            return None
        plain = [name for name in names if "." not in name]
        if plain and self.choices.chance(60):
            names = plain
        if self.choices.chance(60):
            names = names[-3:]
        return self.choices.pick(names[::-1])

    def new_name(self, thing: Thing) -> str:
        """A name for something new, which may be bound here already to the like."""
        pool = POOLS[thing]
        own = [name for name in self.scope.local(thing) if not self._is_structured(name)]
        if own and self.choices.chance(35):
            return self.choices.pick(own)
        free = [name for name in pool if not self.scope.taken(name)]
        if free and thing is Thing.MATRIX:
            return self.choices.pick(free[:5])
        if free:
            return free[0]
        if own:
            return self.choices.pick(own)
        number = 2
        while self.scope.taken(f"{pool[0]}{number}"):
            number += 1
        return f"{pool[0]}{number}"

    def _is_structured(self, name: str) -> bool:
        """Whether the program knows attributes or methods of what a name holds, which another would not have."""
        scope = self.scope
        prefix = f"{name}."
        return name in scope.methods or (
            scope.things[name] is not Thing.LINEAR and any(path.startswith(prefix) for path in scope.attributes)
        )

    # --- tensors ----------------------------------------------------------------

    def matrix(self, depth: int = 2) -> str:
        """An expression that holds a matrix."""
        text = self._matrix(depth)
        if self.choices.chance(4):
            text = self.marked(text)
        return text

    def operand(self, depth: int) -> str:
        """A matrix, in brackets if it must be."""
        text = self.matrix(depth)
        return text if _is_atom(text) else f"({text})"

    def _matrix(self, depth: int) -> str:
        pick = self.choices.pick
        name = self.variable(Thing.MATRIX)
        kind = pick(_KINDS) if depth > 0 else "name"
        if kind == "name":
            return name or self.leaf()
        if kind == "leaf":
            return self.leaf()
        if kind == "binary":
            return f"{self.operand(depth - 1)} {pick(('+', '*', '-', '@'))} {self.operand(depth - 1)}"
        if kind == "number":
            return pick(("{} * 2", "1 - {}", "{} / 2", "-{}", "{} + 1")).format(self.operand(depth - 1))
        if kind == "method":
            return self.operand(depth - 1) + self._in_torch(pick(_METHODS))
        if kind == "view":
            return self.operand(depth - 1) + pick(_VIEWS)
        if kind == "detach":
            return self.operand(depth - 1) + pick((".detach()", ".data", ".detach().clone()", ".clone().detach()"))
        if kind == "function":
            template = pick(_FUNCTIONS)
            parts = [self.operand(depth - 1) for _ in range(template.count("{}"))]
            return self._in_torch(template).format(*parts)
        if kind == "model":
            return self.forward(depth)
        if kind == "call":
            return self.call(depth) or self.forward(depth)
        if kind == "choice":
            return f"({self.matrix(depth - 1)} if {self.condition()} else {self.matrix(depth - 1)})"
        if kind == "lambda":
            return self.immediate(depth)
        if kind == "item":
            return self.item() or self.leaf()
        return self.wrapped(depth)

    def _in_torch(self, template: str) -> str:
        return template.replace("ONES", "torch.ones(2, 2)").replace("torch.", f"{self.spelling.torch}.")

    def leaf(self) -> str:
        """A tensor made from nothing."""
        torch, pick = self.spelling.torch, self.choices.pick
        return pick(
            (
                f"{torch}.ones(2, 2)",
                f"{torch}.randn(2, 2)",
                f"{torch}.ones(2, 2, requires_grad=True)",
                f"{torch}.randn(2, 2, requires_grad=True)",
                f"{torch}.tensor([[1.0, 2.0], [3.0, 4.0]])",
                f"{torch}.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)",
                f"{torch}.randn(2, 2).requires_grad_()",
                f"{self.spelling.nn}.Parameter({torch}.ones(2, 2))",
                f"{torch}.zeros_like({self.variable(Thing.MATRIX) or f'{torch}.ones(2, 2)'})",
                f"{self.spelling.nn}.Parameter({torch}.randn(2, 2), requires_grad=False)",
                f"{torch}.full((2, 2), 0.5)",
            )
        )

    def forward(self, depth: int) -> str:
        """A model is called."""
        model = self.variable(Thing.MODEL, Thing.LINEAR)
        if model is None:
            return f"{self.operand(depth - 1)}.tanh()"
        if self.choices.chance(6):
            return f"{model}.forward({self.matrix(depth - 1)})"
        return f"{model}({self.matrix(depth - 1)})"

    def call(self, depth: int, gives: Thing = Thing.MATRIX) -> str | None:
        """A function of the program is called."""
        able = [each for each in self.scope.callables() if each.gives is gives and not each.is_generator]
        if not able:
            return None
        called = self.choices.pick(able[::-1])
        text = self.applied(called, depth)
        if called.gives_pair:
            text += self.choices.pick(("[0]", "[1]", "[-1]"))
        return text

    def applied(self, called: Callable_, depth: int, through: str = "{}") -> str:
        """A call with arguments that fit."""
        arguments = [self.matrix(depth - 1) if each is Thing.MATRIX else self.held(each) for each in called.parameters]
        if arguments and called.names and self.choices.chance(12):
            arguments[-1] = f"{called.names[-1]}={arguments[-1]}"
        return f"{through.format(called.name)}({', '.join(arguments)})"

    def held(self, thing: Thing) -> str:
        """Something that holds a thing, made if there is none."""
        name = self.variable(thing, *((Thing.LINEAR,) if thing is Thing.MODEL else ()))
        if name is not None:
            return name
        return self.made(thing)

    def made(self, thing: Thing) -> str:
        """An expression that makes a thing."""
        torch, nn, pick = self.spelling.torch, self.spelling.nn, self.choices.pick
        if thing is Thing.FLAG:
            return pick(("True", "False", f"{self.spelling.of('is_grad_enabled')}()"))
        if thing is Thing.SCALAR:
            return self.scalar(1)
        if thing in {Thing.MODEL, Thing.LINEAR}:
            if thing is Thing.LINEAR or self.choices.chance(50):
                return f"{nn}.Linear(2, 2)"
            return f"{nn}.Sequential({nn}.Linear(2, 2), {nn}.{pick(('ReLU', 'Tanh', 'Dropout'))}(), {nn}.Linear(2, 2))"
        if thing is Thing.LOADER:
            return f"[({torch}.randn(2, 2), {torch}.randn(2, 2)) for _ in range(2)]"
        if thing is Thing.OPTIMIZER:
            model = self.held(Thing.MODEL)
            kind = pick(("SGD({}.parameters(), lr=0.1)", "Adam({}.parameters())", "SGD({}.parameters(), 0.1, 0.9)"))
            return f"{torch}.optim.{kind.format(model)}"
        if thing is Thing.LIST:
            return f"[{self.matrix(1)}, {self.matrix(1)}]"
        return self.matrix(1)

    def immediate(self, depth: int) -> str:
        """A lambda or comprehension, run at once."""
        bound = self.choices.pick(("v", "u"))
        body = f"{bound} * 2" if self.choices.chance(50) else self.marked(bound) + " + 1"
        inner = self.matrix(depth - 1)
        return self.choices.pick(
            (
                f"(lambda {bound}: {body})({inner})",
                f"sum([{body} for {bound} in [{inner}, {inner}]])",
                f"sum({body} for {bound} in [{inner}])",
                f"next({body} for {bound} in ({inner}, {inner}))",
                f"{{0: {body} for {bound} in [{inner}]}}[0]",
                f"{{{body} for {bound} in [{inner}]}}.pop()",
                f"list(map(lambda {bound}: {body}, [{inner}]))[0]",
            )
        )

    def item(self) -> str | None:
        """An element of a container."""
        name = self.variable(Thing.LIST, Thing.DICTIONARY)
        if name is None:
            return None
        if self.scope.holds(name) is Thing.DICTIONARY:
            return self.choices.pick((f'{name}["out"]', f'{name}.get("out")'))
        return name + self.choices.pick(("[0]", "[1]", "[-1]"))

    def wrapped(self, depth: int) -> str:
        """A function of the program, called through a switch used as a wrapper."""
        able = [
            each
            for each in self.scope.callables()
            if each.gives is Thing.MATRIX and not each.is_generator and not each.gives_pair and each.parameters
        ]
        if not able:
            return self.forward(depth)
        switch = self.choices.pick(("no_grad()", "enable_grad()", "inference_mode()", "set_grad_enabled(False)"))
        name, _, rest = switch.partition("(")
        return self.applied(self.choices.pick(able), depth, f"{self.spelling.of(name)}({rest}({{}})")

    def scalar(self, depth: int = 2) -> str:
        """An expression that holds a scalar tensor."""
        pick = self.choices.pick
        name = self.variable(Thing.SCALAR)
        kind = pick(("sum", "mean", "name", "loss", "square", "item", "call", "weighted"))
        if kind == "name" and name is not None:
            return name
        if kind == "weighted" and name is not None:
            return pick((f"{name} * 2", f"{name} + {self.operand(1)}.sum()", f"{name} / 4"))
        if kind == "loss":
            return f"F.mse_loss({self.matrix(depth - 1)}, {self.matrix(depth - 1)})"
        if kind == "square":
            return f"{self.operand(depth - 1)}.pow(2).mean()"
        if kind == "item":
            return f"{self.operand(depth - 1)}[0, 0]"
        if kind == "call":
            return self.call(depth, Thing.SCALAR) or f"{self.operand(depth - 1)}.sum()"
        if kind == "mean":
            return f"{self.spelling.torch}.mean({self.matrix(depth - 1)})"
        return f"{self.operand(depth - 1)}.sum()"

    # --- switches and conditions ------------------------------------------------

    def switch(self) -> str:
        """An expression that makes a context manager, mostly a grad-mode switch."""
        managers = self.scope.context_managers()
        kind = "manager" if managers and self.choices.chance(25) else self.choices.pick(_SWITCH_KINDS)
        if kind == "manager":
            if managers:
                return self.choices.pick(managers[::-1])
            kind = "no_grad()"
        if kind == "autocast":
            return f'{self.spelling.torch}.autocast("cpu", enabled=False)'
        if kind == "null":
            return "contextlib.nullcontext()"
        if kind == "either":
            return f"({self._plain_switch()} if {self.condition()} else contextlib.nullcontext())"
        if kind == "flag":
            flag = self.variable(Thing.FLAG) or "coin()"
            name = self.choices.pick(("set_grad_enabled", "inference_mode", "set_grad_enabled"))
            return f"{self.spelling.of(name)}({self.choices.pick(('', 'mode=', 'not '))}{flag})"
        if kind == "saved":
            return f"{self.spelling.of('set_grad_enabled')}({self.spelling.of('is_grad_enabled')}())"
        name, _, rest = kind.partition("(")
        return f"{self.spelling.of(name)}({rest}"

    def _plain_switch(self) -> str:
        kind = self.choices.pick(("no_grad()", "inference_mode()", "enable_grad()", "set_grad_enabled(False)"))
        name, _, rest = kind.partition("(")
        return f"{self.spelling.of(name)}({rest}"

    def condition(self) -> str:
        """An expression that is true or false."""
        pick = self.choices.pick
        kind = pick(("coin", "coin", "known", "flag", "mode", "tensor", "either"))
        if kind == "flag":
            flag = self.variable(Thing.FLAG)
            if flag is not None:
                return pick((flag, f"not {flag}"))
        if kind == "known":
            return pick(("True", "False", "1 < 2", "not True", "None", "1"))
        if kind == "mode":
            return pick(("{}()", "not {}()")).format(self.spelling.of("is_grad_enabled"))
        if kind == "tensor":
            name = self.variable(Thing.MATRIX)
            if name is not None:
                return name + pick((".requires_grad", " is not None", ".sum().item() > 0", ".is_leaf"))
        if kind == "either":
            return pick(("coin() and {}", "coin() or {}", "not {}")).format(self.variable(Thing.FLAG) or "coin()")
        return "coin()"


def _is_atom(text: str) -> bool:
    """Whether a suffix can be put to an expression, and an operator next to it."""
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in " -":
            return False
    return True


_KINDS = (
    *("name",) * 4,
    *("binary",) * 4,
    *("model",) * 5,
    *("leaf",) * 3,
    *("number",) * 3,
    *("method",) * 3,
    *("view",) * 2,
    *("detach",) * 2,
    *("function",) * 2,
    *("call",) * 4,
    "choice",
    "lambda",
    "item",
    "wrapped",
)
_METHODS = (
    ".relu()",
    ".clone()",
    ".tanh()",
    ".abs()",
    ".float()",
    ".cpu()",
    ".contiguous()",
    ".sum(0, keepdim=True).expand(2, 2)",
    ".softmax(dim=-1)",
    ".gt(0).float()",
    ".max(dim=0, keepdim=True)[0].expand(2, 2)",
    ".repeat(1, 1)",
    ".clamp(min=0)",
    ".reshape(2, 2)",
    ".flatten().view(2, 2)",
    ".masked_fill(ONES > 0, 0.0)",
    ".new_ones(2, 2)",
    ".to(ONES.dtype)",
)
_VIEWS = (
    ".t()",
    ".view(2, 2)",
    ".T",
    "[:2]",
    ".transpose(0, 1)",
    ".unsqueeze(0).squeeze(0)",
    "[0:2, 0:2]",
    "[None][0]",
)
_FUNCTIONS = (
    "torch.relu({})",
    "F.relu({})",
    "torch.matmul({}, {})",
    "torch.where(ONES > 0, {}, {})",
    "torch.stack([{}, {}]).sum(0)",
    "torch.cat([{}, {}])[:2]",
    "torch.exp(-{}.abs())",
    "torch.nn.functional.dropout({}, 0.5)",
    "torch.add({}, {}, alpha=2)",
    "torch.zeros_like({})",
    "torch.transpose({}, 0, 1)",
    "torch.clone({})",
)
_SWITCH_KINDS = (
    *("no_grad()",) * 6,
    *("inference_mode()",) * 2,
    *("enable_grad()",) * 3,
    "set_grad_enabled(False)",
    "set_grad_enabled(True)",
    "inference_mode(False)",
    "inference_mode(True)",
    "inference_mode(mode=False)",
    "set_grad_enabled(mode=False)",
    *("manager",) * 2,
    "autocast",
    "null",
    "null",
    "either",
    "flag",
    "flag",
    "saved",
)
