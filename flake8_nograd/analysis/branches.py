"""Code that runs or does not: ``if``, ``match`` and ``try``, and what is known on each way and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from .. import torch_classes
from ..facts import Kind, Leaf, Purpose
from ..grad import Answer
from . import lookup
from .aspects import Aspect, is_part
from .binding import Bindings
from .conditions import asked as asked_of_parameters
from .conditions import outcome, suffices
from .context import Context
from .expressions import Expressions
from .reading import path_of, places_in
from .state import State
from .switches import Switches
from .unwinding import Unwinding
from .value import NONE, UNKNOWN, Abstract, replace

Flagged = dict[str, tuple[Abstract, Abstract]]
"""By name: what it held before a condition, and what it holds where that says whether gradients are required."""


@dataclass(slots=True)
class Branches:
    """Walks each way, and joins what is known after them."""

    context: Context
    expressions: Expressions
    bindings: Bindings
    switches: Switches
    unwinding: Unwinding
    run: Callable[[cst.CSTNode], None]
    """Walk a piece of code."""

    def condition(self, node: cst.If) -> None:
        """``if``, ``elif``, ``else``."""
        context = self.context
        test = self.expressions.of(node.test)
        idle = context.here.idle
        context.here.idle = (*idle, *self.switches.condition(node.test, test))
        context.use(test, node.test, Purpose.VALUE, callee="if")
        before = context.state.fork()
        tests = context.here.tests
        asked = tuple(path for path, _ in places_in(node.test))
        context.here.tests = (*tests, *asked)
        branches = context.here.branches
        context.here.branches = (*branches, (node.test, True))
        requires = context.here.requires
        where_true, where_false = asked_of_parameters(context, node.test)
        by_chance = context.here.by_chance
        unless_true, unless_false = (not suffices(context, node.test, holds=holds) for holds in (True, False))
        context.here.requires, context.here.by_chance = (*requires, *where_true), by_chance or unless_true
        self._narrowed(node.test)
        where_asked = self._flagged(node.test, holds=True)
        known = outcome(context, node.test)
        if known is not Answer.NO and (test.constant is not False or not isinstance(node.test, cst.Name)):
            self.run(node.body)
        else:
            context.state.reached = False
        context.here.idle = idle
        after = context.state.fork()
        left = not after.reached and not _raises(node.body)
        by_chance_below = by_chance or (left and unless_false)
        context.state.become(before)
        unless_asked = self._flagged(node.test, holds=False)
        context.here.branches = (*branches, (node.test, False))
        context.here.requires, context.here.by_chance = (*requires, *where_false), by_chance or unless_false
        if known is Answer.YES:
            context.state.reached = False
        elif node.orelse is not None:
            if isinstance(node.orelse, cst.If):
                self.run(node.orelse)
            else:
                self.run(node.orelse.body)
                left_there = not context.state.reached and not _raises(node.orelse.body)
                left |= left_there
                by_chance_below |= left_there and unless_true
        elif test.constant is True and isinstance(node.test, cst.Name):
            context.state.reached = False
        context.here.tests, context.here.branches = tests, branches
        if left:
            context.here.passed = tuple(dict.fromkeys((*context.here.passed, *asked)))
        context.here.by_chance = by_chance_below
        # Only one of them goes on below.
        context.here.requires = (
            *requires,
            *(where_false if not after.reached else ()),
            *(where_true if not context.state.reached else ()),
        )
        either = after.reached and context.state.reached
        held = _as_before(after, where_asked, context.state, unless_asked) if either else {}
        context.state.become(context.state.join(after))
        context.state.names.update(held)
        if node.orelse is None:
            self._switched_either_way(node.test, after)

    def _switched_either_way(self, test: cst.BaseExpression, after: State) -> None:
        """``if model.training: model.eval()``: it is in evaluation mode below, whatever it was in.

        ``if model is not None: model.eval()``: whoever runs it has come that way.
        """
        if isinstance(test, cst.Attribute) and test.attr.value == "training":
            setting = after.settings[Aspect.TRAINING].get(path := path_of(test.value))
            if setting is not None and setting.answer is Answer.NO:
                self.context.state.settings[Aspect.TRAINING][path] = setting
        asked = _asked_to_be_there(test)
        for aspect, table in after.settings.items() if asked and after.reached else ():
            there = {path: setting for path, setting in table.items() if path == asked or is_part(path, asked)}
            self.context.state.settings[aspect].update(there)

    def _flagged(self, test: cst.BaseExpression, *, holds: bool) -> Flagged:
        """``if p.requires_grad:`` of a parameter; gives what its name held before, and holds now."""
        names, found = self.context.state.names, {}
        for name, answer in _flags(test, holds):
            value = names.get(name, UNKNOWN)
            if value.kind is Kind.PARAMETER and value.leaf is not None:
                leaf = Leaf.ASKED if answer is Answer.YES else value.leaf
                names[name] = replace(value, requires_grad=answer, leaf=leaf)
                found[name] = value, names[name]
        return found

    def _narrowed(self, test: cst.BaseExpression) -> None:
        """``isinstance(m, nn.Linear)``, ``type(m) == nn.Linear``: where the test holds, ``m`` is a module.

        Of ``torch.Tensor``, it is none.
        """
        names = self.context.state.names
        for name in self._held_where(test, torch_classes.is_model_class):
            value = names.get(name, lookup.held_by_object(self.context, name) if "." in name else NONE)
            if value.kind in {Kind.UNKNOWN, Kind.DATA} and not value.is_none and not value.definitions:
                module = replace(value, kind=Kind.MODEL, label=name, requires_grad=Answer.UNKNOWN)
                self.context.state.hold(name, module, value)
        for name in self._held_where(test, torch_classes.TENSOR_CLASSES.__contains__):
            if name in names and lookup.variable(self.context, name).kind is Kind.MODEL:
                names[name] = replace(names[name], kind=Kind.TENSOR, requires_grad=Answer.UNKNOWN)

    def _held_where(self, test: cst.BaseExpression, is_of: Callable[[str], bool]) -> frozenset[str]:
        """The names that hold an object of certain classes where a test holds."""
        match test:
            case cst.BooleanOperation(left=left, operator=cst.And(), right=right):
                return self._held_where(left, is_of) | self._held_where(right, is_of)
            case cst.BooleanOperation(left=left, right=right):
                return self._held_where(left, is_of) & self._held_where(right, is_of)
            case (
                cst.Call(
                    func=cst.Name(value="isinstance"),
                    args=[cst.Arg(value=cst.Name() | cst.Attribute() as held), cst.Arg(value=classes)],
                )
                | cst.Comparison(
                    left=cst.Call(
                        func=cst.Name(value="type"), args=[cst.Arg(value=cst.Name() | cst.Attribute() as held)]
                    ),
                    comparisons=[
                        cst.ComparisonTarget(operator=cst.Equal() | cst.Is() | cst.In(), comparator=classes),
                    ],
                )
            ):
                several = (
                    [each.value for each in classes.elements]
                    if isinstance(classes, cst.Tuple | cst.List | cst.Set)
                    else [classes]
                )
                if several and all(is_of(self.bindings.before(each).api) for each in several):
                    return frozenset({path_of(held)} - {""})
        return frozenset()

    def match(self, node: cst.Match) -> None:
        """``match``: any case, or none."""
        context = self.context
        context.use(self.expressions.of(node.subject), node, Purpose.VALUE, callee="match")
        before = context.state.fork()
        after = before.fork()
        exhaustive = False
        for case in node.cases:
            context.state.become(before.fork())
            for name in _captured(case.pattern):
                self.expressions.targets.bind(name, UNKNOWN)
            if case.guard is not None:
                self.expressions.of(case.guard)
            elif isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None:
                exhaustive = True
            self._perhaps(case.body)
            if case is node.cases[0]:
                after = context.state.fork()
            else:
                after = after.join(context.state.fork())
        context.state.become(after if exhaustive else after.join(before))

    def attempt(
        self,
        body: cst.BaseSuite,
        handlers: Sequence[cst.ExceptHandler | cst.ExceptStarHandler],
        orelse: cst.Else | None,
        final: cst.Finally | None,
    ) -> None:
        """``try``: an exception may come before any statement of its body."""
        context = self.context
        if final is not None:
            self.unwinding.exits.append(final)
        self.unwinding.tries.append((len(self.unwinding.exits), context.state.fork()))
        caught = context.here.caught
        types = [each.type for each in handlers if each.type is not None]
        context.here.caught = (*caught, *(path for each in types for path, _ in places_in(each)))
        self.run(body)
        context.here.caught = caught
        _, raised = self.unwinding.tries.pop()
        if not handlers:
            # It goes on to the ``try`` around.
            ended, context.state = context.state, raised.fork()
            self.unwinding.may_raise()
            context.state = ended
        if orelse is not None:
            self.run(orelse.body)
        after = context.state.fork()
        for handler in handlers:
            context.state.become(raised.fork())
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                self.expressions.targets.bind(handler.name.name.value, UNKNOWN)
            tests = context.here.tests
            if handler.type is not None:
                context.here.tests = (*tests, *(path for path, _ in places_in(handler.type)))
            self._perhaps(handler.body)
            context.here.tests = tests
            after = after.join(context.state.fork())
        context.state.become(after)
        if final is not None:
            self.unwinding.exits.pop()
            self._finally(final, after, raised)

    def _perhaps(self, body: cst.BaseSuite) -> None:
        """Walk what runs or does not, of which no condition tells."""
        here = self.context.here
        by_chance, here.by_chance = here.by_chance, True
        self.run(body)
        here.by_chance = by_chance

    def _finally(self, final: cst.Finally, after: State, raised: State) -> None:
        """Its body runs whatever happened; what follows it, only when nothing was raised."""
        context = self.context
        context.state.become(after.join(raised.fork()) if after.reached else raised.fork())
        self.run(final.body)
        if not after.reached:
            context.state.reached = False
            return
        context.state.become(after)
        context.recorder.quiet += 1
        self.run(final.body)
        context.recorder.quiet -= 1


def _flags(test: cst.BaseExpression, holds: bool) -> Iterator[tuple[str, Answer]]:
    """Which names surely require gradients, or surely do not, where a test holds, or does not."""
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            yield from _flags(inner, not holds)
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            if isinstance(operator, cst.And) is holds:
                yield from _flags(left, holds)
                yield from _flags(right, holds)
        case cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="requires_grad")):
            yield name, Answer.YES if holds else Answer.NO


def _as_before(one: State, where: Flagged, other: State, unless: Flagged) -> dict[str, Abstract]:
    """What names hold again below that were only asked for their flag, on both ways."""
    return {
        name: before
        for name, (before, _) in {**where, **unless}.items()
        if one.names.get(name) is where.get(name, (before, before))[1]
        and other.names.get(name) is unless.get(name, (before, before))[1]
    }


def _asked_to_be_there(test: cst.BaseExpression) -> str:
    """The access path of what a test asks to be something: ``if model is not None:``, ``if self.teacher:``."""
    match test:
        case cst.Comparison(
            left=asked,
            comparisons=[
                cst.ComparisonTarget(operator=cst.IsNot() | cst.NotEqual(), comparator=cst.Name(value="None"))
            ],
        ):
            return path_of(asked)
        case cst.Name() | cst.Attribute():
            return path_of(test)
    return ""


def _raises(body: cst.BaseSuite) -> bool:
    """Whether a block ends with ``raise``, on its own level."""
    last = body.body[-1] if body.body else None
    small = last.body[-1] if isinstance(last, cst.SimpleStatementLine) else last
    return isinstance(small, cst.Raise)


def _captured(pattern: cst.MatchPattern) -> list[str]:
    """The names that a pattern binds."""
    found: list[str] = []

    class Captures(cst.CSTVisitor):
        def visit_MatchAs(self, node: cst.MatchAs) -> None:
            if node.name is not None:
                found.append(node.name.value)

        def visit_MatchStar(self, node: cst.MatchStar) -> None:
            if node.name is not None:
                found.append(node.name.value)

    pattern.visit(Captures())
    return found
