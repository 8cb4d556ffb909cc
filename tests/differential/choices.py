"""A stream of choices that shrinks: chunks of bytes, one for each statement.

Deleting a chunk deletes a statement, and a byte of zero is the simplest choice, so
programs become small by deleting and zeroing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

CHUNK = 24
"""Choices for one statement; when they are used up, the rest are the simplest."""


class Choices:
    """Chunks, read one statement at a time."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        """Start before the first chunk."""
        self._chunks = list(chunks)
        self._next = 0
        self._bytes = b""
        self._at = 0

    def more(self) -> bool:
        """Go on to the next chunk, if there is one."""
        if self._next >= len(self._chunks):
            self._bytes, self._at = b"", 0
            return False
        self._bytes, self._at = self._chunks[self._next], 0
        self._next += 1
        return True

    def below(self, count: int) -> int:
        """A number from 0, the simplest."""
        if self._at >= len(self._bytes):
            return 0
        byte = self._bytes[self._at]
        self._at += 1
        return byte * count >> 8

    def pick(self, options: Sequence[T]) -> T:
        """One of some options, the first the simplest."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Whether something happens that happens so often; if in doubt, not."""
        return self.below(100) >= 100 - percent
