"""Several values taken together: arguments, elements, content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import libcst as cst

from ..facts import Kind
from .value import UNKNOWN, Abstract, replace, some_of

Key = TypeVar("Key", int, str)


@dataclass(slots=True)
class Arguments:
    """What a call is given."""

    positional: list[Abstract]
    keywords: dict[str, Abstract]
    starred: bool = False
    is_statement: bool = False
    unpacked_from: int | None = None
    """The place of the first of ``*args`` and ``**options`` among the positional ones."""

    def is_certain(self, position: int) -> bool:
        """Whether a positional argument is the one at that place, since nothing is unpacked before it."""
        return self.unpacked_from is None or position < self.unpacked_from

    def all(self) -> list[Abstract]:
        """Every argument."""
        return [*self.positional, *self.keywords.values()]

    def at(self, position: int, keyword: str = "") -> Abstract | None:
        """One argument."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.positional[position] if 0 <= position < len(self.positional) else None


def tupled(values: list[Abstract]) -> Abstract:
    """A tuple of known length."""
    return Abstract(kind=Kind.CONTAINER, elements=tuple(values), forwards=forwards_of(values))


def filled(container: Abstract, values: list[Abstract]) -> Abstract:
    """A container, or a tensor that is used as one, after something was put into it."""
    forwards = container.forwards | forwards_of(values)
    if container.kind is Kind.STATE:
        return replace(container, forwards=forwards, item=None)
    if container.kind not in {Kind.CONTAINER, Kind.PARAMETERS, Kind.UNKNOWN}:
        return replace(container, forwards=forwards)
    item = container.item
    if container.kind is Kind.UNKNOWN and item is None and container.elements is None:
        # It may hold anything beside.
        item = UNKNOWN
    for each in (*(container.elements or ()), *values):
        item = each if item is None else item | each
    kind, source = container.kind, container.source
    if kind is Kind.PARAMETERS:
        # Not only those of one model any more.
        kind, source = Kind.PARAMETERS if item is not None and item.kind is Kind.PARAMETER else Kind.CONTAINER, ""
    return replace(container, kind=kind, item=item, elements=None, forwards=forwards, source=source)


def shallow(value: Abstract, depth: int = 3) -> Abstract:
    """The same, but for what is in containers in containers: some hold themselves, however many containers away."""
    if value.elements is None and value.item is None:
        return value
    if depth == 0:
        return replace(value, elements=None, item=None, forwards=value.behind())
    elements = None if value.elements is None else tuple(shallow(each, depth - 1) for each in value.elements)
    item = None if value.item is None else shallow(value.item, depth - 1)
    if item is value.item and elements == value.elements:
        return value
    return replace(value, elements=elements, item=item)


def chained(containers: list[Abstract]) -> Abstract:
    """What has the content of several containers, one after the other: ``first + second``."""
    item: Abstract | None = None
    for each in containers:
        held = some_of(each).item if each.elements is not None or each.item is not None else UNKNOWN
        item = item if held is None else held if item is None else item | held
    return Abstract(kind=Kind.CONTAINER, item=item, forwards=forwards_of(containers))


def contents(container: Abstract) -> list[Abstract]:
    """What is in a container, and in those in it."""
    parts = list(container.elements) if container.elements is not None else [container.item] if container.item else []
    found = []
    for each in parts:
        found += contents(each) if each.elements is not None or each.item is not None else [each]
    return found


def merge(table: dict[Key, Abstract], key: Key, value: Abstract) -> None:
    """Add a value to what a key may stand for."""
    clean = replace(value.elsewhere(), label="")
    known = table.get(key)
    table[key] = clean if known is None else known | clean


def flat(values: list[Abstract]) -> list[Abstract]:
    """The values within values."""
    result = []
    for each in values:
        if each.elements is not None:
            result += flat(list(each.elements))
        elif each.kind is Kind.CONTAINER and each.item is not None:
            result.append(replace(each.item, forwards=each.forwards | each.item.forwards))
        else:
            result.append(each)
    return result


def forwards_of(values: list[Abstract]) -> frozenset[cst.CSTNode]:
    """The forward passes that values come from."""
    return frozenset[cst.CSTNode]().union(*(each.forwards for each in values))
