"""A forward pass in evaluation mode that records a graph nobody will walk back.

The same waste as in NGR101, once: a prediction after `model.eval()` keeps its
activations alive as long as its result lives. `model.eval()` leaves gradients
on: the result requires gradients all the same.

Example:

    import torch


    def predict(model, image):
        model.eval()
        return model(image).argmax(1)

Use instead:

    import torch


    @torch.no_grad()
    def predict(model, image):
        model.eval()
        return model(image).argmax(1)

When it is silent:

    - In tests that pytest or unittest collect, and in helpers that only they call: they often
      want the gradients, or do not care.
    - Where nobody takes the result (`_ = model(x)`) and the file hooks into forward passes.
    - In scripts that run a model on noise to see its shape, functions that read `.grad_fn`,
      and those that make something in their input require gradients.
    - Where a module runs itself or its parts: it leaves gradients to its callers, unless it
      trains, is put back in training mode at the end, or puts its whole self in evaluation
      mode there. Where it runs its parts then to recognize or translate, the program that
      calls it turns gradients off, it is taken.

What it assumes:

    It reads one file, and does not see what methods and callers in another one do.

    - A method of the model turns gradients off itself if it is told a batch size, since it
      goes through data; or if it is named for evaluation or encoding and its result goes into
      `.numpy()`, which would raise on a tensor with a graph. If a module runs itself so, its
      callers do.
    - A method that is named for encoding and handed data (`model.embed(batch)`) gives a tensor.
      Of another method that must show, by what is done with its result.
    - A method that stands beside a forward pass of the same model, or of the whole that it is a
      part of, under `no_grad` records nothing.
    - A result that is returned with its graph is a prediction, where the function is named
      for evaluation or inference, or puts the model in evaluation mode itself and nothing
      near it asks for gradients of inputs; and where a module runs itself to act, and is
      back in training mode afterwards.
    - A class that is handed a model in evaluation mode, and puts none in it itself, may be
      handed one to train elsewhere: its methods leave what they return to their callers.
    - A private method (`_predict`) that returns a tensor and has no caller in the file is
      called by a class in another file, which decides about gradients. A public one, and a
      nested function that is handed on, are called with gradients on.

Fix safety:

    Safe when the result ends as a value (`.item()`, `argmax`, `.numpy()`). Unsafe where:

    - A tensor with a graph leaves the function, since its caller might differentiate it.
    - A `forward` or helper of the file asks for the mode (`torch.is_grad_enabled()`), hooks
      into a result, or has a decorator that may keep results (`@lru_cache`).
    - The file hooks into forward passes, or has an `nn.TransformerEncoder`, which gives zeros
      for padding without gradients.
    - Nobody takes what the model gives: it is run for what it leaves in itself, perhaps with
      its graph.

    What the same model computes above for that pass alone (`model(model.input_features())`)
    goes under no-grad with it.

When to silence it:

    When callers in other files differentiate the result, for instance with
    respect to the input.

References:

    - https://docs.pytorch.org/docs/stable/notes/autograd.html#evaluation-mode-nn-module-eval
"""

from __future__ import annotations

from collections.abc import Iterator

from ..evaluation import needless, serves_tests
from ..evaluation_loops import evaluation_loop
from ..facts import FileFacts
from ..guarding import mended
from ..rule import Finding, rule


@rule(
    code="NGR102",
    name="eval-forward-with-grad",
    message="`{model}` is run in evaluation mode with gradients on: run it under no_grad",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Report the needless forward passes outside of evaluation loops."""
    found = needless(facts)
    reported = set()
    for each in found:
        if serves_tests(facts, each.place.function):
            continue
        if evaluation_loop(facts, each, found) is not None or each.anchor in reported:
            continue
        reported.add(each.anchor)
        details = {"model": each.model.label or "the model"}
        yield Finding(each.anchor, details, mended(facts, [each], None))
