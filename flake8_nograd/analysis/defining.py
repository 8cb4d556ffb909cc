"""What definitions of functions and classes teach."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from ..facts import Form, Kind
from ..grad import ANYTHING, KEEP
from .aspects import Aspect, root_of
from .binding import Bindings
from .context import Context
from .entering import framework_mode, is_step_of_base, parameters_of
from .expressions import Expressions
from .function_knowledge import FunctionKnowledge
from .reading import path_of
from .switches import Switches, uncalled
from .switching import acting
from .value import Abstract, Def, Leaving


@dataclass(slots=True)
class Deferred:
    """A function body that is walked when its surroundings are done."""

    node: Def
    scopes: tuple[cst.FunctionDef | cst.Lambda | cst.ClassDef | None, ...]
    owner: cst.ClassDef | None


@dataclass(slots=True)
class Definitions:
    """Takes note of functions, whose bodies are walked later, and of classes."""

    context: Context
    expressions: Expressions
    bindings: Bindings
    switches: Switches
    deferred: list[Deferred] = field(default_factory=list)
    """Functions whose bodies are still to be walked, outer before inner."""
    lambdas: set[cst.Lambda] = field(default_factory=set)
    """Those that were met."""

    def function(self, node: cst.FunctionDef) -> None:
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
            acting(context.state, each.decorator, values[-1])
        context.state.mode = outside
        if any(
            value.leaving & Leaving.LONG_AGO and not isinstance(each.decorator, cst.Call)
            for each, value in zip(node.decorators, values, strict=True)
        ):
            # The mode is back that there was when it was made, and not here.
            context.state.mode = ANYTHING
        self.switches.stand_together([each.decorator for each in node.decorators], values)
        for each, value in zip(reversed(node.decorators), reversed(values), strict=True):
            called = isinstance(each.decorator, cst.Call)
            shift = self.switches.decorator_shift(node, value, each.decorator, called=called)
            if not any(name.endswith("contextmanager") for name in names):
                # Above @contextmanager it guards the making of the manager alone.
                own = shift.then(own)
            self.switches.decorator(node, each, value, Form.DECORATOR, tuple(reversed(names)))
            names.append((value.api or value.label or path_of(uncalled(each.decorator))).removeprefix("builtins."))
        known.decorators = tuple(reversed(names))
        functions = context.known.functions
        makers = [each for value in values for each in value.definitions if not isinstance(each, cst.ClassDef)]
        known.is_changed = any(each in functions and functions[each].interferes(functions) for each in makers)
        known.is_abstract = known.owner is not None and _does_nothing(node)
        if node.asynchronous is None:
            known.own = own
        for position, parameter in enumerate(parameters_of(node.params)):
            if parameter.default is not None:
                known.defaults[position] = self.expressions.of(parameter.default)
        value = Abstract(kind=Kind.FUNCTION, definitions=(node,), label=node.name.value)
        self.expressions.targets.bind(node.name.value, value)
        self.deferred.append(Deferred(node, (node, *context.here.scopes), context.here.owner))

    def define_lambda(self, node: cst.Lambda) -> None:
        """Take note of a lambda, once."""
        if node not in self.lambdas:
            self.lambdas.add(node)
            known = self._register(node)
            for position, parameter in enumerate(parameters_of(node.params)):
                if parameter.default is not None:
                    known.defaults[position] = self.expressions.of(parameter.default)
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
            context.here.tests,
        )
        if isinstance(node, cst.FunctionDef) and isinstance(owner, cst.ClassDef):
            known.framework = framework_mode(context.learned.classes[owner], node.name.value)
            known.is_step_of_base = is_step_of_base(context.learned.classes[owner], node.name.value)
        previous = context.learned.functions.get(node)
        if previous is not None:
            previous.framework = previous.framework or known.framework
            previous.is_step_of_base = previous.is_step_of_base or known.is_step_of_base
            return previous
        context.learned.functions[node] = known
        return known

    def learn_class(self, deferred: Deferred) -> None:
        """What ``__init__`` leaves the models of ``self`` in; or another method, those that it binds."""
        owner, node = deferred.owner, deferred.node
        if owner is None or not isinstance(node, cst.FunctionDef):
            return
        learned = self.context.learned.classes[owner]
        left = {
            aspect: {path: setting for path, setting in table.items() if path.startswith("self.")}
            for aspect, table in self.context.state.settings.items()
        }
        if node.name.value == "__init__":
            learned.settings = left
            return
        made = {
            path: setting
            for path, setting in left[Aspect.TRAINING].items()
            if node in learned.makers.get(root_of(path.removeprefix("self.")), ())
        }
        if made:
            learned.left[node] = made

    def _base_names(self, base: Abstract) -> list[str]:
        names = [base.api] if base.api else []
        for each in base.definitions:
            if isinstance(each, cst.ClassDef) and each in self.context.learned.classes:
                names += [each.name.value, *self.context.learned.classes[each].bases]
        return names or ([base.label] if base.label else [])


def _does_nothing(node: cst.FunctionDef) -> bool:
    """Whether a body is ``pass``, ``...`` or ``raise NotImplementedError``, with a docstring or without."""
    body = list(node.body.body)
    statements = [
        small for each in body for small in (each.body if isinstance(each, cst.SimpleStatementLine) else [each])
    ]
    return all(map(_is_placeholder, statements))


def _is_placeholder(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.Pass() | cst.Expr(value=cst.Ellipsis() | cst.SimpleString() | cst.ConcatenatedString()):
            return True
        case cst.Raise(exc=cst.Name(value=name) | cst.Call(func=cst.Name(value=name))):
            return name == "NotImplementedError"
    return False
