"""Where the walk stands: what is known, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import libcst as cst

from .. import naming
from ..facts import LEAVING, Evaluated, InferenceUse, Kind, LazyRun, Leaf, Loss, Place, Purpose, Role, Use
from ..grad import KEEP, Answer, GradMode, Shift
from .aspects import NOT_SET, Aspect, Setting, is_part, root_of, setting_of
from .knowledge import Caller, Def, FunctionKnowledge, Knowledge
from .recorder import Recorder, Surroundings
from .state import State
from .switching import of_another_function
from .value import UNKNOWN, Abstract, Definition, replace, was_perhaps_made_in_inference


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
            here.caught,
            here.requires,
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
        """Something becomes of what a forward pass gave, or is added to a total, or a tensor leaves the function."""
        is_added = added is not None and (value.made_at is not None or value.kind is Kind.TENSOR)
        leaves = value.requires_grad is not Answer.NO and (
            (purpose in KEEPING and value.kind is Kind.TENSOR)
            # ``return scale * 2``, ``return compute()``: perhaps a tensor.
            or (purpose in LEAVING and value.kind is Kind.UNKNOWN and value.made_at is not None)
        )
        if value.forwards or is_added or leaves:
            if purpose is Purpose.GRADIENT:
                learning = self.learning()
                if learning is not None:
                    own = {run.anchor for run in learning.runs}
                    for each in value.forwards & own:
                        self.learned.is_differentiated(each, frozenset(self.here.requires))
            self.recorder.write(Use(node, self.place(), value.fact(), purpose, callee, into, added, item))
        for element in value.elements or ():
            self.use(element, node, purpose, callee=callee, into=into)
        if value.item is not None and not value.forwards and purpose in KEEPING:
            self.use(value.item, node, purpose, into=into)

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
        return setting_of(self.state.settings[Aspect.TRAINING], path)

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
        return setting_of(self.state.settings[Aspect.FROZEN], path)

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
        return any(
            setting.answer is not frozen and is_part(part, path)
            for part, setting in self.state.settings[Aspect.FROZEN].items()
        )

    def perhaps_frozen(self, model: Abstract) -> bool:
        """Whether some way here froze it, and some did not; what nothing froze is presumed to be trained."""
        setting = self.frozen_setting(model)
        return setting.is_set and setting.answer is Answer.UNKNOWN

    def parameter(self, node: cst.CSTNode, model: Abstract) -> Abstract:
        """An item of the parameters of a model."""
        made = parameter_of(node, model.label, self.frozen(model))
        if was_perhaps_made_in_inference(model):
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

    def seen_from_within(self, name: str, value: Abstract) -> None:
        """What a name holds has changed: functions that read it, and may run now, find it so."""
        self.learned.bind(self.owner_of(name), name, value.elsewhere())

    def either(self, ways: Sequence[Callable[[], Abstract]]) -> Abstract:
        """One of several things happens here, and which is not known."""
        if len(ways) == 1:
            return ways[0]()
        before = self.state.fork()
        result = ways[0]()
        after = self.state.fork()
        for way in ways[1:]:
            self.state.become(before.fork())
            result |= way()
            after = self.state.join(after)
        self.state.become(after)
        return result

    def places_of(self, value: Abstract) -> frozenset[tuple[Definition | None, str]]:
        """The names and attributes by which others than the function that is handed a value may reach it."""
        if value.kind not in NAMED:
            return frozenset()
        found = {(self.owner_of(path), path) for path in (value.label, value.source) if root_of(path).isidentifier()}
        function = self.function()
        if value.parameter is not None and function is not None:
            found |= function.origins.get(value.parameter, frozenset())
        if value.views:
            # Written to by the name of what it is a view of, it has changed.
            shared = (name for name, held in self.state.names.items() if held.identity & value.views)
            found |= {(self.owner_of(name), name) for name in shared}
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
                    outer = name if self.owner_of(name) is scope else ""
                if not outer or outer == parameter:
                    continue
                if path == outer or is_part(path, outer):
                    yield parameter + path[len(outer) :]
                elif is_part(outer, path):
                    yield parameter
                elif path == parameter or is_part(path, parameter):
                    yield outer + path[len(parameter) :]

    def handed_to(self, maker: Definition | None, parameter: str) -> Iterator[str]:
        """The names here of what another function may have been handed: one that it made still has it."""
        known = None if maker is None or isinstance(maker, cst.ClassDef) else self.known.functions.get(maker)
        if known is not None and parameter in known.parameters:
            for scope, name in known.origins.get(known.parameters.index(parameter), ()):
                if not isinstance(scope, cst.ClassDef) and scope is self.owner_of(name):
                    yield name

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

    def owner_of(self, path: str) -> Definition | None:
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
        known = self.function()
        # What the last walk has seen below counts as well: ``if x: return``, and then ``x.requires_grad_()``.
        for position in learning.altered | (known.altered if known is not None else set()):
            value = names.get(as_handed_in(position), UNKNOWN)
            before = learning.alters.get(position)
            learning.alters[position] = value if before is None else before | value
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
        self, learning: FunctionKnowledge, table: dict[tuple[Definition | None, Aspect, str], Setting]
    ) -> None:
        """What the models are in here that a function puts in something."""
        known = self.function()
        # What the last walk has seen below counts as well: ``if x: return``, and then ``model.eval()``.
        for key in dict.fromkeys((*learning.marks, *(known.marks if known is not None else ()))):
            _, aspect, path = key
            setting = setting_of(self.state.settings[aspect], path)
            untouched = not setting.is_set or setting.where in {Evaluated.CALLER, Evaluated.CONSTRUCTOR}
            if aspect is Aspect.TRAINING and untouched:
                learning.ways.setdefault(path, set()).add((frozenset(self.here.requires), Answer.UNKNOWN))
            before = table.get(key)
            table[key] = setting if before is None else setting | before

    def outlives(self, path: str) -> bool:
        """Whether what is stored there is seen by others when the function has returned."""
        root = path.partition(".")[0]
        if self.here.function is None:
            return False
        held = self.state.names.get(root)
        return held is None or root in self.here.elsewhere or root != path or self.was_handed_in(held)

    def parameter_in(self, value: Abstract) -> str:
        """The parameter of the function at hand that a value is, unchanged; empty, if it is none."""
        function, position = self.learning(), value.parameter
        if function is None or position is None or position >= len(function.parameters):
            return ""
        handed = self.state.names.get(as_handed_in(position), UNKNOWN)
        return function.parameters[position] if handed.identity & value.identity else ""

    def was_handed_in(self, value: Abstract) -> bool:
        """Whether it is the object of a parameter, changed in place or not."""
        function = self.function()
        if value.parameter is not None or function is None:
            return value.parameter is not None
        handed = (self.state.names.get(as_handed_in(position)) for position in range(len(function.parameters)))
        return any(each is not None and value.identity & each.identity for each in handed)

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
                self._finds(value)
                value = of_another_function(value)
                value = replace(value.elsewhere(), views=value.views, held=frozenset({(scope, name)}))
                return self._perhaps_frozen_since(value)
        return None

    def _finds(self, value: Abstract) -> None:
        """The function at hand has what others have made, whatever it is handed."""
        learning = self.learning()
        if learning is not None:
            learning.forwards |= value.behind()

    def _perhaps_frozen_since(self, value: Abstract) -> Abstract:
        """A parameter that a name of another scope holds, of a model that something here has frozen, or trained."""
        setting = self.frozen_of(value.source) if value.kind is Kind.PARAMETER else NOT_SET
        return (
            replace(value, requires_grad=value.requires_grad | setting.answer.opposite()) if setting.is_set else value
        )

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
            loop = self.here.loops[0] if self.here.loops else None
            function.forces_in.add(None if loop is None or loop.is_comprehension else loop.anchor)

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

    def overrides(self, owner: cst.ClassDef, name: str) -> list[cst.FunctionDef]:
        """The methods of that name in classes of the file that are derived from one."""
        classes = self.known.classes.values()
        derived = [owner]
        for each in derived:
            derived += [known.node for known in classes if each in known.parents and known.node not in derived]
        found = (self.known.classes[each].methods.get(name) for each in derived[1:])
        return [each for each in found if each is not None]

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
        if found is None:
            return None
        self._finds(found)
        return replace(found, held=frozenset({(owner, name)}))

    def role(self, owner: cst.ClassDef | None) -> Role:
        """What a class is to torch."""
        if owner is None:
            return Role.NONE
        known = self.known.classes.get(owner) or self.learned.classes.get(owner)
        return Role.NONE if known is None else known.role


KEEPING = LEAVING | {Purpose.ACCUMULATED}
"""What is used so is there afterwards."""
NAMED = frozenset({Kind.MODEL, Kind.PARAMETER, Kind.PARAMETERS, Kind.TENSOR, Kind.DATA, Kind.UNKNOWN})
"""What may be changed in place, or put in a mode."""


def as_handed_in(position: int) -> str:
    """The name, which no program can write, that a parameter's object keeps when its name is bound anew."""
    return f"{position} as handed in"


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
