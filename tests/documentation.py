"""What of the documentation is generated: ``python -m tests.documentation`` writes it, a test checks it.

README.md: the table of rules, and what the command says of the examples.
CONTRIBUTING.md: the modules, by layer, from their docstrings and the layer contract.
docs/rules/: one page for each rule, from the docstring of its module, and one for NGR000.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from flake8_nograd.engine import NOT_ANALYSED
from flake8_nograd.rule import Rule
from flake8_nograd.rules import all_rules

ROOT = Path(__file__).parent.parent
PAGES = Path("docs", "rules")
_CODE = ("Example", "Use instead")
"""Sections that hold Python; the others hold prose."""
_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]*):\n\n(?P<body>(?:    .*\n|\n)+)", re.MULTILINE)


def documents() -> dict[Path, str]:
    """Each generated file, below the root of the repository, as it should be."""
    pages = {PAGES / f"{rule.code}.md": page(rule) for rule in _documented()}
    return {
        Path("README.md"): readme((ROOT / "README.md").read_text(encoding="utf-8")),
        Path("CONTRIBUTING.md"): contributing((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")),
        **pages,
    }


def _documented() -> tuple[Rule, ...]:
    """Every rule that a finding may link to."""
    return (NOT_ANALYSED, *all_rules())


def readme(text: str) -> str:
    """The README with the parts between its markers written anew."""
    parts = {
        "rules": table(),
        "findings": f"```\n$ nograd-fix --check examples\n{command('--check', 'examples').rstrip()}\n```",
        "diff": f"```diff\n{command('--diff', 'examples').rstrip()}\n```",
    }
    return _replaced(text, parts)


def contributing(text: str) -> str:
    """The contributors' page with its list of modules written anew."""
    return _replaced(text, {"modules": "\n".join(["| Module | What it knows |", "| --- | --- |", *_layers()])})


def _layers() -> Iterator[str]:
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\nlayers = [\n")[2].partition("]")[0]
    for layer in re.findall(r'^    "(.+)",$', contract, re.MULTILINE):
        for name in layer.split(" | "):
            path = ROOT / "flake8_nograd" / name
            if path.is_dir():
                yield from _room(path, name)
            else:
                yield _module(path.with_suffix(".py"), name)


def _room(path: Path, name: str) -> Iterator[str]:
    """A package and what is in it; of the rules, which the README lists, the package alone."""
    yield _module(path / "__init__.py", f"{name}/")
    if name == "rules":
        return
    for each in sorted(path.iterdir()):
        if (each / "__init__.py").exists():
            yield from _room(each, f"{name}/{each.name}")
        elif each.suffix == ".py" and each.name != "__init__.py":
            yield _module(each, f"{name}/{each.stem}")


def _module(path: Path, name: str) -> str:
    documentation = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return f"| `{name}` | {documentation.partition(chr(10))[0].replace('``', '`').rstrip('.')} |"


def _replaced(text: str, parts: Mapping[str, str]) -> str:
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"there is no part {begin.strip()} ... {end}")
        text = f"{before}{begin}{part}\n{end}{after}"
    return text


def table() -> str:
    """One row for each rule: its code, its name, the first line of its page, and whether it is on by default."""
    rows = [
        f"| {rule.code} | {rule.name} | {_first_line(rule).rstrip('.')} | {'on' if rule.default else 'off'} |"
        for rule in all_rules()
    ]
    return "\n".join(["| Code | Name | What it finds | Default |", "| --- | --- | --- | --- |", *rows])


def page(rule: Rule) -> str:
    """The docstring of a rule as Markdown: its sections become headings, its examples code."""
    off = "" if rule.default else "Off by default: `extend-select` turns it on.\n\n"
    body = _SECTION.sub(_section, rule.documentation.strip() + "\n")
    body = re.sub(r"\n{3,}(?=## )", "\n\n", body)
    return f"# {rule.code}: {rule.name}\n\n{off}{body.strip()}\n"


def _section(found: re.Match[str]) -> str:
    lines = [line.removeprefix("    ") for line in found["body"].strip("\n").splitlines()]
    body = "\n".join(lines)
    return f"## {found['title']}\n\n" + (f"```python\n{body}\n```\n\n" if found["title"] in _CODE else f"{body}\n\n")


def _first_line(rule: Rule) -> str:
    return rule.documentation.strip().splitlines()[0]


def command(*arguments: str) -> str:
    """What nograd-fix writes to standard output when it is run in the repository."""
    result = subprocess.run(
        [sys.executable, "-m", "flake8_nograd", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if result.returncode not in {0, 1}:
        raise RuntimeError(result.stderr)
    return result.stdout


def stale_pages() -> list[Path]:
    """Pages of rules that are no more."""
    wanted = {f"{rule.code}.md" for rule in _documented()}
    return [path.relative_to(ROOT) for path in sorted((ROOT / PAGES).glob("*.md")) if path.name not in wanted]


def main() -> None:
    """Write every generated file that is not as it should be, and remove pages of rules that are no more."""
    for path, text in documents().items():
        target = ROOT / path
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path.as_posix()}")
    for path in stale_pages():
        (ROOT / path).unlink()
        print(f"removed {path.as_posix()}")


if __name__ == "__main__":
    main()
