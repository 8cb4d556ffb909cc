"""What happens to grad mode on the way out of the blocks around, however they are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import libcst as cst

from ..grad import Shift
from .context import Context
from .function_knowledge import FunctionKnowledge
from .reading import holders_in
from .state import State, unstacked
from .value import UNKNOWN, Abstract


class PerhapsBack(NamedTuple):
    """What leaving a context manager of the file does to grad mode: perhaps it brings back what was before."""

    mode: Shift
    unless_raised: bool
    """Whether it does so, but for errors."""


class Asked(NamedTuple):
    """On what it depends, which mode is left when the blocks around have been left."""

    exits: list[Shift | PerhapsBack | cst.Finally | str]
    mode: Shift
    held: list[Abstract | None]
    """What the names hold that these blocks mention."""

    def same(self, other: Asked) -> bool:
        """Whether the answer is the same. What is held is never changed, but replaced."""
        return (
            self.mode == other.mode
            and self.exits == other.exits
            and all(mine is its for mine, its in zip(self.held, other.held, strict=True))
        )


@dataclass(slots=True)
class Unwinding:
    """The ways out of the statement that is walked."""

    context: Context
    run: Callable[[cst.CSTNode], None]
    """Walk a piece of code."""
    exits: list[Shift | PerhapsBack | cst.Finally | str] = field(default_factory=list)
    """What is done on the way out: a mode that a ``with`` brings back, a ``finally``, a stack."""
    loops: list[int] = field(default_factory=list)
    """How many of them stand around the body of each loop."""
    waiting: list[tuple[FunctionKnowledge, int, Shift]] = field(default_factory=list)
    """The context managers around that are generators of the file: where each stands in ``exits``, and its mode."""
    tries: list[tuple[int, State]] = field(default_factory=list)
    """Of each ``try``: how many stand around it, and what is known where its body may raise."""
    answers: dict[tuple[int, bool], tuple[Asked, Shift]] = field(default_factory=dict)
    """What was asked last, after each statement anew, and its answer: to walk each ``finally`` takes its time."""

    def enter_function(self) -> None:
        """Nothing stands around the body of a function."""
        self.exits, self.loops, self.waiting, self.tries = [], [], [], []
        self.answers = {}

    def wait_for(self, manager: FunctionKnowledge) -> None:
        """A generator of the file waits as a context manager, until its block is left."""
        self.waiting.append((manager, len(self.exits), self.context.state.mode))

    def stir(self) -> None:
        """A statement is done: the generators around find the mode that it has left."""
        for manager, depth, mode in self.waiting:
            manager.stirred |= self.out(depth) != mode

    def may_raise(self) -> None:
        """What is known here, is in the handlers of the ``try`` around; of the mode, callers know as well."""
        context = self.context
        interrupted, context.here.interrupted = context.here.interrupted, None
        mode = context.state.mode if interrupted is None else context.state.mode | interrupted
        learning = context.learning()
        if learning is not None and not context.here.on_the_way_out:
            learning.raises |= self.out(0, mode, raised=True)
        if self.tries:
            depth, raised = self.tries[-1]
            here = context.state.fork()
            here.mode, here.reached = self.out(depth, mode, raised=True), True
            self.tries[-1] = depth, raised.join(here)

    def out(self, depth: int, mode: Shift | None = None, *, raised: bool = False) -> Shift:
        """The mode, that here or another, when each ``with`` and ``finally`` inside of a depth has been left."""
        mode = self.context.state.mode if mode is None else mode
        exits = self.exits[depth:]
        mentioned = [name for each in exits for name in _mentioned(each)]
        if not mentioned or self.context.here.flags:
            # What a flag decides may depend on the modes of models as well.
            return self._passed(depth, mode, raised=raised)[0]
        asked = Asked(exits, mode, [self.context.state.names.get(name) for name in mentioned])
        before, answer = self.answers.get((depth, raised), (None, mode))
        if before is None or not before.same(asked):
            answer = self._passed(depth, mode, raised=raised)[0]
            self.answers[depth, raised] = asked, answer
        return answer

    def leaving(self, depth: int) -> State:
        """What is known then of all else as well."""
        mode, passed = self._passed(depth)
        left = self.context.state.fork() if passed is None else passed
        left.mode, left.reached = mode, True
        return left

    def _passed(self, depth: int, mode: Shift | None = None, *, raised: bool = False) -> tuple[Shift, State | None]:
        """The mode, and what else is known after a ``finally``, if there is one."""
        context = self.context
        mode = context.state.mode if mode is None else mode
        passed: State | None = None
        for number in range(len(self.exits) - 1, depth - 1, -1):
            leaving = self.exits[number]
            if isinstance(leaving, Shift):
                mode = leaving
                continue
            if isinstance(leaving, PerhapsBack):
                mode = leaving.mode if leaving.unless_raised and not raised else mode | leaving.mode
                continue
            if isinstance(leaving, str):
                mode = unstacked((passed or context.state).names.get(leaving, UNKNOWN), mode)
                continue
            passed = self._left_by(leaving, number, passed or context.state, mode)
            mode = passed.mode
        return mode, passed

    def _left_by(self, leaving: cst.Finally, number: int, state: State, mode: Shift) -> State:
        """What is known after a ``finally`` on the way out, around which a number of exits stand.

        What it leads to where it raises itself is learned where it is walked for its own sake: were it asked here
        too, each ``finally`` around would multiply the ways out.
        """
        context = self.context
        here, context.state = context.state, state.fork()
        context.state.mode, context.state.reached = mode, True
        exits, tries, waiting = self.exits, self.tries, self.waiting
        self.exits, self.tries, self.waiting = exits[:number], [], []
        context.recorder.quiet += 1
        before, context.here.on_the_way_out = context.here.on_the_way_out, True
        self.run(leaving.body)
        context.here.on_the_way_out = before
        context.recorder.quiet -= 1
        self.exits, self.tries, self.waiting = exits, tries, waiting
        after, context.state = context.state, here
        return after


def _mentioned(leaving: Shift | PerhapsBack | cst.Finally | str) -> tuple[str, ...]:
    """The names on which it depends what is done on the way out."""
    if isinstance(leaving, cst.Finally):
        return holders_in(leaving)
    return (leaving,) if isinstance(leaving, str) else ()
