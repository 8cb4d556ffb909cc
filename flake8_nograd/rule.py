"""What a rule is: a query over facts that yields findings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .edits import Fix
from .facts import Anchor, FileFacts


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect, at one place, and perhaps how to mend it."""

    anchor: Anchor
    details: Mapping[str, str] = field(default_factory=dict)
    """What fills the braces of the rule's message."""
    fix: Fix | None = None
    also: Anchor | None = None
    """The second place the finding speaks of; its line fills ``{line}``."""
    defect: Anchor | None = None
    """What is broken, when that is not the anchor: two rules that see one defect share it."""


Check = Callable[[FileFacts], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its code, its name, what it says, and how it finds it."""

    code: str
    name: str
    message: str
    check: Check
    documentation: str
    default: bool
    """Whether it is on without configuration."""
    yields_to: tuple[str, ...]
    """Codes of the rules that speak instead, where both see the same defect."""


def rule(
    *, code: str, name: str, message: str, default: bool = True, yields_to: tuple[str, ...] = ()
) -> Callable[[Check], Rule]:
    """Make a check a rule; its module's docstring is the documentation."""

    def make(check: Check) -> Rule:
        documentation = sys.modules[check.__module__].__doc__ or ""
        return Rule(code, name, message, check, documentation, default, yields_to)

    return make
