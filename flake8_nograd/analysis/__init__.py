"""HOW WE KNOW: a LibCST module in, facts out; knows no rule."""

from __future__ import annotations

import libcst as cst

from .. import naming
from ..facts import Class, FileFacts, Function, Role
from ..grad import KEEP, GradMode
from ..settings import Settings
from .callers import settle_callers
from .context import Context
from .entering import parameters_of
from .function_knowledge import FunctionKnowledge
from .knowledge import Knowledge
from .recorder import Recorder, Surroundings
from .state import State
from .walk import Walk

ROUNDS = 3
"""Walks of the file: each knows of calls, returns and attributes what the last one learned."""

MOST_ROUNDS = 7
"""Where calls lead through several functions, it takes more until nothing new is learned."""


def facts_of(module: cst.Module, settings: Settings | None = None) -> FileFacts:
    """All facts of one file."""
    known = Knowledge()
    recorder = Recorder(settings or Settings())
    for number in range(1, MOST_ROUNDS + 1):
        thorough = number >= ROUNDS
        recorder = Recorder(settings or Settings(), quiet=0 if thorough else 1)
        learned = known.next()
        context = Context(known, learned, recorder, State(), Surroundings())
        module.visit(Walk(context, thorough=thorough))
        if learned.imports_another_framework and not learned.imports_torch:
            # Its models are none of torch's.
            return Recorder(settings or Settings()).freeze(Knowledge())
        settle_callers(learned)
        if thorough and (number == MOST_ROUNDS or learned.adds_nothing_to(known)):
            break
        _rows(learned)
        known = learned
    return recorder.freeze(known)


def _rows(knowledge: Knowledge) -> None:
    """The rows of functions and classes, which the last walk refers to."""
    for owner in knowledge.classes.values():
        owner.row = Class(owner.node, owner.node.name.value, owner.bases, owner.role, owner.has_base_elsewhere)
    for each in knowledge.functions.values():
        _function_row(knowledge, each)


def _function_row(knowledge: Knowledge, each: FunctionKnowledge) -> Function:
    if each.row is not None:
        return each.row
    parent = knowledge.functions.get(each.parent) if each.parent is not None else None
    owner = knowledge.classes.get(each.owner) if each.owner is not None else None
    name = each.node.name.value if isinstance(each.node, cst.FunctionDef) else "<lambda>"
    row = owner.row if owner is not None else None
    each.row = Function(
        each.node,
        name,
        _function_row(knowledge, parent) if parent is not None else None,
        row,
        isinstance(each.node, cst.FunctionDef) and each.node.asynchronous is not None,
        each.is_generator,
        _is_test(knowledge, each, name, row),
        each.decorators,
        each.guard,
        each.entry,
        (KEEP if each.own != KEEP or each.is_generator else each.leaves).of(GradMode.ON),
        each.parameters,
        reads_grad=each.reads_grad,
        reads_graph=each.reads_graph,
        names_forces=each.names_forces,
        forces_in=frozenset(loop for loop in each.forces_in if loop is not None and None not in each.forces_in),
        keeps=tuple(name for position, name in enumerate(each.parameters) if position in each.stored),
        tests=each.tests,
    )
    return each.row


def _is_test(knowledge: Knowledge, each: FunctionKnowledge, name: str, owner: Class | None) -> bool:
    """Whether pytest or unittest collect a function, or it helps a test case, or a module tests itself by it."""
    if naming.words_of(name)[:1] == ("assert",):
        # It checks something for tests, perhaps of another file.
        return True
    if owner is not None:
        return owner.role is Role.TEST_CASE or (name.startswith("test_") and "Test" in owner.name)
    if name.startswith("test_"):
        # ``test_loop(model, loader)`` that checks nothing tests the model, in a file that has no tests.
        return each.asserts or knowledge.is_of_tests or not _must_be_given(each)
    # ``_test()``, which a module runs as a script.
    return each.asserts and not _must_be_given(each) and naming.words_of(name)[:1] == ("test",)


def _must_be_given(each: FunctionKnowledge) -> bool:
    """Whether a function has parameters without a default, which pytest would take for fixtures."""
    return any(parameter.default is None for parameter in parameters_of(each.node.params))
