"""What a call does and gives, its callee and arguments being known."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial, reduce
from operator import or_

import libcst as cst

from .. import naming, torch_api, torch_classes
from ..facts import Kind, Reveal
from ..grad import ANYTHING, KEEP, Answer, Shift
from . import lookup, model_state
from .calling.builtin_functions import BuiltinFunctions
from .calling.containers import Containers
from .calling.effects import Effects
from .calling.functions import Functions
from .calling.gradients import Gradients
from .calling.library import Library
from .calling.managers import Managers
from .calling.methods import Methods
from .calling.models import Models
from .calling.rows import Rows
from .calling.tensors import Tensors
from .collected import Arguments
from .computing import computed
from .context import Context
from .reading import path_of
from .value import UNKNOWN, Abstract, Leaving, replace


@dataclass(slots=True)
class Calls:
    """The meaning of calls."""

    context: Context
    rows: Rows = field(init=False)
    containers: Containers = field(init=False)
    managers: Managers = field(init=False)
    functions: Functions = field(init=False)
    models: Models = field(init=False)
    gradients: Gradients = field(init=False)
    tensors: Tensors = field(init=False)
    methods: Methods = field(init=False)
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        """Each kind of call has its own room; they share the context."""
        context = self.context
        self.rows = rows = Rows(context)
        self.containers = Containers(context, rows)
        self.managers = Managers(context)
        self.functions = Functions(context, rows, Effects(context, self.containers))
        self.models = Models(context, rows, self.functions)
        self.gradients = Gradients(context, rows)
        self.tensors = Tensors(context, rows, self.containers, self.functions)
        self.methods = Methods(
            context, rows, self.containers, self.managers, self.functions, self.models, self.gradients, self.tensors
        )
        builtins = BuiltinFunctions(context, rows, self.containers, self.gradients)
        self.library = Library(context, rows, self.functions, self.gradients, self.tensors, builtins)

    def call(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Call a value."""
        context = self.context
        if callee.label == "reveal":
            return self._reveal(node, given)
        self._wrapped(node, callee.label)
        if callee.kind is Kind.FUNCTION and callee.definitions:
            return self.functions.call(node, callee, given)
        if callee.kind is Kind.CLASS and callee.definitions:
            return self.functions.construct(node, callee, given)
        if callee.kind is Kind.SWITCH and callee.shift is not None:
            if callee.leaving & Leaving.LONG_AGO:
                # What it wraps gets the switch; the mode is back that there was when it was made.
                context.state.mode = ANYTHING
            for each in given.positional:
                if each.kind is Kind.FUNCTION:
                    return replace(each, shift=callee.shift.then(each.shift or KEEP), parameter=None)
            return replace(callee, kind=Kind.FUNCTION, definitions=())
        if callee.kind is Kind.FUNCTION and callee.shift is not None:
            return self._shifted(node, callee, callee.shift, given)
        if callee.kind is Kind.MODEL or lookup.is_module_of_another_file(context, callee):
            return self.models.forward(node, callee, "__call__", given)
        if callee.kind is Kind.CRITERION:
            self.rows.handed_on(node, callee.label, given, known=True)
            operands = [each for each in given.all() if each.kind is not Kind.PLAIN]
            context.meets(node, callee.api, operands)
            result = replace(computed(node, operands, context.mode()), kind=Kind.TENSOR)
            return replace(result, is_inference=Answer.UNKNOWN) if callee.api in torch_classes.PASSING_ON else result
        methods = lookup.methods(context, callee, "__call__")
        if methods:
            called = Abstract(kind=Kind.FUNCTION, label=callee.label, definitions=(*methods,), bound=callee)
            return self.functions.call(node, called, given)
        if callee.api:
            return self.library.call(node, callee.api, given)
        if callee.either:
            first, *others = (self.library.call(node, each, given) for each in sorted(callee.either))
            return reduce(or_, others, first)
        return self._unknown(node, callee, given)

    def _shifted(self, node: cst.Call, callee: Abstract, shift: Shift, given: Arguments) -> Abstract:
        """Call what a switch was wrapped around: ``torch.enable_grad()(closure)()``."""
        state = self.context.state
        outside = state.mode
        state.mode = outside.then(shift)
        result = self._unknown(node, callee, given)
        state.mode = outside
        return result

    def _wrapped(self, node: cst.Call, name: str) -> None:
        """Calling the function that a decorator was given: under which mode, and with what, its users want to know."""
        context = self.context
        if not name or name in context.state.names:
            return
        for scope in context.here.scopes[1:]:
            if isinstance(scope, cst.FunctionDef):
                learned = context.learned.functions.get(scope)
                if learned is not None and learned.parameters[:1] == (name,):
                    function = context.learning()
                    shift = (function.own if function is not None else KEEP).then(context.state.mode)
                    learned.wraps = shift if learned.wraps is None else learned.wraps | shift
                    by = context.here.function
                    if by is not None:
                        names = context.state.names
                        given = [names.get(path_of(each.value), UNKNOWN) for each in node.args if not each.star]
                        learned.wrapped[node] = by, all(each.parameter is not None for each in given)
                    return

    def _unknown(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        context = self.context
        name = callee.label
        functions = [each for each in callee.definitions if not isinstance(each, cst.ClassDef)]
        if functions:
            # The name holds something else as well.
            ways = [partial(self.functions.one, node, each, callee, given) for each in functions]
            classes = tuple(each for each in callee.definitions if isinstance(each, cst.ClassDef))
            return context.either([*ways, partial(self._unknown, node, replace(callee, definitions=classes), given)])
        for owner in callee.definitions:
            # A module, or its class: nothing is known of what it gives, but what it is given may go in.
            forward = lookup.method(context, owner, "forward") if isinstance(owner, cst.ClassDef) else None
            if forward is not None:
                context.called(forward)
                self.models.hand_in(forward, callee, given)
        is_text = not torch_api.TEXT_KEYWORDS.isdisjoint(given.keywords)
        is_method = callee.kind is Kind.FUNCTION
        if naming.sounds_like_model(name) and not is_text and not is_method and not self._makes(name, given):
            model = Abstract(label=name, training=callee.training)
            return self.models.forward(node, model, "__call__", given)
        self.rows.call(node, name, UNKNOWN, given)
        maker = path_of(callee.made_at.func) if isinstance(callee.made_at, cst.Call) else ""
        # What an object differentiates, the name of its class tells, where its own does not.
        behind = self.rows.handed_on(node, maker if naming.sounds_like_attack(maker) else name, given)
        return Abstract(forwards=behind, made_under=context.mode(), made_at=node, identity=frozenset({node}))

    def _makes(self, name: str, given: Arguments) -> bool:
        """Whether a name that nothing in the file binds is a maker: ``from models import *``, ``resnet50(10)``."""
        return all(each.kind is Kind.PLAIN for each in given.all()) and not lookup.is_bound(self.context, name)

    def _reveal(self, node: cst.Call, given: Arguments) -> Abstract:
        value = given.at(0) or UNKNOWN
        if not self.context.recorder.quiet:
            training = model_state.training(self.context, value).answer
            self.context.recorder.write(Reveal(node, self.context.mode(), value.fact(), training))
        return value
