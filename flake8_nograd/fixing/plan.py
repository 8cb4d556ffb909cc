"""Which edits go together: neighbours become one, what is covered is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from ..edits import Decorate, Edit, Fix, Wrap
from .spelling import Spelling
from .tree import Block, RefusedError, Tree


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring statements of a block, from an index to an index that is not included."""

    first: int
    last: int
    using: str


@dataclass(slots=True)
class Plan:
    """All that is to be done to a module."""

    decorate: dict[cst.FunctionDef, list[str]] = field(default_factory=dict)
    wrap: dict[Block, list[Span]] = field(default_factory=dict)
    needs_import: bool = False
    applied: set[int] = field(default_factory=set)


def plan(tree: Tree, fixes: Sequence[Fix]) -> Plan:
    """Take the fixes that can be made; one that cannot is left out as a whole."""
    made = Plan()
    spelling = Spelling(tree)
    for number, fix in enumerate(fixes):
        try:
            steps = [_step(tree, spelling, each) for each in fix.edits]
        except RefusedError:
            continue
        for where, using, needs_import in steps:
            made.needs_import |= needs_import
            if isinstance(where, cst.FunctionDef):
                names = made.decorate.setdefault(where, [])
                if using not in names:
                    names.append(using)
            else:
                block, first, last = where
                made.wrap.setdefault(block, []).append(Span(first, last, using))
        made.applied.add(number)
    made.wrap = {
        block: merged
        for block, spans in made.wrap.items()
        if (merged := _merged(spans)) and not _is_covered(tree, block, merged, made)
    }
    return made


def _step(tree: Tree, spelling: Spelling, edit: Edit) -> tuple[cst.FunctionDef | tuple[Block, int, int], str, bool]:
    match edit:
        case Decorate(function=anchor, using=using):
            function = tree.node(anchor)
            if not isinstance(function, cst.FunctionDef):
                raise RefusedError("only a def has decorators")
            spelled = spelling.spell(using, function, is_decorator=True)
            return function, spelled.text, spelled.needs_import
        case Wrap(statements=statements, using=using):
            places = [tree.statement(each) for each in statements]
            block = places[0][0]
            if any(each is not block for each, _ in places):
                raise RefusedError("the statements are not in one block")
            indexes = sorted(index for _, index in places)
            if indexes[-1] - indexes[0] != len(set(indexes)) - 1:
                raise RefusedError("the statements are no neighbours")
            spelled = spelling.spell(using, tree.node(statements[0]))
            return (block, indexes[0], indexes[-1] + 1), spelled.text, spelled.needs_import


def _merged(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for span in sorted(set(spans), key=lambda each: (each.first, each.last)):
        if result and result[-1].using == span.using and span.first <= result[-1].last:
            result[-1] = Span(result[-1].first, max(result[-1].last, span.last), span.using)
        else:
            result.append(span)
    return result


def _is_covered(tree: Tree, block: Block, spans: list[Span], made: Plan) -> bool:
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
