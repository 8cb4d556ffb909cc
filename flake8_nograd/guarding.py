"""How an evaluation is put under no-grad, and whether that is safe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import naming, torch_api, torch_classes
from .edits import NO_GRAD, Decorate, Edit, Fix, Wrap
from .evaluation import is_scored, needless, records
from .facts import LEAVING, Anchor, FileFacts, Form, Forward, Function, Kind, Loop, Place, Purpose, Value
from .grad import Answer
from .wanting import attacks_in, called_by, differentiates, functions_run_by, hooking_in, trains_on

COMPILED = ("torch.jit.script", "torch.jit.export", "torch.jit.script_method", "numba.jit")


def mended(facts: FileFacts, forwards: list[Forward], loop: Loop | None) -> Fix | None:
    """How the calls are put under no-grad: the function decorated, or the region wrapped where only that is safe."""
    first = forwards[0]
    function = first.place.function
    statement: Anchor = loop.statement if loop is not None else first.place.statement
    if function is not None and function.anchor is first.place.statement:
        return None
    fixes: list[Fix] = []
    for edit in _edits(facts, function, loop, statement):
        if not _turned_on_inside(facts, edit, function, loop, statement):
            what = "the function" if isinstance(edit, Decorate) else "the loop" if loop is not None else "the call"
            safe = _safe(facts, forwards, function, edit, loop, statement)
            fixes.append(Fix((edit,), safe, f"Run {what} under no_grad"))
    if not fixes:
        return None
    best, *others = sorted(fixes, key=lambda fix: not fix.safe)
    return replace(best, otherwise=tuple(edit for each in others if each.safe >= best.safe for edit in each.edits))


def _edits(facts: FileFacts, function: Function | None, loop: Loop | None, statement: Anchor) -> Iterator[Edit]:
    """What puts the region under no-grad, the best first."""
    if function is not None and _only_evaluates(facts, function):
        yield Decorate(function.anchor, NO_GRAD)
    if not _suspends(facts, function, loop, statement) and not _means_something_else(facts, function, loop, statement):
        yield Wrap((statement,), NO_GRAD)


def _only_evaluates(facts: FileFacts, function: Function) -> bool:
    if function.is_async or function.name == "<lambda>":
        return False
    if any(name.endswith("contextmanager") or name in COMPILED or "fixture" in name for name in function.decorators):
        return False
    inner = [each for each in facts.functions if _inside(each, function)]
    everywhere = (
        [each.place for each in facts.backwards]
        + [call.place for call in facts.calls if call.api in torch_api.MEANT_WITH_GRADIENTS]
        + [each.place for each in facts.mode_switches if each.training is not Answer.NO]
        + [call.place for call in facts.calls if call.api == ".step" and call.receiver.kind is Kind.OPTIMIZER]
    )
    if any(place.function in inner for place in everywhere):
        return False
    if any(each.function in inner and each.form is not Form.WITH for each in facts.switches):
        return False
    if any(call.place.function in inner and differentiates(facts, call) for call in facts.calls):
        return False
    if any(attacks_in(facts, each) for each in inner):
        return False
    if any(each.place.function in inner and trains_on(each) for each in facts.uses):
        return False
    if any(_gives_forces(each) for each in facts.forwards if each.place.function in inner):
        return False
    evaluated = set(needless(facts))
    return all(
        each in evaluated or each.training is Answer.NO or not records(each) or each.frozen is Answer.YES
        for each in facts.forwards
        if each.place.function in inner
    )


def _gives_forces(each: Forward) -> bool:
    """Whether forces are named beside a pass, or where it is run: the model may differentiate inside."""
    around = each.place.function
    return (around is not None and around.names_forces) or any(run.names_forces for run in functions_run_by(each))


def keeps_no_graph(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function does nothing but evaluate, and nothing that a model gives leaves it but as a number.

    Then it computes the same without gradients, also where it is presumed to run so already.
    """
    forwards = [each for each in facts.forwards if each.place.function is function]
    if function is None or not forwards or any(each.training is not Answer.NO for each in forwards):
        return False
    anchors = {each.anchor for each in forwards}
    return _only_evaluates(facts, function) and all(
        use.value.kind is Kind.PLAIN
        or use.purpose in INSIDE
        or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
        for use in facts.uses
        if anchors & use.value.forwards
    )


INSIDE = frozenset({Purpose.VALUE, Purpose.OPERATION, Purpose.ACCUMULATED})
"""What becomes of a result that stays in the function."""


def _inside(each: Function, function: Function) -> bool:
    inner: Function | None = each
    while inner is not None:
        if inner is function:
            return True
        inner = inner.parent
    return False


def _suspends(facts: FileFacts, function: Function | None, loop: Loop | None, statement: Anchor) -> bool:
    """Whether the region yields or awaits: no-grad would leak out of it."""
    return any(
        each.place.function is function
        and (each.place.statement is statement if loop is None else loop in each.place.loops)
        for each in facts.yields
    )


def _means_something_else(facts: FileFacts, function: Function | None, loop: Loop | None, statement: Anchor) -> bool:
    """Whether the region calls what raises, or does nothing, without gradients."""
    return any(
        (call.api in torch_api.MEANT_WITH_GRADIENTS or differentiates(facts, call))
        and call.place.function is function
        and (call.place.statement is statement if loop is None else loop in call.place.loops)
        for call in facts.calls
    )


KEEPING = frozenset({Purpose.ACCUMULATED, Purpose.STORED})
"""What is used so is there when the turn, or the region, has ended."""


def _is_or_holds(label: str, models: set[str]) -> bool:
    """Whether somebody who is handed this may train one of the models: it is one, or an object that has it."""
    return bool(label) and any(model == label or model.startswith(f"{label}.") for model in models)


def _asks_for_mode(facts: FileFacts, function: Function) -> bool:
    """Whether a function that the region runs does something else without gradients."""
    return any(
        call.place.function is function
        and (
            call.api in torch_api.MEANT_WITH_GRADIENTS
            or any(name.endswith(".requires_grad") for name in call.place.tests)
        )
        for call in facts.calls
    )


def _may_keep_what_it_gives(function: Function) -> bool:
    """Whether a decorator may hand out again what a function gave before: ``@lru_cache``."""
    return not torch_api.KEEPING_NOTHING.issuperset(function.decorators)


def _builds_a_transformer(facts: FileFacts) -> bool:
    """Whether the file has a model of torch's that gives something else without gradients, where there is padding."""
    classes = {call.api for call in facts.calls} | {base for each in facts.classes for base in each.bases}
    return not classes.isdisjoint(torch_classes.FAST_WITHOUT_GRADIENTS)


def _covers(edit: Edit, function: Function | None, loop: Loop | None, statement: Anchor, place: Place) -> bool:
    """Whether what stands at a place will run under no-grad."""
    if isinstance(edit, Decorate):
        return place.function is not None and function is not None and _inside(place.function, function)
    return (loop is not None and loop in place.loops) or place.statement is statement


def _turned_on_inside(
    facts: FileFacts, edit: Edit, function: Function | None, loop: Loop | None, statement: Anchor
) -> bool:
    """Whether gradients are, or may be, turned on again within: no-grad around it would not reach the calls."""
    return any(
        each.enables is not Answer.NO
        and each.form in {Form.WITH, Form.STATEMENT, Form.ENTERED}
        and _covers(edit, function, loop, statement, each.place)
        for each in facts.switches
    )


def _is_another(value: Value, anchors: set[Anchor]) -> bool:
    """Whether a tensor, perhaps with a graph, comes from none of some forward passes."""
    return (
        value.kind in {Kind.TENSOR, Kind.PARAMETER}
        and value.requires_grad is not Answer.NO
        and not anchors & value.forwards
    )


def _safe(
    facts: FileFacts,
    forwards: list[Forward],
    function: Function | None,
    edit: Edit,
    loop: Loop | None,
    statement: Anchor,
) -> bool:
    """Whether no result with a graph can reach anybody who might differentiate it, or change it in place."""

    def holds(place: Place) -> bool:
        return _covers(edit, function, loop, statement, place)

    if any(each.training is not Answer.NO for each in forwards):
        # Judged by name: what nobody puts in evaluation mode may differentiate inside, as models do that give forces.
        return False
    if _builds_a_transformer(facts) or hooking_in(facts):
        return False
    if loop is not None and loop.has_else and isinstance(edit, Wrap):
        # The ``else`` comes under no-grad as well, whatever stands in it.
        return False
    if any(each.discarded and each.via is None for each in forwards):
        # What it is run for, it leaves in the model, perhaps with its graph: ``model(x)``, and then ``model.loss``.
        return False
    run = {each.function for each in facts.calls if each.function is not None and holds(each.place)}
    run.update(function for each in facts.forwards if holds(each.place) for function in functions_run_by(each))
    run |= called_by(facts, run)
    if any(_asks_for_mode(facts, each) or _may_keep_what_it_gives(each) for each in run):
        return False
    if any(
        is_scored(facts, each) and records(each) and each.frozen is not Answer.YES
        for each in facts.forwards
        if holds(each.place) and each not in forwards and not naming.sounds_like_criterion(each.model.label)
    ):
        # So may another model that is run beside.
        return False
    anchors = {each.anchor for each in facts.forwards if holds(each.place) or each in forwards}
    # What is added up is made in the region; another result may be a view of a weight, which nobody can
    # use any more once it is changed: truth test test_a_view_made_under_no_grad_cannot_be_used_after_a_change.
    totals = {use.into for use in facts.uses if use.purpose is Purpose.ACCUMULATED and anchors & use.value.forwards}
    if any(call.api == ".requires_grad_" and anchors & call.receiver.forwards for call in facts.calls):
        # It raises on what has a graph, and does not on what has none.
        return False
    for write in facts.writes:
        if anchors & write.target.forwards and write.target.label not in totals and not holds(write.place):
            return False
        if holds(write.place) and any(_is_another(each, anchors) for each in (write.target, *write.sources)):
            # It takes up graphs, and may be there for others when the region is done.
            return False
    for bound in facts.assignments if isinstance(edit, Wrap) else ():
        if holds(bound.place) and _is_another(bound.value, anchors):
            if bound.is_read_outside or bound.value.forwards or loop is None:
                return False
    for use in facts.uses:
        is_of_region = bool(anchors & use.value.forwards)
        if use.purpose in LEAVING and use.value.requires_grad is not Answer.NO:
            # It may be another tensor, but of the region as well, that somebody will differentiate.
            if is_of_region or holds(use.place):
                return False
        if use.purpose in KEEPING and _is_another(use.value, anchors):
            if holds(use.place) or (use.place.function in run and use.purpose is Purpose.STORED):
                return False
        if not is_of_region:
            continue
        if use.purpose is Purpose.ACCUMULATED and use.value.requires_grad is not Answer.NO:
            # ``total += loss``, of a tensor that was handed in, or is kept in an object: ``self.total += loss``.
            if "." in use.into or (use.place.function is not None and use.into in use.place.function.parameters):
                return False
        if (
            use.purpose is Purpose.CALL
            and use.value.requires_grad is not Answer.NO
            and not naming.sounds_like_record(use.callee)
        ):
            return False
    models = {each.model.label for each in forwards}
    for call in facts.calls:
        if call.place.function is not function or call.function is not None:
            continue
        if isinstance(edit, Wrap) and not holds(call.place):
            continue
        if not call.api.startswith("builtins") and any(_is_or_holds(each.label, models) for each in call.arguments):
            return False
    return True
