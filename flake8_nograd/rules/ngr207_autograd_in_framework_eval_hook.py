"""Gradients asked for in a step that Lightning runs without them.

`Trainer.validate`, `test` and `predict`, and the validation within `fit`, run
the steps and hooks of a `LightningModule` under `torch.inference_mode()`, or
under `no_grad`. A `torch.autograd.grad` or a `backward()` in `validation_step`,
be it for forces, for the residual of an equation or for an attack, raises on
torch 2.13

    RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn

`with torch.enable_grad():` alone does not help, since it does not lift inference
mode: it takes `Trainer(inference_mode=False)` as well.

The rule speaks of steps and hooks in a class that inherits from `LightningModule`
or `Callback`, and of functions of the file that they call. Where the step turns
gradients on, it presumes that the trainer is told so, unless a `Trainer` of the
same file is not.

Example:

    import lightning
    import torch


    class Potential(lightning.LightningModule):
        def validation_step(self, batch, batch_idx):
            positions, target = batch
            positions.requires_grad_()
            energy = self(positions).sum()
            forces = torch.autograd.grad(energy, positions)[0]
            self.log("error", (forces + target).abs().mean())

Use instead:

    import lightning
    import torch


    class Potential(lightning.LightningModule):
        def validation_step(self, batch, batch_idx):
            positions, target = batch
            with torch.enable_grad():
                positions.requires_grad_()
                energy = self(positions).sum()
                forces = torch.autograd.grad(energy, positions)[0]
            self.log("error", (forces + target).abs().mean())

    trainer = lightning.Trainer(inference_mode=False)

Fix safety:

    None: it takes a change of the trainer as well, which may be made in another
    file.

When to silence it:

    When something outside of the file turns gradients on.

References:

    - https://lightning.ai/docs/pytorch/stable/common/trainer.html#inference-mode
    - https://github.com/Lightning-AI/pytorch-lightning/issues/13948
"""

from __future__ import annotations

from collections.abc import Iterator

from ..differentiating import ASKS_A_TENSOR, is_made_without_graph, needs_gradients
from ..facts import Backward, FileFacts, Function, Guard, Role
from ..grad import Answer, GradMode
from ..rule import Finding, rule

TRAINER = "lightning.Trainer"


@rule(
    code="NGR207",
    name="autograd-in-framework-eval-hook",
    message="Lightning runs `{hook}` without gradients: it takes enable_grad and Trainer(inference_mode=False)",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what is differentiated in steps that run without gradients."""
    for each in facts.backwards:
        hook = each.place.function
        if hook is not None and _is_evaluation_hook(hook) and (is_made_without_graph(each) or _is_in_vain(facts, each)):
            yield Finding(each.anchor, {"hook": hook.name})
    for call in facts.calls:
        hook = call.place.function
        if hook is not None and _is_evaluation_hook(hook):
            for each in needs_gradients(facts, call):
                yield Finding(call.anchor, {"hook": hook.name}, also=each.anchor, defect=each.anchor)


def _is_evaluation_hook(function: Function) -> bool:
    role = function.owner.role if function.owner is not None else Role.NONE
    off = function.guard is Guard.FRAMEWORK and not function.entry & GradMode.ON
    return off and role in {Role.LIGHTNING, Role.CALLBACK}


def _is_in_vain(facts: FileFacts, backward: Backward) -> bool:
    """Whether gradients are turned on where a trainer of the file runs steps in inference mode."""
    trainers = [each for each in facts.calls if each.api == TRAINER]
    told = any(each.arguments or any(name == "inference_mode" for name, _ in each.keywords) for each in trainers)
    target = backward.target
    return (
        bool(trainers)
        and not told
        and backward.how in ASKS_A_TENSOR
        and target.made_at is not None
        and target.requires_grad is not Answer.YES
        and target.made_under is GradMode.ON | GradMode.INFERENCE
    )
