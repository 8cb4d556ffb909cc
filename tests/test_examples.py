"""The examples: what is found in them, and what they do on torch before and after the fix.

torch is needed; without it these tests fail.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NAMES = ("distill.py", "evaluate.py", "sgd.py")
NO_GRAPH = "RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn"
LEAF = "RuntimeError: a leaf Variable that requires grad is being used in an in-place operation."


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples after the safe fixes."""
    folder = tmp_path_factory.mktemp("fixed")
    for name in NAMES:
        shutil.copy(EXAMPLES / name, folder)
    result = run("-m", "flake8_nograd", "--isolated", ".", cwd=folder)
    assert result.returncode == 1
    assert "3 fixed, 1 remaining" in result.stderr
    return folder


def test_there_are_no_others() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(NAMES)


def test_findings() -> None:
    result = run("-m", "flake8_nograd", "--isolated", "--check", "--output-format", "concise", "examples", cwd=ROOT)
    found = re.findall(r"^examples/(\w+\.py):\d+:\d+: (NGR\d{3})", result.stdout, re.MULTILINE)
    assert found == [("distill.py", "NGR201"), ("evaluate.py", "NGR101"), ("sgd.py", "NGR301"), ("sgd.py", "NGR301")]


def test_flake8_finds_the_same() -> None:
    flake8 = run("-m", "flake8", "--isolated", "--select", "NGR101,NGR201,NGR301", "examples", cwd=ROOT)
    ours = run("-m", "flake8_nograd", "--isolated", "--check", "--output-format", "concise", "examples", cwd=ROOT)
    assert sorted(flake8.stdout.splitlines()) == sorted(ours.stdout.splitlines())


def test_the_command_of_the_readme_shows_findings_and_diff() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^python3 -m venv .*nograd-fix.*$", text, re.MULTILINE)
    install, show = line.split(" && (", 1)
    assert "pip install '.[flake8]'" in install
    here = Path(sys.executable).parent.as_posix()
    result = subprocess.run(
        ["sh", "-c", "(" + show.replace(".venv/bin/", shlex.quote(here) + "/")],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for part in ("findings", "diff"):
        block = re.search(rf"^<!-- {part} -->\n```\w*\n(?:\$ [^\n]*\n)?(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        assert block
        assert block[1].strip()
        assert block[1] in result.stdout


def test_the_evaluation_gives_the_same_after_the_fix(fixed: Path) -> None:
    before, after = (run("evaluate.py", cwd=folder) for folder in (EXAMPLES, fixed))
    assert (before.returncode, after.returncode) == (0, 0), before.stderr + after.stderr
    assert before.stdout == after.stdout
    assert "accuracy" in after.stdout


def test_the_evaluation_records_a_graph_until_it_is_fixed(fixed: Path) -> None:
    program = (
        "import torch, evaluate\n"
        "saved = []\n"
        "loader = [(torch.ones(2, 20), torch.ones(2).long())]\n"
        "model = torch.nn.Sequential(torch.nn.Linear(20, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))\n"
        "with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(1) or x, lambda x: x):\n"
        "    evaluate.evaluate(model, loader)\n"
        "print(len(saved))\n"
    )
    before, after = (run("-c", program, cwd=folder) for folder in (EXAMPLES, fixed))
    assert int(before.stdout) > 0, before.stderr
    assert int(after.stdout) == 0, after.stderr


def test_the_update_raises_until_it_is_fixed(fixed: Path) -> None:
    before, after = (run("sgd.py", cwd=folder) for folder in (EXAMPLES, fixed))
    assert before.returncode == 1
    assert before.stderr.rstrip().endswith(LEAF)
    assert after.returncode == 0, after.stderr
    weight, bias = re.findall(r"^weight (.*) bias (.*)$", after.stdout, re.MULTILINE)[0]
    assert (ast.literal_eval(weight), float(bias)) == ([1.0, -2.0, 0.5], 0.3)


def test_the_distillation_raises_and_is_left_alone(fixed: Path) -> None:
    result = run("distill.py", cwd=fixed)
    assert (fixed / "distill.py").read_bytes() == (EXAMPLES / "distill.py").read_bytes()
    assert result.returncode == 1
    assert result.stderr.rstrip().endswith(NO_GRAPH)
    assert "loss.backward()" in result.stderr


def test_the_distillation_runs_once_its_loss_stands_outside(tmp_path: Path) -> None:
    text = (EXAMPLES / "distill.py").read_text(encoding="utf-8")
    (tmp_path / "distill.py").write_text(
        text.replace("        loss = nn.functional.kl_div", "    loss = nn.functional.kl_div"), encoding="utf-8"
    )
    result = run("distill.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)$", result.stdout, re.MULTILINE)]
    assert losses[-1] < losses[0]
    assert run("-m", "flake8_nograd", "--isolated", "--check", "distill.py", cwd=tmp_path).returncode == 0
