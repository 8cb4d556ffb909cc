"""Loops: walked until nothing new is learned, then once for the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import ge, gt, le, lt

import libcst as cst

from ..facts import Kind, Loop, Purpose, Yield
from ..grad import ANYTHING, KEEP
from .aspects import Aspect
from .binding import Bindings
from .context import Context
from .expressions import Expressions
from .function_knowledge import FunctionKnowledge
from .putting import put_all, reached, takes_mode_of, went_through
from .reading import bound_by, breaks, elements_of, path_of, rebinds
from .state import State
from .unwinding import PerhapsBack, Unwinding
from .value import COLLECTIONS_OF_DATA, UNKNOWN, Abstract, holds_models, in_turn, replace

COMPARISONS: dict[type[cst.BaseCompOp], Callable[[int, int], bool]] = {
    cst.LessThan: lt,
    cst.LessThanEqual: le,
    cst.GreaterThan: gt,
    cst.GreaterThanEqual: ge,
}


@dataclass(slots=True)
class Loops:
    """Walks loops."""

    context: Context
    expressions: Expressions
    bindings: Bindings
    unwinding: Unwinding
    run: Callable[[cst.CSTNode], None]
    """Walk a piece of code."""
    thorough: bool
    """Whether to settle what names hold."""
    breaks: list[list[State]] = field(default_factory=list)
    """Of each loop around: what is known where a turn is left."""
    broken: list[list[State]] = field(default_factory=list)
    """Those of them where the loop is left with it, and its ``else`` with the loop."""

    def go_through(self, node: cst.For) -> None:
        """``for``: walked until nothing new is learned, then once for the record."""
        context = self.context
        iterated = self.expressions.of(node.iter)
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        generators = self._generators(node.iter)
        before, left = context.state.mode, len(self.unwinding.exits)
        switching = [each for each in generators if each.yields != KEEP == each.own or each.leaves_inference()]
        exhausted = None
        if not switching:
            context.goes_on_with([iterated])
        else:
            # It yields in another mode than it is called in; what it brings back where the loop is left, who knows.
            context.state.mode = before.then(ANYTHING)
            only = switching[0]
            unsure = only.stirred or only.own != KEEP or node.orelse is not None or breaks(node.body)
            if len(generators) == 1 and only.yields and not unsure:
                context.state.mode, exhausted = before.then(only.yields), before.then(only.leaves)
                self.unwinding.exits.append(PerhapsBack(ANYTHING, unless_raised=False))
        loop = self._loop(node, iterated)
        context.recorder.write(loop)

        passed = context.here.passed
        collection, element = ("", "") if holds_models(iterated) else elements_of(node)

        def turn() -> None:
            context.here.passed = passed
            value = self.expressions.calls.containers.item(node.target, iterated)
            grown = self._grown(node.iter, iterated)
            if grown.kind in {Kind.CONTAINER, Kind.PARAMETERS} and grown.item not in (None, iterated.item):
                # What the body has appended is reached as well.
                value |= self.expressions.calls.containers.item(node.target, grown)
            self.expressions.targets.assign(node.target, reached(context, in_turn(node, iterated, value)))
            if collection:
                takes_mode_of(context, collection, element)
            mode = context.state.mode
            self.run(node.body)
            ends = [each for each in (context.state, *self.breaks[-1]) if each.reached]
            for each in generators:
                learning = context.learned.functions[each.node]
                learning.stirred |= any(end.mode != mode for end in ends)

        outside = context.here.generators
        context.here.generators = (*outside, *(each.node for each in generators))
        ended = self._loop_body(
            loop,
            turn,
            node.orelse,
            certain=node if iterated.kind is Kind.PARAMETERS else None,
            runs=self._has_a_turn(node, iterated),
        )
        context.here.generators = outside
        del self.unwinding.exits[left:]
        if exhausted is not None:
            context.state.mode = exhausted
        if collection and element in ended.settings[Aspect.TRAINING]:
            perhaps = breaks(node.body) or rebinds(node.body, element)
            put_all(context, collection, ended.settings[Aspect.TRAINING][element], perhaps=perhaps)

    def _grown(self, node: cst.BaseExpression, iterated: Abstract) -> Abstract:
        """What a loop goes through as its body has left it."""
        match node:
            case cst.Call(func=cst.Name(value="zip" | "enumerate" | "reversed"), args=args) if all(
                isinstance(each.value, cst.Name | cst.Attribute | cst.List | cst.Tuple) for each in args
            ):
                return self.bindings.before(node)
        return self.context.state.names.get(path_of(node), iterated)

    def repeat(self, node: cst.While) -> None:
        """``while``."""
        loop = self._loop(node, UNKNOWN)
        self.context.recorder.write(loop)
        endless = isinstance(node.test, cst.Name) and node.test.value == "True"

        passed = self.context.here.passed

        def turn() -> None:
            self.context.here.passed = passed
            self.context.use(self.expressions.of(node.test), node.test, Purpose.VALUE, callee="while")
            self.run(node.body)

        self._loop_body(loop, turn, node.orelse, endless=endless, runs=self._holds(node.test))

    def break_off(self) -> None:
        """``break``: the state goes on after the loop, which has not reached all there is."""
        turns, loops = self.context.state.turns, self.context.here.loops
        self.context.state.turns = {path: done for path, done in turns.items() if done[0] is not loops[-1].anchor}
        self.leave_turn()
        if self.breaks:
            self.broken[-1].append(self.breaks[-1][-1])

    def leave_turn(self) -> None:
        """``continue``: the state meets the next turn of the loop."""
        if self.breaks:
            self.breaks[-1].append(self.unwinding.leaving(self.unwinding.loops[-1]))
        self.context.state.reached = False

    def _loop(self, node: cst.For | cst.While, iterated: Abstract) -> Loop:
        context = self.context
        function = context.function()
        loops = context.here.loops
        if iterated.kind in COLLECTIONS_OF_DATA | {Kind.PLAIN, Kind.PARAMETERS} and iterated.source:
            iterated = replace(iterated, label=iterated.source)
        return Loop(
            node,
            None if function is None else function.row,
            loops[-1] if loops else None,
            iterated.fact(),
            node,
            binds=() if isinstance(node, cst.While) else bound_by(node.target),
            has_else=node.orelse is not None,
        )

    def _loop_body(
        self,
        loop: Loop,
        turn: Callable[[], None],
        orelse: cst.Else | None,
        *,
        endless: bool = False,
        certain: cst.For | None = None,
        runs: bool = False,
    ) -> State:
        """Walk it; gives what is known at the end of each turn."""
        context = self.context
        loops = context.here.loops
        context.here.loops = (*loops, loop)
        by_chance = context.here.by_chance
        context.here.by_chance = by_chance or not runs
        self.unwinding.loops.append(len(self.unwinding.exits))
        self.broken.append([])
        head = after = context.state.fork()
        left: list[State] = []
        settled = False
        context.recorder.quiet += 1
        for _ in range(3):
            after, left = self._one(turn, head)
            met = head.join(after)
            settled = met.same(head) if self.thorough else met.steady(head)
            head = met
            if settled:
                break
        context.recorder.quiet -= 1
        if self.thorough and not (settled and context.recorder.quiet):
            # Where nothing is written down, a settled turn has shown all: loops in loops would double it each time.
            after, left = self._one(turn, head)
        context.here.loops, context.here.by_chance = loops, by_chance
        self.unwinding.loops.pop()
        frozen, turns = after.settings[Aspect.FROZEN], after.turns
        context.state.become(after if (endless and left) or runs else head.join(after))
        if certain is not None:
            # A model has parameters.
            context.state.settings[Aspect.FROZEN], context.state.turns = dict(frozen), dict(turns)
            went_through(context, certain)
        context.state.reached = True
        broken = self.broken.pop()
        if orelse is not None:
            self.run(orelse.body)
            for each in broken:
                context.state.become(context.state.join(each.fork()))
        return after

    def _one(self, turn: Callable[[], None], head: State) -> tuple[State, list[State]]:
        """Walk one turn: what is known at its end, however it is left, and where it is left before."""
        self.context.state.become(head.fork())
        self.breaks.append([])
        turn()
        after, left = self.context.state.fork(), self.breaks.pop()
        for each in left:
            after = after.join(each)
        return after, left

    def _has_a_turn(self, node: cst.For, iterated: Abstract) -> bool:
        """Whether the body of a loop runs once at least."""
        match node.iter:
            case cst.Call(func=cst.Name(value="range"), args=[cst.Arg(value=count)]):
                number = self.bindings.before(count).constant
                return isinstance(number, int) and number > 0
        return bool(iterated.elements)

    def _holds(self, test: cst.BaseExpression) -> bool:
        """Whether a comparison of two numbers surely holds here."""
        match test:
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
                holds = COMPARISONS.get(type(operator))
                one, other = self.bindings.before(left).constant, self.bindings.before(right).constant
                return holds is not None and isinstance(one, int) and isinstance(other, int) and holds(one, other)
        return False

    def _generators(self, node: cst.BaseExpression) -> list[FunctionKnowledge]:
        """The generators of this file that a loop goes through."""
        if not isinstance(node, cst.Call):
            return []
        functions = self.context.known.functions
        called = [each for each in self.bindings.before(node.func).definitions if not isinstance(each, cst.ClassDef)]
        return [functions[each] for each in called if each in functions and functions[each].yields is not None]
