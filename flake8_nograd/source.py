"""Bytes to text to tree, and back; positions, computed only when asked for."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .facts import Anchor

DEPTH = 1000
"""How deep a syntax tree may be: LibCST takes time that grows with the square of it, and at some depth the stack."""


class SourceError(Exception):
    """A text that cannot be read as Python, and where (one-based)."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """Say why, and where."""
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Range:
    """From a place to a place, lines and columns one-based, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Source:
    """One file: its text, and its tree when asked for."""

    def __init__(self, text: str, filename: str, encoding: str = "utf-8", *, has_bom: bool = False) -> None:
        """Hold a decoded text."""
        self.text = text
        self.filename = filename
        self.encoding = encoding
        self.has_bom = has_bom

    @classmethod
    def of(cls, text: str, filename: str = "<unknown>") -> Source:
        """A text that is decoded already; a byte order mark is not part of it."""
        return cls(text.removeprefix("\ufeff"), filename)

    @classmethod
    def read(cls, data: bytes, filename: str = "<stdin>") -> Source:
        """Decode a file as Python does (PEP 263).

        Raises ``SourceError`` when its encoding is unknown or does not fit.
        """
        has_bom = data.startswith(b"\xef\xbb\xbf")
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            body = data[3:] if has_bom else data
            text = body.decode("utf-8" if has_bom else encoding)
        except (SyntaxError, LookupError, UnicodeDecodeError) as error:
            raise SourceError(f"cannot be decoded: {error}") from error
        return cls(text, filename, "utf-8" if has_bom else encoding, has_bom=has_bom)

    @property
    def mentions_torch(self) -> bool:
        """Whether the word stands in the text: a file without it costs no parse."""
        return "torch" in self.text

    @cached_property
    def module(self) -> cst.Module:
        """The tree.

        Raises ``SourceError`` when LibCST cannot read it.
        """
        if "\0" in self.text:
            line = self.text.count("\n", 0, self.text.index("\0")) + 1
            raise SourceError("contains a null byte", line)
        if _is_deep(self.text):
            raise SourceError("an expression is nested too deeply")
        try:
            return cst.parse_module(self.text)
        except cst.ParserSyntaxError as error:
            reason = error.message.splitlines()[0] if error.message else "syntax error"
            raise SourceError(reason, max(error.raw_line, 1), error.raw_column + 1) from error

    @cached_property
    def _ranges(self) -> dict[Anchor, Range]:
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        return {
            node: Range(place.start.line, place.start.column + 1, place.end.line, place.end.column + 1)
            for node, place in wrapper.resolve(PositionProvider).items()
        }

    def range_of(self, anchor: Anchor) -> Range:
        """Where a node of this tree stands."""
        return self._ranges[anchor]

    @cached_property
    def lines(self) -> list[str]:
        """The lines, as flake8 counts them."""
        return re.split(r"(?<=\n)|(?<=\r)(?!\n)", self.text)

    def line(self, number: int) -> str:
        """One line, one-based, without its ending; empty past the end."""
        return self.lines[number - 1].rstrip("\r\n") if 0 < number <= len(self.lines) else ""

    def with_module(self, module: cst.Module) -> Source:
        """The same file with another tree."""
        return Source(module.code, self.filename, self.encoding, has_bom=self.has_bom)

    def encode(self) -> bytes:
        """The bytes to write."""
        return (b"\xef\xbb\xbf" if self.has_bom else b"") + self.text.encode(self.encoding)


def _is_deep(text: str) -> bool:
    """Whether Python finds the text nested too deeply, or its tree is deeper than ``DEPTH``.

    LibCST's parser would overflow the stack, which no handler catches.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            level: list[ast.AST] = [ast.parse(text)]
    except (RecursionError, MemoryError):
        return True
    except (SyntaxError, ValueError) as error:
        return "too many nested" in str(error)  # other errors are for LibCST to find: it reads newer syntax
    for _ in range(DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True
