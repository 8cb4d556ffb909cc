"""What is known where a function is entered: its parameters, and what models are in."""

from __future__ import annotations

import libcst as cst

from .. import naming, torch_api, torch_classes
from ..facts import Evaluated, Kind, Role
from ..grad import Answer, GradMode
from . import lookup
from .aspects import Aspect, Setting, is_part
from .class_knowledge import ClassKnowledge
from .context import Context, as_handed_in
from .function_knowledge import FunctionKnowledge
from .value import DATA, PLAIN, UNKNOWN, Abstract, Def, replace

WITHOUT_GRAPH = frozenset({"builtins.int", "builtins.float", "builtins.bool", "builtins.str"})
"""Annotations of what has no graph."""


def enter(context: Context, node: Def, owner: cst.ClassDef | None, known: FunctionKnowledge | None) -> None:
    """Fill the state at the start of a function."""
    state = context.state
    parameters = parameters_of(node.params)
    for position, each in enumerate(parameters):
        name = each.name.value
        handed = known.handed(position) if known is not None else None
        value = handed if handed is not None and handed.kind is Kind.FUNCTION else None
        annotated = _annotated(context, each)
        if annotated is PLAIN and handed is not None and handed.kind not in {Kind.UNKNOWN, Kind.PLAIN}:
            # Whoever calls it in the file knows better.
            annotated = None
        value = value or annotated or handed or UNKNOWN
        if value is not annotated and value.kind in {Kind.UNKNOWN, Kind.PLAIN} and not value.forwards:
            value = _presumed(name) if name not in context.known.modules else Abstract()
            if handed is not None and value.kind is Kind.DATA and handed.kind is Kind.UNKNOWN:
                # Somebody in the file hands in what may well require gradients.
                value = replace(value, requires_grad=Answer.UNKNOWN)
        same = [pair for pair in (known.aliases if known is not None else ()) if position in pair]
        identity = frozenset({each, *(parameters[other] for pair in same for other in pair)})
        value = replace(_under(value, name), parameter=position, identity=identity, label="")
        state.names[name] = state.names[as_handed_in(position)] = value
        # Functions within this one see it.
        context.learned.bind(node, name, replace(value, parameter=None, identity=frozenset()))
    for extra in (node.params.star_arg, node.params.star_kwarg):
        if isinstance(extra, cst.Param):
            state.names[extra.name.value] = Abstract(kind=Kind.CONTAINER)
    rest = known.arguments.get(len(parameters)) if known is not None else None
    if isinstance(node.params.star_arg, cst.Param) and rest is not None:
        item = replace(rest, parameter=None, identity=frozenset({node.params.star_arg}), label="")
        state.names[node.params.star_arg.name.value] = Abstract(kind=Kind.CONTAINER, item=item)
        state.names[as_handed_in(len(parameters))] = item
    registered = context.learned.functions.get(node)
    method = owner is not None and registered is not None and registered.owner is owner
    if method and parameters and owner is not None and "staticmethod" not in known_decorators(registered):
        role = lookup.role(context, owner)
        kind = Kind.MODEL if role in {Role.MODULE, Role.LIGHTNING} else Kind.INSTANCE
        if role is Role.OPTIMIZER:
            kind = Kind.OPTIMIZER
        first = parameters[0].name.value
        constructed = context.known.classes.get(owner)
        under = GradMode.NEVER if constructed is None else constructed.made_under
        state.names[first] = Abstract(
            kind=kind,
            label=first,
            definitions=(owner,),
            identity=frozenset({owner}),
            made_under=under or GradMode.ON,
            made_at=owner,
        )
        if "classmethod" in known_decorators(registered):
            state.names[first] = Abstract(kind=Kind.CLASS, label=first, definitions=(owner,))
    for inner, value in _closure(context).items():
        state.names.setdefault(inner, value)
    _settings(context, node, owner, known)


def _under(value: Abstract, name: str) -> Abstract:
    """Parameters of a model that a function is given: it knows the model by them alone."""
    if value.kind is Kind.MODEL:
        return replace(value, source="")
    if value.kind is Kind.PARAMETER:
        return replace(value, source=name, turn=None)
    if value.kind is not Kind.PARAMETERS:
        return value
    elements = None if value.elements is None else tuple(_under(each, name) for each in value.elements)
    item = None if value.item is None else _items_under(value.item, name)
    return replace(value, source=value.source and name, item=item, elements=elements)


def _items_under(item: Abstract, name: str) -> Abstract:
    """As ``named_parameters`` gives them, too."""
    if item.elements is None:
        return _under(item, name)
    return replace(item, elements=tuple(_under(each, name) for each in item.elements))


def known_decorators(known: FunctionKnowledge | None) -> tuple[str, ...]:
    """The decorators of a function that may not be known yet."""
    return known.decorators if known is not None else ()


def _closure(context: Context) -> dict[str, Abstract]:
    """``self`` of the method around a nested function."""
    for scope in context.here.scopes[1:]:
        if isinstance(scope, cst.FunctionDef):
            held = context.learned.functions.get(scope)
            owner = held.owner if held is not None else None
            if owner is not None and held is not None and held.parameters:
                role = lookup.role(context, owner)
                kind = Kind.MODEL if role in {Role.MODULE, Role.LIGHTNING} else Kind.INSTANCE
                name = held.parameters[0]
                return {name: Abstract(kind=kind, label=name, definitions=(owner,))}
    return {}


def _settings(context: Context, node: Def, owner: cst.ClassDef | None, known: FunctionKnowledge | None) -> None:
    state = context.state
    nested = known is not None and known.parent is not None
    for aspect, table in state.settings.items():
        handed = known.settings.get(aspect) if known is not None else None
        module = context.known.settings[aspect] or context.learned.settings[aspect]
        if handed is not None and known is not None and not known.is_open:
            table.update(handed)
        elif not nested and known is not None and known.settings and not known.is_open:
            # The file runs it, as the forward pass of a module: perhaps before what it leaves its models in.
            table.update(dict.fromkeys(module, Setting(Answer.UNKNOWN, Evaluated.NOT)))
        elif not nested:
            for path, setting in module.items():
                if setting.answer is not Answer.UNKNOWN:
                    table[path] = Setting(setting.answer, Evaluated.MODULE_LEVEL)
    if owner is None or (isinstance(node, cst.FunctionDef) and node.name.value == "__init__"):
        return
    constructed = context.known.classes.get(owner)
    if constructed is None:
        return
    built = context.known.built(owner)
    for aspect, table in state.settings.items():
        for path, setting in built[aspect].items():
            overruled = any(path == other or is_part(path, other) for other in constructed.retrains)
            if aspect is Aspect.TRAINING and (
                overruled or "self" in constructed.retrains or setting.answer is Answer.YES
            ):
                # Since then the whole, or this part of it, may have been put in another mode.
                continue
            if constructed.is_kept_so(aspect, path, setting) and not any(
                path == other or is_part(path, other) for other in table
            ):
                table[path] = Setting(setting.answer, Evaluated.CONSTRUCTOR)
    state.alone = frozenset(constructed.made_alone(node))
    for maker, path, setting in constructed.loaded():
        if maker is not node and setting.answer is Answer.NO and constructed.is_kept_so(Aspect.TRAINING, path, setting):
            state.settings[Aspect.TRAINING].setdefault(path, Setting(setting.answer, Evaluated.CONSTRUCTOR))
    _of_strangers(context, node, owner, known)


def _of_strangers(context: Context, node: Def, owner: cst.ClassDef, known: FunctionKnowledge | None) -> None:
    """A module that others run (``nn.Sequential``) is perhaps a part of what the file freezes."""
    run = known is not None and Aspect.FROZEN in known.settings and not known.is_open
    if context.known.freezes and not run and lookup.role(context, owner) is Role.MODULE:
        context.state.settings[Aspect.FROZEN].setdefault("self", Setting(Answer.UNKNOWN, Evaluated.NOT))


def _presumed(name: str) -> Abstract:
    return DATA if naming.sounds_like_data(name) else UNKNOWN


def _annotated(context: Context, parameter: cst.Param) -> Abstract | None:
    """What an annotation says: ``nn.Module``, ``DataLoader``, a class of the file, ``float``."""
    root, name = _named(context, parameter.annotation)
    if root is not None:
        for each in root.definitions:
            if isinstance(each, cst.ClassDef):
                return _object_of(context, each)
    if name in WITHOUT_GRAPH:
        return PLAIN
    if torch_classes.is_model_class(name):
        return Abstract(kind=Kind.MODEL)
    if name in {"torch.Tensor", "torch.FloatTensor"}:
        return DATA if naming.sounds_like_data(parameter.name.value) else Abstract(kind=Kind.TENSOR)
    if name and torch_classes.makes_loader(name):
        return Abstract(kind=Kind.LOADER)
    if (name and torch_classes.makes_optimizer(name)) or name == "torch.optim.Optimizer":
        return Abstract(kind=Kind.OPTIMIZER)
    return None


def gives_arrays(context: Context, function: cst.FunctionDef) -> bool:
    """Whether what a function says of itself, ``-> np.ndarray``, is that no tensor comes back."""
    return _named(context, function.returns)[1] == "numpy.ndarray"


def _named(context: Context, annotation: cst.Annotation | None) -> tuple[Abstract | None, str]:
    """What an annotation is if it is one name, and the canonical name that it has or leads to."""
    parts: list[str] = []
    inner = None if annotation is None else annotation.annotation
    while isinstance(inner, cst.Attribute):
        parts.append(inner.attr.value)
        inner = inner.value
    if not isinstance(inner, cst.Name):
        return None, ""
    root = lookup.variable(context, inner.value)
    name = torch_api.canonical(".".join([root.api, *reversed(parts)])) if root.api else ""
    return (None if parts else root), name


def _object_of(context: Context, owner: cst.ClassDef) -> Abstract:
    role = lookup.role(context, owner)
    kind = Kind.MODEL if role in {Role.MODULE, Role.LIGHTNING} else Kind.INSTANCE
    return Abstract(kind=kind, definitions=(owner,))


def parameters_of(params: cst.Parameters) -> list[cst.Param]:
    """The parameters that have a position, then those that have only a name."""
    return [*params.posonly_params, *params.params, *params.kwonly_params]


def role_of(known: ClassKnowledge, parents: list[ClassKnowledge]) -> Role:
    """What a class is to torch, by its base classes."""
    for name in known.bases:
        full = torch_api.canonical(name)
        last = full.rsplit(".", 1)[-1]
        if last == "LightningModule":
            return Role.LIGHTNING
        if full == "lightning.Callback":
            return Role.CALLBACK
        if full in {"torch.autograd.Function", "torch.autograd.function.Function"}:
            return Role.AUTOGRAD_FUNCTION
        if torch_classes.makes_optimizer(full) or full == "torch.optim.Optimizer":
            return Role.OPTIMIZER
        if last in {"Trainer", "Seq2SeqTrainer"} and full.startswith("transformers"):
            return Role.TRAINER
        if full == "unittest.TestCase" or last.endswith("TestCase"):
            return Role.TEST_CASE
        is_of_nn = full.startswith("torch.nn.") and full not in torch_classes.NN_BUT_NO_MODULE
        if is_of_nn or last.endswith(("Module", "PreTrainedModel")):
            return Role.MODULE
    for parent in parents:
        if parent.role is not Role.NONE:
            return parent.role
    return Role.NONE


def framework_mode(known: ClassKnowledge, method: str) -> GradMode | None:
    """The modes that a framework calls a method under."""
    if known.role in {Role.LIGHTNING, Role.CALLBACK}:
        if method in torch_api.LIGHTNING_GRAD_OFF_HOOKS:
            return GradMode.NOT_ON
        if method in torch_api.LIGHTNING_GRAD_ON_HOOKS:
            return GradMode.ON
    if known.role is Role.AUTOGRAD_FUNCTION and method in torch_api.AUTOGRAD_FUNCTION_METHODS:
        # Inference mode stays. Truth: tests/truth/test_tables.
        return GradMode.NOT_ON
    if known.role is Role.AUTOGRAD_FUNCTION and method in torch_api.AUTOGRAD_FUNCTION_BACKWARDS:
        return GradMode.NOT_INFERENCE
    return None


def is_step_of_base(known: ClassKnowledge, method: str) -> bool:
    """Whether a method is an evaluation step, which the class of another file that its own is derived from may call."""
    return known.role is Role.NONE and known.has_base_elsewhere and naming.sounds_like_evaluation_step(method)
