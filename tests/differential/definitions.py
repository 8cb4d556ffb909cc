"""What a generated program defines: functions, classes, context managers, decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .scope import Callable_, Scope, Thing

if TYPE_CHECKING:
    from .statements import Writer


def _free(writer: Writer, *names: str) -> str | None:
    return next((name for name in names if not writer.scope.taken(name)), None)


def _decorators(writer: Writer, *, percent: int = 45) -> None:
    """Decorators of the function that follows."""
    pick, scope = writer.choices.pick, writer.scope
    while writer.choices.chance(percent):
        percent = 10
        kind = pick(_DECORATORS)
        own = [*scope.all_decorators(), *(each for each in scope.context_managers() if each.endswith("()"))]
        named = [name for name in scope.local(Thing.SWITCH) if name not in scope.only_entered]
        if own and (kind == "own" or writer.choices.chance(40)):
            # A manager class is no decorator; functions with contextmanager are.
            writer.line(f"@{pick(own)}")
            continue
        if named and (kind == "var" or writer.choices.chance(30)):
            writer.line(f"@{pick(named)}")
            continue
        if kind in {"own", "var"}:
            kind = "inference_mode"
        name, bracket, rest = kind.partition("(")
        writer.line(f"@{writer.spelling.of(name)}{bracket}{rest}")


_DECORATORS = (
    *("no_grad()",) * 4,
    *("no_grad", "enable_grad()", "enable_grad", "inference_mode()") * 2,
    *("set_grad_enabled(False)", "inference_mode(False)", "set_grad_enabled(True)") * 2,
    "inference_mode(True)",
    "own",
    "var",
)


def _enter(writer: Writer, parameters: dict[str, Thing], gives: Thing) -> Scope:
    """Begin the body of a function; gives the scope outside."""
    outside = writer.scope
    writer.scope = Scope(parent=outside, things=dict(parameters), gives=gives, may_return=True)
    return outside


def _declared(writer: Writer, outside: Scope) -> None:
    """``global`` or ``nonlocal`` for a name of the scope around."""
    names = [name for name in outside.local(Thing.MATRIX) if name not in writer.scope.things]
    if not names or not writer.choices.chance(25 if outside.is_module else 45):
        return
    name = writer.choices.pick(names)
    writer.line(f"    {'global' if outside.is_module else 'nonlocal'} {name}")
    writer.scope.assignable.add(name)
    writer.depth += 1
    writer.line(f"{name} = {writer.matrix(1)}")
    writer.reveal(name)
    writer.depth -= 1


def _parameters(writer: Writer, most: int = 2) -> dict[str, Thing]:
    names = ("a", "x", "inputs", "b", "tensor")
    count = writer.choices.below(most + 1)
    first = writer.choices.below(len(names))
    chosen = {names[(first + number) % len(names)]: Thing.MATRIX for number in range(count)}
    if writer.choices.chance(15):
        chosen["model"] = Thing.MODEL
    if writer.choices.chance(10):
        chosen["train"] = Thing.FLAG
    if writer.choices.chance(8):
        chosen["loader"] = Thing.LOADER
    return chosen


def function(writer: Writer, decorator: str = "") -> None:
    """A function of matrices, perhaps with a decorator of the program."""
    name = _free(writer, "step", "compute", "evaluate", "helper", "run", "predict")
    if name is None:
        return
    writer.scope.inner.add(name)
    gives = writer.choices.pick((Thing.MATRIX, Thing.MATRIX, Thing.MATRIX, Thing.SCALAR, Thing.NONE, Thing.LIST))
    parameters = _parameters(writer)
    _decorators(writer, percent=10 if decorator else 45)
    if decorator:
        writer.line(f"@{decorator}")
    signature = ", ".join(parameters)
    writer.line(f"def {name}({signature}):")
    outside = _enter(writer, parameters, gives)
    _declared(writer, outside)
    _body(writer)
    writer.scope = outside
    pair = gives is Thing.LIST
    outside.functions[name] = Callable_(
        name, tuple(parameters.values()), Thing.MATRIX if pair else gives, gives_pair=pair, names=tuple(parameters)
    )


def factory(writer: Writer) -> None:
    """A function that makes functions, which keep what it was given."""
    name, made = _free(writer, "make", "build"), _free(writer, "scaled", "shifted")
    if name is None or made is None:
        return
    writer.scope.inner |= {name, made}
    given = writer.matrix(1)
    writer.line(f"def {name}(scale):")
    outside = _enter(writer, {"scale": Thing.MATRIX}, Thing.NONE)
    writer.depth += 1
    if writer.choices.chance(40) and not writer.scope.taken("offset"):
        # A function within would look in vain for that of the one around: it has its own.
        writer.line(f"offset = {writer.matrix(1)}")
        writer.hold("offset", Thing.MATRIX)
        writer.reveal("offset")
    around = writer.scope
    if writer.choices.chance(30):
        writer.scope = Scope(parent=around, things={"a": Thing.MATRIX}, gives=Thing.MATRIX)
        writer.line(f"return lambda a: {writer.marked('scale')} * {writer.operand(1)}")
    else:
        _decorators(writer, percent=20)
        writer.line("def inner(a):")
        _enter(writer, {"a": Thing.MATRIX}, Thing.MATRIX)
        writer.depth += 1
        writer.line(writer.marked(writer.choices.pick(tuple(around.things))))
        writer.statement()
        writer.line(f"return a * {writer.choices.pick(tuple(around.things))}")
        writer.depth -= 1
        writer.line("return inner")
    writer.depth -= 1
    writer.scope = outside
    writer.line(f"{made} = {name}({given})")
    outside.functions[made] = Callable_(made, (Thing.MATRIX,), Thing.MATRIX)


def _body(writer: Writer) -> None:
    """Statements of a function, a point, and its ``return``."""
    from .statements import given_back

    writer.depth += 1
    if writer.choices.chance(50):
        names = writer.scope.local(Thing.MATRIX, Thing.MODEL)
        writer.line(writer.marked(writer.choices.pick(names[::-1]) if names else "None"))
    for _ in range(writer.choices.pick((1, 2, 3))):
        if not writer.statement():
            break
    if writer.scope.gives is not Thing.NONE:
        writer.line(given_back(writer))
    else:
        writer.line("pass")
    writer.depth -= 1


def generator(writer: Writer) -> None:
    """A generator of matrices."""
    name = _free(writer, "stream", "produce")
    if name is None:
        return
    writer.scope.inner.add(name)
    parameters = {"a": Thing.MATRIX}
    _decorators(writer, percent=12)
    writer.line(f"def {name}(a):")
    outside = _enter(writer, parameters, Thing.NONE)
    writer.depth += 1
    writer.statement()
    guarded = writer.choices.chance(35)
    if guarded:
        writer.line(f"with {writer.switch()}:")
        writer.depth += 1
    if writer.choices.chance(35):
        writer.line(
            f"yield from {writer.choices.pick(('[{0}, {1}]', '({0} for _ in range(2))'))}".format(
                writer.matrix(1), writer.matrix(1)
            )
        )
        writer.line(writer.marked("None"))
    elif writer.choices.chance(50):
        writer.line(f"for _ in range({writer.choices.pick(('2', '1'))}):")
        writer.line(f"    yield {writer.matrix(1)}")
        writer.line("    " + writer.marked("None"))
    else:
        writer.line(f"yield {writer.matrix(1)}")
        writer.line(writer.marked("None"))
        writer.line(f"yield {writer.matrix(1)}")
    writer.depth -= 2 if guarded else 1
    writer.scope = outside
    outside.functions[name] = Callable_(name, (Thing.MATRIX,), Thing.NONE, is_generator=True)
    first = writer.unused("batch", "sample", "x")
    if first and not writer.choices.chance(25):
        writer.line(f"for {first} in {name}({writer.matrix(1)}):")
        writer.line(f"    {writer.marked(first)}")


def short_function(writer: Writer) -> None:
    """A lambda with a name, or one that a switch wraps."""
    name = _free(writer, "fn", "apply_")
    if name is None:
        return
    writer.scope.inner.add(name)
    outside = _enter(writer, {"a": Thing.MATRIX}, Thing.MATRIX)
    body = writer.marked(writer.matrix(1))
    writer.scope = outside
    text = f"lambda a: {body}"
    if writer.choices.chance(25):
        text = f"{writer.spelling.of(writer.choices.pick(('no_grad', 'enable_grad', 'inference_mode')))}()({text})"
    writer.line(f"{name} = {text}")
    outside.functions[name] = Callable_(name, (Thing.MATRIX,), Thing.MATRIX)


def another_name(writer: Writer) -> None:
    """A function under another name, partial or wrapped by a switch or decorator."""
    able = [each for each in writer.scope.callables() if not each.is_generator and "." not in each.name]
    name = _free(writer, "action", "fast")
    if not able or name is None:
        function(writer)
        return
    called = writer.choices.pick(able)
    kind = writer.choices.pick(("partial", "plain", "no_grad()", "partial", "enable_grad()", "inference_mode()", "own"))
    text = called.name
    own = writer.scope.all_decorators()
    if kind == "partial":
        text = f"functools.partial({called.name})"
    elif kind == "own" and own:
        text = f"{writer.choices.pick(own)}({called.name})"
    elif kind not in {"plain", "own"}:
        text = f"{writer.spelling.of(kind[:-2])}()({called.name})"
    writer.line(f"{name} = {text}")
    other = Callable_(name, called.parameters, called.gives, called.is_generator, called.gives_pair)
    writer.scope.functions[name] = other
    writer.line(writer.marked(writer.applied(other, 1)))


def manager(writer: Writer) -> None:
    """A context manager: a generator with ``contextlib.contextmanager``, or a class."""
    name = _free(writer, "quiet", "mode", "evaluating")
    if name is None:
        return
    writer.scope.inner.add(name)
    if writer.choices.chance(40):
        _manager_class(writer, name.capitalize())
        return
    enabled, is_enabled = writer.spelling.of("set_grad_enabled"), writer.spelling.of("is_grad_enabled")
    writer.line("@contextlib.contextmanager")
    writer.line(f"def {name}():")
    kind = writer.choices.pick(("with", "with", "saved", "finally", "plain"))
    if kind == "with":
        writer.line(f"    with {writer.switch()}:")
        writer.line(f"        {writer.marked('None')}")
        writer.line("        yield")
    elif kind == "plain":
        writer.line("    yield")
    else:
        writer.line(f"    before = {is_enabled}()")
        writer.line(f"    {enabled}({writer.choices.pick(('False', 'True'))})")
        if kind == "finally":
            writer.line("    try:")
            writer.line("        yield")
            writer.line("    finally:")
            writer.line(f"        {enabled}(before)")
        else:
            writer.line("    yield")
            writer.line(f"    {enabled}(before)")
    writer.line(f"    {writer.marked('None')}")
    writer.scope.managers.append(f"{name}()")
    if writer.choices.more() and writer.choices.chance(50):
        function(writer, f"{name}()")


def _manager_class(writer: Writer, name: str) -> None:
    enabled, is_enabled = writer.spelling.of("set_grad_enabled"), writer.spelling.of("is_grad_enabled")
    kind = writer.choices.pick(("saved", "inner", "plain", "child"))
    if kind == "child":
        switch = writer.spelling.of(writer.choices.pick(("no_grad", "enable_grad")))
        writer.line(f"class {name}({switch}):")
        writer.line("    pass")
        writer.scope.managers.append(f"{name}()")
        return
    writer.line(f"class {name}:")
    writer.line("    def __enter__(self):")
    if kind == "saved":
        writer.line(f"        self.before = {is_enabled}()")
        writer.line(f"        {enabled}({writer.choices.pick(('False', 'True'))})")
    elif kind == "inner":
        writer.line(f"        self.inner = {writer.spelling.of(writer.choices.pick(('no_grad', 'enable_grad')))}()")
        writer.line("        self.inner.__enter__()")
    writer.line(f"        {writer.marked('None')}")
    writer.line("        return self")
    writer.line("    def __exit__(self, *failure):")
    if kind == "saved":
        writer.line(f"        {enabled}(self.before)")
    elif kind == "inner":
        writer.line("        self.inner.__exit__(*failure)")
    writer.line(f"        {writer.marked('None')}")
    writer.scope.managers.append(f"{name}() ")
    # The blank keeps it from being used as a decorator, which it is not.


def decorator(writer: Writer) -> None:
    """A decorator that calls its function in some mode."""
    name = _free(writer, "without", "wrapped")
    if name is None:
        return
    writer.scope.inner.add(name)
    kind = writer.choices.pick(("with", "with", "switch", "plain", "same", "nested"))
    writer.line(f"def {name}(fn):")
    if kind == "same":
        writer.line("    return fn")
    elif kind == "switch":
        writer.line(f"    return {writer.spelling.of(writer.choices.pick(('no_grad', 'enable_grad')))}()(fn)")
    else:
        if writer.choices.chance(50):
            writer.line("    @functools.wraps(fn)")
        if kind == "nested":
            writer.line(f"    @{writer.spelling.of('no_grad')}()")
        writer.line("    def inner(*args, **kwargs):")
        if kind == "with":
            writer.line(f"        with {writer.switch()}:")
            writer.line(f"            {writer.marked('None')}")
            writer.line("            return fn(*args, **kwargs)")
        else:
            writer.line(f"        {writer.marked('None')}")
            writer.line("        given = fn(*args, **kwargs)")
            writer.line("        return given")
        writer.line("    return inner")
    writer.scope.decorators.append(name)
    if writer.choices.more():
        function(writer, name)


def module_class(writer: Writer) -> None:
    """A class of modules, and one module of it."""
    name = _free(writer, "Net", "Block")
    if name is None:
        return
    torch, nn, pick = writer.spelling.torch, writer.spelling.nn, writer.choices.pick
    writer.scope.inner.add(name)
    writer.line(f"class {name}({nn}.Module):")
    writer.line("    def __init__(self):")
    writer.line("        super().__init__()")
    attributes = {"self.layer": Thing.LINEAR, "self.layer.weight": Thing.MATRIX}
    writer.line(f"        self.layer = {nn}.Linear(2, 2)")
    if writer.choices.chance(50):
        writer.line(f"        self.scale = {nn}.Parameter({torch}.ones(2, 2))")
        attributes["self.scale"] = Thing.MATRIX
    if writer.choices.chance(20):
        writer.line(f'        self.register_buffer("offset", {torch}.zeros(2, 2))')
        attributes["self.offset"] = Thing.MATRIX
    if writer.choices.chance(20):
        writer.line(f"        self.body = {nn}.Sequential({nn}.Linear(2, 2), {nn}.ReLU())")
        attributes["self.body"] = Thing.MODEL
    if writer.choices.chance(15):
        writer.line("        self.layer." + pick(("requires_grad_(False)", "eval()")))
    if writer.choices.chance(25):
        writer.line(f"        self.blocks = {nn}.ModuleList([{nn}.Linear(2, 2), {nn}.Linear(2, 2)])")
        attributes["self.blocks[0]"] = Thing.LINEAR
    methods = [_method(writer, "forward", {"x": Thing.MATRIX}, attributes)]
    if writer.choices.chance(20):
        _static(writer)
    if writer.choices.chance(30):
        methods.append(_method(writer, pick(("predict", "encode")), {"x": Thing.MATRIX}, attributes))
    if writer.choices.chance(20):
        name = _child(writer, name)
    made = _free(writer, "net", "model", "block")
    if made is None:
        return
    writer.line(f"{made} = {name}()")
    writer.hold(made, Thing.MODEL)
    for path, thing in attributes.items():
        writer.scope.attributes[path.replace("self", made, 1)] = thing
    writer.scope.methods[made] = [
        Callable_(f"{made}.{each.name}", each.parameters, each.gives) for each in methods if each.name != "forward"
    ]


def _static(writer: Writer) -> None:
    """A method without an object, or of the class."""
    kind = writer.choices.pick(("staticmethod", "classmethod"))
    writer.line(f"    @{kind}")
    writer.depth += 1
    _decorators(writer, percent=40)
    writer.line(f"def shift({'a' if kind == 'staticmethod' else 'cls, a'}):")
    writer.line(f"    return {writer.marked('a')} + 1")
    writer.depth -= 1


def _child(writer: Writer, parent: str) -> str:
    """A class whose forward pass goes on from that of another."""
    name = f"Wider{parent}"
    writer.line(f"class {name}({parent}):")
    writer.line("    def forward(self, x):")
    writer.line(f"        out = super().forward({writer.choices.pick(('x', 'x * 2'))})")
    writer.line(f"        {writer.marked('out')}")
    writer.line(f"        return {writer.choices.pick(('out', 'out.tanh()', 'out + x', 'out.detach()'))}")
    return name


def _method(writer: Writer, name: str, parameters: dict[str, Thing], attributes: dict[str, Thing]) -> Callable_:
    writer.depth += 1
    _decorators(writer, percent=15)
    writer.line(f"def {name}({', '.join(['self', *parameters])}):")
    # Of a class within a method, ``self`` is another object.
    outside = _enter(writer, {**parameters, "self": Thing.NONE}, Thing.MATRIX)
    writer.scope.attributes.update(attributes)
    _body(writer)
    writer.scope = outside
    writer.depth -= 1
    return Callable_(name, tuple(parameters.values()), Thing.MATRIX)


def plain_class(writer: Writer) -> None:
    """A trainer: an object with methods that keep tensors in attributes."""
    name = _free(writer, "Trainer", "Worker")
    if name is None:
        return
    torch, pick = writer.spelling.torch, writer.choices.pick
    writer.scope.inner.add(name)
    writer.line(f"class {name}:")
    writer.line("    def __init__(self, model):")
    writer.line("        self.model = model")
    writer.line(f"        self.total = {pick((f'{torch}.zeros(2, 2)', f'{torch}.ones(2, 2, requires_grad=True)'))}")
    attributes = {"self.model": Thing.MODEL, "self.total": Thing.MATRIX}
    methods = [_method(writer, pick(("step", "evaluate")), {"x": Thing.MATRIX}, attributes)]
    attributes["self.total"] = Thing.MATRIX
    writer.scope.attributes.pop("self.total", None)
    if writer.choices.chance(50):
        other = Scope(parent=writer.scope)
        other.methods["self"] = [Callable_(f"self.{each.name}", each.parameters, each.gives) for each in methods]
        outside, writer.scope = writer.scope, other
        methods.append(_method(writer, pick(("loop", "close")), {"batch": Thing.MATRIX}, attributes))
        writer.scope = outside
    made = _free(writer, "trainer", "worker")
    if made is None:
        return
    writer.line(f"{made} = {name}({writer.held(Thing.MODEL)})")
    writer.hold(made, Thing.INSTANCE)
    writer.scope.attributes[f"{made}.total"] = Thing.MATRIX
    writer.scope.methods[made] = [Callable_(f"{made}.{each.name}", each.parameters, each.gives) for each in methods]


DEFINITIONS: tuple[Callable[[Writer], None], ...] = (
    *(function,) * 7,
    *(generator,) * 2,
    *(short_function,) * 2,
    *(another_name,) * 4,
    *(factory,) * 2,
    *(manager,) * 3,
    *(decorator,) * 3,
    *(module_class,) * 3,
    *(plain_class,) * 2,
)
