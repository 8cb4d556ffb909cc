"""What other files may do with a program: call its functions with other flags, and on models in another mode.

What a run finds in a function is known to a reader only if it does not depend on what others hand in.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, Protocol

import torch
from torch import nn


class Way(Flag):
    """What other files hand in that this one does not."""

    FLAGS = auto()
    MODELS = auto()
    """The same models, in the other mode."""


WAYS = (Way.FLAGS, Way.MODELS, Way.FLAGS | Way.MODELS)
BEGIN = "_called"
"""The name of what stands between a function and its callers, which no program has."""


class Counts(Protocol):
    """A run that looks only while a function is called as from elsewhere."""

    within: int


def functions_of(text: str) -> list[str]:
    """The functions and methods that another file can call, and hand something."""
    return [each.name for each in _reachable(ast.parse(text).body) if _parameters(each)]


def called_from_elsewhere(text: str, name: str) -> ast.Module:
    """The program, of which functions of that name are called as another file may; its lines keep their numbers."""
    tree = ast.parse(text)
    for function in _reachable(tree.body):
        given = "\n".join(f"{each} = _call.handed({each})" for each in _parameters(function))
        if function.name == name:
            around = ast.parse(f"_call = {BEGIN}()\n{given}\ntry:\n    pass\nfinally:\n    _call.end()").body
            for node in [inner for each in around for inner in ast.walk(each)]:
                ast.copy_location(node, function.body[0])
            assert isinstance(around[-1], ast.Try)
            around[-1].body = function.body
            function.body = around
    return tree


def _parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _reachable(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """Functions of the module and methods of its classes; what stands in a function, no other file can call."""
    for each in body:
        if isinstance(each, ast.FunctionDef):
            yield each
        else:
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                yield from _reachable(getattr(each, part, []))


def as_others_call(way: Way, chance: random.Random, text: str, run: Counts) -> Callable[[], _Call]:
    """Begins a call of a function, for which something of what this file hands in is exchanged."""
    compared = [each for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Compare) for each in ast.walk(node)]
    texts = sorted({each.value for each in compared if isinstance(each, ast.Constant) and isinstance(each.value, str)})
    return lambda: _Call(way, chance, texts, run)


@dataclass
class _Call:
    way: Way
    chance: random.Random
    texts: list[str]
    run: Counts
    changed: list[tuple[object, str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run.within += 1

    def handed(self, value: Any) -> Any:
        """What may be handed in instead."""
        if self.way & Way.MODELS and isinstance(value, nn.Module):
            self._put(value)
        elif type(value).__module__ == "__main__":
            self._set_up(value)
        elif self.way & Way.FLAGS:
            return self._flag(value)
        return value

    def _flag(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return self.chance.choice([each for each in (*self.texts, "another") if each != value])
        if value is None:
            return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        return None if isinstance(value, torch.optim.Optimizer) else value

    def _set_up(self, holder: object) -> None:
        """An object of a class of the program, whose methods find in it what its makers have put there."""
        for name, held in [*vars(holder).items()]:
            if self.way & Way.FLAGS and isinstance(held, bool):
                self.changed.append((holder, name, not held))
                setattr(holder, name, not held)
            elif self.way & Way.MODELS and isinstance(held, nn.Module):
                self._put(held)

    def _put(self, model: nn.Module) -> None:
        mode = not model.training
        for each in model.modules():
            self.changed.append((each, "training", mode))
        model.train(mode)

    def end(self) -> None:
        """What the function has left as it was handed in, the rest of this file finds as it was before."""
        self.run.within -= 1
        for holder, name, flag in self.changed:
            if getattr(holder, name, None) is flag:
                setattr(holder, name, not flag)
