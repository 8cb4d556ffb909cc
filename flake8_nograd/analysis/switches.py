"""Where grad mode is switched: statements, ``with`` and decorators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import takewhile
from operator import or_

import libcst as cst

from .. import naming, torch_api
from ..facts import Form, Joined, Kind, Switch, Value
from ..grad import ANYTHING, KEEP, SET_UNKNOWN, GradMode, Shift
from .binding import Bindings
from .collected import Arguments
from .context import Context
from .expressions import Expressions
from .reading import joined, path_of
from .recorder import Surroundings
from .switching import OFF, changed, switch_of
from .value import Abstract, Def, Leaving, replace


@dataclass(slots=True)
class Switches:
    """The rows of switches, and what they do to grad mode."""

    context: Context
    expressions: Expressions
    bindings: Bindings

    def statement(self, node: cst.Expr, value: Abstract) -> None:
        """A switch as a statement of its own."""
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
            value.api,
            Form.STATEMENT,
            called,
            before,
            context.mode(),
            None if function is None else function.row,
            context.place(),
            value.shift.enables,
            self._arguments(node.value),
            rest=_rest(context.here),
            conditions=_conditions(context.here),
        )
        context.recorder.write(switch)
        if not effective:
            context.here.idle = (*context.here.idle, switch)

    def condition(self, node: cst.BaseExpression, value: Abstract) -> tuple[Switch, ...]:
        """The row of a switch that is made to be asked whether it is true, if that is what a condition does."""
        context = self.context
        if not isinstance(node, cst.Call) or value.kind is not Kind.SWITCH or value.shift is None:
            return ()
        if value.api not in torch_api.SWITCHES or self.bindings.before(node.func).kind is not Kind.API:
            return ()
        function = context.function()
        switch = Switch(
            node,
            value.api,
            Form.CONDITION,
            True,
            context.mode(),
            context.mode(),
            None if function is None else function.row,
            context.place(),
            value.shift.enables,
            self._arguments(node),
        )
        context.recorder.write(switch)
        return (switch,)

    def _arguments(self, node: cst.BaseExpression) -> tuple[Value, ...] | None:
        """What torch's own class is called with, if that is what stands here."""
        if not isinstance(node, cst.Call) or self.bindings.before(node.func).kind is not Kind.API:
            return None
        return tuple(
            Value(Kind.PLAIN, literal="int") if isinstance(each, cst.Integer) else self.bindings.before(each).fact()
            for each in (argument.value for argument in node.args)
        )

    def joined(self, item: cst.BaseExpression) -> tuple[Abstract, Shift, Leaving] | None:
        """Managers joined by ``and`` or ``or``, taken as what was meant: all are entered."""
        operator, operands = joined(item)
        if not operator:
            return None
        values = [self.bindings.before(each) for each in operands]
        entered = 0
        if operator == "and":
            # One that is false would be entered, and raise: in a program that works, a call gave an object.
            entered = len(operands) - 1
            if not all(
                value.kind is Kind.SWITCH or (isinstance(each, cst.Call) and not _asks(each, value))
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

    def entered(self, node: cst.With, item: cst.WithItem) -> tuple[Abstract, Shift, Leaving]:
        """What an item of a ``with`` holds, and what entering it does."""
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
                value.api,
                Form.WITH,
                called,
                before,
                changed(context.state.mode, shift).of(context.entry()),
                None if function is None else function.row,
                context.place(),
                shift.enables,
                self._arguments(item.item),
                next(iter(value.identity)) if len(value.identity) == 1 else None,
                spans_body=_spans_body(node, context.here.function),
                begins=_begins(node),
            )
            context.recorder.write(switch)
            context.here.switches = (*context.here.switches, switch)
        return value, shift, leaving

    def _shift_of(self, node: cst.BaseExpression, value: Abstract) -> tuple[Shift, Leaving]:
        """What entering a value does to grad mode, and leaving it."""
        known = self.expressions.calls.managers.entering(value)
        if known is not None:
            return known
        if value.kind is Kind.UNKNOWN and isinstance(node, cst.Call):
            # What is frozen while a block runs records as little as under no-grad.
            if self._perhaps_switches(_called(node)) or naming.sounds_like_freezing(_called(node)):
                return ANYTHING, Leaving.RESTORES
        if isinstance(node, cst.BooleanOperation | cst.IfExp):
            # One of several, of which not all are known.
            return ANYTHING, Leaving.RESTORES
        return KEEP, Leaving.NOTHING

    def decorator_shift(
        self, node: cst.FunctionDef, value: Abstract, decorator: cst.BaseExpression, *, called: bool
    ) -> Shift:
        """What a decorator does to grad mode while the function runs."""
        context = self.context
        name = value.api or value.label or path_of(uncalled(decorator))
        if name.rsplit(".", 1)[-1] in context.recorder.settings.no_grad_wrappers:
            return OFF
        if value.either:
            # try: import one, except ImportError: take another.
            each = (replace(value, api=api, either=frozenset()) for api in sorted(value.either))
            return reduce(or_, (self.decorator_shift(node, one, decorator, called=called) for one in each))
        if value.api in torch_api.SETTING_DECORATORS:
            return SET_UNKNOWN
        if value.api in torch_api.SWITCHES:
            switch = value if value.shift is not None else switch_of(value.api, _NO_ARGUMENTS)
            return switch.shift or KEEP
        if value.kind in {Kind.SWITCH, Kind.FUNCTION} and value.shift is not None:
            # A manager of the file runs whenever the function is called.
            if value.shift == KEEP and not node.decorators[1:]:
                decorated = context.known.functions.get(node)
                for definition in value.definitions:
                    if not isinstance(definition, cst.ClassDef):
                        context.called(definition, by=node)
                        if decorated is not None and decorated.leaves != KEEP:
                            context.learned.functions[definition].stirred = True
                return KEEP
            context.escapes(replace(value, kind=Kind.FUNCTION))
            context.framework_calls(value, GradMode.UNKNOWN)
            # One of another file may reach into a generator, as torch's own do; one of the file is left before it runs.
            return KEEP if value.definitions and self._is_generator(node) else value.shift
        for definition in value.definitions:
            if not isinstance(definition, cst.ClassDef):
                known = context.known.functions.get(definition)
                if known is not None and known.returns is not None:
                    # What it makes of the function is called wherever that is.
                    context.escapes(known.returns)
                if known is not None and known.wraps is not None:
                    return KEEP if self._is_generator(node) else known.wraps
                if known is not None:
                    return KEEP
        return ANYTHING if self._perhaps_switches(name) else KEEP

    def _perhaps_switches(self, name: str) -> bool:
        """Whether what is not in the file may turn gradients off, by its name and by where else it stands."""
        last = name.rpartition(".")[2]
        return naming.sounds_like_no_grad(name) and last not in self.context.known.beside_switches

    def stand_together(self, nodes: Sequence[cst.BaseExpression], values: Sequence[Abstract]) -> None:
        """Items of one ``with``, or decorators of a function: who writes ``no_grad()`` beside a wrapper needs it."""
        switches = [
            each.shift or switch_of(each.api, _NO_ARGUMENTS).shift for each in values if each.api in torch_api.SWITCHES
        ]
        if any(each is not None and each | OFF == OFF for each in switches):
            names = [
                path_of(uncalled(node))
                for node, value in zip(nodes, values, strict=True)
                if value.api not in torch_api.SWITCHES
            ]
            switching = filter(naming.sounds_like_no_grad, names)
            self.context.learned.beside_switches.update(name.rpartition(".")[2] for name in switching)

    def _is_generator(self, node: cst.FunctionDef) -> bool:
        """Whether a call of a function makes a generator, which runs when its decorators have left their modes."""
        known = self.context.known.functions.get(node)
        return known is not None and known.is_generator

    def decorator(
        self,
        node: cst.FunctionDef | cst.ClassDef,
        each: cst.Decorator,
        value: Abstract,
        form: Form,
        below: tuple[str, ...],
    ) -> None:
        """The row of a decorator that switches grad mode."""
        context = self.context
        if value.api in torch_api.SWITCHES:
            function = context.known.functions.get(node) if isinstance(node, cst.FunctionDef) else None
            before = function.entry if function is not None else GradMode.UNKNOWN
            shift = (value if value.shift is not None else switch_of(value.api, _NO_ARGUMENTS)).shift or KEEP
            context.recorder.write(
                Switch(
                    each,
                    value.api,
                    form,
                    value.kind is not Kind.API,
                    before,
                    shift.of(before),
                    function.row if function is not None else None,
                    context.place(),
                    shift.enables,
                    self._arguments(each.decorator),
                    below=below,
                )
            )


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


def _begins(node: cst.With) -> tuple[cst.CSTNode, ...]:
    """The simple statements that a block begins with."""
    found = takewhile(lambda each: isinstance(each, cst.SimpleStatementLine), node.body.body)
    return tuple(found) if isinstance(node.body, cst.IndentedBlock) else ()


def uncalled(node: cst.BaseExpression) -> cst.BaseExpression:
    """The decorator itself, whether or not it is called."""
    return node.func if isinstance(node, cst.Call) else node


_NO_ARGUMENTS = Arguments([], {})


def _asks(node: cst.Call, value: Abstract) -> bool:
    """Whether a call gives a yes or no, by which the next operand is entered or none."""
    return value.kind is Kind.PLAIN or naming.sounds_like_question(_called(node))


def _called(node: cst.Call) -> str:
    """What a call names, ``no_grad`` if it is a method of what another call gives."""
    return path_of(node.func) or (node.func.attr.value if isinstance(node.func, cst.Attribute) else "")
