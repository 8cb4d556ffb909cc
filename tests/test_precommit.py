"""The hooks, run by the real pre-commit in a repository of their own.

pre-commit installs the hook from a copy of this working tree that is committed to a
temporary repository, so the test also holds for changes that are not committed yet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOOP = """import torch
from torch import nn


def evaluate(model: nn.Module, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct
"""
FIXED = LOOP.replace("def evaluate", "@torch.no_grad()\ndef evaluate")
RAISES = """import torch


def step(model, criterion, x, y):
    with torch.no_grad():
        loss = criterion(x, model(x))
    loss.backward()
"""
FINDING = "evaluate.py:8:5: NGR101"


class Project:
    """A git repository whose pre-commit hooks come from a copy of this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.hooks = folder / "hooks"
        # What belongs to the outer repository or commit must not leak into the ones made here.
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
        self.environment = {
            **outer,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "NO_COLOR": "1",
            "PYTHONUTF8": "1",
        }

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "init.defaultBranch=main")
        return self._run("git", *identity, *arguments, cwd=cwd or self.folder, check=True).stdout.strip()

    def pre_commit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(sys.executable, "-m", "pre_commit", *arguments, cwd=self.folder)

    def _run(self, *command: str, cwd: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )
        if check and result.returncode != 0:
            raise AssertionError(f"{command}: {result.stdout}{result.stderr}")
        return result

    def write(self, text: str) -> None:
        (self.folder / "evaluate.py").write_text(text, encoding="utf-8")
        self.git("add", "evaluate.py")

    def read(self) -> str:
        return (self.folder / "evaluate.py").read_text(encoding="utf-8")


def committed_copy(project: Project) -> str:
    """Commit what is shipped, as it is in the working tree; the commit's id."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "flake8_nograd", project.hooks / "flake8_nograd", ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, project.hooks)
    project.git("init", "--quiet", cwd=project.hooks)
    project.git("add", "--all", cwd=project.hooks)
    project.git("commit", "--quiet", "--message", "hooks", cwd=project.hooks)
    return project.git("rev-parse", "HEAD", cwd=project.hooks)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("precommit"))
    revision = committed_copy(made)
    made.folder.mkdir()
    made.git("init", "--quiet")
    configuration = [
        "repos:",
        f"  - repo: '{made.hooks.as_posix()}'",
        f"    rev: {revision}",
        "    hooks: [{id: nograd-fix}, {id: nograd-check, stages: [manual]}]",
    ]
    (made.folder / ".pre-commit-config.yaml").write_text("\n".join(configuration) + "\n", encoding="utf-8")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "configuration")
    installed = made.pre_commit("install", "--install-hooks")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return made


def test_the_hook_fixes_and_fails_and_then_passes(project: Project) -> None:
    project.write(LOOP)
    first = project.pre_commit("run", "nograd-fix")
    assert first.returncode == 1, first.stdout
    assert "files were modified by this hook" in first.stdout
    assert project.read() == FIXED
    project.git("add", "evaluate.py")
    second = project.pre_commit("run", "nograd-fix")
    assert second.returncode == 0, second.stdout
    assert "Passed" in second.stdout
    assert project.read() == FIXED


def test_a_commit_goes_through_at_the_second_try(project: Project) -> None:
    before = project.git("rev-parse", "HEAD")
    project.write(LOOP)
    with pytest.raises(AssertionError, match="files were modified by this hook"):
        project.git("commit", "--message", "evaluate")
    assert project.git("rev-parse", "HEAD") == before
    project.git("add", "evaluate.py")
    project.git("commit", "--message", "evaluate")
    assert project.git("show", "HEAD:evaluate.py") == FIXED.strip()


def test_the_check_only_reports(project: Project) -> None:
    project.write(LOOP)
    result = project.pre_commit("run", "nograd-check", "--hook-stage", "manual")
    assert result.returncode == 1, result.stdout
    assert FINDING in result.stdout
    assert "files were modified" not in result.stdout
    assert project.read() == LOOP
    project.write(FIXED)
    assert project.pre_commit("run", "nograd-check", "--hook-stage", "manual").returncode == 0


def test_what_cannot_be_fixed_fails_the_commit(project: Project) -> None:
    project.write(RAISES)
    result = project.pre_commit("run", "nograd-fix")
    assert result.returncode == 1, result.stdout
    assert "evaluate.py:7:5: NGR201" in result.stdout
    assert project.read() == RAISES
