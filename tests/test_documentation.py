"""The generated documentation is in step with the rules, and the README with the command and the options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flake8_nograd.cli import main
from tests import documentation

ROOT = documentation.ROOT
DOCUMENTS = documentation.documents()


@pytest.mark.parametrize("path", DOCUMENTS, ids=Path.as_posix)
def test_is_in_step(path: Path) -> None:
    written = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""
    assert written == DOCUMENTS[path], "run python -m tests.documentation"


def test_no_page_is_left_of_a_rule_that_is_gone() -> None:
    assert documentation.stale_pages() == []


def test_a_readme_without_a_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="rules"):
        documentation.readme("# flake8-nograd\n")


def test_flags_in_the_readme_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    offered = set(re.findall(r"--[a-z][a-z0-9-]+", capsys.readouterr().out))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(("nograd-fix ", "| `"))]
    named = {flag for line in lines for flag in re.findall(r"--[a-z][a-z0-9-]+", line)}
    assert named
    assert named <= offered


def test_options_in_the_readme_are_those_that_are_read() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| Option | Meaning |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    source = (ROOT / "flake8_nograd" / "config.py").read_text(encoding="utf-8")
    assert named == set(re.findall(r'values\.get\("([a-z-]+)"', source))


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), f"{name}: {target}"


def rooms() -> list[str]:
    """The paths that CONTRIBUTING.md shows as a tree."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.partition("### Rooms\n\n```\n")[2].partition("```")[0]
    paths: list[str] = []
    above: list[str] = []
    for line in tree.splitlines():
        above[(len(line) - len(line.lstrip())) // 2 :] = [line.split()[0]]
        paths.append("".join(above))
    return paths


def test_rooms_in_contributing_exist() -> None:
    for path in rooms():
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_every_module_stands_in_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "flake8_nograd"
    for path in package.rglob("*.py"):
        if path != package / "__init__.py" and path.parent.name != "rules" and path.name != "__init__.py":
            assert f"| `{path.relative_to(package).with_suffix('').as_posix()}` |" in text
