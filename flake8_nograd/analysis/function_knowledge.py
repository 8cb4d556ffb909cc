"""What one walk of the file teaches the next of a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import libcst as cst

from ..facts import Anchor, Condition, Function, Guard, Kind
from ..grad import INFERENCE, KEEP, NOT_INFERENCE, Answer, GradMode, Shift
from .aspects import Aspect, ModelSettings, Setting
from .collected import filled
from .value import Abstract, Def, Definition, Holder, replace


@dataclass(frozen=True, slots=True)
class Run:
    """A forward pass that a function runs in whatever mode it is called."""

    path: str
    """Of the model, seen from inside: ``model``, ``self.net``."""
    method: str
    explicit: bool
    """Whether the function itself decides between training and evaluation mode, or on gradients."""
    anchor: cst.CSTNode
    """The call."""
    requires: frozenset[Condition] = frozenset()
    """What of the function's parameters must hold for it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What a call says outright: a parameter that conditions ask of, the mode of a model that they ask of, the mode."""

    path: str
    """Of the parameter, or of the mode, seen from inside: ``train``, ``self.training``; or ``GRAD``."""
    kind: str
    """The name of its type: ``1 == True``, but they are two objects."""
    constant: bool | int | str | None


Flags = tuple[Flag, ...]


GRAD = "grad mode"
"""What is no access path: the grad mode of the call, of a function that others call under another."""


MOST_VARIANTS = 4
"""Ways of calling one function that are walked for themselves."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A call of a function of the file."""

    function: Def | None
    """The calling function; ``None`` at module level."""
    shift: Shift
    """How grad mode changed in the caller, up to the call."""
    fresh: bool = False
    """Whether it is called in a thread or by an optimizer, where gradients are on."""


@dataclass(slots=True)
class FunctionKnowledge:
    """What is known of one function."""

    node: Def
    parent: Def | None
    owner: cst.ClassDef | None
    parameters: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    """What the conditions around its definition test."""
    own: Shift = KEEP
    """What its decorators do."""
    decorators: tuple[str, ...] = ()
    callers: list[Caller] = field(default_factory=list)
    escapes: bool = False
    framework: GradMode | None = None
    """The modes a framework calls it under."""
    is_step_of_base: bool = False
    """Whether the class of another file that its own is derived from may call it: nobody in the file does, perhaps."""
    arguments: dict[int, Abstract] = field(default_factory=dict)
    origins: dict[int, frozenset[Holder]] = field(default_factory=dict)
    """By which other names what its parameters hold may be reached."""
    defaults: dict[int, Abstract] = field(default_factory=dict)
    """What parameters hold that are not handed anything."""
    omitted: set[int] = field(default_factory=set)
    """Those of which some caller leaves that to the function."""
    returns: Abstract | None = None
    stores: dict[int, Abstract] = field(default_factory=dict)
    """What it puts into the containers that it is given, by their position."""
    keeps: dict[int, frozenset[tuple[Definition, str]]] = field(default_factory=dict)
    """The attributes of its class that it stores them in, by their position."""
    rebinds: dict[Holder, Abstract] = field(default_factory=dict)
    """What it binds names of other scopes to (``global``, ``nonlocal``), calls in it included."""
    binds: dict[tuple[cst.ClassDef, str, int | None], None] = field(default_factory=dict)
    """The attributes of objects that it binds, calls in it included: by class, and the parameter that is the object."""
    ends: dict[Holder, Abstract | None] = field(default_factory=dict)
    """What each of these names holds when it returns, if it has bound it on every way; else nothing."""
    changes: set[Holder] = field(default_factory=set)
    """Those of these names whose object it changes in place."""
    leaves: Shift = KEEP
    """How grad mode has changed when it returns."""
    raises: Shift = KEEP
    """How it may have changed when an error leaves it."""
    yields: Shift | None = None
    """How grad mode has changed where it yields."""
    altered: set[int] = field(default_factory=set)
    """The parameters whose tensors it may change: ``x.requires_grad_()``, ``x.add_(...)``."""
    alters: dict[int, Abstract] = field(default_factory=dict)
    """What it leaves of them."""
    remade: set[int] = field(default_factory=set)
    """Those whose ``.data`` it may set, to that of an inference tensor or of an ordinary one."""
    unwinds: bool = True
    """Of a generator: whether an error where it yields brings back the mode before."""
    stirred: bool = False
    """Of a generator: whether what runs while it waits leaves another grad mode behind."""
    meanwhile: dict[int, Abstract] = field(default_factory=dict)
    """Of a generator: what others make of what its parameters hold, perhaps while it waits."""
    taken: dict[frozenset[cst.CSTNode], Abstract] = field(default_factory=dict)
    """Of a generator: what loops over it make of what it has given, by its identity."""
    resets: dict[tuple[Definition | None, Aspect, str], Setting] = field(default_factory=dict)
    """Of a generator: what loops over it put models in, by the function whose name it is, and the access path."""
    aliases: set[frozenset[int]] = field(default_factory=set)
    """Parameters that some caller gives one object."""
    marks: dict[tuple[Definition | None, Aspect, str], None] = field(default_factory=dict)
    """The models that it puts in something anywhere: by the function whose name it is, and the access path."""
    puts: dict[tuple[Definition | None, Aspect, str], Setting] = field(default_factory=dict)
    """What it leaves these models in."""
    holds: dict[tuple[Definition | None, Aspect, str], Setting] = field(default_factory=dict)
    """What models are in where it yields, of those that it puts in one before."""
    wrapped: dict[cst.Call, tuple[Def, bool]] = field(default_factory=dict)
    """As a decorator: the calls of its function, who makes them, and whether of what that is given, as it is."""
    is_changed: bool = False
    """Whether a decorator of the file gives it something else than its callers do, or them something else back."""
    wraps: Shift | None = None
    """As a decorator: the mode that it calls its function under."""
    settings: ModelSettings = field(default_factory=dict)
    """What all callers have put models in, by path seen from inside; of an aspect that is missing, nothing is known."""
    runs: dict[Run, None] = field(default_factory=dict)
    asks: set[str] = field(default_factory=set)
    """The access paths of what it takes for flags: parameters, and modes of models."""
    requested: dict[Flags, None] = field(default_factory=dict)
    """The flags that calls hand in outright."""
    doubts: dict[cst.CSTNode, Flags] = field(default_factory=dict)
    """The flags that lead to a backward pass on what has a graph perhaps, and have perhaps decided on that as well."""
    variants: dict[Flags, FunctionKnowledge] = field(default_factory=dict)
    """What is known of it where it is called with these."""
    conditions: dict[Condition, None] = field(default_factory=dict)
    """What it, or what it hands its parameters to, asks of them."""
    ways: dict[str, set[tuple[frozenset[Condition], Answer]]] = field(default_factory=dict)
    """Whether it puts a model in training mode, by access path, and what must hold for that."""
    forwards: set[cst.CSTNode] = field(default_factory=set)
    """The forward passes that stand in it, or are behind what it finds in names of others."""
    records: dict[cst.CSTNode, set[frozenset[Condition]]] = field(default_factory=dict)
    """Those of them that record a graph for some caller, and what of its parameters must hold for that."""
    enables: bool = False
    """Whether it, or what it calls, turns gradients on itself for a forward pass."""
    is_generator: bool = False
    is_abstract: bool = False
    """Whether it does nothing itself: classes derived from its own, in other files as well, say what it does."""
    reads_grad: bool = False
    reads_graph: bool = False
    asserts: bool = False
    stored: set[int] = field(default_factory=set)
    """The parameters that it stores as they are, where others find them."""
    names_forces: bool = False
    forces_in: set[Anchor | None] = field(default_factory=set)
    """The outermost loops in which they are named; ``None``: outside of loops."""
    entry: GradMode = GradMode.UNKNOWN
    entered_on: bool = False
    presumed_on: bool = False
    """Whether gradients are on for some caller, if those have them on whom functions are handed to."""
    guard: Guard = Guard.NOBODY
    is_open: bool = False
    """Whether it is the forward pass of a module that only its own methods run here: other files run it, too."""
    row: Function | None = None

    def leaves_inference(self) -> bool:
        """Of a generator under a decorator of torch: whether it yields in inference mode, or out of it.

        ``no_grad`` and ``enable_grad`` take back at each yield whether gradients are on, and nothing else. Truth:
        tests/truth/test_switch_mistakes.
        """
        if self.yields is None or self.own in (KEEP, INFERENCE, NOT_INFERENCE):
            return False
        entered = (self.yields.on | self.yields.off) & GradMode.INFERENCE
        return bool(entered) or self.yields.inference is not GradMode.INFERENCE

    def interferes(self, functions: Mapping[Def, FunctionKnowledge]) -> bool:
        """As a decorator: whether what it makes of a function is given, or gives back, something else than that."""
        for by, as_it_is in self.wrapped.values():
            value = functions[by].returns if by in functions else None
            is_its = value is None or value.is_none or (value.kind is Kind.UNKNOWN and value.made_at in self.wrapped)
            if not as_it_is or not is_its:
                return True
        return False

    def request(self, flags: Flags) -> None:
        """Some call hands these in."""
        if flags and len(self.requested) < MOST_VARIANTS:
            self.requested[flags] = None

    def handed(self, position: int) -> Abstract | None:
        """What callers in the file give a parameter, or leave to it."""
        given = self.arguments.get(position)
        default = self.defaults.get(position) if position in self.omitted else None
        if default is None or (given is None and default.kind is Kind.PLAIN):
            # A flag is there for others to set.
            return given
        default = replace(default.elsewhere(), label="")
        # It is one object, and keeps what a call has made of it.
        if position in self.stores:
            default = filled(default, [self.stores[position]])
        if position in self.alters:
            default |= self.alters[position].elsewhere()
        return default if given is None else given | default

    def handed_in(self) -> frozenset[cst.CSTNode]:
        """The forward passes that only its arguments come from: who calls it, knows what becomes of them."""
        return frozenset[cst.CSTNode]().union(*(each.behind() for each in self.arguments.values())) - self.forwards

    def gist(self) -> object:
        """What other functions see of it."""
        return (
            (
                self.entry,
                self.entered_on,
                self.presumed_on,
                self.guard,
                self.own,
                self.leaves,
                self.raises,
                self.yields,
                self.unwinds,
                self.stirred,
                self.wraps,
                self.enables,
            ),
            None if self.returns is None else self.returns.gist(),
            [(position, value.gist()) for position, value in sorted(self.arguments.items())],
            [(position, value.gist()) for position, value in sorted(self.stores.items())],
            [(position, value.gist()) for position, value in sorted(self.alters.items())],
            [(position, value.gist()) for position, value in sorted(self.meanwhile.items())],
            [(identity, value.gist()) for identity, value in self.taken.items()],
            (
                self.binds,
                self.remade,
                self.aliases,
                self.puts,
                self.holds,
                self.resets,
                self.keeps,
                self.origins,
                self.omitted,
            ),
            [(path, setting.answer) for table in self.settings.values() for path, setting in table.items()],
            [(place, value.gist(), place in self.changes) for place, value in self.rebinds.items()],
            [(place, None if value is None else value.gist()) for place, value in self.ends.items()],
            (self.conditions, self.asks, self.runs, self.ways),
            {flags: each.gist() for flags, each in self.variants.items()},
        )
