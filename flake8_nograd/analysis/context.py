"""Where the walk stands: what is known, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import libcst as cst

from .. import naming
from ..facts import LEAVING, Evaluated, InferenceUse, Kind, LazyRun, Loss, Place, Purpose, Use
from ..grad import ANYTHING, KEEP, Answer, GradMode, Shift
from .aspects import Aspect, Setting, root_of, setting_of
from .function_knowledge import GRAD, Caller, FunctionKnowledge
from .knowledge import Knowledge
from .recorder import Recorder, Surroundings
from .state import State
from .value import UNKNOWN, Abstract, Def, Definition, replace


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
        if function is None:
            return GradMode.ON
        said = next((GradMode(each.constant) for each in self.here.flags if each.path == GRAD), function.entry)
        return function.own.of(said)

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
        learning = self.learning()
        is_added = added is not None and (value.made_at is not None or value.kind is Kind.TENSOR)
        leaves = value.requires_grad is not Answer.NO and (
            (purpose in KEEPING and value.kind is Kind.TENSOR)
            # ``return scale * 2``, ``return compute()``: perhaps a tensor.
            or (purpose in LEAVING and value.kind is Kind.UNKNOWN and value.made_at is not None)
        )
        if purpose is Purpose.STORED and value.parameter is not None and learning is not None:
            learning.stored.add(value.parameter)
        if value.forwards or is_added or leaves:
            if purpose is Purpose.GRADIENT:
                if learning is not None:
                    own = {run.anchor for run in learning.runs}
                    for each in value.forwards & own:
                        self.learned.is_differentiated(each, frozenset(self.here.requires))
            if not self.recorder.quiet:
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

    def goes_on_with(self, values: Sequence[Abstract]) -> None:
        """Iterators are gone on with: their generators run in the mode here, and decide in which they leave us."""
        for each in (draw for value in values for draw in value.draws if not isinstance(draw, cst.ClassDef)):
            self.called(each)
            known = self.known.functions.get(each)
            switches = known is not None and known.own == KEEP and not known.leaves == KEEP == known.yields
            if known is not None and (switches or known.leaves_inference()):
                self.state.mode = self.state.mode.then(ANYTHING)

    def marked(self, value: Abstract) -> Abstract:
        """A value that gets a name: of an inference tensor, with the block it was made in."""
        if value.is_inference is not Answer.YES or value.block is not None or self.mode() is not GradMode.INFERENCE:
            return value
        return replace(value, block=self.here.switches[-1]) if self.here.switches else value

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
        for scope, name in dict.fromkeys((*learning.rebinds, *(known.rebinds if known is not None else ()))):
            bound = None if self.here.elsewhere.get(name, self.here.function) is not scope else names.get(name)
            met = learning.ends.get((scope, name), bound)
            learning.ends[scope, name] = bound | met if bound is not None and met is not None else None
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
            owner, aspect, path = key
            setting = setting_of(self.state.settings[aspect], path)
            if setting.is_set and owner is learning.node and self.is_bound_anew(path):
                setting = Setting(Answer.UNKNOWN, Evaluated.NOT)
            untouched = not setting.is_set or setting.where in {Evaluated.CALLER, Evaluated.CONSTRUCTOR}
            if aspect is Aspect.TRAINING and untouched:
                learning.ways.setdefault(path, set()).add((frozenset(self.here.requires), Answer.UNKNOWN))
            before = table.get(key)
            table[key] = setting if before is None else setting | before

    def is_bound_anew(self, path: str) -> bool:
        """Whether an access path begins with a parameter's name that holds, or may hold, something else by now."""
        learning, root = self.learning(), root_of(path)
        held = self.state.names.get(root)
        if learning is None or held is None or root not in learning.parameters:
            return False
        handed = self.state.names.get(as_handed_in(learning.parameters.index(root)), held)
        return held.identity not in (handed.identity, frozenset({self.here.owner}))

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

    def rebinds(self, scope: Definition | None, name: str, value: Abstract, *, in_place: bool = False) -> None:
        """The function at hand binds a name of another scope, or changes what it holds."""
        learning = self.learning()
        if learning is not None:
            if in_place:
                learning.changes.add((scope, name))
            clean = replace(value, parameter=None, identity=frozenset(), label="")
            before = learning.rebinds.get((scope, name))
            learning.rebinds[scope, name] = clean if before is None else before | clean

    def finds(self, value: Abstract) -> None:
        """The function at hand has what others have made, whatever it is handed."""
        learning = self.learning()
        if learning is not None:
            learning.forwards |= value.behind()

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
        elif known is not None and not self.here.on_the_way_out:
            known.callers.append(Caller(self.here.function, shift if fresh else self.state.mode.then(shift), fresh))


KEEPING = LEAVING | {Purpose.ACCUMULATED}
"""What is used so is there afterwards."""


def as_handed_in(position: int) -> str:
    """The name, which no program can write, that a parameter's object keeps when its name is bound anew."""
    return f"{position} as handed in"
