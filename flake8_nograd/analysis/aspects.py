"""What models are in, by access path: training mode or evaluation mode, frozen or trained."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..facts import Evaluated
from ..grad import Answer


class Aspect(Enum):
    """What a model can be put in."""

    TRAINING = "training"
    """In training mode: ``train()``, ``eval()``."""
    FROZEN = "frozen"
    """No weight of it requires gradients: ``requires_grad_()``."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a model was last put in, and where that stands."""

    answer: Answer
    where: Evaluated
    is_set: bool = True
    """Whether some way here has put it in one."""

    def __or__(self, other: Setting) -> Setting:
        """Either setting."""
        where = self.where if self.where is other.where else Evaluated.NOT
        return Setting(self.answer | other.answer, where, self.is_set or other.is_set)


NOT_SET = Setting(Answer.UNKNOWN, Evaluated.NOT, is_set=False)
BUILT = Setting(Answer.YES, Evaluated.CONSTRUCTOR)
"""In training mode, as ``nn.Module.__init__`` leaves it."""


ModelSettings = dict[Aspect, dict[str, Setting]]
"""By aspect, and access path."""


def no_settings() -> ModelSettings:
    """Nothing is known to have been put in anything."""
    return {aspect: {} for aspect in Aspect}


def is_part(path: str, whole: str) -> bool:
    """Whether an access path leads to a part of a model: ``model.fc``, ``model[0]``."""
    return path.startswith((f"{whole}.", f"{whole}["))


def root_of(path: str) -> str:
    """The name that an access path begins with."""
    return path.partition(".")[0].partition("[")[0]


def some_part(path: str) -> str:
    """The access path of what loops reach of a model: one part after the other."""
    return f"{path}[...]"


def setting_of(table: dict[str, Setting], path: str) -> Setting:
    """The setting of a model, or of the model that it is a part of."""
    found = table.get(path)
    while found is None and path:
        path = path.rpartition("." if path.rfind(".") > path.rfind("]") else "[")[0]
        found = table.get(some_part(path)) or table.get(path)
    return NOT_SET if found is None else found
