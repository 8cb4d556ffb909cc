"""The safe fixes as a LibCST codemod: the one file that knows libcst.codemod.

``python -m libcst.tool codemod --no-format -x flake8_nograd.codemod.FixGradMode PATH``
"""

from __future__ import annotations

import libcst as cst
from libcst.codemod import CodemodCommand

from .engine import fix
from .source import Source


class FixGradMode(CodemodCommand):
    """Apply the safe fixes of the default rules."""

    DESCRIPTION = "Mend PyTorch grad-mode mistakes where that is safe."

    def transform_module_impl(self, tree: cst.Module) -> cst.Module:
        """Fix one module; comments that silence a finding are heeded."""
        result = fix(Source.of(tree.code, self.context.filename or "<unknown>"))
        return (
            tree if result.source.text == tree.code else cst.parse_module(result.source.text, tree.config_for_parsing)
        )
