"""nograd-fix on files that are not as one would wish, and where writing goes wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flake8_nograd import cli, files
from flake8_nograd.cli import INTERRUPTED, Outcome, main
from flake8_nograd.config import Options
from tests.test_faces import BAD, GOOD, RAISES

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parent.parent)}
"""Of the commands that tests start."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")


def put(name: str, text: str | bytes = BAD) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def standard_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    "text",
    [
        BAD,
        BAD.replace("\n", "\r\n"),
        BAD.rstrip("\n"),
        "\ufeff" + BAD,
        BAD.replace("import torch\n", "import torch\n\f\n# \x0b \u2028\n"),
        b"# -*- coding: latin-1 -*-\n" + BAD.replace("    model.eval", "    # \xe9\n    model.eval").encode("latin-1"),
    ],
    ids=["plain", "crlf", "no newline at the end", "bom", "form feed", "latin-1"],
)
@pytest.mark.parametrize("name", ["a.py", "a b.py"])
@pytest.mark.parametrize("tool", ["patch", "git"])
def test_a_diff_can_be_applied(
    text: str | bytes, name: str, tool: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    put(name, text)
    assert main(["--diff", "--isolated", name]) == 1
    command = {"patch": ["patch", "-p0", "--binary"], "git": ["git", "apply", "-p0"]}[tool]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{tool} is not installed")
    shutil.copy(name, "other.py")
    subprocess.run(command, input=capfdbinary.readouterr().out, check=True, stdout=subprocess.DEVNULL)
    assert main(["--isolated", "other.py"]) == 0
    assert Path(name).read_bytes() == Path("other.py").read_bytes()
    assert Path(name).read_bytes() != (text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_loses_nothing(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put("bad.py")

    def full(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["--isolated", "bad.py"]) == 2
    assert path.read_text() == BAD
    assert os.listdir() == ["bad.py"]
    told = capsys.readouterr()
    assert f"nograd-fix: bad.py: {os.strerror(code)}" in told.err
    assert "fixed NGR101" not in told.out


def test_an_interrupt_while_writing_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("bad.py")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    assert main(["--isolated", "bad.py"]) == INTERRUPTED
    assert path.read_text() == BAD
    assert os.listdir() == ["bad.py"]


def test_a_file_that_changes_meanwhile_is_left_alone() -> None:
    path = put("bad.py")
    with pytest.raises(OSError, match="changed on disk"):
        files.replace(path, b"something else", b"new")
    assert path.read_text() == BAD


def test_a_file_that_must_not_be_written_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put("bad.py")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert main(["--isolated", "bad.py"]) == 2
    assert path.read_text() == BAD
    assert "nograd-fix: bad.py: Permission denied" in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put("open/bad.py")
    put("closed/bad.py")
    scandir = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert main(["--isolated", "."]) == 2
    assert Path("open/bad.py").read_text() == GOOD
    assert "closed: Permission denied" in capsys.readouterr().err


def test_one_file_with_several_names_is_fixed_once(capsys: pytest.CaptureFixture[str]) -> None:
    path = put("bad.py")
    Path("link.py").symlink_to("bad.py")
    assert main(["--isolated", "bad.py", "./bad.py", str(path.resolve()), "."]) == 0
    assert path.read_text() == GOOD
    assert capsys.readouterr().out.count("fixed NGR101") == 1


def test_broken_links_are_told_and_pipes_passed_by(capsys: pytest.CaptureFixture[str]) -> None:
    put("bad.py")
    Path("broken.py").symlink_to("nowhere.py")
    os.mkfifo("pipe.py")
    assert main(["--isolated", "."]) == 2
    assert Path("bad.py").read_text() == GOOD
    assert "nograd-fix: broken.py: No such file or directory" in capsys.readouterr().err


def test_a_path_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--isolated", "nowhere.py"]) == 2
    assert capsys.readouterr().err == "nograd-fix: nowhere.py: No such file or directory\n"


@pytest.mark.parametrize("text", ["", "\n", "\f\n", "\ufeff", "# torch\n", "import torch"])
def test_files_with_hardly_anything_in_them(text: str) -> None:
    path = put("a.py", text)
    assert main(["--isolated", "a.py"]) == 0
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize(
    "expression",
    ["(" * 5000 + ")" * 5000, "-" * 20000 + "1", "not " * 20000 + "1", " + ".join(["a"] * 20000), "a" + ".b" * 2000],
    ids=["brackets", "minus", "not", "sum", "attributes"],
)
@pytest.mark.parametrize("flag", ["--check", "--diff"])
def test_what_is_nested_too_deeply_is_told(expression: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    put("deep.py", f"import torch\nx = {expression}\n")
    put("bad.py")
    assert main(["--isolated", flag, "deep.py", "bad.py"]) == 2
    told = capsys.readouterr()
    assert "deep.py:1:1: NGR000 cannot be analysed: an expression is nested too deeply" in told.out + told.err
    assert "bad.py" in told.out


def test_user_code_is_never_run() -> None:
    put("torch.py", "open('ran', 'w')\n")
    put("libcst.py", "open('ran', 'w')\n")
    put("bad.py", BAD + "open('ran', 'w')\n")
    command = [str(Path(sys.executable).with_name("nograd-fix")), "--isolated", "."]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run([str(Path(sys.executable).with_name("flake8")), "--isolated", "."], check=False, capture_output=True)
    assert not Path("ran").exists()
    assert Path("bad.py").read_text() == GOOD + "open('ran', 'w')\n"


def test_a_pipe_that_closes_early_gives_no_traceback() -> None:
    for number in range(60):
        put(f"bad{number}.py")
    for options in ("--check", "--diff", "--list-rules", "--check --output-format json"):
        line = f"{sys.executable} -m flake8_nograd --isolated {options} . | head -n 1"
        result = subprocess.run(["sh", "-c", line], env=ENVIRONMENT, capture_output=True, check=True)
        assert b"Traceback" not in result.stderr
        assert b"BrokenPipe" not in result.stderr


def test_an_interrupt_leaves_each_file_whole() -> None:
    text = "".join(BAD.replace("def evaluate", f"def evaluate{number}") for number in range(20))
    for number in range(30):
        put(f"bad{number}.py", text)
    command = [sys.executable, "-m", "flake8_nograd", "--isolated", "-j", "2", "."]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert "Traceback" not in out + error
    assert process.returncode in {INTERRUPTED, 0}
    assert {Path(name).read_text() for name in os.listdir() if name.endswith(".py")} <= {
        text,
        "".join(GOOD.replace("def evaluate", f"def evaluate{number}") for number in range(20)),
    }
    assert [name for name in os.listdir() if not name.startswith("bad")] == []


@pytest.mark.parametrize("step", ["tempfile.mkstemp", "os.fdopen", "os.fsync", "shutil.copymode", "os.replace"])
def test_an_interrupt_between_two_steps_leaves_nothing_beside_the_file(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("a.py")
    module, name = step.split(".")
    does = getattr(getattr(files, module), name)

    def then_interrupted(*given: object, **named: object) -> object:
        result = does(*given, **named)
        signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(getattr(files, module), name, then_interrupted)
    # A shell ignores interrupts of what it runs in the background, and so would the tests there.
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            files.replace(path, BAD.encode(), GOOD.encode())
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, outside)
    assert os.listdir() == ["a.py"]
    assert path.read_text() == GOOD


def test_the_order_does_not_depend_on_the_number_of_processes(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        put(f"{number % 3}/bad{number}.py", BAD if number % 2 else RAISES)
    outputs = set()
    for jobs in ("1", "2", "3"):
        assert main(["--isolated", "--check", "-j", jobs, "."]) == 1
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
    assert main(["--isolated", "-j", "-1", "."]) == 2


def test_standard_input_has_the_name_that_is_given(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    put("setup.cfg", "[flake8]\nexclude = old\nper-file-ignores = tests/*: NGR1\n")
    for name, flags, expected in (
        ("src/a.py", [], (0, GOOD)),
        ("tests/a.py", [], (0, BAD)),
        ("old", [], (0, BAD)),
        ("old", ["--check"], (0, "")),
    ):
        standard_input(monkeypatch, BAD)
        code = main(["-", "--stdin-filename", name, *flags])
        assert (code, capfdbinary.readouterr().out.decode()) == expected, name
    standard_input(monkeypatch, RAISES)
    assert main(["-", "--stdin-filename", "x.py", "--check"]) == 1
    assert capfdbinary.readouterr().out.startswith(b"x.py:7:5: NGR201")
    standard_input(monkeypatch, BAD)
    assert main(["-", "--stdin-filename", "x.py", "--diff"]) == 1
    assert capfdbinary.readouterr().out.startswith(b"--- x.py\n+++ x.py\n")
    standard_input(monkeypatch, BAD)
    assert main(["-", "--check", "--output-format", "json"]) == 1
    assert json.loads(capfdbinary.readouterr().out)[0]["filename"] == "<stdin>"
    standard_input(monkeypatch, "import torch\ndef f(:\n")
    assert main(["-"]) == 2
    out, error = capfdbinary.readouterr()
    assert out == b"import torch\ndef f(:\n"
    assert error.startswith(b"<stdin>:2:")


def test_what_the_project_excludes_is_left_out_even_if_it_is_named() -> None:
    put("setup.cfg", "[flake8]\nextend-exclude = old.py, vendor\n")
    for name in ("old.py", "vendor/a.py", "build/b.py", "src/c.py"):
        put(name)
    assert main(["old.py", "vendor", "."]) == 0
    assert [Path(name).read_text() == GOOD for name in ("old.py", "vendor/a.py", "build/b.py", "src/c.py")] == [
        False,
        False,
        False,
        True,
    ]
    assert main(["build/b.py"]) == 0
    assert Path("build/b.py").read_text() == GOOD


@pytest.mark.parametrize(
    "section",
    ["torch-version = new", "select = ngr", "ignore = NGR1x", "per-file-ignores = a.py", "no = 1\nno = 2"],
)
def test_bad_configuration_is_told(section: str, capsys: pytest.CaptureFixture[str]) -> None:
    put("bad.py")
    put("tox.ini", f"[flake8]\n{section}\n")
    assert main(["bad.py"]) == 2
    assert capsys.readouterr().err.startswith("nograd-fix: ")
    assert Path("bad.py").read_text() == BAD
    assert main(["--isolated", "bad.py"]) == 0


def test_flake8_tells_of_a_bad_version() -> None:
    put("bad.py")
    command = [sys.executable, "-m", "flake8", "--isolated", "--torch-version", "new", "bad.py"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "torch-version: 'new' is not a version such as 2.1" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_flags_replace_the_options_of_the_project() -> None:
    put("bad.py")
    put("setup.cfg", "[flake8]\nignore = NGR1\n")
    assert main(["--check", "bad.py"]) == 0
    assert main(["--check", "--ignore", "NGR3", "bad.py"]) == 1
    assert main(["--check", "--ignore", "NGR3", "--extend-ignore", "NGR101", "bad.py"]) == 0
    assert main(["--check", "--extend-select", "NGR101", "bad.py"]) == 1


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    put("bad.py")

    def coloured(*flags: str) -> bool:
        main(["--isolated", "--check", "bad.py", *flags])
        return "\033[" in capsys.readouterr().out

    assert not coloured()
    assert coloured("--color", "always")
    monkeypatch.delenv("NO_COLOR")
    assert not coloured()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert coloured()
    assert not coloured("--color", "never")
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")
    assert coloured()
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured()


def test_a_terminal_that_lacks_letters_is_no_reason_to_stop() -> None:
    put("bad.py", BAD.replace("in loader:", "in loader:  # \u03c0"))
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "flake8_nograd", "--isolated", "--check", "."]
    result = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert result.returncode == 1
    assert b"# \\u03c0" in result.stdout


def test_annotations_escape_what_would_end_them(capsys: pytest.CaptureFixture[str]) -> None:
    put("a,b:c%.py")
    assert main(["--isolated", "--check", "--output-format", "github", "a,b:c%.py"]) == 1
    assert "file=a%2Cb%3Ac%25.py,line=8" in capsys.readouterr().out
    put("good.py", GOOD)
    assert main(["--isolated", "--check", "--output-format", "github", "good.py"]) == 0
    assert capsys.readouterr().out == ""


def test_sarif_has_what_its_schema_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    put("a b%.py")
    assert main(["--isolated", "--check", "--output-format", "sarif", "a b%.py"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "nograd-fix"
    assert run["columnKind"] == "unicodeCodePoints"
    known = {each["id"] for each in run["tool"]["driver"]["rules"]}
    for each in run["results"]:
        assert each["ruleId"] in known
        assert each["message"]["text"]
        assert each["level"] in {"none", "note", "warning", "error"}
        place = each["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "a%20b%25.py"
        region = place["region"]
        assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])
        assert min(region.values()) >= 1


def test_the_summary_counts(capsys: pytest.CaptureFixture[str]) -> None:
    put("bad.py")
    main(["--isolated", "--check", "bad.py"])
    assert capsys.readouterr().err == "Found 1 error; 1 can be fixed.\n"
    main(["--isolated", "bad.py"])
    assert capsys.readouterr().err == "Found 1 error (1 fixed, 0 remaining).\n"
    main(["--isolated", "bad.py"])
    assert capsys.readouterr().err == "All checks passed.\n"
    put("broken.py", b"# torch \xff")
    main(["--isolated", "broken.py"])
    assert "All checks passed" not in capsys.readouterr().err


def test_the_documentation_of_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", "ngr101"]) == 0
    assert capsys.readouterr().out.startswith("# eval-loop-with-grad (NGR101)\n")
    assert main(["--explain", "NGR999"]) == 2
    assert "NGR999 is no rule" in capsys.readouterr().err
    assert main(["--list-rules"]) == 0
    assert re.search(r"^NGR000  file-not-analysed$", capsys.readouterr().out, re.MULTILINE)


def test_a_file_without_torch_costs_flake8_nothing() -> None:
    from flake8_nograd.engine import check
    from flake8_nograd.source import Source

    body = "".join(BAD.replace("def evaluate", f"def evaluate{number}") for number in range(50))

    def seconds(text: str) -> float:
        start = time.perf_counter()
        check(Source.of(text))
        return time.perf_counter() - start

    assert seconds(body.replace("torch", "other")) * 100 < seconds(body)


def examine_until_killed(path: Path, options: Options, *, unsafe: bool) -> Outcome:
    if path.name == "b.py":
        os.kill(os.getpid(), signal.SIGKILL)
    return EXAMINE(path, options, unsafe=unsafe)


EXAMINE = cli.examine


@pytest.mark.parametrize("how", ["text", "json"])
def test_a_process_that_is_killed(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As systems do that run out of memory. What no process has looked at, is said and left as it is."""
    names = [*(f"a{number}.py" for number in range(4)), "b.py", "c.py"]
    for name in names:
        put(name)
    monkeypatch.setattr(cli, "examine", examine_until_killed)
    assert main(["--isolated", "--jobs", "2", "--output-format", how, "."]) == 2
    out, err = capsys.readouterr()
    said = re.search(r"^nograd-fix: (\S+): a process was killed", err, re.M)
    assert said
    assert "Traceback" not in out + err
    examined = names[: names.index(said[1])]
    for name in names:
        assert (Path(name).read_text() != BAD) is (name in examined)


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("--check bad.py >&-", 1, "Found 1 error; 1 can be fixed.\n"),
        ("--check - <&-", 2, "nograd-fix: standard input is closed\n"),
    ],
)
def test_closed_streams(arguments: str, code: int, said: str) -> None:
    """As services start what needs none."""
    put("bad.py")
    command = ["sh", "-c", f'exec "$0" -m flake8_nograd --isolated {arguments}', sys.executable]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("how", ["text", "json"])
def test_a_report_that_cannot_be_written(how: str) -> None:
    put("bad.py")
    command = [sys.executable, "-m", "flake8_nograd", "--isolated", "--check", "--output-format", how, "bad.py"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"nograd-fix: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell")
def test_a_folder_that_is_gone() -> None:
    """What fails is no file, and not the output: nothing is named."""
    command = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m flake8_nograd a.py', sys.executable]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"nograd-fix: {os.strerror(errno.ENOENT)}\n")
