"""What one expression may hold, while the file is walked."""

from __future__ import annotations

from enum import Flag, auto
from functools import reduce
from operator import or_
from typing import NamedTuple

import libcst as cst

from ..facts import Cut, Kind, Leaf, Place, Switch, Value
from ..grad import ANYTHING, KEEP, Answer, GradMode, Shift
from .aspects import NOT_SET, Aspect, Setting

Definition = cst.FunctionDef | cst.Lambda | cst.ClassDef
"""What a function or class value stands for."""
Def = cst.FunctionDef | cst.Lambda
"""A function of the file."""
Holder = tuple[Definition | None, str]
"""What holds a value: an attribute of a class, or a name of a function or, for ``None``, of the module."""


class Leaving(Flag):
    """What leaving a context manager does to grad mode; several where we cannot tell."""

    RESTORES = auto()
    """The mode before it is back."""
    NOTHING = auto()
    """It changed none: ``nullcontext()``, ``open(...)``."""
    STAYS = auto()
    """It entered a mode, and leaves it behind."""
    LONG_AGO = auto()
    """The mode is back that it was made in: ``set_grad_enabled`` saves it then."""

    def of(self, outside: Shift, entered: Shift, left: Shift) -> Shift:
        """The mode afterwards: of what was before, what it entered, and where its block ended.

        Modes that are equal may have changed, where there are several; the same object has not.
        """
        ends = []
        if self & Leaving.RESTORES or (self & Leaving.NOTHING and left is entered):
            ends.append(outside)
        if self & Leaving.STAYS or (self & Leaving.NOTHING and left is not entered):
            ends.append(left)
        if self & Leaving.LONG_AGO:
            ends.append(ANYTHING)
        return reduce(or_, ends)


class Lazy(NamedTuple):
    """What runs models when it is consumed: a generator expression, ``map(model, xs)``."""

    node: cst.CSTNode
    made: Place
    forwards: frozenset[cst.CSTNode]
    """The forward passes in it."""


class Put(NamedTuple):
    """What a context manager of the file puts a model in, and leaves it in."""

    aspect: Aspect
    path: str
    inside: Answer
    after: Answer


class Abstract(NamedTuple):
    """A value as far as we know it; ``facts.Value`` and what only the walk needs."""

    kind: Kind = Kind.UNKNOWN
    label: str = ""
    api: str = ""
    either: frozenset[str] = frozenset()
    """Where branches chose between names of libraries: all of them."""
    requires_grad: Answer = Answer.UNKNOWN
    is_leaf: Answer = Answer.UNKNOWN
    is_inference: Answer = Answer.UNKNOWN
    is_view: bool = False
    leaf: Leaf | None = None
    cut: Cut | None = None
    made_under: GradMode = GradMode.UNKNOWN
    made_at: cst.CSTNode | None = None
    forwards: frozenset[cst.CSTNode] = frozenset()
    identity: frozenset[cst.CSTNode] = frozenset()
    """Where the object was made: two names with one identity hold the same object."""
    elements: tuple[Abstract, ...] | None = None
    """Of a tuple or list whose length is known."""
    item: Abstract | None = None
    """What any element of a container or iterator is."""
    constant: bool | int | str | None = None
    """Of a plain value that stands in the file."""
    is_none: bool = False
    shift: Shift | None = None
    """Of a switch: what it does; of a function: what it is wrapped in."""
    leaving: Leaving = Leaving.RESTORES
    """Of a context manager."""
    saved: Shift | None = None
    """Of an ``ExitStack``: the mode that leaving it brings back, if ``leaving`` says that it brings back one.

    Where only some ways entered a switch on it, ``shift`` is the mode in which they met: while that is the mode,
    it is what ``saved`` says for all of them.
    """
    definitions: tuple[Definition, ...] = ()
    bound: Abstract | None = None
    """Of a method: its object."""
    training: Setting = NOT_SET
    frozen: Setting = NOT_SET
    parameter: int | None = None
    """Its position, when it is a parameter of the function being walked, unchanged."""
    source: str = ""
    """Of parameters: the label of the model they belong to; of a loader: the label it was first reached by.

    Of a collection of parameters it says that these are all of the model's, of a model that it is a part of one.
    """
    held: frozenset[Holder] = frozenset()
    """The attributes of classes, and the names of other scopes, that this object comes from."""
    views: frozenset[cst.CSTNode] = frozenset()
    """The identities of the tensors that it is a view of: autograd treats them as one.

    Of a model, those of the models that it was made of.
    """
    turn: cst.CSTNode | None = None
    """Of a parameter: the loop that reaches each of its model's parameters in turn, and this one now."""
    releafed: cst.CSTNode | None = None
    block: Switch | None = None
    lazy: Lazy | None = None
    puts: frozenset[Put] = frozenset()
    """Of a context manager."""
    is_all_cut: bool = False
    draws: frozenset[Definition] = frozenset()
    """Of an iterator: the generators of the file that run where it is gone on with."""
    is_perhaps_foreign: bool = False
    """Of a model: whether its class may be another than those of the file that it may be of."""

    def fact(self) -> Value:
        """As the facts show it."""
        return Value(
            self.kind,
            self.label,
            self.api,
            self.requires_grad,
            self.leafness(),
            self.is_inference,
            self.is_view,
            self.leaf,
            self.cut,
            self.made_under,
            self.made_at,
            self.forwards,
            releafed=self.releafed,
            literal="None" if self.is_none else type(self.constant).__name__ if self.is_literal() else "",
            block=self.block,
            is_all_cut=self.is_all_cut,
        )

    def setting(self, aspect: Aspect) -> Setting:
        """What it was put in, of a model."""
        return self.training if aspect is Aspect.TRAINING else self.frozen

    def put(self, aspect: Aspect, setting: Setting) -> Abstract:
        """The same model, put in something."""
        if aspect is Aspect.TRAINING:
            return self._replace(training=setting)
        return self._replace(frozen=setting)

    def leafness(self) -> Answer:
        """Whether it is a leaf: to torch, every tensor is one that does not require gradients."""
        without = self.requires_grad is Answer.NO and self.kind in TENSORS
        return Answer.YES if without else self.is_leaf

    def is_literal(self) -> bool:
        """Whether it is a flag or a text that stands in the file."""
        return isinstance(self.constant, bool | str)

    def gist(self) -> object:
        """What decides what can be claimed of it."""
        known = self.kind, self.requires_grad, self.is_leaf, self.is_inference, self.made_under, self.cut
        parts = (*(self.elements or ()), *((self.item,) if self.item is not None else ()))
        return (
            known,
            self.training.answer,
            self.frozen.answer,
            self.frozen.is_set,
            self.shift,
            self.definitions,
            self.draws,
            [each.gist() for each in parts],
        )

    def behind(self) -> frozenset[cst.CSTNode]:
        """The forward passes that it, or anything in it, was computed from."""
        parts = (*(self.elements or ()), *((self.item,) if self.item is not None else ()))
        return self.forwards.union(*(each.behind() for each in parts))

    def without(self, forwards: frozenset[cst.CSTNode]) -> Abstract:
        """The same, but for some of the forward passes that it was computed from."""
        if not forwards & self.behind():
            return self
        elements = None if self.elements is None else tuple(each.without(forwards) for each in self.elements)
        item = None if self.item is None else self.item.without(forwards)
        return self._replace(forwards=self.forwards - forwards, elements=elements, item=item)

    def elsewhere(self) -> Abstract:
        """The same, as another function knows it: no parameter of this one, nor does it hold one."""
        value = self._unhanded()
        return value._replace(identity=frozenset(), views=frozenset()) if value.identity or value.views else value

    def _unhanded(self) -> Abstract:
        if self.parameter is None and self.elements is None and self.item is None:
            return self
        elements = None if self.elements is None else tuple(each._unhanded() for each in self.elements)
        item = None if self.item is None else self.item._unhanded()
        return self._replace(parameter=None, elements=elements, item=item)

    def holds(self, other: Abstract) -> bool:
        """Whether it may be the same object, or contain it."""
        parts = (*(self.elements or ()), *((self.item,) if self.item is not None else ()))
        return bool(self.identity & other.identity) or any(each.holds(other) for each in parts)

    def answer(self) -> Answer:
        """What it says as a flag: ``requires_grad=True``."""
        if isinstance(self.constant, bool):
            return Answer.YES if self.constant else Answer.NO
        return Answer.UNKNOWN

    def __or__(self, other: Abstract) -> Abstract:
        """Either value: where two branches meet."""
        if self is other or self == other:
            return self
        if other.is_none and not self.is_none:
            return self
        if self.is_none and not other.is_none:
            return other
        return Abstract(
            kind=self.kind if self.kind is other.kind else _either_kind(self, other),
            label=self.label if self.label == other.label else "",
            api=self.api if self.api == other.api else "",
            either=_either_api(self, other),
            requires_grad=_either_requires(self, other),
            is_leaf=self.leafness() | other.leafness(),
            is_inference=self.is_inference | other.is_inference,
            is_view=self.is_view or other.is_view,
            leaf=self.leaf if other.leaf is not None else None,
            cut=either_cut(self.cut, other.cut),
            made_under=self.made_under | other.made_under,
            made_at=self.made_at if self.made_at is other.made_at else None,
            forwards=self.forwards | other.forwards,
            identity=self.identity | other.identity,
            elements=_either_elements(self.elements, other.elements),
            item=self.item | other.item if self.item and other.item else self.item or other.item,
            constant=self.constant if self.constant == other.constant else None,
            is_none=self.is_none and other.is_none,
            shift=_either_shift(self, other),
            leaving=self.leaving | other.leaving,
            saved=self.saved | other.saved if self.saved and other.saved else None,
            definitions=tuple(dict.fromkeys(self.definitions + other.definitions)),
            bound=self.bound if self.bound == other.bound else None,
            training=self.training | other.training,
            frozen=self.frozen | other.frozen,
            parameter=self.parameter if self.parameter == other.parameter else None,
            source=_either_source(self, other),
            held=self.held | other.held,
            views=self.views | other.views,
            turn=self.turn if self.turn is other.turn else None,
            releafed=self.releafed if self.releafed is other.releafed else None,
            block=_either_block(self, other),
            is_all_cut=self.is_all_cut and other.is_all_cut,
            lazy=self.lazy if self.lazy and other.lazy and self.lazy.node is other.lazy.node else None,
            puts=_either_puts(self.puts, other.puts),
            draws=self.draws | other.draws,
            is_perhaps_foreign=_is_perhaps_foreign(self, other),
        )


replace = Abstract._replace
"""The same value with some fields changed."""


def _either_kind(one: Abstract, other: Abstract) -> Kind:
    kinds = {one.kind, other.kind}
    if kinds <= {Kind.MODEL, Kind.CRITERION}:
        return Kind.MODEL
    if kinds <= {Kind.TENSOR, Kind.PARAMETER, Kind.DATA}:
        return Kind.TENSOR
    return Kind.UNKNOWN


def _either_requires(one: Abstract, other: Abstract) -> Answer:
    """Where one of them was made in inference mode, nothing is recorded of it, and so perhaps of neither."""
    differs = one.is_inference is not other.is_inference and Answer.YES in {one.is_inference, other.is_inference}
    return Answer.UNKNOWN if differs else one.requires_grad | other.requires_grad


def _is_perhaps_foreign(one: Abstract, other: Abstract) -> bool:
    """``model = Net() if small else torchvision.models.resnet50()``."""
    differs = one.kind is other.kind is Kind.MODEL and bool(one.definitions) is not bool(other.definitions)
    return differs or one.is_perhaps_foreign or other.is_perhaps_foreign


def either_cut(one: Cut | None, other: Cut | None) -> Cut | None:
    """That of one of them, and so perhaps, if the other is not cut in the same way."""
    if one == other:
        return one
    if one is None or other is None:
        cut = one or other
        return cut and Cut(cut.how, cut.at, is_certain=False)
    return Cut(one.how, one.at, one.is_certain and other.is_certain and one.how is other.how)


def _either_api(one: Abstract, other: Abstract) -> frozenset[str]:
    """``torch.no_grad if frozen else nullcontext``."""
    if one.api == other.api or not one.kind is other.kind is Kind.API:
        return frozenset()
    return frozenset().union(*(each.either or {each.api} for each in (one, other)))


def _either_shift(one: Abstract, other: Abstract) -> Shift | None:
    """Of two functions, one may be wrapped in a switch."""
    if one.shift and other.shift:
        return one.shift | other.shift
    wrapped = one.shift or other.shift
    return wrapped | KEEP if wrapped and one.kind is other.kind is Kind.FUNCTION else None


def _either_block(one: Abstract, other: Abstract) -> Switch | None:
    """A number has no say in it: ``total = 0`` before the loop that adds tensors."""
    if one.block is other.block or other.kind is Kind.PLAIN:
        return one.block
    return other.block if one.kind is Kind.PLAIN else None


def _either_elements(
    one: tuple[Abstract, ...] | None, other: tuple[Abstract, ...] | None
) -> tuple[Abstract, ...] | None:
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a | b for a, b in zip(one, other, strict=True))


def _either_source(one: Abstract, other: Abstract) -> str:
    """What is perhaps a parameter of a model, is perhaps frozen with it."""
    if one.source == other.source:
        return one.source
    sources = {each.source for each in (one, other) if each.kind in {Kind.PARAMETER, Kind.TENSOR} and each.source}
    return sources.pop() if len(sources) == 1 and _either_kind(one, other) is Kind.TENSOR else ""


def _either_puts(one: frozenset[Put], other: frozenset[Put]) -> frozenset[Put]:
    """What one of them alone puts a model in, it may be in."""
    both = {put._replace(inside=Answer.UNKNOWN, after=Answer.UNKNOWN) for put in one ^ other}
    return frozenset(both) | (one & other)


UNKNOWN = Abstract()
PLAIN = Abstract(kind=Kind.PLAIN, requires_grad=Answer.NO, is_inference=Answer.NEVER)
NONE = replace(PLAIN, is_none=True)
DATA = Abstract(kind=Kind.DATA, requires_grad=Answer.NO)


def nameless(value: Abstract) -> Abstract:
    """The same collection in other hands: ``tqdm(loader)``, ``iter(loader)``."""
    source = value.source or value.label if value.kind in COLLECTIONS_OF_DATA else value.source
    return replace(value, label="", source=source)


def some_of(value: Abstract) -> Abstract:
    """Some of a collection: ``filter(wanted, loader)``, ``layers[1:]``."""
    item = value.item
    for each in value.elements or ():
        item = each if item is None else item | each
    source = "" if value.kind is Kind.PARAMETERS else value.source
    return replace(value, label="", elements=None, item=item, source=source, parameter=None)


def holds_models(collection: Abstract) -> bool:
    """Whether it is known which models are in a collection, and so what each was put in."""
    inside = [*(collection.elements or ()), *((collection.item,) if collection.item is not None else ())]
    return any(each.kind is Kind.MODEL or holds_models(each) for each in inside)


def in_turn(loop: cst.CSTNode, iterated: Abstract, item: Abstract) -> Abstract:
    """What a loop reaches in one turn: of all parameters of a model, each."""
    if iterated.kind is not Kind.PARAMETERS or not iterated.source:
        return item
    if item.elements is not None:
        return replace(item, elements=tuple(in_turn(loop, iterated, each) for each in item.elements))
    return replace(item, turn=loop) if item.kind is Kind.PARAMETER and item.source == iterated.source else item


def constant(value: bool | int | str) -> Abstract:
    """A literal."""
    return replace(PLAIN, constant=value)


NAMED_PARAMETERS = "builtins.dict"
"""By what parameters are held under their names: to go through them gives the names."""
COLLECTIONS_OF_DATA = frozenset({Kind.LOADER, Kind.CONTAINER, Kind.DATA, Kind.UNKNOWN})
"""What somebody may go through piece by piece."""
TENSORS = frozenset({Kind.TENSOR, Kind.PARAMETER, Kind.DATA})
