"""Every case of every rule, put through what must hold for each."""

from __future__ import annotations

import difflib

import libcst as cst
import pytest

from flake8_nograd.engine import Fixed, check, fix
from flake8_nograd.source import Source
from tests.cases import Case, cases

CASES = cases("rules")
FOUND = [case for case in CASES if case.marks]
"""Those in which something is found. In the others nothing is there to be mended, which is what they say."""


def of_each(some: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", some, ids=lambda case: case.name)


def found(case: Case, text: str) -> list[tuple[int, str]]:
    return [(each.line, each.code) for each in check(Source.of(text), case.settings)]


def mended(case: Case, text: str) -> Fixed:
    return fix(Source.of(text), case.settings, unsafe=case.unsafe)


def diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "".join(f"{line}\n" for line in lines if not line.startswith(("---", "+++", "@@")))


@of_each(CASES)
def test_findings_equal_marks(case: Case) -> None:
    assert found(case, case.code) == case.marks


@of_each([case for case in CASES if case.diff])
def test_only_what_is_found_is_mended(case: Case) -> None:
    assert case.marks


@of_each(FOUND)
def test_the_fix_is_the_expected_one(case: Case, request: pytest.FixtureRequest) -> None:
    result = mended(case, case.code)
    assert result.error is None
    change = diff(case.code, result.source.text)
    if request.config.getoption("--update") and change != (case.diff or ""):
        case.record(change)
    else:
        assert change == (case.diff or "")
    cst.parse_module(result.source.text)
    assert {each.code for each in result.remaining} <= {code for _, code in case.marks}
    if change:
        again = mended(case, result.source.text)
        assert again.source.text == result.source.text
        assert not again.fixed


@of_each([case for case in CASES if case.unsafe])
def test_an_unsafe_fix_is_not_applied_unasked(case: Case) -> None:
    unasked = fix(Source.of(case.code), case.settings)
    assert diff(case.code, unasked.source.text) != case.diff


@of_each(CASES)
def test_tabs_and_line_endings_do_not_matter(case: Case) -> None:
    text = case.code.replace("    ", "\t").replace("\n", "\r\n")
    assert found(case, text) == case.marks
    if case.marks:
        after = mended(case, text).source.text
        assert diff(case.code, after.replace("\r\n", "\n").replace("\t", "    ")) == (case.diff or "")
        assert "\n" not in after.replace("\r\n", "")


@of_each(FOUND)
def test_a_comment_silences_and_blocks_the_fix(case: Case) -> None:
    lines = case.code.splitlines()
    for number, _ in case.marks:
        lines[number - 1] = lines[number - 1].split("  # NGR")[0] + "  # noqa"
    text = "\n".join(lines) + "\n"
    result = mended(case, text)
    assert result.source.text == text
    assert not result.remaining
