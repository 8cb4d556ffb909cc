"""The LibCST transformer that carries a plan out, on updated nodes, so that nested edits compose."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from .plan import Steps
from .spelling import importing_above
from .tree import Block, Tree


class Apply(cst.CSTTransformer):
    """Rebuilds the nodes that a plan names, and no other."""

    def __init__(self, steps: Steps, tree: Tree) -> None:
        """Carry out a plan for one module."""
        super().__init__()
        self._steps = steps
        self._tree = tree

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        """Rewrite a node, then what is done to all of its kind."""
        rewrite = self._steps.rewrite.get(original_node)
        if rewrite is not None:
            updated_node = rewrite(updated_node)  # type: ignore[assignment] # an expression for an expression
        return super().on_leave(original_node, updated_node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """Add decorators directly above ``def``."""
        names = self._steps.decorate.get(original_node)
        if not names:
            return updated_node
        added = [cst.Decorator(cst.parse_expression(f"{name}()")) for name in names]
        # Comments between the last decorator and the def stay where they are.
        lines = updated_node.lines_after_decorators
        if not updated_node.decorators:
            return updated_node.with_changes(decorators=added, lines_after_decorators=lines)
        added[0] = added[0].with_changes(leading_lines=lines)
        return updated_node.with_changes(decorators=[*updated_node.decorators, *added], lines_after_decorators=())

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        """Statements at module level."""
        if not self._is_changed(original_node):
            return updated_node
        return updated_node.with_changes(body=self._rebuilt(original_node, updated_node.body, None))

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """Statements of a block."""
        if not self._is_changed(original_node):
            return updated_node
        body = self._rebuilt(original_node, updated_node.body, original_node.indent)
        return updated_node.with_changes(body=body)

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.BaseSuite:
        """Wrap a one-line suite, which becomes a block."""
        spans = self._steps.wrap.get(original_node)
        if not spans:
            return updated_node
        indent = self._tree.indent(original_node)
        line = cst.SimpleStatementLine(updated_node.body, trailing_whitespace=updated_node.trailing_whitespace)
        return cst.IndentedBlock([_with(spans[0].using, [line], indent)], indent=indent)

    def _is_changed(self, block: Block) -> bool:
        steps = self._steps
        return any(block in each for each in (steps.wrap, steps.remove, steps.dissolve, steps.imports))

    def _rebuilt(self, block: Block, body: Sequence[cst.BaseStatement], indent: str | None) -> list[cst.BaseStatement]:
        """Each statement, what it dissolves into, or nothing; with its ``with`` around."""
        parts = [[each] for each in body]
        for index in self._steps.dissolve.get(block, ()):
            parts[index] = _dissolved(body[index])
        for index in self._steps.imports.get(block, ()):
            line = body[index]
            if isinstance(line, cst.SimpleStatementLine):
                parts[index] = [*importing_above(line)]
        left: list[cst.EmptyLine] = []
        for index in sorted(self._steps.remove.get(block, ())):
            left = _comments(body[index])
            parts[index] = []
            if index + 1 < len(parts) and parts[index + 1] and left:
                parts[index + 1][0] = _below(left, parts[index + 1][0])
        result: list[cst.BaseStatement] = []
        spans = {span.first: span for span in self._steps.wrap.get(block, ())}
        index = 0
        while index < len(parts):
            span = spans.get(index)
            if span is None:
                result += parts[index]
                index += 1
                continue
            inside = [each for part in parts[span.first : span.last] for each in part]
            result += [_with(span.using, inside, indent)] if inside else []
            index = span.last
        return result or [cst.SimpleStatementLine([cst.Pass()])]


def _dissolved(statement: cst.BaseStatement) -> list[cst.BaseStatement]:
    """The body of a ``with``, without it; its comments stay."""
    if not isinstance(statement, cst.With):
        return [statement]
    above = list(statement.leading_lines)
    if isinstance(statement.body, cst.SimpleStatementSuite):
        line = cst.SimpleStatementLine(statement.body.body, trailing_whitespace=statement.body.trailing_whitespace)
        return [_below(above, line)]
    if isinstance(statement.body, cst.IndentedBlock) and statement.body.header.comment is not None:
        above.append(cst.EmptyLine(comment=statement.body.header.comment))
    inside = [each for each in statement.body.body if isinstance(each, cst.BaseStatement)]
    return [_below(above, inside[0]), *inside[1:]]


def _comments(statement: cst.BaseStatement) -> list[cst.EmptyLine]:
    """What stays of a statement that is removed."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return []
    lines = list(statement.leading_lines)
    if statement.trailing_whitespace.comment is not None:
        lines.append(cst.EmptyLine(comment=statement.trailing_whitespace.comment))
    return lines


def _below(lines: Sequence[cst.EmptyLine], statement: cst.BaseStatement) -> cst.BaseStatement:
    """A statement with lines above it."""
    if not lines or not hasattr(statement, "leading_lines"):
        return statement
    return statement.with_changes(leading_lines=(*lines, *statement.leading_lines))


def _with(using: str, statements: Sequence[cst.BaseStatement], indent: str | None) -> cst.With:
    """``with using():``, the comments above the first statement staying above."""
    first = statements[0]
    lines: Sequence[cst.EmptyLine] = ()
    if isinstance(
        first,
        (
            cst.SimpleStatementLine,
            cst.For,
            cst.While,
            cst.If,
            cst.With,
            cst.Try,
            cst.TryStar,
            cst.Match,
            cst.FunctionDef,
            cst.ClassDef,
        ),
    ):
        lines = first.leading_lines
        first = first.with_changes(leading_lines=())
    return cst.With(
        [cst.WithItem(cst.parse_expression(f"{using}()"))],
        cst.IndentedBlock([first, *statements[1:]], indent=indent),
        leading_lines=lines,
    )
