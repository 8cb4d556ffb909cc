"""What a project tells us about itself, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Options that change what is found, whichever face reads them."""

    no_grad_wrappers: frozenset[str] = frozenset()
    """Names of the project's own decorators and context managers that turn gradients off."""
    torch_version: tuple[int, int] | None = None
    """The oldest torch the project supports; ``None`` is the newest."""
