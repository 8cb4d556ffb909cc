"""What conditions ask of a function's parameters, which its callers may know: ``if train:``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import libcst as cst

from ..facts import Condition, Evaluated, Literal
from ..grad import Answer
from . import model_state
from .aspects import root_of
from .collected import Arguments
from .context import Context
from .function_knowledge import FunctionKnowledge
from .reading import evaluated, path_of
from .value import PLAIN, Abstract, constant

NEGATED = (cst.NotEqual, cst.IsNot, cst.NotIn)
MODE = ".training"
"""What a module says of the mode that it is in."""


def asked(context: Context, test: cst.BaseExpression) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """What surely holds of parameters where a test holds, and where it does not."""
    true, false = (tuple(_conditions(context, test, holds)) for holds in (True, False))
    _learn(context, (*true, *false))
    return true, false


def suffices(context: Context, test: cst.BaseExpression, *, holds: bool) -> bool:
    """Whether a test holds, or does not, wherever what it asks of parameters does."""
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return suffices(context, inner, holds=not holds)
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            both = isinstance(operator, cst.And) is holds
            return both and suffices(context, left, holds=holds) and suffices(context, right, holds=holds)
    return any(_conditions(context, test, holds))


def outcome(context: Context, test: cst.BaseExpression) -> Answer:
    """Whether a test holds, where the function is walked for calls that say what it asks for."""
    if not context.here.flags:
        return Answer.UNKNOWN
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            return outcome(context, inner).opposite()
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            decides = Answer.NO if isinstance(operator, cst.And) else Answer.YES
            parts = {outcome(context, left), outcome(context, right)}
            return decides if decides in parts else parts.pop() if len(parts) == 1 else Answer.UNKNOWN
    for answer in (Answer.YES, Answer.NO):
        # What surely holds where the test does, or does not, is denied.
        if any(_is_denied(context, each) for each in _conditions(context, test, answer is Answer.YES)):
            return answer.opposite()
    return Answer.UNKNOWN


def _is_denied(context: Context, condition: Condition) -> bool:
    if condition.path.endswith(MODE):
        said = any(each.path == condition.path for each in context.here.flags)
        return said and _fails_in_mode(
            condition, model_state.training_of(context, condition.path.removesuffix(MODE)).answer
        )
    return any(each.path == condition.path for each in context.here.flags) and _fails(
        condition, context.state.names[condition.path]
    )


def flagged(context: Context, flag: Abstract) -> tuple[Condition, ...]:
    """A parameter that is used as a flag, ``model.train(training)``: that it is true, and that it is not."""
    path = context.parameter_in(flag)
    if not path:
        return ()
    both = Condition(path, None, True), Condition(path, None, False)
    _learn(context, both)
    return both


def _learn(context: Context, found: Iterable[Condition]) -> None:
    learning = context.learning()
    if learning is not None:
        learning.conditions.update(dict.fromkeys(found))
        learning.asks.update(each.path for each in found)


def takes_for_a_flag(context: Context, flag: Abstract) -> None:
    """A parameter is handed on as a flag, and is no condition here: ``torch.set_grad_enabled(train)``."""
    learning, path = context.learning(), context.parameter_in(flag)
    if learning is not None and path:
        learning.asks.add(path)


def makes_a_flag(context: Context, test: cst.BaseExpression) -> Abstract:
    """What a comparison or a negation gives, that is perhaps no condition: ``torch.set_grad_enabled(not frozen)``."""
    learning = context.learning()
    if learning is not None:
        learning.asks.update(each.path for each in _conditions(context, test, True))
    known = outcome(context, test)
    return PLAIN if known is Answer.UNKNOWN else constant(known is Answer.YES)


def _conditions(context: Context, test: cst.BaseExpression, holds: bool) -> Iterator[Condition]:
    match test:
        case cst.UnaryOperation(operator=cst.Not(), expression=inner):
            yield from _conditions(context, inner, not holds)
        case cst.Call(func=cst.Name(value="bool"), args=[cst.Arg(value=inner)]):
            yield from _conditions(context, inner, holds)
        case cst.BooleanOperation(left=left, operator=operator, right=right):
            if isinstance(operator, cst.And) is holds:
                yield from _conditions(context, left, holds)
                yield from _conditions(context, right, holds)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=operator, comparator=right)]):
            among = _among(operator, right)
            path = _of_parameter(context, left)
            if path and among:
                yield Condition(path, among, holds is not isinstance(operator, NEGATED))
        case cst.Name() | cst.Attribute():
            path = _of_parameter(context, test)
            if path:
                yield Condition(path, None, holds)


def _of_parameter(context: Context, node: cst.BaseExpression) -> str:
    """The access path of a parameter that still holds what was handed in, or of a flag of a model's in one."""
    path = path_of(node)
    if path.endswith(MODE):
        return _flag_of(context, path.removesuffix(MODE))
    value = context.state.names.get(path)
    return path if value is not None and context.parameter_in(value) == path else ""


def _flag_of(context: Context, model: str) -> str:
    """The access path of the flag of a model that is still in the mode in which a parameter handed it in."""
    root = root_of(model)
    value, owner = context.state.names.get(root), context.here.owner
    if value is None or model_state.training_of(context, model).where in {Evaluated.HERE, Evaluated.CALLEE}:
        return ""
    is_self = owner is not None and value.identity == frozenset({owner})
    return model + MODE if is_self or context.parameter_in(value) == root else ""


def _among(operator: cst.BaseCompOp, node: cst.BaseExpression) -> tuple[Literal, ...]:
    """What something is compared with; nothing, if that is not known."""
    if isinstance(operator, cst.Is | cst.IsNot):
        return _literals([node]) if isinstance(node, cst.Name) else ()
    if isinstance(operator, cst.Equal | cst.NotEqual):
        return _literals([node])
    if isinstance(operator, cst.In | cst.NotIn) and isinstance(node, cst.Tuple | cst.List | cst.Set):
        return _literals([each.value for each in node.elements])
    return ()


def _literals(nodes: list[cst.BaseExpression]) -> tuple[Literal, ...]:
    found: list[Literal] = []
    for each in nodes:
        match each:
            case cst.Name(value="True" | "False" | "None" as name):
                found.append({"True": True, "False": False, "None": None}[name])
            case cst.Integer() | cst.SimpleString() if evaluated(each.value) is not None:
                found.append(evaluated(each.value))
            case _:
                return ()
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Meets:
    """What a call meets of the conditions that the function asks of its parameters."""

    fails: tuple[Condition, ...] = ()
    passes: Mapping[Condition, Condition] = field(default_factory=dict)
    """What the function around was given itself, and what that is called there."""

    def left(self, requires: frozenset[Condition]) -> frozenset[Condition] | None:
        """What must hold in the function around; ``None``, if the call surely does not meet it."""
        if not requires.isdisjoint(self.fails):
            return None
        return frozenset(self.passes[each] for each in requires if each in self.passes)

    def decides(self, ways: Iterable[tuple[frozenset[Condition], Answer]]) -> Answer:
        """What is done, of what is done if conditions hold: if one surely do, and of all that may none is against."""
        possible = [(requires, answer) for requires, answer in ways if requires.isdisjoint(self.fails)]
        certain = [
            answer
            for requires, answer in possible
            if all(each._replace(holds=not each.holds) in self.fails for each in requires)
        ]
        same = {answer for _, answer in possible}
        return certain[0] if certain and len(same) == 1 else Answer.UNKNOWN


NOTHING_KNOWN = Meets()


def met(context: Context, known: FunctionKnowledge, bound: int, given: Arguments, paths: Mapping[str, str]) -> Meets:
    """What a call of a function of the file meets of its conditions."""
    failing: list[Condition] = []
    passes: dict[Condition, Condition] = {}
    for each in known.conditions if not given.starred else ():
        root = root_of(each.path)
        if each.path.endswith(MODE):
            outside = paths.get(root, "") + each.path[len(root) :]
            model = outside.removesuffix(MODE)
            own = _flag_of(context, model) if root in paths else ""
            if root in paths and _fails_in_mode(each, model_state.training_of(context, model).answer):
                failing.append(each)
        else:
            position = known.parameters.index(root)
            handed = given.at(position - bound, root)
            held = known.defaults.get(position) if handed is None else handed
            if held is not None and _fails(each, held):
                failing.append(each)
            # What it is by default was a parameter of another function, if it was one.
            own = "" if handed is None else context.parameter_in(handed)
        if own:
            passes[each] = each._replace(path=own)
    _learn(context, passes.values())
    return Meets(tuple(failing), passes)


def _fails(condition: Condition, handed: Abstract) -> bool:
    """Whether a condition surely does not hold of what a parameter is handed."""
    if not handed.is_none and handed.constant is None:
        return False
    said = None if handed.is_none else handed.constant
    if condition.among is None:
        return bool(said) is not condition.holds
    alike = [each for each in condition.among if each == said]
    if any(type(each) is not type(said) for each in alike):
        # ``1 == True``, but they are two objects.
        return False
    return bool(alike) is not condition.holds


def _fails_in_mode(condition: Condition, training: Answer) -> bool:
    """Whether a condition on ``model.training`` surely does not hold of a model in a mode."""
    return condition.among is None and training is (Answer.NO if condition.holds else Answer.YES)
