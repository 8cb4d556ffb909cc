"""The one place that reads options, for both faces."""

from __future__ import annotations

import configparser
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .settings import Settings


class ConfigError(Exception):
    """An option whose value makes no sense; says which, and why."""


def settings_of(no_grad_wrappers: Sequence[str], torch_version: str) -> Settings:
    """Options as the analysis takes them.

    Raises ``ConfigError`` when the version is no version.
    """
    version = None
    if torch_version:
        found = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)*", torch_version.strip())
        if found is None:
            raise ConfigError(f"torch-version: {torch_version!r} is not a version such as 2.1")
        version = (int(found[1]), int(found[2]))
    return Settings(frozenset(name.strip() for name in no_grad_wrappers if name.strip()), version)


@dataclass(frozen=True, slots=True)
class Options:
    """What a project selects."""

    settings: Settings = field(default_factory=Settings)
    select: tuple[str, ...] = ()
    """Prefixes; empty for the default rules."""
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, str], ...] = ()
    """Pattern of a path, and a prefix that is ignored there."""


def read_options(folder: Path) -> Options:
    """The ``[flake8]`` section that flake8 would read in a folder: setup.cfg, tox.ini or .flake8.

    Raises ``ConfigError`` for a file that cannot be read.
    """
    for name in ("setup.cfg", "tox.ini", ".flake8"):
        path = folder / name
        parser = configparser.RawConfigParser()
        try:
            read = parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from error
        if read and parser.has_section("flake8"):
            return _options(dict(parser.items("flake8")))
    return Options()


def _options(section: dict[str, str]) -> Options:
    values = {key.replace("_", "-"): value for key, value in section.items()}
    return Options(
        settings_of(listed(values.get("no-grad-wrappers", "")), values.get("torch-version", "")),
        listed(values.get("select", "")),
        listed(values.get("extend-select", "")),
        listed(values.get("ignore", "")) + listed(values.get("extend-ignore", "")),
        listed(values.get("exclude", "")) + listed(values.get("extend-exclude", "")),
        _per_file(values.get("per-file-ignores", "")),
    )


def listed(text: str) -> tuple[str, ...]:
    """A list separated by commas or blanks; what follows ``#`` is a comment."""
    bare = "\n".join(line.split("#", 1)[0] for line in text.splitlines())
    return tuple(part for part in re.split(r"[,\s]+", bare) if part)


def _per_file(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    patterns: list[str] = []
    for part in listed(text.replace(":", " : ")):
        if part == ":":
            continue
        if re.fullmatch(r"[A-Z]{1,3}[0-9]{0,3}", part):
            found += [(pattern, part) for pattern in patterns]
            continue
        if found and patterns and found[-1][0] in patterns:
            patterns = []
        patterns.append(part)
    return tuple(found)


def selected(code: str, options: Options, *, default: bool) -> bool:
    """Whether a code is reported: the longest prefix of ``select`` and ``ignore`` decides, as in flake8."""
    chosen = _longest(code, options.select + options.extend_select)
    refused = _longest(code, options.ignore)
    if not options.select and default:
        chosen = max(chosen, 0)
    return chosen >= 0 and chosen > refused


def _longest(code: str, prefixes: Sequence[str]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)
