"""How tables of names are written."""

from __future__ import annotations


def table(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def within(package: str, text: str) -> frozenset[str]:
    """The names of a package."""
    return frozenset(f"{package}.{name}" for name in text.split())


def last_part(name: str) -> str:
    """A name without the packages in front of it."""
    return name.rpartition(".")[2]
