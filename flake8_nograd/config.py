"""The one place that reads options, for both faces."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
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
    """What a project selects. ``None`` is an option that is not given, which is not the same as an empty one."""

    settings: Settings = field(default_factory=Settings)
    select: tuple[str, ...] | None = None
    """Prefixes, in place of all that are on by default."""
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] | None = None
    """Prefixes, in place of all that are off by default."""
    extend_ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Pattern of a path, and the prefixes that are ignored there."""


def read_options(folder: Path) -> Options:
    """The ``[flake8]`` section that flake8 would read in a folder.

    It is that of the first of setup.cfg, tox.ini and .flake8 which has one, there or
    in the nearest folder above, short of the home directory. Raises ``ConfigError`` for
    a file that cannot be read, or an option that makes no sense.
    """
    here = folder.resolve()
    home = Path(os.path.expanduser("~"))
    for place in (here, *here.parents):
        if place != here and place == home:
            break
        for name in ("setup.cfg", "tox.ini", ".flake8"):
            path = place / name
            parser = configparser.RawConfigParser()
            try:
                parser.read(path, encoding="utf-8")
                if parser.has_section("flake8"):
                    return _options(dict(parser.items("flake8")), place)
            except (configparser.Error, UnicodeDecodeError, ConfigError) as error:
                raise ConfigError(f"{path}: {error}") from error
    return Options()


def _options(section: dict[str, str], folder: Path) -> Options:
    values = {key.replace("_", "-"): value for key, value in section.items()}
    exclude = listed(values.get("exclude", "")) + listed(values.get("extend-exclude", ""))
    return Options(
        settings_of(listed(values.get("no-grad-wrappers", "")), values.get("torch-version", "")),
        _codes("select", values.get("select")),
        _codes("extend-select", values.get("extend-select")) or (),
        _codes("ignore", values.get("ignore")),
        _codes("extend-ignore", values.get("extend-ignore")) or (),
        tuple(_normal(each, folder) for each in exclude),
        per_file(values.get("per-file-ignores", "")),
    )


def _codes(name: str, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    codes = listed(text)
    for code in codes:
        if not re.fullmatch(r"[A-Z]+[0-9]*", code):
            raise ConfigError(f"{name}: {code!r} is no code, nor the start of one")
    return codes


def listed(text: str) -> tuple[str, ...]:
    """A list separated by commas or blanks."""
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def per_file(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Patterns of paths with the codes that follow them: ``tests/*, conftest.py: NGR1, E501``.

    Raises ``ConfigError`` where patterns have no codes, or codes no pattern.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    patterns: list[str] = []
    codes: list[str] = []
    after_colon = False
    for part in listed(text.replace(":", " : ")):
        if part == ":":
            if after_colon and not codes:
                break
            after_colon = True
        elif not after_colon:
            patterns.append(part)
        elif re.fullmatch(r"[A-Z]+[0-9]*", part):
            codes.append(part)
        else:
            found += [(pattern, tuple(codes)) for pattern in patterns]
            if not codes:
                break
            patterns, codes, after_colon = [part], [], False
    if bool(patterns) != bool(codes):
        raise ConfigError(f"per-file-ignores: {text.strip()!r} is no list of `pattern: codes`")
    found += [(pattern, tuple(codes)) for pattern in patterns]
    return tuple((_normal(pattern, Path.cwd()), codes) for pattern, codes in found)


def _normal(pattern: str, folder: Path) -> str:
    """A pattern as flake8 takes it: with a slash in it, it is a path from the folder."""
    if pattern == "." or "/" in pattern or os.path.sep in pattern:
        pattern = os.path.abspath(folder / pattern)
    return pattern.rstrip(os.path.sep)


def matches(filename: str, pattern: str) -> bool:
    """Whether a pattern is one of the name of a file or folder, or of its whole path."""
    name = os.path.basename(filename)
    return (name not in {"", ".", ".."} and fnmatch(name, pattern)) or fnmatch(os.path.abspath(filename), pattern)


def for_file(options: Options, filename: str) -> Options:
    """The options for one file: of the patterns that match, the longest adds what it ignores."""
    fitting = [each for each in options.per_file_ignores if matches(filename, each[0])]
    if not fitting:
        return options
    _, codes = max(fitting, key=lambda each: len(each[0]))
    return replace(options, extend_ignore=options.extend_ignore + codes)


def selected(code: str, options: Options, *, default: bool) -> bool:
    """Whether a code is reported, as flake8 decides it.

    What is selected by name wins over what is off by default, what is ignored by name
    over what is on by default; of both, the longer prefix wins, and ``ignore`` if they
    are equal. ``ignore`` stands in place of what is off by default.
    """
    chosen = _longest(code, (options.select or ()) + options.extend_select)
    refused = _longest(code, (options.ignore or ()) + options.extend_ignore)
    if chosen >= 0 and refused >= 0:  # flake8 counts in what it does by default
        if options.select is None:
            chosen = max(chosen, len("NGR"))
        if options.ignore is None and not default:
            refused = len(code)
    if chosen >= 0:
        return chosen > refused
    return refused < 0 and options.select is None and (default or options.ignore is not None)


def _longest(code: str, prefixes: Sequence[str]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)
