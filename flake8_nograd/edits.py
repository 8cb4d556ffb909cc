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


Edit = Decorate | Wrap


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together: all are applied, or none."""

    edits: tuple[Edit, ...]
    safe: bool
    """Whether it provably cannot change what a working program computes."""
    message: str
    """What the fix does, as an imperative: ``Run the loop under no_grad``."""
