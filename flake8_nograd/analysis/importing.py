"""What imports bind, and what they say of the file."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from .. import torch_api
from ..facts import Kind
from .context import Context
from .reading import path_of
from .targets import Targets
from .value import Abstract


@dataclass(slots=True)
class Imports:
    """Binds what is imported."""

    context: Context
    targets: Targets

    def names(self, node: cst.Import) -> None:
        """``import a.b as c``."""
        for each in node.names:
            name = path_of(each.name)
            if each.asname is not None and isinstance(each.asname.name, cst.Name):
                self.targets.bind(each.asname.name.value, _api(name))
            else:
                root = name.split(".")[0]
                self.targets.bind(root, _api(root))
            self._imports(name)

    def names_from(self, node: cst.ImportFrom) -> None:
        """``from a import b as c``; of star imports, the names that matter here."""
        module = "." * len(node.relative) + (path_of(node.module) if node.module is not None else "")
        self._imports(module)
        if isinstance(node.names, cst.ImportStar):
            for name in sorted(torch_api.star_names(module)):
                self.targets.bind(name, _api(f"{module}.{name}"))
            self._handed_on(module)
            return
        for each in node.names:
            name = path_of(each.name)
            bound = each.asname.name if each.asname is not None else None
            local = bound.value if isinstance(bound, cst.Name) else name
            if not node.relative and module == "__future__":
                continue
            # Another module hands it on, unless it is one of the package itself: ``from . import torch``.
            is_torch = name == "torch" and node.module is not None
            self.targets.bind(local, _api("torch" if is_torch else f"{module}.{name}"))

    def _handed_on(self, module: str) -> None:
        """``from utils import *`` may bring along what that file imports itself: ``torch``, ``nn``."""
        if module.split(".")[0] in {"torch", *torch_api.OTHER_FRAMEWORKS}:
            return
        for name, meant in torch_api.HANDED_ON.items():
            if name not in self.context.state.names:
                self.targets.bind(name, _api(meant))

    def _imports(self, module: str) -> None:
        root = module.split(".")[0]
        learned = self.context.learned
        learned.is_of_tests |= root in {"pytest", "unittest"}
        learned.imports_torch |= "torch" in root
        learned.imports_another_framework |= root in torch_api.OTHER_FRAMEWORKS


def _api(name: str) -> Abstract:
    return Abstract(kind=Kind.API, api=torch_api.canonical(name), label=name)
