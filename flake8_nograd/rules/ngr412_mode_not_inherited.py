"""A no-grad block hands work to another thread, where gradients are on.

Grad mode belongs to a thread. One that is started, or taken from a pool, inside
of `torch.no_grad()` begins with torch's default: what it computes records a
graph. The results say so only by the memory that they take; on torch 2.13 their
`requires_grad` is `True`. What is decorated, or guards itself, is guarded in
any thread.

The rule looks at functions of the file that run a model, handed to
`threading.Thread`, a thread pool, `asyncio.to_thread` or `run_in_executor(None, ...)`.
Of processes it says nothing: whether one inherits the mode, the platform decides.

The rule is off, since it has not been seen at work: in 130 published packages it
found nothing.

Example:

    import threading

    import torch


    def run(model, inputs, results):
        results.append(model(inputs).argmax(1))


    def predict(model, inputs):
        results = []
        with torch.no_grad():
            thread = threading.Thread(target=run, args=(model, inputs, results))
            thread.start()
            thread.join()
        return results

Use instead:

    import threading

    import torch


    @torch.no_grad()
    def run(model, inputs, results):
        results.append(model(inputs).argmax(1))


    def predict(model, inputs):
        results = []
        with torch.no_grad():
            thread = threading.Thread(target=run, args=(model, inputs, results))
            thread.start()
            thread.join()
        return results

Fix safety:

    None: the mode may be turned off in the function, or in what hands it on.

When to silence it:

    When the thread is to record a graph.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://github.com/pytorch/pytorch/issues/20528
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import FileFacts, Function
from ..grad import Answer, GradMode
from ..rule import Finding, rule


@rule(
    code="NGR412",
    name="mode-not-inherited",
    message="`{function}` runs in another thread, where gradients are on: turn them off in the function itself",
    default=False,
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what is handed to threads where gradients are off."""
    for each in facts.thread_calls:
        if each.place.grad and not each.place.grad & GradMode.ON and _records(facts, each.function):
            yield Finding(each.anchor, {"function": each.function.qualified})


def _records(facts: FileFacts, function: Function) -> bool:
    """Whether it runs a model with gradients on, when nobody has turned them off."""
    return any(
        each.place.function is function
        and (each.place.grad is GradMode.ON or each.place.on_for_some_caller)
        and each.frozen is not Answer.YES
        for each in facts.forwards
    )
