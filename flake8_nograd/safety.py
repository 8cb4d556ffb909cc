"""Whether an evaluation computes the same without gradients."""

from __future__ import annotations

from dataclasses import dataclass

from . import naming, torch_api, torch_classes
from .edits import Decorate, Edit, Wrap
from .facts import LEAVING, Anchor, FileFacts, Form, Forward, Function, Kind, Loop, Place, Purpose, Role, Use, Value
from .grad import Answer
from .results import is_discarded
from .wanting import called_by, functions_run_by, hooking_in

KEPT = frozenset({Purpose.ACCUMULATED, Purpose.STORED})
"""What is used so is there when the turn, or the region, has ended."""


@dataclass(frozen=True, slots=True)
class Region:
    """What an edit puts under no-grad: a function, a loop, or a statement."""

    facts: FileFacts
    edit: Edit
    function: Function | None
    loop: Loop | None
    statement: Anchor

    def holds(self, place: Place) -> bool:
        """Whether what stands at a place will run under no-grad."""
        if isinstance(self.edit, Decorate):
            return place.function is not None and self.function is not None and is_inside(place.function, self.function)
        return (self.loop is not None and self.loop in place.loops) or place.statement is self.statement

    def turns_gradients_on(self) -> bool:
        """Whether gradients are, or may be, turned on again within: no-grad around it would not reach the calls."""
        entered = self._managers()
        return any(
            each.enables is not Answer.NO
            and each.form in {Form.WITH, Form.STATEMENT, Form.ENTERED}
            and (self.holds(each.place) or each.place.function in entered)
            for each in self.facts.switches
        )

    def _managers(self) -> set[Function]:
        """What is run by entering the context managers of the file that are made within."""
        calls = [each for each in self.facts.calls if self.holds(each.place)]
        called, made = {each.function for each in calls}, {each.api for each in calls}
        return {
            each
            for each in self.facts.functions
            if (each.name == "__enter__" and each.owner is not None and each.owner.name in made)
            or (each in called and any(name.endswith("contextmanager") for name in each.decorators))
        }

    def runs(self) -> set[Function]:
        """The functions of the file that it runs, or may run, however many calls away."""
        facts = self.facts
        found = {each.function for each in facts.calls if each.function is not None and self.holds(each.place)}
        found.update(run for each in facts.forwards if self.holds(each.place) for run in functions_run_by(each))
        found.update(each for each in facts.functions if _may_be_of_a_part(each))
        return found | called_by(facts, found)


def is_safe(region: Region, forwards: list[Forward]) -> bool:
    """Whether it does the same without gradients, and no graph is missing to anybody afterwards."""
    facts = region.facts
    run = region.runs()
    anchors = {each.anchor for each in facts.forwards if region.holds(each.place) or each in forwards}
    return (
        _does_the_same(region, forwards, run)
        and not _is_changed(region, anchors)
        and not (isinstance(region.edit, Wrap) and _binds_another(region, anchors))
        and not any(_lets_a_graph_go(region, use, anchors, run) for use in facts.uses)
        and not _lets_somebody_keep(region)
        and not _hands_on(region, {each.model.label for each in forwards})
    )


def _does_the_same(region: Region, forwards: list[Forward], run: set[Function]) -> bool:
    facts, loop = region.facts, region.loop
    if any(each.training is not Answer.NO for each in forwards):
        # Judged by name: what nobody puts in evaluation mode may differentiate inside, as models do that give forces.
        return False
    if _builds_a_transformer(facts) or hooking_in(facts):
        return False
    if loop is not None and loop.has_else and isinstance(region.edit, Wrap):
        # The ``else`` comes under no-grad as well, whatever stands in it.
        return False
    if any(is_discarded(facts, each) and each.via is None for each in forwards):
        # What it is run for, it leaves in the model, perhaps with its graph: ``model(x)``, and then ``model.loss``.
        return False
    if any(_asks_for_mode(facts, each) or _may_keep_what_it_gives(each) for each in run):
        return False
    # So may another model that is run beside.
    return not any(
        each.training is not Answer.NO and each.records and each.frozen is not Answer.YES
        for each in facts.forwards
        if region.holds(each.place) and each not in forwards and not naming.sounds_like_criterion(each.model.label)
    )


def _is_changed(region: Region, anchors: set[Anchor]) -> bool:
    """Whether a result is changed in place, or changes another tensor: with a graph that may raise, or hand it on."""
    facts = region.facts
    if any(call.api == ".requires_grad_" and anchors & call.receiver.forwards for call in facts.calls):
        # It raises on what has a graph, and does not on what has none.
        return True
    # What is added up is made in the region; another result may be a view of a weight, which nobody can
    # use any more once it is changed: truth test test_a_view_made_under_no_grad_cannot_be_used_after_a_change.
    totals = {use.into for use in facts.uses if use.purpose is Purpose.ACCUMULATED and anchors & use.value.forwards}
    return any(
        # It takes up graphs, and may be there for others when the region is done.
        any(_is_another(each, anchors) for each in (write.target, *write.sources))
        if region.holds(write.place)
        else bool(anchors & write.target.forwards) and write.target.label not in totals
        for write in facts.writes
    )


def _binds_another(region: Region, anchors: set[Anchor]) -> bool:
    """Whether a block binds a name to another tensor, which is read after it."""
    return any(
        region.holds(bound.place)
        and _is_another(bound.value, anchors)
        and (bound.is_read_outside or bool(bound.value.forwards) or region.loop is None)
        for bound in region.facts.assignments
    )


def _lets_a_graph_go(region: Region, use: Use, anchors: set[Anchor], run: set[Function]) -> bool:
    """Whether a tensor of the region, which may have a graph, is there for somebody afterwards."""
    if use.value.requires_grad is Answer.NO:
        return False
    is_of_region = bool(anchors & use.value.forwards)
    if use.purpose in LEAVING and (is_of_region or region.holds(use.place)):
        # It may be another tensor, but of the region as well, that somebody will differentiate.
        return True
    if use.purpose in LEAVING and _was_gathered(region, use.value):
        return True
    if use.purpose in KEPT and _is_another(use.value, anchors):
        return region.holds(use.place) or (use.place.function in run and use.purpose is Purpose.STORED)
    if use.purpose is Purpose.ACCUMULATED and is_of_region:
        return adds_to_another(use)
    return use.purpose is Purpose.CALL and is_of_region and not naming.sounds_like_record(use.callee)


def _lets_somebody_keep(region: Region) -> bool:
    """Whether what is computed of something unknown is handed to functions of the file, of which one stores it."""
    facts = region.facts
    return any(
        call.function is not None
        and region.holds(call.place)
        and any(map(_may_have_a_graph, (*call.arguments, *(value for _, value in call.keywords))))
        and any(each.keeps for each in (call.function, *called_by(facts, {call.function})))
        for call in facts.calls
    )


def _may_have_a_graph(value: Value) -> bool:
    """Whether it is computed of something of which nothing is known: a number, or a tensor."""
    is_computed = value.made_at is not None and not value.forwards
    return value.kind is Kind.UNKNOWN and is_computed and value.requires_grad is not Answer.NO


def _was_gathered(region: Region, value: Value) -> bool:
    """Whether it was computed in the region of something of which nothing is known, and put in a container there."""
    if value.kind is not Kind.UNKNOWN or value.made_at is None:
        return False
    added = [(use.value, use.place) for use in region.facts.uses if use.purpose is Purpose.ACCUMULATED]
    items = [(bound.value, bound.place) for bound in region.facts.assignments if bound.target.label.endswith("]")]
    return any(each.made_at is value.made_at and region.holds(place) for each, place in added + items)


def adds_to_another(use: Use) -> bool:
    """Whether a result is added to what was handed in, or is kept in an object: ``self.total += loss``."""
    function = use.place.function
    return "." in use.into or (function is not None and use.into in function.parameters)


def _hands_on(region: Region, models: set[str]) -> bool:
    """Whether code that is not in the file gets a model, which it may train."""
    return any(
        call.place.function is region.function
        and call.function is None
        and (region.holds(call.place) or not isinstance(region.edit, Wrap))
        and not call.api.startswith("builtins")
        and any(_is_or_holds(each.label, models) for each in call.arguments)
        for call in region.facts.calls
    )


def _is_or_holds(label: str, models: set[str]) -> bool:
    """Whether somebody who is handed this may train one of the models: it is one, or an object that has it."""
    return bool(label) and any(model == label or model.startswith(f"{label}.") for model in models)


def _may_be_of_a_part(function: Function) -> bool:
    """Whether a forward pass of any model may run it: each module of the file may be a part of the model."""
    return (
        function.owner is not None
        and function.owner.role in {Role.MODULE, Role.LIGHTNING}
        and (function.name == "forward" or "functools.cached_property" in function.decorators)
    )


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


def _is_another(value: Value, anchors: set[Anchor]) -> bool:
    """Whether a tensor, perhaps with a graph, comes from none of some forward passes."""
    return (
        value.kind in {Kind.TENSOR, Kind.PARAMETER}
        and value.requires_grad is not Answer.NO
        and not anchors & value.forwards
    )


def is_inside(each: Function, function: Function) -> bool:
    """Whether a function is another, or stands in it."""
    inner: Function | None = each
    while inner is not None:
        if inner is function:
            return True
        inner = inner.parent
    return False
