"""What one walk of the file teaches the next of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from ..facts import Class, Role
from ..grad import Answer, GradMode
from .aspects import Aspect, ModelSettings, Setting, is_part, no_settings, root_of
from .value import Abstract, Def


@dataclass(slots=True)
class ClassKnowledge:
    """What is known of one class."""

    node: cst.ClassDef
    bases: tuple[str, ...] = ()
    parents: tuple[cst.ClassDef, ...] = ()
    role: Role = Role.NONE
    has_base_elsewhere: bool = False
    """Whether it is derived from a class that is not in the file, and is no mere protocol."""
    attributes: dict[str, Abstract] = field(default_factory=dict)
    methods: dict[str, cst.FunctionDef] = field(default_factory=dict)
    settings: ModelSettings = field(default_factory=no_settings)
    """What ``__init__`` leaves the models of ``self`` in."""
    meanwhile: dict[tuple[Aspect, str], Answer] = field(default_factory=dict)
    """What others put the models in that an attribute keeps."""
    made_under: GradMode = GradMode.NEVER
    """The modes that objects are made under."""
    retrains: dict[str, set[Def]] = field(default_factory=dict)
    """Paths of ``self`` that methods beside ``__init__`` put in a mode, and which do."""
    makers: dict[str, set[Def | None]] = field(default_factory=dict)
    """Attributes of ``self``, and the methods that bind them to something: ``self.model = None`` is nothing."""
    left: dict[Def, dict[str, Setting]] = field(default_factory=dict)
    """Which modes such methods leave what they bind in."""
    row: Class | None = None

    def loaded(self) -> Iterator[tuple[Def, str, Setting]]:
        """The models that one method makes, which it alone puts in a mode: ``load``, whenever it is called."""
        for maker, table in self.left.items():
            for path, setting in table.items():
                if self._is_of(maker, path):
                    yield maker, path, setting

    def made_alone(self, maker: Def) -> Iterator[str]:
        """The attributes of ``self`` that a method makes, and nobody else makes or puts in a mode."""
        yield from (path for path in (f"self.{name}" for name in self.makers) if self._is_of(maker, path))

    def _is_of(self, maker: Def, path: str) -> bool:
        switching = [self.retrains[whole] for whole in self.retrains if is_part(f"{path}.", whole)]
        attribute = root_of(path.removeprefix("self."))
        return self.makers.get(attribute) == {maker} and all(each == {maker} for each in switching)

    def is_kept_so(self, aspect: Aspect, path: str, setting: Setting) -> bool:
        """Whether those who handed a model in have not put it in something else since."""
        since = self.meanwhile.get((aspect, root_of(path.removeprefix("self."))), setting.answer)
        return since is setting.answer

    def gist(self) -> object:
        """What functions see of it."""
        return self.role, self.made_under, [(name, value.gist()) for name, value in sorted(self.attributes.items())]
