"""What the names of a generated program hold, so that it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Thing(Enum):
    """What a name holds. Matrices are two by two, so that everything fits everything."""

    MATRIX = "matrix"
    SCALAR = "scalar"
    """A tensor without dimensions: what ``backward`` is for."""
    MODEL = "model"
    LINEAR = "linear"
    """A model that has ``weight`` and ``bias``."""
    OPTIMIZER = "optimizer"
    LOADER = "loader"
    """A list of pairs of matrices."""
    LIST = "list"
    """A list of two matrices or more."""
    MATRICES = "matrices"
    """A list that may be empty."""
    DICTIONARY = "dictionary"
    """Has a matrix under ``"out"``."""
    SWITCH = "switch"
    FLAG = "flag"
    INSTANCE = "instance"
    CRITERION = "criterion"
    NUMBER = "number"
    """What begins as a Python number, and may become a scalar tensor."""
    NONE = "none"


@dataclass(frozen=True)
class Callable_:
    """Something that can be called with matrices."""

    name: str
    parameters: tuple[Thing, ...]
    gives: Thing
    is_generator: bool = False
    gives_pair: bool = False
    names: tuple[str, ...] = ()
    """Of its parameters, where it can be called by them."""


POOLS: dict[Thing, tuple[str, ...]] = {
    Thing.MATRIX: ("a", "b", "out", "x", "hidden", "y", "z", "w", "features", "target", "delta", "mask"),
    Thing.SCALAR: ("loss", "total", "penalty", "norm", "score"),
    Thing.MODEL: ("net", "model", "teacher", "encoder"),
    Thing.LINEAR: ("layer", "head", "linear"),
    Thing.OPTIMIZER: ("optimizer", "opt"),
    Thing.LOADER: ("loader", "batches"),
    Thing.LIST: ("items", "pair", "weights"),
    Thing.MATRICES: ("outputs", "history"),
    Thing.DICTIONARY: ("cache", "result"),
    Thing.SWITCH: ("switch", "context", "guard", "ng"),
    Thing.FLAG: ("flag", "train", "saved", "previous", "enabled"),
    Thing.INSTANCE: ("trainer", "worker"),
    Thing.CRITERION: ("criterion", "loss_fn"),
    Thing.NUMBER: ("running", "epoch_loss", "correct"),
}


@dataclass
class Scope:
    """The names of one function or module; blocks fork it."""

    parent: Scope | None = None
    things: dict[str, Thing] = field(default_factory=dict)
    functions: dict[str, Callable_] = field(default_factory=dict)
    managers: list[str] = field(default_factory=list)
    """Expressions that make a context manager."""
    decorators: list[str] = field(default_factory=list)
    methods: dict[str, list[Callable_]] = field(default_factory=dict)
    """Of instances and models, by the name that holds them."""
    attributes: dict[str, Thing] = field(default_factory=dict)
    """Access paths: ``self.scale``, ``net.layer``."""
    assignable: set[str] = field(default_factory=set)
    """Names of outer scopes that are declared ``global`` or ``nonlocal``."""
    inner: set[str] = field(default_factory=set)
    """Names of outer scopes that this function has read, or may: they cannot be made local any more."""
    is_module: bool = False
    in_loop: bool = False
    at_end: bool = False
    """Whether a ``finally`` is around, where leaving a loop or function would discard an error."""
    gives: Thing | None = None
    """What ``return`` has to give, in a function."""
    may_return: bool = False
    off: bool = False
    """Whether gradients are, as far as the lines around show, off: what needs them will mostly raise."""
    entered: frozenset[str] = frozenset()
    """Switches in variables that are entered here: torch cannot enter one object twice."""
    only_entered: frozenset[str] = frozenset()
    """Those that are perhaps a ``nullcontext()``, which is no decorator."""

    def fork(self) -> Scope:
        """A copy, for a block whose names are gone afterwards."""
        return Scope(
            self.parent,
            dict(self.things),
            dict(self.functions),
            list(self.managers),
            list(self.decorators),
            {name: list(held) for name, held in self.methods.items()},
            dict(self.attributes),
            self.assignable,
            self.inner,
            self.is_module,
            self.in_loop,
            self.at_end,
            self.gives,
            self.may_return,
            self.off,
            self.entered,
            self.only_entered,
        )

    def chain(self) -> list[Scope]:
        """This scope and those around it, innermost first."""
        found, scope = [], self
        while True:
            found.append(scope)
            if scope.parent is None:
                return found
            scope = scope.parent

    def visible(self, *wanted: Thing) -> list[str]:
        """The names and paths that hold one of some things."""
        found: dict[str, Thing] = {}
        for scope in reversed(self.chain()):
            # A name that is bound anew has not the attributes of another around.
            found = {path: thing for path, thing in found.items() if path.split(".")[0] not in scope.things}
            found.update(scope.things)
            found.update(scope.attributes)
        return [name for name, thing in found.items() if thing in wanted]

    def local(self, *wanted: Thing) -> list[str]:
        """The names that can be bound here."""
        return [name for name, thing in self.things.items() if thing in wanted]

    def holds(self, name: str) -> Thing | None:
        """What a name holds."""
        for scope in self.chain():
            if name in scope.things:
                return scope.things[name]
            if name in scope.attributes:
                return scope.attributes[name]
        return None

    def callables(self) -> list[Callable_]:
        """The functions that can be called here, the nearest last."""
        found: dict[str, Callable_] = {}
        for scope in reversed(self.chain()):
            found = {name: each for name, each in found.items() if name.split(".")[0] not in scope.things}
            found.update(scope.functions)
            for held in scope.methods.values():
                found.update({each.name: each for each in held})
        return list(found.values())

    def context_managers(self) -> list[str]:
        """Expressions that make a manager of the program."""
        return [each for scope in reversed(self.chain()) for each in scope.managers]

    def all_decorators(self) -> list[str]:
        """Names of decorators of the program."""
        return [each for scope in reversed(self.chain()) for each in scope.decorators]

    def taken(self, name: str) -> bool:
        """Whether a name means something already, here or around."""
        return any(
            name in scope.things or name in scope.functions or name in scope.methods or name in scope.inner
            for scope in self.chain()
        )
