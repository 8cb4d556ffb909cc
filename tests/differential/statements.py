"""Statements of generated programs, weighted to look like training code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .definitions import DEFINITIONS
from .expressions import ExpressionWriter
from .flags import FLAGS
from .leaving import evaluation_with_others
from .mistakes import MISTAKES
from .scope import Callable_, Scope, Thing
from .training import TRAINING, backward, guarded

DEEPEST = 4
"""Blocks within blocks."""


@dataclass
class Writer(ExpressionWriter):
    """Writes a program, line by line."""

    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def line(self, text: str) -> None:
        """One line of the program."""
        self.lines.append("    " * self.depth + text)

    def block(self, sizes: Sequence[int] = (1, 2, 3), *, loop: bool | None = None) -> Scope:
        """A block of statements, whose new names are gone afterwards; gives what it knew at its end."""
        outside = self.scope
        self.scope = outside.fork()
        if loop is not None:
            self.scope.in_loop = loop
        self.body(self.choices.pick(sizes))
        inside, self.scope = self.scope, outside
        outside.off |= inside.off
        return inside

    def body(self, count: int) -> None:
        """Some statements one level deeper, and ``pass`` if there are none left."""
        self.depth += 1
        before = len(self.lines)
        for _ in range(count):
            if not self.statement():
                break
        if self.scope.in_loop and self.choices.chance(8):
            leave(self)
        if len(self.lines) == before:
            self.line("pass")
        self.depth -= 1

    def statement(self) -> bool:
        """The next statement, if there is one."""
        if not self.choices.more():
            return False
        kinds = _STATEMENTS if self.depth < DEEPEST else _SIMPLE
        self.choices.pick(kinds)(self)
        return True

    def unused(self, *names: str) -> str:
        """The first name that means nothing yet, or an empty one."""
        return next((name for name in names if not self.scope.taken(name)), "")

    def reveal(self, name: str) -> None:
        """Often, ask what is known of a name."""
        if self.choices.chance(45):
            self.line(self.marked(name))

    def bind(self, thing: Thing, expression: str) -> str:
        """Bind a name; gives it."""
        name = self.new_name(thing)
        self.line(f"{name} = {expression}")
        self.hold(name, thing)
        self.reveal(name)
        return name

    def hold(self, name: str, thing: Thing) -> None:
        """Remember what a name holds."""
        if name not in self.scope.assignable:
            self.scope.things[name] = thing
        if thing is not Thing.LINEAR:
            for attribute in ("weight", "bias"):
                self.scope.attributes.pop(f"{name}.{attribute}", None)
        else:
            self.scope.attributes[f"{name}.weight"] = Thing.MATRIX


# --- one statement each ---------------------------------------------------------------


def nothing(_writer: Writer) -> None:
    """What a program shrinks to."""


def ask(writer: Writer) -> None:
    """A point: the mode, or a value."""
    if writer.choices.chance(50):
        things = (Thing.MATRIX, Thing.SCALAR, Thing.MODEL, Thing.LINEAR)
        writer.line(writer.marked(writer.variable(*things) or "None"))
    else:
        writer.line(writer.marked("None"))


def assign_matrix(writer: Writer) -> None:
    """A tensor gets a name."""
    kind = writer.choices.pick(("plain", "plain", "plain", "twice", "walrus", "annotated", "attribute"))
    if kind == "attribute":
        name = writer.variable(Thing.INSTANCE)
        if name is not None:
            path = f"{name}.{writer.choices.pick(('total', 'kept'))}"
            writer.line(f"{path} = {writer.matrix()}")
            writer.scope.attributes[path] = Thing.MATRIX
            writer.reveal(path)
            return
    expression = writer.matrix(2) if writer.choices.chance(80) else writer.leaf()
    if kind == "twice":
        first = writer.new_name(Thing.MATRIX)
        writer.scope.things.setdefault(first, Thing.MATRIX)
        second = writer.new_name(Thing.MATRIX)
        writer.line(f"{first} = {second} = {expression}")
        writer.hold(first, Thing.MATRIX)
        writer.hold(second, Thing.MATRIX)
        writer.reveal(second)
    elif kind == "walrus":
        name = writer.new_name(Thing.MATRIX)
        writer.line(f"{writer.marked(f'({name} := {expression})')}")
        writer.hold(name, Thing.MATRIX)
        writer.reveal(name)
    elif kind == "annotated":
        name = writer.new_name(Thing.MATRIX)
        if name in writer.scope.assignable:
            writer.line(f"{name} = {expression}")
        else:
            writer.line(f"{name}: {writer.spelling.torch}.Tensor = {expression}")
        writer.hold(name, Thing.MATRIX)
        writer.reveal(name)
    else:
        writer.bind(Thing.MATRIX, expression)


def assign_scalar(writer: Writer) -> None:
    """A loss."""
    writer.bind(Thing.SCALAR, writer.scalar())


def assign_leaf(writer: Writer) -> None:
    """A tensor from nothing."""
    writer.bind(Thing.MATRIX, writer.leaf())


def assign_other(writer: Writer) -> None:
    """A model, a container, a switch, a flag."""
    pick = writer.choices.pick
    kind = pick((Thing.MODEL, Thing.LINEAR, Thing.LIST, Thing.SWITCH, Thing.FLAG, Thing.DICTIONARY, Thing.MATRICES))
    if kind is Thing.SWITCH:
        name = writer.new_name(Thing.SWITCH)
        if name in writer.scope.things:
            return
        switch = writer.switch()
        writer.line(f"{name} = {switch}")
        writer.hold(name, Thing.SWITCH)
        if "nullcontext" in switch:
            writer.scope.only_entered |= {name}
        writer.line(writer.marked("None"))
        if writer.choices.chance(60) and writer.depth < DEEPEST:
            _enter_named(writer, name)
    elif kind is Thing.FLAG:
        held = pick(("is_grad_enabled", "True", "False", "coin()", "is_grad_enabled"))
        writer.bind(kind, f"{writer.spelling.of(held)}()" if held == "is_grad_enabled" else held)
    elif kind is Thing.LIST:
        comprehension = f"[{writer.matrix(1)} for _ in range(2)]"
        given = f"[{writer.matrix(1)}, {writer.matrix(1)}]"
        chunks = f"list({writer.operand(1)}.expand(2, 2, 2))"
        writer.bind(kind, pick((given, comprehension, chunks)))
    elif kind is Thing.DICTIONARY:
        writer.bind(kind, pick(('{{"out": {}}}', "dict(out={})")).format(writer.matrix(1)))
    elif kind is Thing.MATRICES:
        writer.bind(kind, "[]")
    else:
        writer.bind(kind, writer.made(kind))


def alias(writer: Writer) -> None:
    """A second name for an object."""
    name = writer.variable(Thing.MATRIX, Thing.MODEL, Thing.LIST)
    thing = writer.scope.holds(name) if name is not None else None
    if name is None or thing is None:
        ask(writer)
        return
    writer.bind(thing, name)


def unpack(writer: Writer) -> None:
    """Several names at once."""
    first = writer.new_name(Thing.MATRIX)
    held = dict(writer.scope.things)
    writer.scope.things.setdefault(first, Thing.MATRIX)
    second = writer.new_name(Thing.MATRIX)
    writer.scope.things = held
    if first == second:
        assign_matrix(writer)
        return
    pairs = [each for each in writer.scope.callables() if each.gives_pair and not each.is_generator]
    source = writer.variable(Thing.LIST)
    kinds = ["tuple", "swap", "list", "star", "chunk"]
    kind = "call" if pairs and writer.choices.chance(40) else writer.choices.pick(kinds)
    if kind == "call":
        writer.line(f"{first}, {second} = {writer.applied(writer.choices.pick(pairs), 1)}")
    elif kind == "list" and source is not None:
        writer.line(f"{first}, {second} = {source}[:2]")
    elif kind == "star":
        writer.line(f"{first}, *_ = {source or writer.made(Thing.LIST)}")
        second = first
    elif kind == "chunk":
        writer.line(f"{first}, {second} = {writer.operand(1)}.expand(2, 2, 2).unbind(0)")
    elif kind == "swap" and first in writer.scope.things and second in writer.scope.things:
        writer.line(f"{first}, {second} = {second}, {first}")
    else:
        writer.line(f"{first}, {second} = {writer.matrix(1)}, {writer.matrix(1)}")
    for name in (first, second):
        writer.hold(name, Thing.MATRIX)
    writer.reveal(first)
    writer.reveal(second)


def store(writer: Writer) -> None:
    """Something is put in a container, and perhaps taken out."""
    name = writer.variable(Thing.LIST, Thing.MATRICES, Thing.DICTIONARY)
    if name is None:
        assign_other(writer)
        return
    value = writer.matrix(1)
    if writer.scope.holds(name) is Thing.DICTIONARY:
        writer.line(f'{name}["out"] = {value}')
        writer.line(writer.marked(f'{name}["out"]'))
    elif writer.choices.chance(30) and name in writer.scope.things:
        writer.line(f"{name} += [{value}]")
        writer.line(writer.marked(f"{name}[-1]"))
    elif writer.choices.chance(30) and name in writer.scope.things:
        writer.line(f"{name} = [*{name}, {value}]")
        writer.reveal(f"{name}[-1]")
    else:
        writer.line(f"{name}.append({value})")
        writer.reveal(f"{name}[-1]")


def switch_block(writer: Writer) -> None:
    """``with`` a switch."""
    scope = writer.scope
    named = [name for name in scope.local(Thing.SWITCH) if name not in scope.entered]
    before = scope.off
    if named and writer.choices.chance(30):
        _enter_named(writer, writer.choices.pick(named))
        return
    items = writer.switch()
    if writer.choices.chance(10):
        items = writer.choices.pick((f"{items}, {writer.switch()}", f"({items}), ({writer.switch()})"))
    writer.line(f"with {items}:")
    scope.off = turns_off(items, before)
    inside = writer.block()
    scope.off = before
    # What is bound in a with block is there afterwards.
    keep(scope, inside)
    if writer.choices.chance(50):
        writer.line(writer.marked(writer.variable(Thing.MATRIX, Thing.SCALAR) or "None"))


def _enter_named(writer: Writer, name: str) -> None:
    """``with`` a switch that a name holds."""
    scope = writer.scope
    writer.line(f"with {name}:")
    entered = scope.entered
    scope.entered = entered | {name}
    inside = writer.block()
    scope.entered = entered
    keep(scope, inside)
    writer.line(writer.marked(writer.variable(Thing.MATRIX) or "None"))


def turns_off(items: str, before: bool) -> bool:
    """Whether gradients are off where a switch has been entered, as far as it shows."""
    if "no_grad" in items or "ng_" in items or "(False)" in items or "mode()" in items or "im_()" in items:
        return True
    return before and "enable_grad" not in items


def keep(scope: Scope, inside: Scope) -> None:
    """Names of a block that always runs to its end."""
    scope.things, scope.functions, scope.managers = inside.things, inside.functions, inside.managers
    scope.decorators, scope.methods, scope.attributes = inside.decorators, inside.methods, inside.attributes


def switch_statement(writer: Writer) -> None:
    """``set_grad_enabled`` as a statement, saved and restored, or a switch that does nothing."""
    pick = writer.choices.pick
    enabled, is_enabled = writer.spelling.of("set_grad_enabled"), writer.spelling.of("is_grad_enabled")
    kind = pick(("restored", "off", "on", "flag", "nothing", "finally", "saved"))
    if kind == "off" and writer.scope.off:
        kind = "on"
    if kind in {"restored", "finally", "saved"}:
        name = writer.new_name(Thing.FLAG)
        writer.line(f"{name} = {is_enabled}()")
        writer.hold(name, Thing.FLAG)
        if kind == "saved":
            return
        writer.line(f"{enabled}({pick(('False', 'True', 'coin()'))})")
        if kind == "finally":
            writer.line("try:")
            writer.block()
            writer.line("finally:")
            writer.depth += 1
            writer.line(f"{enabled}({name})")
            writer.depth -= 1
        else:
            writer.statement()
            writer.line(f"{enabled}({name})")
    elif kind == "flag":
        writer.line(f"{enabled}({writer.variable(Thing.FLAG) or 'coin()'})")
    elif kind == "nothing":
        writer.line(f"{writer.spelling.of('no_grad')}()")
    else:
        writer.line(f"{enabled}({kind == 'on'})")
        writer.scope.off = kind == "off"
    writer.line(writer.marked("None"))


def stack_block(writer: Writer) -> None:
    """``contextlib.ExitStack``."""
    scope = writer.scope
    if scope.taken("stack"):
        switch_block(writer)
        return
    writer.line("with contextlib.ExitStack() as stack:")
    writer.depth += 1
    if writer.choices.chance(25):
        writer.line(f"if {writer.condition()}:")
        writer.line(f"    stack.enter_context({writer.switch()})")
    else:
        writer.line(f"stack.enter_context({writer.switch()})")
    writer.depth -= 1
    outside = writer.scope
    writer.scope = outside.fork()
    writer.scope.things["stack"] = Thing.NONE
    writer.body(2)
    writer.scope = outside
    if writer.choices.chance(40):
        writer.line(writer.marked("None"))


def branch(writer: Writer) -> None:
    """``if``, ``elif``, ``else``."""
    writer.line(f"if {writer.condition()}:")
    writer.block()
    if writer.choices.chance(15):
        writer.line(f"elif {writer.condition()}:")
        writer.block()
    if writer.choices.chance(45):
        writer.line("else:")
        writer.block()
    writer.line(writer.marked(writer.variable(Thing.MATRIX, Thing.SCALAR) or "None"))


def for_loop(writer: Writer) -> None:
    """``for`` over numbers, a loader, a container, parameters, a generator."""
    pick, scope = writer.choices.pick, writer.scope
    generators = [each for each in scope.callables() if each.is_generator]
    kinds = ["range", "range", "loader", "list", "parameters", "enumerate", "zip", "items"]
    kind = "generator" if generators and writer.choices.chance(30) else pick(kinds)
    outside = writer.scope
    writer.scope = inner = outside.fork()
    inner.in_loop = True
    loader = writer.variable(Thing.LOADER)
    items = writer.variable(Thing.LIST, Thing.MATRICES)
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    first = next((name for name in ("x", "batch", "sample") if not outside.taken(name)), None)
    second = next((name for name in ("y", "target", "label") if not outside.taken(name)), None)
    tail = ""
    if kind in {"loader", "enumerate"} and loader is not None and first and second:
        form = f"for {first}, {second} in {loader}:"
        if kind == "enumerate":
            number = next((name for name in ("step", "index", "_") if not outside.taken(name)), "_")
            form = f"for {number}, ({first}, {second}) in enumerate({loader}):"
        writer.line(form)
        inner.things[first] = inner.things[second] = Thing.MATRIX
        tail = first
    elif kind in {"list", "zip"} and items is not None and first:
        writer.line(f"for {first} in {items}:" if kind == "list" else f"for {first}, _ in zip({items}, {items}):")
        inner.things[first] = Thing.MATRIX
        tail = first
    elif kind == "parameters" and model is not None and not outside.taken("p"):
        writer.line(f"for p in {model}.parameters():")
        inner.things["p"] = Thing.NONE
        writer.depth += 1
        writer.line(writer.marked("p"))
        if writer.choices.chance(40):
            writer.line(
                pick(("p.requires_grad_(False)", "p.requires_grad = True", "p.grad = None", "p.data.mul_(0.5)"))
            )
            writer.line(writer.marked("p"))
        if writer.choices.chance(30):
            guarded(writer, [pick(("p.sub_(0.1)", "p -= 0.1", "p.mul_(0.5)", "p.copy_(p * 2)"))])
        writer.depth -= 1
    elif kind == "items" and first and (held := writer.variable(Thing.DICTIONARY)) is not None:
        writer.line(f"for _, {first} in {held}.items():")
        inner.things[first] = Thing.MATRIX
        tail = first
    elif kind == "generator" and generators and first:
        writer.line(f"for {first} in {writer.applied(pick(generators), 1)}:")
        inner.things[first] = Thing.MATRIX
        tail = first
    else:
        writer.line(f"for _ in range({pick(('2', '1', '3', '0'))}):")
    if tail:
        writer.depth += 1
        writer.reveal(tail)
        writer.depth -= 1
    writer.body(pick((1, 2, 3)))
    writer.scope = outside
    if writer.choices.chance(10):
        writer.line("else:")
        writer.block()
    if writer.choices.chance(50):
        writer.line(writer.marked(writer.variable(Thing.MATRIX, Thing.SCALAR) or "None"))


def while_loop(writer: Writer) -> None:
    """``while``, which ends."""
    scope = writer.scope
    name = next((each for each in ("step", "epoch", "count") if not scope.taken(each)), None)
    if name is None:
        branch(writer)
        return
    scope.things[name] = Thing.NONE
    writer.line(f"{name} = 0")
    endless = writer.choices.chance(40)
    writer.line("while True:" if endless else f"while {name} < 2:")
    writer.depth += 1
    writer.line(f"{name} += 1")
    writer.depth -= 1
    writer.block(loop=True)
    if endless:
        writer.line(f"    if {name} > {writer.choices.pick((1, 0))}:")
        writer.line("        break")
    writer.line(writer.marked("None"))


def leave(writer: Writer) -> None:
    """``break``, ``continue``, ``return``: on a condition."""
    scope, pick = writer.scope, writer.choices.pick
    ways = []
    if scope.in_loop and not scope.at_end:
        ways += ["break", "continue"]
    if scope.may_return and not scope.at_end:
        ways.append(given_back(writer))
    if not ways:
        ask(writer)
        return
    if scope.in_loop or writer.choices.chance(80):
        writer.line(f"if {writer.condition()}:")
        writer.line(f"    {pick(ways)}")
    else:
        writer.line(f"if {writer.condition()}:")
        writer.block((1,))
        writer.line(f"    {pick(ways)}")


def given_back(writer: Writer) -> str:
    """A ``return`` that fits the function around."""
    gives = writer.scope.gives
    if gives is Thing.MATRIX:
        return f"return {writer.matrix()}"
    if gives is Thing.SCALAR:
        return f"return {writer.scalar()}"
    if gives is Thing.LIST:
        return f"return {writer.matrix(1)}, {writer.matrix(1)}"
    return "return"


def try_block(writer: Writer) -> None:
    """``try``, with a statement that may fail."""
    pick = writer.choices.pick
    writer.line("try:")
    outside = writer.scope
    writer.scope = outside.fork()
    writer.depth += 1
    writer.statement()
    if writer.choices.chance(60):
        writer.line(pick(("fail()", "raise ValueError", "fail()")))
    else:
        writer.line("pass")
    if not writer.lines[-1].endswith("raise ValueError"):
        writer.statement()
    writer.depth -= 1
    writer.scope = outside
    kind = pick(("except", "except", "both", "finally"))
    if kind != "finally" or any(line.strip() in {"fail()", "raise ValueError"} for line in writer.lines[-3:]):
        writer.line(pick(("except ValueError:", "except (ValueError, RuntimeError, TypeError):", "except Exception:")))
        writer.block()
        if writer.choices.chance(20):
            writer.line("else:")
            writer.block()
        if kind != "except":
            _at_end(writer)
    else:
        _at_end(writer)
    writer.line(writer.marked(writer.variable(Thing.MATRIX) or "None"))


def _at_end(writer: Writer) -> None:
    writer.line("finally:")
    before, writer.scope.at_end = writer.scope.at_end, True
    writer.block()
    writer.scope.at_end = before


def match_block(writer: Writer) -> None:
    """``match`` on a number or a string."""
    pick = writer.choices.pick
    writer.line(f"match {pick(('roll()', '1', 'roll()'))}:")
    writer.depth += 1
    for case in ("0", "1 | 2")[: pick((1, 2))]:
        writer.line(f"case {case}:")
        writer.block()
    if writer.choices.chance(60):
        writer.line(f"case {pick(('_', 'other'))}:")
        writer.block()
    writer.depth -= 1
    writer.line(writer.marked(writer.variable(Thing.MATRIX) or "None"))


def in_place(writer: Writer) -> None:
    """A tensor is changed in place, mostly where that may be."""
    pick = writer.choices.pick
    name = writer.variable(Thing.MATRIX)
    if name is None:
        assign_leaf(writer)
        return
    local = name in writer.scope.things or "." in name
    other = writer.matrix(1)
    torch, nn = writer.spelling.torch, writer.spelling.nn
    forms = [
        f"{name}.add_({other})",
        f"{name}.mul_(0.5)",
        f"{name}[0] = 0.0",
        f"{name}[0] += 1.0",
        f"{name}[:] = {other}",
        f"{name}.copy_({other})",
        f"{name}.zero_()",
        f"{name}.data.mul_(0.5)",
        f"{name}.t().mul_(2)",
        f"{name}.detach().add_(1)",
        f"{torch}.add({name}, 1, out={name})",
        f"{nn}.init.normal_({name})",
        f"{name}.clamp_(-1, 1)",
        f"{name}.data = {other}",
        f"{torch}._foreach_mul_([{name}], 0.5)",
        f"{torch}.relu_({name})",
    ]
    if local:
        forms += [f"{name} += {other}", f"{name} -= 0.1", f"{name} *= 0.5", f"{name} -= 0.1 * {other}"]
        forms += [f"{name}.data -= 0.1", f"{name} /= 2"]
    guarded(writer, [pick(forms)])
    writer.reveal(name)


def flags(writer: Writer) -> None:
    """``requires_grad``, ``detach_``, ``eval``, freezing."""
    pick = writer.choices.pick
    name = writer.variable(Thing.MATRIX)
    model = writer.variable(Thing.MODEL, Thing.LINEAR)
    if model is not None and writer.choices.chance(50):
        writer.line(
            f"{model}."
            + pick(("eval()", "train()", "requires_grad_(False)", "requires_grad_()", "train(False)", "zero_grad()"))
        )
        writer.line(writer.marked(pick((model, f"{model}({writer.matrix(1)})"))))
    elif name is not None:
        change = pick(
            (".requires_grad_()", ".requires_grad_(False)", ".detach_()", ".requires_grad = True", ".grad = None")
        )
        guarded(writer, [f"{name}{change}"], bare=60, block=5)
        writer.line(writer.marked(name))


def show(writer: Writer) -> None:
    """Print a number."""
    name = writer.variable(Thing.MATRIX, Thing.SCALAR)
    if name is None:
        ask(writer)
        return
    writer.line(f"print({name}{writer.choices.pick(('.sum().item()', '.detach()', ''))})")


def augment(writer: Writer) -> None:
    """``total += loss``."""
    local = writer.scope.local(Thing.SCALAR)
    if not local:
        writer.bind(Thing.SCALAR, writer.scalar())
        return
    name = writer.choices.pick(local)
    guarded(writer, [f"{name} += {writer.scalar(1)}"], bare=40, block=10)
    writer.reveal(name)


def call_statement(writer: Writer) -> None:
    """A function of the program is called for what it does, perhaps through a name."""
    able = [each for each in writer.scope.callables() if not each.is_generator]
    if not able:
        define(writer)
        return
    called: Callable_ = writer.choices.pick(able[::-1])
    text = writer.applied(called, 2)
    if called.gives in {Thing.MATRIX, Thing.SCALAR} and not called.gives_pair and writer.choices.chance(50):
        writer.bind(called.gives, text)
    else:
        writer.line(text)
        writer.line(writer.marked("None"))


def define(writer: Writer) -> None:
    """A function, a class, a manager, a decorator."""
    if writer.depth > 2 or writer.scope.in_loop:
        assign_matrix(writer)
        return
    known = {each.name for each in writer.scope.callables()}
    writer.choices.pick(DEFINITIONS)(writer)
    for _ in range(writer.choices.pick((1, 2, 0, 1))):
        new = [each for each in writer.scope.callables() if each.name not in known and not each.is_generator]
        if new and writer.choices.more():
            _called(writer, writer.choices.pick(new))


def _called(writer: Writer, called: Callable_) -> None:
    """A call of what was just defined, often under a switch."""
    guarded = writer.choices.chance(40)
    if guarded:
        writer.line(f"with {writer.switch()}:")
        writer.depth += 1
    text = writer.applied(called, 2)
    if called.gives in {Thing.MATRIX, Thing.SCALAR} and not called.gives_pair:
        writer.bind(called.gives, text)
    else:
        writer.line(text)
    writer.depth -= guarded


def train(writer: Writer) -> None:
    """Something that training scripts have."""
    writer.choices.pick(TRAINING)(writer)


def with_a_flag(writer: Writer) -> None:
    """Something that does one thing or another, as a flag says."""
    writer.choices.pick(FLAGS)(writer)


def mistake(writer: Writer) -> None:
    """Something that a rule mends."""
    writer.choices.pick(MISTAKES)(writer)


Statement = Callable[[Writer], None]
_SIMPLE: tuple[Statement, ...] = (
    nothing,
    *(ask,) * 3,
    *(assign_matrix,) * 9,
    *(assign_scalar,) * 4,
    *(assign_leaf,) * 3,
    *(assign_other,) * 3,
    *(alias,) * 2,
    *(unpack,) * 2,
    *(store,) * 2,
    *(backward,) * 3,
    *(in_place,) * 4,
    *(flags,) * 3,
    *(show,) * 2,
    *(augment,) * 2,
    *(leave,) * 3,
    *(call_statement,) * 6,
)
_STATEMENTS: tuple[Statement, ...] = (
    *_SIMPLE,
    *(switch_block,) * 9,
    *(switch_statement,) * 4,
    *(stack_block,) * 2,
    *(branch,) * 4,
    *(for_loop,) * 5,
    *(while_loop,) * 2,
    *(try_block,) * 3,
    *(match_block,) * 2,
    *(define,) * 12,
    *(train,) * 9,
    *(evaluation_with_others,) * 4,
    *(with_a_flag,) * 4,
    *(mistake,) * 3,
)
