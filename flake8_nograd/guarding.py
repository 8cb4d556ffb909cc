"""How an evaluation is put under no-grad: by a decorator, or by a block around."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import naming, torch_api
from .edits import NO_GRAD, Decorate, Edit, Fix, Wrap
from .evaluation import needless
from .facts import Anchor, FileFacts, Form, Forward, Function, Kind, Loop, Purpose
from .grad import Answer
from .safety import Region, adds_to_another, is_inside, is_safe
from .wanting import attacks_in, differentiates, names_forces, trains_on

COMPILED = ("torch.jit.script", "torch.jit.export", "torch.jit.script_method", "numba.jit")


def mended(facts: FileFacts, forwards: list[Forward], loop: Loop | None) -> Fix | None:
    """How the calls are put under no-grad: the function decorated, or the region wrapped where only that is safe."""
    place = forwards[0].place
    statement: Anchor = loop.statement if loop is not None else place.statement
    if place.function is not None and place.function.anchor is place.statement:
        return None
    fixes: list[Fix] = []
    for edit in _edits(facts, place.function, loop, statement):
        region = Region(facts, edit, place.function, loop, statement)
        if not region.turns_gradients_on():
            what = "the function" if isinstance(edit, Decorate) else "the loop" if loop is not None else "the call"
            above = list(_feeding(facts, forwards)) if isinstance(edit, Wrap) and loop is None else []
            wraps = tuple(Wrap((each.place.statement,), NO_GRAD) for each in above)
            regions = [Region(facts, wrap, place.function, None, *wrap.statements) for wrap in wraps]
            safe = is_safe(region, forwards) and all(
                is_safe(around, [each]) for around, each in zip(regions, above, strict=True)
            )
            fixes.append(Fix((*wraps, edit), safe, f"Run {what} under no_grad"))
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


def _feeding(facts: FileFacts, forwards: list[Forward]) -> Iterator[Forward]:
    """What the same model computes for the calls alone, above them: ``model(model.input_features())``."""
    place = forwards[0].place
    anchors = {each.anchor for each in forwards}
    given = {anchor for each in forwards for anchor in each.given} - {each.anchor for each in needless(facts)}
    for other in facts.forwards:
        if (
            other.anchor in given
            and other.place.block is place.block
            and other.place.statement is not place.statement
            and other.model.label in {each.model.label for each in forwards}
            and all(
                anchors & use.value.forwards or (use.purpose in FEEDING and "." not in use.into)
                for use in facts.uses
                if other.anchor in use.value.forwards
            )
            and not _suspends(facts, place.function, None, other.place.statement)
            and not _means_something_else(facts, place.function, None, other.place.statement)
        ):
            yield other


FEEDING = frozenset({Purpose.OPERATION, Purpose.ACCUMULATED})
"""What becomes of a result on the way to another forward pass."""


def _only_evaluates(facts: FileFacts, function: Function) -> bool:
    if function.is_async or function.name == "<lambda>":
        return False
    if any(name.endswith("contextmanager") or name in COMPILED or "fixture" in name for name in function.decorators):
        return False
    inner = [each for each in facts.functions if is_inside(each, function)]
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
    passes = [each for each in facts.forwards if each.place.function in inner]
    if any(each.names_forces for each in inner) or any(names_forces(facts, each) for each in passes):
        return False
    evaluated = set(needless(facts))
    return all(
        each in evaluated or each.training is Answer.NO or not each.records or each.frozen is Answer.YES
        for each in facts.forwards
        if each.place.function in inner
    )


def keeps_no_graph(facts: FileFacts, function: Function | None) -> bool:
    """Whether a function does nothing but evaluate, and nothing that a model gives leaves it but as a number.

    Then it computes the same without gradients, also where the facts presume that it runs so already.
    """
    forwards = [each for each in facts.forwards if each.place.function is function]
    if function is None or not forwards or any(each.training is not Answer.NO for each in forwards):
        return False
    anchors = {each.anchor for each in forwards}
    return _only_evaluates(facts, function) and all(
        use.value.kind is Kind.PLAIN
        or use.purpose in INSIDE
        or (use.purpose is Purpose.ACCUMULATED and not adds_to_another(use))
        or (use.purpose is Purpose.CALL and naming.sounds_like_record(use.callee))
        for use in facts.uses
        if anchors & use.value.forwards
    )


INSIDE = frozenset({Purpose.VALUE, Purpose.OPERATION})
"""What becomes of a result that stays in the function."""


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
