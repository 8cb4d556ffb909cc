"""Files on disk: which there are, and how one is replaced without ever being half written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

EXCLUDED = [
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "__pypackages__",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
    "*.egg",
    "*.egg-info",
]
"""Folders that hold nobody's own code."""


def python_files(paths: Sequence[str], exclude: Sequence[str]) -> Iterator[Path]:
    """The files to read, in a fixed order, each once; a file that is named is taken whatever its name is.

    Raises ``FileNotFoundError`` for a path that is not there.
    """
    seen: set[Path] = set()
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise FileNotFoundError(f"{name}: no such file or folder")
        for each in _walk(path, [*EXCLUDED, *exclude]) if path.is_dir() else [path]:
            if each not in seen:
                seen.add(each)
                yield each


def _walk(folder: Path, exclude: Sequence[str]) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if not _is_excluded(here / name, exclude))
        for name in sorted(names):
            if name.endswith(".py") and not _is_excluded(here / name, exclude):
                yield here / name


def _is_excluded(path: Path, exclude: Sequence[str]) -> bool:
    return any(fnmatch(path.name, each) or fnmatch(str(path), each) for each in exclude)


def replace(path: Path, before: bytes, after: bytes) -> None:
    """Replace a file as a whole: a temporary file beside it, then one rename.

    A link stays a link; its target is replaced. Raises ``OSError`` when the file
    cannot be written or has changed since it was read; it is then untouched.
    """
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise PermissionError(f"{path}: not writable")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, name)
        if target.read_bytes() != before:
            raise OSError(f"{path}: changed on disk while it was being fixed")
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
