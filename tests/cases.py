"""Reads the pages of cases: a heading, why, a ``py`` block with marks, perhaps the expected ``diff``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flake8_nograd.config import settings_of
from flake8_nograd.settings import Settings

_CASE = re.compile(
    r"^## (?P<title>.+?)\n(?P<why>.*?)^```py\n(?P<code>.*?)^```$(?P<rest>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE
)
_DIFF = re.compile(r"^```diff( unsafe)?\n(?P<diff>.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"#((?: NGR\d{3})+)\s*$")
_VERSION = re.compile(r"^With `torch-version = ([\d.]+)`", re.MULTILINE)
"""Above the cases of a page: an option that all of them are run with."""


@dataclass(frozen=True)
class Case:
    """One case of a page."""

    name: str
    code: str
    diff: str | None
    unsafe: bool
    page: Path
    settings: Settings

    @property
    def marks(self) -> list[tuple[int, str]]:
        """The findings that the marks announce, by line."""
        return [
            (number, code)
            for number, line in enumerate(self.code.splitlines(), 1)
            if (found := _MARK.search(line))
            for code in found[1].split()
        ]

    def record(self, change: str) -> None:
        """Write a fix into the page, in place of the one that stands there."""
        text = self.page.read_text(encoding="utf-8")
        before, code, after = text.partition(f"```py\n{self.code}```\n")
        case, heading, others = after.partition("\n## ")
        block = f"```diff{' unsafe' if self.unsafe else ''}\n{change}```\n" if change else ""
        case = "\n" + _DIFF.sub("", case).strip("\n")
        case = f"{case}\n\n{block}" if case.strip() else f"\n{block}"
        if not block:
            case = case.rstrip("\n") + "\n"
        self.page.write_text(before + code + case + heading + others, encoding="utf-8")


def cases(folder: str) -> list[Case]:
    """All cases of a folder of pages."""
    found = []
    for page in sorted((Path(__file__).parent / folder).glob("*.md")):
        text = page.read_text(encoding="utf-8")
        version = _VERSION.search(text)
        settings = settings_of((), version[1] if version else "")
        for case in _CASE.finditer(text):
            diff = _DIFF.search(case["rest"])
            found.append(
                Case(
                    f"{page.stem}: {case['title']}",
                    case["code"],
                    diff["diff"] if diff else None,
                    bool(diff and diff[1]),
                    page,
                    settings,
                )
            )
    return found
