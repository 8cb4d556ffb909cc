"""Where facts are written down while walking, and frozen at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import libcst as cst

from ..facts import (
    Anchor,
    Assignment,
    Backward,
    Call,
    Condition,
    Discarded,
    FileFacts,
    Forward,
    InferenceUse,
    Joined,
    LazyRun,
    Loop,
    ModeSwitch,
    Reveal,
    Switch,
    ThreadCall,
    Use,
    Value,
    Write,
    Yield,
)
from ..grad import Shift
from ..settings import Settings
from .function_knowledge import Flags
from .knowledge import Knowledge
from .value import Def, Definition

Row = (
    Assignment
    | Backward
    | Call
    | Discarded
    | Forward
    | InferenceUse
    | Joined
    | LazyRun
    | Loop
    | ModeSwitch
    | Reveal
    | Switch
    | ThreadCall
    | Use
    | Write
    | Yield
)


@dataclass(slots=True)
class Surroundings:
    """Where the walk is: the innermost of everything around it."""

    function: Def | None = None
    owner: cst.ClassDef | None = None
    scopes: tuple[cst.FunctionDef | cst.Lambda | cst.ClassDef | None, ...] = (None,)
    """The scopes that names are looked up in, innermost first."""
    elsewhere: dict[str, Definition | None] = field(default_factory=dict)
    """The names that the function at hand declares ``global`` or ``nonlocal``, and the scope they belong to."""
    loops: tuple[Loop, ...] = ()
    generators: tuple[Def, ...] = ()
    """The generators of the file that the loops around go through: each waits while the body runs."""
    switches: tuple[Switch, ...] = ()
    idle: tuple[Switch, ...] = ()
    body: cst.CSTNode | None = None
    """All that the function at hand does, or the module."""
    statement: cst.CSTNode | None = None
    block: cst.CSTNode | None = None
    tests: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    caught: tuple[str, ...] = ()
    branches: tuple[tuple[cst.BaseExpression, bool], ...] = ()
    """The conditions of the ``if`` statements around, and whether each holds here."""
    requires: tuple[Condition, ...] = ()
    interrupted: Shift | None = None
    """The modes in which an error may have left functions of the file that the statement at hand calls."""
    on_the_way_out: bool = False
    """Whether a ``finally`` is walked for the mode that it leaves: its body as such is walked in its own place."""
    flags: Flags = ()
    """What was handed in, where the function at hand is walked for the calls that say so."""
    by_chance: bool = False
    """Whether more than these conditions decides if the walk comes here: ``if chance:``, or a loop."""


@dataclass(slots=True)
class Recorder:
    """Rows in the order of evaluation; silent while a loop is still settling."""

    settings: Settings
    rows: list[Row] = field(default_factory=list)
    quiet: int = 0
    settled: dict[Anchor, Value] = field(default_factory=dict)
    """What backward passes start from, where the conditions that lead to them have decided on that as well."""

    def write(self, row: Row) -> None:
        """Add a row, unless this is only a trial."""
        if not self.quiet:
            self.rows.append(row)

    def freeze(self, knowledge: Knowledge) -> FileFacts:
        """All tables."""
        functions = tuple(each.row for each in knowledge.functions.values() if each.row is not None)
        classes = tuple(each.row for each in knowledge.classes.values() if each.row is not None)
        rows = self.rows
        return FileFacts(
            settings=self.settings,
            functions=functions,
            classes=classes,
            loops=tuple(row for row in rows if isinstance(row, Loop)),
            switches=tuple(row for row in rows if isinstance(row, Switch)),
            joined=tuple(row for row in rows if isinstance(row, Joined)),
            forwards=tuple(row for row in rows if isinstance(row, Forward)),
            uses=tuple(row for row in rows if isinstance(row, Use)),
            backwards=tuple(self._settled(row) for row in rows if isinstance(row, Backward)),
            writes=tuple(row for row in rows if isinstance(row, Write)),
            assignments=tuple(row for row in rows if isinstance(row, Assignment)),
            discarded=tuple(row for row in rows if isinstance(row, Discarded)),
            mode_switches=tuple(row for row in rows if isinstance(row, ModeSwitch)),
            calls=tuple(row for row in rows if isinstance(row, Call)),
            thread_calls=tuple(row for row in rows if isinstance(row, ThreadCall)),
            lazy_runs=tuple(row for row in rows if isinstance(row, LazyRun)),
            inference_uses=tuple(row for row in rows if isinstance(row, InferenceUse)),
            yields=tuple(row for row in rows if isinstance(row, Yield)),
            reveals=tuple(row for row in rows if isinstance(row, Reveal)),
        )

    def _settled(self, row: Backward) -> Backward:
        target = self.settled.get(row.anchor)
        return row if target is None else replace(row, target=target)
