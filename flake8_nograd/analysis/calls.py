"""What a call does and gives, its callee and arguments being known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeVar

import libcst as cst

from .. import naming, torch_api
from ..facts import (
    Assignment,
    Backward,
    Call,
    Cut,
    Differentiation,
    Evaluated,
    Form,
    Forward,
    Kind,
    Leaf,
    Loss,
    Manner,
    ModeSwitch,
    Purpose,
    Reveal,
    Role,
    Switch,
    ThreadCall,
    Write,
)
from ..grad import ANYTHING, ENABLE_GRAD, KEEP, SET_UNKNOWN, Answer, GradMode, Shift
from ..grad import INFERENCE as INFERENCE_SHIFT
from ..grad import NO_GRAD as NO_GRAD_SHIFT
from ..grad import NOT_INFERENCE as NOT_INFERENCE_SHIFT
from .context import Context
from .knowledge import Def, FunctionKnowledge, Run
from .state import Setting, setting_of
from .value import (
    DATA,
    NONE,
    PLAIN,
    UNKNOWN,
    Abstract,
    Lazy,
    Leaving,
    computed,
    cut_by,
    detached,
    nameless,
    replace,
    rescaled,
    was_computed,
    written,
)

OFF = NO_GRAD_SHIFT | INFERENCE_SHIFT
Key = TypeVar("Key", int, str)


@dataclass(slots=True)
class Arguments:
    """What a call is given."""

    positional: list[Abstract]
    keywords: dict[str, Abstract]
    starred: bool = False
    is_statement: bool = False

    def all(self) -> list[Abstract]:
        """Every argument."""
        return [*self.positional, *self.keywords.values()]

    def at(self, position: int, keyword: str = "") -> Abstract | None:
        """One argument."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.positional[position] if 0 <= position < len(self.positional) else None


@dataclass(slots=True)
class Calls:
    """The meaning of calls."""

    context: Context

    # --- which call is it -------------------------------------------------

    def call(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Call a value."""
        context = self.context
        if callee.label == "reveal":
            return self._reveal(node, given)
        self._wrapped(callee.label)
        if callee.kind is Kind.FUNCTION and callee.definitions:
            return self.function(node, callee, given)
        if callee.kind is Kind.CLASS and callee.definitions:
            return self.construct(node, callee, given)
        if callee.kind is Kind.SWITCH and callee.shift is not None:
            for each in given.positional:
                if each.kind is Kind.FUNCTION:
                    return replace(each, shift=callee.shift.then(each.shift or KEEP))
            return replace(callee, kind=Kind.FUNCTION, definitions=())
        if callee.kind is Kind.FUNCTION and callee.shift is not None:
            return self._shifted(node, callee, callee.shift, given)
        if callee.kind is Kind.MODEL:
            return self.forward(node, callee, "__call__", given)
        if callee.kind is Kind.CRITERION:
            self._handed_on(node, callee.label, given, known=True)
            operands = [each for each in given.all() if each.kind is not Kind.PLAIN]
            context.meets(node, callee.api, operands)
            result = replace(computed(node, operands, context.mode()), kind=Kind.TENSOR)
            return replace(result, is_inference=Answer.UNKNOWN) if callee.api in torch_api.PASSING_ON else result
        if callee.api:
            return self.api(node, callee.api, given)
        if callee.either:
            first, *others = (self.api(node, each, given) for each in sorted(callee.either))
            return reduce(or_, others, first)
        return self._unknown(node, callee.label, given)

    def _shifted(self, node: cst.Call, callee: Abstract, shift: Shift, given: Arguments) -> Abstract:
        """Call what a switch was wrapped around: ``torch.enable_grad()(closure)()``."""
        state = self.context.state
        outside = state.mode
        state.mode = outside.then(shift)
        result = self._unknown(node, callee.label, given)
        state.mode = outside
        return result

    def _wrapped(self, name: str) -> None:
        """Calling the function that a decorator was given: under which mode, its users want to know."""
        context = self.context
        if not name or name in context.state.names:
            return
        for scope in context.here.scopes[1:]:
            if isinstance(scope, cst.FunctionDef):
                learned = context.learned.functions.get(scope)
                if learned is not None and learned.parameters[:1] == (name,):
                    function = context.learning()
                    shift = (function.own if function is not None else KEEP).then(context.state.mode)
                    learned.wraps = shift if learned.wraps is None else learned.wraps | shift
                    return

    def _unknown(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        context = self.context
        if naming.sounds_like_model(name) and not self._makes(name, given):
            return self.forward(node, Abstract(label=name), "__call__", given)
        self._row(node, name, UNKNOWN, given)
        self._handed_on(node, name, given)
        return Abstract(
            forwards=_forwards(given.all()), made_under=context.mode(), made_at=node, identity=frozenset({node})
        )

    def _makes(self, name: str, given: Arguments) -> bool:
        """Whether a name that nothing in the file binds is a maker: ``from models import *``, ``resnet50(10)``."""
        return all(each.kind is Kind.PLAIN for each in given.all()) and not self.context.is_bound(name)

    def _reveal(self, node: cst.Call, given: Arguments) -> Abstract:
        value = given.at(0) or UNKNOWN
        training = self.context.training(value).answer
        self.context.recorder.write(Reveal(node, self.context.mode(), value.fact(), training))
        return value

    def _row(
        self, node: cst.Call, name: str, receiver: Abstract, given: Arguments, function: Def | None = None
    ) -> None:
        known = self.context.known.functions.get(function) if function is not None else None
        self.context.recorder.write(
            Call(
                node,
                self.context.place(),
                name,
                receiver.fact(),
                tuple(each.fact() for each in given.positional),
                tuple((key, each.fact()) for key, each in given.keywords.items()),
                known.row if known is not None else None,
                given.is_statement,
            )
        )

    def _handed_on(self, node: cst.Call, name: str, given: Arguments, *, known: bool = False) -> None:
        for each in given.all():
            self.context.escapes(each)
            if not known:
                self.context.use(each, node, Purpose.CALL, callee=name)

    # --- functions and classes of the file --------------------------------

    def runs_now(self, manager: Abstract) -> None:
        """A manager made by a function of the file is entered: its body runs."""
        for definition in manager.definitions:
            if manager.kind is Kind.SWITCH and not isinstance(definition, cst.ClassDef):
                self.context.called(definition)

    def _manager(self, callee: Abstract, given: Arguments) -> Abstract:
        """Make a context manager with a generator of the file, which runs when it is entered."""
        shift, leaving = KEEP, Leaving.RESTORES
        for definition in callee.definitions:
            known = self.context.known.functions.get(definition) if not isinstance(definition, cst.ClassDef) else None
            if known is not None and known.yields is not None and known.own == KEEP:
                # A decorator of torch takes its mode back at each yield.
                shift, leaving = known.yields, Leaving.RESTORES if known.leaves == KEEP else Leaving.STAYS
        for each in given.all():
            self.context.escapes(each)
        return Abstract(kind=Kind.SWITCH, shift=shift, leaving=leaving, definitions=callee.definitions)

    def function(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Call a function of the file."""
        if callee.api == "contextmanager":
            return self._manager(callee, given)
        result: Abstract | None = None
        for definition in callee.definitions:
            if isinstance(definition, cst.ClassDef):
                continue
            each = self._one_function(node, definition, callee, given)
            result = each if result is None else result | each
        # What it gives is known from walking it under the modes of all its calls; what it only
        # hands on, a wrapper's mode does not change.
        return result or UNKNOWN

    def _one_function(self, node: cst.Call, definition: Def, callee: Abstract, given: Arguments) -> Abstract:
        context = self.context
        known = context.known.functions.get(definition)
        learned = context.learned.functions.get(definition)
        name = definition.name.value if isinstance(definition, cst.FunctionDef) else "<lambda>"
        self._row(node, name, callee.bound or UNKNOWN, given, definition)
        if learned is None:
            return UNKNOWN
        context.called(definition, shift=callee.shift or KEEP)
        bound = 1 if callee.bound is not None else 0
        paths = self._hand_over(learned.parameters, bound, callee, given)
        if learned.node in context.learned.functions and not given.starred:
            for position, each in enumerate(given.positional):
                _merge(learned.arguments, position + bound, each)
            for key, each in given.keywords.items():
                if key in learned.parameters:
                    _merge(learned.arguments, learned.parameters.index(key), each)
        self._transfer(definition, paths)
        self._note_aliases(learned, bound, given)
        for each in given.all():
            self.context.escapes(each)
        if known is not None:
            self._left_behind(node, known, bound, given, paths)
        if known is None or known.returns is None:
            return Abstract(forwards=_forwards(given.all()), made_at=node)
        if not known.is_generator and not known.decorators:
            context.state.mode = context.state.mode.then(known.leaves)
        return self._result(node, known.returns, bound, given, self._runs(node, definition, paths))

    def _altered(self, tensor: Abstract, left: Abstract) -> None:
        """A function of the file was given a tensor, and has changed it."""
        context = self.context

        def change(value: Abstract) -> Abstract:
            return replace(
                value,
                requires_grad=left.requires_grad,
                is_leaf=left.is_leaf,
                leaf=left.leaf and (value.leaf or left.leaf),
                cut=left.cut,
                releafed=left.releafed,
            )

        context.change(tensor, change)
        if tensor.label and tensor.kind is not Kind.MODEL:
            context.state.names[tensor.label] = change(tensor)
        if tensor.kind is Kind.PARAMETER and tensor.source:
            frozen = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(left.requires_grad, Answer.UNKNOWN)
            context.put("frozen", tensor.source, frozen)

    def _left_behind(
        self, node: cst.Call, known: FunctionKnowledge, bound: int, given: Arguments, paths: dict[str, str]
    ) -> None:
        """What a call changes, puts into containers, and binds names to, that are seen from here."""
        context = self.context
        for position, value in known.alters.items():
            handed = given.at(position - bound, known.parameters[position])
            if handed is not None:
                self._altered(handed, value)
        for (owner, what, path), setting in known.puts.items():
            root, dot, rest = path.partition(".")
            if owner is not known.node:
                context.put_elsewhere(owner, what, path, setting)
            elif paths.get(root):
                context.put(what, paths[root] + dot + rest, setting.answer, Evaluated.CALLEE)
        for position, value in known.stores.items():
            container = given.at(position - bound, known.parameters[position])
            if container is not None and container.label:
                self.put_into(node, container, [value])
        for (scope, name), value in known.rebinds.items():
            if scope is not context.here.scopes[0]:
                context.rebinds(scope, name, value)
            elif name in context.state.names:
                context.state.names[name] |= value

    def _note_aliases(self, learned: FunctionKnowledge, bound: int, given: Arguments) -> None:
        """Which parameters get one object; what a ``*args`` gathers is none."""
        count = len(learned.parameters)
        handed = [(position, each) for position, each in enumerate(given.positional, bound) if position < count]
        handed += [
            (learned.parameters.index(key), each) for key, each in given.keywords.items() if key in learned.parameters
        ]
        for index, (position, each) in enumerate(handed):
            for other, held in handed[:index]:
                if each.identity & held.identity:
                    learned.aliases.add(frozenset({position, other}))

    def _hand_over(self, parameters: tuple[str, ...], bound: int, callee: Abstract, given: Arguments) -> dict[str, str]:
        """From access paths inside the function to paths here."""
        paths = {}
        if callee.bound is not None and parameters:
            paths[parameters[0]] = callee.bound.label
        for position, each in enumerate(given.positional):
            if position + bound < len(parameters) and each.label:
                paths[parameters[position + bound]] = each.label
        for key, each in given.keywords.items():
            if each.label:
                paths[key] = each.label
        return paths

    def _transfer(self, definition: Def, paths: dict[str, str]) -> None:
        """Let the callee know what its models are in."""
        state = self.context.state
        learned = self.context.learned.functions[definition]
        for what, table in (("training", state.training), ("frozen", state.frozen)):
            mapped = {}
            for inside, outside in paths.items():
                setting = setting_of(table, outside)
                if setting.answer is not Answer.UNKNOWN:
                    mapped[inside] = setting
                for path, part in table.items():
                    if path.startswith(outside + "."):
                        mapped[inside + path[len(outside) :]] = part
            for path, setting in table.items():
                root = path.split(".")[0]
                if root not in learned.parameters and root != "self":
                    mapped.setdefault(path, setting)
            mapped = {path: Setting(setting.answer, _by_caller(setting)) for path, setting in mapped.items()}
            before = learned.training if what == "training" else learned.frozen
            if before is not None:
                mapped = {
                    path: setting_of(before, path) | setting_of(mapped, path)
                    for path in sorted(before.keys() | mapped.keys())
                }
            if what == "training":
                learned.training = mapped
            else:
                learned.frozen = mapped

    def _runs(self, node: cst.Call, definition: Def, paths: dict[str, str]) -> bool:
        """The forward passes that the callee runs for us."""
        context = self.context
        known = context.known.functions[definition]
        seen: dict[tuple[str, str], Run] = {}
        for run in known.runs:
            if run.explicit or run.anchor in context.known.differentiated:
                continue
            root, dot, rest = run.path.partition(".")
            outside = paths.get(root)
            if outside is None and root in known.parameters:
                continue
            path = (outside or root) + dot + rest
            seen.setdefault((path, run.method), run)
        name = definition.name.value if isinstance(definition, cst.FunctionDef) else ""
        if name in {"forward", "__call__"} and "self" in paths and (seen or self._is_module(paths["self"])):
            # A module's own forward pass runs the module, not this or that part.
            return self._runs_itself(node, paths["self"], name, definition)
        for path, method in seen:
            model = replace(UNKNOWN, kind=Kind.MODEL, label=path)
            self._forward_row(node, model, method, Answer.NO, definition)
        return bool(seen)

    def _is_module(self, path: str) -> bool:
        """Whether something is said of an object that is said of modules alone: ``self.eval()``."""
        return self.context.training_of(path).answer is not Answer.UNKNOWN

    def _runs_itself(self, node: cst.Call, path: str, method: str, definition: Def) -> bool:
        self._forward_row(node, replace(UNKNOWN, kind=Kind.MODEL, label=path), method, Answer.NO, definition)
        return True

    def _result(self, node: cst.Call, returns: Abstract, bound: int, given: Arguments, runs: bool) -> Abstract:
        forwards = returns.forwards | ({node} if runs else frozenset())
        if returns.kind is not Kind.PLAIN:
            forwards |= _forwards(given.all())
        if returns.parameter is not None:
            handed = given.at(returns.parameter - bound)
            if handed is not None:
                return replace(handed, forwards=handed.forwards | forwards, parameter=None)
        elements = returns.elements
        if elements is not None:
            elements = tuple(self._result(node, each, bound, given, runs) for each in elements)
        return replace(
            returns,
            forwards=frozenset() if returns.kind is Kind.PLAIN else forwards,
            elements=elements,
            label="",
            parameter=None,
            identity=frozenset({node}),
        )

    def construct(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Make an object of a class of the file."""
        context = self.context
        owner = next((each for each in callee.definitions if isinstance(each, cst.ClassDef)), None)
        role = context.role(owner)
        self._row(node, callee.label, UNKNOWN, given)
        kind = {
            Role.MODULE: Kind.MODEL,
            Role.LIGHTNING: Kind.MODEL,
            Role.OPTIMIZER: Kind.OPTIMIZER,
        }.get(role, Kind.INSTANCE)
        made = Abstract(
            kind=kind,
            definitions=callee.definitions,
            training=Answer.YES if kind is Kind.MODEL else Answer.UNKNOWN,
            identity=frozenset({node}),
            made_under=context.mode(),
            made_at=node,
        )
        if owner is not None:
            context.learned.classes[owner].made_under |= context.mode()
        init = context.method(owner, "__init__") if owner is not None else None
        if init is not None:
            bound = replace(made, kind=Kind.FUNCTION, definitions=(init,), bound=replace(made, label=""))
            self._one_function(node, init, bound, given)
            known = context.known.functions.get(init)
            if known is not None and kind is Kind.MODEL:
                itself = known.parameters[0]
                training = known.puts.get((init, "training", itself))
                frozen = known.puts.get((init, "frozen", itself))
                made = replace(
                    made,
                    training=made.training if training is None else training.answer,
                    frozen=made.frozen if frozen is None else frozen.answer,
                )
        else:
            self._handed_on(node, callee.label, given)
        return made

    # --- models -------------------------------------------------------------

    def forward(self, node: cst.Call, model: Abstract, method: str, given: Arguments) -> Abstract:
        """Run a model."""
        context = self.context
        owner = next((each for each in model.definitions if isinstance(each, cst.ClassDef)), None)
        name = "forward" if method == "__call__" else method
        definition = context.method(owner, name) if owner is not None else None
        known = None
        if definition is not None:
            known = context.known.functions.get(definition)
            context.called(definition)
            learned = context.learned.functions.get(definition)
            if learned is not None:
                for position, each in enumerate(given.positional):
                    if not given.starred:
                        _merge(learned.arguments, position + 1, each)
        inputs = given.all()
        needs = Answer.YES if any(_differentiable_input(each) for each in inputs) else Answer.NO
        self._forward_row(node, model, method, needs, None, discarded=given.is_statement, invented=_invented(inputs))
        if definition is None:
            context.meets(node, "forward", inputs)
        for each in inputs:
            context.escapes(each)
        mode = context.mode()
        frozen = self._frozen(model)
        forwards = _forwards(inputs) | {node}
        if known is not None and known.returns is not None:
            return replace(
                self._result(node, known.returns, 1, given, runs=True), forwards=known.returns.forwards | forwards
            )
        cut = cut_by(mode, node)
        requires = Answer.UNKNOWN
        if cut is not None:
            requires = Answer.NO
        elif model.kind is Kind.UNKNOWN:
            requires = Answer.UNKNOWN
        elif mode is GradMode.ON and frozen is not Answer.YES and not context.perhaps_frozen(model):
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
            forwards=forwards,
            identity=frozenset({node}),
        )

    def _frozen(self, model: Abstract) -> Answer:
        return self.context.frozen(model)

    def _forward_row(
        self,
        node: cst.Call,
        model: Abstract,
        method: str,
        inputs: Answer,
        via: Def | None,
        *,
        discarded: bool = False,
        invented: bool = False,
    ) -> None:
        context = self.context
        setting = context.training(model)
        through = context.known.functions.get(via) if via is not None else None
        context.recorder.write(
            Forward(
                node,
                context.place(),
                model.fact(),
                setting.answer,
                setting.where if setting.answer is not Answer.UNKNOWN else Evaluated.NOT,
                self._frozen(model),
                inputs,
                method,
                None if through is None else through.row,
                discarded,
                invented,
            )
        )
        learning = context.learning()
        if learning is not None:
            learning.forwards.add(node)
        if discarded and method not in {"__call__", "forward"}:
            return
        if learning is not None and model.label and learning.own.then(context.state.mode).on is GradMode.ON:
            explicit = setting.where is Evaluated.HERE and setting.answer is not Answer.UNKNOWN
            learning.runs[Run(model.label, method, explicit, node)] = None

    # --- methods --------------------------------------------------------------

    def method(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        """Call a method of a value whose class is not in the file."""
        context = self.context
        path = receiver.label
        if name in torch_api.MODULE_EVIDENCE_METHODS and receiver.kind in {Kind.UNKNOWN, Kind.DATA, Kind.TENSOR}:
            context.evidence(path)
        special = self._protocol(node, receiver, name, given)
        if special is not None:
            return special
        if receiver.kind is Kind.MODEL:
            return self._model_method(node, receiver, name, given)
        if receiver.kind in {Kind.CONTAINER, Kind.STATE, Kind.PARAMETERS, Kind.PLAIN}:
            return self._container_method(node, receiver, name, given)
        if receiver.kind in {Kind.OPTIMIZER, Kind.LOADER, Kind.SCALER, Kind.INSTANCE, Kind.CRITERION}:
            self._row(node, f".{name}", receiver, given)
            self._handed_on(node, f"{path}.{name}", given, known=receiver.kind is Kind.OPTIMIZER)
            if receiver.kind is Kind.SCALER and name in {"scale", "unscale"} and given.positional:
                return replace(given.positional[0], label="")
            return Abstract(forwards=_forwards(given.all()), made_at=node)
        return self._tensor_method(node, receiver, name, given)

    def _in_a_thread(self, node: cst.Call, given: Arguments) -> None:
        """Functions are handed to another thread: grad mode is not inherited."""
        context = self.context
        for each in given.all():
            if each.kind is not Kind.FUNCTION:
                context.escapes(each)
                continue
            for definition in each.definitions:
                if isinstance(definition, cst.ClassDef):
                    continue
                context.called(definition, fresh=True, shift=each.shift or KEEP)
                known = context.known.functions.get(definition)
                if known is not None and known.row is not None:
                    context.recorder.write(ThreadCall(node, context.place(), known.row))

    def _protocol(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract | None:
        """Methods that mean the same on whatever has them."""
        context = self.context
        if name == "__enter__" and receiver.kind is Kind.SWITCH:
            return self._enter(node, receiver)
        if name == "__exit__" and receiver.kind is Kind.SWITCH:
            context.state.mode = changed(context.state.mode, ANYTHING)
            return UNKNOWN
        default_pool = name == "run_in_executor" and given.positional and given.positional[0].is_none
        if default_pool or torch_api.runs_in_a_thread(f"{receiver.api}.{name}"):
            self._row(node, f".{name}", receiver, given)
            self._in_a_thread(node, given)
            return UNKNOWN
        if name in {"backward", "manual_backward"}:
            return self._backward(node, receiver, name, given)
        if name in {"eval", "train"} and receiver.kind not in {Kind.API, Kind.CONTAINER, Kind.PLAIN, Kind.TENSOR}:
            return self._mode_switch(node, receiver, name, given)
        listed = name in {"parameters", "named_parameters", "trainable_parameters"}
        if listed and (not receiver.api or receiver.kind is Kind.MODEL):
            single = context.parameter(node, receiver)
            item = single
            if name == "named_parameters":
                item = Abstract(kind=Kind.CONTAINER, elements=(PLAIN, single))
            return Abstract(kind=Kind.PARAMETERS, item=item, source=receiver.label, made_at=node)
        if name in torch_api.MODULE_GIVES_MODULES and receiver.kind is Kind.MODEL:
            part = Abstract(kind=Kind.MODEL, training=context.training_of(receiver.label).answer)
            if name.startswith("named_"):
                part = tupled([PLAIN, part])
            return Abstract(kind=Kind.CONTAINER, item=part)
        if name == "requires_grad_":
            return self._requires_grad(node, receiver, given)
        if name == "apply":
            # Of a module, or a table: calls the function now, once for each part.
            for each in given.all():
                for definition in each.definitions:
                    if each.kind is Kind.FUNCTION and not isinstance(definition, cst.ClassDef):
                        context.called(definition, shift=each.shift or KEEP)
        if name == "register_buffer" and receiver.label == "self":
            self._register_buffer(given)
        if name == "state_dict":
            return Abstract(kind=Kind.STATE, requires_grad=Answer.NO)
        if name in torch_api.HOOK_REGISTRARS:
            for each in given.all():
                context.framework_calls(each, GradMode.NOT_INFERENCE)
            self._row(node, f".{name}", receiver, given)
            return UNKNOWN
        if name == "enter_context" and given.positional:
            return self._enter(node, given.positional[0])
        if name == "step" and receiver.kind in {Kind.OPTIMIZER, Kind.UNKNOWN, Kind.SCALER}:
            self._row(node, ".step", receiver, given)
            for each in given.all():
                for definition in each.definitions:
                    if not isinstance(definition, cst.ClassDef):
                        context.called(definition, shift=ENABLE_GRAD)
            return PLAIN
        if name == "scale" and naming.sounds_like_scaler(receiver.label) and given.positional:
            return replace(given.positional[0], label="")
        return None

    def _register_buffer(self, given: Arguments) -> None:
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

    def _backward(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        context = self.context
        helper = name == "manual_backward" or receiver.kind in {
            Kind.SCALER,
            Kind.OPTIMIZER,
            Kind.MODEL,
            Kind.INSTANCE,
            Kind.API,
        }
        if not helper and given.positional and not receiver.forwards and receiver.kind is Kind.UNKNOWN:
            helper = naming.sounds_like_scaler(receiver.label) or given.positional[0].kind is Kind.TENSOR
        target = receiver
        how = Differentiation.BACKWARD
        if helper:
            if not given.positional:
                return PLAIN
            target, how = given.positional[0], Differentiation.HELPER
        context.recorder.write(Backward(node, context.place(), target.fact(), how))
        context.use(target, node, Purpose.GRADIENT)
        return NONE

    def _mode_switch(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        context = self.context
        answer = Answer.NO if name == "eval" else Answer.YES
        if name == "train":
            flag = given.at(0, "mode")
            if flag is not None:
                answer = Answer.UNKNOWN
                if isinstance(flag.constant, bool):
                    answer = Answer.YES if flag.constant else Answer.NO
        elif given.all():
            return UNKNOWN
        plain_train = name == "train" and not given.all() and receiver.kind is Kind.UNKNOWN
        if plain_train and not given.is_statement:
            return UNKNOWN
        if receiver.kind is Kind.UNKNOWN and (given.is_statement or naming.sounds_like_model(receiver.label)):
            context.evidence(receiver.label)
        context.recorder.write(ModeSwitch(node, context.place(), receiver.fact(), answer))
        if receiver.label:
            context.put("training", receiver.label, answer)
        return replace(receiver, training=answer, kind=Kind.MODEL if receiver.kind is Kind.UNKNOWN else receiver.kind)

    def _requires_grad(self, node: cst.Call, receiver: Abstract, given: Arguments) -> Abstract:
        flag = given.at(0, "requires_grad")
        answer = Answer.YES
        if flag is not None:
            answer = Answer.UNKNOWN
            if isinstance(flag.constant, bool):
                answer = Answer.YES if flag.constant else Answer.NO
        self._row(node, ".requires_grad_", receiver, given)
        # Of what requires gradients already it changes nothing, where the attribute cannot be set.
        refuses = receiver.requires_grad is not Answer.NO
        return self.set_requires_grad(node, receiver, answer, anew=not refuses)

    def set_requires_grad(
        self, node: cst.CSTNode, receiver: Abstract, answer: Answer, *, anew: bool = True
    ) -> Abstract:
        """``x.requires_grad_(...)`` and ``x.requires_grad = ...``; ``anew``: it had none, or this raises."""
        context = self.context
        frozen = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(answer, Answer.UNKNOWN)
        if receiver.kind is Kind.MODEL:
            if receiver.label:
                context.put("frozen", receiver.label, frozen)
            return replace(receiver, frozen=frozen)
        if receiver.kind is Kind.PARAMETER and receiver.source:
            context.put("frozen", receiver.source, frozen)
        if receiver.kind is Kind.PARAMETERS:
            return receiver

        def change(value: Abstract) -> Abstract:
            return replace(
                value,
                kind=Kind.TENSOR if value.kind in {Kind.UNKNOWN, Kind.DATA} else value.kind,
                requires_grad=answer,
                cut=None,
                leaf=(value.leaf or Leaf.REQUIRES_GRAD) if answer is Answer.YES and leaf else None,
                is_leaf=Answer.YES if leaf else value.is_leaf,
                releafed=releafed,
            )

        leaf = receiver.is_leaf is Answer.YES or receiver.kind is Kind.DATA
        releafed = receiver.releafed
        if answer is Answer.YES:
            context.meets(node, "requires_grad", [receiver])
        if anew:
            raises = receiver.is_inference is Answer.YES and not context.mode() & GradMode.INFERENCE
            releafed = node if answer is Answer.YES and was_computed(receiver) and not raises else None
        context.change(receiver, change)
        changed = change(receiver)
        if receiver.label:
            context.state.hold(receiver.label, changed, receiver)
        return changed

    def _enter(self, node: cst.Call, entered: Abstract) -> Abstract:
        context = self.context
        called = entered.kind is not Kind.API
        if not called and entered.api in torch_api.SWITCHES:
            # stack.enter_context(torch.no_grad) raises; taken as what was meant.
            entered = self.switch(entered.api, Arguments([], {}))
        if entered.kind is Kind.SWITCH and entered.shift is not None:
            before = context.mode()
            self.runs_now(entered)
            context.state.mode = changed(context.state.mode, entered.shift)
            if entered.api in torch_api.SWITCHES:
                function = context.function()
                context.recorder.write(
                    Switch(
                        node if called else node.args[0].value,
                        context.here.statement,
                        entered.api,
                        Form.ENTERED,
                        called,
                        before,
                        context.mode(),
                        None if function is None else function.row,
                        context.place(),
                        entered.shift.enables,
                    )
                )
        return entered

    def _model_method(self, node: cst.Call, model: Abstract, name: str, given: Arguments) -> Abstract:
        context = self.context
        if name in torch_api.MODULE_RETURNS_SELF:
            return model
        if name in torch_api.MODULE_METHODS_NOT_FORWARD:
            self._row(node, f".{name}", model, given)
            for each in given.all():
                context.escapes(each)
            return UNKNOWN
        if name in torch_api.SELF_GUARDED_METHODS:
            self._row(node, f".{name}", model, given)
            return replace(DATA, cut=Cut(Loss.NO_GRAD, node))
        return self.forward(node, model, name, given)

    def _container_method(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        context = self.context
        if name in {"append", "extend", "add", "insert", "appendleft", "update", "setdefault"}:
            for each in given.all():
                context.escapes(each)
            self.put_into(node, receiver, given.all())
            return NONE
        if name == "items":
            item = receiver.item or UNKNOWN
            return Abstract(
                kind=Kind.CONTAINER, item=Abstract(kind=Kind.CONTAINER, elements=(PLAIN, item)), forwards=item.forwards
            )
        if name in {"values", "copy"}:
            return replace(receiver, elements=None, label="")
        if name in {"get", "pop"}:
            return replace(receiver.item or UNKNOWN, label="")
        if name == "keys":
            return PLAIN
        self._handed_on(node, f"{receiver.label}.{name}", given, known=True)
        return Abstract(forwards=receiver.forwards | _forwards(given.all()))

    def put_into(self, node: cst.CSTNode, container: Abstract, values: list[Abstract]) -> None:
        """Something is stored in a container: under its name, and for those who see it from elsewhere."""
        context = self.context
        path = container.label
        purpose = Purpose.STORED if context.outlives(path) else Purpose.ACCUMULATED
        for each in values:
            context.use(each, node, purpose, into=path, added=_appended(node))
        after = filled(container, values)
        if path in context.state.names:
            context.state.names[path] = after
        learning = context.learning()
        if learning is None or not path:
            return
        root, dot, rest = path.partition(".")
        owner = context.here.owner
        if root == "self" and owner is not None and dot and "." not in rest:
            _merge(context.learned.classes[owner].attributes, rest, after)
        elif container.parameter is not None and not dot:
            for each in values:
                _merge(learning.stores, container.parameter, each)
        elif not dot and (path not in context.state.names or path in context.here.elsewhere):
            context.learned.bind(context.scope_of(path), path, replace(after, parameter=None, identity=frozenset()))

    # --- tensors ----------------------------------------------------------------

    def _tensor_method(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
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
                    self._handed_on(node, f"{receiver.label}.{name}", given)
                else:
                    self.put_into(node, receiver, given.all())
                self._row(node, f".{name}", receiver, given)
                return Abstract(forwards=receiver.forwards | _forwards(given.all()))
        if name in {"items", "values"} and receiver.kind is Kind.UNKNOWN:
            return self._container_method(node, receiver, name, given)
        if name in torch_api.PLAIN_METHODS:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            how = Loss.ITEM if name in {"item", "tolist"} else Loss.NUMPY
            return replace(PLAIN, cut=Cut(how, node))
        if name in {"detach", "detach_"}:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            self._row(node, f".{name}", receiver, given)
            result = replace(detached(node, Loss.DETACH, receiver, mode), is_view=True)
            if name == "detach_" and mode is GradMode.INFERENCE:
                return receiver  # There it changes nothing.
            if name == "detach_":
                result = replace(result, is_view=receiver.is_view, made_under=receiver.made_under)
                if receiver.kind is Kind.PARAMETER:
                    result = replace(result, kind=Kind.PARAMETER)
                if mode & GradMode.INFERENCE:
                    result = result | receiver
                context.change(receiver, lambda value: replace(result, label=value.label))
                if receiver.label:
                    context.state.hold(receiver.label, replace(result, label=receiver.label), receiver)
            return result
        if torch_api.changes_in_place(name):
            return self._in_place(node, receiver, name, given)
        if name in torch_api.NON_DIFFERENTIABLE:
            context.use(receiver, node, Purpose.VALUE, callee=name)
            return detached(node, Loss.NON_DIFFERENTIABLE, receiver, mode)
        operands = [receiver, *(each for each in given.all() if each.kind is not Kind.PLAIN)]
        if name in torch_api.VIEW_METHODS:
            return _like(receiver, computed(node, [receiver], mode, view=True))
        if name in torch_api.MAYBE_VIEW_METHODS:
            if receiver.kind is Kind.UNKNOWN and receiver.api:
                return UNKNOWN
            result = _like(receiver, computed(node, [receiver], mode, view=True))
            under = result.made_under | receiver.made_under
            inference = Answer.UNKNOWN
            if mode is GradMode.INFERENCE and receiver.is_inference is Answer.YES:
                inference = Answer.YES
            elif not mode & GradMode.INFERENCE and receiver.is_inference is Answer.NO:
                inference = Answer.NO
            return replace(result, is_leaf=Answer.UNKNOWN, is_inference=inference, made_under=under, leaf=None)
        if name in torch_api.DIFFERENTIABLE_METHODS:
            context.meets(node, name, operands)
            result = _like(receiver, computed(node, operands, mode))
            if name in SUMS:
                result = rescaled(result, operands)
            if name in PAIRS and (given.positional or "dim" in given.keywords):
                indices = detached(node, Loss.NON_DIFFERENTIABLE, receiver, mode)
                return replace(result, elements=(result, indices))
            return result
        self._row(node, f".{name}", receiver, given)
        self._handed_on(node, f"{receiver.label}.{name}" if receiver.label else f".{name}", given)
        owners = context.known.owners_of(name) if receiver.kind is Kind.UNKNOWN and not receiver.api else []
        if len(owners) == 1 and name not in COMMON_METHODS and owners[0] is not context.here.function:
            bound = replace(receiver, kind=Kind.FUNCTION, definitions=(owners[0],), bound=receiver)
            return self._one_function(node, owners[0], bound, given)
        return Abstract(forwards=receiver.forwards | _forwards(given.all()), made_under=mode, made_at=node)

    def _in_place(self, node: cst.Call, receiver: Abstract, name: str, given: Arguments) -> Abstract:
        manner = Manner.DATA if receiver.label.endswith(".data") else Manner.METHOD
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
        view: bool = False,
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
                view or target.is_view,
                _past_autograd(node) if manner is Manner.DATA else None,
                used,
            )
        )
        taint = _forwards(sources)
        graphs = [] if manner is Manner.DATA else [each for each in _flat(sources) if each.kind is not Kind.PLAIN]

        def change(value: Abstract) -> Abstract:
            after = replace(written(value, graphs, mode), forwards=value.forwards | taint)
            # Other data: an inference tensor's makes it one. Truth: tests/differential.
            return replace(after, is_inference=sources[0].is_inference) if operation == ".data =" else after

        context.change(target, change)

    # --- library functions ----------------------------------------------------------

    def api(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        """Call a function or class of a library."""
        context = self.context
        mode = context.mode()
        if name in torch_api.SWITCHES:
            return replace(self.switch(name, given), identity=frozenset({node}))
        if name.startswith("builtins."):
            return self._builtin(node, name.removeprefix("builtins."), given)
        self._row(node, name, UNKNOWN, given)
        if name in torch_api.DIFFERENTIATORS:
            return self._differentiate(node, name, given)
        if name == "torch.is_grad_enabled":
            return replace(PLAIN, shift=context.state.mode, made_at=node)
        if name in {"contextlib.ExitStack", "contextlib.AsyncExitStack"}:
            return Abstract(kind=Kind.SWITCH, shift=KEEP)
        if torch_api.runs_in_a_thread(name):
            self._in_a_thread(node, given)
            return Abstract(api=name)
        if name in torch_api.NEUTRAL_CONTEXTS and name not in {"tqdm.tqdm", "tqdm.auto.tqdm"}:
            return Abstract(kind=Kind.SWITCH, shift=KEEP, leaving=Leaving.NOTHING, api=name)
        if name.rsplit(".", 1)[-1] in context.recorder.settings.no_grad_wrappers:
            return Abstract(kind=Kind.SWITCH, shift=OFF, api=name)
        model = self._made(node, name, given)
        if model is not None:
            return model
        last = name.rsplit(".", 1)[-1]
        if name.startswith(("torch.", "torch_")):
            return self._torch(node, name, last, given, mode)
        if last in ITERATORS and given.positional:
            return nameless(given.positional[0])
        if last in {"deepcopy", "copy"} and given.positional:
            copied = context.settled(given.positional[0])
            return replace(copied, label="", identity=frozenset({node}), forwards=frozenset())
        if name == "functools.partial" and given.positional:
            return given.positional[0]
        if name.startswith(("numpy.", "np.", "math.", "os.", "json.", "random.", "time.", "logging.")):
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=name)
                context.escapes(each)
            return PLAIN
        if naming.sounds_like_no_grad(last):
            return Abstract(
                kind=Kind.SWITCH, shift=Shift(GradMode.UNKNOWN, GradMode.UNKNOWN, GradMode.UNKNOWN), api=name
            )
        self._handed_on(node, name, given)
        if name in torch_api.SELF_GUARDED_CALLABLES:
            return Abstract(api="", kind=Kind.UNKNOWN, made_at=node)
        return Abstract(forwards=_forwards(given.all()), made_under=mode, made_at=node, identity=frozenset({node}))

    def switch(self, name: str, given: Arguments) -> Abstract:
        """Make a grad-mode switch."""
        flag = given.at(0, "mode")
        if name == "torch.no_grad":
            shift = NO_GRAD_SHIFT
        elif name == "torch.enable_grad":
            shift = ENABLE_GRAD
        elif name == "torch.inference_mode":
            shift = INFERENCE_SHIFT
            if flag is not None and flag.constant is False:
                shift = NOT_INFERENCE_SHIFT
            elif flag is not None and flag.constant is not True:
                shift = INFERENCE_SHIFT | NOT_INFERENCE_SHIFT
        else:
            flag = given.at(0, "mode")
            shift = SET_UNKNOWN
            if flag is not None and flag.constant is True:
                shift = ENABLE_GRAD
            elif flag is not None and flag.constant is False:
                shift = NO_GRAD_SHIFT
            elif flag is not None and flag.shift is not None:
                # The saved mode of ``prev = torch.is_grad_enabled()``.
                saved = flag.shift
                return Abstract(kind=Kind.SWITCH, shift=Restore(saved.on, saved.off, saved.inference), api=name)
        return Abstract(kind=Kind.SWITCH, shift=shift, api=name)

    def _made(self, node: cst.Call, name: str, given: Arguments) -> Abstract | None:
        if name in torch_api.CRITERIA or name in torch_api.PARAMETERLESS:
            return Abstract(kind=Kind.CRITERION, identity=frozenset({node}), api=name)
        if name in torch_api.GIVES_THE_MODEL:
            wrapped = given.at(0)
            if wrapped is not None and wrapped.kind in {Kind.MODEL, Kind.FUNCTION}:
                return replace(self.context.settled(wrapped), label="")
        if torch_api.makes_model(name):
            return Abstract(
                kind=Kind.MODEL,
                api=name,
                identity=frozenset({node}),
                made_under=self.context.mode(),
                made_at=node,
                # What is loaded may be in evaluation mode; what is built is not.
                training=Answer.YES if name.startswith("torch.nn.") else Answer.UNKNOWN,
            )
        if torch_api.makes_optimizer(name):
            return Abstract(kind=Kind.OPTIMIZER, identity=frozenset({node}))
        if torch_api.makes_loader(name):
            return Abstract(kind=Kind.LOADER, identity=frozenset({node}))
        if torch_api.makes_scaler(name):
            return Abstract(kind=Kind.SCALER, identity=frozenset({node}))
        if name == "torch.nn.Parameter":
            self.context.meets(node, "requires_grad", given.positional[:1])
            flag = given.at(1, "requires_grad")
            requires = Answer.YES
            if flag is not None:
                requires = Answer.NO if flag.constant is False else Answer.UNKNOWN
                if flag.constant is True:
                    requires = Answer.YES
            return Abstract(
                kind=Kind.PARAMETER,
                requires_grad=requires,
                is_leaf=Answer.YES,
                is_inference=Answer.NO if self.context.mode() is GradMode.ON else Answer.UNKNOWN,
                leaf=Leaf.REGISTERED,
                identity=frozenset({node}),
                made_at=node,
                releafed=_releafed(node, name, given.at(0)) if requires is Answer.YES else None,
            )
        return None

    def _torch(self, node: cst.Call, name: str, last: str, given: Arguments, mode: GradMode) -> Abstract:
        context = self.context
        plain = name.count(".") == 1
        if "out" in given.keywords:
            self.write(node, given.keywords["out"], Manner.OUT, "out", given.positional)
        if name.startswith(torch_api.FOREACH_PREFIX) and last.endswith("_") and given.positional:
            target = given.positional[0]
            for each in target.elements or (target.item or target,):
                self.write(node, each, Manner.FOREACH, last, given.positional[1:])
            return NONE
        operation = torch_api.in_place_function(name) or ("inplace=True" if _is_true(given.at(-1, "inplace")) else "")
        if operation and given.positional:
            self.write(node, given.positional[0], Manner.METHOD, operation, given.positional[1:])
            return given.positional[0]
        if (plain and last in torch_api.FACTORIES) or name == "torch.autograd.Variable":
            return self._factory(node, name, given, mode)
        if name.startswith("torch.nn.init."):
            return given.positional[0] if given.positional else UNKNOWN
        if plain and last in torch_api.NON_DIFFERENTIABLE:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=last)
            return detached(node, Loss.NON_DIFFERENTIABLE, given.at(0) or UNKNOWN, mode)
        if name in {"torch.save", "torch.manual_seed"}:
            return NONE
        if plain and last in torch_api.PLAIN_FUNCTIONS and given.positional:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=last)
            return PLAIN
        operands = _flat([each for each in given.all() if each.kind is not Kind.PLAIN])
        if plain and last in torch_api.VIEW_FUNCTIONS:
            return computed(node, operands[:1], mode, view=True)
        if torch_api.is_differentiable_function(name):
            context.meets(node, last if plain else name, operands)
            result = replace(computed(node, operands, mode), kind=Kind.TENSOR)
            if last in torch_api.MAYBE_VIEW_FUNCTIONS or "dropout" in last:
                result = replace(result, is_inference=Answer.UNKNOWN)
            elif mode is GradMode.INFERENCE:
                result = replace(result, is_inference=Answer.YES)
            if last in PAIRS and (len(given.positional) > 1 or "dim" in given.keywords):
                return replace(result, elements=(result, detached(node, Loss.NON_DIFFERENTIABLE, result, mode)))
            return result
        self._handed_on(node, name, given, known=name.startswith("torch.nn.utils"))
        return Abstract(forwards=_forwards(given.all()), made_under=mode, made_at=node, identity=frozenset({node}))

    def _factory(self, node: cst.Call, name: str, given: Arguments, mode: GradMode) -> Abstract:
        first = given.at(0)
        flag = given.at(1 if name == "torch.autograd.Variable" else -1, "requires_grad")
        requires, leaf = Answer.NO, None
        if name == "torch.autograd.Variable" and flag is None and first is not None:
            # A leaf without a graph, whatever it is given: truth test test_variable_without_the_flag.
            cut = _copied(node, name, first)
            return replace(first, label="", requires_grad=Answer.NO, is_leaf=Answer.YES, leaf=None, cut=cut)
        if flag is not None:
            requires = Answer.UNKNOWN
            if isinstance(flag.constant, bool):
                requires = Answer.YES if flag.constant else Answer.NO
        if requires is Answer.YES:
            leaf = Leaf.REQUIRES_GRAD
        if first is not None:
            self.context.use(first, node, Purpose.VALUE, callee=name)
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

    def _differentiate(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        context = self.context
        how = Differentiation.FUNCTIONAL
        if name == "torch.autograd.backward":
            how = Differentiation.AUTOGRAD_BACKWARD
        elif name == "torch.autograd.grad":
            how = Differentiation.AUTOGRAD_GRAD
        keyword = "tensors" if how is Differentiation.AUTOGRAD_BACKWARD else "outputs"
        target = given.at(0, keyword) or UNKNOWN
        for each in _flat([target]):
            context.recorder.write(Backward(node, context.place(), each.fact(), how, name))
        for each in given.all():
            context.use(each, node, Purpose.GRADIENT)
            context.escapes(each)
        if how is Differentiation.AUTOGRAD_BACKWARD:
            return NONE
        inputs = given.at(1, "inputs")
        item = Abstract(kind=Kind.TENSOR, made_under=context.mode(), made_at=node)
        count = len(inputs.elements) if inputs is not None and inputs.elements is not None else None
        return Abstract(kind=Kind.CONTAINER, item=item, elements=None if count is None else (item,) * count)

    def _builtin(self, node: cst.Call, name: str, given: Arguments) -> Abstract:
        context = self.context
        first = given.at(0)
        if name in ENDS:
            for each in given.all():
                context.use(each, node, Purpose.VALUE, callee=name)
                context.escapes(each)
            return replace(PLAIN, cut=Cut(Loss.ITEM, node)) if name in {"float", "int"} else PLAIN
        if name == "iter" and first is not None:
            return nameless(first)
        if name in {"list", "tuple", "reversed", "sorted", "set"}:
            if first is None:
                return Abstract(kind=Kind.CONTAINER)
            context.consumes(first, node)
            return replace(nameless(first), lazy=None)
        if name == "enumerate" and first is not None:
            item = tupled([PLAIN, self.item(node, first)])
            return Abstract(kind=Kind.CONTAINER, label=first.label, item=item, source=first.source)
        if name == "zip":
            label = next((each.label for each in given.positional if each.label), "")
            # Each argument gives objects of its own, so each has its own place where they are made.
            places = [each.value for each in node.args if each.keyword is None]
            items = [self.item(place, each) for place, each in zip(places, given.positional, strict=True)]
            return Abstract(kind=Kind.CONTAINER, label=label, item=tupled(items))
        if name == "dict":
            return Abstract(kind=Kind.CONTAINER, forwards=_forwards(given.all()))
        if name in {"sum", "max", "min", "abs", "round"}:
            if first is not None and first.kind not in COLLECTIONS:
                context.consumes(first, node)
            operands = [self.item(node, each) if each.kind in COLLECTIONS else each for each in given.positional]
            return computed(node, operands, context.mode())
        if name == "next" and first is not None:
            return self.item(node, first)
        if name in {"map", "filter"}:
            for each in given.all():
                context.escapes(each)
            if name == "filter" and len(given.positional) > 1:
                return replace(given.positional[1], label="")
            if first is None or not self._runs_models(first):
                return Abstract(forwards=_forwards(given.all()))
            runs = frozenset({node})
            return Abstract(forwards=_forwards(given.all()) | runs, lazy=Lazy(node, context.place(), runs))
        if name == "super":
            return replace(UNKNOWN, api="super")
        if name == "setattr" and len(given.positional) > 2:
            context.use(given.positional[2], node, Purpose.STORED)
            self._setattr(node, given)
        self._row(node, f"builtins.{name}", UNKNOWN, given)
        if name not in {"isinstance", "type", "id", "hasattr"}:
            self._handed_on(node, name, given)
        return UNKNOWN

    def _runs_models(self, function: Abstract) -> bool:
        """Whether calling it runs a model that is not frozen, in the mode of the caller."""
        if function.kind is Kind.MODEL:
            return self._frozen(function) is not Answer.YES
        known = [self.context.known.functions.get(each) for each in _functions(function)]
        return bool(known) and all(each is not None and bool(each.forwards) and each.own == KEEP for each in known)

    def _setattr(self, node: cst.Call, given: Arguments) -> None:
        """The row of ``setattr(x, "name", value)``."""
        context = self.context
        holder, name, value = given.positional[:3]
        if not isinstance(name.constant, str):
            return
        label = f"{holder.label}.{name.constant}"
        context.recorder.write(
            Assignment(
                node,
                context.place(),
                replace(UNKNOWN, label=label).fact(),
                replace(value, label=label).fact(),
                node,
                (),
                holder=holder.fact(),
            )
        )
        if name.constant == "requires_grad" and holder.kind is not Kind.MODEL:
            answer = Answer.UNKNOWN
            if isinstance(value.constant, bool):
                answer = Answer.YES if value.constant else Answer.NO
            self.set_requires_grad(node, holder, answer)

    def item(self, node: cst.CSTNode, value: Abstract) -> Abstract:
        """What iterating over a value gives."""
        self.context.consumes(value, node)
        if value.kind is Kind.LOADER:
            return replace(DATA, identity=frozenset({node}))
        if value.elements:
            result = value.elements[0]
            for each in value.elements[1:]:
                result = result | each
            return replace(result, label="")
        if value.item is not None:
            return replace(value.item, forwards=value.item.forwards | value.forwards, identity=frozenset({node}))
        if value.kind in {Kind.TENSOR, Kind.PARAMETER}:
            return computed(node, [value], self.context.mode(), view=True)
        if value.kind in {Kind.DATA, Kind.PLAIN}:
            return replace(value, label="", constant=None, identity=frozenset({node}))
        return Abstract(forwards=value.forwards, identity=frozenset({node}))


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


def _appended(node: cst.CSTNode) -> cst.BaseExpression | None:
    """What ``history.append(loss)`` adds."""
    match node:
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="append" | "appendleft")), args=[cst.Arg(value=value)]):
            return value
    return None


def tupled(values: list[Abstract]) -> Abstract:
    """A tuple of known length."""
    return Abstract(kind=Kind.CONTAINER, elements=tuple(values), forwards=_forwards(values))


def changed(mode: Shift, shift: Shift) -> Shift:
    """The mode since entry, after a switch."""
    return shift.after(mode) if isinstance(shift, Restore) else mode.then(shift)


def _restored(now: GradMode, saved: GradMode) -> GradMode:
    """What ``set_grad_enabled`` of a saved ``is_grad_enabled()`` makes of a mode: it does not lift inference mode."""
    result = now & GradMode.INFERENCE
    if now & (GradMode.ON | GradMode.OFF):
        result |= saved & (GradMode.ON | GradMode.OFF)
        if saved & GradMode.INFERENCE:
            # Off, but for enable_grad within inference mode.
            result |= GradMode.ON | GradMode.OFF
    return result


class Restore(Shift):
    """Back to a mode that was saved in this function: says what it is by entry mode, not by mode before."""

    def after(self, now: Shift) -> Shift:
        """The mode since entry."""
        return Shift(_restored(now.on, self.on), _restored(now.off, self.off), _restored(now.inference, self.inference))


def _functions(value: Abstract) -> list[Def]:
    if value.kind is not Kind.FUNCTION:
        return []
    return [each for each in value.definitions if not isinstance(each, cst.ClassDef)]


def _is_true(flag: Abstract | None) -> bool:
    return flag is not None and flag.constant is True


def _merge(table: dict[Key, Abstract], key: Key, value: Abstract) -> None:
    clean = replace(value, parameter=None, identity=frozenset(), label="")
    known = table.get(key)
    table[key] = clean if known is None else known | clean


def filled(container: Abstract, values: list[Abstract]) -> Abstract:
    """A container, or a tensor that is used as one, after something was put into it."""
    forwards = container.forwards | _forwards(values)
    if container.kind not in {Kind.CONTAINER, Kind.UNKNOWN}:
        return replace(container, forwards=forwards)
    item = container.item
    for each in (*(container.elements or ()), *values):
        item = each if item is None else item | each
    return replace(container, item=item, elements=None, forwards=forwards)


def _copied(node: cst.Call, name: str, content: Abstract | None) -> Cut:
    """How a tensor made of numbers has no graph."""
    if content is not None and name in torch_api.COPYING and was_computed(content):
        return Cut(Loss.COPY, node) if content.kind is Kind.PLAIN or content.cut is None else content.cut
    return Cut(Loss.FACTORY, node)


def _releafed(node: cst.Call, name: str, content: Abstract | None) -> cst.Call | None:
    """Where what was computed is made a leaf."""
    return node if content is not None and name in torch_api.COPYING and was_computed(content) else None


def _by_caller(setting: Setting) -> Evaluated:
    return Evaluated.CALLER if setting.where in {Evaluated.HERE, Evaluated.CALLER} else setting.where


def _differentiable_input(value: Abstract) -> bool:
    return value.requires_grad is Answer.YES and value.kind in {Kind.TENSOR, Kind.PARAMETER} and value.leaf is not None


def _invented(values: list[Abstract]) -> bool:
    """Whether tensors are made of noise or constants."""
    made = [each.cut.at for each in _flat(values) if each.cut is not None and each.cut.how is Loss.FACTORY]
    return 0 < len(made) == len(values) and all(
        isinstance(each, cst.Call)
        and isinstance(each.func, cst.Attribute)
        and each.func.attr.value in torch_api.INVENTING
        for each in made
    )


def _flat(values: list[Abstract]) -> list[Abstract]:
    result = []
    for each in values:
        if each.elements is not None:
            result += _flat(list(each.elements))
        elif each.kind is Kind.CONTAINER and each.item is not None:
            result.append(replace(each.item, forwards=each.forwards | each.item.forwards))
        else:
            result.append(each)
    return result


def _like(receiver: Abstract, result: Abstract) -> Abstract:
    """The result of a tensor method has the kind of what it is called on."""
    kind = Kind.TENSOR if receiver.kind in {Kind.TENSOR, Kind.PARAMETER} else receiver.kind
    if kind is Kind.DATA:
        kind = Kind.DATA
    return replace(result, kind=kind, leaf=receiver.leaf if result.is_view else None)


def _forwards(values: list[Abstract]) -> frozenset[cst.CSTNode]:
    return frozenset[cst.CSTNode]().union(*(each.forwards for each in values))


PAIRS = frozenset({"max", "min", "topk", "sort", "median", "mode", "kthvalue", "cummax", "cummin"})
SUMS = frozenset({"sum", "mean", "add", "sub", "mul", "div", "clone"})
"""Which gives the operands a gradient that does not depend on their content."""
ENDS = frozenset({"print", "float", "int", "bool", "str", "len", "repr", "format", "range", "any", "all"})
ITERATORS = frozenset({"tqdm", "trange", "track", "progress_bar", "islice", "cycle", "chain", "prefetch"})
COLLECTIONS = frozenset({Kind.CONTAINER, Kind.PARAMETERS, Kind.STATE})
COMMON_METHODS = frozenset(
    {"get", "set", "run", "forward", "step", "update", "reset", "close", "write", "read", "log", "save", "load"}
)
