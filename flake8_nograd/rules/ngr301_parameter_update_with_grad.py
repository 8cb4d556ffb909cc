"""A parameter that requires gradients is changed in place while gradients are on.

Updates by hand belong under `torch.no_grad()`: torch refuses to change a leaf
that requires gradients where the change would be recorded. torch 2.13 raises

    RuntimeError: a leaf Variable that requires grad is being used in an in-place operation.

and, for a part of it (`w[0] = 1`),

    RuntimeError: a view of a leaf Variable that requires grad is being used in an in-place operation.

The rule wants evidence that the target is such a leaf: an item of
`parameters()` or of a dictionary of `named_parameters()`, `weight` or `bias` of a
module, an `nn.Parameter`, a tensor made with `requires_grad=True`, or one whose
`.grad` the update reads. A method by which a module takes over weights
(`load_from(self, weights)`), and that nobody in the file calls, is left to the file
that loads the whole. What a base class of an optimizer, in another file, gives back in
the order that it was given it (`p, grad = self.as_real(p, grad)`) is taken to be the same.
What is hooked into forward passes runs in the mode of the pass: in training, with gradients on.

Example:

    import torch

    w = torch.zeros(3, requires_grad=True)


    def train(loss_of, steps):
        for _ in range(steps):
            loss = loss_of(w)
            loss.backward()
            w.sub_(0.1 * w.grad)
            w.grad = None

Use instead:

    import torch

    w = torch.zeros(3, requires_grad=True)


    def train(loss_of, steps):
        for _ in range(steps):
            loss = loss_of(w)
            loss.backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
            w.grad = None

Fix safety:

    Safe: today's code raises. A wrapped update changes the same numbers. A function that
    changes weights, and runs a model for nothing else, is decorated as a whole. So is the
    `step` of an `Optimizer`, as torch's own optimizers are, and its closure called under
    `enable_grad`.

When to silence it:

    When the code is never run with gradients on, because of a guard in another file.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import naming, torch_classes
from ..edits import ENABLE_GRAD, Decorate, Edit, Fix, Wrap
from ..facts import Call, FileFacts, Function, Guard, Kind, Leaf, Manner, Place, Role, Value, Write
from ..grad import Answer, GradMode
from ..rule import Finding, rule
from ..updating import updates_by_passes
from ..wanting import run_by_hooks


@rule(
    code="NGR301",
    name="parameter-update-with-grad",
    message="`{target}` requires gradients and is changed in place ({operation}) with gradients on: "
    "update it under no_grad",
    yields_to=("NGR303", "NGR302"),
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at the target of every change in place."""
    reported = set()
    freezing = _freezing(facts)
    for each in facts.writes:
        change = (each.place.statement, each.target.label)
        if not _raises(facts, each) or change in reported:
            continue
        if freezing and each.target.leaf in {Leaf.PARAMETERS, Leaf.ATTRIBUTE} and not _is_new(facts, each, freezing):
            continue
        reported.add(change)
        details = {"target": each.target.label or "the parameter", "operation": each.operation}
        yield Finding(each.anchor, details, _fix(facts, each))


def _raises(facts: FileFacts, write: Write) -> bool:
    function = write.place.function
    return (
        (
            write.place.grad is GradMode.ON
            or write.place.on_for_some_caller
            or (write.place.presumed_on and function in run_by_hooks(facts))
        )
        and write.target.leaf is not None
        and write.target.requires_grad is Answer.YES
        and write.manner is not Manner.DATA
        and not _is_taken_over(facts, write)
        and not (
            function is not None
            and (function.is_test or _is_called_elsewhere(facts, function) or _loads_a_part(function))
        )
    )


def _is_called_elsewhere(facts: FileFacts, function: Function) -> bool:
    """Whether the ``step`` of an optimizer in another file may call it, and decide about gradients."""
    if not function.is_filled_in or function.owner is None:
        return False
    here = {each.name for each in facts.classes}
    return any(
        naming.sounds_like_optimizer_class(base) and not base.startswith("torch.") and base not in here
        for base in function.owner.bases
    )


def _is_taken_over(facts: FileFacts, write: Write) -> bool:
    """Whether an attribute is only ever made of itself here: ``self.weight = nn.Parameter(self.weight.t())``.

    What it held at first another file has bound, perhaps frozen.
    """
    label, function = write.target.label, write.place.function
    if function is None or not label.startswith("self.") or write.target.leaf is not Leaf.REGISTERED:
        return False
    bound = [
        each
        for each in facts.assignments
        if each.target.label == label
        and each.place.function is not None
        and each.place.function.owner is function.owner
    ]
    return bool(bound) and all(
        any(read.label == label or read.label.startswith(f"{label}.") for read in each.reads) for each in bound
    )


def _loads_a_part(function: Function) -> bool:
    """Whether a module takes over weights when a whole that it is a part of, in another file, is loaded.

    That one decides about gradients for all its parts.
    """
    return (
        function.guard is Guard.NOBODY
        and function.owner is not None
        and function.owner.role is Role.MODULE
        and len(function.parameters) > 1
        and naming.sounds_like_loading(function.name)
    )


def _freezing(facts: FileFacts) -> list[Place]:
    """Where the file turns ``requires_grad`` off for models that we cannot tell: ``p.requires_grad = flag``."""
    return [
        each.place
        for each in facts.assignments
        if each.target.label.endswith(".requires_grad")
        and each.value.requires_grad is not Answer.YES
        and not (each.holder is not None and _is_no_weight(each.holder))
    ] + [
        each.place
        for each in facts.calls
        if each.api == ".requires_grad_"
        and any(asked.requires_grad is not Answer.YES for asked in each.arguments)
        and not _is_no_weight(each.receiver)
    ]


def _is_new(facts: FileFacts, write: Write, freezing: list[Place]) -> bool:
    """Whether it changes what was made just before, which nobody else can have frozen.

    A constructor what no other method of the class freezes, a function a layer of torch's.
    """
    function = write.place.function
    whole = _whole_of(write)
    root, _, rest = (whole or write.target.label).partition(".")
    if function is None or not (whole or rest):
        return False
    if root == "self":
        return (
            function.name == "__init__"
            and all(place.function is None or place.function.owner is not function.owner for place in freezing)
            and (not whole or _is_made_new(facts, function, whole, freezing))
        )
    return _is_made_new(facts, function, root, freezing)


def _whole_of(write: Write) -> str:
    """Of the variable of a loop: what its parameters are of, ``for p in self.layers.parameters()``."""
    found = (loop for loop in reversed(write.place.loops) if write.target.label.partition("[")[0] in loop.binds)
    loop = next(found, None)
    return loop.iterates.label if loop is not None and loop.iterates.kind is Kind.PARAMETERS else ""


def _is_made_new(facts: FileFacts, function: Function, label: str, freezing: list[Place]) -> bool:
    """Whether a function makes a module there, with all that is in it, and of no class that freezes itself."""
    owners = {place.function.owner.name for place in freezing if place.function is not None and place.function.owner}
    bound = [each for each in facts.assignments if each.place.function is function and each.target.label == label]
    return bool(bound) and all(
        each.value.made_at is each.expression
        and (torch_classes.is_model_class(each.value.api) or (each.value.kind is Kind.MODEL and not each.value.api))
        and owners.isdisjoint(read.label for read in each.reads)
        and not any(_takes_in(call) for call in facts.calls if call.anchor is each.expression)
        for each in bound
    )


def _takes_in(call: Call) -> bool:
    """Whether it is handed what may be a module that was there before, and a part of it afterwards."""
    given = (*call.arguments, *(value for _, value in call.keywords))
    return any(
        each.label
        and (
            each.kind is Kind.MODEL
            or call.api in torch_classes.CONTAINERS_OF_MODULES
            or naming.sounds_like_model(each.label)
        )
        for each in given
    )


def _is_no_weight(value: Value) -> bool:
    """Whether a tensor was made without a graph, by a factory or ``detach``: no module lists it as a parameter."""
    return value.kind is Kind.TENSOR and value.cut is not None and value.leaf is None


def _fix(facts: FileFacts, write: Write) -> Fix:
    step = write.place.function
    if step is not None and step.name == "step" and step.owner is not None and step.owner.role is Role.OPTIMIZER:
        if not step.is_async and not step.is_generator:
            return Fix((Decorate(step.anchor), *_closure_calls(facts, step)), True, "Run the step under no_grad")
    if step is not None and updates_by_passes(facts, write):
        # The pass is for the weights alone: it would record a graph that nobody goes back through.
        return Fix((Decorate(step.anchor),), True, "Run the function under no_grad")
    suspends = any(each.place.statement is write.place.statement for each in facts.yields)
    return Fix((Wrap((write.place.statement,)),), not suspends, "Update it under no_grad")


def _closure_calls(facts: FileFacts, step: Function) -> Iterator[Edit]:
    """The closure evaluates the loss again, which needs gradients."""
    for call in facts.calls:
        if call.place.function is step and call.api in step.parameters[1:] and call.place.grad is GradMode.ON:
            if not any(switch.enables is Answer.YES for switch in call.place.switches):
                yield Wrap((call.place.statement,), ENABLE_GRAD)
