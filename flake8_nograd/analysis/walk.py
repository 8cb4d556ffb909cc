"""The LibCST visitor: statements, in the order Python runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt
from typing import NamedTuple

import libcst as cst

from .. import torch_api, torch_classes
from ..facts import Discarded, Form, Kind, Loop, Purpose, Yield
from ..grad import ANYTHING, KEEP, UNREACHED, Answer, Shift
from .aspects import Aspect
from .binding import Bindings
from .conditions import asked as asked_of_parameters
from .context import Context
from .defining import Deferred, Definitions
from .entering import enter, role_of
from .expressions import Expressions
from .knowledge import ClassKnowledge, FunctionKnowledge
from .putting import put_all, reached, takes_mode_of, went_through
from .reading import bound_by, breaks, compared, elements_of, path_of, place_of, places_in, rebinds
from .state import State, unstacked
from .switches import Switches
from .switching import changed, of_another_function
from .value import COLLECTIONS_OF_DATA, NONE, PLAIN, UNKNOWN, Abstract, Leaving, holds_models, in_turn, replace

Block = cst.BaseSuite | cst.Module
COMPARISONS: dict[type[cst.BaseCompOp], Callable[[int, int], bool]] = {
    cst.LessThan: lt,
    cst.LessThanEqual: le,
    cst.GreaterThan: gt,
    cst.GreaterThanEqual: ge,
}


class PerhapsBack(NamedTuple):
    """What leaving a context manager of the file does to grad mode: perhaps it brings back what was before."""

    mode: Shift
    unless_raised: bool
    """Whether it does so, but for errors."""


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
        self.expressions = expressions = Expressions(context, lambda node: self.definitions.define_lambda(node))
        self.bindings = Bindings(context, expressions)
        self.switches = Switches(context, expressions, self.bindings)
        self.definitions = Definitions(context, expressions, self.bindings, self.switches)
        self.breaks: list[list[State]] = []
        self.exits: list[Shift | PerhapsBack | cst.Finally | str] = []
        """What happens to grad mode on the way out: a mode that a ``with`` brings back, a ``finally``, a stack."""
        self.dead = False
        """Whether nothing comes here: what is returned is not."""
        self.loop_exits = [0]
        """How many of them stand around the body of each loop."""
        self.waiting: list[tuple[FunctionKnowledge, int, Shift]] = []
        """The context managers around that are generators of the file: where each stands in ``exits``, and its mode."""
        self.tries: list[tuple[int, State]] = []
        """Of each ``try``: how many stand around it, and what is known where its body may raise."""

    # --- module, blocks -----------------------------------------------------

    def visit_Module(self, node: cst.Module) -> bool:
        """Module level first, then the functions, outer before inner."""
        context = self.context
        context.here.body = node
        self.block(node)
        context.learned.settings = context.state.fork().settings
        while self.definitions.deferred:
            self._function_body(self.definitions.deferred.pop(0))
        return False

    def block(self, node: Block) -> None:
        """The statements of a block."""
        here = self.context.here
        outside, statement, idle, dead = here.block, here.statement, here.idle, self.dead
        requires = here.requires
        here.block = node
        for each in node.body:
            if not self.context.state.reached:
                # Dead code still has functions and imports that the rest refers to.
                self.context.state.reached = self.dead = True
            here.statement = each
            each.visit(self)
            self._may_raise()
            for manager, depth, mode in self.waiting:
                manager.stirred |= self._unwound(depth) != mode
        if self.dead and not dead:
            # What was done where nothing comes, is done nowhere.
            self.context.state.reached = False
        here.block, here.statement, here.idle, self.dead = outside, statement, idle, dead
        # ``if not train: continue`` decides for the rest of its block: there are other ways to what follows.
        here.requires = requires

    def _may_raise(self) -> None:
        """What is known here, is in the handlers of the ``try`` around."""
        if self.tries:
            depth, raised = self.tries[-1]
            here = self.context.state.fork()
            here.mode, here.reached = self._unwound(depth, raised=True), True
            self.tries[-1] = depth, raised.join(here)

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
            self._mapped(node, node.value)
        elif isinstance(node.value, cst.ListComp | cst.SetComp | cst.GeneratorExp):
            lazy = isinstance(node.value, cst.GeneratorExp)
            value = self.expressions.comprehension(node.value, lazy=lazy, is_statement=True)
            if lazy:
                self._never_run(node, node.value)
        else:
            value = self.expressions.of(node.value)
            self._discarded(node)
            learning = self.context.learning()
            if isinstance(node.value, cst.Yield) and learning is not None:
                learning.unwinds &= self._unwound(0, raised=True) == KEEP
        self.switches.statement(node, value)
        return False

    def _mapped(self, node: cst.Expr, call: cst.Call) -> None:
        """``map(f, xs)``, which calls nothing before somebody goes through it."""
        if isinstance(call.func, cst.Name) and call.func.value == "map" and call.args and not call.args[0].star:
            if self.bindings.before(call.func).api == "builtins.map":
                self._never_run(node, call.args[0].value)

    def _never_run(self, node: cst.Expr, code: cst.BaseExpression) -> None:
        context = self.context
        row = Discarded(node, context.place(), UNKNOWN.fact(), "", (node.value,), None, code)
        context.recorder.write(row)

    def _discarded(self, node: cst.Expr) -> None:
        """The row of an attribute or a comparison that stands alone."""
        context = self.context
        operator, parts = compared(node.value)
        first = parts[0]
        if context.recorder.quiet or not isinstance(first, cst.Attribute):
            return
        value = replace(self.bindings.before(first), label=place_of(first))
        holder = self.bindings.before(first.value).fact()
        context.recorder.write(Discarded(node, context.place(), value.fact(), operator, parts, holder))

    def visit_Assign(self, node: cst.Assign) -> bool:
        """``a = b = value``."""
        self.bindings.assign(node)
        return False

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        """``a: T = value``."""
        self.bindings.assign_annotated(node)
        return False

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        """``a += value``."""
        self.bindings.augment(node)
        return False

    def visit_Return(self, node: cst.Return) -> bool:
        """``return value``."""
        context = self.context
        value = self._returned(node, context.marked(self.expressions.of(node.value)))
        learning = context.learning()
        if learning is not None and value.kind is Kind.FUNCTION and value.shift is not None and not value.definitions:
            learning.wraps = value.shift
        if learning is not None and not learning.is_generator and not self.dead:
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
            value = context.settled(value)
        value = of_another_function(value)
        context.use(value, node, Purpose.RETURNED)
        context.gives_back(value)
        if known is not None and value.lazy is not None:
            # Decorators take their mode back, and so does each block around.
            context.consumes(value, node, known.entry if known.own != KEEP else self._unwound(0).of(known.entry))
        return value

    def _leave(self, learning: FunctionKnowledge) -> None:
        self.context.left()
        mode = self._unwound(0)
        learning.leaves = mode if learning.leaves == UNREACHED else learning.leaves | mode

    def _unwound(self, depth: int, *, raised: bool = False) -> Shift:
        """The mode when each ``with`` and ``finally`` inside of a depth has been left."""
        context = self.context
        mode = context.state.mode
        for number in range(len(self.exits) - 1, depth - 1, -1):
            leaving = self.exits[number]
            if isinstance(leaving, Shift):
                mode = leaving
                continue
            if isinstance(leaving, PerhapsBack):
                mode = leaving.mode if leaving.unless_raised and not raised else mode | leaving.mode
                continue
            if isinstance(leaving, str):
                mode = unstacked(context.state.names.get(leaving, UNKNOWN), mode)
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
        self._may_raise()
        self.context.state.reached = False
        return False

    def visit_Break(self, node: cst.Break) -> bool:
        """``break``: the state goes on after the loop, which has not reached all there is."""
        turns, loops = self.context.state.turns, self.context.here.loops
        self.context.state.turns = {path: done for path, done in turns.items() if done[0] is not loops[-1].anchor}
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
        learning = self.context.learning()
        if learning is not None:
            learning.asserts = True
        self.context.use(self.expressions.of(node.test), node, Purpose.VALUE, callee="assert")
        return False

    def visit_Del(self, node: cst.Del) -> bool:
        """``del name``."""
        targets: list[cst.BaseExpression] = [node.target]
        if isinstance(node.target, cst.Tuple):
            targets = [each.value for each in node.target.elements]
        for each in targets:
            if isinstance(each, cst.Subscript):
                self.expressions.calls.containers.put_into(node, self.expressions.of(each.value), [])
                continue
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
            self._imports(name)
        return False

    def _imports(self, module: str) -> None:
        root = module.split(".")[0]
        learned = self.context.learned
        learned.is_of_tests |= root in {"pytest", "unittest"}
        learned.imports_torch |= "torch" in root
        learned.imports_another_framework |= root in torch_api.OTHER_FRAMEWORKS

    def visit_LazyImport(self, node: cst.LazyImport) -> bool:
        """``lazy import a.b as c``: binds the same names."""
        return self.visit_Import(cst.Import(node.names))

    def visit_LazyImportFrom(self, node: cst.LazyImportFrom) -> bool:
        """``lazy from a import b``: binds the same names."""
        return self.visit_ImportFrom(cst.ImportFrom(node.module, node.names, relative=node.relative))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        """``from a import b as c``; of star imports, the names that matter here."""
        module = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
        self._imports(module)
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
        context.here.requires = (*requires, *where_true)
        self._narrowed(node.test)
        if test.constant is not False or not isinstance(node.test, cst.Name):
            node.body.visit(self)
        else:
            context.state.reached = False
        context.here.idle = idle
        after = context.state.fork()
        left = not after.reached and not _raises(node.body)
        context.state.become(before)
        context.here.branches = (*branches, (node.test, False))
        context.here.requires = (*requires, *where_false)
        if node.orelse is not None:
            if isinstance(node.orelse, cst.If):
                node.orelse.visit(self)
            else:
                node.orelse.body.visit(self)
                left |= not context.state.reached and not _raises(node.orelse.body)
        elif test.constant is True and isinstance(node.test, cst.Name):
            context.state.reached = False
        context.here.tests, context.here.branches = tests, branches
        if left:
            context.here.passed = tuple(dict.fromkeys((*context.here.passed, *asked)))
        # Only one of them goes on below.
        context.here.requires = (
            *requires,
            *(where_false if not after.reached else ()),
            *(where_true if not context.state.reached else ()),
        )
        context.state.become(context.state.join(after))
        if node.orelse is None:
            self._switched_either_way(node.test, after)
        return False

    def _switched_either_way(self, test: cst.BaseExpression, after: State) -> None:
        """``if model.training: model.eval()``: it is in evaluation mode below, whatever it was in."""
        if isinstance(test, cst.Attribute) and test.attr.value == "training":
            setting = after.settings[Aspect.TRAINING].get(path := path_of(test.value))
            if setting is not None and setting.answer is Answer.NO:
                self.context.state.settings[Aspect.TRAINING][path] = setting

    def _narrowed(self, test: cst.BaseExpression) -> None:
        """``isinstance(m, nn.Linear)``: where the test holds, ``m`` is a module; of ``torch.Tensor``, it is none."""
        names = self.context.state.names
        for name in self._held_where(test, torch_classes.is_model_class):
            value = names.get(name, NONE)
            if value.kind in {Kind.UNKNOWN, Kind.DATA} and not value.is_none and not value.definitions:
                names[name] = replace(value, kind=Kind.MODEL, requires_grad=Answer.UNKNOWN)
        for name in self._held_where(test, torch_classes.TENSOR_CLASSES.__contains__):
            if name in names and self.context.lookup(name).kind is Kind.MODEL:
                names[name] = replace(names[name], kind=Kind.TENSOR, requires_grad=Answer.UNKNOWN)

    def _held_where(self, test: cst.BaseExpression, is_of: Callable[[str], bool]) -> frozenset[str]:
        """The names that hold an object of certain classes where a test holds."""
        match test:
            case cst.BooleanOperation(left=left, operator=cst.And(), right=right):
                return self._held_where(left, is_of) | self._held_where(right, is_of)
            case cst.BooleanOperation(left=left, right=right):
                return self._held_where(left, is_of) & self._held_where(right, is_of)
            case cst.Call(
                func=cst.Name(value="isinstance"), args=[cst.Arg(value=cst.Name(value=name)), cst.Arg(value=classes)]
            ):
                several = [each.value for each in classes.elements] if isinstance(classes, cst.Tuple) else [classes]
                if several and all(is_of(self.bindings.before(each).api) for each in several):
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
        if final is not None:
            self.exits.append(final)
        self.tries.append((len(self.exits), context.state.fork()))
        caught = context.here.caught
        types = [each.type for each in handlers if each.type is not None]
        context.here.caught = (*caught, *(path for each in types for path, _ in places_in(each)))
        body.visit(self)
        context.here.caught = caught
        _, raised = self.tries.pop()
        if not handlers:
            # It goes on to the ``try`` around.
            ended, context.state = context.state, raised.fork()
            self._may_raise()
            context.state = ended
        if orelse is not None:
            orelse.body.visit(self)
        after = context.state.fork()
        for handler in handlers:
            context.state.become(raised.fork())
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                self.expressions.bind(handler.name.name.value, UNKNOWN)
            tests = context.here.tests
            if handler.type is not None:
                context.here.tests = (*tests, *(path for path, _ in places_in(handler.type)))
            handler.body.visit(self)
            context.here.tests = tests
            after = after.join(context.state.fork())
        context.state.become(after)
        if final is not None:
            self.exits.pop()
            self._finally(final, after, raised)

    def _finally(self, final: cst.Finally, after: State, raised: State) -> None:
        """Its body runs whatever happened; what follows it, only when nothing was raised."""
        context = self.context
        context.state.become(after.join(raised.fork()) if after.reached else raised.fork())
        final.body.visit(self)
        if not after.reached:
            context.state.reached = False
            return
        context.state.become(after)
        context.recorder.quiet += 1
        final.body.visit(self)
        context.recorder.quiet -= 1

    # --- loops --------------------------------------------------------------------

    def visit_For(self, node: cst.For) -> bool:
        """``for``: walked until nothing new is learned, then once for the record."""
        context = self.context
        iterated = self.expressions.of(node.iter)
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        generators = self._generators(node.iter)
        if any(each.yields != KEEP == each.own for each in generators):
            # It yields in another mode than it is called in.
            context.state.mode = context.state.mode.then(ANYTHING)
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
            self.expressions.assign_target(node.target, reached(context, in_turn(node, iterated, value)))
            if collection:
                takes_mode_of(context, collection, element)
            mode = context.state.mode
            node.body.visit(self)
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
        if collection and element in ended.settings[Aspect.TRAINING]:
            perhaps = breaks(node.body) or rebinds(node.body, element)
            put_all(context, collection, ended.settings[Aspect.TRAINING][element], perhaps=perhaps)
        return False

    def _grown(self, node: cst.BaseExpression, iterated: Abstract) -> Abstract:
        """What a loop goes through as its body has left it."""
        match node:
            case cst.Call(func=cst.Name(value="zip" | "enumerate" | "reversed"), args=args) if all(
                isinstance(each.value, cst.Name | cst.Attribute | cst.List | cst.Tuple) for each in args
            ):
                return self.bindings.before(node)
        return self.context.state.names.get(path_of(node), iterated)

    def visit_While(self, node: cst.While) -> bool:
        """``while``."""
        loop = self._loop(node, UNKNOWN)
        self.context.recorder.write(loop)
        endless = isinstance(node.test, cst.Name) and node.test.value == "True"

        passed = self.context.here.passed

        def turn() -> None:
            self.context.here.passed = passed
            self.context.use(self.expressions.of(node.test), node.test, Purpose.VALUE, callee="while")
            node.body.visit(self)

        self._loop_body(loop, turn, node.orelse, endless=endless, runs=self._holds(node.test))
        return False

    def _loop(self, node: cst.For | cst.While, iterated: Abstract) -> Loop:
        context = self.context
        function = context.function()
        loops = context.here.loops
        if iterated.kind in COLLECTIONS_OF_DATA | {Kind.PLAIN} and iterated.source:
            iterated = replace(iterated, label=iterated.source)
        return Loop(
            node,
            None if function is None else function.row,
            loops[-1] if loops else None,
            iterated.fact(),
            node,
            binds=() if isinstance(node, cst.While) else bound_by(node.target),
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
        frozen, turns = after.settings[Aspect.FROZEN], after.turns
        context.state.become(after if (endless and left) or runs else head.join(after))
        if certain is not None:
            # A model has parameters.
            context.state.settings[Aspect.FROZEN], context.state.turns = dict(frozen), dict(turns)
            went_through(context, certain)
        context.state.reached = True
        if orelse is not None:
            orelse.body.visit(self)
        return after

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

    # --- with -----------------------------------------------------------------------

    def visit_With(self, node: cst.With) -> bool:
        """``with``: each item in turn, the body, then back to the mode before."""
        context = self.context
        switches = context.here.switches
        depth = len(self.exits)
        entered: list[tuple[Abstract, str, Shift, Shift, Leaving]] = []
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        for each in node.items:
            outside = context.state.mode
            value, shift, leaving = self.switches.joined(each.item) or self.switches.entered(node, each)
            if leaving & Leaving.LONG_AGO and not isinstance(each.item, cst.Name | cst.Attribute):
                # Made right here.
                leaving = leaving & ~Leaving.LONG_AGO | Leaving.RESTORES
            context.state.mode = changed(context.state.mode, shift)
            name = "" if each.asname is None else path_of(each.asname.name)
            if value.api in torch_api.STACKS:
                # It brings back what the switches that are entered on it found.
                name = name or value.label or f"{len(self.exits)} unnamed stack"
                context.state.names[name] = (
                    value if value.leaving & Leaving.RESTORES else replace(value, saved=context.state.mode)
                )
                self.exits.append(name)
            elif leaving & Leaving.RESTORES:
                unsure = any(not each.unwinds for each in self._generators_among([value]))
                looks = not leaving & Leaving.NOTHING
                self.exits.append(PerhapsBack(outside, looks) if unsure or not looks else outside)
            elif self._switches_at_the_end(value):
                self.exits.append(PerhapsBack(ANYTHING, unless_raised=False))
            entered.append((value, name, outside, context.state.mode, leaving))
            if each.asname is not None and value.api not in torch_api.STACKS:
                held = value if value.kind is not Kind.SWITCH or value.api == "" else PLAIN
                self.expressions.assign_target(each.asname.name, held)
        waiting = len(self.waiting)
        for manager in self._generators_among([value for value, *_ in entered]):
            self.waiting.append((context.learned.functions[manager.node], len(self.exits), context.state.mode))
        node.body.visit(self)
        del self.waiting[waiting:]
        del self.exits[depth:]
        for value, name, outside, inside, leaving in reversed(entered):
            if value.api in torch_api.STACKS:
                context.state.mode = unstacked(context.state.names.get(name, UNKNOWN), context.state.mode)
            else:
                mode = leaving.of(outside, inside, context.state.mode)
                if self._switches_at_the_end(value):
                    mode = ANYTHING
                context.state.mode = self.expressions.calls.managers.left(value, mode)
        context.here.switches = switches
        return False

    def _generators_among(self, managers: list[Abstract]) -> list[FunctionKnowledge]:
        """The context managers that are generators of the file."""
        functions = self.context.known.functions
        definitions = [each for value in managers if value.kind is Kind.SWITCH for each in value.definitions]
        return [functions[each] for each in definitions if not isinstance(each, cst.ClassDef) and each in functions]

    def _switches_at_the_end(self, manager: Abstract) -> bool:
        """Whether a context manager of the file may leave a mode behind that is none of those around and within."""
        return any(each.leaves not in (KEEP, each.yields) for each in self._generators_among([manager]))

    # --- definitions ------------------------------------------------------------------

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        """A class: its body runs now, its methods later."""
        context = self.context
        bases = [self.expressions.of(each.value) for each in node.bases]
        for each in node.decorators:
            self.switches.decorator(node, each, self.expressions.of(each.decorator), Form.CLASS_DECORATOR, ())
        known = context.learned.classes.setdefault(node, ClassKnowledge(node))
        known.bases = tuple(name for each in bases for name in self.definitions._base_names(each))
        known.parents = tuple(each for base in bases for each in base.definitions if isinstance(each, cst.ClassDef))
        known.role = role_of(
            known, [context.learned.classes[each] for each in known.parents if each in context.learned.classes]
        )
        defined = [each for each in node.body.body if isinstance(each, cst.FunctionDef) and not _accesses(each)]
        known.methods = {each.name.value: each for each in defined}
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

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        """A function: decorators and defaults now, the body later."""
        self.definitions.function(node)
        return False

    def _function_body(self, deferred: Deferred) -> None:
        context = self.context
        node = deferred.node
        here = context.here
        known = context.known.functions.get(node)
        learning = context.learned.functions[node]
        learning.leaves = UNREACHED
        self.exits, self.loop_exits, self.tries, self.waiting, self.dead = [], [0], [], [], False
        context.state = State()
        here.function, here.owner, here.scopes = node, deferred.owner, deferred.scopes
        here.loops, here.switches, here.tests, here.passed, here.branches = (), (), (), (), ()
        here.idle, here.elsewhere, here.generators, here.body, here.caught = (), {}, (), node.body, ()
        here.requires = ()
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
        self.definitions.learn_class(deferred)
        here.function, here.owner, here.scopes = None, None, (None,)


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


def _dotted(node: cst.BaseExpression) -> str:
    return path_of(node)


def _api(name: str) -> Abstract:
    return Abstract(kind=Kind.API, api=torch_api.canonical(name), label=name)


def _accesses(method: cst.FunctionDef) -> bool:
    """``@model.setter``: the attribute is still what the property gives."""
    return any(
        isinstance(each.decorator, cst.Attribute) and each.decorator.attr.value in {"setter", "deleter"}
        for each in method.decorators
    )
