"""The LibCST visitor: statements, in the order Python runs them."""

from __future__ import annotations

import libcst as cst

from ..facts import Discarded, Form, Kind, Purpose
from ..grad import KEEP, UNREACHED
from . import lookup, model_state
from .binding import Bindings
from .branches import Branches
from .class_knowledge import ClassKnowledge
from .context import Context
from .defining import Deferred, Definitions
from .entering import enter, gives_arrays, parameters_of, role_of
from .expressions import Expressions
from .function_knowledge import Flags, FunctionKnowledge
from .importing import Imports
from .loops import Loops
from .reading import compared, path_of, place_of
from .state import State
from .switches import Switches
from .switching import of_another_function
from .unwinding import Unwinding
from .value import NONE, PLAIN, UNKNOWN, Abstract, replace
from .variants import take
from .with_statements import WithStatements

Block = cst.BaseSuite | cst.Module


class Walk(cst.CSTVisitor):
    """Walks statements in evaluation order and descends by itself.

    Each ``visit_`` handles what matters in its node and returns False, so that
    LibCST does not enter whitespace and punctuation.
    """

    def __init__(self, context: Context, *, thorough: bool) -> None:
        """Start at the top of a module; only the last walk settles what names hold in loops."""
        super().__init__()
        self.context = context
        self.expressions = expressions = Expressions(context, lambda node: self.definitions.define_lambda(node))
        self.bindings = Bindings(context, expressions)
        self.switches = Switches(context, expressions, self.bindings)
        self.unwinding = Unwinding(context, self.run)
        self.branches = Branches(context, expressions, self.bindings, self.switches, self.unwinding, self.run)
        self.loops = Loops(context, expressions, self.bindings, self.unwinding, self.run, thorough)
        self.with_statements = WithStatements(context, expressions, self.switches, self.unwinding, self.run)
        self.imports = Imports(context, expressions.targets)
        self.definitions = Definitions(context, expressions, self.bindings, self.switches)
        self.dead = False
        """Whether nothing comes here: what is returned is not."""

    def run(self, node: cst.CSTNode) -> None:
        """Walk a piece of code."""
        node.visit(self)

    # --- module, blocks -----------------------------------------------------

    def visit_Module(self, node: cst.Module) -> bool:
        """Module level first, then the functions, outer before inner."""
        context = self.context
        context.here.body = node
        self.block(node)
        context.learned.settings = context.state.fork().settings
        if context.state.reached:
            context.learned.leaves = context.state.mode
        while self.definitions.deferred:
            self._function_body(self.definitions.deferred.pop(0))
        return False

    def block(self, node: Block) -> None:
        """The statements of a block."""
        here = self.context.here
        outside, statement, idle, dead = here.block, here.statement, here.idle, self.dead
        requires, by_chance = here.requires, here.by_chance
        here.block = node
        for each in node.body:
            if not self.context.state.reached:
                # Dead code still has functions and imports that the rest refers to.
                self.context.state.reached = self.dead = True
            here.statement = each
            each.visit(self)
            self.unwinding.may_raise()
            self.unwinding.stir()
        if self.dead and not dead:
            # What was done where nothing comes, is done nowhere.
            self.context.state.reached = False
        here.block, here.statement, here.idle, self.dead = outside, statement, idle, dead
        # ``if not train: continue`` decides for the rest of its block: there are other ways to what follows.
        here.requires, here.by_chance = requires, by_chance

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
            value = self.expressions.comprehensions.of(node.value, lazy=lazy, is_statement=True)
            if lazy:
                self._never_run(node, node.value)
        else:
            value = self.expressions.of(node.value)
            self._discarded(node)
            learning = self.context.learning()
            if isinstance(node.value, cst.Yield) and learning is not None:
                learning.unwinds &= self.unwinding.out(0, raised=True) == KEEP
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
        if learning is not None and value.kind is Kind.FUNCTION and value.shift is not None:
            first = parameters_of(learning.node.params)[:1]
            # What it was handed, wrapped: a function of the file, or any that it decorates.
            if not value.definitions or value.identity.intersection(first):
                learning.wraps = value.shift
        if learning is not None and not learning.is_generator and not self.dead:
            value = self._leave(learning, value)
            learning.returns = value if learning.returns is None else learning.returns | value
        context.state.reached = False
        return False

    def _returned(self, node: cst.CSTNode, value: Abstract) -> Abstract:
        """What goes back to the callers; what they handed in, they know without us."""
        context = self.context
        known, learning = context.function(), context.learning()
        if known is not None and learning is not None:
            value = value.without(known.handed_in() - learning.forwards)
        if value.kind is Kind.MODEL and value.label:
            value = model_state.settled(context, value)
        value = of_another_function(value)
        if known is not None and isinstance(known.node, cst.FunctionDef) and gives_arrays(context, known.node):
            # What a library gives so is no tensor with a graph, whatever it was run on.
            context.use(value, node, Purpose.VALUE, callee="numpy")
            return PLAIN
        context.use(value, node, Purpose.RETURNED)
        context.gives_back(value)
        if known is not None and value.lazy is not None:
            # Decorators take their mode back, and so does each block around.
            context.consumes(value, node, known.entry if known.own != KEEP else self.unwinding.out(0).of(known.entry))
        return value

    def _leave(self, learning: FunctionKnowledge, value: Abstract) -> Abstract:
        """What a ``finally`` makes of a value that is returned from within its ``try``, and of all else."""
        context = self.context
        here = context.state
        here.names[RETURNED] = value
        context.state = self.unwinding.leaving(0)
        context.left()
        value = context.state.names.pop(RETURNED, value)
        mode = context.state.mode
        context.state = here
        del here.names[RETURNED]
        learning.leaves = mode if learning.leaves == UNREACHED else learning.leaves | mode
        return value

    def visit_Raise(self, node: cst.Raise) -> bool:
        """``raise``."""
        if node.exc is not None:
            self.expressions.of(node.exc)
        self.unwinding.may_raise()
        self.context.state.reached = False
        return False

    def visit_Break(self, node: cst.Break) -> bool:
        """``break``."""
        self.loops.break_off()
        return False

    def visit_Continue(self, node: cst.Continue) -> bool:
        """``continue``."""
        self.loops.leave_turn()
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
            scope = lookup.scope_of(self.context, each.name.value)
            if scope is not None:
                self.context.here.elsewhere[each.name.value] = scope
        return False

    def visit_TypeAlias(self, node: cst.TypeAlias) -> bool:
        """``type X = ...``."""
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        """``import a.b as c``."""
        self.imports.names(node)
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        """``from a import b as c``."""
        self.imports.names_from(node)
        return False

    def visit_LazyImport(self, node: cst.LazyImport) -> bool:
        """``lazy import a.b as c``: binds the same names."""
        self.imports.names(cst.Import(node.names))
        return False

    def visit_LazyImportFrom(self, node: cst.LazyImportFrom) -> bool:
        """``lazy from a import b``: binds the same names."""
        self.imports.names_from(cst.ImportFrom(node.module, node.names, relative=node.relative))
        return False

    # --- compound statements --------------------------------------------------

    def visit_If(self, node: cst.If) -> bool:
        """``if``, ``elif``, ``else``."""
        self.branches.condition(node)
        return False

    def visit_Match(self, node: cst.Match) -> bool:
        """``match``."""
        self.branches.match(node)
        return False

    def visit_Try(self, node: cst.Try) -> bool:
        """``try``."""
        self.branches.attempt(node.body, node.handlers, node.orelse, node.finalbody)
        return False

    def visit_TryStar(self, node: cst.TryStar) -> bool:
        """``try`` with ``except*``."""
        self.branches.attempt(node.body, node.handlers, node.orelse, node.finalbody)
        return False

    def visit_Else(self, node: cst.Else) -> bool:
        """The body of an ``else``."""
        node.body.visit(self)
        return False

    def visit_For(self, node: cst.For) -> bool:
        """``for``."""
        self.loops.go_through(node)
        return False

    def visit_While(self, node: cst.While) -> bool:
        """``while``."""
        self.loops.repeat(node)
        return False

    def visit_With(self, node: cst.With) -> bool:
        """``with``."""
        self.with_statements.run_within(node)
        return False

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
        parents = [context.learned.classes[each] for each in known.parents if each in context.learned.classes]
        known.role = role_of(known, parents)
        known.has_base_elsewhere = any(each.has_base_elsewhere for each in parents) or any(
            name.rsplit(".", 1)[-1] not in PROTOCOLS
            for base in bases
            if not any(isinstance(each, cst.ClassDef) for each in base.definitions)
            for name in self.definitions._base_names(base)
        )
        defined = [each for each in node.body.body if isinstance(each, cst.FunctionDef) and not _accesses(each)]
        known.methods = {each.name.value: each for each in defined}
        value = Abstract(kind=Kind.CLASS, definitions=(node,), label=node.name.value)
        self.expressions.targets.bind(node.name.value, value)
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
        functions, node = self.context.learned.functions, deferred.node
        learning = functions[node]
        self._entered(deferred, learning)
        self.definitions.learn_class(deferred)
        later = len(self.definitions.deferred)
        wanted = dict.fromkeys((*learning.requested, *learning.doubts.values()))
        for flags in wanted if not learning.is_generator else ():
            # All that it does to others is known: this is what its callers find.
            variant = FunctionKnowledge(node, learning.parent, learning.owner, learning.parameters, learning.tests)
            variant.own, variant.decorators, variant.doubts = learning.own, learning.decorators, learning.doubts
            functions[node] = learning.variants[flags] = variant
            self.context.recorder.quiet += 1
            self._entered(deferred, variant, flags)
            self.context.recorder.quiet -= 1
        functions[node] = learning
        del self.definitions.deferred[later:]
        here = self.context.here
        here.function, here.owner, here.scopes, here.flags = None, None, (None,), ()

    def _entered(self, deferred: Deferred, learning: FunctionKnowledge, flags: Flags = ()) -> None:
        """Walk the body of a function, for all its calls, or for those that say something outright."""
        context = self.context
        node = deferred.node
        here = context.here
        known = context.known.functions.get(node)
        learning.leaves = UNREACHED
        self.unwinding.enter_function()
        self.dead = False
        context.state = State()
        here.function, here.owner, here.scopes = node, deferred.owner, deferred.scopes
        here.loops, here.switches, here.tests, here.passed, here.branches = (), (), (), (), ()
        here.idle, here.elsewhere, here.generators, here.body, here.caught = (), {}, (), node.body, ()
        here.requires, here.by_chance = (), False
        enter(context, node, deferred.owner, known)
        take(context, learning, flags)
        if isinstance(node, cst.Lambda):
            here.statement = here.block = node
            learning.returns = self._leave(learning, self._returned(node, self.expressions.of(node.body)))
        else:
            here.statement = here.block = node.body
            node.body.visit(self)
            if context.state.reached:
                self._leave(learning, NONE)
                if not learning.is_generator:
                    learning.returns = NONE if learning.returns is None else learning.returns | NONE
        if learning.leaves == UNREACHED:
            learning.leaves = KEEP


RETURNED = "returned waits"
"""What is returned, until a ``finally`` is done: a name that no program can write."""
PROTOCOLS = frozenset({"object", "ABC", "Generic", "Protocol"})
"""Classes that say what others are like, and do nothing for them."""


def _accesses(method: cst.FunctionDef) -> bool:
    """``@model.setter``: the attribute is still what the property gives."""
    return any(
        isinstance(each.decorator, cst.Attribute) and each.decorator.attr.value in {"setter", "deleter"}
        for each in method.decorators
    )
