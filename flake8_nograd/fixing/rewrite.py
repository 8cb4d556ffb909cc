"""One node into another: replaced, renamed, split, without a part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from .tree import RefusedError, Tree

Rewrite = Callable[[cst.CSTNode], cst.CSTNode]
"""From a node, with what was changed inside it, to what takes its place."""

_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Integer, cst.Float, cst.List, cst.Dict, cst.Set)


def replaced(tree: Tree, node: cst.CSTNode, code: str) -> Rewrite:
    """Put code in its place; ``{0}`` is what stood there."""
    text = tree.module.code_for_node(node).strip()
    if isinstance(node, cst.BaseExpression):
        if not isinstance(node, _ATOMS) and not node.lpar and code != "{0}":
            text = f"({text})"
        expression = _expression(code.replace("{0}", text))
        if not isinstance(expression, _ATOMS) and not expression.lpar and node.lpar:
            expression = expression.with_changes(lpar=node.lpar, rpar=node.rpar)
        return lambda _: expression
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1:
        small = _small(code.replace("{0}", text))
        return lambda updated: updated.with_changes(body=[small])
    if isinstance(node, cst.BaseSmallStatement):
        small = _small(code.replace("{0}", text))
        return lambda _: small.with_changes(semicolon=node.semicolon)
    raise RefusedError("neither an expression nor a simple statement")


def renamed(name: str) -> Rewrite:
    """Another name for the last attribute, or for the method that is called."""

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        if isinstance(node, cst.Call):
            return node.with_changes(func=rewrite(node.func))
        if not isinstance(node, cst.Attribute):
            raise RefusedError("no attribute")
        return node.with_changes(attr=node.attr.with_changes(value=name))

    return rewrite


def renamed_argument(keyword: str, name: str) -> Rewrite:
    """Another keyword for an argument."""

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        call = _call_with(node, keyword)
        return call.with_changes(
            args=[
                each.with_changes(keyword=each.keyword.with_changes(value=name))
                if each.keyword is not None and each.keyword.value == keyword
                else each
                for each in call.args
            ]
        )

    return rewrite


def dropped(keyword: str) -> Rewrite:
    """Without a keyword argument."""

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        call = _call_with(node, keyword)
        kept = [each for each in call.args if each.keyword is None or each.keyword.value != keyword]
        if kept and kept[-1] is not call.args[-1]:
            kept[-1] = kept[-1].with_changes(comma=call.args[-1].comma)
        return call.with_changes(args=kept)

    return rewrite


def moved_down(decorator: cst.Decorator) -> Rewrite:
    """With a decorator directly above the ``def``."""

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        if not isinstance(node, cst.FunctionDef):
            raise RefusedError("no def")
        moved, kept = _parted(node.decorators, decorator)
        return node.with_changes(decorators=[*kept, moved])

    return rewrite


def without_decorator(decorator: cst.Decorator) -> Rewrite:
    """Without a decorator; the comments above it stay."""

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        if not isinstance(node, cst.FunctionDef | cst.ClassDef):
            raise RefusedError("neither a def nor a class")
        index = next(i for i, each in enumerate(node.decorators) if each.decorator.deep_equals(decorator.decorator))
        kept = list(node.decorators)
        comments = kept.pop(index).leading_lines
        if index < len(kept):
            kept[index] = kept[index].with_changes(leading_lines=(*comments, *kept[index].leading_lines))
            return node.with_changes(decorators=kept)
        if kept:
            lines = (*comments, *node.lines_after_decorators)
            return node.with_changes(decorators=kept, lines_after_decorators=lines)
        return node.with_changes(
            decorators=(),
            leading_lines=(*node.leading_lines, *comments, *node.lines_after_decorators),
            lines_after_decorators=(),
        )

    return rewrite


def split(tree: Tree, item: cst.WithItem, *, leave_out: bool = False) -> Rewrite:
    """The operands of ``a and b`` as items of their own; or without the item."""
    parts = [] if leave_out else _operands(tree, item)
    above = tree.parent(item)
    # By its place: one with statement may enter the same expression twice.
    index = next((i for i, each in enumerate(above.items) if each is item), -1) if isinstance(above, cst.With) else -1

    def rewrite(node: cst.CSTNode) -> cst.CSTNode:
        if not isinstance(node, cst.With):
            raise RefusedError("no with statement")
        items: list[cst.WithItem] = []
        for number, each in enumerate(node.items):
            if number == index:
                items += [part.with_changes(comma=cst.MaybeSentinel.DEFAULT) for part in parts]
            else:
                items.append(each)
        items[-1] = items[-1].with_changes(comma=node.items[-1].comma)
        return node.with_changes(items=items)

    return rewrite


def _operands(tree: Tree, item: cst.WithItem) -> list[cst.WithItem]:
    operation = item.item
    if not isinstance(operation, cst.BooleanOperation) or "\n" in tree.module.code_for_node(item):
        raise RefusedError("no operation with and, or one of several lines")
    operands: list[cst.BaseExpression] = []
    spine: cst.BaseExpression = operation
    while isinstance(spine, cst.BooleanOperation) and (spine is operation or not spine.lpar):
        operands.insert(0, spine.right)
        spine = spine.left
    operands.insert(0, spine)
    items = [cst.WithItem(each) for each in operands]
    named = 0 if isinstance(operation.operator, cst.Or) else -1
    items[named] = items[named].with_changes(asname=item.asname)
    return items


def _parted(decorators: Sequence[cst.Decorator], decorator: cst.Decorator) -> tuple[cst.Decorator, list[cst.Decorator]]:
    index = next(i for i, each in enumerate(decorators) if each.decorator.deep_equals(decorator.decorator))
    return decorators[index], [*decorators[:index], *decorators[index + 1 :]]


def _call_with(node: cst.CSTNode, keyword: str) -> cst.Call:
    if isinstance(node, cst.Call) and any(each.keyword and each.keyword.value == keyword for each in node.args):
        return node
    raise RefusedError("no call with that keyword")


def _expression(code: str) -> cst.BaseExpression:
    try:
        return cst.parse_expression(code)
    except cst.ParserSyntaxError as error:
        raise RefusedError("no expression") from error


def _small(code: str) -> cst.BaseSmallStatement:
    try:
        line = cst.parse_statement(code)
    except cst.ParserSyntaxError as error:
        raise RefusedError("no statement") from error
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line.body[0]
    raise RefusedError("no simple statement")
