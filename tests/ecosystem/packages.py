"""The pinned packages: fetched, and their Python files unpacked to a cache outside the repository.

Nothing of a package is ever run. That is why ``pip download`` will not do: it builds
the metadata of a source archive, which runs its ``setup.py``. ``unearth`` only fetches.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PINS = Path(__file__).with_name("packages.txt")
LARGEST = 1_000_000
"""Bytes of a file that is still read: larger ones are tables written as Python."""

SHORT = ("openunmix", "pytorch-fid", "torchensemble", "deepctr-torch", "libmtl")
"""Small packages with evaluation loops, for CI."""


class FetchError(Exception):
    """A package that could not be had."""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One pin."""

    name: str
    version: str

    @property
    def pin(self) -> str:
        """``name==version``."""
        return f"{self.name}=={self.version}"

    def folder(self, cache: Path) -> Path:
        """Where its files are unpacked."""
        return cache / f"{self.name}-{self.version}"


def pinned(text: str) -> tuple[Package, ...]:
    """The pins of a list; comments and blank lines are skipped.

    Raises ``ValueError`` for a line that pins nothing.
    """
    found = []
    for line in text.splitlines():
        pin = line.partition("#")[0].strip()
        if not pin:
            continue
        name, equals, version = pin.partition("==")
        if not equals or not name or not version:
            raise ValueError(f"not a pin: {line!r}")
        found.append(Package(name, version))
    return tuple(found)


def chosen(names: Iterable[str] = ()) -> tuple[Package, ...]:
    """The packages of the list, or those of them that are named.

    Raises ``ValueError`` for a name that is not in the list.
    """
    packages = pinned(PINS.read_text(encoding="utf-8"))
    wanted = set(names)
    unknown = wanted - {each.name for each in packages}
    if unknown:
        raise ValueError(f"not in {PINS.name}: {', '.join(sorted(unknown))}")
    return tuple(each for each in packages if not wanted or each.name in wanted)


def default_cache() -> Path:
    """The user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or (
        os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else str(Path.home() / ".cache")
    )
    return Path(base or Path.home() / ".cache") / "flake8-nograd-ecosystem"


def fetch(package: Package, cache: Path) -> Path:
    """The folder with a package's Python files, fetched first if it is not in the cache.

    The folder appears as a whole or not at all. Raises ``FetchError``.
    """
    folder = package.folder(cache)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as temporary:
        archive = _download(package, Path(temporary) / "archive")
        unpacked = Path(temporary) / "files"
        unpacked.mkdir()
        unpack(archive, unpacked)
        unpacked.rename(folder)
    return folder


def _download(package: Package, folder: Path) -> Path:
    """The archive: a source archive, which carries examples and tests, or else a wheel."""
    where = [option for url in _indexes() for option in ("--index-url", url)]
    said = ""
    for kind in ("--no-binary", "--only-binary"):
        command = [sys.executable, "-m", "unearth", kind, *where, "--download", str(folder), package.pin]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        archives = sorted(folder.iterdir()) if folder.is_dir() else []
        if done.returncode == 0 and len(archives) == 1:
            return archives[0]
        shutil.rmtree(folder, ignore_errors=True)
        said = next(reversed(done.stderr.strip().splitlines()), "not found")
    raise FetchError(f"{package.pin}: {said}")


def _indexes() -> Sequence[str]:
    """The index that pip is told to use, if it is told."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return [url]
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [done.stdout.strip()] if done.returncode == 0 and done.stdout.strip() else []


def unpack(archive: Path, folder: Path) -> int:
    """Write the Python files of an archive below a folder, and nothing else; how many there were.

    Links, devices, and names that lead out of the folder are left out.
    """
    count = 0
    for name, data in _members(archive):
        inside = _inside(name)
        if inside is None:
            continue
        target = folder / inside
        if target.exists() or any(parent.is_file() for parent in target.parents):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        count += 1
    return count


def _inside(name: str) -> Path | None:
    """Where a member goes; ``None`` for what is no Python file, or stands outside."""
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or any(bad in name for bad in ("\\", ":", "\0"))
    return None if odd or path.suffix != ".py" else Path(*path.parts)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind in {0, stat.S_IFREG} and not entry.is_dir() and entry.file_size <= LARGEST:
                    if _inside(entry.filename) is not None:
                        yield entry.filename, zipped.read(entry)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            if member.isreg() and member.size <= LARGEST and _inside(member.name) is not None:
                file = tarred.extractfile(member)
                if file is not None:
                    yield member.name, file.read()


def torch_files(folder: Path) -> tuple[Path, ...]:
    """The files that mention torch, in a fixed order."""
    return tuple(path for path in sorted(folder.rglob("*.py")) if path.is_file() and b"torch" in path.read_bytes())


def shown(path: Path, folder: Path) -> str:
    """A file's name within its package: without the top folder of a source archive, which repeats the pin."""
    parts = path.relative_to(folder).parts
    strip = len(parts) > 1 and len([each for each in folder.iterdir() if each.name != "__pycache__"]) == 1
    return "/".join(parts[1:] if strip else parts)
