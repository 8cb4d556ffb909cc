"""Where a node stands in its module: parents, order, and the block around it."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

Block = cst.Module | cst.IndentedBlock | cst.SimpleStatementSuite
"""What holds statements; a one-line suite counts as one."""

Unit = cst.BaseStatement | cst.SimpleStatementSuite | cst.BaseSmallStatement
"""What is replaced or removed: a line, a one-line suite, or one of several statements on a line."""

_LAYOUT = (
    cst.BaseParenthesizableWhitespace,
    cst.TrailingWhitespace,
    cst.EmptyLine,
    cst.Newline,
    cst.Comment,
)


class RefusedError(Exception):
    """An edit that cannot be made; its fix is left out."""


class Tree(cst.CSTVisitor):
    """The parent and the position (in source order) of each node of a module."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self.module = module
        self.order: dict[cst.CSTNode, int] = {}
        self._parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._stack: list[cst.CSTNode] = []
        module.visit(self)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note a node; layout has no children worth knowing."""
        if isinstance(node, _LAYOUT):
            return False
        self.order[node] = len(self.order)
        if self._stack:
            self._parents[node] = self._stack[-1]
        self._stack.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Step out of a node."""
        if not isinstance(original_node, _LAYOUT):
            self._stack.pop()

    def node(self, anchor: object) -> cst.CSTNode:
        """Open an anchor; ``RefusedError`` if it is no node of this module."""
        if not isinstance(anchor, cst.CSTNode) or anchor not in self.order:
            raise RefusedError("the anchor is not in this module")
        return anchor

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node around it; ``None`` for the module."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around it, innermost first."""
        while (above := self._parents.get(node)) is not None:
            yield above
            node = above

    def statement(self, anchor: object) -> tuple[Block, int]:
        """The block and the index in it of the statement at an anchor.

        An expression or small statement stands for its line. ``RefusedError`` for what is
        no statement of a block: an ``elif``, an expression in the head of a loop.
        """
        node = self.node(anchor)
        is_itself = True
        for inner in (node, *self.ancestors(node)):
            above = self.parent(inner)
            if isinstance(above, cst.SimpleStatementSuite):
                return above, 0
            if isinstance(inner, cst.SimpleStatementSuite):
                return inner, 0
            if isinstance(inner, cst.BaseStatement):
                if not is_itself and not isinstance(inner, cst.SimpleStatementLine):
                    raise RefusedError("the anchor is inside the head of a compound statement")
                if isinstance(above, (cst.Module, cst.IndentedBlock)):
                    return above, next(i for i, each in enumerate(above.body) if each is inner)
                raise RefusedError("not a statement of a block")
            is_itself = False
        raise RefusedError("not a statement")

    def unit(self, anchor: object) -> Unit:
        """What to replace for a statement: its line, its one-line suite, or it alone among several."""
        node = self.node(anchor)
        if isinstance(node, cst.BaseExpression) and isinstance(above := self.parent(node), cst.Expr):
            node = above
        if isinstance(node, cst.BaseSmallStatement):
            above = self.parent(node)
            if isinstance(above, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
                return node if len(above.body) > 1 else above
        elif isinstance(node, cst.BaseStatement):
            self.statement(node)
            return node
        raise RefusedError("not a statement")

    def indent(self, node: cst.CSTNode) -> str | None:
        """How the nearest block indents; ``None`` when as the module does."""
        for each in (node, *self.ancestors(node)):
            if isinstance(each, cst.IndentedBlock):
                return each.indent
        return None
