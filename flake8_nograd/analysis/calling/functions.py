"""Calls of functions and classes of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import libcst as cst

from ... import torch_api
from ...facts import Condition, Evaluated, Kind, Role, ThreadCall
from ...grad import ANYTHING, KEEP, Answer, GradMode
from .. import lookup, model_state
from ..aspects import BUILT, NOT_SET, Aspect, Setting, root_of
from ..collected import Arguments, contents, forwards_of, merge
from ..conditions import NOTHING_KNOWN, Meets, met
from ..context import Context
from ..function_knowledge import FunctionKnowledge
from ..putting import put
from ..switching import switch_of
from ..value import UNKNOWN, Abstract, Def, Definition, Leaving, Put, replace
from ..variants import as_called
from .effects import Effects
from .handing import interrupted_by, left_by, note_aliases, paths_inside, result_of, transfer
from .rows import Rows


@dataclass(slots=True)
class Functions:
    """Runs what the file defines."""

    context: Context
    rows: Rows
    effects: Effects

    def _manager(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Make a context manager with a generator of the file, which runs when it is entered."""
        shift, leaving = KEEP, Leaving.RESTORES
        puts: set[Put] = set()
        bound = 0 if callee.bound is None else 1
        for definition in callee.definitions:
            if isinstance(definition, cst.FunctionDef):
                self.rows.call(node, definition.name.value, callee.bound or UNKNOWN, given, definition)
            known = self.context.known.functions.get(definition) if not isinstance(definition, cst.ClassDef) else None
            if known is not None and known.leaves_inference():
                shift, leaving = ANYTHING, Leaving.STAYS
            elif known is not None and known.yields is not None and known.own == KEEP:
                # A decorator of torch takes its mode back at each yield.
                shift, leaving = known.yields, Leaving.RESTORES if known.leaves == KEEP else Leaving.STAYS
                if known.yields == KEEP == known.leaves:
                    # It brings back what was before, or never looks.
                    leaving |= Leaving.NOTHING
            if known is not None and len(callee.definitions) == 1:
                puts.update(_puts(known, paths_inside(known.parameters, bound, callee, given)))
        for each in given.all():
            self.context.escapes(each)
        return Abstract(
            kind=Kind.SWITCH, shift=shift, leaving=leaving, definitions=callee.definitions, puts=frozenset(puts)
        )

    def _makes_a_manager(self, definition: Definition) -> bool:
        """Whether it stands under ``@contextmanager``."""
        known = None if isinstance(definition, cst.ClassDef) else self.context.learned.functions.get(definition)
        return known is not None and any(name.endswith("contextmanager") for name in known.decorators)

    def call(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Call a function of the file."""
        if callee.definitions and all(map(self._makes_a_manager, callee.definitions)):
            return self._manager(node, callee, given)
        # What it gives is known from walking it under the modes of all its calls; what it only
        # hands on, a wrapper's mode does not change.
        functions = [each for each in callee.definitions if not isinstance(each, cst.ClassDef)]
        ways = [partial(self.one, node, each, callee, given) for each in functions]
        return self.context.either(ways) if ways else UNKNOWN

    def one(self, node: cst.Call, definition: Def, callee: Abstract, given: Arguments) -> Abstract:
        """Call one of the functions that a name may stand for."""
        context = self.context
        known = context.known.functions.get(definition)
        learned = context.learned.functions.get(definition)
        name = definition.name.value if isinstance(definition, cst.FunctionDef) else "<lambda>"
        outside = context.state.mode
        if callee.shift is not None:
            # torch.enable_grad()(attack)(x): the call is made under it.
            context.state.mode = outside.then(callee.shift)
        bound = 1 if callee.bound is not None else 0
        paths = {} if learned is None else paths_inside(learned.parameters, bound, callee, given)
        meets = NOTHING_KNOWN if known is None else met(context, known, bound, given, paths)
        self.rows.call(node, name, callee.bound or UNKNOWN, given, definition, meets)
        context.state.mode = outside
        if learned is None:
            return UNKNOWN
        context.called(definition, shift=callee.shift or KEEP)
        self.rows.calls(known)
        self._hand_in(learned, bound, given)
        if learned.is_changed:
            unknown = Arguments([UNKNOWN] * len(given.positional), dict.fromkeys(given.keywords, UNKNOWN))
            self._hand_in(learned, bound, unknown)
        if given.starred:
            _hand_on(node, learned, bound, given)
        self._omitted(learned, bound, given)
        transfer(self.context, definition, paths)
        note_aliases(learned, bound, given)
        given = Arguments(list(given.positional), dict(given.keywords), given.starred, given.is_statement)
        if known is not None:
            context.state.mode = outside.then(callee.shift or KEEP)
            known = as_called(context, known, bound, given, paths)
            context.state.mode = outside
            self.effects.leave(node, known, bound, given, paths, meets)
            if callee.kind is Kind.FUNCTION:
                self.effects.bind(node, known, bound, given)
            if callee.shift is None:
                interrupted_by(context, known, outside)
        if known is None or (known.returns is None and not known.is_abstract):
            return Abstract(forwards=forwards_of(given.all()), made_at=node)
        if callee.shift is not None:
            # torch.no_grad()(step)(x): brings the mode back itself, of a generator at each yield.
            context.state.mode = outside.then(callee.shift)
            context.learned.functions[definition].stirred |= known.yields is not None
        runs = self._runs(node, known, callee, paths, meets)
        behind = self.rows.handed_on(node, name, given) if known.is_abstract and not runs else frozenset()
        context.state.mode = outside
        if callee.shift is None:
            context.state.mode = left_by(known, outside)
        elif callee.shift | KEEP == callee.shift:
            # Perhaps it is another function that is wrapped, and this one is not.
            context.state.mode = outside | left_by(known, outside)
        if known.returns is None or behind:
            # Who is derived from its class may run what it is handed.
            return Abstract(forwards=behind, made_under=context.mode(), made_at=node, identity=frozenset({node}))
        result = result_of(node, known.returns, bound, given, runs)
        if learned.is_changed:
            behind = result.behind()
            result = Abstract(forwards=behind, made_under=context.mode(), made_at=node, identity=frozenset({node}))
        return replace(result, draws=frozenset({definition})) if known.yields is not None else result

    def _hand_in(self, learned: FunctionKnowledge, bound: int, given: Arguments) -> None:
        """Let the callee know what its parameters hold; whom it hands a function to is seen there."""
        parameters = learned.parameters
        named = [(index + bound, each, given.is_certain(index)) for index, each in enumerate(given.positional)]
        named += [
            (parameters.index(key) if key in parameters else len(parameters), each, True)
            for key, each in given.keywords.items()
        ]
        for position, each, certain in named:
            if not certain or position >= len(parameters):
                self.context.escapes(each)
                if certain:
                    # ``*args`` gathers it.
                    merge(learned.arguments, len(parameters), each)
                continue
            merge(learned.arguments, position, each)
            self._also(learned, position, each)
            held = learned.arguments[position]
            if held.kind is not Kind.FUNCTION:
                # One of several things, which may be called where we do not see it.
                self.context.escapes(replace(held, kind=Kind.FUNCTION))

    def _omitted(self, learned: FunctionKnowledge, bound: int, given: Arguments) -> None:
        """Parameters that are left what they are by default."""
        for position, each in learned.defaults.items():
            if given.at(position - bound, learned.parameters[position]) is None and not given.starred:
                learned.omitted.add(position)
                self._also(learned, position, each)

    def _also(self, learned: FunctionKnowledge, position: int, handed: Abstract) -> None:
        """By which names what a parameter holds may be reached."""
        places = lookup.places_of(self.context, handed)
        if places:
            learned.origins[position] = learned.origins.get(position, frozenset()) | places
            for place in places:
                self.context.learned.handed.setdefault(place, {})[learned.node, position] = None

    def runs_now(self, node: cst.Call, definition: Def) -> None:
        """A function of the file is called without arguments, by what it is handed to: the closure of an optimizer."""
        if definition in self.context.learned.functions:
            transfer(self.context, definition, {})
        known = self.context.known.functions.get(definition)
        if known is not None:
            self.effects.leave(node, known, 0, Arguments([], {}), {})

    def applied(self, definition: Def, model: Abstract) -> None:
        """A function of the file is called with each part of a model, and the model: ``model.apply(freeze)``."""
        known, learned = (each.functions.get(definition) for each in (self.context.known, self.context.learned))
        if learned is not None and model.kind is Kind.MODEL:
            self._hand_in(learned, 0, Arguments([Abstract(kind=Kind.MODEL)], {}))
        for (owner, aspect, path), setting in known.puts.items() if known is not None and model.label else ():
            if known is not None and owner is definition and known.parameters[:1] == (path,):
                put(self.context, aspect, model.label, setting.answer, Evaluated.CALLEE)

    def _runs(
        self, node: cst.Call, known: FunctionKnowledge, callee: Abstract, paths: dict[str, str], meets: Meets
    ) -> bool:
        """The forward passes that the callee runs for us, and does not go back through itself."""
        context, definition = self.context, known.node
        here = {each.anchor for each in known.runs}
        # A variant says which of them there are for this call; who decides on the mode, all its calls say.
        known = context.known.functions[definition]
        seen: dict[tuple[str, str], set[frozenset[Condition]]] = {}
        for run in known.runs:
            requires = meets.left(run.requires)
            if requires is None or run.anchor not in here:
                continue
            differentiated = context.known.differentiated.get(run.anchor, ())
            left = [each for each in map(meets.left, differentiated) if each is not None]
            if run.explicit or frozenset() in left:
                continue
            root, dot, rest = run.path.partition(".")
            outside = paths.get(root)
            if outside is None and root in known.parameters:
                continue
            path = (outside or root) + dot + rest
            if left:
                # Our own callers know whether it does.
                self.rows.run_for_callers(node, replace(UNKNOWN, kind=Kind.MODEL, label=path), run.method, requires)
                for each in left:
                    context.learned.is_differentiated(node, each)
                continue
            seen.setdefault((path, run.method), set()).add(requires)
        name = definition.name.value if isinstance(definition, cst.FunctionDef) else ""
        # ``torch.enable_grad()(step)(x)``
        enables = callee.shift is not None and callee.shift.of(GradMode.OFF) is GradMode.ON
        is_plain = "self" not in paths or self._is_plain(callee.bound)
        if (
            name in {"forward", "__call__"}
            and not is_plain
            and (seen or self._is_module(paths["self"]))
            and not self._holds_model(callee.bound, paths["self"], [path for path, _ in seen])
        ):
            # A module's own forward pass runs the module, not this or that part.
            model = replace(UNKNOWN, kind=Kind.MODEL, label=paths["self"])
            self.rows.forward(node, model, name, Answer.NO, definition, enables=enables)
            return True
        for (path, method), ways in seen.items():
            model = replace(UNKNOWN, kind=Kind.MODEL, label=path)
            self.rows.forward(node, model, method, Answer.NO, definition, requires=ways, enables=enables)
        return bool(seen)

    def _is_plain(self, owner: Abstract | None) -> bool:
        """Whether an object is of a class of the file that is no module."""
        classes = self.context.known.classes
        held = () if owner is None or owner.kind is not Kind.INSTANCE else owner.definitions
        known = [classes.get(each) if isinstance(each, cst.ClassDef) else None for each in held]
        return bool(known) and all(each is not None and not each.has_base_elsewhere for each in known)

    def _holds_model(self, owner: Abstract | None, path: str, models: list[str]) -> bool:
        """Whether an object, for all we know no module, has put in a mode the model that it runs: a trainer."""
        is_module = owner is None or owner.kind is Kind.MODEL or self._is_module(path)
        return not is_module and any(self._is_module(model) for model in models)

    def _is_module(self, path: str) -> bool:
        """Whether something is said of an object that is said of modules alone: ``self.eval()``."""
        return model_state.training_of(self.context, path).answer is not Answer.UNKNOWN

    def construct(self, node: cst.Call, callee: Abstract, given: Arguments) -> Abstract:
        """Make an object of a class of the file."""
        context = self.context
        owner = next((each for each in callee.definitions if isinstance(each, cst.ClassDef)), None)
        role = lookup.role(context, owner)
        self.rows.call(node, callee.label, UNKNOWN, given)
        switch = self._switch(node, owner, given)
        if switch is not None:
            return switch
        kind = {
            Role.MODULE: Kind.MODEL,
            Role.LIGHTNING: Kind.MODEL,
            Role.OPTIMIZER: Kind.OPTIMIZER,
        }.get(role, Kind.INSTANCE)
        made = Abstract(
            kind=kind,
            definitions=callee.definitions,
            training=BUILT if kind is Kind.MODEL else NOT_SET,
            identity=frozenset({node}),
            made_under=context.mode(),
            made_at=node,
        )
        if owner is not None:
            context.learned.classes[owner].made_under |= context.mode()
        init = lookup.method(context, owner, "__init__") if owner is not None else None
        if init is not None:
            bound = replace(made, kind=Kind.FUNCTION, definitions=(init,), bound=replace(made, label=""))
            self.one(node, init, bound, given)
            known = context.known.functions.get(init)
            if known is not None and kind is Kind.MODEL:
                kept = (given.at(position - 1, known.parameters[position]) for position in known.keeps)
                parts = [part.identity for each in kept if each is not None for part in (each, *contents(each))]
                made = replace(made, views=frozenset[cst.CSTNode]().union(*parts))
                for aspect in Aspect:
                    left = known.puts.get((init, aspect, known.parameters[0]))
                    if left is not None:
                        made = made.put(aspect, Setting(left.answer, Evaluated.CONSTRUCTOR, left.is_set))
        else:
            self.rows.handed_on(node, callee.label, given)
        return made

    def _switch(self, node: cst.Call, owner: cst.ClassDef | None, given: Arguments) -> Abstract | None:
        """An object of a class that is a switch of torch by its base: ``class Quiet(torch.no_grad)``."""
        context = self.context
        if owner is None or owner not in context.learned.classes:
            return None
        base = next((each for each in context.learned.classes[owner].bases if each in torch_api.SWITCHES), None)
        if base is None:
            return None
        changed = any(lookup.method(context, owner, name) for name in ("__init__", "__enter__", "__exit__"))
        shift = ANYTHING if changed else switch_of(base, given).shift
        return Abstract(kind=Kind.SWITCH, shift=shift, identity=frozenset({node}))

    def in_a_thread(self, node: cst.Call, given: Arguments) -> None:
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


def _hand_on(node: cst.Call, learned: FunctionKnowledge, bound: int, given: Arguments) -> None:
    """What ``fn(*args)`` hands in, where it is known what is in ``args``: to each parameter from there on."""
    arguments = [each for each in node.args if each.keyword is None]
    for position, (argument, value) in enumerate(zip(arguments, given.positional, strict=False), bound):
        if argument.star:
            if argument.star == "*" and value.item is not None:
                for later, name in enumerate(learned.parameters):
                    if later >= position and name not in given.keywords:
                        merge(learned.arguments, later, value.item)
            return


def _puts(known: FunctionKnowledge, paths: dict[str, str]) -> Iterator[Put]:
    """What a context manager puts the models in that it is handed."""
    for (owner, aspect, path), setting in known.holds.items():
        root = root_of(path)
        if owner is known.node and paths.get(root) and setting.is_set:
            after = known.puts.get((owner, aspect, path), NOT_SET)
            # What was kept elsewhere before, it brings back in ways that are not seen.
            left = Answer.UNKNOWN if after.answer is setting.answer else after.answer
            yield Put(aspect, paths[root] + path[len(root) :], setting.answer, left)
