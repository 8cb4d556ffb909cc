"""How is a parameter updated? What the rules on updates ask of the facts."""

from __future__ import annotations

from . import naming, torch_api
from .edits import NO_GRAD, Edit, Fix, Replace, Wrap
from .facts import (
    LEAVING,
    Assignment,
    Call,
    FileFacts,
    Forward,
    Function,
    Kind,
    Leaf,
    Loop,
    Loss,
    Manner,
    Place,
    Purpose,
    Role,
    Use,
    Value,
    Write,
)
from .grad import Answer, GradMode
from .wanting import attacks_in, differentiating, run_differentiates

TENSORS = frozenset({Kind.UNKNOWN, Kind.TENSOR, Kind.PARAMETER, Kind.DATA})
LEAF_MAKERS = frozenset({".requires_grad_", ".detach_", ".retain_grad"})
KEPT = frozenset({Purpose.ACCUMULATED, Purpose.STORED, Purpose.CALL})
UNDER_NO_GRAD = frozenset({Loss.NO_GRAD, Loss.INFERENCE})


def in_test(place: Place) -> bool:
    """Whether pytest or unittest collect the function around: tests provoke errors."""
    return place.function is not None and place.function.is_test


def makes_new_tensor(each: Assignment) -> bool:
    """Whether the right side computes a tensor of its own, rather than hand on one there was."""
    return each.value.made_at is each.expression and each.value.kind in {Kind.TENSOR, Kind.PARAMETER}


def rebinds_with_gradient(each: Assignment) -> bool:
    """``w = w - lr * w.grad``: what is bound was computed from the old tensor and its gradient."""
    label = each.target.label
    reads = [read.label for read in each.reads]
    return (
        makes_new_tensor(each)
        and each.value.kind is Kind.TENSOR
        and each.value.leaf is None
        and (each.value.cut is None or each.value.cut.how in UNDER_NO_GRAD)
        and each.target.kind in TENSORS
        and any(read == label or _is_operand(read, label) for read in reads)
        and any(read == f"{label}.grad" or read.startswith(f"{label}.grad.") for read in reads)
    )


def _is_operand(read: str, label: str) -> bool:
    """Whether it is a method of the tensor: ``w.sub``."""
    return _is_of(read, label) and not read[len(label) + 1 :].startswith(("grad", "data", "detach"))


def _is_of(read: str, label: str) -> bool:
    return read.startswith(f"{label}.")


def loop_variable_of(each: Assignment) -> Loop | None:
    """The loop whose header binds the same name in each turn."""
    return next((loop for loop in each.place.loops if each.target.label in loop.binds), None)


def turn_of(each: Assignment) -> Loop | None:
    """The innermost loop in whose next turn the same thing is bound again."""
    _, _, key = each.target.label.rstrip("]").rpartition("[")
    loops = [loop for loop in each.place.loops if not loop.is_comprehension]
    return next((loop for loop in reversed(loops) if not key or key not in loop.binds), None)


def is_made_leaf_again(facts: FileFacts, function: Function | None, loop: Loop | None, label: str) -> bool:
    """Whether something in the loop, or the methods of the class, makes a leaf of the name, or may do so."""
    owner = function.owner if function is not None else None

    def concerns(place: Place) -> bool:
        if loop is not None:
            return loop in place.loops
        inside = place.function
        return inside is not None and inside.owner is owner and inside.name != "__init__"

    return any(
        concerns(call.place) and (call.api in LEAF_MAKERS or _asks_for_gradients(call.keywords)) for call in facts.calls
    ) or any(
        concerns(each.place)
        and (
            each.target.label.endswith(".requires_grad")
            or (each.target.label == f"{label}.grad" and each.value.kind is not Kind.PLAIN)
            or _gives_another(each, label)
        )
        for each in facts.assignments
    )


def _asks_for_gradients(keywords: tuple[tuple[str, object], ...]) -> bool:
    return any(keyword == "requires_grad" for keyword, _ in keywords)


def _gives_another(each: Assignment, label: str) -> bool:
    """Whether the name, or what holds it, is bound to something else than an update of it."""
    holders = {label}
    for mark in ".[":
        holders |= {label[:index] for index, letter in enumerate(label) if letter == mark}
    holders.discard("self")
    return each.target.label in holders and not (each.target.label == label and rebinds_with_gradient(each))


def leaves_of(facts: FileFacts, each: Assignment) -> frozenset[Leaf]:
    """As what leaves that require gradients other methods of the class bind the same attribute of ``self``."""
    function = each.place.function
    if function is None or function.owner is None or not each.target.label.startswith("self."):
        return frozenset()
    return frozenset(
        other.value.leaf
        for other in facts.assignments
        if other.target.label == each.target.label
        and other.place.function is not None
        and other.place.function.owner is function.owner
        and other.value.leaf is not None
    )


def is_registered(facts: FileFacts, each: Assignment) -> bool:
    """Whether the target is an attribute that its module always holds as a parameter."""
    function = each.place.function
    return (
        Leaf.REGISTERED in leaves_of(facts, each)
        and function is not None
        and function.owner is not None
        and function.owner.role in {Role.MODULE, Role.LIGHTNING}
        and all(
            other is each or other.value.kind is Kind.PARAMETER or other.operand is not None
            for other in facts.assignments
            if other.target.label == each.target.label
            and other.place.function is not None
            and other.place.function.owner is function.owner
        )
    )


def is_its_only_name(facts: FileFacts, each: Assignment) -> bool:
    """Whether a function makes the tensor for this name, and no other name, container, callee or function gets it."""
    function, label = each.place.function, each.target.label
    here = [other for other in facts.assignments if other.place.function is function]
    bound = [other for other in here if other.target.label == label]
    made = any(other.value.leaf is Leaf.REQUIRES_GRAD and other.value.made_at is other.expression for other in bound)
    kept = any(
        other.value.is_view or other.value.kind is not Kind.TENSOR or other.value.made_at is not other.expression
        for other in here
        if other.target.label != label and any(read.label == label or _is_of(read.label, label) for read in other.reads)
    )
    return (
        label.isidentifier()
        and made
        and not kept
        and not each.is_shared
        and all(other.operand is not None or other.value.leaf is Leaf.REQUIRES_GRAD for other in bound)
        and not any(row.place.function is function for row in facts.forwards)
        and not any(row.place.function is function for row in facts.yields)
        and not any(use.value.label == label and use.purpose in KEPT for use in facts.uses)
        and not any(_is_handed(call, label) for call in facts.calls if call.place.function is function)
        and not any(inner.parent is function for inner in facts.functions)
    )


def _is_handed(call: Call, label: str) -> bool:
    """Whether something that may keep it is given the tensor."""
    given = (*call.arguments, *(value for _, value in call.keywords))
    return not call.api.startswith("torch.") and any(each.label == label for each in given)


def in_place(each: Assignment, *, safe: bool = False) -> Fix | None:
    """Change the tensor that the name holds, instead of the name."""
    label = each.target.label
    if not each.is_alone:
        return None
    if each.operand is not None:
        replace = Replace(each.anchor, f"{label} {each.operator}= {{1}}", (each.operand,))
    else:
        replace = Replace(each.anchor, f"{label}.copy_({{1}})", (each.expression,))
    edits: tuple[Edit, ...] = (replace,)
    if each.place.grad & GradMode.ON:
        edits = (replace, Wrap((each.place.statement,), NO_GRAD))
    return Fix(edits, safe, f"Change `{label}` in place under no_grad")


PLAIN_DECORATORS = frozenset({"staticmethod", "classmethod"})


def updates_by_passes(facts: FileFacts, write: Write) -> bool:
    """Whether the function around an update is there to change weights, and runs models for it.

    Nothing that it computes has a graph where it ends up, and nothing in it asks for a gradient: it does the same
    without gradients, as a whole. A model that we do not know may ask inside; then it must be certain that the
    function raises today.
    """
    function, place = write.place.function, write.place
    passes = [each for each in facts.forwards if each.place.function is function]
    raises = not (place.tests or place.passed or place.caught or place.loops)
    if (
        function is None
        or function.is_async
        or function.is_generator
        or function.name in {"<lambda>", "__init__", "forward", "__call__"}
        or not PLAIN_DECORATORS.issuperset(function.decorators)
        or function in differentiating(facts)
        or attacks_in(facts, function)
        or any(each.parent is function for each in facts.functions)
        or any(each.function is function for each in facts.switches)
        or not passes
        or not (raises or all(_is_known(facts, each) for each in passes))
    ):
        return False
    changed = [each for each in facts.writes if each.place.function is function and each.manner is not Manner.DATA]
    weights = {each.target.label for each in changed if each.target.leaf is not None}
    return (
        all(_ends_here(each) for each in changed)
        and not any(
            _keeps_a_graph(each) for each in facts.uses if each.place.function is function and each.into not in weights
        )
        and not any(_may_train(each) for each in facts.calls if each.place.function is function)
    )


def _is_known(facts: FileFacts, each: Forward) -> bool:
    """Whether a model is a layer of torch's, or of the file, and asks for no gradients inside."""
    is_known = bool(each.runs) or each.model.api.startswith("torch.nn.")
    return is_known and not run_differentiates(facts, each) and not any(run.names_forces for run in each.runs)


def _has_graph(value: Value) -> bool:
    """Whether it is a tensor that may have a graph, and no parameter that was there."""
    return value.kind is Kind.TENSOR and value.requires_grad is not Answer.NO and value.leaf is None


def _ends_here(write: Write) -> bool:
    """Whether what is changed is a weight, or has no graph before and afterwards."""
    target = write.target
    if target.leaf is not None:
        return True
    return target.requires_grad is Answer.NO and all(each.requires_grad is Answer.NO for each in write.sources)


def _keeps_a_graph(use: Use) -> bool:
    """Whether a result with its graph is there when the function has returned, or somebody we do not know has it."""
    if use.value.requires_grad is Answer.NO:
        return False
    kept = use.purpose in LEAVING or (use.purpose is Purpose.ACCUMULATED and "." in use.into)
    return kept or (use.purpose is Purpose.CALL and not naming.sounds_like_record(use.callee))


def _may_train(call: Call) -> bool:
    """Whether a call needs gradients, as far as its name tells, or hands a tensor with a graph to unknown code."""
    if call.api in torch_api.MEANT_WITH_GRADIENTS or naming.mentions_training(call.api.rsplit(".", 1)[-1]):
        return True
    if call.api == ".step" or (call.function is None and call.receiver.kind is Kind.OPTIMIZER):
        return True
    of_tensor = call.receiver.kind in {Kind.TENSOR, Kind.PARAMETER}
    known = call.function is not None or of_tensor or call.api.startswith(("torch.", "builtins"))
    given = (*call.arguments, *(value for _, value in call.keywords))
    return not known and any(_has_graph(each) or each.kind in {Kind.MODEL, Kind.OPTIMIZER} for each in given)
