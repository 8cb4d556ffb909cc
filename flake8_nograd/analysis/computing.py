"""What an operation gives: with a graph or without, made under which mode, and what cut it off."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ..facts import Cut, Kind, Loss
from ..grad import Answer, GradMode
from .value import PLAIN, TENSORS, Abstract, replace


def computed(node: cst.CSTNode, operands: list[Abstract], mode: GradMode, *, view: bool = False) -> Abstract:
    """The result of a differentiable operation on some operands."""
    forwards = frozenset[cst.CSTNode]().union(*(each.forwards for each in operands))
    if operands and all(each.kind is Kind.PLAIN for each in operands):
        return replace(PLAIN, forwards=forwards)
    required = Answer.NEVER
    if not operands or all(each.requires_grad is Answer.NO for each in operands):
        required = Answer.NO
    elif view and not mode & GradMode.ON:
        # A view of a graph tensor keeps requires_grad without a graph; what it is then
        # good for depends on what is done with it: truth test test_view_under_no_grad.
        required = Answer.UNKNOWN
    elif mode.records is Answer.NO:
        required = Answer.NO
    elif mode.records is Answer.YES and any(
        # Of inference tensors nothing is recorded, weights or not.
        each.requires_grad is Answer.YES and not is_perhaps_of_inference(each)
        for each in operands
    ):
        required = Answer.YES
    else:
        required = Answer.UNKNOWN
    cut = None
    if required is Answer.NO:
        cuts = [each.cut for each in operands if each.cut is not None and each.requires_grad is Answer.NO]
        by_mode = [each for each in cuts if each.how in NO_GRAD_CUTS]
        cut = next((each for each in by_mode if each.is_certain), None)
        if cut is None and (by_mode or any(each.requires_grad is not Answer.NO for each in operands)):
            # What a mode has cut perhaps, that here has in any case.
            cut = cut_by(mode, node)
        if cut is None:
            cut = next(iter((*by_mode, *(each.cut for each in operands if each.cut is not None))), None)
    tensor = any(each.kind in TENSORS for each in operands)
    inference = Answer.UNKNOWN
    if view and operands:
        # Of an ordinary tensor it is an ordinary one in inference mode too: truth test test_views_are_what_they_view.
        inference = operands[0].is_inference
    elif mode is GradMode.INFERENCE:
        inference = Answer.YES if any(_is_surely_a_tensor(each) for each in operands) else Answer.UNKNOWN
    elif not mode & GradMode.INFERENCE:
        inference = Answer.NO
    return Abstract(
        kind=Kind.TENSOR if tensor else Kind.UNKNOWN,
        requires_grad=required,
        is_leaf=Answer.YES if required is Answer.NO else Answer.NO if required is Answer.YES else Answer.UNKNOWN,
        is_inference=inference,
        is_view=view,
        cut=cut,
        made_under=mode,
        made_at=node,
        forwards=forwards,
        identity=frozenset({node}),
        views=operands[0].identity | operands[0].views if view and operands else frozenset(),
        block=operands[0].block if view and operands else None,
        is_all_cut=bool(operands) and all(each.is_all_cut and each.requires_grad is Answer.NO for each in operands),
    )


def perhaps_itself(result: Abstract, given: Abstract, mode: GradMode, *, same_object: bool) -> Abstract:
    """The result of an operation that gives a copy, or a view, or what it is given: which, only the run tells.

    Where it may be the same object, what is done to the one in place is perhaps done to the other.
    """
    inference = Answer.UNKNOWN
    if mode is GradMode.INFERENCE and given.is_inference is Answer.YES:
        inference = Answer.YES
    elif not mode & GradMode.INFERENCE and given.is_inference is Answer.NO:
        inference = Answer.NO
    result = replace(
        result,
        is_leaf=result.leafness() | given.leafness(),
        is_inference=inference,
        made_under=result.made_under | given.made_under,
        views=result.views | given.identity | given.views,
    )
    if not same_object:
        return result
    return replace(
        result, identity=result.identity | given.identity, held=given.held, source=given.source, turn=given.turn
    )


def is_perhaps_of_inference(value: Abstract) -> bool:
    """Whether a tensor may have been made in inference mode, as far as anything is known of it."""
    return value.is_inference is Answer.YES or (
        value.is_inference is Answer.UNKNOWN and was_perhaps_made_in_inference(value)
    )


def was_perhaps_made_in_inference(value: Abstract) -> bool:
    """Whether inference mode is among the modes that something was made under, if these are known."""
    known = value.made_under is not GradMode.UNKNOWN or value.made_at is not None
    return known and bool(value.made_under & GradMode.INFERENCE)


def detached(node: cst.CSTNode, how: Loss, value: Abstract, mode: GradMode) -> Abstract:
    """The value without its graph."""
    inference = value.is_inference
    if how is Loss.NON_DIFFERENTIABLE:
        inference = Answer.UNKNOWN
        if mode is GradMode.INFERENCE and _is_surely_a_tensor(value):
            inference = Answer.YES
        elif not mode & GradMode.INFERENCE:
            inference = Answer.NO
    held = value.cut if value.requires_grad is Answer.NO else None
    if held is not None and not held.is_certain:
        # By this in any case.
        held = None
    return Abstract(
        kind=Kind.TENSOR,
        requires_grad=Answer.NO,
        is_leaf=Answer.YES,
        is_inference=inference,
        cut=held if held is not None and how in SAME_NUMBERS else Cut(how, node),
        made_under=mode,
        made_at=node,
        identity=frozenset({node}),
        block=None if how is Loss.NON_DIFFERENTIABLE else value.block,
        is_all_cut=True,
    )


def written(value: Abstract, sources: Sequence[Abstract], mode: GradMode) -> Abstract:
    """A tensor after it was changed in place; ``tests/differential`` runs it on torch.

    Without grad mode it stays what it is; with it, it takes up the graphs of the sources.
    A leaf that requires gradients refuses, and so does not change.
    """
    if not mode & GradMode.ON or (value.leaf is not None and value.requires_grad is Answer.YES):
        return value
    required = value.requires_grad
    if any(each.requires_grad is Answer.YES for each in sources) or required is Answer.YES:
        required = Answer.YES
    elif any(each.requires_grad is not Answer.NO for each in sources):
        required |= Answer.YES
    if mode is not GradMode.ON:
        required |= value.requires_grad
    if required is value.requires_grad:
        # What was frozen perhaps, is no leaf then if it was.
        takes_up = required is Answer.UNKNOWN and any(each.requires_grad is not Answer.NO for each in sources)
        return replace(
            value,
            is_all_cut=value.is_all_cut and all(each.is_all_cut for each in sources),
            is_leaf=value.is_leaf | Answer.NO if takes_up else value.is_leaf,
        )
    return replace(
        value,
        is_all_cut=False,
        requires_grad=required,
        is_leaf=Answer.NO if required is Answer.YES else value.is_leaf | Answer.NO,
        leaf=None,
        cut=None,
        parameter=None,
    )


def _is_surely_a_tensor(value: Abstract) -> bool:
    """Data may be an array, and what a method of a model gives may be a number."""
    return value.kind in {Kind.TENSOR, Kind.PARAMETER} and value.is_inference in {Answer.YES, Answer.NO}


def rescaled(result: Abstract, operands: list[Abstract]) -> Abstract:
    """The result of arithmetic with numbers, or of a mean: the gradient goes where that of the operands goes."""
    releafed = operands[0].releafed
    if releafed is None or any(each.releafed is None for each in operands):
        return result
    return replace(result, releafed=releafed)


def was_computed(value: Abstract) -> bool:
    """Whether something may have been trained behind a value: it is no input, no weight and no number of the file."""
    if value.kind is Kind.CONTAINER:
        parts = value.elements or ((value.item,) if value.item is not None else ())
        return any(was_computed(each) for each in parts)
    if value.kind is Kind.PLAIN:
        return value.cut is not None and value.cut.how is not Loss.FACTORY
    if value.kind is Kind.TENSOR:
        return value.leaf is None and (value.cut is None or value.cut.how is not Loss.FACTORY)
    return value.kind is Kind.UNKNOWN


def cut_by(mode: GradMode, node: cst.CSTNode) -> Cut | None:
    """How a mode that records nothing cuts the graph."""
    if mode is GradMode.INFERENCE:
        return Cut(Loss.INFERENCE, node)
    if mode and not mode & GradMode.ON:
        return Cut(Loss.NO_GRAD, node)
    return None


SAME_NUMBERS = frozenset({Loss.DETACH, Loss.DATA})
"""What would give the same numbers to go through, if they had a graph; an ``argmax`` has none in any mode."""
NO_GRAD_CUTS = frozenset({Loss.NO_GRAD, Loss.INFERENCE})
