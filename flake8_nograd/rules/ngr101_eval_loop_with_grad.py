"""An evaluation loop that records a graph nobody will walk back.

With gradients on, each forward pass keeps its activations alive until its
outputs die. An evaluation never calls `backward()`, so it pays that memory,
and time, for nothing; where results are collected with their graph
(`total += loss`, `outputs.append(out)`), the graphs of all batches stay.
`model.eval()` does not help: it turns dropout off and makes batch-norm use
its running statistics, and leaves gradients on.

On torch 2.13 a four-layer perceptron evaluated on ten batches keeps 16 MB of
activations when `total += loss` collects them, and none under `no_grad`.

Example:

    import torch


    def evaluate(model, loader):
        model.eval()
        correct = 0
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
        return correct

Use instead:

    import torch


    @torch.no_grad()
    def evaluate(model, loader):
        model.eval()
        correct = 0
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
        return correct

When it speaks:

    - The model is in evaluation mode in the loop: `.eval()` in this function, at module
      level, by every caller in the file, or where its class makes it.
    - A function that is named for evaluation loops over a validation or test loader and
      looks at what the model gives; or over any other data, and nothing but values leaves
      it; or an agent acts in an environment.
    - A loop goes over a test loader and makes nothing but numbers, in a function of any
      name or at the end of a script.
    - A function like `predict(loader)` collects what the model gives for all batches: it is
      taken that nobody differentiates that.

When it is silent:

    - A result reaches `backward()`, or an input requires gradients, or nothing does.
    - Every caller in the file, or a framework (Lightning's `validation_step`), has turned
      gradients off.
    - The function turns gradients off for a part of itself, as a flag says: it keeps them for
      the rest.

What it assumes:

    It reads one file, and does not see a guard in another one.

    - What is named for a guard (`with eval_mode(model):`, `with inference.context(model):`)
      is one, unless it stands beside `no_grad()` elsewhere in the file, and so needs it.
    - So is what is named for freezing (`with freezing(model.parameters()):`): what is frozen
      records nothing.
    - Where nobody in the file calls the function, and another file puts the model in
      evaluation mode, gradients are turned off there as well if a base class of that file
      makes the model, or if a result goes into `.numpy()`, or out of a function that says it
      gives arrays (`-> np.ndarray`). Where nothing in the file puts the model in a mode, also
      if it goes into a function of numpy's as it is. All these raise on a tensor with a graph.
    - A loop that only counts (`for _ in range(n)`) and binds nothing else goes through no
      data, and a function that runs the model outside of its loops as well collects no
      predictions: neither says that it evaluates, unless the model is in evaluation mode.
    - Where forces or stresses are named beside a pass, in what it runs, or in a function of
      the file that is called beside it, the model differentiates inside.
    - In the loop of a function that is named for evaluation nothing trains, where nothing goes
      back: other models that it runs beside may be in any mode.
    - What a function of another file gives back for the model, under the same name, is that
      model, in the mode that it was in (`model = offload(model)`).

Fix safety:

    Safe when every result ends as a value in the region. Unsafe where:

    - A tensor with a graph is returned, yielded, stored or handed to code that is not in the
      file, since somebody there might differentiate it.
    - Nothing puts the model in evaluation mode: one that gives forces differentiates inside,
      and raises without gradients. Of a model in evaluation mode it is taken that it does not,
      unless something read of its results is named for it (`out["forces"]`), or its class is
      in the file and does.
    - A `forward` or helper of the file asks for the mode (`torch.is_grad_enabled()`), hooks
      into a result, or has a decorator that may keep results (`@lru_cache`).
    - The file hooks into forward passes, or has an `nn.TransformerEncoder`, which gives zeros
      for padding without gradients.
    - Nobody takes what the model gives: it is run for what it leaves in itself, perhaps with
      its graph.
    - Another model is run beside, which nobody in the file puts in evaluation mode.

    A loop is put under no-grad by itself where the function around gives back what may have a
    graph of its own. The fix is always `no_grad`, never `inference_mode`, whose tensors cannot
    be used in autograd afterwards.

When to silence it:

    When the gradients of an evaluation are wanted by code in another file.

References:

    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    - https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation
"""

from __future__ import annotations

from collections.abc import Iterator

from ..evaluation import needless
from ..evaluation_loops import evaluation_loop
from ..facts import FileFacts, Forward, Loop, Purpose
from ..grad import Answer
from ..guarding import mended
from ..rule import Finding, rule


@rule(
    code="NGR101",
    name="eval-loop-with-grad",
    message="`{model}` is evaluated in a loop{loader} with gradients on: run it under no_grad{kept}",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Group the needless forward passes by their loop."""
    found = needless(facts)
    loops: dict[Loop, list[Forward]] = {}
    for each in found:
        loop = evaluation_loop(facts, each, found)
        if loop is not None:
            loops.setdefault(loop, []).append(each)
    for loop, forwards in loops.items():
        if all(each.place.function is not None and each.place.function.is_test for each in forwards):
            continue
        anchors = {each.anchor for each in forwards}
        kept = any(
            use.purpose is Purpose.ACCUMULATED
            and use.value.requires_grad is Answer.YES
            and anchors & use.value.forwards
            for use in facts.uses
        )
        details = {
            "model": forwards[0].model.label or "the model",
            "loader": f" over `{loop.iterates.label}`" if loop.iterates.label else "",
            "kept": "; the graphs of all its batches are kept" if kept else "",
        }
        yield Finding(loop.anchor, details, mended(facts, forwards, loop))
