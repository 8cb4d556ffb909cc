"""Where the walk stands: what is known, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import libcst as cst

from .. import naming
from ..facts import Evaluated, InferenceUse, Kind, LazyRun, Leaf, Loss, Place, Purpose, Role, Use
from ..grad import KEEP, Answer, GradMode, Shift
from .knowledge import Caller, Def, FunctionKnowledge, Knowledge
from .recorder import Recorder, Surroundings
from .state import State, is_part, root_of, setting_of, some_part
from .value import NOT_SET, UNKNOWN, Abstract, Definition, Setting, replace


@dataclass(slots=True)
class Context:
    """One walk of the file: reads what the last one learned, learns for the next."""

    known: Knowledge
    learned: Knowledge
    recorder: Recorder
    state: State
    here: Surroundings

    def mode(self) -> GradMode:
        """The grad modes possible here."""
        return self.state.mode.of(self.entry())

    def entry(self) -> GradMode:
        """The modes that the body of the function around may start in."""
        function = self.function()
        return GradMode.ON if function is None else function.own.of(function.entry)

    def function(self) -> FunctionKnowledge | None:
        """What is known of the function around."""
        return None if self.here.function is None else self.known.functions.get(self.here.function)

    def learning(self) -> FunctionKnowledge | None:
        """What is being learned of the function around."""
        return None if self.here.function is None else self.learned.functions.get(self.here.function)

    def on_for_some_caller(self) -> bool:
        """Whether gradients are certainly on here for one caller at least."""
        function = self.function()
        if function is None:
            return self.state.mode.on is GradMode.ON
        return function.entered_on and function.own.then(self.state.mode).on is GradMode.ON

    def presumed_on(self) -> bool:
        """Whether gradients are on here for some caller if those have them on whom functions are handed to."""
        function = self.function()
        if function is None:
            return self.state.mode.on is GradMode.ON
        return function.presumed_on and function.own.then(self.state.mode).on is GradMode.ON

    def place(self) -> Place:
        """Where we are, for a row."""
        function = self.function()
        here = self.here
        return Place(
            None if function is None else function.row,
            here.loops,
            self.mode(),
            self.on_for_some_caller(),
            self.presumed_on(),
            here.statement,
            here.block,
            here.switches,
            here.tests,
            here.idle,
            here.passed,
        )

    def use(
        self,
        value: Abstract,
        node: cst.CSTNode,
        purpose: Purpose,
        *,
        callee: str = "",
        into: str = "",
        added: cst.BaseExpression | None = None,
        item: cst.Subscript | None = None,
    ) -> None:
        """Something becomes of the result of a forward pass, or is added to a total."""
        if value.forwards or (added is not None and (value.made_at is not None or value.kind is Kind.TENSOR)):
            if purpose is Purpose.GRADIENT:
                learning = self.learning()
                if learning is not None:
                    own = {run.anchor for run in learning.runs}
                    self.learned.differentiated |= value.forwards & own
            self.recorder.write(Use(node, self.place(), value.fact(), purpose, callee, into, added, item))
        for element in value.elements or ():
            self.use(element, node, purpose, callee=callee, into=into)

    def operates(self, operands: list[Abstract], node: cst.CSTNode, operation: str) -> None:
        """A tensor is computed of what forward passes gave."""
        for each in operands:
            self.use(each, node, Purpose.OPERATION, callee=operation)

    def meets(self, node: cst.CSTNode, operation: str, operands: list[Abstract]) -> None:
        """Write down an operation that takes inference tensors outside of inference mode."""
        for each in operands:
            if each.is_inference is Answer.YES and not self.mode() & GradMode.INFERENCE:
                others = tuple(other.fact() for other in operands if other is not each)
                self.recorder.write(InferenceUse(node, self.place(), each.fact(), operation, others))

    def consumes(self, value: Abstract, node: cst.CSTNode, grad: GradMode | None = None) -> None:
        """What was put off runs now, under the mode here if no other is given."""
        if value.lazy is not None:
            lazy = value.lazy
            mode = self.mode() if grad is None else grad
            self.recorder.write(LazyRun(lazy.node, lazy.made, lazy.forwards, node, mode))

    def marked(self, value: Abstract) -> Abstract:
        """A value that gets a name: of an inference tensor, with the block it was made in."""
        if value.is_inference is not Answer.YES or value.block is not None or self.mode() is not GradMode.INFERENCE:
            return value
        return replace(value, block=self.here.switches[-1]) if self.here.switches else value

    def training_of(self, path: str) -> Setting:
        """What the model at an access path is in, here."""
        return setting_of(self.state.training, path)

    def settled(self, value: Abstract) -> Abstract:
        """A model with the mode it is in now, for when it loses the name that says it."""
        if value.kind is not Kind.MODEL or not value.label:
            return value
        return replace(value, training=self.training(value), frozen=self.frozen_setting(value))

    def training(self, model: Abstract) -> Setting:
        """What a model is in: by its name, if something has put that in a mode, else as it was made."""
        setting = self.training_of(model.label) if model.label else NOT_SET
        return setting if setting.is_set else model.training

    def frozen_of(self, path: str) -> Setting:
        """Whether the model at an access path has its weights frozen, here."""
        return setting_of(self.state.frozen, path)

    def frozen(self, model: Abstract) -> Answer:
        """Whether the weights of a model are frozen."""
        return self.frozen_setting(model).answer

    def frozen_setting(self, model: Abstract) -> Setting:
        """The same, and where that stands."""
        setting = self.frozen_of(model.label) if model.label else NOT_SET
        if not setting.is_set:
            setting = model.frozen
        if setting.answer is Answer.YES and model.label and self._differs_in_part(model.label, Answer.YES):
            return Setting(Answer.UNKNOWN, Evaluated.NOT)
        return setting

    def _differs_in_part(self, path: str, frozen: Answer) -> bool:
        """Whether a part of a model is not surely frozen, or not surely trained, as the model is."""
        return any(setting.answer is not frozen and is_part(part, path) for part, setting in self.state.frozen.items())

    def perhaps_frozen(self, model: Abstract) -> bool:
        """Whether some way here froze it, and some did not; what nothing froze is presumed to be trained."""
        setting = self.frozen_setting(model)
        return setting.is_set and setting.answer is Answer.UNKNOWN

    def parameter(self, node: cst.CSTNode, model: Abstract) -> Abstract:
        """An item of the parameters of a model."""
        made = parameter_of(node, model.label, self.frozen(model))
        if model.made_under is not GradMode.UNKNOWN and model.made_under & GradMode.INFERENCE:
            surely = model.made_under is GradMode.INFERENCE
            made = replace(made, is_inference=Answer.YES if surely else Answer.UNKNOWN)
        differs = made.requires_grad is Answer.YES and model.label and self._differs_in_part(model.label, Answer.NO)
        if not differs and not self.perhaps_frozen(model):
            return made
        # What was frozen takes up the graph of what is copied into it with gradients on, and is no leaf then.
        return replace(made, requires_grad=Answer.UNKNOWN, is_leaf=Answer.UNKNOWN)

    def as_object_has_it(self, model: Abstract, found: Abstract) -> Abstract:
        """An attribute of an object, which may have frozen or switched all it holds since that was bound."""
        if found.kind is Kind.MODEL and self.training(model).answer is Answer.UNKNOWN:
            return of_some_mode(found)
        if found.kind is not Kind.PARAMETER or model.kind is not Kind.MODEL:
            return found
        if self.frozen(model) is Answer.YES:
            return replace(found, requires_grad=Answer.NO)
        return replace(found, requires_grad=Answer.UNKNOWN) if self.perhaps_frozen(model) else found

    def is_of(self, model: Abstract, owner: Definition | None) -> bool:
        """Whether an object is of a class, or of one that is derived from it in the file."""
        seen: list[Definition] = list(model.definitions)
        for each in seen:
            known = self.known.classes.get(each) if isinstance(each, cst.ClassDef) else None
            seen += [parent for parent in known.parents if parent not in seen] if known is not None else []
        return owner in seen

    def change(self, target: Abstract, alter: Callable[[Abstract], Abstract], *, written: bool = False) -> None:
        """A tensor is changed in place, under all the names that hold it, and for those who handed it in."""
        state = self.state
        changed = state.mutate(target, alter, written=written)
        for name in self.aliases(target.label):
            if name in state.names:
                state.names[name] |= alter(state.names[name])
        for name in changed:
            # Functions that read the name may run now.
            if name.isidentifier():
                held = state.names[name]
                self.learned.bind(self._owner_of(name), name, replace(held, parameter=None, identity=frozenset()))
            elif name.startswith("self.") and name.count(".") == 1 and self.here.owner is not None:
                self._changes_elsewhere(self.here.owner, name.removeprefix("self."), target, state.names[name])
        self._changes_for_others({*changed, target.label}, alter)
        for scope, name in target.held:
            self._changes_elsewhere(scope, name, target, replace(alter(target), forwards=target.forwards))
        learning = self.learning()
        if learning is not None and any(alter(each).gist() != each.gist() for each in ANY_TENSOR):
            path = target.label
            owner = self._owner_of(path)
            if path and "." not in path and owner is not learning.node:
                left = replace(alter(target), parameter=None, identity=frozenset(), label="")
                self.rebinds(owner, path, left)
                self.learned.bind(owner, path, left)
            for position in range(len(learning.parameters)):
                value = state.names.get(as_handed_in(position))
                if value is not None and (value.identity & target.identity or as_handed_in(position) in changed):
                    learning.altered.add(position)

    def _changes_for_others(self, paths: set[str], alter: Callable[[Abstract], Abstract]) -> None:
        """Functions within those that were handed something by one of these names find it changed."""
        for (scope, name), parameters in self.known.handed.items():
            related = any(path == name or is_part(path, name) or is_part(name, path) for path in paths)
            for definition, position in parameters if related and scope is self._owner_of(name) else ():
                parameter = self.known.functions[definition].parameters[position]
                held = self.known.bindings.get(definition, {}).get(parameter)
                if held is not None:
                    self.learned.bind(definition, parameter, alter(held))

    def places_of(self, value: Abstract) -> frozenset[tuple[Definition | None, str]]:
        """The names and attributes by which others than the function that is handed a value may reach it."""
        if value.kind not in NAMED:
            return frozenset()
        found = {(self._owner_of(path), path) for path in (value.label, value.source) if root_of(path).isidentifier()}
        function = self.function()
        if value.parameter is not None and function is not None:
            found |= function.origins.get(value.parameter, frozenset())
        return value.held | found

    def aliases(self, path: str) -> Iterator[str]:
        """Other names of what a path leads to, or a part of it: a parameter, and the name it was handed in by."""
        function = self.function()
        for position, places in function.origins.items() if function is not None and path else ():
            parameter = function.parameters[position] if function is not None else ""
            for scope, name in places:
                if isinstance(scope, cst.ClassDef):
                    outer = f"self.{name}" if scope is self.here.owner else ""
                else:
                    outer = name if self._owner_of(name) is scope else ""
                if not outer or outer == parameter:
                    continue
                if path == outer or is_part(path, outer):
                    yield parameter + path[len(outer) :]
                elif is_part(outer, path):
                    yield parameter
                elif path == parameter or is_part(path, parameter):
                    yield outer + path[len(parameter) :]

    def kept(self, handed: Abstract, places: frozenset[tuple[Definition, str]]) -> None:
        """A function has stored what it was handed in attributes of its class."""
        for name, value in self.state.names.items():
            if value.identity & handed.identity:
                self.state.names[name] = replace(value, held=value.held | places)

    def holds_too(self, holder: Abstract, name: str, value: Abstract) -> None:
        """An attribute that a class binds is bound from outside: its methods find that as well."""
        for definition in holder.definitions:
            if isinstance(definition, cst.ClassDef) and definition is not self.here.owner:
                for owner in self.known.binders(definition, name):
                    if owner in self.learned.classes:
                        attributes = self.learned.classes[owner].attributes
                        attributes[name] = attributes.get(name, value.elsewhere()) | value.elsewhere()

    def _changes_elsewhere(self, scope: Definition | None, name: str, before: Abstract, after: Abstract) -> None:
        """What an attribute, or a name of another scope, holds was changed in place."""
        if after.gist() == before.gist():
            return
        before, after = (replace(each, parameter=None, identity=frozenset(), label="") for each in (before, after))
        if isinstance(scope, cst.ClassDef):
            attributes = self.learned.classes[scope].attributes
            # The attribute may be that of a base class.
            attributes[name] = attributes.get(name, before) | before | after
            return
        self.learned.bind(scope, name, after)
        if scope is not self.here.scopes[0]:
            self.rebinds(scope, name, before | after)
        elif name in self.state.names:
            self.state.names[name] |= after

    def freeze(self, parameter: Abstract, requires: Answer) -> None:
        """A parameter of a model requires gradients from here on, or does not; of its others, we cannot tell."""
        if parameter.kind not in {Kind.PARAMETER, Kind.TENSOR} or not parameter.source:
            return
        if parameter.source == GROUPS:
            self.freeze_some()
            return
        path, frozen = parameter.source, requires.opposite()
        before = self.frozen_of(path)
        if (before.is_set and before.answer is frozen) or (
            not before.is_set and frozen is Answer.NO and parameter.turn is None
        ):
            return
        # One of several: ``net.weight``.
        self.put("frozen", path, Answer.UNKNOWN)
        if parameter.turn in [loop.anchor for loop in self.here.loops] and parameter.turn is not None:
            self.state.turns[path] = parameter.turn, frozen

    def freeze_some(self) -> None:
        """Parameters of some model are frozen, or trained: of which, only their optimizer knows."""
        for name, value in [*self.state.names.items()]:
            if value.kind is Kind.MODEL and name != "self":
                self.put("frozen", name, Answer.UNKNOWN)
        learning = self.learning()
        if learning is not None:
            learning.puts.setdefault((None, "frozen", GROUPS), NOT_SET)

    def went_through(self, loop: cst.CSTNode) -> None:
        """A loop over all parameters of a model has ended: what it has done to each, it has done to the model."""
        for path, (through, frozen) in [*self.state.turns.items()]:
            if through is loop:
                self.put("frozen", path, frozen)

    def reached(self, value: Abstract) -> Abstract:
        """A parameter that a loop reaches now, which may have frozen its model as a whole before."""
        if value.elements is not None:
            return replace(value, elements=tuple(self.reached(each) for each in value.elements))
        setting = self.frozen_of(value.source)
        if value.turn is None or not setting.is_set or self.state.turns.get(value.source, (None,))[0] is value.turn:
            return value
        return replace(value, requires_grad=value.requires_grad | setting.answer.opposite())

    def put(self, what: str, path: str, answer: Answer, where: Evaluated = Evaluated.HERE) -> None:
        """A model is put in a mode, or frozen, here, under all the names that hold it or parts of it."""
        table = self.state.training if what == "training" else self.state.frozen
        names = self._names_of(path, of_wholes=what == "frozen")
        source = self.state.names.get(path, UNKNOWN).source
        if what == "training" and source and source != path:
            names.setdefault(some_part(source), False)
        for alias in {alias for name in names for alias in self.aliases(name)} - names.keys():
            # Who calls this function, knows whether they are one.
            self._note(what, alias, answer | setting_of(table, alias).answer, where)
        self._changes_for_others({*names}, lambda value: _put(value, what, Setting(answer, where)))
        # What is marked makes what is known of its parts obsolete.
        for name, certain in sorted(names.items(), key=lambda each: each[1]):
            self.mark(what, name, answer if certain else answer | setting_of(table, name).answer, where)

    def alias(self, name: str, path: str) -> None:
        """A model gets one more name: under it, and for its parts, what is known of them under the other holds."""
        for what, table in (("training", self.state.training), ("frozen", self.state.frozen)):
            setting = setting_of(table, path)
            parts = {part: held for part, held in table.items() if is_part(part, path)}
            if setting.answer is not Answer.UNKNOWN or (what == "frozen" and setting.is_set):
                self.mark(what, name, setting.answer)
            for part, held in parts.items():
                self.mark(what, name + part[len(path) :], held.answer)

    def _names_of(self, path: str, *, of_wholes: bool) -> dict[str, bool]:
        """The access paths of a model and of parts of it, and whether it surely is the model that each leads to.

        Of a whole it is a part, and perhaps not all: ``for each in model.children():``, ``model[0]``.
        """
        found = {path: not path.endswith("[...]")}
        waiting = [path]
        for each in waiting:
            whole, rest = each, ""
            while whole:
                for name, certain in self._same(whole, of_parts=not rest):
                    if name + rest not in found and len(found) < MOST_NAMES:
                        found[name + rest] = certain and found[each]
                        waiting.append(name + rest)
                whole, dot, last = whole.rpartition(".")
                rest = dot + last + rest
            source = self.state.names.get(each, UNKNOWN).source or (each.endswith("]") and each.rpartition("[")[0])
            if of_wholes and source and source not in found:
                found[source] = False
                waiting.append(source)
        return found

    def _same(self, path: str, *, of_parts: bool) -> Iterator[tuple[str, bool]]:
        """The other names of a model, and those that its parts have of their own."""
        mine = self.state.names.get(path, UNKNOWN)
        for name, value in self.state.names.items():
            if value.kind is not Kind.MODEL or name == path or " " in name:
                continue
            if is_part(name, path) or is_part(path, name):
                # ``model = model.module``: no model is a part of itself.
                continue
            shared = value.identity & mine.identity
            if value.label == path or mine.label == name:
                if shared or not (value.identity and mine.identity):
                    yield name, True
            elif shared:
                yield name, value.identity == mine.identity and len(shared) == 1
            elif of_parts and is_part(value.label, path):
                yield name, True
        label = "" if mine.kind is not Kind.MODEL or is_part(mine.label, path) else mine.label
        if label and label != path and label not in self.state.names:
            yield label, True

    def mark(self, what: str, path: str, answer: Answer, where: Evaluated = Evaluated.HERE) -> None:
        """What is known of a model under one of its names, for callers as well."""
        self._note(what, path, answer, where)
        learning = self.learning()
        if learning is not None:
            learning.puts.setdefault((self._owner_of(path), what, path), NOT_SET)
        owner = self.here.owner
        if owner is not None and path.split(".")[0] == "self":
            function = self.here.function
            if not (isinstance(function, cst.FunctionDef) and function.name.value == "__init__"):
                self.learned.classes[owner].retrains.add(path)

    def _note(self, what: str, path: str, answer: Answer, where: Evaluated) -> None:
        table = self.state.training if what == "training" else self.state.frozen
        for name in [name for name in table if is_part(name, path)]:
            del table[name]
        table[path] = Setting(answer, where)
        if what == "frozen":
            for turn in [turn for turn in self.state.turns if turn == path or is_part(turn, path)]:
                del self.state.turns[turn]
            for name, value in self.state.names.items():
                self.state.names[name] = _with(value, path, answer)
            self.learned.freezes |= answer is not Answer.NO

    def lookup(self, name: str) -> Abstract:
        """What a name holds here."""
        found = self.state.names.get(name)
        if found is None:
            found = self._lookup_outside(name)
        if found is None:
            return (
                replace(UNKNOWN, label=name, api=f"builtins.{name}") if name in BUILTINS else self.named(UNKNOWN, name)
            )
        return self.named(found, name)

    def held_by_object(self, path: str) -> Abstract:
        """What an attribute holds that the function at hand has not bound so far."""
        root, _, name = path.partition(".")
        owner = self.here.owner
        found = self.attribute(owner, name) if root == "self" and owner is not None else None
        return UNKNOWN if found is None else replace(of_some_mode(found), parameter=None, identity=frozenset())

    def scope_of(self, name: str) -> Definition | None:
        """The function around this one that binds a name; ``None`` for the module."""
        for scope in self.here.scopes[1:]:
            if isinstance(scope, cst.FunctionDef) and any(
                name in knowledge.bindings.get(scope, {}) for knowledge in (self.learned, self.known)
            ):
                return scope
        return None

    def put_elsewhere(self, owner: Definition | None, what: str, path: str, setting: Setting) -> None:
        """A function that is called here has put a model in a mode, which is a variable of a function around both."""
        if owner is self._owner_of(path):
            self.put(what, path, setting.answer, Evaluated.CALLEE)

    def _owner_of(self, path: str) -> Definition | None:
        """The function whose variable, or parameter, is at the root of a path; ``None`` for the module."""
        root = root_of(path)
        held = self.learning()
        if root not in self.here.elsewhere and held is not None:
            if root in held.parameters or root in self.learned.bindings.get(held.node, {}):
                return held.node
        return self.scope_of(root)

    def left(self) -> None:
        """The function around is left here: what of its arguments, and of models, its callers find changed."""
        learning = self.learning()
        if learning is None:
            return
        names = self.state.names
        for position in learning.altered:
            value = names[as_handed_in(position)]
            known = learning.alters.get(position)
            learning.alters[position] = value if known is None else known | value
        self._settings_into(learning, learning.puts)

    def yields(self) -> None:
        """The generator around yields here: whoever goes through it finds models in what they are in here."""
        learning = self.learning()
        if learning is not None:
            mode = self.state.mode
            learning.yields = mode if learning.yields is None else learning.yields | mode
            learning.is_generator = True
            if learning.own != KEEP:
                # A decorator of torch enters its mode anew when it goes on. Truth: tests/truth/test_switch_mistakes.
                self.state.mode = KEEP
            self._settings_into(learning, learning.holds)

    def _settings_into(
        self, learning: FunctionKnowledge, table: dict[tuple[Definition | None, str, str], Setting]
    ) -> None:
        """What the models are in here that a function puts in something."""
        for key in learning.puts:
            _, what, path = key
            setting = setting_of(self.state.training if what == "training" else self.state.frozen, path)
            before = table.get(key, NOT_SET)
            table[key] = setting if before is NOT_SET else setting | before

    def outlives(self, path: str) -> bool:
        """Whether what is stored there is seen by others when the function has returned."""
        root = path.partition(".")[0]
        if self.here.function is None:
            return False
        held = self.state.names.get(root)
        return held is None or held.parameter is not None or root in self.here.elsewhere or root != path

    def rebinds(self, scope: Definition | None, name: str, value: Abstract) -> None:
        """The function at hand binds a name of another scope."""
        learning = self.learning()
        if learning is not None:
            clean = replace(value, parameter=None, identity=frozenset(), label="")
            before = learning.rebinds.get((scope, name))
            learning.rebinds[scope, name] = clean if before is None else before | clean

    def is_bound(self, path: str) -> bool:
        """Whether anything in the file gives a meaning to a path."""
        root = path.split(".")[0]
        return "." in path or root in self.state.names or self._lookup_outside(root) is not None

    def _lookup_outside(self, name: str) -> Abstract | None:
        inner, *outer = self.here.scopes
        scopes: list[Definition | None] = [scope for scope in outer if not isinstance(scope, cst.ClassDef)]
        if inner is None:
            scopes = [None]
        for scope in scopes:
            # What is bound further below is learned later, and known from the walk before.
            known, learned = (each.bindings.get(scope, {}).get(name) for each in (self.known, self.learned))
            value = known | learned if known is not None and learned is not None else known or learned
            if value is not None:
                return replace(value, parameter=None, identity=frozenset(), held=frozenset({(scope, name)}))
        return None

    def named(self, value: Abstract, path: str) -> Abstract:
        """A value under the name it is reached by, with what the file says of that name."""
        if value.kind is Kind.UNKNOWN and path in self.known.modules and not value.is_none and not value.api:
            value = replace(value, kind=Kind.MODEL)
        elif value.kind is Kind.DATA and path in self.known.modules:
            value = replace(value, kind=Kind.MODEL, requires_grad=Answer.UNKNOWN)
        if value.kind is Kind.UNKNOWN and not value.forwards and not value.api and not value.definitions:
            value = _by_name(value, path)
        return replace(value, label=path) if value.label != path else value

    def evidence(self, path: str) -> None:
        """Something is called on this path that modules alone have."""
        if path and path != "self":
            self.learned.modules.add(path)

    def walks_graph(self) -> None:
        """The graph itself is looked at here, and so in the functions around."""
        function = self.learning()
        while function is not None:
            function.reads_graph = True
            function = self.learned.functions.get(function.parent) if function.parent is not None else None

    def takes(self, pair: Abstract, part: Abstract, node: cst.CSTNode) -> None:
        """A part of something is taken; of ``x.max(1)`` the indices are what ``argmax`` gives."""
        if part.cut is not None and part.cut.how is Loss.NON_DIFFERENTIABLE and part.cut.at is pair.made_at:
            self.use(replace(pair, elements=None), node, Purpose.VALUE, callee="argmax")

    def names(self, word: str) -> None:
        """A word of the author: a name that is bound, a keyword, a key."""
        function = self.learning()
        if function is not None and naming.sounds_like_forces(word):
            function.names_forces = True

    def escapes(self, value: Abstract) -> None:
        """A function is handed to somebody we do not know."""
        for definition in value.definitions:
            known = self.learned.functions.get(definition) if not isinstance(definition, cst.ClassDef) else None
            if known is not None and value.kind is Kind.FUNCTION:
                known.escapes = True

    def gives_back(self, value: Abstract) -> None:
        """A function is handed to whoever calls this one: a function within this one is known by its calls."""
        for definition in value.definitions:
            known = self.learned.functions.get(definition) if not isinstance(definition, cst.ClassDef) else None
            if known is None or known.parent is None:
                self.escapes(replace(value, definitions=(definition,)))

    def framework_calls(self, value: Abstract, modes: GradMode) -> None:
        """A function is handed to torch, which calls it under known modes."""
        for definition in value.definitions:
            if not isinstance(definition, cst.ClassDef) and definition in self.learned.functions:
                known = self.learned.functions[definition]
                known.framework = modes if known.framework is None else known.framework | modes

    def called(
        self, definition: Def, *, fresh: bool = False, shift: Shift = KEEP, by: cst.FunctionDef | None = None
    ) -> None:
        """A function of the file is called here, or where another is entered."""
        known = self.learned.functions.get(definition)
        if known is not None and by is not None:
            known.callers.append(Caller(by, KEEP))
        elif known is not None:
            known.callers.append(Caller(self.here.function, shift if fresh else self.state.mode.then(shift), fresh))

    def method(self, owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
        """A method of a class of the file; in the first walk, of the classes seen so far."""
        return self.known.method(owner, name) or self.learned.method(owner, name)

    def methods(self, held: Abstract, name: str) -> list[cst.FunctionDef]:
        """The methods of that name which an object of a class of the file, that is nothing to torch, may have."""
        owners = held.definitions if held.kind is Kind.INSTANCE else ()
        found = (self.method(each, name) for each in owners if isinstance(each, cst.ClassDef))
        return [each for each in found if each is not None]

    def attribute(self, owner: cst.ClassDef, name: str) -> Abstract | None:
        """What an attribute of a class's objects is ever bound to; in the first walk, so far."""
        found = self.known.attribute(owner, name) or self.learned.attribute(owner, name)
        if found is not None and found.is_none:
            # ``None`` alone holds its place: what is read of it later, another file has set.
            return UNKNOWN
        return None if found is None else replace(found, held=frozenset({(owner, name)}))

    def role(self, owner: cst.ClassDef | None) -> Role:
        """What a class is to torch."""
        if owner is None:
            return Role.NONE
        known = self.known.classes.get(owner) or self.learned.classes.get(owner)
        return Role.NONE if known is None else known.role


MOST_NAMES = 64
"""Of one model: ``a = b.x; b = a.y`` would lead to ever longer ones."""


GROUPS = "torch.optim.Optimizer.param_groups[]"
"""What is known of a parameter group is who made it; of a parameter in it, that it is in one."""
NAMED = frozenset({Kind.MODEL, Kind.PARAMETER, Kind.PARAMETERS, Kind.TENSOR, Kind.DATA, Kind.UNKNOWN})
"""What may be changed in place, or put in a mode."""


def as_handed_in(position: int) -> str:
    """The name, which no program can write, that a parameter's object keeps when its name is bound anew."""
    return f"{position} as handed in"


def of_some_mode(part: Abstract) -> Abstract:
    """A part of what somebody may have put in evaluation mode, as a whole, since it was built."""
    return replace(part, training=NOT_SET) if part.training.answer is Answer.YES else part


def _put(value: Abstract, what: str, setting: Setting) -> Abstract:
    """A model that was perhaps put in a mode, or a parameter of one that was perhaps frozen."""
    if value.kind is not Kind.MODEL:
        frozen = what == "frozen" and value.kind is Kind.PARAMETER
        return replace(value, requires_grad=value.requires_grad | setting.answer.opposite()) if frozen else value
    if what == "training":
        return replace(value, training=value.training | setting)
    return replace(value, frozen=value.frozen | setting)


def _with(value: Abstract, path: str, frozen: Answer) -> Abstract:
    """A value that may hold parameters of a model that is frozen, or trained, from here on."""
    if value.elements is not None:
        value = replace(value, elements=tuple(_with(each, path, frozen) for each in value.elements))
    if value.item is not None:
        value = replace(value, item=_with(value.item, path, frozen))
    if value.kind not in {Kind.PARAMETER, Kind.TENSOR} or not value.source:
        return value
    if value.kind is Kind.TENSOR:
        related = value.source == path or is_part(value.source, path) or is_part(path, value.source)
        return replace(value, requires_grad=value.requires_grad | frozen.opposite()) if related else value
    if value.source == path or is_part(value.source, path):
        return replace(value, requires_grad=frozen.opposite())
    if is_part(path, value.source):
        return replace(value, requires_grad=value.requires_grad | frozen.opposite())
    return value


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


def _by_name(value: Abstract, path: str) -> Abstract:
    kind = _suggested(path)
    return value if kind is Kind.UNKNOWN else replace(value, kind=kind)


@cache
def _suggested(path: str) -> Kind:
    if naming.sounds_like_criterion(path):
        return Kind.CRITERION
    if naming.sounds_like_loader(path):
        return Kind.LOADER
    if naming.sounds_like_optimizer(path):
        return Kind.OPTIMIZER
    return Kind.UNKNOWN


ANY_TENSOR = (
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.NO, is_leaf=Answer.YES),
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.YES, is_leaf=Answer.NO),
    Abstract(kind=Kind.TENSOR, requires_grad=Answer.YES, is_leaf=Answer.YES),
)

BUILTINS = frozenset(
    [
        "print",
        "len",
        "range",
        "enumerate",
        "zip",
        "list",
        "tuple",
        "dict",
        "set",
        "sum",
        "max",
        "min",
        "map",
        "filter",
        "sorted",
        "reversed",
        "iter",
        "next",
        "float",
        "int",
        "bool",
        "str",
        "isinstance",
        "super",
        "getattr",
        "setattr",
        "hasattr",
        "open",
        "abs",
        "round",
        "any",
        "all",
        "type",
        "id",
        "repr",
        "format",
        "property",
        "staticmethod",
        "classmethod",
        "object",
        "vars",
    ]
)
