"""The rows that calls have in the tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import libcst as cst

from ... import naming, torch_api
from ...facts import Call, Condition, Evaluated, Forward, Kind, Passed, Purpose
from ...grad import Answer, GradMode
from .. import model_state
from ..collected import Arguments, forwards_of
from ..conditions import NOTHING_KNOWN, Meets
from ..context import Context
from ..function_knowledge import FunctionKnowledge, Run
from ..value import Abstract, Def


@dataclass(slots=True)
class Rows:
    """Writes down calls and forward passes."""

    context: Context

    def call(
        self,
        node: cst.Call,
        name: str,
        receiver: Abstract,
        given: Arguments,
        function: Def | None = None,
        meets: Meets = NOTHING_KNOWN,
    ) -> None:
        """The row of a call; of a function of the file with what it meets of the function's conditions."""
        learning = self.context.learning()
        if learning is not None and "assert" in name.rsplit(".", 1)[-1]:
            learning.asserts = True
        if self.context.recorder.quiet:
            return
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
                meets.fails,
                tuple(map(Passed, meets.passes.keys(), meets.passes.values())),
            )
        )

    def forward(
        self,
        node: cst.Call,
        model: Abstract,
        method: str,
        inputs: Answer,
        via: Def | None,
        *,
        discarded: bool = False,
        invented: bool = False,
        enables: bool = False,
        graph: Answer = Answer.UNKNOWN,
        given: frozenset[cst.CSTNode] = frozenset(),
        takes_data: bool = False,
        runs: Sequence[Def] = (),
        requires: Collection[frozenset[Condition]] = (frozenset(),),
    ) -> None:
        """The row of a forward pass; ``via`` is the function of the file that runs it, ``runs`` what is run by it.

        Of a call, ``requires`` is what the function around must be given for one of the passes behind it.
        """
        context = self.context
        if not context.recorder.quiet:
            setting = model_state.training(context, model)
            through = context.known.functions.get(via) if via is not None else None
            context.recorder.write(
                Forward(
                    node,
                    context.place(),
                    model.fact(),
                    setting.answer,
                    setting.where if setting.answer is not Answer.UNKNOWN else Evaluated.NOT,
                    model_state.frozen(context, model),
                    inputs,
                    method,
                    None if through is None else through.row,
                    discarded,
                    invented,
                    enables or (through is not None and through.enables),
                    graph,
                    given,
                    takes_data,
                    tuple(known.row for known in map(context.known.functions.get, runs) if known and known.row),
                )
            )
        learning = context.learning()
        if learning is not None:
            learning.forwards.add(node)
            if graph is not Answer.NO and learning.own.then(context.state.mode).of(GradMode.ON) & GradMode.ON:
                learning.records.setdefault(node, set()).add(frozenset(context.here.requires))
            learning.enables |= learning.own.then(context.state.mode).of(GradMode.OFF) is GradMode.ON
        if graph is Answer.NO or (discarded and method not in {"__call__", "forward"}):
            return
        for each in requires:
            self.run_for_callers(node, model, method, each)

    def run_for_callers(
        self, node: cst.Call, model: Abstract, method: str, requires: frozenset[Condition] = frozenset()
    ) -> None:
        """Who calls the function around runs the model by it, if it leaves grad mode as it is."""
        context = self.context
        learning = context.learning()
        if learning is None or not model.label:
            return
        setting = model_state.training(context, model)
        shift = learning.own.then(context.state.mode)
        if shift.on is GradMode.ON and not shift.off & GradMode.ON:
            built = setting.where is Evaluated.CONSTRUCTOR and model.parameter is None and "." not in model.label
            explicit = setting.answer is not Answer.UNKNOWN and (setting.where is Evaluated.HERE or built)
            explicit |= any(naming.sounds_like_gradient_flag(name) for name in context.place().tests)
            learning.runs[Run(model.label, method, explicit, node, requires.union(context.here.requires))] = None

    def calls(self, known: FunctionKnowledge | None) -> None:
        """A function of the file is called: what it does for its callers, the function around does for its own."""
        learning = self.context.learning()
        if learning is not None and known is not None:
            learning.enables |= known.enables

    def handed_on(self, node: cst.Call, name: str, given: Arguments, *, known: bool = False) -> frozenset[cst.CSTNode]:
        """The arguments are used by what is called, which may keep them; the forward passes behind what it gives."""
        for each in given.all():
            self.context.escapes(each)
            if not known:
                self.context.use(each, node, Purpose.CALL, callee=name)
        models = [each for each in given.all() if each.kind is Kind.MODEL or naming.sounds_like_model(each.label)]
        behind = forwards_of(given.all())
        runner = name in torch_api.RUNNING_FUNCTIONS or naming.sounds_like_running(name)
        runner |= naming.sounds_like_inferer(name)
        runs = len(models) == 1 and models[0].kind is Kind.MODEL and runner
        if known or given.is_statement or not runs:
            return behind
        self.forward(node, models[0], name, Answer.UNKNOWN, None)
        return behind | {node}
