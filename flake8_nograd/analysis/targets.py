"""What is bound: names and attributes, by any statement or expression that gives something a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from ..facts import Evaluated, Kind, Purpose
from ..grad import Answer
from . import lookup
from .aspects import Aspect, Setting
from .calls import Calls
from .changing import holds_too
from .context import Context
from .putting import alias, mark
from .reading import path_of
from .switching import of_another_function
from .value import COLLECTIONS_OF_DATA, Abstract, replace


@dataclass(slots=True)
class Targets:
    """Binds targets to values."""

    context: Context
    calls: Calls
    evaluate: Callable[[cst.BaseExpression], Abstract]

    def bind(self, name: str, value: Abstract) -> None:
        """Bind a local name."""
        context = self.context
        context.names(name)
        value = context.marked(value)
        if value.kind is not Kind.MODEL or value.label != name:
            # Else it is the same object: ``model = model.to(device)``.
            context.state.forget_under(name)
            context.state.rename(name)
            for table in context.state.settings.values():
                table.pop(name, None)
        if value.kind is Kind.MODEL and not value.label and value.training.answer is Answer.NO:
            # ``model = DataParallel(model)``: where branches meet, the name was in evaluation mode in both.
            context.state.settings[Aspect.TRAINING][name] = value.training
        if value.label and value.label != name and value.kind in COLLECTIONS_OF_DATA:
            value = replace(value, source=value.source or value.label)
        self._built(name, value)
        if "." in name:
            context.state.hold(name, value, lookup.held_by_object(context, name))
        elif name in context.here.elsewhere:
            # A branch that does not bind it finds what it held before.
            context.state.hold(name, value, lookup.variable(context, name))
        else:
            context.state.names[name] = value
        if "." not in name:
            context.learned.bind(context.here.elsewhere.get(name, context.here.scopes[0]), name, value)
        if value.kind is Kind.MODEL and value.label and value.label != name:
            # Now that it is known whose name it is.
            alias(context, name, value.label)

    def _built(self, name: str, value: Abstract) -> None:
        """A module of the file that has no name yet gets one: its parts are what its constructor left them in."""
        context = self.context
        if value.kind is not Kind.MODEL or value.label:
            return
        if value.frozen.is_set:
            context.state.settings[Aspect.FROZEN][name] = value.frozen
        for owner in value.definitions:
            left = context.known.built(owner) if isinstance(owner, cst.ClassDef) else {}
            for aspect, table in left.items():
                for path, setting in table.items():
                    context.state.settings[aspect][name + path[len("self") :]] = Setting(
                        setting.answer, Evaluated.CONSTRUCTOR
                    )

    def assign(self, target: cst.BaseExpression, value: Abstract, *, comprehension: bool = False) -> None:
        """Bind the target of a loop or an unpacking."""
        match target:
            case cst.Name(value=name):
                if comprehension:
                    self.context.state.names[name] = value
                else:
                    self.bind(name, value)
            case cst.Tuple(elements=elements) | cst.List(elements=elements):
                self.context.goes_on_with([value])
                parts = self.unpacked(target, value)
                for element, part in zip(elements, parts, strict=True):
                    if isinstance(element, cst.StarredElement):
                        part = Abstract(kind=Kind.CONTAINER, item=part, forwards=part.forwards)
                    self.assign(element.value, part, comprehension=comprehension)
            case cst.Attribute():
                holder = self.evaluate(target.value)
                holds_too(self.context, holder, target.attr.value, value)
                self.store_attribute(target, value, holder)
            case cst.Subscript():
                self.evaluate(target)

    def _bound_for_others(self, path: str, holder: Abstract, value: Abstract) -> None:
        """An attribute is bound: callers find it so, and all who have another name for the object."""
        context, learning = self.context, self.context.learning()
        owner, _, name = path.rpartition(".")
        classes = [each for each in holder.definitions if isinstance(each, cst.ClassDef)]
        if owner == "self" and context.here.owner is not None:
            classes = [context.here.owner]
        if learning is not None:
            position = learning.parameters.index(owner) if owner in learning.parameters else None
            learning.binds.update(dict.fromkeys((each, name, position) for each in classes))
        for other, held in context.state.names.items() if holder.identity else ():
            bound = f"{other}.{name}"
            if other != owner and held.identity & holder.identity and bound in context.state.names:
                certain = held.identity == holder.identity and len(held.identity) == 1
                context.state.names[bound] = value if certain else context.state.names[bound] | value

    def unpacked(self, target: cst.Tuple | cst.List, value: Abstract) -> list[Abstract]:
        """The parts of a value that is unpacked."""
        count = len(target.elements)
        if value.elements is not None and len(value.elements) == count:
            return list(value.elements)
        if value.kind is Kind.TENSOR and value.forwards:
            # What a model gives may be a tuple, of tensors like the one we took it for.
            return [replace(value, label="", identity=frozenset())] * count
        self.context.consumes(value, target)
        return [self.calls.containers.inside(each.value, value) for each in target.elements]

    def store_attribute(self, target: cst.Attribute, value: Abstract, holder: Abstract) -> None:
        """``a.b = value``."""
        context = self.context
        path = path_of(target)
        context.use(value, target, Purpose.STORED, into=path_of(target))
        context.escapes(value)
        if not path:
            return
        root, _, rest = path.partition(".")
        owners = [each for each in holder.definitions if isinstance(each, cst.ClassDef)]
        if any(lookup.method(context, each, target.attr.value) for each in owners):
            # A property, of which the setter runs: what it gives then is not what was assigned.
            context.state.forget_under(root)
            return
        owner = context.here.owner
        if root == "self" and owner is not None and "." not in rest:
            attributes = context.learned.classes[owner].attributes
            if not value.is_none:
                context.learned.classes[owner].makers.setdefault(rest, set()).add(context.here.function)
            learning = context.learning()
            if learning is not None and value.parameter is not None:
                places = learning.keeps.get(value.parameter, frozenset())
                learning.keeps[value.parameter] = places | {(owner, rest)}
            for scope, name in lookup.places_of(context, value):
                place = (owner, name[len("self.") :]) if name.startswith("self.") else (scope, name)
                context.learned.stored.setdefault((owner, rest), {})[place] = None
            known = attributes.get(rest)
            clean = value.elsewhere()
            clean = of_another_function(clean)
            if clean.training.where is Evaluated.HERE:
                # For other methods it was not put in its mode where they run it.
                clean = replace(clean, training=Setting(clean.training.answer, Evaluated.CONSTRUCTOR))
            attributes[rest] = clean if known is None else known | clean
        if value.kind is Kind.PARAMETER and holder.kind is Kind.MODEL and holder.label:
            # It is frozen with its new owner, and with the one before.
            if value.source and value.source != holder.label:
                context.learned.tied.add((value.source, holder.label))
            value = replace(value, source=value.source or holder.label)
        self._bound_for_others(path, holder, value)
        self.bind(path, value)
        if value.is_none and target.attr.value == "grad":
            # Until the next backward pass, wherever that is.
            context.state.names.pop(path, None)
        if value.kind is Kind.MODEL and value.frozen.is_set:
            mark(context, Aspect.FROZEN, path, value.frozen.answer)
        if value.kind is Kind.MODEL and value.training.answer is Answer.NO:
            mark(context, Aspect.TRAINING, path, value.training.answer)
