"""What attributes and items of values are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from .. import naming, torch_api, torch_classes, torch_operations
from ..facts import Evaluated, Kind, Leaf, Loss, Purpose
from ..grad import Answer
from . import lookup, model_state
from .aspects import Aspect
from .calls import Calls
from .computing import computed, detached
from .conditions import outcome
from .context import Context
from .putting import GROUPS
from .reading import path_of
from .value import DATA, NAMED_PARAMETERS, PLAIN, TENSORS, UNKNOWN, Abstract, constant, replace

PAIR = ("values", "indices")
"""The items of what ``x.max(1)`` and ``x.topk(5)`` give, by name."""
PLAIN_ATTRIBUTES = torch_operations.PLAIN_ATTRIBUTES | torch_classes.PLAIN_ATTRIBUTES_OF_LAYERS | {"__name__"}
"""Numbers, flags and the like."""


@dataclass(slots=True)
class Attributes:
    """Evaluates attributes and items."""

    context: Context
    calls: Calls
    evaluate: Callable[[cst.BaseExpression], Abstract]

    def of(self, node: cst.Attribute, item: cst.Subscript | None = None) -> Abstract:
        """What ``x.name`` holds, of which the first item may be asked."""
        context = self.context
        path = path_of(node)
        if node.attr.value.isupper():
            # A constant, by which something is asked for: ``output[KEY.STRESS]``.
            context.names(node.attr.value)
        if path:
            known = context.state.names.get(path)
            if known is not None:
                return lookup.named(context, known, path)
        base = self.evaluate(node.value)
        return self.attribute(node, base, node.attr.value, path, item)

    def by_name(self, node: cst.Call, holder: Abstract, name: str) -> Abstract:
        """What ``getattr(x, "name")`` gives."""
        path = f"{holder.label}.{name}" if holder.label else ""
        known = self.context.state.names.get(path) if path else None
        if known is not None:
            return lookup.named(self.context, known, path)
        return self.attribute(node, holder, name, path)

    def attribute(
        self, node: cst.CSTNode, base: Abstract, name: str, path: str, item: cst.Subscript | None = None
    ) -> Abstract:
        """An attribute of a value, of which the first item may be asked."""
        context = self.context
        if base.api and base.kind is Kind.API:
            return Abstract(kind=Kind.API, label=path, api=torch_api.canonical(f"{base.api}.{name}"))
        for owner in base.definitions:
            if isinstance(owner, cst.ClassDef):
                method = lookup.method(context, owner, name)
                if method is not None:
                    return self._method(base, owner, method, path)
                found = lookup.attribute(context, owner, name)
                if found is not None:
                    found = replace(found, parameter=None, identity=frozenset())
                    return lookup.named(context, model_state.as_object_has_it(context, base, found), path)
        if name == "grad_fn" or (name in {"requires_grad", "is_leaf"} and base.forwards):
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
            requires = Answer.UNKNOWN if context.known.creates_graphs else Answer.NO
            return Abstract(kind=Kind.TENSOR, label=path or f"{held}.grad", requires_grad=requires, api="")
        if name == "data" and (base.kind in TENSORS or base.forwards):
            context.use(base, node, Purpose.VALUE, callee="data", item=item)
            return replace(detached(node, Loss.DATA, base, context.mode()), label=path, is_view=True)
        if name in PAIR and base.elements is not None and len(base.elements) == len(PAIR):
            part = base.elements[PAIR.index(name)]
            context.takes(base, part, node)
            return lookup.named(context, part, path) if path else part
        if base.kind is Kind.MODEL:
            known = self._mode(node, base) if name == "training" and isinstance(node, cst.Attribute) else Answer.UNKNOWN
            return self._part(node, base, name, path) if known is Answer.UNKNOWN else constant(known is Answer.YES)
        if name == "param_groups":
            return _groups(node)
        if name in torch_operations.VIEW_ATTRIBUTES and base.kind in TENSORS:
            return computed(node, [base], context.mode(), view=True)
        if base.kind in {Kind.TENSOR, Kind.DATA, Kind.PARAMETER, Kind.CONTAINER, Kind.UNKNOWN}:
            requires = Answer.NO if base.kind is Kind.DATA or name == "data" else Answer.UNKNOWN
            kind = Kind.DATA if base.kind is Kind.DATA else _kind_of(base, name)
            value = Abstract(kind=kind, requires_grad=requires, forwards=base.forwards, label=path)
            if base.kind is Kind.TENSOR and base.forwards and base.is_inference is Answer.YES:
                # An output of a model: ``out.logits``.
                value = replace(value, is_inference=Answer.YES, block=base.block, made_at=base.made_at)
            return lookup.named(context, value, path) if path else value
        return lookup.named(context, UNKNOWN, path) if path else UNKNOWN

    def _method(self, base: Abstract, owner: cst.ClassDef, method: cst.FunctionDef, path: str) -> Abstract:
        known = self.context.learned.functions.get(method) or self.context.known.functions.get(method)
        decorators = known.decorators if known is not None else ()
        if "property" in decorators:
            self.context.called(method)
            returns = known.returns if known is not None else None
            return lookup.named(self.context, UNKNOWN if returns is None else replace(returns, parameter=None), path)
        bound = None if base.kind is Kind.CLASS else base
        if "staticmethod" in decorators:
            bound = None
        elif "classmethod" in decorators:
            bound = Abstract(kind=Kind.CLASS, definitions=(owner,))
        # Of ``self``, a class that is derived in the file may have another.
        others = lookup.overrides(self.context, owner, method.name.value) if owner in base.identity else []
        return Abstract(kind=Kind.FUNCTION, label=path, definitions=(method, *others), bound=bound)

    def _mode(self, node: cst.Attribute, model: Abstract) -> Answer:
        """What ``model.training`` says where this function has put it in a mode, or is walked for calls that say it."""
        setting = model_state.training(self.context, model)
        return setting.answer if setting.where is Evaluated.HERE else outcome(self.context, node)

    def _part(self, node: cst.CSTNode, model: Abstract, name: str, path: str) -> Abstract:
        """A part of a model of which the class is not known."""
        if name in {"weight", "bias"} and not naming.sounds_like_criterion(model.label):
            # That of a loss says what each class counts, and is a buffer.
            weight = model_state.parameter(self.context, node, model)
            return replace(weight, leaf=Leaf.ATTRIBUTE, label=path)
        part = name == "module" or naming.sounds_like_model(name) or naming.sounds_like_layer(name)
        if part or path in self.context.known.modules:
            return Abstract(
                kind=Kind.MODEL,
                label=path,
                training=model.training,
                frozen=model_state.frozen_setting(self.context, model),
                made_under=model.made_under,
            )
        return Abstract(kind=_kind_of(model, name), label=path)

    def item(self, node: cst.Subscript) -> Abstract:
        """What ``x[...]`` holds."""
        context = self.context
        asked = node.value
        if isinstance(asked, cst.Attribute) and _index(node) == 0:
            base = self.of(asked, node)
        else:
            base = self.evaluate(asked)
        keys = []
        indexes = [each.slice for each in node.slice if isinstance(each.slice, cst.Index)]
        for element in node.slice:
            if isinstance(element.slice, cst.Index):
                keys.append(self.evaluate(element.slice.value))
            elif isinstance(element.slice, cst.Slice):
                for bound in (element.slice.lower, element.slice.upper, element.slice.step):
                    if bound is not None:
                        self.evaluate(bound)
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
            item = model_state.parameter_of(node, GROUPS, Answer.UNKNOWN)
            if context.known.freezes:
                item = replace(item, requires_grad=Answer.UNKNOWN)
            return Abstract(kind=Kind.PARAMETERS, item=item, label=label)
        if base.kind is Kind.PARAMETERS and base.api != NAMED_PARAMETERS:
            return self.calls.containers.item(node, base)
        if base.kind is Kind.STATE:
            return Abstract(kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES)
        if base.item is not None:
            return replace(base.item, forwards=base.item.forwards | base.forwards, label=label)
        if base.kind is Kind.DATA:
            return replace(DATA, label=label)
        if base.kind in TENSORS:
            context.meets(node, "[]", [base, *keys])
            context.operates([base], node, "[]")
            result = computed(node, [base], context.mode(), view=True)
            numbers = [self._is_number(key) for key in keys]
            if any(_picks(*each) for each in zip(indexes, keys, numbers, strict=True)):
                # Indices in a tensor pick copies: what is done to those is not done to a leaf.
                result = replace(result, is_inference=Answer.UNKNOWN)
            else:
                result = replace(result, leaf=base.leaf)
            if base.made_at in base.forwards:
                # What a model gives may be a tuple, and this an item of it.
                result = replace(result, is_view=False)
            return replace(result, label=label, kind=Kind.TENSOR)
        if base.kind is Kind.MODEL:
            number = _index(node)
            if base.label and number is not None and number >= 0:
                label = f"{base.label}[{number}]"
            return Abstract(
                kind=Kind.MODEL,
                label=label,
                training=model_state.setting_of_part(context, base, Aspect.TRAINING),
                frozen=model_state.setting_of_part(context, base, Aspect.FROZEN),
                made_under=base.made_under,
            )
        if base.kind is Kind.PLAIN:
            return replace(PLAIN, label=label)
        # ``self.decoders[key]`` is in the mode of ``self``, under whatever name it is called.
        return Abstract(label=label, forwards=base.forwards, training=model_state.training(context, base))

    def _is_number(self, key: Abstract) -> bool:
        """Whether an index is a parameter that is a number by default, which nobody in the file hands anything else."""
        function, position = self.context.function(), key.parameter
        if function is None or position is None or key.kind is not Kind.UNKNOWN:
            return False
        default, handed = function.defaults.get(position), function.arguments.get(position, PLAIN)
        return default is not None and type(default.constant) is int and handed.kind is Kind.PLAIN

    def called(self, func: cst.Attribute, receiver: Abstract, path: str) -> Abstract:
        """What is called as an attribute; ``UNKNOWN`` for a method of a library's object."""
        name = func.attr.value
        if receiver.kind is Kind.API and receiver.api:
            return self.attribute(func, receiver, name, path)
        if receiver.api == "super" and name == "__init__":
            # What a class binds, its objects have in any case.
            return UNKNOWN
        for owner in receiver.definitions:
            if isinstance(owner, cst.ClassDef):
                if lookup.method(self.context, owner, name) is not None:
                    return self.attribute(func, receiver, name, path)
                found = lookup.attribute(self.context, owner, name)
                if found is not None:
                    found = replace(found, parameter=None, identity=frozenset())
                    return lookup.named(self.context, model_state.as_object_has_it(self.context, receiver, found), path)
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


def _kind_of(holder: Abstract, name: str) -> Kind:
    """What an attribute is that nothing but its name tells of: perhaps a method, under whatever name it is called."""
    return Kind.FUNCTION if not holder.forwards and naming.sounds_like_method(name) else Kind.UNKNOWN


def _groups(node: cst.CSTNode) -> Abstract:
    return Abstract(kind=Kind.CONTAINER, item=Abstract(kind=Kind.CONTAINER, api=GROUPS), made_at=node)


def _is_group(value: Abstract) -> bool:
    """Whether it is a parameter group of an optimizer, and no other dictionary with parameters of something."""
    return value.api == GROUPS or "group" in naming.words_of(value.label)


def _picks(element: cst.Index, key: Abstract, is_number: bool) -> bool:
    """Whether an index may be a tensor, a list or a mask: what it gives is a copy of what it picks, no view."""
    return (key.kind is not Kind.PLAIN and not is_number) or isinstance(element.value, cst.Comparison)


def _index(node: cst.Subscript) -> int | None:
    if len(node.slice) != 1:
        return None
    match node.slice[0].slice:
        case cst.Index(value=cst.Integer(value=text)) if text.isdigit():
            return int(text)
        case cst.Index(value=cst.UnaryOperation(operator=cst.Minus(), expression=cst.Integer(value=text))):
            return -int(text) if text.isdigit() else None
    return None
