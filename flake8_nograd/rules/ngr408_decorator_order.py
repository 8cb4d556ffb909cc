"""A grad-mode switch decorates what `@staticmethod`, `@classmethod` or `@property` made.

These three make an object that Python treats in a special way when it is found
in a class. A decorator of torch above them puts a plain function in its place,
on torch 2.13:

- above `@staticmethod`, a call on an object hands the object in as well:
  `TypeError: predict() takes 1 positional argument but 2 were given`;
- above `@classmethod`, each call raises
  `TypeError: 'classmethod' object is not callable`;
- above `@property`, nothing is computed: reading the attribute gives a bound
  method, which is true in any `if`, and raises when it is called.

The decorator belongs directly above the `def`.

Example:

    import torch


    class Detector:
        @torch.no_grad()
        @staticmethod
        def area(boxes):
            return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

Use instead:

    import torch


    class Detector:
        @staticmethod
        @torch.no_grad()
        def area(boxes):
            return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

Fix safety:

    Safe: the method cannot be used as it stands, but for a static method that
    is only called on the class, which computes the same afterwards. A static
    method whose first parameter is `self` or `cls` has no fix, as it may work
    by that mistake.

When to silence it:

    Never, as far as we know.

References:

    - https://docs.python.org/3/howto/descriptor.html
    - https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..edits import Fix, MoveDecoratorDown
from ..facts import FileFacts, Form
from ..rule import Finding, rule

SPECIAL = frozenset({"staticmethod", "classmethod", "property", "functools.cached_property", "abc.abstractproperty"})


@rule(
    code="NGR408",
    name="decorator-order",
    message="{switch} above @{special} breaks the method: put it directly above the def",
)
def check(facts: FileFacts) -> Iterator[Finding]:
    """Look at what stands between each switch and its ``def``."""
    for each in facts.switches:
        special = next((name for name in each.below if name in SPECIAL), "")
        if each.form is Form.DECORATOR and special and each.function is not None and each.function.owner is not None:
            accident = special == "staticmethod" and each.function.parameters[:1] in {("self",), ("cls",)}
            fix = Fix((MoveDecoratorDown(each.anchor),), True, "Put it directly above the def")
            details = {"switch": each.api.rsplit(".", 1)[-1], "special": special.rsplit(".", 1)[-1]}
            yield Finding(each.anchor, details, None if accident else fix)
