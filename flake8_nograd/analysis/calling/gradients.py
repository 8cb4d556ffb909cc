"""Calls that start a backward pass, or say what takes part in one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import libcst as cst

from ... import naming, torch_classes
from ...facts import Backward, Condition, Differentiation, Evaluated, Kind, Leaf, Loss, ModeSwitch, Purpose
from ...grad import Answer, GradMode
from ..aspects import Aspect, Setting
from ..changing import change_in_place
from ..collected import Arguments, flat, forwards_of
from ..computing import was_computed
from ..conditions import flagged
from ..context import Context
from ..putting import freeze, put, put_unnamed
from ..reading import path_of
from ..value import NONE, PLAIN, UNKNOWN, Abstract, replace
from ..variants import flags_here
from .rows import Rows


@dataclass(slots=True)
class Gradients:
    """Backward passes, ``requires_grad``, training mode, buffers."""

    context: Context
    rows: Rows

    def backward(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """``loss.backward()``, and helpers that are handed the loss."""
        context = self.context
        named = naming.sounds_like_scaler(receiver.label)
        helper = name == "manual_backward" or receiver.kind in {
            Kind.SCALER,
            Kind.OPTIMIZER,
            Kind.MODEL,
            Kind.INSTANCE,
            Kind.API,
        }
        if not helper and given.positional and not receiver.forwards and receiver.kind is Kind.UNKNOWN:
            first = given.positional[0]
            # What is made of numbers alone is the gradient that a tensor goes back with: ``x.backward(torch.ones(2))``.
            is_loss = first.kind is Kind.TENSOR and (first.cut is None or first.cut.how is not Loss.FACTORY)
            helper = named or is_loss
        target = receiver
        how = Differentiation.BACKWARD
        certain = given.is_statement or not helper or named or receiver.kind is not Kind.UNKNOWN
        if helper:
            if not given.positional:
                return PLAIN
            target, how = given.positional[0], Differentiation.HELPER
        written = node.func.value if how is Differentiation.BACKWARD and isinstance(node.func, cst.Attribute) else None
        kept = given.keywords.get("retain_graph")
        retains = kept is not None and kept.constant is not False
        created = given.at(2, "create_graph")
        context.learned.creates_graphs |= created is not None and created.constant is not False
        context.recorder.write(
            Backward(node, context.place(), target.fact(), how, receiver=written, retains=retains, is_certain=certain)
        )
        self._doubts(node, target)
        context.use(target, node, Purpose.GRADIENT)
        if target.kind is Kind.TENSOR and not helper and target.label and target.requires_grad is Answer.UNKNOWN:
            # Where the program goes on, it had a graph.
            context.state.hold(target.label, replace(target, requires_grad=Answer.YES), target)
        return NONE if certain else Abstract(forwards=forwards_of(given.all()))

    def _doubts(self, node: cst.Call, target: Abstract) -> None:
        """``if train:`` decides that it goes back, and perhaps has decided before whether there is a graph."""
        context, learning = self.context, self.context.learning()
        if learning is None:
            return
        if context.here.flags and learning.doubts.get(node) == context.here.flags:
            context.recorder.settled[node] = target.fact()
        elif target.requires_grad is Answer.UNKNOWN and not context.recorder.quiet and (flags := flags_here(context)):
            learning.doubts[node] = flags

    def differentiate(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        """``torch.autograd.grad`` and its like."""
        context = self.context
        how = Differentiation.FUNCTIONAL
        if name == "torch.autograd.backward":
            how = Differentiation.AUTOGRAD_BACKWARD
        elif name == "torch.autograd.grad":
            how = Differentiation.AUTOGRAD_GRAD
        keyword = "tensors" if how is Differentiation.AUTOGRAD_BACKWARD else "outputs"
        target = given.at(0, keyword) or UNKNOWN
        for each in flat([target]):
            context.recorder.write(Backward(node, context.place(), each.fact(), how, name))
        for each in given.all():
            context.use(each, node, Purpose.GRADIENT)
            context.escapes(each)
        if how is Differentiation.AUTOGRAD_BACKWARD:
            return NONE
        if how is Differentiation.FUNCTIONAL:
            # A tensor, several, or a function.
            return Abstract(made_under=context.mode(), made_at=node)
        inputs = given.at(1, "inputs")
        item = Abstract(kind=Kind.TENSOR, made_under=context.mode(), made_at=node)
        count = len(inputs.elements) if inputs is not None and inputs.elements is not None else None
        return Abstract(kind=Kind.CONTAINER, item=item, elements=None if count is None else (item,) * count)

    def mode_switch(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """``model.eval()``, ``model.train(mode)``."""
        context = self.context
        answer = Answer.NO if name == "eval" else Answer.YES
        flag = given.at(0, "mode") if name == "train" else None
        if name == "train":
            if flag is not None:
                answer = flag.answer()
        elif given.all():
            return UNKNOWN
        plain_train = name == "train" and not given.all() and receiver.kind is Kind.UNKNOWN
        if plain_train and not given.is_statement:
            return UNKNOWN
        if receiver.kind is Kind.UNKNOWN and (given.is_statement or naming.sounds_like_model(receiver.label)):
            context.evidence(receiver.label)
        if receiver.kind is Kind.UNKNOWN and not receiver.label:
            context.evidence(_of_chain(node))
        context.recorder.write(ModeSwitch(node, context.place(), receiver.fact(), answer))
        if receiver.label:
            flags = flagged(context, flag) if flag is not None and answer is Answer.UNKNOWN else ()
            ways: list[tuple[tuple[Condition, ...], Answer]]
            ways = [((each,), Answer.YES if each.holds else Answer.NO) for each in flags] or [((), answer)]
            context.either([partial(self._put_where, receiver.label, *each) for each in ways])
        else:
            put_unnamed(context, Aspect.TRAINING, receiver, answer)
        kind = Kind.MODEL if receiver.kind is Kind.UNKNOWN else receiver.kind
        return replace(receiver, training=Setting(answer, Evaluated.HERE), kind=kind)

    def _put_where(self, model: str, holds: tuple[Condition, ...], answer: Answer) -> Abstract:
        """A model is put in a mode where something holds of parameters."""
        here = self.context.here
        requires = here.requires
        here.requires = (*requires, *holds)
        put(self.context, Aspect.TRAINING, model, answer)
        here.requires = requires
        return UNKNOWN

    def requires_grad(self, node: cst.Call, receiver: Abstract, given: Arguments) -> Abstract:
        """``x.requires_grad_(flag)``."""
        flag = given.at(0, "requires_grad")
        answer = Answer.YES if flag is None else flag.answer()
        asked = [] if flag is None else [replace(flag, requires_grad=answer)]
        self.rows.call(node, ".requires_grad_", receiver, Arguments(asked, {}, is_statement=given.is_statement))
        # Of what requires gradients already it changes nothing, where the attribute cannot be set.
        refuses = receiver.requires_grad is not Answer.NO
        return self.set_requires_grad(node, receiver, answer, anew=not refuses)

    def set_requires_grad(
        self, node: cst.CSTNode, receiver: Abstract, answer: Answer, *, anew: bool = True
    ) -> Abstract:
        """``x.requires_grad_(...)`` and ``x.requires_grad = ...``; ``anew``: it had none, or this raises."""
        context = self.context
        frozen = answer.opposite()
        named = receiver.kind is Kind.UNKNOWN and naming.sounds_like_model(receiver.label)
        if receiver.kind is Kind.MODEL or named:
            if receiver.label:
                put(context, Aspect.FROZEN, receiver.label, frozen)
            else:
                put_unnamed(context, Aspect.FROZEN, receiver, frozen)
            return replace(receiver, frozen=Setting(frozen, Evaluated.HERE))
        freeze(context, receiver, answer)
        if receiver.kind is Kind.PARAMETERS:
            return receiver

        def change(value: Abstract) -> Abstract:
            # A view that was made without gradients goes on requiring them with what it is a view of:
            # truth test test_a_view_cannot_be_frozen.
            stays = answer is Answer.NO and value.is_view and value.requires_grad is not Answer.NO
            return replace(
                value,
                kind=Kind.TENSOR if value.kind in {Kind.UNKNOWN, Kind.DATA} else value.kind,
                requires_grad=value.requires_grad if stays else answer,
                cut=None,
                leaf=(value.leaf or Leaf.REQUIRES_GRAD) if answer is Answer.YES and leaf else None,
                is_leaf=Answer.YES if leaf else value.is_leaf,
                releafed=releafed,
            )

        leaf = receiver.leafness() is Answer.YES
        releafed = receiver.releafed
        if answer is Answer.YES:
            context.meets(node, "requires_grad", [receiver])
        if anew:
            raises = receiver.is_inference is Answer.YES and not context.mode() & GradMode.INFERENCE
            releafed = node if answer is Answer.YES and was_computed(receiver) and not raises else None
        change_in_place(context, receiver, change)
        changed = change(receiver)
        if receiver.label:
            context.state.hold(receiver.label, changed, receiver)
        return changed

    def register_buffer(self, given: Arguments) -> None:
        """``self.register_buffer("weight", ...)``: an attribute that no optimizer trains."""
        context = self.context
        name = given.at(0, "name")
        if name is None or not isinstance(name.constant, str) or context.here.owner is None:
            return
        buffer = Abstract(kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES)
        attributes = context.learned.classes[context.here.owner].attributes
        known = attributes.get(name.constant)
        attributes[name.constant] = buffer if known is None else known | buffer
        context.state.names[f"self.{name.constant}"] = buffer


def _of_chain(node: cst.Call) -> str:
    """The path at the root of ``net.to(device).eval()``: nothing but a module has both methods."""
    inner: cst.BaseExpression = node
    while isinstance(inner, cst.Call) and isinstance(inner.func, cst.Attribute):
        if inner.func.attr.value not in torch_classes.MODULE_RETURNS_SELF:
            return ""
        inner = inner.func.value
    return path_of(inner)
