"""Context managers as they are entered and left: switches, stacks of them, classes of the file."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ... import torch_api
from ...facts import Evaluated, Form, Kind, Switch
from ...grad import ANYTHING, ENABLE_GRAD, KEEP, NO_GRAD, Shift
from .. import lookup
from ..collected import Arguments
from ..context import Context
from ..putting import put
from ..state import unstacked
from ..switching import changed, switch_of
from ..value import UNKNOWN, Abstract, Def, Leaving, replace


@dataclass(slots=True)
class Managers:
    """What entering and leaving context managers does to grad mode."""

    context: Context

    def entering(self, value: Abstract) -> tuple[Shift, Leaving] | None:
        """What entering a manager does to grad mode, and leaving it; ``None`` where nothing is known of it."""
        if value.api in torch_api.STACKS:
            return KEEP, Leaving.NOTHING
        if value.kind is Kind.SWITCH and value.shift is not None:
            for definition in value.definitions:
                if not isinstance(definition, cst.ClassDef):
                    # A generator of the file: its body runs.
                    self.context.called(definition)
            for each in sorted(value.puts, key=lambda each: each.path):
                put(self.context, each.aspect, each.path, each.inside, Evaluated.CALLEE)
            return value.shift, value.leaving
        if value.kind is not Kind.INSTANCE:
            return None
        for method in self.run(value, "__enter__"):
            known = self.context.known.functions.get(method)
            if known is not None and known.leaves != KEEP:
                return known.leaves, Leaving.RESTORES
        return KEEP, Leaving.NOTHING

    def left(self, value: Abstract, mode: Shift) -> Shift:
        """The mode after ``__exit__`` of a class of the file, of what is there if it brings back what was before."""
        for each in sorted(value.puts, key=lambda each: each.path):
            put(self.context, each.aspect, each.path, each.after, Evaluated.CALLEE)
        for method in self.run(value, "__exit__"):
            known = self.context.known.functions.get(method)
            if known is not None and known.leaves in {ENABLE_GRAD, NO_GRAD}:
                # It brings back nothing: it sets a mode.
                mode = mode.then(known.leaves)
        return mode

    def run(self, value: Abstract, name: str) -> list[cst.FunctionDef]:
        """The methods of that name which a manager of this file has; they are called here."""
        methods = lookup.methods(self.context, value, name)
        for method in methods:
            self.context.called(method)
        return methods

    def enter(self, node: cst.Call, entered: Abstract, stack: Abstract = UNKNOWN) -> Abstract:
        """A call enters a manager, perhaps on a stack: ``stack.enter_context(manager)``."""
        context = self.context
        called = entered.kind is not Kind.API
        if not called and entered.api in torch_api.SWITCHES:
            # stack.enter_context(torch.no_grad) raises; taken as what was meant.
            entered = switch_of(entered.api, Arguments([], {}))
        known = self.entering(entered)
        if known is not None:
            before = context.mode()
            shift, leaving = known
            self._stacked(stack, leaving | self._left_later(entered) if stack is not UNKNOWN else leaving)
            context.state.mode = changed(context.state.mode, shift)
            if entered.api in torch_api.SWITCHES:
                function = context.function()
                context.recorder.write(
                    Switch(
                        node if called else node.args[0].value,
                        entered.api,
                        Form.ENTERED,
                        called,
                        before,
                        context.mode(),
                        None if function is None else function.row,
                        context.place(),
                        shift.enables,
                    )
                )
        return entered

    def of_stack(self, stack: Abstract, name: str, given: Arguments) -> Abstract | None:
        """A stack is left before its block ends, hands on what was entered on it, or gets something else to do then."""
        context = self.context
        held = context.state.names.get(stack.label, stack)
        if name in {"callback", "push"}:
            if given.positional and self._may_switch(given.positional[0]):
                self._stacked(stack, Leaving.LONG_AGO)
            return None
        if name != "pop_all":
            context.state.mode = unstacked(held, context.state.mode)
        if stack.label in context.state.names:
            context.state.names[stack.label] = replace(
                held, saved=context.state.mode, leaving=Leaving.NOTHING, shift=None
            )
        return replace(held, label="") if name == "pop_all" else None

    def _may_switch(self, called: Abstract) -> bool:
        functions = [self.context.known.functions.get(each) for each in called.definitions if isinstance(each, Def)]
        switches = called.kind is Kind.SWITCH or called.api in torch_api.SWITCHES
        return switches or any(each is not None and each.leaves != KEEP for each in functions)

    def _left_later(self, entered: Abstract) -> Leaving:
        """What ``__exit__`` of a class of the file adds, which a stack calls in whatever mode it has come to."""
        later = Leaving(0)
        for method in lookup.methods(self.context, entered, "__exit__"):
            self.context.called(method, shift=ANYTHING)
            known = self.context.known.functions.get(method)
            if known is not None and known.leaves in {ENABLE_GRAD, NO_GRAD}:
                later |= Leaving.LONG_AGO
        return later

    def _stacked(self, stack: Abstract, leaving: Leaving) -> None:
        """A manager is entered on an ``ExitStack``, which leaves the last first: what the first brings back, stays."""
        names = self.context.state.names
        held = names.get(stack.label)
        if held is None or held.api not in torch_api.STACKS or not leaving & (Leaving.RESTORES | Leaving.LONG_AGO):
            return
        back = ANYTHING if leaving & Leaving.LONG_AGO else self.context.state.mode
        if held.saved is not None and held.leaving & Leaving.RESTORES:
            back = held.saved | back if held.leaving & Leaving.NOTHING else held.saved
            leaving &= held.leaving
        perhaps = Leaving.NOTHING if leaving & (Leaving.NOTHING | Leaving.STAYS) else Leaving.RESTORES
        names[stack.label] = replace(held, saved=back, leaving=Leaving.RESTORES | perhaps)
