"""The plugin and the codemod in this process, and what becomes of errors of our own."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from flake8.main.cli import main as flake8
from libcst.codemod import CodemodContext

from flake8_nograd import engine
from flake8_nograd.cli import main
from flake8_nograd.codemod import FixGradMode
from flake8_nograd.source import Source
from tests.test_faces import BAD, GOOD, RAISES


@pytest.mark.parametrize(
    "selection",
    [
        ["--select", "NGR"],
        ["--select", "NGR1"],
        ["--select", "NGR", "--ignore", "NGR101"],
        ["--select", "NGR101", "--ignore", "NGR"],
        ["--extend-select", "NGR2", "--extend-ignore", "NGR"],
    ],
)
def test_both_faces_report_the_same_for_a_selection(
    selection: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    Path("loss.py").write_text(RAISES)
    flake8(["--isolated", "-j", "1", *selection, "."])
    theirs = [line.removeprefix("./") for line in capsys.readouterr().out.splitlines() if " NGR" in line]
    main(["--isolated", "--check", "--output-format", "concise", *selection, "."])
    assert capsys.readouterr().out.splitlines() == sorted(theirs)


def test_the_codemod_fixes_and_leaves_alone() -> None:
    for text in (BAD, GOOD):
        assert FixGradMode(CodemodContext()).transform_module(cst.parse_module(text)).code == GOOD


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RecursionError(), "an expression is nested too deeply"), (KeyError("x"), "please report it: KeyError: 'x'")],
)
def test_an_error_of_ours_is_a_finding(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(engine, "facts_of", broken)
    (found,) = engine.check(Source.of(BAD))
    assert found.code == "NGR000"
    assert found.message.endswith(reason)


def test_an_error_while_fixing_leaves_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(engine, "fixed", broken)
    result = engine.fix(Source.of(BAD))
    assert result.source.text == BAD
    assert result.error == "internal error while fixing, please report it: KeyError: 'x'"
    assert [each.code for each in result.remaining] == ["NGR101"]


def test_a_fix_that_does_not_parse_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "fixed", lambda *_: (cst.Module([cst.SimpleStatementLine([cst.Expr(Broken())])]), {0}))
    result = engine.fix(Source.of(BAD))
    assert result.source.text == BAD
    assert result.error is not None
    assert result.error.startswith("a fix gave code that does not parse")


def test_fixes_that_call_for_more_fixes_leave_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def longer(module: cst.Module, _: object) -> tuple[cst.Module, set[int]]:
        return cst.parse_module(f"import torch\n{module.code}"), {0}

    monkeypatch.setattr(engine, "fixed", longer)
    result = engine.fix(Source.of(BAD))
    assert (result.source.text, result.fixed) == (BAD, ())
    assert result.error is not None
    assert result.error.startswith("fixes do not come to an end")
    assert [each.code for each in result.remaining] == ["NGR101"]


class Broken(cst.Name):
    """A node whose code is no Python."""

    def __init__(self) -> None:
        super().__init__("broken")

    def _codegen_impl(self, state: object, **_: object) -> None:
        state.add_token("def (")  # type: ignore[attr-defined]
