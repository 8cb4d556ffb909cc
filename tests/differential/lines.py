"""The lines that statements stand on, at a small part of what the provider of LibCST costs.

Generated programs have each statement on one line, which makes it a matter of counting.
"""

from __future__ import annotations

from types import UnionType

import libcst as cst


def statement_lines(module: cst.Module) -> dict[object, int]:
    """The line of each statement (of a definition: of its first decorator), one-based."""
    count = _Count(1 + len(module.header))
    count.block(module.body)
    return count.lines


def stands_on(lines: dict[object, int], node: object, wanted: set[int]) -> bool:
    """Whether a node is part of a statement that begins on one of some lines, and not of a block in it."""
    return any(line in wanted and holds(statement, node, blocks=False) for statement, line in lines.items())


def holds(statement: object, node: object, *, blocks: bool = True) -> bool:
    """Whether a node is part of a statement, perhaps of a block in it."""
    assert isinstance(statement, cst.CSTNode)
    outside = cst.BaseParenthesizableWhitespace if blocks else cst.BaseSuite | cst.BaseParenthesizableWhitespace
    finder = _Finder(node, outside)
    statement.visit(finder)
    return finder.found


class _Finder(cst.CSTVisitor):
    def __init__(self, node: object, outside: type | UnionType) -> None:
        super().__init__()
        self.node, self.outside = node, outside
        self.found = False

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.found |= node is self.node
        return not self.found and not isinstance(node, self.outside)


class _Count:
    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: dict[object, int] = {}

    def block(self, statements: tuple[object, ...] | list[object] | object) -> None:
        assert isinstance(statements, tuple | list)
        for each in statements:
            self.line += len(getattr(each, "leading_lines", ()))
            self.lines[each] = self.line
            if isinstance(each, cst.SimpleStatementLine):
                self.line += 1
            elif isinstance(each, cst.If):
                self._if(each)
            elif isinstance(each, cst.Try):
                self._part(each.body)
                for handler in each.handlers:
                    self._clause(handler, handler.body)
                self._else(each.orelse)
                if each.finalbody is not None:
                    self._clause(each.finalbody, each.finalbody.body)
            elif isinstance(each, cst.Match):
                self.line += 1
                for case in each.cases:
                    self._clause(case, case.body)
            elif isinstance(each, cst.FunctionDef | cst.ClassDef):
                self.line += sum(1 + len(held.leading_lines) for held in each.decorators)
                self.line += len(each.lines_after_decorators)
                self._part(each.body)
            elif isinstance(each, cst.For | cst.While):
                self._part(each.body)
                self._else(each.orelse)
            elif isinstance(each, cst.With):
                self._part(each.body)

    def _part(self, body: cst.BaseSuite) -> None:
        self.line += 1
        if isinstance(body, cst.IndentedBlock):
            self.block(body.body)
            self.line += len(body.footer)

    def _clause(self, clause: cst.CSTNode, body: cst.BaseSuite) -> None:
        self.line += len(getattr(clause, "leading_lines", ()))
        self._part(body)

    def _else(self, orelse: cst.Else | None) -> None:
        if orelse is not None:
            self._clause(orelse, orelse.body)

    def _if(self, each: cst.If) -> None:
        self._part(each.body)
        if isinstance(each.orelse, cst.If):
            self.line += len(each.orelse.leading_lines)
            self.lines[each.orelse] = self.line
            self._if(each.orelse)
        else:
            self._else(each.orelse)
