"""What is known at one point of a function: grad mode, names, and what models are in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import libcst as cst

from ..facts import Evaluated, Kind
from ..grad import ANYTHING, KEEP, Answer, Shift
from .aspects import ModelSettings, Setting, is_part, no_settings, setting_of
from .value import Abstract, Leaving, replace

Turns = dict[str, tuple[cst.CSTNode | None, Answer]]


@dataclass(slots=True)
class State:
    """What is known here. Forked at branches, joined after them."""

    mode: Shift = KEEP
    """How grad mode changed since the function was entered."""
    names: dict[str, Abstract] = field(default_factory=dict)
    """By access path: ``model``, ``self.net``."""
    settings: ModelSettings = field(default_factory=no_settings)
    """What models were put in."""
    turns: Turns = field(default_factory=dict)
    """Models whose parameters a loop goes through, by access path: whether those that it has reached are frozen.

    ``None`` instead of the loop, where something has frozen or trained a model as a whole meanwhile.
    """
    reached: bool = True
    outer: dict[str, Abstract] = field(default_factory=dict)
    """What names that are not of this function hold in branches that do not bind them; one for all branches."""
    alone: frozenset[str] = frozenset()
    """The models of ``self`` that nobody but this function makes and puts in a mode: ``self.net``."""

    def fork(self) -> State:
        """A copy for one branch."""
        settings = {aspect: dict(table) for aspect, table in self.settings.items()}
        return State(self.mode, dict(self.names), settings, dict(self.turns), self.reached, self.outer, self.alone)

    def become(self, other: State) -> None:
        """Take over what another state knows."""
        self.mode, self.names, self.settings = other.mode, other.names, other.settings
        self.turns, self.reached = other.turns, other.reached

    def join(self, other: State) -> State:
        """What is known where two branches meet."""
        if not other.reached:
            return self
        if not self.reached:
            return other
        names = dict(self.names)
        mode = self.mode | other.mode
        for name, value in other.names.items():
            mine = names.get(name)
            if mine is value and value.saved is None:
                continue
            mine = mine or self.outer.get(name)
            names[name] = value if mine is None else mine | value
            if mine is not None and mine.saved is not None and Leaving.RESTORES & (mine.leaving | value.leaving):
                saved = unstacked(mine, self.mode) | unstacked(value, other.mode)
                names[name] = replace(names[name], saved=saved, shift=mode)
        for name in self.outer.keys() & (self.names.keys() - other.names.keys()):
            names[name] |= self.outer[name]
        return State(
            mode,
            names,
            {aspect: self._joined(table, other, other.settings[aspect]) for aspect, table in self.settings.items()},
            _met(self.turns, other.turns),
            outer=self.outer,
            alone=self.alone,
        )

    def hold(self, name: str, value: Abstract, before: Abstract) -> None:
        """A name, perhaps one from outside, holds something else from here on."""
        if name not in self.names:
            self.outer.setdefault(name, before)
        self.names[name] = value

    def _joined(self, mine: dict[str, Setting], other: State, others: dict[str, Setting]) -> dict[str, Setting]:
        joined = {}
        for path in sorted(mine.keys() | others.keys()):
            root = path.split(".")[0]
            if path in mine and root in self.names and root not in other.names:
                # The other way has no such object: whoever asks came this way.
                joined[path] = mine[path]
            elif path in others and root in other.names and root not in self.names:
                joined[path] = others[path]
            else:
                one, two = setting_of(mine, path), setting_of(others, path)
                if self._makes(path, other):
                    joined[path] = _as_made(one, two)
                elif other._makes(path, self):
                    joined[path] = _as_made(two, one)
                else:
                    joined[path] = one | two
        return joined

    def _makes(self, path: str, other: State) -> bool:
        """Whether this way makes a model of ``self`` that only this function makes: ``if self.net is None:``."""
        return any(
            (path == each or is_part(path, each)) and each in self.names and each not in other.names
            for each in self.alone
        )

    def same(self, other: State) -> bool:
        """Whether nothing was learned: a loop has settled."""
        return self.names == other.names and self.steady(other)

    def steady(self, other: State) -> bool:
        """Whether grad mode and the modes of models stayed what they were."""
        return self.mode == other.mode and self.settings == other.settings

    def mutate(self, target: Abstract, change: Callable[[Abstract], Abstract], *, written: bool = False) -> list[str]:
        """Change an object in place, under all the names that hold it, or a collection with it; gives these.

        Its views change with it; what it is a view of, if it was written to: its own flag is its own.
        """
        changed = []
        shares = target.identity | target.views if written else target.identity
        for name, value in self.names.items() if target.identity else ():
            after = mutated(value, target, shares, change, named=name == target.label)
            if after is not value:
                changed.append(name)
                self.names[name] = after
        return changed

    def rename(self, path: str) -> None:
        """An object was rebound: what other names hold of it, it is not the way to any more."""
        for name, value in self.names.items():
            if value.kind is Kind.MODEL and name != path and (value.label == path or is_part(value.label, path)):
                self.names[name] = replace(value, label="")

    def forget_under(self, path: str) -> None:
        """Forget the attributes of an object that was rebound."""
        for name in [name for name in self.names if is_part(name, path)]:
            del self.names[name]
        for table in self.settings.values():
            for name in [name for name in table if is_part(name, path)]:
                del table[name]


def _as_made(made: Setting, other: Setting) -> Setting:
    """What a model is in that is made on one way: who runs it has come that way, now or before."""
    answer = made.answer | other.answer if other.is_set else made.answer
    return Setting(answer, Evaluated.CONSTRUCTOR, made.is_set or other.is_set)


def mutated(
    value: Abstract,
    target: Abstract,
    shares: frozenset[cst.CSTNode],
    change: Callable[[Abstract], Abstract],
    *,
    named: bool,
) -> Abstract:
    """What a value is after an object was changed that it may be, or hold, or share its numbers with."""
    # What is in it first: a list may be put into itself.
    if value.elements is not None:
        elements = tuple(mutated(each, target, shares, change, named=False) for each in value.elements)
        if any(new is not old for new, old in zip(elements, value.elements, strict=True)):
            value = replace(value, elements=elements)
    if value.item is not None:
        # One of several.
        item = mutated(value.item, target, shares, change, named=False)
        value = value if item is value.item else replace(value, item=value.item | item)
    if value.identity & target.identity:
        certain = value.identity == target.identity and (named or len(value.identity) == 1)
        value = change(value) if certain else value | change(value)
    elif (value.identity | value.views) & shares:
        value |= change(value)
    return value


def _met(one: Turns, other: Turns) -> Turns:
    """What only one way has done to the parameters that a loop reaches, is done perhaps."""
    met = dict(one.items() & other.items())
    for path, (loop, _) in {**other, **one}.items():
        meanwhile = None in (one.get(path, (loop,))[0], other.get(path, (loop,))[0])
        met.setdefault(path, (None if meanwhile else loop, Answer.UNKNOWN))
    return met


def unstacked(stack: Abstract, left: Shift) -> Shift:
    """The mode when an ``ExitStack`` has left what was entered on it, in the mode in which its block ended."""
    if stack.saved is None:
        return ANYTHING
    if not stack.leaving & Leaving.RESTORES:
        return left
    changed = stack.leaving & Leaving.NOTHING and stack.shift is not left
    return stack.saved | left if changed else stack.saved
