"""The LibCST transformer that carries a plan out, on updated nodes, so that nested edits compose."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from .plan import Plan, Span
from .tree import Tree


class Apply(cst.CSTTransformer):
    """Rebuilds the nodes that a plan names, and no other."""

    def __init__(self, plan: Plan, tree: Tree) -> None:
        """Carry out a plan for one module."""
        super().__init__()
        self._plan = plan
        self._tree = tree

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        """Add decorators directly above ``def``."""
        names = self._plan.decorate.get(original_node)
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
        """Wrap statements at module level."""
        spans = self._plan.wrap.get(original_node)
        return updated_node.with_changes(body=self._wrapped(spans, updated_node.body, None)) if spans else updated_node

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        """Wrap statements of a block."""
        spans = self._plan.wrap.get(original_node)
        if not spans:
            return updated_node
        return updated_node.with_changes(body=self._wrapped(spans, updated_node.body, original_node.indent))

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.BaseSuite:
        """Wrap a one-line suite, which becomes a block."""
        spans = self._plan.wrap.get(original_node)
        if not spans:
            return updated_node
        indent = self._tree.indent(original_node)
        line = cst.SimpleStatementLine(updated_node.body, trailing_whitespace=updated_node.trailing_whitespace)
        return cst.IndentedBlock([_with(spans[0].using, [line], indent)], indent=indent)

    def _wrapped(
        self, spans: Sequence[Span], body: Sequence[cst.BaseStatement], indent: str | None
    ) -> list[cst.BaseStatement]:
        result = list(body)
        for span in reversed(spans):
            result[span.first : span.last] = [_with(span.using, result[span.first : span.last], indent)]
        return result


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
