"""What grad mode can be at a point of a program, and how it changes.

Source: https://docs.pytorch.org/docs/stable/notes/autograd.html#grad-modes and
``tests/truth``, which runs each claim on torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag


class GradMode(Flag):
    """The modes that are possible at one point; ``|`` is how two branches meet.

    A rule asks ``is GradMode.ON``: where branches disagree the answer is a
    union, which is no single mode, so doubt never becomes a false alarm.
    """

    NEVER = 0
    """The point is not reached."""
    ON = 1
    """Operations record a graph."""
    OFF = 2
    """``torch.no_grad()``: nothing is recorded."""
    INFERENCE = 4
    """``torch.inference_mode()``: nothing is recorded, tensors never can."""
    NOT_INFERENCE = 3
    """Recorded or not: a backward pass, which may be asked to create a graph."""
    NOT_ON = 6
    """Nothing is recorded, in one way or the other."""
    UNKNOWN = 7

    # The operators of ``Flag`` are too slow for the walk, which lives on them.

    def __or__(self, other: GradMode) -> GradMode:
        """Either."""
        return _MODE_OF[self._value_ | other._value_]

    def __and__(self, other: GradMode) -> GradMode:
        """What is possible in both."""
        return _MODE_OF[self._value_ & other._value_]

    def __bool__(self) -> bool:
        """Whether any mode is possible."""
        return self is not GradMode.NEVER

    @property
    def records(self) -> Answer:
        """Whether operations here record a graph."""
        return _RECORDS[self._value_]


class Answer(Flag):
    """A fact that may be known or not; ``|`` is how two branches meet."""

    NEVER = 0
    YES = 1
    NO = 2
    UNKNOWN = 3

    def __or__(self, other: Answer) -> Answer:
        """Either."""
        return _ANSWER_OF[self._value_ | other._value_]

    def opposite(self) -> Answer:
        """Of what is known: frozen, where gradients are not required."""
        return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(self, Answer.UNKNOWN)


_MODE_OF = tuple(GradMode(value) for value in range(8))
_ANSWER_OF = tuple(Answer(value) for value in range(4))
_RECORDS = tuple(_ANSWER_OF[(value & 1) | (2 if value & 6 else 0)] for value in range(8))
_MODES = (GradMode.ON, GradMode.OFF, GradMode.INFERENCE)
CERTAIN = frozenset(_MODES)
"""One mode each: no other is possible."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How grad mode changes: what it is after, for each mode before.

    The body of ``with torch.no_grad()`` is one shift, all that happened since
    a function was entered is another; they compose.
    """

    on: GradMode
    off: GradMode
    inference: GradMode

    def of(self, before: GradMode) -> GradMode:
        """The modes possible afterwards, from the modes possible before."""
        if before is GradMode.ON:
            return self.on
        # On the bits of ON, OFF and INFERENCE: even the operators above are too slow here.
        possible, after = before._value_, 0
        if possible & 1:
            after |= self.on._value_
        if possible & 2:
            after |= self.off._value_
        if possible & 4:
            after |= self.inference._value_
        return _MODE_OF[after]

    def then(self, later: Shift) -> Shift:
        """This change followed by a later one."""
        return Shift(later.of(self.on), later.of(self.off), later.of(self.inference))

    @property
    def enables(self) -> Answer:
        """Whether it turns gradients on, or off, whatever they were."""
        if self in (ENABLE_GRAD, NOT_INFERENCE):
            return Answer.YES
        return Answer.NO if self in (NO_GRAD, INFERENCE) else Answer.UNKNOWN

    def __or__(self, other: Shift) -> Shift:
        """Either change: where two branches meet."""
        if self is other:
            return self
        return Shift(self.on | other.on, self.off | other.off, self.inference | other.inference)


KEEP = Shift(*_MODES)
"""Nothing changes: ``nullcontext``, ``autocast``, an open file."""
NO_GRAD = Shift(GradMode.OFF, GradMode.OFF, GradMode.INFERENCE)
ENABLE_GRAD = Shift(GradMode.ON, GradMode.ON, GradMode.INFERENCE)
"""``enable_grad`` does not lift inference mode."""
SET_UNKNOWN = NO_GRAD | ENABLE_GRAD
"""``set_grad_enabled(expression)``."""
INFERENCE = Shift(GradMode.INFERENCE, GradMode.INFERENCE, GradMode.INFERENCE)
NOT_INFERENCE = Shift(GradMode.ON, GradMode.ON, GradMode.ON)
"""``inference_mode(False)`` turns grad mode on, under ``no_grad`` as well."""
ANYTHING = Shift(GradMode.UNKNOWN, GradMode.UNKNOWN, GradMode.UNKNOWN)
"""Somebody else's switch, of which we know nothing."""
UNREACHED = Shift(GradMode.NEVER, GradMode.NEVER, GradMode.NEVER)
"""After ``return`` or ``raise``: meets any other without changing it."""
