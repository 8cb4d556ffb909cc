"""What is selected, silenced, ignored and excluded, decided by flake8's own code and by ours."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

import pytest
from flake8.processor import FileProcessor
from flake8.style_guide import Decision, DecisionEngine
from flake8.utils import matches_filename, normalize_path, parse_files_to_codes_mapping
from flake8.violation import Violation
from hypothesis import given
from hypothesis import strategies as st

from flake8_nograd.config import ConfigError, Options, matches, per_file, read_options, selected
from flake8_nograd.noqa import Comments

CODES = st.lists(st.sampled_from(["N", "NGR", "NGR1", "NGR10", "NGR101", "NGR103", "NGR3", "E501", "E"]), max_size=3)
MAYBE = st.none() | CODES


@given(MAYBE, MAYBE, MAYBE, MAYBE)
def test_selection(
    select: list[str] | None, extend: list[str] | None, ignore: list[str] | None, also: list[str] | None
) -> None:
    engine = DecisionEngine(
        argparse.Namespace(
            select=select,
            extend_select=extend,
            ignore=ignore,
            extend_ignore=also,
            extended_default_select=["E", "F", "NGR"],
            extended_default_ignore=["NGR103"],
        )
    )
    options = Options(
        select=None if select is None else tuple(select),
        extend_select=tuple(extend or ()),
        ignore=None if ignore is None else tuple(ignore),
        extend_ignore=tuple(also or ()),
    )
    for code, default in (("NGR101", True), ("NGR103", False), ("NGR301", True)):
        theirs = engine.decision_for(code) is Decision.Selected
        assert selected(code, options, default=default) is theirs, code


LINES = [
    "x = 1  # noqa",
    "x = 1  #noqa",
    "x = 1  #  noqa",
    "x = 1  # NOQA",
    "x = 1  # NoQA: NGR101",
    "x = 1  # noqa:NGR101",
    "x = 1  # noqa : NGR101",
    "x = 1  # noqa: NGR1",
    "x = 1  # noqa: NGR3",
    "x = 1  # noqa : NGR3",
    "x = 1  # noqa: ngr101",
    "x = 1  # NOQA:NGR101,E501",
    "x = 1  # noqa: E501, NGR101",
    "x = 1  # noqa: E501 NGR101",
    "x = 1  # noqa: E501,W291",
    "x = 1  # noqa: E501 because",
    "x = 1  # noqa: because it is so",
    "x = 1  # noqa:  NGR101",
    "x = 1  # noqa:\tNGR101",
    "x = 1  # noqaNGR3",
    "x = 1  # type: ignore # noqa: NGR101",
    "x = '# noqa'",
    'x = """\n1\n"""  # noqa: NGR101',
    "x = f(\n    1,  # noqa: NGR101\n    2,\n)",
    "x = 1 + \\\n    2  # noqa: NGR101",
    "x = 1\n# flake8: noqa",
    "x = 1\n    # flake8: noqa",
    "x = 1\n# flake8: noqa: NGR101",
    "x = 1\n# flake8: noqa: E501",
    "x = 1  # flake8: noqa",
    "x = 1\n# FLAKE8=NOQA",
    "x = (\n# noqa: NGR101",
    "x = 1\n\f\ny = '''\n\x0b\u2028\n'''  # noqa: NGR101\n",
    "x = 1\r\ny = (\r\n2)  # noqa: NGR101\r\n",
    "",
]


@pytest.mark.parametrize("text", LINES)
def test_comments_that_silence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_bytes(text.encode())
    processor = FileProcessor(str(path), argparse.Namespace(**OPTIONS))
    ours = Comments(text)
    for line in range(1, len(processor.lines) + 1):
        violation = Violation("NGR101", str(path), line, 1, "", processor.noqa_line_for(line))
        theirs = processor.should_ignore_file() or violation.is_inline_ignored(disable_noqa=False)
        assert ours.silence(line, "NGR101") is theirs, line


OPTIONS = {
    "disable_noqa": False,
    "hang_closing": False,
    "indent_size": 4,
    "max_line_length": 79,
    "max_doc_length": None,
    "stdin_display_name": "stdin",
    "verbose": 0,
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.py:NGR1",
        "a.py : NGR1, E501",
        "a.py,b.py:NGR1 NGR3",
        "a.py:NGR1\n  tests/*:NGR2,\n",
        "a.py:NGR1,b.py:NGR2 c.py:NGR3",
        "./a.py b:NGR",
    ],
)
def test_files_and_their_codes(text: str) -> None:
    theirs = [(normalize_path(name), tuple(codes)) for name, codes in parse_files_to_codes_mapping(text)]
    assert list(per_file(text)) == theirs


@pytest.mark.parametrize("text", ["a.py", "a.py:", ":NGR1", "a.py::NGR1", "a.py: b.py: NGR1"])
def test_files_without_codes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="per-file-ignores"):
        per_file(text)


@pytest.mark.parametrize("name", ["a.py", "./a.py", "b/a.py", "b", "."])
@pytest.mark.parametrize("pattern", ["a.py", "*.py", "b", "b/*", "./a.py", "*/b/*", "a", "."])
def test_patterns_of_paths(name: str, pattern: str) -> None:
    pattern = normalize_path(pattern)
    assert matches(name, pattern) is matches_filename(name, [pattern], "", logging.getLogger())


def test_the_options_are_those_of_the_nearest_folder_above(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "tox.ini").write_text("[flake8]\nselect = NGR1\nexclude = old, a/new\n")
    (below / "setup.cfg").write_text("[metadata]\nname = x\n")
    options = read_options(below)
    assert options.select == ("NGR1",)
    assert options.exclude == ("old", os.path.join(tmp_path, "a", "new"))
    (below.parent / ".flake8").write_text("[flake8]\nselect =\n")
    assert read_options(below).select == ()
