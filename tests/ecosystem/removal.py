"""Takes one no-grad scope out of a file, as somebody would have written the file without it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .guards import Scope


@dataclass(frozen=True, slots=True)
class Removed:
    """A file without one of its scopes."""

    text: str
    line: int
    """Where the scope stood: lines above it are where they were."""
    shift: int
    """How many lines went with it."""
    last: int
    """The last line of what it covered, in the new text."""

    def moved(self, line: int) -> int:
        """Where a line of the old text is in the new one."""
        return line if line <= self.line else max(self.line, line - self.shift)


class Remover:
    """One parsed file, from which scopes are taken one at a time."""

    def __init__(self, text: str) -> None:
        """Parse it, once for all removals."""
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module = wrapper.module
        self._lines = text.count("\n")
        self._nodes: dict[int, cst.CSTNode] = {
            place.start.line: node
            for node, place in wrapper.resolve(PositionProvider).items()
            if isinstance(node, cst.With | cst.Decorator)
        }

    def without(self, scope: Scope) -> Removed:
        """The file without a scope.

        Raises ``KeyError`` when the two parsers do not see it on the same line.
        """
        node = self._nodes[scope.line]
        changed = self.module.visit(_Without(node, scope.item)).code
        shift = self._lines - changed.count("\n")
        return Removed(changed, scope.line, shift, scope.end - shift)


class _Without(cst.CSTTransformer):
    def __init__(self, node: cst.CSTNode, item: int | None) -> None:
        self._node = node
        self._item = item

    def leave_Decorator(
        self, original_node: cst.Decorator, updated_node: cst.Decorator
    ) -> cst.Decorator | cst.RemovalSentinel:
        return cst.RemoveFromParent() if original_node is self._node else updated_node

    def leave_With(
        self, original_node: cst.With, updated_node: cst.With
    ) -> cst.With | cst.FlattenSentinel[cst.BaseStatement]:
        if original_node is not self._node:
            return updated_node
        kept = [item for number, item in enumerate(updated_node.items) if number != self._item]
        if kept:
            # A comma after the last item is allowed between parentheses alone: the old last one knows.
            last = kept[-1].with_changes(comma=updated_node.items[-1].comma)
            return updated_node.with_changes(items=[*kept[:-1], last])
        return cst.FlattenSentinel(_led(_statements(updated_node.body), updated_node.leading_lines))


def _statements(body: cst.BaseSuite) -> list[cst.BaseStatement]:
    if isinstance(body, cst.SimpleStatementSuite):
        return [cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)]
    return [each for each in body.body if isinstance(each, cst.BaseStatement)]


def _led(statements: list[cst.BaseStatement], lines: tuple[cst.EmptyLine, ...] | object) -> list[cst.BaseStatement]:
    """What stood above the ``with`` stands above its first statement."""
    first = statements[0]
    if isinstance(first, cst.SimpleStatementLine | cst.BaseCompoundStatement) and isinstance(lines, tuple | list):
        own = first.leading_lines
        return [first.with_changes(leading_lines=[*lines, *own]), *statements[1:]]
    return statements
