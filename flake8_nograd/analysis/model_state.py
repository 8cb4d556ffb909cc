"""What a model is in where the walk stands: training mode or evaluation mode, frozen or trained."""

from __future__ import annotations

import libcst as cst

from ..facts import Evaluated, Kind, Leaf
from ..grad import Answer, GradMode
from .aspects import NOT_SET, Aspect, Setting, is_part, setting_of
from .computing import was_perhaps_made_in_inference
from .context import Context
from .value import Abstract, replace


def training_of(context: Context, path: str) -> Setting:
    """What the model at an access path is in, here."""
    return setting_of(context.state.settings[Aspect.TRAINING], path)


def settled(context: Context, value: Abstract) -> Abstract:
    """A model with the mode it is in now, for when it loses the name that says it."""
    if value.kind is not Kind.MODEL or not value.label:
        return value
    setting = frozen_setting(context, value)
    if setting.answer is not Answer.YES and _differs_in_part(context, value.label, Answer.NO):
        # The names of its parts go as well.
        setting = Setting(Answer.UNKNOWN, Evaluated.NOT)
    return replace(value, training=training(context, value), frozen=setting)


def training(context: Context, model: Abstract) -> Setting:
    """What a model is in: by its name, if something has put that in a mode, else as it was made."""
    setting = training_of(context, model.label) if model.label else NOT_SET
    return setting if setting.is_set else model.training


def frozen_of(context: Context, path: str) -> Setting:
    """Whether the model at an access path has its weights frozen, here."""
    return setting_of(context.state.settings[Aspect.FROZEN], path)


def frozen(context: Context, model: Abstract) -> Answer:
    """Whether the weights of a model are frozen."""
    return frozen_setting(context, model).answer


def frozen_setting(context: Context, model: Abstract) -> Setting:
    """The same, and where that stands."""
    setting = frozen_of(context, model.label) if model.label else NOT_SET
    if not setting.is_set:
        setting = model.frozen
    if setting.answer is Answer.YES and model.label and _differs_in_part(context, model.label, Answer.YES):
        return Setting(Answer.UNKNOWN, Evaluated.NOT)
    return setting


def setting_of_part(context: Context, model: Abstract, aspect: Aspect) -> Setting:
    """What a part of a model is in: as the model is, or as one that it was made of is, by its own name."""
    of = training if aspect is Aspect.TRAINING else frozen_setting
    whole = of(context, model)
    for part in [*context.state.names.values()] if model.views else ():
        if part.kind is Kind.MODEL and part.identity & model.views and not part.identity & model.identity:
            setting = of(context, part)
            if setting.answer is not whole.answer:
                return Setting(Answer.UNKNOWN, Evaluated.NOT)
    return whole


def _differs_in_part(context: Context, path: str, frozen: Answer) -> bool:
    """Whether a part of a model is not surely frozen, or not surely trained, as the model is."""
    return any(
        setting.answer is not frozen and is_part(part, path)
        for part, setting in context.state.settings[Aspect.FROZEN].items()
    )


def perhaps_frozen(context: Context, model: Abstract) -> bool:
    """Whether some way here froze it, and some did not; what nothing froze is presumed to be trained."""
    setting = frozen_setting(context, model)
    return setting.is_set and setting.answer is Answer.UNKNOWN


def parameter(context: Context, node: cst.CSTNode, model: Abstract) -> Abstract:
    """An item of the parameters of a model."""
    made = parameter_of(node, model.label, frozen(context, model))
    if was_perhaps_made_in_inference(model):
        surely = model.made_under is GradMode.INFERENCE
        made = replace(made, is_inference=Answer.YES if surely else Answer.UNKNOWN, made_under=model.made_under)
    differs = made.requires_grad is Answer.YES and model.label and _differs_in_part(context, model.label, Answer.NO)
    part = setting_of_part(context, model, Aspect.FROZEN)
    if not differs and not (part.is_set and part.answer is Answer.UNKNOWN):
        return made
    return _perhaps_frozen(made)


def _perhaps_frozen(weight: Abstract) -> Abstract:
    """What was frozen takes up the graph of what is copied into it with gradients on, and is no leaf then."""
    return replace(weight, requires_grad=Answer.UNKNOWN, is_leaf=Answer.UNKNOWN)


def as_object_has_it(context: Context, model: Abstract, found: Abstract) -> Abstract:
    """An attribute of an object, which may have frozen or switched all it holds since that was bound."""
    if found.kind is Kind.MODEL and training(context, model).answer is Answer.UNKNOWN:
        return of_some_mode(found)
    if found.kind is not Kind.PARAMETER or model.kind is not Kind.MODEL:
        return found
    if frozen(context, model) is Answer.YES:
        return replace(found, requires_grad=Answer.NO)
    if perhaps_frozen(context, model):
        return _perhaps_frozen(found)
    return found


def of_some_mode(part: Abstract) -> Abstract:
    """A part of what somebody may have put in evaluation mode, as a whole, since it was built."""
    return replace(part, training=NOT_SET) if part.training.answer is Answer.YES else part


def parameter_of(node: cst.CSTNode, source: str, frozen: Answer) -> Abstract:
    """An item of ``parameters()``: a leaf that is trained, unless it was frozen."""
    requires = Answer.NO if frozen is Answer.YES else Answer.YES
    return Abstract(
        kind=Kind.PARAMETER,
        requires_grad=requires,
        is_leaf=Answer.YES,
        is_inference=Answer.NO,
        leaf=Leaf.PARAMETERS,
        identity=frozenset({node}),
        source=source,
    )
