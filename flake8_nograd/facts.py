"""THE WAIST IN: all that a rule may know about a file, as frozen tables.

A fact may be added only if it can be described without naming a rule. Nothing
here knows LibCST: an ``Anchor`` is handed on, ``source`` and ``fixing`` open it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from .grad import Answer, GradMode
from .settings import Settings

Anchor = object
"""A place in the file. Compared by identity; opaque to rules."""


class Kind(Enum):
    """What a name or an expression holds."""

    UNKNOWN = "unknown"
    MODEL = "model"
    """An ``nn.Module`` with weights, as far as we know."""
    CRITERION = "criterion"
    """A loss: a module without weights, or a function."""
    PARAMETER = "parameter"
    """A leaf that an optimizer trains: ``nn.Parameter``, ``model.weight``, an item of ``parameters()``."""
    PARAMETERS = "parameters"
    """Several of them: ``model.parameters()``, ``list(model.parameters())``."""
    TENSOR = "tensor"
    DATA = "data"
    """What a loader or a caller hands in: presumed not to require gradients."""
    LOADER = "loader"
    OPTIMIZER = "optimizer"
    SCALER = "scaler"
    """``GradScaler``, ``Accelerator``, ``Fabric``: what calls backward for us."""
    STATE = "state"
    """A ``state_dict()``: its tensors are detached."""
    SWITCH = "switch"
    """A grad-mode context manager."""
    FUNCTION = "function"
    CLASS = "class"
    INSTANCE = "instance"
    """An object of a class of this file that is no module."""
    API = "api"
    """A name of a library, not called: ``torch.no_grad``."""
    CONTAINER = "container"
    PLAIN = "plain"
    """A Python value without gradients: a number, a string, an array, ``None``."""


class Loss(Enum):
    """How a value lost its graph, or never had one."""

    NO_GRAD = "no_grad"
    INFERENCE = "inference_mode"
    DETACH = "detach"
    DATA = "data"
    ITEM = "item"
    NUMPY = "numpy"
    FACTORY = "factory"
    """Made from Python numbers: ``torch.tensor(...)``, ``torch.zeros(...)``."""
    COPY = "copy"
    """The numbers of other tensors: ``torch.tensor(loss)``."""
    NON_DIFFERENTIABLE = "non_differentiable"
    """``argmax``, comparisons, integer casts."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where, and how, a value lost its graph."""

    how: Loss
    at: Anchor
    is_certain: bool = True
    """Whether it lost it so; else it is perhaps another value, that lost it otherwise, or never had one."""


class Leaf(Enum):
    """Why a value is believed to be a leaf that requires gradients."""

    PARAMETERS = "an item of parameters()"
    ATTRIBUTE = "weight or bias of a module"
    REGISTERED = "assigned nn.Parameter"
    REQUIRES_GRAD = "made with requires_grad"
    HAS_GRAD = "its .grad is read"
    ASKED = "a condition says so"
    """``if p.requires_grad:`` of a parameter, whatever somebody has frozen."""


class Value(NamedTuple):
    """What an expression holds, where it is used."""

    kind: Kind = Kind.UNKNOWN
    label: str = ""
    """As the file writes it: ``self.net``; empty for an expression without a name."""
    api: str = ""
    """Canonical name of the library class or function it is, or was made by."""
    requires_grad: Answer = Answer.UNKNOWN
    is_leaf: Answer = Answer.UNKNOWN
    is_inference: Answer = Answer.UNKNOWN
    """Whether it is an inference tensor (made under ``inference_mode``), if it is a tensor at all."""
    is_view: bool = False
    """A view of another tensor: ``y[0]``, ``y.t()``."""
    leaf: Leaf | None = None
    cut: Cut | None = None
    made_under: GradMode = GradMode.UNKNOWN
    made_at: Anchor | None = None
    forwards: frozenset[Anchor] = frozenset()
    """Anchors of the ``Forward`` rows it was computed from."""
    releafed: Anchor | None = None
    """Where something computed was made a leaf that requires gradients: what is behind it gets none."""
    literal: str = ""
    """Of a constant that stands in the file: its type, ``str``."""
    block: Switch | None = None
    """Of an inference tensor: the innermost ``with`` it was made in, if there is one in that function."""
    is_all_cut: bool = False
    """Whether every tensor that it was computed from was cut off, and none is merely presumed to have no graph."""


NOTHING_KNOWN = Value()


class Role(Enum):
    """What a class is to torch or a framework, by its base classes."""

    NONE = "none"
    MODULE = "module"
    LIGHTNING = "lightning"
    """A ``LightningModule`` (a module as well)."""
    CALLBACK = "callback"
    """A Lightning ``Callback``."""
    OPTIMIZER = "optimizer"
    AUTOGRAD_FUNCTION = "autograd function"
    TRAINER = "trainer"
    """A Hugging Face ``Trainer``."""
    TEST_CASE = "test case"


@dataclass(frozen=True, slots=True)
class Class:
    """A class statement."""

    anchor: Anchor
    name: str
    bases: tuple[str, ...]
    """Canonical names, through classes of the file."""
    role: Role
    has_base_elsewhere: bool = False
    """Whether it is derived from a class that is not in the file, and is no mere protocol."""


class Guard(Enum):
    """Who decides the grad mode a function is entered under."""

    NOBODY = "nobody"
    """No caller in the file: gradients are presumed to be as the module level leaves them, on if it does nothing."""
    CALLERS = "callers"
    FRAMEWORK = "framework"
    """A framework calls it: Lightning's ``validation_step``, a hook, ``Function.forward``."""
    ELSEWHERE = "elsewhere"
    """It is handed to somebody we do not know."""


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A ``def`` or ``lambda``."""

    anchor: Anchor
    name: str
    parent: Function | None
    """The function it is nested in."""
    owner: Class | None
    """The class it is a method of."""
    is_async: bool
    is_generator: bool
    is_test: bool
    """Whether pytest or unittest collect it, a module tests itself by it, or it is named for an assertion."""
    decorators: tuple[str, ...]
    """Canonical names of its decorators, top down."""
    guard: Guard
    entry: GradMode
    """The modes it is called under, before its own decorators."""
    leaves: GradMode
    """The modes it may leave behind, if it was called with gradients on."""
    parameters: tuple[str, ...]
    reads_grad: bool = False
    """Whether its body reads the ``.grad`` of something."""
    reads_graph: bool = False
    """Whether its body, or that of a function in it, reads the ``.grad_fn`` of something, or asks what a forward pass
    gave for its ``requires_grad``."""
    names_forces: bool = False
    """Whether a name, keyword, key or constant in it says forces or stresses, which are gradients of an energy."""
    forces_in: frozenset[Anchor] = frozenset()
    """The outermost loops that hold all such names; empty where one stands outside of loops."""
    keeps: tuple[str, ...] = ()
    """The parameters that it stores as they are, where others find them when it has returned."""
    tests: tuple[str, ...] = ()
    """The names that the conditions around its definition test, and what the handlers there catch."""

    @property
    def is_private(self) -> bool:
        """Whether its name says so: ``_predict``; not ``__call__``, which is how others use an object."""
        return self.name.startswith("_") and not self.name.endswith("__")

    @property
    def is_filled_in(self) -> bool:
        """Whether it is a private method that nobody in the file calls: a class of another file does."""
        return self.owner is not None and self.is_private and self.guard is Guard.NOBODY

    @property
    def qualified(self) -> str:
        """``Trainer.evaluate``."""
        return f"{self.owner.name}.{self.name}" if self.owner else self.name


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """A ``for``, a ``while``, or a comprehension."""

    anchor: Anchor
    function: Function | None
    parent: Loop | None
    iterates: Value
    """Of a ``while``: nothing known. Of ``model.parameters()``: with the label of the model."""
    statement: Anchor
    is_comprehension: bool = False
    binds: tuple[str, ...] = ()
    """The names that a ``for``, of a statement or a comprehension, binds anew in each turn."""
    has_else: bool = False
    """Whether its statement goes on with an ``else``, which is in none of its turns."""


Literal = bool | int | str | None


class Condition(NamedTuple):
    """What is asked of a parameter where that decides whether something runs: ``if train:``."""

    path: str
    """Of the parameter, or of a model's flag in it: ``train``, ``self.model.training``."""
    among: tuple[Literal, ...] | None
    """What it is compared with: ``phase == "train"``, ``optimizer is None``; ``None``: whether it is true."""
    holds: bool
    """Whether that must be so, or must not."""


class Passed(NamedTuple):
    """A condition on what is handed on as it was handed in."""

    inside: Condition
    """As the function that is called has it."""
    here: Condition
    """As the function around would."""


class Place(NamedTuple):
    """Where something happens."""

    function: Function | None
    """``None`` at module level."""
    loops: tuple[Loop, ...]
    """Of the same function, outermost first."""
    grad: GradMode
    """The modes possible here."""
    on_for_some_caller: bool
    """Whether gradients are certainly on here for at least one caller of the function."""
    presumed_on: bool
    """Whether they are for one, if what a nested function is handed to calls it with gradients on, torch's default."""
    statement: Anchor
    """The innermost statement around it."""
    block: Anchor
    """The block that statement stands in: what stands in one block can be wrapped together."""
    switches: tuple[Switch, ...]
    """The grad-mode ``with`` items around it in the same function, outermost first."""
    tests: tuple[str, ...] = ()
    """The names that the conditions around it test, ``train`` in ``if train:``, and what its handlers catch."""
    idle: tuple[Switch, ...] = ()
    """The switches that have no effect here: statements above in its block or one around, and conditions around."""
    passed: tuple[str, ...] = ()
    """The names that conditions above it test, of which one branch does not come here: ``if not train: return``."""
    caught: tuple[str, ...] = ()
    """What the handlers of the ``try`` statements catch in whose bodies it stands, outermost first."""
    requires: tuple[Condition, ...] = ()
    """What surely holds of the function's parameters here, by the conditions around and above."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """``tests``, and those of the functions around it: what is defined elsewhere only runs there."""
        found, function = self.tests, self.function
        while function is not None:
            found, function = found + function.tests, function.parent
        return found


class Form(Enum):
    """How a grad-mode switch is used."""

    WITH = "with"
    DECORATOR = "decorator"
    CLASS_DECORATOR = "class decorator"
    STATEMENT = "statement"
    """An expression statement: effective for ``set_grad_enabled`` alone."""
    CONDITION = "condition"
    """``if torch.no_grad():``: not entered, and true as objects are."""
    ENTERED = "entered"
    """``stack.enter_context(...)`` or ``__enter__``."""


@dataclass(frozen=True, slots=True, eq=False)
class Switch:
    """A grad-mode switch, used."""

    anchor: Anchor
    """The ``with`` item's expression, the decorator or the statement; of an uncalled one that is entered, its name."""
    api: str
    """Canonical: ``torch.no_grad``."""
    form: Form
    called: bool
    """Whether it has its parentheses, here or where it was made."""
    before: GradMode
    after: GradMode
    function: Function | None
    """Around a ``with`` or statement; of a decorator: the decorated one."""
    place: Place
    enables: Answer
    """Whether it asks for gradients: ``enable_grad()`` does, ``set_grad_enabled(flag)`` nobody knows."""
    arguments: tuple[Value, ...] | None = None
    """Of one that is made right there; ``None`` where it is entered by a name."""
    made: Anchor | None = None
    """Of one that is entered: where that object is made, if there is one such place."""
    spans_body: bool = False
    """Of a ``with``: whether it is all that its function does."""
    begins: tuple[Anchor, ...] = ()
    """Of a ``with``: the simple statements that its body begins with, which run whenever it is entered."""
    rest: tuple[Anchor, ...] = ()
    """Of a statement with a line of its own: what follows in its block."""
    below: tuple[str, ...] = ()
    """Of a decorator: the canonical names of those between it and the ``def``, top down."""
    conditions: tuple[str, ...] = ()
    """Of a statement: what the ``if`` statements around it ask, as the file writes it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A ``with`` item of operands joined by ``and`` or ``or``: always the same one is entered.

    The others are only asked whether they are true, as objects are.
    """

    anchor: Anchor
    """The whole operation."""
    place: Place
    """Outside of the ``with``."""
    operator: str
    operands: tuple[Value, ...]
    written: tuple[str, ...]
    """The operands, as the file writes them."""
    entered: int
    """The one that is entered, by index."""


class Evaluated(Enum):
    """How we know which mode a model is in: where it was put in it."""

    HERE = "in this function"
    CALLER = "by every caller"
    MODULE_LEVEL = "at module level"
    CONSTRUCTOR = "in __init__"
    """Or by the one method that makes it, ``load``.

    Training mode: in that of ``nn.Module``, nothing has switched it since. Evaluation mode: in its own.
    """
    CALLEE = "by a function that is called here"
    NOT = "not known"


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """A model is called."""

    anchor: Anchor
    place: Place
    model: Value
    training: Answer
    """Whether the model is in training mode there."""
    evaluated: Evaluated
    frozen: Answer
    """Whether none of its weights requires gradients."""
    inputs_require_grad: Answer
    method: str
    """``__call__``, ``forward``, or the method's name; the path of the function of another file it is handed to."""
    via: Function | None = None
    """The function of this file that runs it, when the call is to a helper."""
    discarded: bool = False
    """An expression statement: nobody uses the result."""
    invented: bool = False
    """Whether all its inputs are noise or constants: ``torch.randn(1, 3, 224, 224)``."""
    enables: bool = False
    """Whether the functions of the file that it runs turn gradients on for a forward pass, whoever calls."""
    graph: Answer = Answer.UNKNOWN
    """Whether what it gives has a graph; a ``forward`` that gives nothing, its input or a weight itself makes none."""
    given: frozenset[Anchor] = frozenset()
    """The forward passes that what it is given was computed by."""
    takes_data: bool = False
    """Whether it is given anything that may be data, and not only numbers, strings and flags."""
    runs: tuple[Function, ...] = ()
    """What the model's class, or each of those it may be of, has for it in this file: its ``forward``."""

    @property
    def records(self) -> bool:
        """Whether a graph is recorded, whoever calls."""
        return self.graph is not Answer.NO and (self.place.grad is GradMode.ON or self.place.on_for_some_caller)


class Purpose(Enum):
    """What becomes of the result of a forward pass."""

    GRADIENT = "gradient"
    """``backward``, ``autograd.grad``: it is differentiated."""
    VALUE = "value"
    """``.item()``, ``argmax``, a comparison, ``.detach()``, ``.cpu().numpy()``, printed."""
    OPERATION = "operation"
    """``torch.cat``, ``.softmax(1)``, ``[0]``, ``+``: another tensor is computed of it, or taken from it."""
    ACCUMULATED = "accumulated"
    """``total += loss``, ``outputs.append(out)``: kept, with its graph."""
    CALL = "call"
    """Handed to a function that we do not know."""
    RETURNED = "returned"
    YIELDED = "yielded"
    STORED = "stored"
    """In an attribute, a global or an object that outlives the function."""


LEAVING = frozenset({Purpose.RETURNED, Purpose.STORED, Purpose.YIELDED})
"""What is used so is seen when the function has returned."""


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a value that was computed from forward passes, or any that is added to a total.

    A tensor that is returned, yielded or kept is used so, wherever it comes from, unless it surely has no graph.
    """

    anchor: Anchor
    place: Place
    value: Value
    purpose: Purpose
    callee: str = ""
    """The function or method it is handed to."""
    into: str = ""
    """What accumulates it: ``total``."""
    added: Anchor | None = None
    """The expression, where it is added to what there was: ``total += loss``, ``history.append(loss)``."""
    item: Anchor | None = None
    """Of an attribute that is read: ``loss.data[0]``, where its first item is asked."""


class Differentiation(Enum):
    """What asks autograd for gradients."""

    BACKWARD = "backward"
    """``t.backward()``."""
    AUTOGRAD_BACKWARD = "torch.autograd.backward"
    AUTOGRAD_GRAD = "torch.autograd.grad"
    HELPER = "helper"
    """``accelerator.backward(t)``, ``self.manual_backward(t)``, ``optimizer.backward(t)``."""
    FUNCTIONAL = "functional"
    """``torch.autograd.functional.jacobian``, ``torch.func.grad``."""


@dataclass(frozen=True, slots=True)
class Backward:
    """Autograd is asked for gradients."""

    anchor: Anchor
    place: Place
    target: Value
    how: Differentiation
    api: str = ""
    receiver: Anchor | None = None
    """What ``backward`` is called on, as it is written there: ``loss.data``."""
    retains: bool = False
    """Whether the graph may be gone back through once more: ``retain_graph=True``."""
    is_certain: bool = True
    """Whether it surely is one: ``image = flip.backward(image)`` of an unknown object may be the way back of its
    ``forward``, as torch's own ``backward`` gives nothing."""


class Manner(Enum):
    """How a tensor is changed in place."""

    AUGMENTED = "augmented"
    """``w -= ...``."""
    METHOD = "method"
    """``w.add_(...)``."""
    ITEM = "item"
    """``w[...] = ...``, ``w[...] -= ...``."""
    OUT = "out"
    """``out=w``."""
    FOREACH = "foreach"
    """``torch._foreach_add_(params, ...)``."""
    DATA = "data"
    """``w.data = ...``, ``w.data.add_(...)``."""


@dataclass(frozen=True, slots=True)
class Write:
    """A tensor is changed in place."""

    anchor: Anchor
    place: Place
    target: Value
    manner: Manner
    operation: str
    """``-=``, ``add_``, ``copy_``, ``out``."""
    sources: tuple[Value, ...]
    """The values that the new content is computed from."""
    past: tuple[Anchor, Anchor] | None = None
    """``w.data`` and ``w``, where the change is written as one of ``w.data``, past autograd."""
    is_used: bool = False
    """Whether something becomes of the result: ``x = w.clamp_(0, 1)``."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A name, an attribute or an item (``params[i]``) is bound, perhaps one of several in an unpacking."""

    anchor: Anchor
    """The whole statement."""
    place: Place
    target: Value
    """What is bound, with what it held before."""
    value: Value
    """What it holds afterwards; of ``x.requires_grad = ...``: with what is asked for."""
    expression: Anchor
    """The right side."""
    reads: tuple[Value, ...]
    """The names and attributes that the right side reads, in order."""
    operator: str = ""
    """``-`` where the right side is the target minus an operand; of ``+`` and ``*`` in either order."""
    operand: Anchor | None = None
    is_alone: bool = True
    """Whether the statement binds nothing else."""
    holder: Value | None = None
    """Of an attribute: the object that has it."""
    bound: Anchor | None = None
    """The target, where it is written as one; of ``setattr(...)`` nothing."""
    is_read: bool = True
    """Of the variable of a loop: whether anything below in the loop, or after it, reads more than its ``.grad``."""
    is_shared: bool = False
    """Whether another name holds the object that the target held."""
    is_read_outside: bool = False
    """Of a tensor, perhaps with a graph, that no forward pass gave, bound in a loop: whether anything outside of the
    loop reads the name."""


@dataclass(frozen=True, slots=True)
class Discarded:
    """An expression statement that does nothing: ``x.grad``, ``x.grad == y``, ``map(f, xs)``."""

    anchor: Anchor
    """The statement."""
    place: Place
    value: Value
    """The attribute, or the left side of the comparison."""
    operator: str
    """``==``, or empty."""
    parts: tuple[Anchor, ...]
    """The expression, or both sides of the comparison."""
    holder: Value | None
    """The object that has the attribute."""
    never_run: Anchor | None = None
    """A generator expression that nobody goes through, or the function of such a ``map``."""


@dataclass(frozen=True, slots=True)
class ModeSwitch:
    """``model.eval()`` or ``model.train(...)``."""

    anchor: Anchor
    place: Place
    model: Value
    training: Answer


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a known library function or method, or of a function of this file."""

    anchor: Anchor
    place: Place
    api: str
    """Canonical name (``torch.tensor``), or ``.name`` for a method of an unknown object."""
    receiver: Value
    """The object of a method call."""
    arguments: tuple[Value, ...]
    """Of ``x.requires_grad_(...)``: with what is asked for, as of an assignment."""
    keywords: tuple[tuple[str, Value], ...]
    function: Function | None = None
    """The function of this file that is called."""
    is_statement: bool = False
    """Whether the result is thrown away."""
    fails: tuple[Condition, ...] = ()
    """What the function asks of its parameters, and surely does not hold of what it is given."""
    passes: tuple[Passed, ...] = ()
    """What it asks of what the function around was given itself."""


@dataclass(frozen=True, slots=True)
class LazyRun:
    """Forward passes that were put off run: a generator expression or ``map(model, xs)`` is consumed."""

    anchor: Anchor
    """The generator expression or the ``map`` call."""
    made: Place
    """Where it is made."""
    forwards: frozenset[Anchor]
    """The ``Forward`` rows in it, or the ``map`` call."""
    consumed: Anchor
    """The loop or call that runs it, or the ``return`` that hands it to a caller."""
    grad: GradMode
    """The modes possible there; after a ``return`` those of the callers."""


@dataclass(frozen=True, slots=True)
class ThreadCall:
    """A function of this file is handed to another thread, which runs it with gradients on."""

    anchor: Anchor
    place: Place
    function: Function


@dataclass(frozen=True, slots=True)
class InferenceUse:
    """An operation outside of inference mode takes an inference tensor."""

    anchor: Anchor
    place: Place
    tensor: Value
    operation: str
    """``*``, ``[]``, ``matmul``, a canonical name; ``forward`` of a model; ``requires_grad`` when it is to be set."""
    others: tuple[Value, ...]
    """The other operands."""


@dataclass(frozen=True, slots=True)
class Yield:
    """A ``yield``, ``yield from`` or ``await``; ``async for`` and ``async with`` await as well."""

    anchor: Anchor
    place: Place
    is_await: bool


@dataclass(frozen=True, slots=True)
class Reveal:
    """What is known at a marked point, for the tests of the analysis."""

    anchor: Anchor
    grad: GradMode
    value: Value
    training: Answer


@dataclass(frozen=True, slots=True, eq=False)
class FileFacts:
    """Everything known about one file, each table in the order of evaluation."""

    settings: Settings = field(default_factory=Settings)
    functions: tuple[Function, ...] = ()
    classes: tuple[Class, ...] = ()
    loops: tuple[Loop, ...] = ()
    switches: tuple[Switch, ...] = ()
    joined: tuple[Joined, ...] = ()
    forwards: tuple[Forward, ...] = ()
    uses: tuple[Use, ...] = ()
    backwards: tuple[Backward, ...] = ()
    writes: tuple[Write, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    discarded: tuple[Discarded, ...] = ()
    mode_switches: tuple[ModeSwitch, ...] = ()
    calls: tuple[Call, ...] = ()
    thread_calls: tuple[ThreadCall, ...] = ()
    lazy_runs: tuple[LazyRun, ...] = ()
    inference_uses: tuple[InferenceUse, ...] = ()
    yields: tuple[Yield, ...] = ()
    reveals: tuple[Reveal, ...] = ()
