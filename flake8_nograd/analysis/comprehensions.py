"""Comprehensions and generator expressions: loops that are expressions, run now or later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from ..facts import Kind, Loop, Purpose
from ..grad import ANYTHING
from .aspects import Aspect
from .calls import Calls
from .context import Context
from .putting import put_all, takes_mode_of, went_through
from .reading import bound_by, elements_of
from .state import State
from .targets import Targets
from .value import Abstract, Definition, Lazy, holds_models, in_turn


@dataclass(slots=True)
class Comprehensions:
    """Walks comprehensions."""

    context: Context
    calls: Calls
    targets: Targets
    evaluate: Callable[[cst.BaseExpression], Abstract]
    call: Callable[[cst.Call], Abstract]
    """Evaluate a call whose result is thrown away."""

    def of(
        self,
        node: cst.ListComp | cst.SetComp | cst.GeneratorExp | cst.DictComp,
        *,
        lazy: bool,
        is_statement: bool = False,
    ) -> Abstract:
        """A comprehension, whose element is thrown away as the whole is."""
        context = self.context
        before = context.state.fork()
        loops = context.here.loops
        scopes = context.here.scopes
        mode = context.state.mode
        place = context.place()
        target: cst.CompFor | None = node.for_in
        first, draws = True, frozenset[Definition]()
        targets: set[str] = set()
        whole = ""
        all_of: dict[str, str] = {}
        while target is not None:
            iterated = self.evaluate(target.iter)
            picks = bool(target.ifs) or not first or target.inner_for_in is not None
            whole = "" if picks or iterated.kind is not Kind.PARAMETERS else iterated.source
            targets.update(bound_by(target.target))
            if lazy and first:
                context.state.mode = ANYTHING
            context.goes_on_with([iterated])
            draws |= iterated.draws
            first = False
            function = context.function()
            loop = Loop(
                node,
                None if function is None else function.row,
                loops[-1] if loops else None,
                iterated.fact(),
                context.here.statement,
                is_comprehension=True,
                binds=bound_by(target.target),
            )
            context.recorder.write(loop)
            context.here.loops = (*context.here.loops, loop)
            reached = in_turn(node, iterated, self.calls.containers.item(target.target, iterated))
            self.targets.assign(target.target, reached, comprehension=True)
            collection, each = ("", "") if holds_models(iterated) else elements_of(target)
            if collection:
                all_of[each] = "" if picks else collection
                context.state.settings[Aspect.TRAINING].pop(each, None)
                takes_mode_of(context, collection, each)
            for condition in target.ifs:
                context.use(self.evaluate(condition.test), condition.test, Purpose.VALUE, callee="if")
            target = target.inner_for_in
        if isinstance(node, cst.DictComp):
            self.evaluate(node.key)
            item = self.evaluate(node.value)
        elif is_statement and isinstance(node.elt, cst.Call):
            item = self.call(node.elt)
        else:
            item = self.evaluate(node.elt)
        if not lazy and not is_statement and item.forwards:
            context.use(item, node, Purpose.ACCUMULATED)
        context.here.loops = loops
        context.here.scopes = scopes
        put = {all_of[each]: context.state.settings[Aspect.TRAINING].get(each) for each in all_of}
        self._ran(node, before, targets, certain=bool(whole) and not lazy)
        for collection, setting in put.items():
            if collection and setting is not None and not lazy:
                put_all(context, collection, setting)
        if lazy:
            context.state.mode = mode
        kind = Kind.PARAMETERS if item.kind is Kind.PARAMETER else Kind.CONTAINER
        source = item.source if kind is Kind.CONTAINER or item.source == whole else ""
        runs = frozenset(each for each in item.forwards if lazy and _contains(node, each))
        made = Lazy(node, place, runs) if runs else None
        return Abstract(
            kind=kind,
            item=item,
            forwards=item.forwards,
            source=source,
            lazy=made,
            identity=frozenset({node}),
            draws=draws if lazy else frozenset(),
        )

    def _ran(self, node: cst.CSTNode, before: State, targets: set[str], *, certain: bool) -> None:
        """A comprehension is done, perhaps without a turn: its targets are gone, what it did to objects stays."""
        context = self.context
        after = context.state.fork()
        for name in targets:
            after.names.pop(name, None)
            after.settings[Aspect.TRAINING].pop(name, None)
            if name in before.names:
                after.names[name] = before.names[name]
            if name in before.settings[Aspect.TRAINING]:
                after.settings[Aspect.TRAINING][name] = before.settings[Aspect.TRAINING][name]
        frozen, turns = after.settings[Aspect.FROZEN], after.turns
        context.state.become(before.join(after))
        if certain:
            context.state.settings[Aspect.FROZEN], context.state.turns = frozen, turns
            went_through(context, node)


def _contains(node: cst.CSTNode, part: cst.CSTNode) -> bool:
    return node is part or any(_contains(each, part) for each in node.children)
