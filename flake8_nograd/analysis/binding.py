"""What assignments do: names, attributes, items, unpacking."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from .. import naming
from ..facts import Assignment, Kind, Loop, Manner, Purpose, Role, Value
from ..grad import Answer
from . import lookup, model_state
from .calling.tensors import leaf_by_gradient
from .collected import filled
from .computing import written
from .context import Context
from .expressions import Expressions
from .reading import is_read_after, is_read_outside, operation_on, path_of, place_of, places_in
from .switching import acting
from .value import UNKNOWN, Abstract, replace


@dataclass(slots=True)
class Bindings:
    """Binds what statements assign."""

    context: Context
    expressions: Expressions

    def assign(self, node: cst.Assign) -> None:
        """``a = b = value``."""
        if len(node.targets) == 1 and self._pairwise(node):
            return
        value = acting(self.context.state, node.value, self.expressions.of(node.value))
        value = self._handed_through_by_optimizer(node, self._handed_through(node, value))
        for each in node.targets:
            self._assign(node, each.target, value, node.value)

    def _handed_through(self, node: cst.Assign, value: Abstract) -> Abstract:
        """``model = prepare(model)``: what a function of another file is given as a model, it gives back as that.

        In the mode that it was in, unless the function trains: ``prepare_for_training``.
        """
        path = place_of(node.targets[0].target)
        match node.value:
            case cst.Call(func=cst.Name() | cst.Attribute() as callee, args=[cst.Arg(value=first), *_]) if path:
                pass
            case _:
                return value
        if value.kind is not Kind.UNKNOWN or value.made_at is not node.value or place_of(first) != path:
            return value
        before = self.before(node.targets[0].target)
        setting = model_state.training(self.context, before)
        if (
            before.kind is not Kind.MODEL
            or setting.answer is not Answer.NO
            or naming.mentions_training(path_of(callee))
        ):
            return value
        return replace(value, kind=Kind.MODEL, training=setting)

    def _handed_through_by_optimizer(self, node: cst.Assign, value: Abstract) -> Abstract:
        """``p, grad = self.as_real(p, grad)``: what a base class in another file gives back in the order it was given.

        An optimizer changes the parameter afterwards, which would be in vain if it were another tensor.
        """
        match (node.targets[0].target, node.value):
            case (
                cst.Tuple(elements=[first, _, *_] as elements) as target,
                cst.Call(func=cst.Attribute(value=cst.Name(value="self")), args=arguments),
            ) if len(elements) == len(arguments) and value.kind is Kind.UNKNOWN and value.made_at is node.value:
                pass
            case _:
                return value
        if lookup.role(self.context, self.context.here.owner) is not Role.OPTIMIZER:
            return value
        pairs = list(zip(elements, arguments, self.expressions.targets.unpacked(target, value), strict=True))
        back = [each.value for each, given, _ in pairs if _is_same(each.value, given)]
        if len(back) < 2 or back[0] is not first.value or self.before(first.value).kind is not Kind.PARAMETER:
            return value
        return replace(
            value, elements=tuple(self.before(each.value) if each.value in back else part for each, _, part in pairs)
        )

    def assign_annotated(self, node: cst.AnnAssign) -> None:
        """``a: T = value``."""
        if node.value is not None:
            self._assign(node, node.target, self.expressions.of(node.value), node.value)

    def augment(self, node: cst.AugAssign) -> None:
        """``a += value``: in place for tensors."""
        context = self.context
        value = self.expressions.of(node.value)
        operator = type(node.operator).__name__
        operation = AUGMENTED.get(operator, operator)
        if isinstance(node.target, cst.Subscript):
            base = self.expressions.of(node.target.value)
            item = replace(self.before(node.target), label=place_of(node.target))
            if base.kind in {Kind.TENSOR, Kind.PARAMETER}:
                manner = Manner.DATA if base.label.endswith(".data") else Manner.ITEM
                self.expressions.calls.tensors.write(node, base, manner, operation, [value])
            else:
                item = leaf_by_gradient(item, node.value)
                if item.leaf is not None or item.kind is Kind.TENSOR:
                    self.expressions.calls.tensors.write(node, item, Manner.AUGMENTED, operation, [value])
            context.use(value, node, Purpose.ACCUMULATED, into=base.label, added=node.value)
            if base.kind is Kind.CONTAINER:
                # What is changed in place is in there, changed, already.
                held = self.before(node.target.value)
                context.recorder.quiet += 1
                after = self._augmented(node, item, value)
                context.recorder.quiet -= 1
                self.expressions.calls.containers.put_into(node.target, held, [after])
            return
        target = self.expressions.of(node.target)
        path = path_of(node.target)
        if path:
            target = leaf_by_gradient(replace(target, label=path), node.value)
        if target.kind in {Kind.TENSOR, Kind.PARAMETER} or target.is_inference is Answer.YES:
            data = isinstance(node.target, cst.Attribute) and node.target.attr.value == "data"
            manner = Manner.DATA if data else Manner.AUGMENTED
            self.expressions.calls.tensors.write(node, target, manner, operation, [value])
        # ``outputs += [out]`` goes on with the same list.
        is_kept = value.kind is Kind.CONTAINER and lookup.outlives(context, path)
        context.use(value, node, Purpose.STORED if is_kept else Purpose.ACCUMULATED, into=path, added=node.value)
        if not path:
            return
        result = context.marked(self._augmented(node, target, value))
        if path in context.state.names or isinstance(node.target, cst.Name):
            context.state.names[path] = result
            if isinstance(node.target, cst.Name):
                scope = context.here.elsewhere.get(path, context.here.scopes[0])
                context.learned.bind(scope, path, replace(result, identity=frozenset()))
                self._rebound(node, path, result)

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

    def _assign(
        self, node: cst.BaseSmallStatement, target: cst.BaseExpression, value: Abstract, source: cst.BaseExpression
    ) -> None:
        context = self.context
        before = UNKNOWN
        if isinstance(target, cst.Name):
            before = context.state.names.get(target.value) or lookup.variable(context, target.value)
        elif isinstance(target, cst.Attribute):
            if self._flag(node, target, value, source):
                return
            before = self.expressions.of(target)
        elif isinstance(target, cst.Subscript):
            self._bound(node, target, self.before(target), value, source)
            self._store_item(target, value)
            return
        elif isinstance(target, cst.Tuple | cst.List):
            self._unpacked(node, target, value, source)
        if isinstance(target, cst.Name | cst.Attribute):
            self._bound(node, target, before, value, source)
        if isinstance(target, cst.Name):
            self._rebound(node, target.value, value)
        self.expressions.targets.assign(target, _kept(value))

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
        parts = self.expressions.targets.unpacked(target, value)
        for element, part in zip(target.elements, parts, strict=True):
            if path_of(element.value) != "_":
                self.context.takes(value, part, element.value)
            if isinstance(element.value, cst.Name | cst.Attribute | cst.Subscript):
                self._bound(node, element.value, self.before(element.value), part, source)

    def before(self, target: cst.BaseExpression) -> Abstract:
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
            holder = self.before(target.value)
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
                or is_read_after(loop.anchor, node, path, context.here.body),
                any(each.holds(before) for name, each in context.state.names.items() if name != path),
                self._is_read_outside(path, value),
            )
        )

    def _is_read_outside(self, path: str, value: Abstract) -> bool:
        """Whether a tensor that was computed in a loop, perhaps with a graph, is perhaps read outside of it."""
        here = self.context.here
        loop = here.loops[-1].anchor if here.loops else None
        if value.kind is not Kind.TENSOR or value.requires_grad is Answer.NO or value.forwards:
            return False
        return isinstance(loop, cst.For | cst.While) and is_read_outside(loop, path, here.body)

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
            asked = value.answer()
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
            self.expressions.calls.tensors.write(target, base, manner, "[...] =", [value])
            base = replace(context.state.names.get(base.label, base), label=base.label)
        self.expressions.calls.containers.put_into(target, base, [value])

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
            return replace(
                result,
                requires_grad=either,
                is_leaf=in_place.is_leaf | result.is_leaf,
                is_inference=in_place.is_inference | result.is_inference,
                made_under=in_place.made_under | result.made_under,
            )
        return result


def _kept(value: Abstract) -> Abstract:
    return value if value.label == "" or value.kind in {Kind.MODEL, Kind.API} else replace(value, label="")


def _is_same(target: cst.BaseExpression, given: cst.Arg) -> bool:
    """Whether a target has the name of an argument that is handed in by its position."""
    path = place_of(target)
    return bool(path) and not given.star and given.keyword is None and place_of(given.value) == path


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
