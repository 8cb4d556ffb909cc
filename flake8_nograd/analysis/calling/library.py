"""Calls of functions and classes of libraries."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ... import naming, torch_api, torch_operations
from ...facts import Kind, Loss, Manner, Purpose
from ...grad import INFERENCE, KEEP, Answer, GradMode, Shift
from .. import model_state
from ..aspects import NOT_SET, Setting
from ..collected import Arguments, flat, forwards_of, tupled
from ..computing import computed, detached, perhaps_itself
from ..conditions import takes_for_a_flag
from ..context import Context
from ..switching import OFF, switch_of
from ..value import NONE, PLAIN, UNKNOWN, Abstract, Leaving, nameless, replace
from .builtin_functions import BuiltinFunctions
from .functions import Functions
from .gradients import Gradients
from .making import made, tensor_of
from .rows import Rows
from .tensors import PAIRS, Tensors


@dataclass(slots=True)
class Library:
    """What torch's and others' functions do."""

    context: Context
    rows: Rows
    functions: Functions
    gradients: Gradients
    tensors: Tensors
    builtins: BuiltinFunctions

    def call(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        """Call a function or class of a library."""
        context = self.context
        mode = context.mode()
        if name in torch_api.SWITCHES:
            for flag in given.all():
                takes_for_a_flag(context, flag)
            switch = replace(switch_of(name, given), identity=frozenset({node}))
            return self._around(switch, given)
        if name == "collections.OrderedDict":
            name = "builtins.dict"
        if name.startswith("builtins."):
            return self.builtins.call(node, name.removeprefix("builtins."), given)
        self.rows.call(node, name, UNKNOWN, given)
        if name in torch_api.DIFFERENTIATORS:
            return self.gradients.differentiate(node, name, given)
        if name == "torch.is_grad_enabled":
            return replace(PLAIN, shift=context.state.mode, made_at=node)
        if name in torch_api.STACKS:
            stack = Abstract(kind=Kind.SWITCH, shift=KEEP, leaving=Leaving.NOTHING, api=name)
            return replace(stack, identity=frozenset({node}), saved=context.state.mode)
        if torch_api.runs_in_a_thread(name):
            self.functions.in_a_thread(node, given)
            return Abstract(api=name)
        if name in torch_api.NEUTRAL_CONTEXTS and name not in {"tqdm.tqdm", "tqdm.auto.tqdm"}:
            return Abstract(kind=Kind.SWITCH, shift=KEEP, leaving=Leaving.NOTHING, api=name)
        if name.rsplit(".", 1)[-1] in context.recorder.settings.no_grad_wrappers:
            return Abstract(kind=Kind.SWITCH, shift=OFF, api=name)
        last = name.rsplit(".", 1)[-1]
        if name.split(".")[0] in torch_api.OTHER_FRAMEWORKS and not naming.sounds_like_no_grad(last):
            # Its models and arrays are none of torch's.
            self.rows.handed_on(node, name, given)
            return replace(PLAIN, api=name)
        model = made(self.context, node, name, given)
        if model is not None:
            return model
        if name.startswith(("torch.", "torch_")):
            return self._torch(node, name, last, given, mode)
        if last in ITERATORS and given.positional:
            return nameless(given.positional[0])
        if last in {"deepcopy", "copy"} and given.positional:
            copied = model_state.settled(context, given.positional[0])
            if last == "deepcopy":
                copied = _new(node, copied, mode)
            elif copied.kind is Kind.MODEL:
                copied = replace(copied, views=copied.identity | copied.views)
            return replace(copied, label="", identity=frozenset({node}), forwards=frozenset())
        if name in {"typing.cast", "typing_extensions.cast"} and len(given.positional) > 1:
            return given.positional[1]  # The very object: its name stays.
        if name == "functools.partial" and given.positional:
            kept = forwards_of([*given.positional[1:], *given.keywords.values()])
            return replace(given.positional[0], forwards=given.positional[0].forwards | kept)
        if name.partition(".")[0] in torch_api.WITHOUT_TENSORS:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=name)
                context.escapes(each)
            return PLAIN
        first = given.at(0)
        if name in torch_operations.REARRANGING and first is not None and first.kind is not Kind.CONTAINER:
            nothing = Arguments([], {})
            return PLAIN if first.kind is Kind.PLAIN else self.tensors.method(node, first, "reshape", nothing)
        perhaps_switches = naming.sounds_like_no_grad(name) and last not in context.known.beside_switches
        if perhaps_switches and name not in torch_api.RUNNING_FUNCTIONS:
            return Abstract(
                kind=Kind.SWITCH, shift=Shift(GradMode.UNKNOWN, GradMode.UNKNOWN, GradMode.UNKNOWN), api=name
            )
        behind = self.rows.handed_on(node, name, given)
        if name in torch_api.SELF_GUARDED_CALLABLES:
            return Abstract(api="", kind=Kind.UNKNOWN, made_at=node)
        return Abstract(
            forwards=behind,
            made_under=mode,
            made_at=node,
            identity=frozenset({node}),
            training=self._wrapped(last, given),
        )

    def _around(self, switch: Abstract, given: Arguments) -> Abstract:
        """A switch, or what it makes of a function: ``torch.no_grad(step)`` is ``torch.no_grad()(step)``."""
        function = given.at(0)
        if function is None or switch.shift is None or switch.api == "torch.set_grad_enabled":
            return switch
        if function.kind is Kind.FUNCTION:
            shift = INFERENCE if switch.api == "torch.inference_mode" else switch.shift
            return replace(function, shift=shift.then(function.shift or KEEP), parameter=None)
        # The others take nothing else; inference mode takes a flag.
        return switch if switch.api == "torch.inference_mode" else replace(switch, kind=Kind.FUNCTION)

    def _wrapped(self, maker: str, given: Arguments) -> Setting:
        """What a model is in around which an object of another file is made: ``Wrapper(model)``."""
        first = given.at(0)
        if first is None or first.kind is not Kind.MODEL or not naming.sounds_like_class(maker):
            return NOT_SET
        setting = model_state.training(self.context, first)
        return setting if setting.answer is Answer.NO else NOT_SET

    def _torch(self, node: cst.Call, name: str, last: str, given: Arguments, mode: GradMode) -> Abstract:
        context = self.context
        plain = name.count(".") == 1
        if "out" in given.keywords:
            self.tensors.write(node, given.keywords["out"], Manner.OUT, "out", given.positional)
        if name.startswith(torch_operations.FOREACH_PREFIX) and last.endswith("_") and given.positional:
            target = given.positional[0]
            for each in target.elements or (target.item or target,):
                self.tensors.write(node, each, Manner.FOREACH, last, given.positional[1:])
            return NONE
        operation = torch_operations.in_place_function(name) or (
            "inplace=True" if _is_true(given.at(-1, "inplace")) else ""
        )
        if operation and given.positional:
            self.tensors.write(node, given.positional[0], Manner.METHOD, operation, given.positional[1:])
            return given.positional[0]
        if (plain and last in torch_operations.FACTORIES) or name == "torch.autograd.Variable":
            return tensor_of(self.context, node, name, given, mode)
        if name.startswith("torch.nn.init."):
            return given.positional[0] if given.positional else UNKNOWN
        if plain and last in torch_operations.NON_DIFFERENTIABLE:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=last)
            return detached(node, Loss.NON_DIFFERENTIABLE, given.at(0) or UNKNOWN, mode)
        if name in {"torch.save", "torch.manual_seed"}:
            return NONE
        if plain and last in torch_operations.PLAIN_FUNCTIONS and given.positional:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=last)
            return PLAIN
        operands = flat([each for each in given.all() if each.kind is not Kind.PLAIN])
        if plain and last in torch_operations.ONE_FOR_EACH and len(operands) > 1:
            context.operates(operands, node, name)
            same = last not in torch_operations.NEVER_ITSELF
            views = [(computed(node, [each], mode, view=True), each) for each in operands]
            return tupled([perhaps_itself(view, each, mode, same_object=same) for view, each in views])
        if plain and last in torch_operations.VIEW_FUNCTIONS:
            context.operates(operands[:1], node, name)
            return computed(node, operands[:1], mode, view=True)
        if torch_operations.is_differentiable_function(name):
            context.meets(node, last if plain else name, operands)
            context.operates(operands, node, name)
            perhaps = bool(operands) and (last in torch_operations.MAYBE_VIEW_FUNCTIONS or "dropout" in last)
            result = replace(computed(node, operands, mode, view=perhaps), kind=Kind.TENSOR)
            if perhaps:
                same = last not in torch_operations.NEVER_ITSELF
                result = perhaps_itself(result, operands[0], mode, same_object=same)
            elif mode is GradMode.INFERENCE:
                result = replace(result, is_inference=Answer.YES)
            if last in PAIRS and (len(given.positional) > 1 or "dim" in given.keywords):
                return replace(result, elements=(result, detached(node, Loss.NON_DIFFERENTIABLE, result, mode)))
            return result
        if name == "torch.utils.checkpoint.checkpoint" and given.positional:
            reentrant = given.keywords.get("use_reentrant")
            if reentrant is None or reentrant.constant is not False:
                # First without gradients, and once more with them. Truth: tests/truth/test_tables.
                context.framework_calls(given.positional[0], GradMode.NOT_INFERENCE | mode)
        self.rows.handed_on(node, name, given, known=name.startswith("torch.nn.utils"))
        return Abstract(forwards=forwards_of(given.all()), made_under=mode, made_at=node, identity=frozenset({node}))


def _new(node: cst.Call, copied: Abstract, mode: GradMode) -> Abstract:
    """What is copied with all its tensors, which belong to the mode they are copied in.

    It is nobody else's: neither what holds the original, nor who handed it in, sees what is done to it.
    """
    copied = replace(copied, held=frozenset(), views=frozenset(), parameter=None)
    if copied.kind in {Kind.MODEL, Kind.UNKNOWN}:
        return replace(copied, made_under=mode, made_at=node)
    if copied.kind not in {Kind.PARAMETER, Kind.TENSOR}:
        return copied
    inference = Answer.YES if mode is GradMode.INFERENCE else Answer.UNKNOWN
    return replace(copied, is_inference=inference if mode & GradMode.INFERENCE else Answer.NO)


def _is_true(flag: Abstract | None) -> bool:
    return flag is not None and flag.constant is True


ITERATORS = frozenset({"tqdm", "trange", "track", "progress_bar", "islice", "cycle", "chain", "prefetch"})
