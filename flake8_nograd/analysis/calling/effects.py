"""What a call of a function of the file leaves changed: what it was handed, and what names and models are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from operator import or_

import libcst as cst

from ... import torch_api
from ...facts import Evaluated, Kind
from ...grad import Answer
from .. import lookup, model_state
from ..aspects import Aspect, root_of
from ..changing import change_in_place, kept
from ..collected import Arguments, contents
from ..conditions import NOTHING_KNOWN, Meets
from ..context import Context
from ..function_knowledge import FunctionKnowledge
from ..putting import GROUPS, freeze, freeze_some, perhaps_rebound, put, put_elsewhere
from ..value import TENSORS, UNKNOWN, Abstract, Definition, either_cut, replace
from .containers import Containers


@dataclass(slots=True)
class Effects:
    """Changes what is known here as a call does."""

    context: Context
    containers: Containers

    def leave(
        self,
        node: cst.Call,
        known: FunctionKnowledge,
        bound: int,
        given: Arguments,
        paths: dict[str, str],
        meets: Meets = NOTHING_KNOWN,
    ) -> None:
        """What a call changes, puts into containers, and binds names to, that are seen from here."""
        context = self.context
        for (owner, aspect, path), setting in known.puts.items():
            if path == GROUPS:
                freeze_some(context)
                continue
            if not setting.is_set:
                # In code that nothing reaches, or before an error.
                continue
            root = root_of(path)
            answer = setting.answer
            if answer is Answer.UNKNOWN and aspect is Aspect.TRAINING:
                answer = meets.decides(known.ways.get(path, ()))
            if owner is not known.node:
                put_elsewhere(context, owner, aspect, path, answer)
                continue
            handed = given.at(known.parameters.index(root) - bound, root) if root in known.parameters else None
            if aspect is Aspect.FROZEN and handed is not None and handed.kind in {Kind.PARAMETER, Kind.PARAMETERS}:
                self._went_through(handed, setting.answer)
            elif paths.get(root):
                own = paths[root] == "self" and known.owner is not None and known.owner is context.here.owner
                put(context, aspect, paths[root] + path[len(root) :], answer, Evaluated.CALLEE, by_method=own)
        if given.starred and known.alters:
            left = reduce(or_, known.alters.values())
            for each in [part for handed in given.all() for part in contents(handed)]:
                change_in_place(context, each, partial(_perhaps, left))
        for position, value in known.alters.items():
            if position == len(known.parameters):
                for each in given.positional[position - bound :]:
                    change_in_place(context, each, partial(_perhaps, value))
                continue
            key = known.parameters[position]
            handed = given.at(position - bound, key)
            if handed is None:
                continue
            if handed.elements or handed.item is not None:
                self._altered_within(handed, value)
                continue
            altered = self._altered(handed, value, remade=position in known.remade)
            if key in given.keywords:
                given.keywords[key] = altered
            else:
                given.positional[position - bound] = altered
        for definition, name, parameter in known.binds:
            holder = None if parameter is None else paths.get(known.parameters[parameter], "")
            self._bound(definition, name, holder, is_settled=self._makes_alone(known, definition, name))
        for position, places in known.keeps.items():
            handed = given.at(position - bound, known.parameters[position])
            if handed is not None:
                kept(context, handed, places)
        for position, value in known.stores.items():
            container = given.at(position - bound, known.parameters[position])
            if container is not None and container.label:
                self.containers.put_into(node, container, [value])
        for (scope, name), value in known.rebinds.items():
            self._changed_elsewhere(name, value, given)
            self._changed_by_made(scope, name, value)
            self._rebound(node, known, scope, name, value)

    def _makes_alone(self, known: FunctionKnowledge, owner: cst.ClassDef, name: str) -> bool:
        """Whether only this method binds the attribute to a model, and what it has put that in is known."""
        learned = self.context.known.classes.get(owner)
        path = f"self.{name}"
        return (
            owner is known.owner
            and learned is not None
            and path in learned.made_alone(known.node)
            and (known.node, Aspect.TRAINING, path) in known.puts
        )

    def _bound(self, owner: cst.ClassDef, name: str, holder: str | None, *, is_settled: bool) -> None:
        """A call has perhaps bound an attribute of an object, or of any of a class."""
        context, learning = self.context, self.context.learning()
        if learning is not None and holder != "":
            parameter = learning.parameters.index(holder) if holder in learning.parameters else None
            learning.binds[owner, name, parameter] = None
        names = context.state.names
        mine = names.get(holder or "", UNKNOWN).identity
        known = {*names, *(path for table in context.state.settings.values() for path in table)}
        for path in sorted(path for path in known if path.endswith(f".{name}")):
            root = path.rpartition(".")[0]
            held = names.get(root) or lookup.held_by_object(context, root)
            if root == "self" and context.here.owner is not None:
                held = replace(held, definitions=(context.here.owner,))
            if not (lookup.is_of(context, held, owner) if holder is None else root == holder or held.identity & mine):
                continue
            found = lookup.attribute(context, owner, name)
            after = UNKNOWN if found is None else replace(found, parameter=None, identity=frozenset())
            if not is_settled:
                perhaps_rebound(context, path, after)
            if path in names:
                context.state.forget_under(path)
                names[path] |= model_state.of_some_mode(after)

    def bind(self, node: cst.Call, known: FunctionKnowledge, bound: int, given: Arguments) -> None:
        """A call has bound names of other functions, or of the module, whichever way it went."""
        context = self.context
        plain = all(each in torch_api.SWITCHES for each in known.decorators) and not known.is_generator
        if not plain or (isinstance(known.node, cst.FunctionDef) and known.node.asynchronous is not None):
            return
        for (scope, name), value in known.ends.items():
            here = scope is context.here.scopes[0]
            if value is None or not (here or context.here.elsewhere.get(name, context.here.function) is scope):
                continue
            before = lookup.variable(context, name)
            if {value.kind, before.kind} - REPLACED:
                continue
            names = context.state.names
            # Its object may be one that it was handed, or that a name here holds.
            shared = [names[other] for owner, other in value.held if other in names and other != name]
            shared += [each for each in given.all() if value.parameter is not None]
            identity = frozenset({node, known.node}).union(*(each.identity for each in shared))
            context.state.forget_under(name)
            context.state.hold(name, replace(value, identity=identity, parameter=None, label=""), before)

    def _rebound(
        self, node: cst.Call, known: FunctionKnowledge, scope: Definition | None, name: str, value: Abstract
    ) -> None:
        """A call has perhaps bound a name of another function, or of the module, or changed what it holds."""
        context = self.context
        state = context.state
        in_place = (scope, name) in known.changes
        here = scope is context.here.scopes[0]
        if not here:
            context.rebinds(scope, name, value, in_place=in_place)
        before = state.names.get(name)
        if before is None or (not here and lookup.owner_of(context, name) is not scope):
            return
        if in_place and here:
            change_in_place(context, before, partial(_perhaps, value))
        # Perhaps another object than what it held, which others hold as well.
        state.names[name] |= replace(value, identity=frozenset({node}))
        if value.kind is Kind.MODEL:
            perhaps_rebound(context, name, value)

    def _altered(self, tensor: Abstract, left: Abstract, *, remade: bool) -> Abstract:
        """A function of the file was given a tensor, and has changed it, or perhaps set its ``.data``."""
        context = self.context

        def change(value: Abstract) -> Abstract:
            return replace(
                value,
                requires_grad=left.requires_grad,
                is_leaf=left.is_leaf,
                is_inference=left.is_inference if remade else value.is_inference,
                leaf=left.leaf and (value.leaf or left.leaf),
                cut=left.cut,
                releafed=left.releafed,
            )

        freeze(context, tensor, left.requires_grad)
        change_in_place(context, tensor, change)
        if tensor.label and tensor.kind is not Kind.MODEL:
            context.state.hold(tensor.label, change(tensor), tensor)
        return change(tensor)

    def _altered_within(self, handed: Abstract, left: Abstract) -> None:
        """A function of the file was given tensors in a container, and has perhaps changed each."""
        before, after = contents(handed), contents(left)
        if len(before) != len(after):
            after = [reduce(or_, after)] * len(before) if after else before
        for old, new in zip(before, after, strict=True):
            if old.gist() != new.gist():
                change_in_place(self.context, old, partial(_perhaps, new))

    def _changed_elsewhere(self, name: str, left: Abstract, given: Arguments) -> None:
        """A function has perhaps changed the object of a name that it was handed, or that a parameter holds, too."""
        names = self.context.state.names
        for alias in lookup.aliases(self.context, name):
            if alias in names:
                names[alias] = _perhaps(left, names[alias])
        given.positional[:] = [_perhaps(left, each) if each.label == name else each for each in given.positional]

    def _changed_by_made(self, maker: Definition | None, parameter: str, left: Abstract) -> None:
        """A function that another one made has perhaps changed what that was handed."""
        for name in lookup.handed_to(self.context, maker, parameter):
            change_in_place(self.context, lookup.variable(self.context, name), partial(_perhaps, left))

    def _went_through(self, handed: Abstract, frozen: Answer) -> None:
        """A function of the file was given parameters of a model, and has frozen or trained each, or some."""
        if handed.kind is Kind.PARAMETER:
            freeze(self.context, handed, frozen.opposite())
            return
        whole = handed.kind is Kind.PARAMETERS and handed.source
        source = handed.source or (handed.item.source if handed.item is not None else "")
        if source:
            put(self.context, Aspect.FROZEN, source, frozen if whole else Answer.UNKNOWN, Evaluated.CALLEE)


def _perhaps(left: Abstract, value: Abstract) -> Abstract:
    """A tensor that is what it was, or what was left of it."""
    return replace(
        value,
        requires_grad=value.requires_grad | left.requires_grad,
        is_leaf=value.is_leaf | left.is_leaf,
        is_inference=value.is_inference | left.is_inference,
        cut=either_cut(value.cut, left.cut),
    )


REPLACED = TENSORS | {Kind.PLAIN, Kind.UNKNOWN}
"""What a name that is bound anew holds no more: of models, and of containers, more than the name is known."""
