"""Whether flake8 and nograd-fix report the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

Place = tuple[str, int, int, str]
"""File, row, column, code."""

_LINE = re.compile(r"^(?P<file>.+?):(?P<row>\d+):(?P<column>\d+): (?P<code>NGR\d{3}) ")


def disagreements(files: Sequence[Path], jobs: int) -> tuple[int, tuple[str, ...]]:
    """How many findings both have, and a line for each that one of them lacks."""
    names = [str(each) for each in files]
    ours, theirs = _nograd_fix(names, jobs), _flake8(names, jobs)
    lines = [f"only nograd-fix: {_shown(place)}" for place in sorted(ours - theirs)]
    lines += [f"only flake8: {_shown(place)}" for place in sorted(theirs - ours)]
    return len(ours & theirs), tuple(lines)


def _shown(place: Place) -> str:
    file, row, column, code = place
    return f"{file}:{row}:{column}: {code}"


def _flake8(names: Sequence[str], jobs: int) -> set[Place]:
    options = ["--isolated", "--select", "NGR", "--exclude", "", "-j", str(jobs)]
    return flake8_places(_output([sys.executable, "-m", "flake8", *options, *names]))


def flake8_places(output: str) -> set[Place]:
    """The places in what flake8 prints."""
    found = (_LINE.match(line) for line in output.splitlines())
    return {(each["file"], int(each["row"]), int(each["column"]), each["code"]) for each in found if each}


def _nograd_fix(names: Sequence[str], jobs: int) -> set[Place]:
    options = ["--check", "--isolated", "--output-format", "json", "--select", "NGR", "-j", str(jobs)]
    return json_places(_output([sys.executable, "-m", "flake8_nograd", *options, *names]))


def json_places(output: str) -> set[Place]:
    """The places in the JSON of nograd-fix."""
    rows = json.loads(output)
    return {(row["filename"], row["location"]["row"], row["location"]["column"], row["code"]) for row in rows}


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Traceback" in done.stderr:
        raise RuntimeError(f"{command[2]} failed:\n{done.stderr[-2000:]}")
    return done.stdout
