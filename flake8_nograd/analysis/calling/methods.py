"""Methods of values whose class is not in the file."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ... import naming, torch_api, torch_classes
from ...facts import Kind, Purpose
from ...grad import ANYTHING, ENABLE_GRAD, KEEP, Answer, GradMode
from .. import lookup, model_state
from ..aspects import Aspect
from ..collected import Arguments, tupled
from ..context import Context
from ..switching import changed
from ..value import PLAIN, UNKNOWN, Abstract, replace
from .containers import Containers
from .functions import Functions
from .gradients import Gradients
from .managers import Managers
from .models import Models
from .rows import Rows
from .tensors import Tensors


@dataclass(slots=True)
class Methods:
    """Finds out what a method means by its name and by what it is called on."""

    context: Context
    rows: Rows
    containers: Containers
    managers: Managers
    functions: Functions
    models: Models
    gradients: Gradients
    tensors: Tensors

    def call(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """Call a method of a value whose class is not in the file."""
        context = self.context
        path = receiver.label
        if name in torch_classes.MODULE_EVIDENCE_METHODS and receiver.kind in {Kind.UNKNOWN, Kind.DATA, Kind.TENSOR}:
            context.evidence(path)
        special = self._protocol(node, receiver, name, given)
        if special is not None:
            return special
        if name == "forward" and lookup.is_module_of_another_file(context, receiver):
            return self.models.forward(node, receiver, name, given)
        if receiver.kind is Kind.MODEL:
            return self.models.method(node, receiver, name, given)
        if receiver.kind in {Kind.CONTAINER, Kind.STATE, Kind.PARAMETERS, Kind.PLAIN}:
            return self.containers.method(node, receiver, name, given)
        if receiver.kind in {Kind.OPTIMIZER, Kind.LOADER, Kind.SCALER, Kind.INSTANCE, Kind.CRITERION}:
            self.rows.call(node, f".{name}", receiver, given)
            behind = self.rows.handed_on(node, f"{path}.{name}", given, known=receiver.kind is Kind.OPTIMIZER)
            if receiver.kind is Kind.SCALER and name in {"scale", "unscale"} and given.positional:
                return replace(given.positional[0], label="")
            return Abstract(forwards=behind, made_at=node)
        if receiver.kind is Kind.UNKNOWN and _encodes(receiver, name, given):
            return self.models.forward(node, replace(UNKNOWN, label=path, training=receiver.training), name, given)
        return self.tensors.method(node, receiver, name, given)

    def _protocol(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract | None:
        """Methods that mean the same on whatever has them."""
        context = self.context
        if name == "__enter__" and receiver.kind is Kind.SWITCH:
            return self.managers.enter(node, receiver)
        if name == "__exit__" and receiver.kind is Kind.SWITCH:
            context.state.mode = changed(context.state.mode, ANYTHING)
            return UNKNOWN
        default_pool = name == "run_in_executor" and given.positional and given.positional[0].is_none
        if default_pool or torch_api.runs_in_a_thread(f"{receiver.api}.{name}"):
            self.rows.call(node, f".{name}", receiver, given)
            self.functions.in_a_thread(node, given)
            return UNKNOWN
        if name in {"backward", "manual_backward"}:
            return self.gradients.backward(node, receiver, name, given)
        if name in {"eval", "train"} and receiver.kind not in {Kind.API, Kind.CONTAINER, Kind.PLAIN, Kind.TENSOR}:
            return self.gradients.mode_switch(node, receiver, name, given)
        listed = name in {"parameters", "named_parameters", "trainable_parameters"}
        if listed and (not receiver.api or receiver.kind is Kind.MODEL):
            single = model_state.parameter(context, node, receiver)
            item = single
            if name == "named_parameters":
                item = Abstract(kind=Kind.CONTAINER, elements=(PLAIN, single))
            return Abstract(kind=Kind.PARAMETERS, item=item, source=receiver.label, made_at=node)
        if name in torch_classes.MODULE_GIVES_MODULES and receiver.kind is Kind.MODEL:
            part = Abstract(
                kind=Kind.MODEL,
                training=model_state.setting_of_part(context, receiver, Aspect.TRAINING),
                frozen=model_state.setting_of_part(context, receiver, Aspect.FROZEN),
                source=receiver.label,
            )
            if name.endswith("modules") and receiver.identity:
                # It is the first of them itself.
                part = replace(part, identity=receiver.identity | {node})
            if name.startswith("named_"):
                part = tupled([PLAIN, part])
            return Abstract(kind=Kind.CONTAINER, item=part)
        if name == "requires_grad_":
            return self.gradients.requires_grad(node, receiver, given)
        if name == "apply":
            # Of a module, or a table: calls the function now, once for each part.
            for each in given.all():
                for definition in each.definitions:
                    if each.kind is Kind.FUNCTION and not isinstance(definition, cst.ClassDef):
                        context.called(definition, shift=each.shift or KEEP)
                        self.functions.applied(definition, receiver)
        if name == "register_buffer" and receiver.label == "self":
            self.gradients.register_buffer(given)
        if name == "state_dict":
            weights = STATE_OF_MODEL if receiver.kind is Kind.MODEL else None
            return Abstract(kind=Kind.STATE, requires_grad=Answer.NO, item=weights)
        if name in torch_api.HOOK_REGISTRARS:
            for each in given.all():
                context.framework_calls(each, GradMode.NOT_INFERENCE)
            self.rows.call(node, f".{name}", receiver, given)
            return UNKNOWN
        if receiver.api in torch_api.STACKS and name in {"close", "aclose", "pop_all", "callback", "push"}:
            return self.managers.of_stack(receiver, name, given)
        if name == "enter_context" and given.positional:
            return self.managers.enter(node, given.positional[0], receiver)
        if name == "step" and receiver.kind in {Kind.OPTIMIZER, Kind.UNKNOWN, Kind.SCALER}:
            return self._step(node, receiver, given)
        if name == "scale" and naming.sounds_like_scaler(receiver.label) and given.positional:
            return replace(given.positional[0], label="")
        return None

    def _step(self, node: cst.Call, receiver: Abstract, given: Arguments) -> Abstract:
        """Of an optimizer, which may run a closure; or of an environment, which takes actions as numbers."""
        self.rows.call(node, ".step", receiver, given)
        for each in given.all():
            if naming.sounds_like_environment(receiver.label):
                self.context.use(each, node, Purpose.VALUE, callee="env.step")
            for definition in each.definitions:
                if not isinstance(definition, cst.ClassDef):
                    self.context.called(definition, shift=ENABLE_GRAD)
                    self.functions.runs_now(node, definition)
        return PLAIN


STATE_OF_MODEL = Abstract(
    kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES, api="torch.nn.Module.state_dict"
)
"""One of the weights and buffers in the state of a model; that of an optimizer has dictionaries in it."""


def _encodes(receiver: Abstract, name: str, given: Arguments) -> bool:
    """Whether what nothing but its name says to be a model encodes data: ``model.encode_image(images)``.

    Not ``encode``, which as often takes texts.
    """
    first = given.at(0)
    return (
        first is not None
        and first.kind in {Kind.DATA, Kind.TENSOR}
        and naming.sounds_like_model(receiver.label)
        and naming.sounds_like_encoding(name)
        and name not in torch_api.SELF_GUARDED_METHODS
        and name not in torch_classes.MODULE_METHODS_NOT_FORWARD
    )
