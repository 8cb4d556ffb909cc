"""THE WAIST OUT: all that a fix may do to a file.

A rule says what should be so (``Decorate(function)``); ``fixing`` alone writes
code. Torch names are canonical (``torch.no_grad``); ``fixing.spelling`` writes
them as the file does.
"""

from __future__ import annotations

from dataclasses import dataclass

from .facts import Anchor

NO_GRAD = "torch.no_grad"
ENABLE_GRAD = "torch.enable_grad"


@dataclass(frozen=True, slots=True)
class Decorate:
    """Put ``@using()`` directly above the ``def`` of a function."""

    function: Anchor
    using: str = NO_GRAD


@dataclass(frozen=True, slots=True)
class Wrap:
    """Put one or more neighbouring statements of one block under ``with using():``."""

    statements: tuple[Anchor, ...]
    using: str = NO_GRAD


@dataclass(frozen=True, slots=True)
class WrapRest:
    """Put what follows a statement in its block under ``with using():``."""

    after: Anchor
    using: str = NO_GRAD


@dataclass(frozen=True, slots=True)
class WrapBody:
    """Put the body of a function, but for its docstring, under ``with using():``."""

    function: Anchor
    using: str = NO_GRAD


@dataclass(frozen=True, slots=True)
class Unwrap:
    """Take a context manager out of its ``with``, or a decorator off its function."""

    item: Anchor


@dataclass(frozen=True, slots=True)
class Replace:
    """Put code in the place of an expression, of what a decorator names, or of a simple statement.

    In the code, ``{0}`` stands for what is replaced, ``{1}`` for the first of
    its parts, and ``{torch.no_grad}`` for a torch name as the file spells it.
    """

    replaced: Anchor
    code: str
    parts: tuple[Anchor, ...] = ()
    """Expressions inside what is replaced that stay."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a simple statement away; a block that would be empty gets ``pass``."""

    statement: Anchor


@dataclass(frozen=True, slots=True)
class Split:
    """Enter both operands of ``with a and b:``, as ``with a, b:``."""

    item: Anchor


@dataclass(frozen=True, slots=True)
class Rename:
    """Give an attribute, the last of a chain, another name, or the method of a call."""

    attribute: Anchor
    name: str


@dataclass(frozen=True, slots=True)
class RenameArgument:
    """Give a keyword argument of a call another keyword."""

    call: Anchor
    keyword: str
    name: str


@dataclass(frozen=True, slots=True)
class DropArgument:
    """Take a keyword argument out of a call."""

    call: Anchor
    keyword: str


@dataclass(frozen=True, slots=True)
class MoveDecoratorDown:
    """Move a decorator to stand directly above its ``def``."""

    decorator: Anchor


Edit = (
    Decorate
    | Wrap
    | WrapRest
    | WrapBody
    | Unwrap
    | Replace
    | Remove
    | Split
    | Rename
    | RenameArgument
    | DropArgument
    | MoveDecoratorDown
)


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together: all are applied, or none."""

    edits: tuple[Edit, ...]
    safe: bool
    """Whether it provably cannot change what a working program computes."""
    message: str
    """What the fix does, as an imperative: ``Run the loop under no_grad``."""
    otherwise: tuple[Edit, ...] = ()
    """What does the same, as safely, where the edits cannot be made: a decorator's name may not be there yet."""
