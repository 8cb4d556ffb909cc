"""The command and the plugin, run as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BAD = """import torch
from torch import nn


def evaluate(model: nn.Module, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct
"""
GOOD = BAD.replace("def evaluate", "@torch.no_grad()\ndef evaluate")
RAISES = """import torch


def step(model, criterion, x, y):
    with torch.no_grad():
        loss = criterion(x, model(x))
    loss.backward()
"""


def run(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, input=stdin, capture_output=True, env=environment, check=False
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    return path


def test_fixes_in_place_and_then_has_nothing_to_do(bad: Path) -> None:
    assert run("flake8_nograd", "bad.py", cwd=bad.parent).returncode == 0
    assert bad.read_text() == GOOD
    before = bad.stat().st_mtime_ns
    assert run("flake8_nograd", ".", cwd=bad.parent).returncode == 0
    assert bad.stat().st_mtime_ns == before


@pytest.mark.parametrize("flag", ["--diff", "--check"])
def test_writes_nothing(bad: Path, flag: str) -> None:
    result = run("flake8_nograd", flag, "bad.py", cwd=bad.parent)
    assert result.returncode == 1
    assert bad.read_text() == BAD


def test_json_has_the_shape_of_ruff(bad: Path) -> None:
    result = run("flake8_nograd", "--check", "--output-format", "json", "bad.py", cwd=bad.parent)
    (row,) = json.loads(result.stdout)
    assert set(row) == {"code", "message", "filename", "location", "end_location", "fix", "url"}
    assert (row["code"], row["location"]) == ("NGR101", {"row": 8, "column": 5})
    assert row["fix"] == {"applicability": "safe", "message": "Run the function under no_grad"}


def test_what_cannot_be_fixed_remains(tmp_path: Path) -> None:
    (tmp_path / "loss.py").write_text(RAISES)
    result = run("flake8_nograd", "loss.py", cwd=tmp_path)
    assert result.returncode == 1
    assert b"loss.py:7:5: NGR201 `loss` was made under no_grad on line 6" in result.stdout


@pytest.mark.parametrize(
    ("name", "data"),
    [("syntax.py", b"import torch\ndef f(:\n"), ("bytes.py", b"# torch\nx = '\xff'\n"), ("null.py", b"torch\0")],
)
def test_trouble_is_told_and_harms_nothing(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    result = run("flake8_nograd", name, cwd=tmp_path)
    assert result.returncode == 2
    assert name.encode() in result.stdout + result.stderr
    assert path.read_bytes() == data


def test_bom_and_line_endings_survive(tmp_path: Path) -> None:
    path = tmp_path / "bom.py"
    path.write_bytes(b"\xef\xbb\xbf" + BAD.replace("\n", "\r\n").encode())
    assert run("flake8_nograd", "bom.py", cwd=tmp_path).returncode == 0
    assert path.read_bytes() == b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()


def test_an_encoding_survives(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + BAD.encode())
    assert run("flake8_nograd", "latin.py", cwd=tmp_path).returncode == 0
    assert path.read_bytes() == b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + GOOD.encode()


def test_a_link_stays_a_link_and_the_mode_is_kept(bad: Path) -> None:
    bad.chmod(0o755)
    link = bad.parent / "link.py"
    link.symlink_to(bad)
    assert run("flake8_nograd", "link.py", cwd=bad.parent).returncode == 0
    assert link.is_symlink()
    assert bad.read_text() == GOOD
    assert bad.stat().st_mode & 0o777 == 0o755


def test_standard_input(tmp_path: Path) -> None:
    result = run("flake8_nograd", "-", cwd=tmp_path, stdin=BAD.encode())
    assert (result.returncode, result.stdout) == (0, GOOD.encode())


@pytest.mark.parametrize("arguments", [["--select", "XYZ", "."], ["nowhere.py"], ["--explain", "NGR999"], []])
def test_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    assert run("flake8_nograd", *arguments, cwd=tmp_path).returncode == 2


def test_selection(bad: Path) -> None:
    assert run("flake8_nograd", "--ignore", "NGR1", "--check", "bad.py", cwd=bad.parent).returncode == 0
    assert run("flake8_nograd", "--select", "NGR3", "--check", "bad.py", cwd=bad.parent).returncode == 0
    assert run("flake8_nograd", "--select", "NGR10", "--check", "bad.py", cwd=bad.parent).returncode == 1


def test_project_wrappers_are_read_by_both_faces(tmp_path: Path) -> None:
    text = "from ours import quiet\n" + BAD.replace("def evaluate", "@quiet()\ndef evaluate")
    (tmp_path / "own.py").write_text(text)
    assert run("flake8", "--select", "NGR", "own.py", cwd=tmp_path).returncode == 1
    (tmp_path / "setup.cfg").write_text("[flake8]\nno-grad-wrappers = quiet, other\n")
    assert run("flake8", "--select", "NGR", "own.py", cwd=tmp_path).returncode == 0
    assert run("flake8_nograd", "--check", "own.py", cwd=tmp_path).returncode == 0


def test_flake8_counts_from_one(bad: Path) -> None:
    result = run("flake8", "--isolated", "--select", "NGR", "-j", "2", "bad.py", cwd=bad.parent)
    assert result.stdout.decode().startswith("bad.py:8:5: NGR101 `model` is evaluated in a loop over `loader`")


def test_flake8_reads_standard_input(tmp_path: Path) -> None:
    result = run("flake8", "--isolated", "--select", "NGR", "-", cwd=tmp_path, stdin=BAD.encode())
    assert b"stdin:8:5: NGR101" in result.stdout


def test_flake8_silences(bad: Path) -> None:
    bad.write_text(BAD.replace("in loader:", "in loader:  # noqa: NGR101"))
    for command in (["flake8", "--isolated", "--select", "NGR"], ["flake8_nograd", "--check", "--isolated"]):
        assert run(*command, "bad.py", cwd=bad.parent).returncode == 0


def test_a_sum_of_many_terms_does_not_abort(bad: Path) -> None:
    bad.write_text(BAD + "\ntotal = " + " + ".join(["a"] * 700) + "\n")
    result = run("flake8_nograd", "--check", "--isolated", "bad.py", cwd=bad.parent)
    assert b"NGR101" in result.stdout
    assert b"NGR000" not in result.stdout


def test_both_faces_report_the_same(bad: Path) -> None:
    (bad.parent / "loss.py").write_text(RAISES)
    flake8 = run("flake8", "--isolated", "--select", "NGR", "bad.py", "loss.py", cwd=bad.parent)
    ours = run("flake8_nograd", "--isolated", "--check", "--output-format", "concise", ".", cwd=bad.parent)
    assert sorted(flake8.stdout.splitlines()) == sorted(ours.stdout.splitlines())


def test_codemod(bad: Path) -> None:
    result = run(
        "libcst.tool", "codemod", "--no-format", "-x", "flake8_nograd.codemod.FixGradMode", "bad.py", cwd=bad.parent
    )
    assert result.returncode == 0, result.stderr
    assert bad.read_text() == GOOD


def test_github_annotations(bad: Path) -> None:
    result = run("flake8_nograd", "--check", "--isolated", "--output-format", "github", "bad.py", cwd=bad.parent)
    assert result.stdout.startswith(b"::error title=nograd-fix (NGR101),file=bad.py,line=8,col=5,endLine=")


def test_sarif(bad: Path) -> None:
    result = run("flake8_nograd", "--check", "--isolated", "--output-format", "sarif", "bad.py", cwd=bad.parent)
    ran = json.loads(result.stdout)["runs"][0]
    assert [each["ruleId"] for each in ran["results"]] == ["NGR101"]
    assert ran["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 8
    assert [each["id"] for each in ran["tool"]["driver"]["rules"]] == ["NGR101"]


def test_says_what_it_fixed(bad: Path) -> None:
    result = run("flake8_nograd", "--isolated", "bad.py", cwd=bad.parent)
    assert b"bad.py:8:5: fixed NGR101 " in result.stdout
