"""HOW WE MEND: a module and fixes in, a module out; knows no rule."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ..edits import Fix
from .apply import Apply
from .plan import plan
from .spelling import needs_torch, with_import
from .tree import Tree


def fixed(module: cst.Module, fixes: Sequence[Fix]) -> tuple[cst.Module, frozenset[int]]:
    """The mended module, and the indexes of the fixes that were applied.

    A fix is applied as a whole or not at all; one that cannot be made, because
    its place cannot be wrapped or torch has no sure spelling there, is left out.
    """
    tree = Tree(module)
    made = plan(tree, fixes)
    changed = module.visit(Apply(made.steps, tree))
    if made.steps.needs_import:
        changed = with_import(changed)
    return changed, made.applied


def brings_torch(module: cst.Module, fix: Fix) -> bool:
    """Whether a file can be imported without torch, and no more once the fix has been applied."""
    return not needs_torch(module) and plan(Tree(module), [fix]).steps.needs_import
