"""``with``: what is entered, one by one, and what each leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from .. import torch_api
from ..facts import Kind, Yield
from ..grad import ANYTHING, KEEP, Shift
from .context import Context
from .expressions import Expressions
from .function_knowledge import FunctionKnowledge
from .reading import path_of
from .state import unstacked
from .switches import Switches
from .switching import changed
from .unwinding import PerhapsBack, Unwinding
from .value import PLAIN, UNKNOWN, Abstract, Leaving, replace


@dataclass(slots=True)
class WithStatements:
    """Walks what stands in ``with`` statements."""

    context: Context
    expressions: Expressions
    switches: Switches
    unwinding: Unwinding
    run: Callable[[cst.CSTNode], None]
    """Walk a piece of code."""

    def run_within(self, node: cst.With) -> None:
        """``with``: each item in turn, the body, then back to the mode before."""
        context = self.context
        switches = context.here.switches
        depth = len(self.unwinding.exits)
        entered: list[tuple[Abstract, str, Shift, Shift, Leaving]] = []
        if node.asynchronous is not None:
            context.recorder.write(Yield(node, context.place(), True))
        for each in node.items:
            outside = context.state.mode
            value, shift, leaving = self.switches.joined(each.item) or self.switches.entered(node, each)
            if leaving & Leaving.LONG_AGO and not isinstance(each.item, cst.Name | cst.Attribute):
                # Made right here.
                leaving = leaving & ~Leaving.LONG_AGO | Leaving.RESTORES
            context.state.mode = changed(context.state.mode, shift)
            name = "" if each.asname is None else path_of(each.asname.name)
            if value.api in torch_api.STACKS:
                # It brings back what the switches that are entered on it found.
                name = name or value.label or f"{len(self.unwinding.exits)} unnamed stack"
                context.state.names[name] = (
                    value if value.leaving & Leaving.RESTORES else replace(value, saved=context.state.mode)
                )
                self.unwinding.exits.append(name)
            elif leaving & Leaving.RESTORES:
                unsure = any(not each.unwinds for each in self._generators_among([value]))
                looks = not leaving & Leaving.NOTHING
                self.unwinding.exits.append(PerhapsBack(outside, looks) if unsure or not looks else outside)
            elif self._switches_at_the_end(value):
                self.unwinding.exits.append(PerhapsBack(ANYTHING, unless_raised=False))
            entered.append((value, name, outside, context.state.mode, leaving))
            if each.asname is not None and value.api not in torch_api.STACKS:
                held = value if value.kind is not Kind.SWITCH or value.api == "" else PLAIN
                self.expressions.targets.assign(each.asname.name, held)
        self.switches.stand_together([each.item for each in node.items], [value for value, *_ in entered])
        waiting = len(self.unwinding.waiting)
        for manager in self._generators_among([value for value, *_ in entered]):
            self.unwinding.wait_for(context.learned.functions[manager.node])
        self.run(node.body)
        del self.unwinding.waiting[waiting:]
        del self.unwinding.exits[depth:]
        for value, name, outside, inside, leaving in reversed(entered):
            if value.api in torch_api.STACKS:
                context.state.mode = unstacked(context.state.names.get(name, UNKNOWN), context.state.mode)
            else:
                mode = leaving.of(outside, inside, context.state.mode)
                if self._switches_at_the_end(value):
                    mode = ANYTHING
                context.state.mode = self.expressions.calls.managers.left(value, mode)
        context.here.switches = switches

    def _generators_among(self, managers: list[Abstract]) -> list[FunctionKnowledge]:
        """The context managers that are generators of the file."""
        functions = self.context.known.functions
        definitions = [each for value in managers if value.kind is Kind.SWITCH for each in value.definitions]
        return [functions[each] for each in definitions if not isinstance(each, cst.ClassDef) and each in functions]

    def _switches_at_the_end(self, manager: Abstract) -> bool:
        """Whether a context manager of the file may leave a mode behind that is none of those around and within."""
        return any(each.leaves not in (KEEP, each.yields) for each in self._generators_among([manager]))
