"""Objects that libraries make: models, optimizers, loaders, tensors."""

from __future__ import annotations

import libcst as cst

from ... import torch_api, torch_classes, torch_operations
from ...facts import Cut, Kind, Leaf, Loss, Purpose
from ...grad import Answer, GradMode
from .. import model_state
from ..aspects import BUILT, NOT_SET
from ..collected import Arguments, contents
from ..computing import computed, was_computed
from ..context import Context
from ..value import Abstract, replace


def made(context: Context, node: cst.Call, name: str, given: Arguments) -> Abstract | None:
    """What a call makes; None if it makes no such object."""
    if name in torch_classes.CRITERIA or name in torch_classes.PARAMETERLESS:
        return Abstract(kind=Kind.CRITERION, identity=frozenset({node}), api=name)
    if name in torch_api.GIVES_THE_MODEL:
        wrapped = given.at(0)
        if wrapped is not None and wrapped.kind is Kind.UNKNOWN and wrapped.label and torch_classes.makes_model(name):
            if model_state.training_of(context, wrapped.label) is not NOT_SET:
                # What was put in a mode is a module.
                wrapped = replace(wrapped, kind=Kind.MODEL)
        if wrapped is not None and wrapped.kind in {Kind.MODEL, Kind.FUNCTION}:
            return replace(model_state.settled(context, wrapped), label="")
    if torch_classes.makes_model(name):
        return Abstract(
            kind=Kind.MODEL,
            api=name,
            identity=frozenset({node}),
            made_under=context.mode(),
            made_at=node,
            # What is loaded may be in evaluation mode; what is built is not.
            training=BUILT if name.startswith("torch.nn.") else NOT_SET,
            views=_parts(given),
        )
    if torch_classes.makes_optimizer(name):
        return Abstract(kind=Kind.OPTIMIZER, identity=frozenset({node}))
    if torch_classes.makes_loader(name):
        return Abstract(kind=Kind.LOADER, identity=frozenset({node}))
    if torch_classes.makes_scaler(name):
        return Abstract(kind=Kind.SCALER, identity=frozenset({node}))
    if name == "torch.nn.Parameter":
        context.meets(node, "requires_grad", given.positional[:1])
        flag = given.at(1, "requires_grad")
        requires = Answer.YES if flag is None else flag.answer()
        return Abstract(
            kind=Kind.PARAMETER,
            requires_grad=requires,
            is_leaf=Answer.YES,
            is_inference=_inference_of(context, given.at(0)),
            leaf=Leaf.REGISTERED,
            identity=frozenset({node}),
            made_at=node,
            releafed=_releafed(node, name, given.at(0)) if requires is Answer.YES else None,
        )
    return None


def _parts(given: Arguments) -> frozenset[cst.CSTNode]:
    """The models that another is made of: ``nn.Sequential(encoder, head)``."""
    parts = [each for held in given.all() for each in (held, *contents(held)) if each.kind is Kind.MODEL]
    return frozenset[cst.CSTNode]().union(*(each.identity for each in parts))


def _inference_of(context: Context, content: Abstract | None) -> Answer:
    """A parameter has the memory of its content; outside of inference mode that of an inference tensor is refused."""
    if not context.mode() & GradMode.INFERENCE:
        return Answer.NO
    return Answer.UNKNOWN if content is None else content.is_inference


def tensor_of(context: Context, node: cst.Call, name: str, given: Arguments, mode: GradMode) -> Abstract:
    """A tensor made of numbers: ``torch.zeros(3)``, ``torch.tensor(loss)``."""
    first = given.at(0)
    flag = given.at(1 if name == "torch.autograd.Variable" else -1, "requires_grad")
    requires, leaf = Answer.NO, None
    if name == "torch.autograd.Variable" and flag is None and first is not None:
        # A leaf without a graph, whatever it is given: truth test test_variable_without_the_flag.
        cut = _copied(node, name, first)
        return replace(first, label="", requires_grad=Answer.NO, is_leaf=Answer.YES, leaf=None, cut=cut)
    if (
        name in torch_operations.ALIASING
        and first is not None
        and first.kind in {Kind.UNKNOWN, Kind.TENSOR, Kind.PARAMETER}
    ):
        return replace(computed(node, [first], mode, view=True), kind=Kind.TENSOR, label="")
    if flag is not None:
        requires = flag.answer()
    if requires is Answer.YES:
        leaf = Leaf.REQUIRES_GRAD
    if first is not None:
        context.use(first, node, Purpose.VALUE, callee=name)
    inference = Answer.NO if not mode & GradMode.INFERENCE else Answer.UNKNOWN
    origin = _copied(node, name, first) if requires is Answer.NO else None
    return Abstract(
        kind=Kind.TENSOR,
        api=name if requires is Answer.YES else "",
        requires_grad=requires,
        is_leaf=Answer.YES,
        is_inference=Answer.YES if mode is GradMode.INFERENCE else inference,
        leaf=leaf,
        cut=origin,
        is_all_cut=origin is not None and origin.how is not Loss.FACTORY,
        made_under=mode,
        made_at=node,
        identity=frozenset({node}),
        releafed=_releafed(node, name, first) if requires is Answer.YES else None,
    )


def _copied(node: cst.Call, name: str, content: Abstract | None) -> Cut:
    """How a tensor made of numbers has no graph."""
    if content is not None and name in torch_operations.COPYING and was_computed(content):
        return Cut(Loss.COPY, node) if content.kind is Kind.PLAIN or content.cut is None else content.cut
    return Cut(Loss.FACTORY, node)


def _releafed(node: cst.Call, name: str, content: Abstract | None) -> cst.Call | None:
    """Where what was computed is made a leaf."""
    return node if content is not None and name in torch_operations.COPYING and was_computed(content) else None
