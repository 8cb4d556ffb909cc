"""What an expression is: evaluated in the order Python evaluates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import libcst as cst

from .. import naming, torch_api, torch_classes, torch_operations
from ..facts import Condition, Evaluated, Kind, Leaf, Loop, Loss, Purpose, Yield
from ..grad import ANYTHING, Answer
from .aspects import Aspect, Setting
from .calls import Calls
from .changing import holds_too
from .collected import Arguments, chained, tupled
from .conditions import asked as asked_of_parameters
from .context import Context, parameter_of
from .putting import GROUPS, alias, mark, put_all, takes_mode_of, went_through
from .reading import bound_by, elements_of, path_of
from .state import State
from .switching import acting, of_another_function
from .value import (
    COLLECTIONS_OF_DATA,
    DATA,
    NONE,
    PLAIN,
    UNKNOWN,
    Abstract,
    Lazy,
    computed,
    constant,
    detached,
    holds_models,
    in_turn,
    replace,
    rescaled,
)
from .waiting import resumed


@dataclass(slots=True)
class Expressions:
    """Evaluates expressions in a context."""

    context: Context
    define: Callable[[cst.Lambda], None]
    """Take note of a lambda, whose body is walked later."""
    calls: Calls = field(init=False)
    waiting: list[str] = field(default_factory=list)
    """Arguments that wait for later ones of their call, by what the state knows them under."""

    def __post_init__(self) -> None:
        """Calls are evaluated in the same context."""
        self.calls = Calls(self.context)

    def of(self, node: cst.BaseExpression | None) -> Abstract:
        """What an expression holds."""
        # LibCST's classes are abstract base classes, on which isinstance is slow: the frequent ones first.
        if type(node) is cst.Name:
            return self._name(node.value)
        if type(node) is cst.Attribute:
            return self._attribute(node)
        if type(node) is cst.Call:
            return self.call(node)
        match node:
            case None:
                return NONE
            case cst.Subscript():
                return self._subscript(node)
            case cst.BinaryOperation():
                return self._binary(node)
            case cst.Tuple() | cst.List() | cst.Set():
                return self._sequence(node)
            case cst.Integer():
                return constant(node.evaluated_value)
            case cst.Float() | cst.Imaginary() | cst.Ellipsis():
                return PLAIN
            case cst.SimpleString():
                text = node.evaluated_value
                if isinstance(text, str) and text.isidentifier():
                    self.context.names(text)
                return constant(text) if isinstance(text, str) else PLAIN
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
            case cst.IfExp(test=test, body=body, orelse=orelse):
                self._ended(self.of(test), test, "if")
                return self._chosen(test, body, orelse)
            case cst.NamedExpr(target=target, value=value):
                result = self.of(value)
                if isinstance(target, cst.Name):
                    self.bind(target.value, result)
                return result
            case cst.Dict():
                return self._dictionary(node)
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
                return self.comprehension(node, lazy=isinstance(node, cst.GeneratorExp))
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

    # --- names -------------------------------------------------------------

    def bind(self, name: str, value: Abstract) -> None:
        """Bind a local name."""
        context = self.context
        context.names(name)
        value = context.marked(value)
        if value.kind is not Kind.MODEL or value.label != name:
            # Else it is the same object: ``model = model.to(device)``.
            context.state.forget_under(name)
            context.state.rename(name)
            for table in context.state.settings.values():
                table.pop(name, None)
        if value.kind is Kind.MODEL and value.label and value.label != name:
            alias(context, name, value.label)
        elif value.kind is Kind.MODEL and not value.label and value.training.answer is Answer.NO:
            # ``model = DataParallel(model)``: where branches meet, the name was in evaluation mode in both.
            context.state.settings[Aspect.TRAINING][name] = value.training
        if value.label and value.label != name and value.kind in COLLECTIONS_OF_DATA:
            value = replace(value, source=value.source or value.label)
        self._built(name, value)
        if "." in name:
            context.state.hold(name, value, context.held_by_object(name))
        else:
            context.state.names[name] = value
        if "." not in name:
            context.learned.bind(context.here.elsewhere.get(name, context.here.scopes[0]), name, value)

    def _built(self, name: str, value: Abstract) -> None:
        """A module of the file that has no name yet gets one: its parts are what its constructor left them in."""
        context = self.context
        if value.kind is not Kind.MODEL or value.label:
            return
        if value.frozen.is_set:
            context.state.settings[Aspect.FROZEN][name] = value.frozen
        for owner in value.definitions:
            known = context.known.classes.get(owner) if isinstance(owner, cst.ClassDef) else None
            if known is not None:
                for aspect, left in known.settings.items():
                    for path, setting in left.items():
                        context.state.settings[aspect][name + path[len("self") :]] = Setting(
                            setting.answer, Evaluated.CONSTRUCTOR
                        )

    def _name(self, name: str) -> Abstract:
        if name in {"True", "False"}:
            return constant(name == "True")
        if name == "None":
            return NONE
        return self.context.lookup(name)

    def _attribute(self, node: cst.Attribute, item: cst.Subscript | None = None) -> Abstract:
        context = self.context
        path = path_of(node)
        if path:
            known = context.state.names.get(path)
            if known is not None:
                return context.named(known, path)
        base = self.of(node.value)
        return self.attribute(node, base, node.attr.value, path, item)

    def attribute(
        self, node: cst.CSTNode, base: Abstract, name: str, path: str, item: cst.Subscript | None = None
    ) -> Abstract:
        """An attribute of a value, of which the first item may be asked."""
        context = self.context
        if base.api and base.kind is Kind.API:
            return Abstract(kind=Kind.API, label=path, api=torch_api.canonical(f"{base.api}.{name}"))
        for owner in base.definitions:
            if isinstance(owner, cst.ClassDef):
                method = context.method(owner, name)
                if method is not None:
                    return self._method(base, owner, method, path)
                found = context.attribute(owner, name)
                if found is not None:
                    found = replace(found, parameter=None, identity=frozenset())
                    return context.named(context.as_object_has_it(base, found), path)
        if name == "grad_fn" or (name == "requires_grad" and base.forwards):
            context.walks_graph()
            context.use(base, node, Purpose.VALUE, callee=name)
        if name == "backward" and base.forwards:
            # Somebody else will call it.
            context.use(base, node, Purpose.GRADIENT)
        if name in PLAIN_ATTRIBUTES:
            return PLAIN
        if name == "grad":
            held = base.label
            learning = context.learning()
            if learning is not None:
                learning.reads_grad = True
            return Abstract(kind=Kind.TENSOR, label=path or f"{held}.grad", requires_grad=Answer.NO, api="")
        if name == "data" and (base.kind in TENSOR_KINDS or base.forwards):
            context.use(base, node, Purpose.VALUE, callee="data", item=item)
            return replace(detached(node, Loss.DATA, base, context.mode()), label=path, is_view=True)
        if name in PAIR and base.elements is not None and len(base.elements) == len(PAIR):
            part = base.elements[PAIR.index(name)]
            context.takes(base, part, node)
            return context.named(part, path) if path else part
        if base.kind is Kind.MODEL:
            return self._part(node, base, name, path)
        if name == "param_groups":
            return _groups(node)
        if name in torch_operations.VIEW_ATTRIBUTES and base.kind in TENSOR_KINDS:
            return computed(node, [base], context.mode(), view=True)
        if base.kind in {Kind.TENSOR, Kind.DATA, Kind.PARAMETER, Kind.CONTAINER, Kind.UNKNOWN}:
            requires = Answer.NO if base.kind is Kind.DATA or name == "data" else Answer.UNKNOWN
            kind = Kind.DATA if base.kind is Kind.DATA else Kind.UNKNOWN
            value = Abstract(kind=kind, requires_grad=requires, forwards=base.forwards, label=path)
            if base.kind is Kind.TENSOR and base.forwards and base.is_inference is Answer.YES:
                # An output of a model: ``out.logits``.
                value = replace(value, is_inference=Answer.YES, block=base.block, made_at=base.made_at)
            return context.named(value, path) if path else value
        return context.named(UNKNOWN, path) if path else UNKNOWN

    def _method(self, base: Abstract, owner: cst.ClassDef, method: cst.FunctionDef, path: str) -> Abstract:
        known = self.context.learned.functions.get(method) or self.context.known.functions.get(method)
        decorators = known.decorators if known is not None else ()
        if "property" in decorators:
            self.context.called(method)
            returns = known.returns if known is not None else None
            return self.context.named(UNKNOWN if returns is None else replace(returns, parameter=None), path)
        bound = None if base.kind is Kind.CLASS else base
        if "staticmethod" in decorators:
            bound = None
        elif "classmethod" in decorators:
            bound = Abstract(kind=Kind.CLASS, definitions=(owner,))
        # Of ``self``, a class that is derived in the file may have another.
        others = self.context.overrides(owner, method.name.value) if owner in base.identity else []
        return Abstract(kind=Kind.FUNCTION, label=path, definitions=(method, *others), bound=bound)

    def _part(self, node: cst.CSTNode, model: Abstract, name: str, path: str) -> Abstract:
        """A part of a model of which the class is not known."""
        if name in {"weight", "bias"}:
            weight = self.context.parameter(node, model)
            return replace(weight, leaf=Leaf.ATTRIBUTE, label=path)
        part = name == "module" or naming.sounds_like_model(name) or naming.sounds_like_layer(name)
        if part or path in self.context.known.modules:
            return Abstract(
                kind=Kind.MODEL,
                label=path,
                training=model.training,
                frozen=self.context.frozen_setting(model),
                made_under=model.made_under,
            )
        return Abstract(label=path)

    def _subscript(self, node: cst.Subscript) -> Abstract:
        context = self.context
        asked = node.value
        if isinstance(asked, cst.Attribute) and _index(node) == 0:
            base = self._attribute(asked, node)
        else:
            base = self.of(asked)
        keys = []
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                keys.append(self.of(element.slice.value))
            elif isinstance(element.slice, cst.Slice):
                for bound in (element.slice.lower, element.slice.upper, element.slice.step):
                    if bound is not None:
                        self.of(bound)
        if base.forwards and any(
            isinstance(key.constant, str) and naming.sounds_like_gradient(key.constant) for key in keys
        ):
            # ``model(batch)["forces"]``: the model differentiates inside.
            context.use(base, node, Purpose.GRADIENT)
        label = f"{base.label}[...]" if base.label else ""
        if base.elements is not None and len(keys) == 1:
            number = _index(node)
            if number is not None and -len(base.elements) <= number < len(base.elements):
                context.takes(base, base.elements[number], node)
                return base.elements[number]
        if len(keys) == 1 and keys[0].constant == "params" and _is_group(base):
            item = parameter_of(node, GROUPS, Answer.UNKNOWN)
            if context.known.freezes:
                item = replace(item, requires_grad=Answer.UNKNOWN)
            return Abstract(kind=Kind.PARAMETERS, item=item, label=label)
        if base.kind is Kind.PARAMETERS:
            return self.calls.containers.item(node, base)
        if base.kind is Kind.STATE:
            return Abstract(kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES)
        if base.item is not None:
            return replace(base.item, forwards=base.item.forwards | base.forwards, label=label)
        if base.kind is Kind.DATA:
            return replace(DATA, label=label)
        if base.kind in TENSOR_KINDS:
            context.meets(node, "[]", [base, *keys])
            context.operates([base], node, "[]")
            result = computed(node, [base], context.mode(), view=True)
            if any(each.kind is not Kind.PLAIN for each in keys):
                # Indices in a tensor pick copies.
                result = replace(result, is_inference=Answer.UNKNOWN)
            if base.made_at in base.forwards:
                # What a model gives may be a tuple, and this an item of it.
                result = replace(result, is_view=False)
            return replace(result, label=label, leaf=base.leaf, kind=Kind.TENSOR)
        if base.kind is Kind.MODEL:
            number = _index(node)
            if base.label and number is not None and number >= 0:
                label = f"{base.label}[{number}]"
            frozen = self.context.frozen_setting(base)
            return Abstract(
                kind=Kind.MODEL,
                label=label,
                training=self.context.training(base),
                frozen=frozen,
                made_under=base.made_under,
            )
        if base.kind is Kind.PLAIN:
            return replace(PLAIN, label=label)
        # ``self.decoders[key]`` is in the mode of ``self``, under whatever name it is called.
        return Abstract(label=label, forwards=base.forwards, training=context.training(base))

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
            return PLAIN
        if value.kind is Kind.PLAIN:
            return PLAIN
        return replace(computed(node, [value], self.context.mode()), kind=value.kind)

    def _comparison(self, node: cst.Comparison) -> Abstract:
        operands = [self.of(node.left), *(self.of(each.comparator) for each in node.comparisons)]
        for each in operands:
            self._ended(each, node, "comparison")
        if all(each.kind is Kind.PLAIN for each in operands):
            return PLAIN
        first = next(each for each in operands if each.kind is not Kind.PLAIN)
        result = detached(node, Loss.NON_DIFFERENTIABLE, first, self.context.mode())
        tensor = any(each.kind in TENSOR_KINDS for each in operands)
        return result if tensor else replace(PLAIN, cut=result.cut)

    def _boolean(self, node: cst.BooleanOperation) -> Abstract:
        left = self.context.settled(self.of(node.left))
        before = self.context.state.fork()
        right = self.context.settled(self.of(node.right))
        self.context.state.become(self.context.state.join(before))
        return left | right

    def _chosen(self, test: cst.BaseExpression, body: cst.BaseExpression, orelse: cst.BaseExpression) -> Abstract:
        here = self.context.here
        requires = here.requires

        def way(node: cst.BaseExpression, holds: tuple[Condition, ...]) -> Abstract:
            here.requires = (*requires, *holds)
            result = acting(self.context.state, node, self.context.settled(self.of(node)))
            here.requires = requires
            return result

        where_true, where_false = asked_of_parameters(self.context, test)
        return self.context.either([partial(way, body, where_true), partial(way, orelse, where_false)])

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
        func = node.func
        receiver: Abstract | None = None
        if isinstance(func, cst.Attribute):
            path = path_of(func)
            known = self.context.state.names.get(path) if path else None
            if known is not None:
                callee = self.context.named(known, path)
            else:
                receiver = self.of(func.value)
                callee = self._callee(func, receiver, path)
        else:
            callee = self.of(func)
        given = self._arguments(node, callee, is_statement=is_statement)
        if receiver is not None and callee is UNKNOWN and isinstance(func, cst.Attribute):
            return self.calls.methods.call(node, receiver, func.attr.value, given)
        return self.calls.call(node, callee, given)

    def _callee(self, func: cst.Attribute, receiver: Abstract, path: str) -> Abstract:
        """What is called as an attribute; ``UNKNOWN`` for a method of a library's object."""
        name = func.attr.value
        if receiver.kind is Kind.API and receiver.api:
            return self.attribute(func, receiver, name, path)
        if receiver.api == "super" and name == "__init__":
            # What a class binds, its objects have in any case.
            return UNKNOWN
        for owner in receiver.definitions:
            if isinstance(owner, cst.ClassDef):
                if self.context.method(owner, name) is not None:
                    return self.attribute(func, receiver, name, path)
                found = self.context.attribute(owner, name)
                if found is not None:
                    found = replace(found, parameter=None, identity=frozenset())
                    return self.context.named(self.context.as_object_has_it(receiver, found), path)
        if path and name not in torch_classes.MODULE_METHODS_NOT_FORWARD:
            if path in self.context.known.modules:
                return Abstract(kind=Kind.MODEL, label=path)
            if receiver.kind is not Kind.MODEL and naming.sounds_like_criterion(name):
                return Abstract(kind=Kind.CRITERION, label=path)
            if receiver.kind is Kind.MODEL and (naming.sounds_like_model(name) or naming.sounds_like_layer(name)):
                return self._part(func, receiver, name, path)
            if receiver.kind in {Kind.INSTANCE, Kind.UNKNOWN} and naming.sounds_like_model(name):
                # An attribute that another file sets: a base class, or the class of ``agent`` in ``agent.actor(x)``.
                return Abstract(label=path)
        return UNKNOWN

    def _arguments(self, node: cst.Call, callee: Abstract, *, is_statement: bool) -> Arguments:
        given = Arguments([], {}, is_statement=is_statement)
        waits = bool(callee.definitions) or callee.api.removeprefix("builtins.").removeprefix("itertools.") in WAITING
        values = self._one_by_one(node.args, lazy=waits)
        for argument, value in zip(node.args, values, strict=True):
            if argument.star:
                given.starred = True
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
                value = self.comprehension(argument.value, lazy=lazy and not argument.star)
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

    # --- comprehensions ---------------------------------------------------------

    def comprehension(
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
        first = True
        targets: set[str] = set()
        whole = ""
        all_of: dict[str, str] = {}
        while target is not None:
            iterated = self.of(target.iter)
            picks = bool(target.ifs) or not first or target.inner_for_in is not None
            whole = "" if picks or iterated.kind is not Kind.PARAMETERS else iterated.source
            targets.update(bound_by(target.target))
            if lazy and first:
                context.state.mode = ANYTHING
            first = False
            function = context.function()
            loop = Loop(
                node,
                None if function is None else function.row,
                loops[-1] if loops else None,
                iterated.fact(),
                context.here.statement,
                is_comprehension=True,
            )
            context.recorder.write(loop)
            context.here.loops = (*context.here.loops, loop)
            reached = in_turn(node, iterated, self.calls.containers.item(target.target, iterated))
            self.assign_target(target.target, reached, comprehension=True)
            collection, each = ("", "") if holds_models(iterated) else elements_of(target)
            if collection:
                all_of[each] = "" if picks else collection
                context.state.settings[Aspect.TRAINING].pop(each, None)
                takes_mode_of(context, collection, each)
            for condition in target.ifs:
                self._ended(self.of(condition.test), condition.test, "if")
            target = target.inner_for_in
        if isinstance(node, cst.DictComp):
            self.of(node.key)
            item = self.of(node.value)
        elif is_statement and isinstance(node.elt, cst.Call):
            item = self.call(node.elt, is_statement=True)
        else:
            item = self.of(node.elt)
        if not lazy and not is_statement and item.forwards:
            context.use(item, node, Purpose.ACCUMULATED)
        context.here.loops = loops
        context.here.scopes = scopes
        put = {all_of[each]: context.state.settings[Aspect.TRAINING].get(each) for each in all_of}
        self._ran(node, before, targets, certain=bool(whole) and not lazy)
        for collection, setting in put.items():
            if collection and setting is not None and not lazy:
                put_all(context, collection, setting)
        context.state.mode = mode
        kind = Kind.PARAMETERS if item.kind is Kind.PARAMETER else Kind.CONTAINER
        source = item.source if kind is Kind.CONTAINER or item.source == whole else ""
        runs = frozenset(each for each in item.forwards if lazy and _contains(node, each))
        made = Lazy(node, place, runs) if runs else None
        return Abstract(
            kind=kind, item=item, forwards=item.forwards, source=source, lazy=made, identity=frozenset({node})
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

    def assign_target(self, target: cst.BaseExpression, value: Abstract, *, comprehension: bool = False) -> None:
        """Bind the target of a loop or an unpacking."""
        match target:
            case cst.Name(value=name):
                if comprehension:
                    self.context.state.names[name] = value
                else:
                    self.bind(name, value)
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                parts = self.unpacked(target, value)
                for element, part in zip(elements, parts, strict=True):
                    if isinstance(element, cst.StarredElement):
                        part = Abstract(kind=Kind.CONTAINER, item=part, forwards=part.forwards)
                    self.assign_target(element.value, part, comprehension=comprehension)
            case cst.Attribute():
                holder = self.of(target.value)
                holds_too(self.context, holder, target.attr.value, value)
                self.store_attribute(target, value, holder)
            case cst.Subscript():
                self.of(target)

    def unpacked(self, target: cst.Tuple | cst.List, value: Abstract) -> list[Abstract]:
        """The parts of a value that is unpacked."""
        count = len(target.elements)
        if value.elements is not None and len(value.elements) == count:
            return list(value.elements)
        if value.kind is Kind.TENSOR and value.forwards:
            # What a model gives may be a tuple, of tensors like the one we took it for.
            return [replace(value, label="", identity=frozenset())] * count
        self.context.consumes(value, target)
        return [self.calls.containers.inside(each.value, value) for each in target.elements]

    def store_attribute(self, target: cst.Attribute, value: Abstract, holder: Abstract) -> None:
        """``a.b = value``."""
        context = self.context
        path = path_of(target)
        context.use(value, target, Purpose.STORED, into=path_of(target))
        context.escapes(value)
        if not path:
            return
        root, _, rest = path.partition(".")
        owners = [each for each in holder.definitions if isinstance(each, cst.ClassDef)]
        if any(context.method(each, target.attr.value) for each in owners):
            # A property, of which the setter runs: what it gives then is not what was assigned.
            context.state.forget_under(root)
            return
        owner = context.here.owner
        if root == "self" and owner is not None and "." not in rest:
            attributes = context.learned.classes[owner].attributes
            learning = context.learning()
            if learning is not None and value.parameter is not None:
                places = learning.keeps.get(value.parameter, frozenset())
                learning.keeps[value.parameter] = places | {(owner, rest)}
            for scope, name in context.places_of(value):
                place = (owner, name[len("self.") :]) if name.startswith("self.") else (scope, name)
                context.learned.stored.setdefault((owner, rest), {})[place] = None
            known = attributes.get(rest)
            clean = value.elsewhere()
            clean = of_another_function(clean)
            if clean.training.where is Evaluated.HERE:
                # For other methods it was not put in its mode where they run it.
                clean = replace(clean, training=Setting(clean.training.answer, Evaluated.CONSTRUCTOR))
            attributes[rest] = clean if known is None else known | clean
        self.bind(path, value)
        if value.kind is Kind.MODEL and value.frozen.is_set:
            mark(context, Aspect.FROZEN, path, value.frozen.answer)
        if value.kind is Kind.MODEL and value.training.answer is Answer.NO:
            mark(context, Aspect.TRAINING, path, value.training.answer)

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


PAIR = ("values", "indices")
"""The items of what ``x.max(1)`` and ``x.topk(5)`` give, by name."""


def _contains(node: cst.CSTNode, part: cst.CSTNode) -> bool:
    return node is part or any(_contains(each, part) for each in node.children)


def _groups(node: cst.CSTNode) -> Abstract:
    return Abstract(kind=Kind.CONTAINER, item=Abstract(kind=Kind.CONTAINER, api=GROUPS), made_at=node)


def _is_group(value: Abstract) -> bool:
    """Whether it is a parameter group of an optimizer, and no other dictionary with parameters of something."""
    return value.api == GROUPS or "group" in naming.words_of(value.label)


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


def _index(node: cst.Subscript) -> int | None:
    if len(node.slice) != 1:
        return None
    match node.slice[0].slice:
        case cst.Index(value=cst.Integer(value=text)) if text.isdigit():
            return int(text)
        case cst.Index(value=cst.UnaryOperation(operator=cst.Minus(), expression=cst.Integer(value=text))):
            return -int(text) if text.isdigit() else None
    return None


WAITING = frozenset({"enumerate", "zip", "filter", "map", "iter", "chain", "islice", "cycle"})
"""Functions that take the items of what they are given when they are asked for their own."""
OPERATORS = {"Multiply": "*", "Divide": "/", "MatrixMultiply": "@", "Power": "**", "Add": "+", "Subtract": "-"}
PLAIN_ATTRIBUTES = frozenset(
    {"shape", "dtype", "device", "ndim", "requires_grad", "is_leaf", "grad_fn", "is_cuda", "layout", "__name__"}
)
TENSOR_KINDS = frozenset({Kind.TENSOR, Kind.PARAMETER, Kind.DATA})
