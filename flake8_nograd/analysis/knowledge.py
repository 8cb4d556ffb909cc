"""What one walk of the file teaches the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from ..facts import Condition
from ..grad import KEEP, Answer, Shift
from .aspects import ModelSettings, Setting, no_settings
from .class_knowledge import ClassKnowledge
from .function_knowledge import FunctionKnowledge
from .value import Abstract, Def, Definition, Holder


@dataclass(slots=True)
class Knowledge:
    """What is known of the whole file."""

    functions: dict[Def, FunctionKnowledge] = field(default_factory=dict)
    classes: dict[cst.ClassDef, ClassKnowledge] = field(default_factory=dict)
    bindings: dict[Definition | None, dict[str, Abstract]] = field(default_factory=dict)
    """All that a name of a scope is ever bound to."""
    modules: set[str] = field(default_factory=set)
    """Access paths on which something is called that modules alone have."""
    differentiated: dict[cst.CSTNode, set[frozenset[Condition]]] = field(default_factory=dict)
    """Forward passes whose result reaches ``backward`` in the function that runs them, and what must hold for that."""
    settings: ModelSettings = field(default_factory=no_settings)
    """What the module level leaves its models in."""
    leaves: Shift = KEEP
    """How the module level leaves grad mode, for all who import the file."""
    is_of_tests: bool = False
    """Whether it imports pytest or unittest."""
    imports_torch: bool = False
    imports_another_framework: bool = False
    freezes: bool = False
    """Whether some model, or a part of one, is perhaps frozen somewhere."""
    tied: set[tuple[str, str]] = field(default_factory=set)
    """Two models, by path, of which one was given a parameter of the other: ``decoder.weight = encoder.weight``."""
    creates_graphs: bool = False
    """Whether gradients have graphs of their own, perhaps: ``loss.backward(create_graph=True)``."""
    beside_switches: set[str] = field(default_factory=set)
    """Wrappers of other files that are named for turning gradients off, and stand beside a switch of torch's that does:
    ``with torch.no_grad(), inference_context(model):``. So they do not."""
    handed: dict[Holder, dict[tuple[Def, int], None]] = field(default_factory=dict)
    """The parameters that get what a name holds."""
    stored: dict[tuple[cst.ClassDef, str], dict[Holder, None]] = field(default_factory=dict)
    """By which other names what an attribute of a class's objects holds may be reached."""

    def next(self) -> Knowledge:
        """To be filled by the next walk, which knows from its start which functions and classes there are.

        What a function gives back (``scaled = make(x)``) is called before the walk reaches its definition.
        """
        functions = {
            node: FunctionKnowledge(
                node, each.parent, each.owner, each.parameters, each.tests, requested=dict(each.requested)
            )
            for node, each in self.functions.items()
        }
        classes = {
            node: ClassKnowledge(
                node, each.bases, each.parents, each.role, each.has_base_elsewhere, methods=each.methods
            )
            for node, each in self.classes.items()
        }
        return Knowledge(functions, classes, modules=set(self.modules), beside_switches=set(self.beside_switches))

    def is_differentiated(self, run: cst.CSTNode, requires: frozenset[Condition]) -> None:
        """The result of a forward pass reaches ``backward`` in the function that runs it, if all of this holds."""
        self.differentiated.setdefault(run, set()).add(requires)

    def bind(self, scope: Definition | None, name: str, value: Abstract) -> None:
        """A name of a scope is bound once more."""
        names = self.bindings.setdefault(scope, {})
        known = names.get(name)
        names[name] = value if known is None else known | value

    def method(self, owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
        """A method of a class, or of a base class in the file."""
        seen: list[cst.ClassDef] = [owner]
        for each in seen:
            known = self.classes.get(each)
            if known is None:
                continue
            if name in known.methods:
                return known.methods[name]
            seen.extend(parent for parent in known.parents if parent not in seen)
        return None

    def attribute(self, owner: cst.ClassDef, name: str) -> Abstract | None:
        """All that an attribute of a class's objects is ever bound to."""
        binder = next(self.binders(owner, name), None)
        return None if binder is None else self.classes[binder].attributes[name]

    def built(self, owner: cst.ClassDef, derived: tuple[cst.ClassDef, ...] = ()) -> ModelSettings:
        """What the constructors of a class, and of its base classes in the file, leave the models of ``self`` in."""
        built = no_settings()
        known = self.classes.get(owner)
        if known is None:
            return built
        # ``class Net(Net)``: a name may hold one class and another.
        for parent in [each for each in reversed(known.parents) if each not in (owner, *derived)]:
            for aspect, table in self.built(parent, (owner, *derived)).items():
                for path, setting in table.items():
                    # Its own constructor may bind another model there.
                    answer = Answer.UNKNOWN if "__init__" in known.methods else setting.answer
                    built[aspect][path] = Setting(answer, setting.where)
        for aspect, table in known.settings.items():
            built[aspect].update(table)
        return built

    def binders(self, owner: cst.ClassDef, name: str) -> Iterator[cst.ClassDef]:
        """A class, and its base classes in the file, as far as they bind an attribute of their objects."""
        seen: list[cst.ClassDef] = [owner]
        for each in seen:
            known = self.classes.get(each)
            if known is None:
                continue
            if name in known.attributes:
                yield each
            seen.extend(parent for parent in known.parents if parent not in seen)

    def adds_nothing_to(self, before: Knowledge) -> bool:
        """Whether one more walk would find what the last one found."""
        return (
            all(each.gist() == before.functions[node].gist() for node, each in self.functions.items())
            and all(each.gist() == before.classes[node].gist() for node, each in self.classes.items())
            and self._bindings() == before._bindings()
            and self.beside_switches == before.beside_switches
        )

    def _bindings(self) -> dict[Definition | None, dict[str, object]]:
        """What decides what functions find in names of others."""
        return {scope: {name: each.gist() for name, each in names.items()} for scope, names in self.bindings.items()}

    def owners_of(self, method: str) -> list[cst.FunctionDef]:
        """The methods of that name in all classes of the file."""
        return [known.methods[method] for known in self.classes.values() if method in known.methods]
