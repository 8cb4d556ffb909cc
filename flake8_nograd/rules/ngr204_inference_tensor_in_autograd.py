"""A tensor made under `inference_mode` is used where autograd records, or changed outside.

`torch.inference_mode()` is faster than `no_grad`, and its tensors pay for it:
they stay inference tensors for ever, and autograd will not have them. A frozen
encoder's features for a head that is trained, the labels or the mask that a
teacher gives, indices: as soon as an operation wants to save one of them for the
backward pass, torch 2.13 raises

    RuntimeError: Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.

Changing one in place after the block, under `no_grad` too, raises

    RuntimeError: Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details.

which is how `test_loss /= len(loader)`, one indentation too far to the left,
ends many an evaluation. `requires_grad_()` and `nn.Parameter(...)` raise

    RuntimeError: Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.

`.detach()` and views (`x[0]`, `x.reshape(-1)`) do not help: they are inference
tensors as well. A copy (`clone()`), and whatever is computed from one outside
the block, is an ordinary tensor. Since some operations save their operands
(`pred * target`, `mse_loss`) and some do not (`pred - target`), it depends on the
loss whether the program works. Under `no_grad` it does.

The rule speaks where the operation is one that saves the tensor and another
operand is known to require gradients, where a module of `torch.nn` that saves
its input is given one, and where a model is that is then trained on it.

Example:

    import torch


    def evaluate(model, loss_fn, loader):
        model.eval()
        test_loss = 0
        with torch.inference_mode():
            for x, y in loader:
                test_loss += loss_fn(model(x), y)
        test_loss /= len(loader)
        return test_loss

Use instead:

    import torch


    def evaluate(model, loss_fn, loader):
        model.eval()
        test_loss = 0
        with torch.no_grad():
            for x, y in loader:
                test_loss += loss_fn(model(x), y)
        test_loss /= len(loader)
        return test_loss

Fix safety:

    Safe: `no_grad` allows all that `inference_mode` allows and computes the same
    numbers. It is somewhat slower, since its tensors count their versions. Only
    a plain `with torch.inference_mode():` is changed; a decorator stays, as the
    function may be called for other things.

When to silence it:

    When the module that is given the tensor copies it first.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad_mode.inference_mode.html
    - https://docs.pytorch.org/docs/stable/notes/autograd.html#inference-mode
    - https://github.com/mrdbourke/pytorch-deep-learning/discussions/397
"""  # noqa: E501 - the errors are quoted verbatim

from __future__ import annotations

from collections.abc import Iterator

from .. import torch_classes
from ..edits import Fix, Replace
from ..expected_errors import expects_an_error
from ..facts import Anchor, FileFacts, Form, InferenceUse, Manner, Place, Purpose, Value, Write
from ..grad import Answer, GradMode
from ..rule import Finding, rule

CHANGED = "it cannot be changed in place outside"
SAVED = "it cannot be saved for backward"
FLAGGED = "it cannot require gradients"


@rule(
    code="NGR204",
    name="inference-tensor-in-autograd",
    message="{tensor} was made under inference_mode on line {line}: {why}",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at changes and uses of inference tensors outside of inference mode, once for each tensor."""
    raising = [(each.anchor, each.place, each.target, CHANGED) for each in facts.writes if _refuses(facts, each)]
    raising += [
        (each.anchor, each.place, each.tensor, why) for each in facts.inference_uses if (why := _why(facts, each))
    ]
    reported = set()
    for anchor, place, tensor, why in raising:
        made = _made(tensor)
        if made is None or made in reported or _comes_from_elsewhere(place, tensor):
            continue
        if expects_an_error(facts, place.function):
            continue
        reported.add(made)
        name = f"`{tensor.label}`" if tensor.label else "what is used here"
        yield Finding(anchor, {"tensor": name, "why": why}, _fix(tensor), also=made)


def _refuses(facts: FileFacts, write: Write) -> bool:
    """Whether torch does not let it be changed: ``detach()`` and ``data`` give a way round."""
    return (
        write.target.is_inference is Answer.YES
        and write.manner is not Manner.DATA
        and not write.place.grad & GradMode.INFERENCE
        and not any(each.api == ".detach" and each.anchor is write.target.made_at for each in facts.calls)
    )


def _why(facts: FileFacts, use: InferenceUse) -> str:
    """Why torch raises; empty if it does not, or if we do not know."""
    if use.operation == "requires_grad":
        return FLAGGED
    if use.place.grad is not GradMode.ON and not use.place.on_for_some_caller:
        return ""
    if use.operation == "forward":
        return SAVED if _saves(facts, use) else ""
    others = any(each.requires_grad is Answer.YES for each in use.others)
    return SAVED if others and use.operation in torch_classes.SAVING_OPERATIONS else ""


def _saves(facts: FileFacts, use: InferenceUse) -> bool:
    """Whether a model that is trained is given it first hand."""
    forward = next((each for each in facts.forwards if each.anchor is use.anchor), None)
    if forward is None or forward.frozen is Answer.YES:
        return False
    if forward.model.api in torch_classes.SAVING_MODULES:
        return True
    return any(each.purpose is Purpose.GRADIENT and use.anchor in each.value.forwards for each in facts.uses)


def _made(tensor: Value) -> Anchor | None:
    return tensor.made_at if tensor.made_at is not None else tensor.block and tensor.block.anchor


def _comes_from_elsewhere(place: Place, tensor: Value) -> bool:
    """Whether it lies in an attribute, and another method put it there: both may be called in inference mode."""
    return "." in tensor.label and (tensor.block is None or tensor.block.function is not place.function)


def _fix(tensor: Value) -> Fix | None:
    block = tensor.block
    if block is None or block.form is not Form.WITH or block.api != "torch.inference_mode" or not block.called:
        return None
    if block.arguments or block.before & GradMode.INFERENCE:
        return None
    return Fix((Replace(block.anchor, "{torch.no_grad}()"),), True, "Use no_grad instead of inference_mode")
