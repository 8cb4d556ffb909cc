"""WHAT WE SAY: one module per rule, found by listing this folder."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of codes."""
    modules = (import_module(module.name) for module in iter_modules(__path__, f"{__name__}."))
    found = (thing for module in modules for thing in vars(module).values() if isinstance(thing, Rule))
    return tuple(sorted(found, key=lambda rule: rule.code))
