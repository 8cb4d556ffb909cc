"""Methods of tensors, and changes in place."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ... import torch_operations
from ...facts import Cut, Kind, Leaf, Loss, Manner, Purpose, Write
from ...grad import Answer, GradMode
from .. import lookup
from ..changing import change_in_place
from ..collected import Arguments, flat, forwards_of
from ..computing import computed, detached, is_perhaps_of_inference, perhaps_itself, rescaled, written
from ..context import Context
from ..putting import freeze
from ..reading import places_in
from ..value import PLAIN, UNKNOWN, Abstract, replace
from .containers import Containers
from .functions import Functions
from .rows import Rows


@dataclass(slots=True)
class Tensors:
    """Methods of tensors, and of what may be one."""

    context: Context
    rows: Rows
    containers: Containers
    functions: Functions

    def method(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """Call a method of a tensor, or of what is not known."""
        context = self.context
        mode = context.mode()
        if (
            name in {"append", "extend", "add", "appendleft", "put", "update", "insert"}
            and receiver.kind is Kind.UNKNOWN
        ):
            if name != "add" or given.is_statement:
                for each in given.all():
                    context.escapes(each)
                if name in {"update", "add"}:
                    self.rows.handed_on(node, f"{receiver.label}.{name}", given)
                else:
                    self.containers.put_into(node, receiver, self.containers.taken_in(node, name, given))
                self.rows.call(node, f".{name}", receiver, given)
                return Abstract(forwards=receiver.forwards | forwards_of(given.all()))
        if name in {"items", "values"} and receiver.kind is Kind.UNKNOWN:
            return self.containers.method(node, receiver, name, given)
        if name in torch_operations.PLAIN_METHODS:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            how = Loss.ITEM if name in {"item", "tolist"} else Loss.NUMPY
            return replace(PLAIN, cut=Cut(how, node))
        if name in {"detach", "detach_"}:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            self.rows.call(node, f".{name}", receiver, given)
            result = replace(detached(node, Loss.DETACH, receiver, mode), is_view=True)
            if name == "detach_" and (mode is GradMode.INFERENCE or receiver.is_inference is Answer.YES):
                return receiver  # There, and there, it changes nothing.
            if name == "detach_":
                result = replace(result, is_view=receiver.is_view, made_under=receiver.made_under)
                if receiver.kind is Kind.PARAMETER:
                    result = replace(result, kind=Kind.PARAMETER, source=receiver.source, turn=receiver.turn)
                if mode & GradMode.INFERENCE or is_perhaps_of_inference(receiver):
                    result = result | receiver
                freeze(context, receiver, result.requires_grad)
                change_in_place(context, receiver, lambda value: replace(result, label=value.label))
                if receiver.label:
                    context.state.hold(receiver.label, replace(result, label=receiver.label), receiver)
            return result
        if torch_operations.changes_in_place(name):
            return self._in_place(node, receiver, name, given)
        if name in torch_operations.NON_DIFFERENTIABLE:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            return detached(node, Loss.NON_DIFFERENTIABLE, receiver, mode)
        operands = [receiver, *(each for each in given.all() if each.kind is not Kind.PLAIN)]
        if name in torch_operations.VIEW_METHODS:
            context.operates([receiver], node, name)
            return _like(receiver, computed(node, [receiver], mode, view=True))
        if name in torch_operations.MAYBE_VIEW_METHODS:
            if receiver.kind is Kind.UNKNOWN and receiver.api:
                return UNKNOWN
            context.operates([receiver], node, name)
            result = _like(receiver, computed(node, [receiver], mode, view=True))
            same = name not in torch_operations.NEVER_ITSELF
            result = replace(perhaps_itself(result, receiver, mode, same_object=same), leaf=None)
            if any(each.api in torch_operations.INTEGERS for each in given.all()):
                # ``x.to(torch.long)``
                cut = detached(node, Loss.NON_DIFFERENTIABLE, receiver, mode)
                return replace(result, requires_grad=Answer.NO, is_leaf=Answer.YES, cut=cut.cut, is_all_cut=True)
            return result
        if name in torch_operations.DIFFERENTIABLE_METHODS:
            context.meets(node, name, operands)
            context.operates(operands, node, name)
            result = _like(receiver, computed(node, operands, mode))
            if name in SUMS:
                result = rescaled(result, operands)
            if name in PAIRS and (given.positional or "dim" in given.keywords):
                indices = detached(node, Loss.NON_DIFFERENTIABLE, receiver, mode)
                return replace(result, elements=(result, indices))
            return result
        self.rows.call(node, f".{name}", receiver, given)
        behind = self.rows.handed_on(node, f"{receiver.label}.{name}" if receiver.label else f".{name}", given)
        owners = context.known.owners_of(name) if receiver.kind is Kind.UNKNOWN and not receiver.api else []
        if len(owners) == 1 and name not in COMMON_METHODS and owners[0] is not context.here.function:
            bound = replace(receiver, kind=Kind.FUNCTION, definitions=(owners[0],), bound=receiver)
            return self.functions.one(node, owners[0], bound, given)
        return Abstract(forwards=receiver.forwards | behind, made_under=mode, made_at=node)

    def _in_place(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        manner = Manner.DATA if receiver.label.endswith(".data") else Manner.METHOD
        for each in node.args:
            receiver = leaf_by_gradient(receiver, each.value)
        self.write(node, receiver, manner, name, given.all(), used=not given.is_statement)
        return receiver

    def write(
        self,
        node: cst.CSTNode,
        target: Abstract,
        manner: Manner,
        operation: str,
        sources: list[Abstract],
        *,
        used: bool = False,
    ) -> None:
        """Change a tensor in place."""
        context = self.context
        mode = context.mode()
        context.recorder.write(
            Write(
                node,
                context.place(),
                target.fact(),
                manner,
                operation,
                tuple(each.fact() for each in sources),
                _past_autograd(node) if manner is Manner.DATA else None,
                used,
            )
        )
        if manner in {Manner.METHOD, Manner.OUT} and mode & GradMode.ON and lookup.outlives(context, target.label):
            for each in sources:
                context.use(each, node, Purpose.STORED, into=target.label)
        taint = forwards_of(sources)
        graphs = [] if manner is Manner.DATA else [each for each in flat(sources) if each.kind is not Kind.PLAIN]

        def change(value: Abstract) -> Abstract:
            after = replace(written(value, graphs, mode), forwards=value.forwards | taint)
            # Other data: an inference tensor's makes it one. Truth: tests/differential.
            return replace(after, is_inference=sources[0].is_inference) if operation == ".data =" else after

        requires = change(target).requires_grad
        if requires is not target.requires_grad:
            freeze(context, target, requires)
        change_in_place(context, target, change, written=True)
        if operation == ".data =" and target.label and sources[0].is_inference is not Answer.NO:
            # The weight of a model is made anew wherever it is read.
            context.state.hold(target.label, change(target), target)


def _past_autograd(node: cst.CSTNode) -> tuple[cst.CSTNode, cst.CSTNode] | None:
    """``w.data`` and ``w`` of what changes ``w.data`` in place, at the root of ``w.data.mul_(m).add_(x)``."""
    while True:
        match node:
            case cst.Call(func=cst.Attribute(value=inner)):
                node = inner
            case cst.AugAssign(target=inner) | cst.Subscript(value=inner):
                node = inner
            case cst.Attribute(attr=cst.Name(value="data"), value=tensor):
                return node, tensor
            case _:
                return None


def _like(receiver: Abstract, result: Abstract) -> Abstract:
    """The result of a tensor method has the kind of what it is called on."""
    kind = Kind.TENSOR if receiver.kind in {Kind.TENSOR, Kind.PARAMETER} else receiver.kind
    if kind is Kind.DATA:
        kind = Kind.DATA
    return replace(result, kind=kind, leaf=receiver.leaf if result.is_view else None)


PAIRS = frozenset({"max", "min", "topk", "sort", "median", "mode", "kthvalue", "cummax", "cummin"})
SUMS = frozenset({"sum", "mean", "add", "sub", "mul", "div", "clone"})
"""Which gives the operands a gradient that does not depend on their content."""
COMMON_METHODS = frozenset(
    {"get", "set", "run", "forward", "step", "update", "reset", "close", "write", "read", "log", "save", "load"}
)


def leaf_by_gradient(target: Abstract, source: cst.BaseExpression) -> Abstract:
    """``w -= lr * w.grad``, ``w.sub_(lr * w.grad)``: what has a gradient to read is a leaf, unless we know better."""
    gradient = f"{target.label}.grad"
    if not target.label or target.leaf is not None or Answer.NO in {target.is_leaf, target.requires_grad}:
        return target
    if target.kind not in {Kind.UNKNOWN, Kind.TENSOR, Kind.PARAMETER, Kind.DATA}:
        return target
    if not any(read == gradient or read.startswith(f"{gradient}.") for read, _ in places_in(source)):
        return target
    return replace(target, kind=Kind.TENSOR, leaf=Leaf.HAS_GRAD, requires_grad=Answer.YES)
