"""What autograd keeps for ``backward``: counted where it is saved, and weighed while it lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.module import register_module_forward_pre_hook


class _Kept:
    """A tensor in the hands of the graph; dies with it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()
        self.is_read = False


@dataclass
class Saved:
    """What the graphs of a region have saved."""

    count: int = 0
    """Tensors that were saved, dead ones included."""
    walked: int = 0
    """Those of them that a backward pass has read."""
    in_evaluation: int = 0
    """Those that were saved while the model that was called last was in evaluation mode."""
    _evaluates: bool = False
    _alive: weakref.WeakSet[_Kept] = field(default_factory=weakref.WeakSet)

    def called(self, module: nn.Module, _arguments: object) -> None:
        if any(True for _ in module.parameters()):
            self._evaluates = not module.training

    def keep(self, tensor: Tensor) -> _Kept:
        self.count += 1
        self.in_evaluation += self._evaluates
        kept = _Kept(tensor)
        self._alive.add(kept)
        return kept

    def read(self, kept: _Kept) -> Tensor:
        self.walked += not kept.is_read
        kept.is_read = True
        return kept.tensor

    def bytes_alive(self, *owned_by_others: Tensor) -> int:
        """Memory that the graphs hold and nobody else does: each storage once, parameters and data left out."""
        others = {tensor.untyped_storage().data_ptr() for tensor in owned_by_others}
        storages = {
            storage.data_ptr(): storage.nbytes() for kept in self._alive for storage in [kept.tensor.untyped_storage()]
        }
        return sum(size for place, size in storages.items() if place not in others)


@contextmanager
def saved() -> Iterator[Saved]:
    """Watch everything that autograd saves meanwhile."""
    result = Saved()
    with watch(result):
        yield result


@contextmanager
def watch(result: Saved) -> Iterator[None]:
    """Count everything that autograd saves meanwhile."""
    hook = register_module_forward_pre_hook(result.called)
    try:
        with saved_tensors_hooks(result.keep, result.read):
            yield
    finally:
        hook.remove()


def error_of(action: Callable[[], object]) -> str:
    """Why torch refuses to do it; empty if it does it."""
    try:
        action()
    except RuntimeError as error:
        return str(error)
    return ""


def forget_gradients(*tensors: Tensor) -> None:
    for tensor in tensors:
        tensor.grad = None
