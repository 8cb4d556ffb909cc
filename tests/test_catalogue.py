"""What holds for every rule: its name, its documentation, its page, its row."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest

from flake8_nograd.engine import check, fix
from flake8_nograd.rule import Rule
from flake8_nograd.rules import all_rules
from flake8_nograd.settings import Settings
from flake8_nograd.source import Source
from tests.cases import cases

ROOT = Path(__file__).parent.parent
SETTINGS = {"NGR411": Settings(torch_version=(2, 0))}
"""The options without which a rule has nothing to say."""
each_rule = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)


def section(rule: Rule, title: str) -> str:
    found = re.search(rf"^{title}:\n\n((?:    .*\n|\n)+)", rule.documentation, re.MULTILINE)
    assert found, f"{rule.code} has no section {title!r}"
    return textwrap.dedent(found[1]).strip() + "\n"


def row(rule: Rule) -> str:
    what = rule.documentation.strip().splitlines()[0].rstrip(".")
    return f"| {rule.code} | {rule.name} | {what} | {'on' if rule.default else 'off'} |"


@each_rule
def test_module_is_named_for_the_rule(rule: Rule) -> None:
    module = rule.check.__module__.rsplit(".", 1)[-1]
    assert module == f"{rule.code.lower()}_{re.sub('[-.]', '_', rule.name)}"
    assert sys.modules[rule.check.__module__].__doc__ == rule.documentation


@each_rule
def test_page_has_all_its_parts(rule: Rule) -> None:
    parts = ["Example", "Use instead", "Fix safety", "When to silence it", "References"]
    places = [rule.documentation.index(f"\n{each}:\n") for each in parts]
    assert places == sorted(places)
    assert all(section(rule, each) for each in parts)


@each_rule
def test_example_raises_just_this_code(rule: Rule) -> None:
    assert [each.code for each in check(Source.of(section(rule, "Example")), SETTINGS.get(rule.code))] == [rule.code]


@each_rule
def test_use_instead_raises_none(rule: Rule) -> None:
    assert check(Source.of(section(rule, "Use instead")), SETTINGS.get(rule.code)) == ()


@each_rule
def test_fixing_the_example_gives_what_to_use_instead(rule: Rule) -> None:
    result = fix(Source.of(section(rule, "Example")), SETTINGS.get(rule.code))
    expected = section(rule, "Use instead") if result.fixed else section(rule, "Example")
    assert result.source.text == expected


@each_rule
def test_has_the_other_sections(rule: Rule) -> None:
    section(rule, "When to silence it")
    section(rule, "References")


@each_rule
def test_has_a_page_with_hits_and_silence(rule: Rule) -> None:
    page = [case for case in cases("rules") if case.name.startswith(rule.code.lower())]
    assert any(case.marks for case in page)
    assert any(not case.marks for case in page)


@each_rule
def test_stands_in_the_readme(rule: Rule) -> None:
    assert row(rule) in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_no_rule_that_is_on_yields_to_one_that_is_off() -> None:
    off = {each.code for each in all_rules() if not each.default}
    assert {each.code: each.yields_to for each in all_rules() if each.default and off & set(each.yields_to)} == {}
