"""Hypothesis strategies of whole programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies

from .choices import CHUNK, Choices
from .expressions import SPELLINGS
from .scope import Thing
from .statements import Writer

LONGEST = 24
"""Statements of a program, without those that it starts with."""


@dataclass(frozen=True)
class Program:
    """A program, and the seed of what is random when it runs."""

    text: str
    points: int
    seed: int

    def __repr__(self) -> str:
        """As it stands, for the report of Hypothesis."""
        return f"# seed {self.seed}\n{self.text}"


def program_of(chunks: Sequence[bytes]) -> Program:
    """The program that some choices make."""
    choices = Choices(chunks)
    choices.more()
    writer = Writer(choices, choices.pick(SPELLINGS))
    seed = choices.below(256)
    _start(writer)
    while writer.statement():
        pass
    writer.line(writer.marked(writer.variable(Thing.MATRIX, Thing.SCALAR) or "None"))
    body = "\n".join(writer.lines)
    modules = [name for name in ("contextlib", "copy", "functools") if f"{name}." in body]
    imports = [f"import {name}" for name in modules] + list(writer.spelling.lines)
    kept = [line for line in imports if _is_used(line, body)]
    return Program("\n".join([*kept, *writer.lines]) + "\n", writer.points, seed)


def _is_used(line: str, body: str) -> bool:
    if "nn" in line.split() and ", " not in line:
        return "nn." in body
    if line.endswith(" F"):
        return "F." in body
    return True


def _start(writer: Writer) -> None:
    """What most programs have: some tensors, a model, an optimizer, batches."""
    torch, nn = writer.spelling.torch, writer.spelling.nn
    chance = writer.choices.chance
    if chance(70):
        writer.line(f"x = {torch}.randn(2, 2)")
        writer.hold("x", Thing.MATRIX)
    if chance(60):
        writer.line(f"w = {torch}.ones(2, 2, requires_grad=True)")
        writer.hold("w", Thing.MATRIX)
    if chance(65):
        writer.line(f"model = {nn}.Linear(2, 2)")
        writer.hold("model", Thing.LINEAR)
        if chance(40):
            writer.line(f"optimizer = {writer.made(Thing.OPTIMIZER)}")
            writer.hold("optimizer", Thing.OPTIMIZER)
    if chance(20):
        writer.line(f"criterion = {nn}.MSELoss()")
        writer.hold("criterion", Thing.CRITERION)
    if chance(45):
        writer.line(f"loader = [({torch}.randn(2, 2), {torch}.randn(2, 2)) for _ in range(2)]")
        writer.hold("loader", Thing.LOADER)


def programs(longest: int = LONGEST) -> strategies.SearchStrategy[Program]:
    """Programs of up to so many statements.

    They are drawn as one piece: where there are several, Hypothesis copies one to the place of another, and five
    programs in six resemble one before.
    """
    drawn = strategies.binary(min_size=longest // 3 * CHUNK, max_size=longest * CHUNK)
    return drawn.map(lambda content: program_of([content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]))
