"""Files on disk: which there are, and how one is replaced without ever being half written."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .config import matches

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


def python_files(paths: Sequence[str], exclude: Sequence[str], trouble: Callable[[OSError], None]) -> Iterator[Path]:
    """The files to read, in a fixed order, each once, however many names it has.

    A file that is named is taken whatever its name is, unless the project excludes it.
    A folder that cannot be read is handed to ``trouble``. Raises ``OSError`` for a path
    that is not there.
    """
    seen: set[str] = set()
    for name in paths:
        path = Path(name)
        path.lstat()
        if _is_excluded(path, exclude):
            continue
        for each in _walk(path, exclude, trouble) if path.is_dir() else [path]:
            real = os.path.realpath(each)
            if real not in seen:
                seen.add(real)
                yield each


def _walk(folder: Path, exclude: Sequence[str], trouble: Callable[[OSError], None]) -> Iterator[Path]:
    patterns = [*EXCLUDED, *exclude]
    for root, folders, names in os.walk(folder, onerror=trouble):
        here = Path(root)
        folders[:] = sorted(name for name in folders if not _is_excluded(here / name, patterns))
        for name in sorted(names):
            path = here / name
            # A pipe or a socket would never end; a broken link is reported when it is read.
            if name.endswith(".py") and not _is_excluded(path, exclude) and (path.is_file() or not path.exists()):
                yield path


def _is_excluded(path: Path, exclude: Sequence[str]) -> bool:
    return any(matches(str(path), each) for each in exclude)


def replace(path: Path, before: bytes, after: bytes) -> None:
    """Replace a file as a whole: a temporary file beside it, then one rename.

    A link stays a link; its target is replaced. Raises ``OSError`` when the file
    cannot be written or has changed since it was read; it is then untouched. An
    interrupt waits until the file is replaced and nothing is left beside it.
    """
    target = path.resolve()
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with _interrupts_wait():
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".nograd-fix.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            owner = target.stat()
            with suppress(AttributeError, PermissionError):  # Windows has no owners; only root gives files away
                os.chown(name, owner.st_uid, owner.st_gid)
            shutil.copymode(target, name)
            if target.read_bytes() != before:
                raise OSError(errno.EBUSY, "changed on disk while it was being fixed")
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Python raises ``KeyboardInterrupt`` between any two steps, also before a ``try`` is entered."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting:
            signal.raise_signal(signal.SIGINT)
