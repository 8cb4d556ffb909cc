"""Forward passes, and other methods of models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import libcst as cst

from ... import naming, torch_api, torch_classes, torch_operations
from ...facts import Kind, Loss
from ...grad import ANYTHING, KEEP, Answer, GradMode
from .. import lookup, model_state
from ..aspects import Aspect
from ..collected import Arguments, flat, forwards_of, merge
from ..computing import NO_GRAD_CUTS, cut_by, was_perhaps_made_in_inference
from ..conditions import Meets, met
from ..context import Context
from ..function_knowledge import FunctionKnowledge
from ..putting import put
from ..switching import changed
from ..value import DATA, PLAIN, UNKNOWN, Abstract, replace
from ..variants import as_called
from .functions import Functions
from .handing import interrupted_by, left_by, paths_inside, result_of, transfer
from .rows import Rows


@dataclass(slots=True)
class Models:
    """Runs models."""

    context: Context
    rows: Rows
    functions: Functions

    def forward(self, node: cst.Call, model: Abstract, method: str, given: Arguments) -> Abstract:
        """Run a model."""
        context = self.context
        name = "forward" if method == "__call__" else method
        owners = [each for each in model.definitions if isinstance(each, cst.ClassDef)]
        definitions = [each for each in (lookup.method(context, owner, name) for owner in owners) if each is not None]
        definition = definitions[0] if definitions else None
        known = None if definition is None else context.known.functions.get(definition)
        for forward in dict.fromkeys(definitions):
            context.called(forward)
            self.hand_in(forward, model, given)
        inputs = given.all()
        needs = Answer.YES if any(_differentiable_input(each) for each in inputs) else Answer.NO
        several = len(owners) > 1 or model.is_perhaps_foreign
        graph = Answer.UNKNOWN
        if known is not None and not several:
            paths = paths_inside(known.parameters, 1, replace(model, bound=model), given)
            graph = _graph(known, met(context, known, 1, given, paths))
            known = as_called(context, known, 1, given, paths)
        # Nothing is recorded of inference tensors alone.
        alone = model.made_under is GradMode.INFERENCE and all(each.is_inference is Answer.YES for each in inputs)
        if definition is None and alone and inputs:
            graph = Answer.NO
        outside = context.state.mode
        if any(naming.sounds_like_no_grad(key) and each.constant is not False for key, each in given.keywords.items()):
            # model(x, is_inference=True) may turn gradients off inside.
            context.state.mode = changed(outside, ANYTHING)
        if definition is None and name != "forward" and any(map(naming.sounds_like_batching, given.keywords)):
            # So may model.encode(texts, batch_size=32), which is an evaluation by itself: it goes through all data.
            context.state.mode = changed(outside, ANYTHING)
        self.rows.forward(
            node,
            model,
            method,
            needs,
            None,
            discarded=given.is_statement,
            invented=_invented(inputs),
            enables=known is not None and known.enables,
            graph=graph,
            given=forwards_of(inputs),
            takes_data=any(each.kind is not Kind.PLAIN for each in inputs),
            runs=tuple(dict.fromkeys(definitions)),
        )
        context.state.mode = outside
        self.rows.calls(known)
        if definitions:
            context.either(
                [partial(self._left_behind, node, each, model, given) for each in dict.fromkeys(definitions)]
            )
        if definition is None and not alone:
            context.meets(node, "forward", inputs)
        for each in inputs:
            context.escapes(each)
        if several:
            # One of several modules of the file, or another.
            result = self._result(node, replace(model, kind=Kind.UNKNOWN), name, inputs)
            for forward in dict.fromkeys(definitions):
                left = context.known.functions.get(forward)
                context.state.mode |= left_by(left, outside) if left is not None else outside
                if left is not None and left.returns is not None and (left.own != KEEP or left.returns.held):
                    # It runs in a mode of its own, or gives what has been there before.
                    result |= result_of(node, left.returns, 1, given, runs=True)
            return result
        if known is not None and known.returns is not None:
            context.state.mode = left_by(known, context.state.mode)
            result = result_of(node, known.returns, 1, given, runs=True)
            if any(lookup.is_of(context, model, scope) for scope, _ in result.held):
                result = model_state.as_object_has_it(context, model, result)
            return replace(result, forwards=known.returns.forwards | forwards_of(inputs) | {node})
        return self._result(node, model, name, inputs)

    def _left_behind(self, node: cst.Call, forward: cst.FunctionDef, model: Abstract, given: Arguments) -> Abstract:
        """What a forward pass of the file changes beside what it gives."""
        known = self.context.known.functions.get(forward)
        if known is not None:
            interrupted_by(self.context, known, self.context.state.mode)
            handed = Arguments(list(given.positional), dict(given.keywords), given.starred)
            paths = paths_inside(known.parameters, 1, replace(model, bound=model), given)
            self.functions.effects.leave(node, as_called(self.context, known, 1, given, paths), 1, handed, paths)
        return UNKNOWN

    def hand_in(self, definition: cst.FunctionDef, model: Abstract, given: Arguments) -> None:
        """Let a forward pass of the file know what it is given, and whether its module is frozen."""
        learned = self.context.learned.functions.get(definition)
        if learned is None:
            return
        for position, each in enumerate(given.positional):
            if not given.starred:
                merge(learned.arguments, position + 1, each)
        paths = paths_inside(learned.parameters, 1, replace(model, bound=model), given)
        transfer(self.context, definition, paths)

    def _result(self, node: cst.Call, model: Abstract, name: str, inputs: list[Abstract]) -> Abstract:
        """What a forward pass gives that is not in the file."""
        context = self.context
        mode = context.mode()
        frozen = model_state.frozen(context, model)
        cut = cut_by(mode, node)
        requires = Answer.UNKNOWN
        if cut is not None:
            requires = Answer.NO
        elif model.kind is Kind.UNKNOWN or _is_perhaps_of_inference([model, *inputs]):
            requires = Answer.UNKNOWN
        elif mode is GradMode.ON and (
            any(each.requires_grad is Answer.YES for each in inputs)
            or (frozen is not Answer.YES and not model_state.perhaps_frozen(context, model))
        ):
            # The graph of an input goes through weights that are frozen.
            requires = Answer.YES
        elif frozen is Answer.YES and all(each.requires_grad is Answer.NO for each in inputs):
            requires = Answer.NO
        inference = Answer.UNKNOWN
        if mode is GradMode.INFERENCE and model.kind is Kind.MODEL and name == "forward":
            inference = Answer.YES
        elif not mode & GradMode.INFERENCE and all(each.is_inference is not Answer.YES for each in inputs):
            inference = Answer.NO
        return Abstract(
            kind=Kind.TENSOR,
            requires_grad=requires,
            is_leaf=Answer.NO if requires is Answer.YES else Answer.UNKNOWN,
            is_inference=inference,
            cut=cut,
            made_under=mode,
            made_at=node,
            forwards=forwards_of(inputs) | {node},
            identity=frozenset({node}),
        )

    def method(self, node: cst.Call, model: Abstract, name: str, given: Arguments) -> Abstract:
        """Call a method of a model whose class is not in the file."""
        context = self.context
        if name in torch_classes.MODULE_RETURNS_SELF:
            return model
        if name in torch_classes.MODULE_METHODS_NOT_FORWARD:
            self.rows.call(node, f".{name}", model, given)
            self.rows.handed_on(node, f"{model.label}.{name}", given)
            if name in torch_classes.MODULE_FREEZES and model.label and not given.all():
                put(context, Aspect.FROZEN, model.label, torch_classes.MODULE_FREEZES[name])
            return UNKNOWN
        first = given.at(0)
        if name in torch_api.SELF_GUARDED_METHODS and not (name == "encode" and _are_tensors(given)):
            # What sentence-transformers encodes are sentences.
            self.rows.call(node, f".{name}", model, given)
            # Perhaps: a class in another file may have a method of that name which it trains through.
            return replace(DATA, requires_grad=Answer.UNKNOWN, is_leaf=Answer.UNKNOWN)
        if name == "run" and first is not None and first.is_none:
            # session.run(None, feed): ONNX Runtime's, which gives arrays of all outputs
            # (https://onnxruntime.ai/docs/api/python/api_summary.html).
            self.rows.call(node, f".{name}", model, given)
            return PLAIN
        if naming.sounds_like_training(name):
            # Whatever it gives, it may go back through what it is handed.
            self.rows.handed_on(node, f"{model.label}.{name}", given)
        return self.forward(node, model, name, given)


def _are_tensors(given: Arguments) -> bool:
    """Whether arguments are tensors, or data that was moved to a device, as tensors are: ``batch.to(device)``.

    Sentences come alone, with numbers and names beside them.
    """
    first = given.at(0)
    if first is None:
        return False
    several = sum(each.kind is not Kind.PLAIN for each in given.positional) > 1
    return several or first.kind is Kind.TENSOR or (first.kind is Kind.DATA and first.made_at is not None)


def _is_perhaps_of_inference(operands: list[Abstract]) -> bool:
    """Whether weights and inputs are perhaps inference tensors all, of which nothing is recorded."""
    model, *inputs = operands
    return was_perhaps_made_in_inference(model) and not any(each.is_inference is Answer.NO for each in inputs)


def _graph(forward: FunctionKnowledge, meets: Meets) -> Answer:
    """Whether a forward pass of the file gives something with a graph of its own."""
    given = forward.returns
    if given is None or any(meets.left(each) is not None for ways in forward.records.values() for each in ways):
        return Answer.UNKNOWN
    if forward.records:
        # ``if not self.training:`` it goes another way, on which it runs nothing.
        return Answer.NO
    if given.is_none or given.kind is Kind.PARAMETER or given.parameter is not None:
        return Answer.NO
    if given.cut is not None and given.cut.is_certain and given.cut.how in NO_GRAD_CUTS:
        return Answer.NO
    if given.held:
        # It has been there before: under a decorator, nothing else is made.
        guarded = not forward.own.of(GradMode.ON) & GradMode.ON and not forward.enables
        return Answer.NO if guarded else Answer.UNKNOWN
    if given.kind is not Kind.TENSOR or given.cut is not None:
        return Answer.UNKNOWN  # It may have been recorded and dropped: ``argmax``.
    return (
        Answer.UNKNOWN if given.requires_grad is Answer.YES and given.is_leaf is not Answer.NO else given.requires_grad
    )


def _differentiable_input(value: Abstract) -> bool:
    """``x.requires_grad_()`` before the forward pass: somebody wants the gradient of the input."""
    if value.requires_grad is not Answer.YES or value.kind not in {Kind.TENSOR, Kind.PARAMETER, Kind.DATA}:
        return False
    return value.leaf is not None or (value.is_leaf is not Answer.NO and not value.forwards)


def _invented(values: list[Abstract]) -> bool:
    """Whether tensors are made of noise or constants."""
    tensors = [each for each in flat(values) if each.kind is not Kind.PLAIN or each.constant is None]
    made = [
        each.cut.at
        for each in tensors
        if each.cut is not None and each.cut.how is Loss.FACTORY and each.made_at is not None
    ]
    return 0 < len(made) == len(tensors) and all(map(_is_written_out, made))


def _is_written_out(made: object) -> bool:
    """Whether a tensor is noise, or of numbers that stand there: ``torch.randn(2)``, ``torch.LongTensor([[1, 2]])``."""
    match made:
        case cst.Call(func=cst.Attribute(attr=cst.Name(value=name))) if name in torch_operations.INVENTING:
            return True
        case cst.Call(args=[cst.Arg(value=cst.Call() as inner)]):
            return _is_written_out(inner)
        case cst.Call(args=[cst.Arg(value=content), *_]):
            return _is_literal(content)
    return False


def _is_literal(node: cst.BaseExpression) -> bool:
    """Whether it is made of numbers alone."""
    if isinstance(node, cst.List | cst.Tuple):
        return all(_is_literal(each.value) for each in node.elements)
    return isinstance(node, cst.Integer | cst.Float)
