"""The LibCST visitor: statements, in the order Python runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import libcst as cst

from .. import naming, torch_api
from ..facts import Assignment, Discarded, Form, Joined, Kind, Leaf, Loop, Manner, Purpose, Switch, Value, Yield
from ..grad import ANYTHING, INFERENCE, KEEP, NO_GRAD, UNREACHED, Answer, GradMode, Shift
from .collected import Arguments, filled
from .context import Context
from .entering import enter, framework_mode, parameters_of, role_of
from .expressions import Expressions, path_of
from .knowledge import ClassKnowledge, Def, FunctionKnowledge
from .reading import bound_by, compared, is_read_after, joined, operation_on, place_of, places_in
from .recorder import Surroundings
from .state import State
from .switching import changed, switch_of
from .value import COLLECTIONS_OF_DATA, NONE, PLAIN, UNKNOWN, Abstract, Leaving, replace, written

Block = cst.BaseSuite | cst.Module


@dataclass(slots=True)
class Deferred:
    """A function body that is walked when its surroundings are done."""

    node: Def
    scopes: tuple[cst.FunctionDef | cst.Lambda | cst.ClassDef | None, ...]
    owner: cst.ClassDef | None


class Walk(cst.CSTVisitor):
    """Walks statements in evaluation order and descends by itself.

    Each ``visit_`` handles what matters in its node and returns False, so that
    LibCST does not enter whitespace and punctuation.
    """

    def __init__(self, context: Context, *, thorough: bool) -> None:
        """Start at the top of a module; only the last walk settles what names hold in loops."""
        super().__init__()
        self.thorough = thorough
        self.context = context
        self.expressions = Expressions(context, self._define_lambda)
        self.deferred: list[Deferred] = []
        self.breaks: list[list[State]] = []
        self.exits: list[Shift | cst.Finally] = []
        """What happens to grad mode on the way out: a mode that a ``with`` brings back, or a ``finally``."""
        self.loop_exits = [0]
        """How many of them stand around the body of each loop."""
        self.tries: list[tuple[int, Shift]] = []
        """Of each ``try``: how many stand around it, and the modes in which its body may raise."""

    # --- module, blocks -----------------------------------------------------

    def visit_Module(self, node: cst.Module) -> bool:
        """Module level first, then the functions, outer before inner."""
        context = self.context
        self.block(node)
        context.learned.training = dict(context.state.training)
        context.learned.frozen = dict(context.state.frozen)
        while self.deferred:
            self._function_body(self.deferred.pop(0))
        return False

    def block(self, node: Block) -> None:
        """The statements of a block."""
        here = self.context.here
        outside, statement, idle = here.block, here.statement, here.idle
        here.block = node
        for each in node.body:
            if not self.context.state.reached:
                # Dead code still has functions and imports that the rest refers to.
                self.context.state.reached = True
            here.statement = each
            each.visit(self)
            if self.tries:
                depth, modes = self.tries[-1]
                self.tries[-1] = depth, modes | self._unwound(depth)
        here.block, here.statement, here.idle = outside, statement, idle

    def visit_IndentedBlock(self, node: cst.IndentedBlock) -> bool:
        """A block."""
        self.block(node)
        return False

    def visit_SimpleStatementSuite(self, node: cst.SimpleStatementSuite) -> bool:
        """``if x: y``."""
        self.block(node)
        return False

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        """One line, perhaps of several small statements."""
        for each in node.body:
            each.visit(self)
        return False

    # --- small statements -----------------------------------------------------

    def visit_Expr(self, node: cst.Expr) -> bool:
        """An expression statement."""
        if isinstance(node.value, cst.Call):
            value = self.expressions.call(node.value, is_statement=True)
        else:
            value = self.expressions.of(node.value)
            self._discarded(node)
        self._switch_statement(node, value)
        return False

    def _discarded(self, node: cst.Expr) -> None:
        """The row of an attribute or a comparison that stands alone."""
        context = self.context
        operator, parts = compared(node.value)
        first = parts[0]
        if context.recorder.quiet or not isinstance(first, cst.Attribute):
            return
        value = replace(self._before(first), label=place_of(first))
        holder = self._before(first.value).fact()
        context.recorder.write(Discarded(node, context.place(), value.fact(), operator, parts, holder))

    def _switch_statement(self, node: cst.Expr, value: Abstract) -> None:
        context = self.context
        called = isinstance(node.value, cst.Call)
        if value.kind is Kind.API and value.api in torch_api.SWITCHES:
            value = switch_of(value.api, _NO_ARGUMENTS)
        if value.kind is not Kind.SWITCH or value.api not in torch_api.SWITCHES or value.shift is None:
            return
        before = context.mode()
        func = node.value.func if isinstance(node.value, cst.Call) else node.value
        if not isinstance(func, cst.Name | cst.Attribute) or (
            isinstance(func, cst.Attribute)
            and func.attr.value
            in {
                "enter_context",
                "__enter__",
                "__exit__",
            }
        ):
            return
        effective = called and value.api == "torch.set_grad_enabled"
        if effective:
            context.state.mode = changed(context.state.mode, value.shift)
        function = context.function()
        switch = Switch(
            node,
            node,
            value.api,
            Form.STATEMENT,
            called,
            before,
            context.mode(),
            None if function is None else function.row,
            context.place(),
            value.shift.enables,
            self._switch_arguments(node.value),
            rest=_rest(context.here),
            conditions=_conditions(context.here),
        )
        context.recorder.write(switch)
        if not effective:
            context.here.idle = (*context.here.idle, switch)

    def _switch_arguments(self, node: cst.BaseExpression) -> tuple[Value, ...] | None:
        """What torch's own class is called with, if that is what stands here."""
        if not isinstance(node, cst.Call) or self._before(node.func).kind is not Kind.API:
            return None
        return tuple(
            Value(Kind.PLAIN, literal="int") if isinstance(each.value, cst.Integer) else self._before(each.value).fact()
            for each in node.args
        )

    def visit_Assign(self, node: cst.Assign) -> bool:
        """``a = b = value``."""
        if len(node.targets) == 1 and self._pairwise(node):
            return False
        value = self.expressions.of(node.value)
        value = self._stored_switch(node.value, value)
        for each in node.targets:
            self._assign(node, each.target, value, node.value)
        return False

    def _pairwise(self, node: cst.Assign) -> bool:
        """``a, b = x, y``: evaluated right to left of the sign, then bound one by one."""
        target, value = node.targets[0].target, node.value
        if not (
            isinstance(target, cst.Tuple)
            and isinstance(value, cst.Tuple)
            and len(target.elements) == len(value.elements)
            and not any(isinstance(each, cst.StarredElement) for each in (*target.elements, *value.elements))
        ):
            return False
        values = [self.expressions.of(each.value) for each in value.elements]
        for element, each, source in zip(target.elements, values, value.elements, strict=True):
            self._assign(node, element.value, each, source.value)
        return True

    def _stored_switch(self, node: cst.BaseExpression, value: Abstract) -> Abstract:
        if value.kind is Kind.SWITCH and value.api == "torch.set_grad_enabled" and isinstance(node, cst.Call):
            # It takes effect when it is made: truth test test_set_grad_enabled_acts_at_once.
            if value.shift is not None and path_of(node.func).endswith("set_grad_enabled"):
                self.context.state.mode = changed(self.context.state.mode, value.shift)
                return replace(value, leaving=Leaving.LONG_AGO)
        return value

    def _assign(
        self, node: cst.BaseSmallStatement, target: cst.BaseExpression, value: Abstract, source: cst.BaseExpression
    ) -> None:
        context = self.context
        before = UNKNOWN
        if isinstance(target, cst.Name):
            before = context.state.names.get(target.value) or context.lookup(target.value)
        elif isinstance(target, cst.Attribute):
            if self._flag(node, target, value, source):
                return
            before = self.expressions.of(target)
        elif isinstance(target, cst.Subscript):
            self._bound(node, target, self._before(target), value, source)
            self._store_item(target, value)
            return
        elif isinstance(target, cst.Tuple | cst.List):
            self._unpacked(node, target, value, source)
        if isinstance(target, cst.Name | cst.Attribute):
            self._bound(node, target, before, value, source)
        if isinstance(target, cst.Name):
            self._rebound(node, target.value, value)
        self.expressions.assign_target(target, self._kept(value))

    def _rebound(self, node: cst.CSTNode, name: str, value: Abstract) -> None:
        """A name of another scope is bound: its value outlives the function."""
        context = self.context
        if name in context.here.elsewhere:
            context.use(value, node, Purpose.STORED, into=name)
            context.rebinds(context.here.elsewhere[name], name, value)

    def _unpacked(
        self, node: cst.BaseSmallStatement, target: cst.Tuple | cst.List, value: Abstract, source: cst.BaseExpression
    ) -> None:
        if self.context.recorder.quiet:
            return
        parts = self.expressions.unpacked(target, value, len(target.elements))
        for element, part in zip(target.elements, parts, strict=True):
            if isinstance(element.value, cst.Name | cst.Attribute | cst.Subscript):
                self._bound(node, element.value, self._before(element.value), part, source)

    def _before(self, target: cst.BaseExpression) -> Abstract:
        """What a target holds, without a row for reading it."""
        self.context.recorder.quiet += 1
        before = self.expressions.of(target)
        self.context.recorder.quiet -= 1
        return before

    def _bound(
        self,
        node: cst.BaseSmallStatement,
        target: cst.BaseExpression,
        before: Abstract,
        value: Abstract,
        source: cst.BaseExpression,
        holder: Abstract | None = None,
    ) -> None:
        """The row of a binding."""
        context = self.context
        if context.recorder.quiet:
            return
        if holder is None and isinstance(target, cst.Attribute):
            holder = self._before(target.value)
        path = place_of(target)
        if not path:
            if holder is None or not isinstance(target, cst.Attribute):
                return
            path = f"{holder.label}.{target.attr.value}"
        operator, operand = operation_on(path, source)
        loop = next((each for each in reversed(context.here.loops) if path in each.binds), None)
        context.recorder.write(
            Assignment(
                node,
                context.place(),
                replace(before, label=path).fact(),
                replace(value, label=path).fact(),
                source,
                self._reads(source),
                operator,
                operand,
                isinstance(node, cst.AnnAssign)
                or (isinstance(node, cst.Assign) and len(node.targets) == 1 and node.targets[0].target is target),
                None if holder is None else holder.fact(),
                target,
                not (isinstance(loop, Loop) and isinstance(loop.anchor, cst.For))
                or is_read_after(loop.anchor, node, path),
            )
        )

    def _kept(self, value: Abstract) -> Abstract:
        return value if value.label == "" or value.kind in {Kind.MODEL, Kind.API} else replace(value, label="")

    def _reads(self, source: cst.BaseExpression) -> tuple[Value, ...]:
        context = self.context
        if context.recorder.quiet:
            return ()
        context.recorder.quiet += 1
        found = []
        for path, each in places_in(source):
            found.append(replace(self.expressions.of(each), label=path).fact())
        context.recorder.quiet -= 1
        return tuple(found)

    def _flag(
        self, node: cst.BaseSmallStatement, target: cst.Attribute, value: Abstract, source: cst.BaseExpression
    ) -> bool:
        """``x.requires_grad = ...``, ``x.data = ...``, ``x.grad = ...``: changes of a tensor."""
        context = self.context
        name = target.attr.value
        if name not in {"requires_grad", "data", "grad", "training"}:
            return False
        base = self.expressions.of(target.value)
        if name == "requires_grad":
            asked = Answer.UNKNOWN
            if isinstance(value.constant, bool):
                asked = Answer.YES if value.constant else Answer.NO
            self._bound(node, target, base, replace(value, requires_grad=asked), source, base)
            if base.label == "self" or base.kind is Kind.MODEL:
                # On a module this sets a plain attribute: truth test test_module_requires_grad.
                context.use(value, target, Purpose.STORED)
                return True
            self.expressions.calls.gradients.set_requires_grad(target, base, asked)
            return True
        if name == "data" and base.kind in {Kind.TENSOR, Kind.PARAMETER}:
            self.expressions.calls.tensors.write(target, base, Manner.DATA, ".data =", [value])
            return True
        return False

    def _store_item(self, target: cst.Subscript, value: Abstract) -> None:
        context = self.context
        base = self.expressions.of(target.value)
        for element in target.slice:
            if isinstance(element.slice, cst.Index):
                self.expressions.of(element.slice.value)
        context.escapes(value)
        if base.kind in {Kind.CONTAINER, Kind.STATE, Kind.PLAIN}:
            self.expressions.calls.containers.put_into(target, base, [value])
            return
        if base.kind in {Kind.TENSOR, Kind.PARAMETER, Kind.DATA}:
            manner = Manner.DATA if base.label.endswith(".data") else Manner.ITEM
            self.expressions.calls.tensors.write(target, base, manner, "[...] =", [value], view=True)
        self.expressions.calls.containers.put_into(target, base, [value])

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        """``a: T = value``."""
        if node.value is not None:
            self._assign(node, node.target, self.expressions.of(node.value), node.value)
        return False

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        """``a += value``: in place for tensors."""
        context = self.context
        value = self.expressions.of(node.value)
        operator = type(node.operator).__name__
        operation = AUGMENTED.get(operator, operator)
        if isinstance(node.target, cst.Subscript):
            base = self.expressions.of(node.target.value)
            if base.kind in {Kind.TENSOR, Kind.PARAMETER}:
                manner = Manner.DATA if base.label.endswith(".data") else Manner.ITEM
                self.expressions.calls.tensors.write(node, base, manner, operation, [value], view=True)
            else:
                item = replace(self._before(node.target), label=place_of(node.target))
                item = _leaf_by_gradient(item, node.value)
                if item.leaf is not None:
                    self.expressions.calls.tensors.write(node, item, Manner.AUGMENTED, operation, [value])
            context.use(value, node, Purpose.ACCUMULATED, into=base.label, added=node.value)
            return False
        target = self.expressions.of(node.target)
        path = path_of(node.target)
        if path:
            target = _leaf_by_gradient(replace(target, label=path), node.value)
        if target.kind in {Kind.TENSOR, Kind.PARAMETER} or target.is_inference is Answer.YES:
            data = isinstance(node.target, cst.Attribute) and node.target.attr.value == "data"
            manner = Manner.DATA if data else Manner.AUGMENTED
            self.expressions.calls.tensors.write(node, target, manner, operation, [value])
        context.use(value, node, Purpose.ACCUMULATED, into=path, added=node.value)
        if not path:
            return False
        result = context.marked(self._augmented(node, target, value))
        if path in context.state.names or isinstance(node.target, cst.Name):
            context.state.names[path] = result
            if isinstance(node.target, cst.Name):
                scope = context.here.elsewhere.get(path, context.here.scopes[0])
                context.learned.bind(scope, path, replace(result, identity=frozenset()))
                self._rebound(node, path, result)
        return False

    def _augmented(self, node: cst.AugAssign, target: Abstract, value: Abstract) -> Abstract:
        known = self.context.state.names.get(target.label, target)
        if target.kind is Kind.CONTAINER:
            return filled(known, [self.expressions.calls.containers.item(node, value)])
        sources = [] if value.kind is Kind.PLAIN else [value]
        in_place = written(known, sources, self.context.mode())
        if target.kind in {Kind.TENSOR, Kind.PARAMETER}:
            # In place: the object stays, its graph grows.
            return replace(in_place, forwards=known.forwards | value.forwards)
        result = self.expressions.operate(node, [target, value])
        if target.kind is Kind.UNKNOWN:
            # A number gets a new value, a tensor keeps what it is.
            either = in_place.requires_grad | result.requires_grad
            return replace(result, requires_grad=either, is_leaf=in_place.is_leaf | result.is_leaf)
        return result

    def visit_Return(self, node: cst.Return) -> bool:
        """``return value``."""
        context = self.context
        value = self._returned(node, context.marked(self.expressions.of(node.value)))
        learning = context.learning()
        if learning is not None and value.kind is Kind.FUNCTION and value.shift is not None and not value.definitions:
            learning.wraps = value.shift
        if learning is not None and not learning.is_generator:
            learning.returns = value if learning.returns is None else learning.returns | value
            self._leave(learning)
        context.state.reached = False
        return False

    def _returned(self, node: cst.CSTNode, value: Abstract) -> Abstract:
        """What goes back to the callers; what they handed in, they know without us."""
        context = self.context
        known, learning = context.function(), context.learning()
        if known is not None and learning is not None:
            value = value.without(known.handed_in() - learning.forwards)
        if value.kind is Kind.MODEL and value.label:
            value = replace(value, training=context.training(value).answer, frozen=context.frozen(value))
        context.use(value, node, Purpose.RETURNED)
        context.escapes(value)
        if known is not None and value.lazy is not None:
            # Decorators take their mode back, and so does each block around.
            context.consumes(value, node, known.entry if known.own != KEEP else self._unwound(0).of(known.entry))
        return value

    def _leave(self, learning: FunctionKnowledge) -> None:
        self.context.left()
        mode = self._unwound(0)
        learning.leaves = mode if learning.leaves == UNREACHED else learning.leaves | mode

    def _unwound(self, depth: int) -> Shift:
        """The mode when each ``with`` and ``finally`` inside of a depth has been left."""
        context = self.context
        mode = context.state.mode
        for number in range(len(self.exits) - 1, depth - 1, -1):
            leaving = self.exits[number]
            if isinstance(leaving, Shift):
                mode = leaving
                continue
            here, exits = context.state, self.exits
            context.state = here.fork()
            context.state.mode, context.state.reached = mode, True
            self.exits = exits[:number]
            context.recorder.quiet += 1
            leaving.body.visit(self)
            context.recorder.quiet -= 1
            mode = context.state.mode
            context.state, self.exits = here, exits
        return mode

    def visit_Raise(self, node: cst.Raise) -> bool:
        """``raise``."""
        if node.exc is not None:
            self.expressions.of(node.exc)
        self.context.state.reached = False
        return False

    def visit_Break(self, node: cst.Break) -> bool:
        """``break``: the state goes on after the loop."""
        return self._leave_turn()

    def visit_Continue(self, node: cst.Continue) -> bool:
        """``continue``: the state meets the next turn of the loop."""
        return self._leave_turn()

    def _leave_turn(self) -> bool:
        if self.breaks:
            left = self.context.state.fork()
            left.mode = self._unwound(self.loop_exits[-1])
            self.breaks[-1].append(left)
        self.context.state.reached = False
        return False

    def visit_Assert(self, node: cst.Assert) -> bool:
        """``assert``."""
        self.context.use(self.expressions.of(node.test), node, Purpose.VALUE, callee="assert")
        return False

    def visit_Del(self, node: cst.Del) -> bool:
        """``del name``."""
        targets: list[cst.BaseExpression] = [node.target]
        if isinstance(node.target, cst.Tuple):
            targets = [each.value for each in node.target.elements]
        for each in targets:
            path = path_of(each)
            self.context.state.names.pop(path, None)
            self.context.state.forget_under(path)
        return False

    def visit_Pass(self, node: cst.Pass) -> bool:
        """Nothing."""
        return False

    def visit_Global(self, node: cst.Global) -> bool:
        """``global name``: known at module level, whatever order functions run in."""
        if self.context.here.function is not None:
            self.context.here.elsewhere.update((each.name.value, None) for each in node.names)
        return False

    def visit_Nonlocal(self, node: cst.Nonlocal) -> bool:
        """``nonlocal name``."""
        for each in node.names:
            scope = self.context.scope_of(each.name.value)
            if scope is not None:
                self.context.here.elsewhere[each.name.value] = scope
        return False

    def visit_TypeAlias(self, node: cst.TypeAlias) -> bool:
        """``type X = ...``."""
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        """``import a.b as c``."""
        for each in node.names:
            name = _dotted(each.name)
            if each.asname is not None and isinstance(each.asname.name, cst.Name):
                self.expressions.bind(each.asname.name.value, _api(name))
            else:
                root = name.split(".")[0]
                self.expressions.bind(root, _api(root))
        return False

    def visit_LazyImport(self, node: cst.LazyImport) -> bool:
        """``lazy import a.b as c``: binds the same names."""
        return self.visit_Import(cst.Import(node.names))

    def visit_LazyImportFrom(self, node: cst.LazyImportFrom) -> bool:
        """``lazy from a import b``: binds the same names."""
        return self.visit_ImportFrom(cst.ImportFrom(node.module, node.names, relative=node.relative))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        """``from a import b as c``; of star imports, the names that matter here."""
        module = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
        if isinstance(node.names, cst.ImportStar):
            for name in sorted(torch_api.star_names(module)):
                self.expressions.bind(name, _api(f"{module}.{name}"))
            return False
        for each in node.names:
            name = _dotted(each.name)
            bound = each.asname.name if each.asname is not None else None
            local = bound.value if isinstance(bound, cst.Name) else name
            if not node.relative and module == "__future__":
                continue
            self.expressions.bind(local, _api(f"{module}.{name}"))
        return False

    # --- branches ---------------------------------------------------------------

    def visit_If(self, node: cst.If) -> bool:
        """``if``, ``elif``, ``else``."""
        context = self.context
        test = self.expressions.of(node.test)
        context.use(test, node.test, Purpose.VALUE, callee="if")
        before = context.state.fork()
        tests = context.here.tests
        context.here.tests = (*tests, *(path for path, _ in places_in(node.test)))
        branches = context.here.branches
        context.here.branches = (*branches, (node.test, True))
        self._narrowed(node.test)
        if test.constant is not False or not isinstance(node.test, cst.Name):
            node.body.visit(self)
        else:
            context.state.reached = False
        after = context.state.fork()
        context.state.become(before)
        context.here.branches = (*branches, (node.test, False))
        if node.orelse is not None:
            if isinstance(node.orelse, cst.If):
                node.orelse.visit(self)
            else:
                node.orelse.body.visit(self)
        elif test.constant is True and isinstance(node.test, cst.Name):
            context.state.reached = False
        context.here.tests, context.here.branches = tests, branches
        context.state.become(context.state.join(after))
        return False

    def _narrowed(self, test: cst.BaseExpression) -> None:
        """``isinstance(m, nn.Linear)``: where the test holds, ``m`` is a module."""
        names = self.context.state.names
        for name in self._modules_where(test):
            value = names.get(name, NONE)
            if value.kind in {Kind.UNKNOWN, Kind.DATA} and not value.is_none and not value.definitions:
                names[name] = replace(value, kind=Kind.MODEL, requires_grad=Answer.UNKNOWN)

    def _modules_where(self, test: cst.BaseExpression) -> frozenset[str]:
        """The names that hold modules where a test holds."""
        match test:
            case cst.BooleanOperation(left=left, operator=cst.And(), right=right):
                return self._modules_where(left) | self._modules_where(right)
            case cst.BooleanOperation(left=left, right=right):
                return self._modules_where(left) & self._modules_where(right)
            case cst.Call(
                func=cst.Name(value="isinstance"), args=[cst.Arg(value=cst.Name(value=name)), cst.Arg(value=classes)]
            ):
                several = [each.value for each in classes.elements] if isinstance(classes, cst.Tuple) else [classes]
                if several and all(torch_api.is_model_class(self._before(each).api) for each in several):
                    return frozenset({name})
        return frozenset()

    def visit_Else(self, node: cst.Else) -> bool:
        """The body of an ``else``."""
        node.body.visit(self)
        return False

    def visit_Match(self, node: cst.Match) -> bool:
        """``match``: any case, or none."""
        context = self.context
        context.use(self.expressions.of(node.subject), node, Purpose.VALUE, callee="match")
        before = context.state.fork()
        after = before.fork()
        exhaustive = False
        for case in node.cases:
            context.state.become(before.fork())
            for name in _captured(case.pattern):
                self.expressions.bind(name, UNKNOWN)
            if case.guard is not None:
                self.expressions.of(case.guard)
            elif isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None:
                exhaustive = True
            case.body.visit(self)
            if case is node.cases[0]:
                after = context.state.fork()
            else:
                after = after.join(context.state.fork())
        context.state.become(after if exhaustive else after.join(before))
        return False

    def visit_Try(self, node: cst.Try) -> bool:
        """``try``: an exception may come before any statement of the body."""
        self._try(node.body, node.handlers, node.orelse, node.finalbody)
        return False

    def visit_TryStar(self, node: cst.TryStar) -> bool:
        """``try`` with ``except*``."""
        self._try(node.body, node.handlers, node.orelse, node.finalbody)
        return False

    def _try(
        self,
        body: cst.BaseSuite,
        handlers: Sequence[cst.ExceptHandler | cst.ExceptStarHandler],
        orelse: cst.Else | None,
        final: cst.Finally | None,
    ) -> None:
        context = self.context
        before = context.state.fork()
        if final is not None:
            self.exits.append(final)
        self.tries.append((len(self.exits), context.state.mode))
        body.visit(self)
        _, modes = self.tries.pop()
        raised = before.join(context.state.fork())
        raised.mode = raised.mode | modes
        raised.reached = True
        if orelse is not None:
            orelse.body.visit(self)
        after = context.state.fork()
        for handler in handlers:
            context.state.become(raised.fork())
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                self.expressions.bind(handler.name.name.value, UNKNOWN)
            handler.body.visit(self)
            after = after.join(context.state.fork())
        reached = after.reached
        context.state.become(after)
        if final is not None:
            self.exits.pop()
            if not reached:
                context.state.become(raised.fork())
            final.body.visit(self)
            context.state.reached = context.state.reached and reached

    # --- loops --------------------------------------------------------------------

    def visit_For(self, node: cst.For) -> bool:
        """``for``: walked until nothing new is learned, then once for the record."""
        context = self.context
        iterated = self.expressions.of(node.iter)
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        leaks = self._leaking_generator(node.iter)
        if leaks:
            context.state.mode = context.state.mode.then(ANYTHING)
        loop = self._loop(node, iterated, is_while=False)
        context.recorder.write(loop)

        def turn() -> None:
            value = self.expressions.calls.containers.item(node.target, iterated)
            self.expressions.assign_target(node.target, value)
            node.body.visit(self)

        self._loop_body(loop, turn, node.orelse, certain=iterated.kind is Kind.PARAMETERS)
        return False

    def visit_While(self, node: cst.While) -> bool:
        """``while``."""
        loop = self._loop(node, UNKNOWN, is_while=True)
        self.context.recorder.write(loop)
        endless = isinstance(node.test, cst.Name) and node.test.value == "True"

        def turn() -> None:
            self.context.use(self.expressions.of(node.test), node.test, Purpose.VALUE, callee="while")
            node.body.visit(self)

        self._loop_body(loop, turn, node.orelse, endless=endless)
        return False

    def _loop(self, node: cst.For | cst.While, iterated: Abstract, *, is_while: bool) -> Loop:
        context = self.context
        function = context.function()
        loops = context.here.loops
        if iterated.kind in COLLECTIONS_OF_DATA and iterated.source:
            iterated = replace(iterated, label=iterated.source)
        return Loop(
            node,
            None if function is None else function.row,
            loops[-1] if loops else None,
            iterated.fact(),
            context.mode(),
            node,
            is_while=is_while,
            binds=() if isinstance(node, cst.While) else bound_by(node.target),
        )

    def _loop_body(
        self,
        loop: Loop,
        turn: Callable[[], None],
        orelse: cst.Else | None,
        *,
        endless: bool = False,
        certain: bool = False,
    ) -> None:
        context = self.context
        loops = context.here.loops
        context.here.loops = (*loops, loop)
        self.loop_exits.append(len(self.exits))
        head = after = context.state.fork()
        left: list[State] = []
        context.recorder.quiet += 1
        for _ in range(3):
            context.state.become(head.fork())
            self.breaks.append([])
            turn()
            after = context.state.fork()
            left = self.breaks.pop()
            for each in left:
                after = after.join(each)
            met = head.join(after)
            settled = met.same(head) if self.thorough else met.steady(head)
            head = met
            if settled:
                break
        context.recorder.quiet -= 1
        if self.thorough:
            context.state.become(head.fork())
            self.breaks.append([])
            turn()
            left = self.breaks.pop()
            after = context.state.fork()
            for each in left:
                after = after.join(each)
        context.here.loops = loops
        self.loop_exits.pop()
        frozen = dict(after.frozen)
        context.state.become(after if endless and left else head.join(after))
        if certain:
            # A model has parameters: what the loop does to them is done to the model.
            context.state.frozen = frozen
        context.state.reached = True
        if orelse is not None:
            orelse.body.visit(self)

    def _leaking_generator(self, node: cst.BaseExpression) -> bool:
        """Whether a generator of this file yields in another mode than it is called in."""
        if not isinstance(node, cst.Call):
            return False
        self.context.recorder.quiet += 1
        callee = self.expressions.of(node.func)
        self.context.recorder.quiet -= 1
        for definition in callee.definitions:
            if not isinstance(definition, cst.ClassDef):
                known = self.context.known.functions.get(definition)
                if known is not None and known.yields is not None and known.yields != KEEP and known.own == KEEP:
                    return True
        return False

    # --- with -----------------------------------------------------------------------

    def visit_With(self, node: cst.With) -> bool:
        """``with``: each item in turn, the body, then back to the mode before."""
        context = self.context
        switches = context.here.switches
        entered: list[tuple[Abstract, Shift, Shift, Leaving]] = []
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        for each in node.items:
            outside = context.state.mode
            value, shift, leaving = self._joined(each.item) or self._entered(node, each)
            context.state.mode = changed(context.state.mode, shift)
            entered.append((value, outside, context.state.mode, leaving))
            if leaving & Leaving.RESTORES:
                self.exits.append(outside)
            if each.asname is not None:
                held = value if value.kind is not Kind.SWITCH or value.api == "" else PLAIN
                self.expressions.assign_target(each.asname.name, held)
        node.body.visit(self)
        restoring = sum(bool(leaving & Leaving.RESTORES) for *_, leaving in entered)
        del self.exits[len(self.exits) - restoring :]
        for value, outside, inside, leaving in reversed(entered):
            self._runs(value, "__exit__")
            context.state.mode = leaving.of(outside, inside, context.state.mode)
        context.here.switches = switches
        return False

    def _joined(self, item: cst.BaseExpression) -> tuple[Abstract, Shift, Leaving] | None:
        """Managers joined by ``and`` or ``or``, taken as what was meant: all are entered."""
        operator, operands = joined(item)
        if not operator:
            return None
        values = [self._before(each) for each in operands]
        entered = 0
        if operator == "and":
            # One that is false would be entered, and raise: in a program that works, a call gave an object.
            entered = len(operands) - 1
            if not all(
                value.kind is Kind.SWITCH or isinstance(each, cst.Call)
                for each, value in zip(operands[:-1], values[:-1], strict=True)
            ):
                return None
        elif values[0].kind is not Kind.SWITCH:
            return None
        context = self.context
        shift, leaving = KEEP, Leaving.NOTHING
        code = cst.Module([]).code_for_node
        values = [self.expressions.of(each) for each in operands]
        context.recorder.write(
            Joined(
                item,
                context.place(),
                operator,
                tuple(each.fact() for each in values),
                tuple(code(each) for each in operands),
                entered,
            )
        )
        for each, value in zip(operands, values, strict=True):
            its, kept = self._shift_of(each, value)
            shift = shift.then(its)
            if kept & Leaving.RESTORES:
                leaving = Leaving.RESTORES
        return values[entered], shift, leaving

    def _entered(self, node: cst.With, item: cst.WithItem) -> tuple[Abstract, Shift, Leaving]:
        context = self.context
        value = self.expressions.of(item.item)
        called = True
        if value.kind is Kind.API and value.api in torch_api.SWITCHES:
            # with torch.no_grad: raises; taken as what was meant.
            value = switch_of(value.api, _NO_ARGUMENTS)
            called = False
        shift, leaving = self._shift_of(item.item, value)
        if value.api in torch_api.SWITCHES:
            before = context.mode()
            function = context.function()
            switch = Switch(
                item.item,
                node,
                value.api,
                Form.WITH,
                called,
                before,
                changed(context.state.mode, shift).of(context.entry()),
                None if function is None else function.row,
                context.place(),
                shift.enables,
                self._switch_arguments(item.item),
                next(iter(value.identity)) if len(value.identity) == 1 else None,
                spans_body=_spans_body(node, context.here.function),
            )
            context.recorder.write(switch)
            context.here.switches = (*context.here.switches, switch)
        return value, shift, leaving

    def _shift_of(self, node: cst.BaseExpression, value: Abstract) -> tuple[Shift, Leaving]:
        """What entering a value does to grad mode, and leaving it."""
        if value.kind is Kind.SWITCH and value.shift is not None:
            self.expressions.calls.functions.runs_now(value)
            return value.shift, value.leaving
        if value.kind is Kind.INSTANCE:
            return self._class_manager(value)
        if value.kind is Kind.UNKNOWN and isinstance(node, cst.Call) and naming.sounds_like_no_grad(path_of(node.func)):
            return ANYTHING, Leaving.RESTORES
        if isinstance(node, cst.BooleanOperation | cst.IfExp):
            # One of several, of which not all are known.
            return ANYTHING, Leaving.RESTORES
        return KEEP, Leaving.NOTHING

    def _class_manager(self, value: Abstract) -> tuple[Shift, Leaving]:
        for method in self._runs(value, "__enter__"):
            known = self.context.known.functions.get(method)
            if known is not None and known.leaves != KEEP:
                return known.leaves, Leaving.RESTORES
        return KEEP, Leaving.NOTHING

    def _runs(self, value: Abstract, name: str) -> list[cst.FunctionDef]:
        """The methods of that name which a manager of this file has; they are called here."""
        if value.kind is not Kind.INSTANCE:
            return []
        owners = [each for each in value.definitions if isinstance(each, cst.ClassDef)]
        methods = [method for owner in owners if (method := self.context.method(owner, name)) is not None]
        for method in methods:
            self.context.called(method)
        return methods

    # --- definitions ------------------------------------------------------------------

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        """A class: its body runs now, its methods later."""
        context = self.context
        bases = [self.expressions.of(each.value) for each in node.bases]
        for each in node.decorators:
            self._decorator_switch(node, each, self.expressions.of(each.decorator), Form.CLASS_DECORATOR, ())
        known = context.learned.classes.setdefault(node, ClassKnowledge(node))
        known.bases = tuple(name for each in bases for name in self._base_names(each))
        known.parents = tuple(each for base in bases for each in base.definitions if isinstance(each, cst.ClassDef))
        known.role = role_of(
            known, [context.learned.classes[each] for each in known.parents if each in context.learned.classes]
        )
        known.methods = {each.name.value: each for each in node.body.body if isinstance(each, cst.FunctionDef)}
        value = Abstract(kind=Kind.CLASS, definitions=(node,), label=node.name.value)
        self.expressions.bind(node.name.value, value)
        here = context.here
        scopes, owner, outer = here.scopes, here.owner, context.state
        here.scopes, here.owner = (node, *scopes), node
        context.state = outer.fork()
        node.body.visit(self)
        for name, held in context.state.names.items():
            if held is not outer.names.get(name) and "." not in name:
                known.attributes.setdefault(name, held)
        outer.mode = context.state.mode
        context.state = outer
        here.scopes, here.owner = scopes, owner
        return False

    def _base_names(self, base: Abstract) -> list[str]:
        names = [base.api] if base.api else []
        for each in base.definitions:
            if isinstance(each, cst.ClassDef) and each in self.context.learned.classes:
                names += [each.name.value, *self.context.learned.classes[each].bases]
        return names or ([base.label] if base.label else [])

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        """A function: decorators and defaults now, the body later."""
        context = self.context
        known = self._register(node)
        own = KEEP
        names: list[str] = []
        values = []
        outside = context.state.mode
        for each in node.decorators:
            values.append(self.expressions.of(each.decorator))
            # It acts when it is made, and is undone when it decorates.
            self._stored_switch(each.decorator, values[-1])
        context.state.mode = outside
        for each, value in zip(reversed(node.decorators), reversed(values), strict=True):
            called = isinstance(each.decorator, cst.Call)
            shift = self._decorator_shift(node, value, each.decorator, called=called)
            if not any(name.endswith("contextmanager") for name in names):
                # Above @contextmanager it guards the making of the manager alone.
                own = shift.then(own)
            self._decorator_switch(node, each, value, Form.DECORATOR, tuple(reversed(names)))
            names.append((value.api or value.label or path_of(_uncalled(each.decorator))).removeprefix("builtins."))
        known.decorators = tuple(reversed(names))
        if node.asynchronous is None:
            known.own = own
        for parameter in parameters_of(node.params):
            if parameter.default is not None:
                self.expressions.of(parameter.default)
        value = Abstract(kind=Kind.FUNCTION, definitions=(node,), label=node.name.value)
        if any(name.endswith("contextmanager") for name in names):
            value = Abstract(kind=Kind.FUNCTION, definitions=(node,), label=node.name.value, api="contextmanager")
        self.expressions.bind(node.name.value, value)
        self.deferred.append(Deferred(node, (node, *context.here.scopes), context.here.owner))
        return False

    def _decorator_shift(
        self, node: cst.FunctionDef, value: Abstract, decorator: cst.BaseExpression, *, called: bool
    ) -> Shift:
        context = self.context
        name = (value.api or value.label or path_of(_uncalled(decorator))).rsplit(".", 1)[-1]
        if name in context.recorder.settings.no_grad_wrappers:
            return NO_OR_INFERENCE
        if value.api in torch_api.SWITCHES:
            switch = value if value.shift is not None else switch_of(value.api, _NO_ARGUMENTS)
            return switch.shift or KEEP
        if value.kind in {Kind.SWITCH, Kind.FUNCTION} and value.shift is not None:
            # A manager of the file runs whenever the function is called, in whatever mode.
            context.escapes(replace(value, kind=Kind.FUNCTION))
            context.framework_calls(value, GradMode.UNKNOWN)
            return value.shift
        for definition in value.definitions:
            if not isinstance(definition, cst.ClassDef):
                known = context.known.functions.get(definition)
                if known is not None and known.wraps is not None:
                    return known.wraps
                if known is not None:
                    return KEEP
        return ANYTHING if naming.sounds_like_no_grad(name) else KEEP

    def _decorator_switch(
        self,
        node: cst.FunctionDef | cst.ClassDef,
        each: cst.Decorator,
        value: Abstract,
        form: Form,
        below: tuple[str, ...],
    ) -> None:
        context = self.context
        if value.api in torch_api.SWITCHES:
            function = context.known.functions.get(node) if isinstance(node, cst.FunctionDef) else None
            before = function.entry if function is not None else GradMode.UNKNOWN
            shift = value.shift or KEEP
            context.recorder.write(
                Switch(
                    each,
                    node,
                    value.api,
                    form,
                    isinstance(each.decorator, cst.Call),
                    before,
                    shift.of(before),
                    function.row if function is not None else None,
                    context.place(),
                    shift.enables,
                    self._switch_arguments(each.decorator),
                    below=below,
                )
            )

    def _define_lambda(self, node: cst.Lambda) -> None:
        if node not in self.context.learned.functions:
            self._register(node)
            here = self.context.here
            self.deferred.append(Deferred(node, (node, *here.scopes), here.owner))

    def _register(self, node: Def) -> FunctionKnowledge:
        context = self.context
        owner = context.here.scopes[0]
        known = FunctionKnowledge(
            node,
            context.here.function,
            owner if isinstance(owner, cst.ClassDef) else None,
            tuple(each.name.value for each in parameters_of(node.params)),
        )
        if isinstance(node, cst.FunctionDef) and isinstance(owner, cst.ClassDef):
            known.framework = framework_mode(context.learned.classes[owner], node.name.value)
        previous = context.learned.functions.get(node)
        if previous is not None:
            return previous
        context.learned.functions[node] = known
        return known

    def _function_body(self, deferred: Deferred) -> None:
        context = self.context
        node = deferred.node
        here = context.here
        known = context.known.functions.get(node)
        learning = context.learned.functions[node]
        learning.leaves = UNREACHED
        self.exits, self.loop_exits, self.tries = [], [0], []
        context.state = State()
        here.function, here.owner, here.scopes = node, deferred.owner, deferred.scopes
        here.loops, here.switches, here.tests, here.branches = (), (), (), ()
        here.idle, here.elsewhere = (), {}
        enter(context, node, deferred.owner, known)
        if isinstance(node, cst.Lambda):
            here.statement = here.block = node
            learning.returns = self._returned(node, self.expressions.of(node.body))
            self._leave(learning)
        else:
            here.statement = here.block = node.body
            node.body.visit(self)
            if context.state.reached:
                self._leave(learning)
                if not learning.is_generator:
                    learning.returns = NONE if learning.returns is None else learning.returns | NONE
        if learning.leaves == UNREACHED:
            learning.leaves = KEEP
        self._learn_class(deferred)
        here.function, here.owner, here.scopes = None, None, (None,)

    def _learn_class(self, deferred: Deferred) -> None:
        owner, node = deferred.owner, deferred.node
        if owner is None or not isinstance(node, cst.FunctionDef) or node.name.value != "__init__":
            return
        known = self.context.learned.classes[owner]
        for what in ("training", "frozen"):
            table = self.context.state.training if what == "training" else self.context.state.frozen
            kept = {path: setting for path, setting in table.items() if path.startswith("self.")}
            if what == "training":
                known.training = kept
            else:
                known.frozen = kept


def _conditions(here: Surroundings) -> tuple[str, ...]:
    """What holds where we are, by the ``if`` statements around."""
    code = cst.Module([]).code_for_node
    return tuple(code(test) if holds else f"not ({code(test)})" for test, holds in here.branches)


def _rest(here: Surroundings) -> tuple[cst.CSTNode, ...]:
    """What follows the statement we are at in its block, if it has a line of its own."""
    statement, block = here.statement, here.block
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) > 1:
        return ()
    if not isinstance(block, cst.IndentedBlock | cst.Module):
        return ()
    index = next(number for number, each in enumerate(block.body) if each is statement)
    return tuple(block.body[index + 1 :])


def _spans_body(node: cst.With, function: Def | None) -> bool:
    """Whether a statement is all that a function has, but for its docstring."""
    if not isinstance(function, cst.FunctionDef):
        return False
    body = list(function.body.body)
    if function.get_docstring(clean=False) is not None:
        body = body[1:]
    return len(body) == 1 and body[0] is node


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


def _leaf_by_gradient(target: Abstract, source: cst.BaseExpression) -> Abstract:
    """``w -= lr * w.grad``: what has a gradient to read is a leaf, unless we know better."""
    gradient = f"{target.label}.grad"
    if not target.label or target.leaf is not None or target.is_leaf is Answer.NO:
        return target
    if target.kind not in {Kind.UNKNOWN, Kind.TENSOR, Kind.PARAMETER, Kind.DATA}:
        return target
    if not any(read == gradient or read.startswith(f"{gradient}.") for read, _ in places_in(source)):
        return target
    return replace(target, kind=Kind.TENSOR, leaf=Leaf.HAS_GRAD, requires_grad=Answer.YES)


def _uncalled(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.func if isinstance(node, cst.Call) else node


def _dotted(node: cst.BaseExpression) -> str:
    return path_of(node)


def _api(name: str) -> Abstract:
    return Abstract(kind=Kind.API, api=torch_api.canonical(name), label=name)


_NO_ARGUMENTS = Arguments([], {})
AUGMENTED = {
    "AddAssign": "+=",
    "SubtractAssign": "-=",
    "MultiplyAssign": "*=",
    "DivideAssign": "/=",
    "MatrixMultiplyAssign": "@=",
    "PowerAssign": "**=",
    "FloorDivideAssign": "//=",
    "ModuloAssign": "%=",
}
NO_OR_INFERENCE = NO_GRAD | INFERENCE
