"""Which edits go together: neighbours become one, what is covered is dropped, what collides waits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import libcst as cst

from ..edits import (
    Decorate,
    DropArgument,
    Edit,
    Fix,
    MoveDecoratorDown,
    Remove,
    Rename,
    RenameArgument,
    Replace,
    Split,
    Unwrap,
    Wrap,
    WrapBody,
    WrapRest,
)
from .rewrite import Rewrite, dropped, moved_down, renamed, renamed_argument, replaced, split, without_decorator
from .spelling import Spelling
from .tree import Block, RefusedError, Tree


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring statements of a block, from an index to an index that is not included."""

    first: int
    last: int
    using: str


@dataclass(slots=True)
class Steps:
    """What one fix, or all of them, do to a module."""

    decorate: dict[cst.FunctionDef, list[str]] = field(default_factory=dict)
    wrap: dict[Block, list[Span]] = field(default_factory=dict)
    remove: dict[Block, set[int]] = field(default_factory=dict)
    """Statements that go, by index."""
    dissolve: dict[Block, set[int]] = field(default_factory=dict)
    """``with`` statements whose body takes their place, by index."""
    rewrite: dict[cst.CSTNode, Rewrite] = field(default_factory=dict)
    """Nodes that become others."""
    touched: set[cst.CSTNode] = field(default_factory=set)
    """What is removed, dissolved or rewritten."""
    needs_import: bool = False
    imports: dict[Block, set[int]] = field(default_factory=dict)
    """Statements above which torch is imported, by index."""

    def add(self, other: Steps) -> None:
        """Do what another fix does, too."""
        for function, names in other.decorate.items():
            mine = self.decorate.setdefault(function, [])
            mine += [name for name in names if name not in mine]
        for block, spans in other.wrap.items():
            self.wrap.setdefault(block, []).extend(spans)
        for block, indexes in other.remove.items():
            self.remove.setdefault(block, set()).update(indexes)
        for block, indexes in other.dissolve.items():
            self.dissolve.setdefault(block, set()).update(indexes)
        self.rewrite.update(other.rewrite)
        self.touched |= other.touched
        self.needs_import |= other.needs_import
        for block, indexes in other.imports.items():
            self.imports.setdefault(block, set()).update(indexes)


@dataclass(slots=True)
class Plan:
    """All that is to be done to a module, and the indexes of the fixes that do it."""

    steps: Steps
    applied: frozenset[int]


def plan(tree: Tree, fixes: Sequence[Fix]) -> Plan:
    """Take the fixes that can be made; one that cannot, or that collides with another, is left out as a whole."""
    taken = Steps()
    applied = set()
    planner = _Planner(tree, Spelling(tree))
    for number, fix in enumerate(fixes):
        try:
            steps = planner.steps(fix)
        except RefusedError:
            continue
        if not _collide(tree, taken.touched, steps.touched):
            taken.add(steps)
            applied.add(number)
    taken.wrap = {
        block: merged
        for block, spans in taken.wrap.items()
        if (merged := _merged(spans)) and not _is_covered(tree, block, merged, taken)
    }
    return Plan(taken, frozenset(applied))


@dataclass(slots=True)
class _Planner:
    """Opens the anchors of edits."""

    tree: Tree
    spelling: Spelling

    def steps(self, fix: Fix) -> Steps:
        """What a fix does; ``RefusedError`` when one of its edits cannot be made.

        Where a function imports torch itself, a decorator would need it at the top of the file.
        """
        if not fix.otherwise:
            return self._taken(fix.edits)
        try:
            steps = self._taken(fix.edits)
        except RefusedError:
            return self._taken(fix.otherwise)
        if steps.needs_import:
            with suppress(RefusedError):
                other = self._taken(fix.otherwise)
                return steps if other.needs_import else other
        return steps

    def _taken(self, edits: Sequence[Edit]) -> Steps:
        steps = Steps()
        for each in edits:
            self._step(steps, each)
        return steps

    def _step(self, steps: Steps, edit: Edit) -> None:
        match edit:
            case Decorate(function=anchor, using=using):
                function = self._function(anchor)
                names = steps.decorate.setdefault(function, [])
                names.append(self._spelled(steps, using, function, is_decorator=True))
            case Wrap(statements=statements, using=using):
                self._wrap(steps, [self.tree.statement(each) for each in statements], using, statements[0])
            case WrapRest(after=after, using=using):
                block, index = self.tree.statement(after)
                if index + 1 >= len(block.body):
                    raise RefusedError("nothing follows")
                self._wrap(steps, [(block, each) for each in range(index + 1, len(block.body))], using, after)
            case WrapBody(function=anchor, using=using):
                function = self._function(anchor)
                if not isinstance(function.body, cst.IndentedBlock):
                    raise RefusedError("a body of one line")
                first = 1 if function.get_docstring() is not None else 0
                if first >= len(function.body.body):
                    raise RefusedError("nothing but a docstring")
                places: list[tuple[Block, int]] = [
                    (function.body, each) for each in range(first, len(function.body.body))
                ]
                self._wrap(steps, places, using, function.body.body[first])
            case Unwrap(item=anchor):
                self._unwrap(steps, self.tree.node(anchor))
            case Replace(replaced=anchor, code=code, parts=parts):
                node = self.tree.node(anchor)
                if isinstance(node, cst.Decorator):
                    node = node.decorator
                filled = self._filled(steps, node, code)
                for number, part in enumerate(parts, 1):
                    filled = filled.replace(f"{{{number}}}", self.tree.module.code_for_node(self.tree.node(part)))
                self._rewrite(steps, node, replaced(self.tree, node, filled))
            case Remove(statement=anchor):
                block, index = self.tree.statement(anchor)
                line = block.body[index]
                if isinstance(block, cst.SimpleStatementSuite) or len(getattr(line, "body", ())) != 1:
                    raise RefusedError("not alone on its line")
                if index + 1 == len(block.body) and "#" in self.tree.module.code_for_node(line):
                    raise RefusedError("its comment would be lost")
                steps.remove.setdefault(block, set()).add(index)
                steps.touched.add(line)
            case Split(item=anchor):
                item = self._with_item(self.tree.node(anchor))
                above = self.tree.parent(item)
                self._rewrite(steps, above, split(self.tree, item))
            case Rename(attribute=anchor, name=name):
                self._rewrite(steps, self.tree.node(anchor), renamed(name))
            case RenameArgument(call=anchor, keyword=keyword, name=name):
                self._rewrite(steps, self.tree.node(anchor), renamed_argument(keyword, name))
            case DropArgument(call=anchor, keyword=keyword):
                self._rewrite(steps, self.tree.node(anchor), dropped(keyword))
            case MoveDecoratorDown(decorator=anchor):
                decorator = self._decorator(self.tree.node(anchor))
                self._rewrite(steps, self.tree.parent(decorator), moved_down(decorator))

    def _rewrite(self, steps: Steps, node: cst.CSTNode | None, how: Rewrite) -> None:
        if node is None or node in steps.rewrite:
            raise RefusedError("rewritten twice")
        how(node)  # refuses what it cannot do
        steps.rewrite[node] = how
        steps.touched.add(node)

    def _wrap(self, steps: Steps, places: list[tuple[Block, int]], using: str, first: object) -> None:
        block = places[0][0]
        if any(each is not block for each, _ in places):
            raise RefusedError("the statements are not in one block")
        indexes = sorted(index for _, index in places)
        if indexes[-1] - indexes[0] != len(set(indexes)) - 1:
            raise RefusedError("the statements are no neighbours")
        spelled = self._spelled(steps, using, self.tree.node(first))
        steps.wrap.setdefault(block, []).append(Span(indexes[0], indexes[-1] + 1, spelled))

    def _unwrap(self, steps: Steps, node: cst.CSTNode) -> None:
        above = self.tree.parent(node)
        if isinstance(node, cst.Decorator) or isinstance(above, cst.Decorator):
            decorator = self._decorator(node)
            self._rewrite(steps, self.tree.parent(decorator), without_decorator(decorator))
            return
        item = self._with_item(node)
        statement = self.tree.parent(item)
        if not isinstance(statement, cst.With):
            raise RefusedError("no with statement")
        if len(statement.items) > 1:
            self._rewrite(steps, statement, split(self.tree, item, leave_out=True))
            return
        block, index = self.tree.statement(statement)
        if isinstance(statement.body, cst.IndentedBlock) and any(line.comment for line in statement.body.footer):
            raise RefusedError("a comment at the end of the block")
        steps.dissolve.setdefault(block, set()).add(index)
        steps.touched.add(item)

    def _with_item(self, node: cst.CSTNode) -> cst.WithItem:
        item = node if isinstance(node, cst.WithItem) else self.tree.parent(node)
        if not isinstance(item, cst.WithItem):
            raise RefusedError("no item of a with statement")
        return item

    def _decorator(self, node: cst.CSTNode) -> cst.Decorator:
        decorator = node if isinstance(node, cst.Decorator) else self.tree.parent(node)
        if not isinstance(decorator, cst.Decorator):
            raise RefusedError("no decorator")
        return decorator

    def _function(self, anchor: object) -> cst.FunctionDef:
        function = self.tree.node(anchor)
        if not isinstance(function, cst.FunctionDef):
            raise RefusedError("no def")
        return function

    def _spelled(self, steps: Steps, name: str, place: cst.CSTNode, *, is_decorator: bool = False) -> str:
        spelled = self.spelling.spell(name, place, is_decorator=is_decorator)
        steps.needs_import |= spelled.needs_import
        if spelled.imported_in is not None:
            block, index = spelled.imported_in
            steps.imports.setdefault(block, set()).add(index)
        return spelled.text

    def _filled(self, steps: Steps, node: cst.CSTNode, code: str) -> str:
        """Code with its torch names spelled; ``{0}`` is filled in when the node is rewritten."""
        for name in ("torch.no_grad", "torch.enable_grad"):
            if f"{{{name}}}" in code:
                code = code.replace(f"{{{name}}}", self._spelled(steps, name, node))
        return code


def _collide(tree: Tree, taken: set[cst.CSTNode], wanted: set[cst.CSTNode]) -> bool:
    """Whether one of two edits would be lost in the other."""
    return any(each in taken or any(above in taken for above in tree.ancestors(each)) for each in wanted) or any(
        above in wanted for each in taken for above in tree.ancestors(each)
    )


def _merged(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(set(spans), key=lambda each: (each.first, each.last)):
        if result and result[-1].using == span.using and span.first <= result[-1].last:
            result[-1] = Span(result[-1].first, max(result[-1].last, span.last), span.using)
        elif not result or span.first >= result[-1].last:
            result.append(span)
    return result


def _is_covered(tree: Tree, block: Block, spans: list[Span], made: Steps) -> bool:
    """Whether the same switch is put around the whole block anyway."""
    usings = {span.using for span in spans}
    for above in (block, *tree.ancestors(block)):
        if isinstance(above, cst.FunctionDef):
            return usings <= set(made.decorate.get(above, ()))
        outside = tree.parent(above)
        if isinstance(outside, (cst.Module, cst.IndentedBlock)) and isinstance(above, cst.BaseStatement):
            index = next(i for i, each in enumerate(outside.body) if each is above)
            for span in made.wrap.get(outside, ()):
                if span.first <= index < span.last and usings <= {span.using}:
                    return True
    return False
