"""What an expression is: evaluated in the order Python evaluates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import libcst as cst

from ..facts import Condition, Kind, Loss, Purpose, Yield
from ..grad import Answer
from . import lookup, model_state
from .attributes import Attributes
from .calls import Calls
from .collected import Arguments, chained, tupled
from .comprehensions import Comprehensions
from .computing import computed, detached, rescaled
from .conditions import asked as asked_of_parameters
from .conditions import makes_a_flag, outcome, suffices
from .context import Context
from .reading import evaluated, path_of
from .switching import acting
from .targets import Targets
from .value import NONE, PLAIN, TENSORS, UNKNOWN, Abstract, constant, replace
from .waiting import resumed


@dataclass(slots=True)
class Expressions:
    """Evaluates expressions in a context."""

    context: Context
    define: Callable[[cst.Lambda], None]
    """Take note of a lambda, whose body is walked later."""
    calls: Calls = field(init=False)
    targets: Targets = field(init=False)
    attributes: Attributes = field(init=False)
    comprehensions: Comprehensions = field(init=False)
    waiting: list[str] = field(default_factory=list)
    """Arguments that wait for later ones of their call, by what the state knows them under."""

    def __post_init__(self) -> None:
        """What calls, targets, attributes and comprehensions are, is known in the same context."""
        self.calls = Calls(self.context)
        self.targets = Targets(self.context, self.calls, self.of)
        self.attributes = Attributes(self.context, self.calls, self.of)
        self.comprehensions = Comprehensions(
            self.context, self.calls, self.targets, self.of, partial(self.call, is_statement=True)
        )

    def of(self, node: cst.BaseExpression | None) -> Abstract:
        """What an expression holds."""
        # LibCST's classes are abstract base classes, on which isinstance is slow: the frequent ones first.
        if type(node) is cst.Name:
            return self._name(node.value)
        if type(node) is cst.Attribute:
            return self.attributes.of(node)
        if type(node) is cst.Call:
            return self.call(node)
        match node:
            case None:
                return NONE
            case cst.Subscript():
                return self.attributes.item(node)
            case cst.BinaryOperation():
                return self._binary(node)
            case cst.Tuple() | cst.List() | cst.Set():
                return self._sequence(node)
            case cst.Float() | cst.Imaginary() | cst.Ellipsis():
                return PLAIN
            case cst.Integer() | cst.SimpleString():
                literal = evaluated(node.value)
                if isinstance(literal, str) and literal.isidentifier():
                    self.context.names(literal)
                return PLAIN if literal is None else constant(literal)
            case cst.ConcatenatedString():
                self.of(node.left)
                self.of(node.right)
                return PLAIN
            case cst.FormattedString(parts=parts):
                for part in parts:
                    if isinstance(part, cst.FormattedStringExpression):
                        self._ended(self.of(part.expression), part.expression, "format")
                return PLAIN
            case cst.UnaryOperation():
                return self._unary(node)
            case cst.Comparison():
                return self._comparison(node)
            case cst.BooleanOperation():
                return self._boolean(node)
            case cst.IfExp(body=body, orelse=orelse):
                return self._chosen(node, partial(self._acting, body), partial(self._acting, orelse))
            case cst.NamedExpr(target=target, value=value):
                result = self.of(value)
                if isinstance(target, cst.Name):
                    self.targets.bind(target.value, result)
                return result
            case cst.Dict():
                return self._dictionary(node)
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
                return self.comprehensions.of(node, lazy=isinstance(node, cst.GeneratorExp))
            case cst.Lambda():
                self.define(node)
                return Abstract(kind=Kind.FUNCTION, definitions=(node,))
            case cst.Await(expression=expression):
                result = self.of(expression)
                self.context.recorder.write(Yield(node, self.context.place(), True))
                return result
            case cst.Yield():
                return self.yielded(node)
            case cst.StarredElement(value=inner):
                return self.of(inner)
            case cst.Slice():
                return PLAIN
        return UNKNOWN

    def _name(self, name: str) -> Abstract:
        if name in {"True", "False"}:
            return constant(name == "True")
        if name == "None":
            return NONE
        return lookup.variable(self.context, name)

    # --- operators -----------------------------------------------------------

    def _binary(self, node: cst.BinaryOperation) -> Abstract:
        # Sums of hundreds of terms are nested to the left: no recursion on that side.
        spine = []
        left: cst.BaseExpression = node
        while isinstance(left, cst.BinaryOperation):
            spine.append(left)
            left = left.left
        result = self.of(left)
        for each in reversed(spine):
            right = self.of(each.right)
            result = self.operate(each, [result, right])
        return result

    def operate(self, node: cst.CSTNode, operands: list[Abstract]) -> Abstract:
        """An arithmetic operator."""
        if all(each.kind is Kind.PLAIN for each in operands):
            return PLAIN
        tensors = [each for each in operands if each.kind is not Kind.PLAIN]
        if isinstance(node, cst.BinaryOperation):
            operator = OPERATORS.get(type(node.operator).__name__, "")
            self.context.meets(node, operator, tensors)
            self.context.operates(tensors, node, operator)
        result = computed(node, tensors, self.context.mode())
        if any(each.kind is Kind.DATA for each in tensors) and all(each.kind is Kind.DATA for each in tensors):
            return replace(result, kind=Kind.DATA)
        if all(each.kind is Kind.CONTAINER for each in tensors):
            return replace(chained(tensors), identity=frozenset({node}))
        return rescaled(result, tensors) if _is_linear(node, len(tensors)) else result

    def _unary(self, node: cst.UnaryOperation) -> Abstract:
        value = self.of(node.expression)
        if isinstance(node.operator, cst.Not):
            self._ended(value, node, "not")
            return makes_a_flag(self.context, node)
        if value.kind is Kind.PLAIN:
            return PLAIN
        return replace(computed(node, [value], self.context.mode()), kind=value.kind)

    def _comparison(self, node: cst.Comparison) -> Abstract:
        operands = [self.of(node.left), *(self.of(each.comparator) for each in node.comparisons)]
        for each in operands:
            self._ended(each, node, "comparison")
        flag = makes_a_flag(self.context, node)
        if flag.constant is not None or all(each.kind is Kind.PLAIN for each in operands):
            return flag
        first = next(each for each in operands if each.kind is not Kind.PLAIN)
        result = detached(node, Loss.NON_DIFFERENTIABLE, first, self.context.mode())
        tensor = any(each.kind in TENSORS for each in operands)
        return result if tensor else replace(PLAIN, cut=result.cut)

    def _boolean(self, node: cst.BooleanOperation) -> Abstract:
        left = model_state.settled(self.context, self.of(node.left))
        before = self.context.state.fork()
        here = self.context.here
        by_chance, here.by_chance = here.by_chance, True
        right = model_state.settled(self.context, self.of(node.right))
        here.by_chance = by_chance
        self.context.state.become(self.context.state.join(before))
        return left | right

    def _chosen(self, node: cst.IfExp, body: Callable[[], Abstract], orelse: Callable[[], Abstract]) -> Abstract:
        """What one of two expressions holds, and does, after the test that chooses it."""
        here = self.context.here
        requires, by_chance = here.requires, here.by_chance

        def way(of: Callable[[], Abstract], conditions: tuple[Condition, ...], holds: bool) -> Abstract:
            here.requires = (*requires, *conditions)
            here.by_chance = by_chance or not suffices(self.context, node.test, holds=holds)
            result = model_state.settled(self.context, of())
            here.requires, here.by_chance = requires, by_chance
            return result

        self._ended(self.of(node.test), node.test, "if")
        where_true, where_false = asked_of_parameters(self.context, node.test)
        known = outcome(self.context, node.test)
        ways = [partial(way, body, where_true, True), partial(way, orelse, where_false, False)]
        return self.context.either(ways if known is Answer.UNKNOWN else ways[:1] if known is Answer.YES else ways[1:])

    def _acting(self, node: cst.BaseExpression) -> Abstract:
        return acting(self.context.state, node, model_state.settled(self.context, self.of(node)))

    def _ended(self, value: Abstract, node: cst.CSTNode, how: str) -> None:
        self.context.use(value, node, Purpose.VALUE, callee=how)

    def _sequence(self, node: cst.Tuple | cst.List | cst.Set) -> Abstract:
        values = [self._element(each) for each in node.elements]
        result = tupled(values)
        if any(isinstance(each, cst.StarredElement) for each in node.elements):
            result = replace(result, elements=None, item=_merged(values))
        elif values and all(each.kind is Kind.PARAMETER for each in values):
            result = replace(result, kind=Kind.PARAMETERS)
        return result if isinstance(node, cst.Tuple) else replace(result, identity=frozenset({node}))

    def _element(self, node: cst.BaseElement | cst.BaseDictElement) -> Abstract:
        """What goes into a container: of another one that is unpacked in it, what is in that."""
        value = self.of(node.value)
        if isinstance(node, cst.StarredElement | cst.StarredDictElement):
            return self.calls.containers.item(node, value)
        return value

    def _dictionary(self, node: cst.Dict) -> Abstract:
        values = []
        for each in node.elements:
            if isinstance(each, cst.DictElement):
                self.of(each.key)
            values.append(self._element(each))
        forwards = tupled(values).forwards
        return Abstract(kind=Kind.CONTAINER, item=_merged(values), forwards=forwards, identity=frozenset({node}))

    # --- calls ------------------------------------------------------------------

    def call(self, node: cst.Call, *, is_statement: bool = False) -> Abstract:
        """A call: callee first, then arguments, then what it does."""
        if isinstance(node.func, cst.IfExp):
            # ``(model.train if training else model.eval)()``: one of two calls.
            body, orelse = (
                partial(self._call_of, node, each, is_statement=is_statement)
                for each in (node.func.body, node.func.orelse)
            )
            return self._chosen(node.func, body, orelse)
        return self._call_of(node, node.func, is_statement=is_statement)

    def _call_of(self, node: cst.Call, func: cst.BaseExpression, *, is_statement: bool) -> Abstract:
        receiver: Abstract | None = None
        if isinstance(func, cst.Attribute):
            path = path_of(func)
            known = self.context.state.names.get(path) if path else None
            if known is not None:
                callee = lookup.named(self.context, known, path)
            else:
                receiver = self.of(func.value)
                callee = self.attributes.called(func, receiver, path)
        else:
            callee = self.of(func)
        given = self._arguments(node, callee, is_statement=is_statement)
        if receiver is not None and callee is UNKNOWN and isinstance(func, cst.Attribute):
            return self.calls.methods.call(node, receiver, func.attr.value, given)
        result = self.calls.call(node, callee, given)
        return self._asked_by_name(node, result, given) if callee.api == "builtins.getattr" else result

    def _asked_by_name(self, node: cst.Call, unknown: Abstract, given: Arguments) -> Abstract:
        """``getattr(model, "module", model)``: the attribute, or what is given in its place."""
        holder, name, instead = given.at(0), given.at(1), given.at(2)
        if holder is None or name is None or not isinstance(name.constant, str):
            return unknown
        found = self.attributes.by_name(node, holder, name.constant)
        return found if instead is None else model_state.settled(self.context, found) | instead

    def _arguments(self, node: cst.Call, callee: Abstract, *, is_statement: bool) -> Arguments:
        given = Arguments([], {}, is_statement=is_statement)
        waits = bool(callee.definitions) or callee.api.removeprefix("builtins.").removeprefix("itertools.") in WAITING
        values = self._one_by_one(node.args, lazy=waits)
        for argument, value in zip(node.args, values, strict=True):
            if argument.star:
                given.starred = True
                if given.unpacked_from is None:
                    given.unpacked_from = len(given.positional)
                given.positional.append(replace(value, label="", lazy=None))
            elif argument.keyword is not None:
                given.keywords[argument.keyword.value] = value
                if value.constant is not False:
                    # ``compute_force=False`` says that there are none.
                    self.context.names(argument.keyword.value)
            else:
                given.positional.append(value)
        return given

    def _one_by_one(self, arguments: Sequence[cst.Arg], *, lazy: bool) -> list[Abstract]:
        """The arguments of a call, as they are when the last one has been evaluated: it may have changed the others."""
        values: list[Abstract] = []
        kept: dict[int, str] = {}
        last = max((at for at, each in enumerate(arguments) if isinstance(each.value, cst.Call)), default=0)
        for at, argument in enumerate(arguments):
            if isinstance(argument.value, cst.GeneratorExp):
                # sum(...), list(...) and most others run it at once.
                value = self.comprehensions.of(argument.value, lazy=lazy and not argument.star)
            else:
                value = self.of(argument.value)
            values.append(value)
            if at < last and value.identity:
                # Under a name that no program can write it is changed with all the others that hold it.
                kept[at] = f"{len(self.waiting)} waits"
                self.waiting.append(kept[at])
                self.context.state.names[kept[at]] = value
        for at, name in kept.items():
            values[at] = self.context.state.names.pop(name)
            self.waiting.remove(name)
        return values

    # --- yields -----------------------------------------------------------------

    def yielded(self, node: cst.Yield) -> Abstract:
        """``yield`` and ``yield from``."""
        context = self.context
        given = node.value
        value = self.of(given.item if isinstance(given, cst.From) else given)
        if isinstance(given, cst.From):
            value = self.calls.containers.item(given, value)
        context.recorder.write(Yield(node, context.place(), False))
        context.use(value, node, Purpose.YIELDED)
        learning = context.learning()
        if learning is not None:
            context.yields()
            resumed(context)
            item = Abstract(kind=Kind.CONTAINER, item=value, forwards=value.forwards)
            learning.returns = item if learning.returns is None else learning.returns | item
        return UNKNOWN


def _merged(values: list[Abstract]) -> Abstract | None:
    if not values:
        return None
    result = values[0]
    for each in values[1:]:
        result = result | each
    return result


def _is_linear(node: cst.CSTNode, tensors: int) -> bool:
    """Whether an operator gives its operands gradients that do not depend on their content."""
    operator = node.operator if isinstance(node, cst.BinaryOperation | cst.AugAssign) else None
    if isinstance(operator, cst.Add | cst.Subtract | cst.AddAssign | cst.SubtractAssign):
        return True
    return tensors == 1 and isinstance(operator, cst.Multiply | cst.Divide | cst.MultiplyAssign | cst.DivideAssign)


WAITING = frozenset({"enumerate", "zip", "filter", "map", "iter", "chain", "islice", "cycle"})
"""Functions that take the items of what they are given when they are asked for their own."""
OPERATORS = {"Multiply": "*", "Divide": "/", "MatrixMultiply": "@", "Power": "**", "Add": "+", "Subtract": "-"}
