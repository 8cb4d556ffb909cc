"""The ecosystem command's own judgement, on inline files; nothing is fetched."""

from __future__ import annotations

import ast
import io
import tarfile
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

from flake8_nograd.source import Source
from tests.ecosystem.__main__ import main
from tests.ecosystem.agreement import flake8_places, json_places
from tests.ecosystem.findings import functions
from tests.ecosystem.guards import Guards, Scope
from tests.ecosystem.judgements import Judgement, total, worths
from tests.ecosystem.packages import SHORT, Package, chosen, pinned, unpack
from tests.ecosystem.recall import outcomes
from tests.ecosystem.recording import Excuse, Kind, Recording
from tests.ecosystem.removal import Remover
from tests.ecosystem.restoring import Restored, restored
from tests.ecosystem.verdicts import (
    VERDICTS,
    Judged,
    Verdict,
    compared,
    fingerprint,
    precision,
    read,
    written,
)


def only_scope(text: str) -> tuple[Guards, Scope]:
    guards = Guards(ast.parse(text))
    (scope,) = guards.scopes()
    return guards, scope


def kind_of(text: str, filename: str = "train.py") -> Kind:
    guards, scope = only_scope(dedent(text))
    return Recording(guards, filename).kind(scope)


def excuse_of(text: str, number: int = 0) -> Excuse:
    guards = Guards(ast.parse(dedent(text)))
    return Recording(guards).excuse(guards.scopes()[number])


# --- Packages -------------------------------------------------------------------------

ELSEWHERE = """
    timm peft accelerate diffusers trl captum pytorch-ignite mosaicml torchtune torchtitan allennlp
    fairseq detectron2 dgl torch-geometric stable-baselines3 speechbrain deepxde torchdiffeq
    learn2learn robustness torchattacks open-clip-torch segmentation-models-pytorch vit-pytorch
    denoising-diffusion-pytorch sentence-transformers pytorch-lightning lightning litgpt ogb
    catalyst salesforce-lavis basicsr yolov5 botorch pyro-ppl skorch
"""
"""Packages that are left out, since they serve to measure us elsewhere."""


def test_the_list_is_long_sorted_and_leaves_out_what_serves_elsewhere() -> None:
    names = [each.name for each in chosen()]
    assert len(names) >= 60
    assert names == sorted(set(names))
    assert not set(names) & set(ELSEWHERE.split())
    assert set(SHORT) <= set(names)


def test_pins_are_read_and_others_refused() -> None:
    assert pinned("# those\nflair==0.1  # why\n\n") == (Package("flair", "0.1"),)
    with pytest.raises(ValueError, match="not a pin"):
        pinned("flair>=0.1")
    with pytest.raises(ValueError, match="not in"):
        chosen(["no-such-package"])


def test_only_python_files_are_unpacked_and_none_outside(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tarred:
        for name in ("a/b.py", "../evil.py", "/evil.py", "a/data.txt"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tarred.addfile(member, io.BytesIO(b"x=1\n"))
        link = tarfile.TarInfo("a/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tarred.addfile(link)
    target = tmp_path / "files"
    target.mkdir()
    assert unpack(archive, target) == 1
    assert [each.name for each in tmp_path.rglob("*.py")] == ["b.py"]
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as zipped:
        zipped.writestr("c.py", "y=1\n")
        zipped.writestr("../evil.py", "y=1\n")
    assert unpack(wheel, target) == 1


# --- Guards ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "switch", "expected"),
    [
        ("import torch", "torch.no_grad()", True),
        ("import torch as t", "t.autograd.no_grad()", True),
        ("from torch import no_grad as ng", "ng()", True),
        ("from torch.autograd import no_grad", "no_grad()", True),
        ("import torch", "torch.set_grad_enabled(False)", True),
        ("import torch", "torch.set_grad_enabled(mode=False)", True),
        ("import torch", "torch.set_grad_enabled(phase == 'train')", False),
        ("import torch", "torch.inference_mode(True)", True),
        ("import torch", "torch.inference_mode(flag)", False),
        ("import torch", "torch.enable_grad()", False),
        ("import paddle as torch", "torch.no_grad()", False),
        ("from .tools import no_grad", "no_grad()", False),
    ],
)
def test_a_scope_is_torchs_and_certain(imports: str, switch: str, expected: bool) -> None:
    guards = Guards(ast.parse(f"{imports}\nwith {switch}:\n    pass\n"))
    assert bool(guards.scopes()) is expected


def test_a_nested_function_is_not_guarded_by_the_with_it_stands_in() -> None:
    guards = Guards(ast.parse("import torch\nwith torch.no_grad():\n    model(x)\n    def f():\n        model(x)\n"))
    calls = [node for node in ast.walk(guards.tree) if isinstance(node, ast.Call) and ast.unparse(node) == "model(x)"]
    assert sorted(bool(list(guards.guards_of(call))) for call in calls) == [False, True]


# --- Removal --------------------------------------------------------------------------

WHOLE = '''\
import torch

# above
@torch.no_grad()
def f(m):
    # before
    with torch.no_grad():
        # first
        a = """x
  y"""
        m(a)
    with torch.no_grad(), open("x") as g:
        m(g)
    with (
        open("y"),
        torch.no_grad(),
    ):
        m(1)
    with torch.no_grad(): m(2); m(3)
'''


@pytest.mark.parametrize(
    ("number", "old", "new", "shift", "last"),
    [
        (0, "@torch.no_grad()\ndef f", "def f", 1, 18),
        (
            1,
            '    with torch.no_grad():\n        # first\n        a = """x\n  y"""\n        m(a)\n',
            '    # first\n    a = """x\n  y"""\n    m(a)\n',
            1,
            10,
        ),
        (2, "with torch.no_grad(), open", "with open", 0, 13),
        (3, '        open("y"),\n        torch.no_grad(),\n', '        open("y"),\n        ', 1, 17),
        (4, "with torch.no_grad(): m(2); m(3)", "m(2); m(3)", 0, 19),
    ],
)
def test_one_scope_is_taken_out_and_nothing_else(number: int, old: str, new: str, shift: int, last: int) -> None:
    scope = Guards(ast.parse(WHOLE)).scopes()[number]
    removed = Remover(WHOLE).without(scope)
    ast.parse(removed.text)
    assert "".join(removed.text.split()) == "".join(WHOLE.replace(old, new, 1).split())
    assert removed.text.count("\n") == WHOLE.count("\n") - removed.shift
    assert removed.shift == shift
    assert removed.last == last
    assert removed.moved(scope.line - 1) == scope.line - 1
    assert removed.moved(scope.end + 1) == scope.end + 1 - shift


# --- Classes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (
            Kind.EVAL_LOOP,
            """
            import torch
            @torch.no_grad()
            def run(model, loader):
                model.eval()
                for x in loader:
                    model(x)
            """,
        ),
        (
            Kind.EVAL_LOOP,
            """
            import torch
            def run(m, loader):
                m.train(False)
                for x in loader:
                    with torch.no_grad():
                        m(x)
            """,
        ),
        (
            Kind.EVAL_SINGLE,
            """
            import torch
            def run(self, x):
                self.m.eval()
                with torch.no_grad():
                    return self.m(x)
            """,
        ),
        (
            Kind.LOOP_BY_NAME,
            """
            import torch
            def validate(model, loader):
                with torch.no_grad():
                    for x in loader:
                        model(x)
            """,
        ),
        (
            Kind.UPDATE,
            """
            import torch
            def step(params, model, lr):
                with torch.no_grad():
                    for p in model.parameters():
                        p -= lr * p.grad
            """,
        ),
        (
            Kind.UPDATE,
            """
            import torch
            @torch.no_grad()
            def ema(a, b):
                for p, q in zip(a.parameters(), b.parameters()):
                    p.mul_(0.9).add_(q)
            """,
        ),
        (
            Kind.UPDATE_WEIGHT,
            """
            import torch
            def init(layer):
                with torch.no_grad():
                    layer.weight[0] = 1
            """,
        ),
        (
            Kind.UPDATE,
            """
            import torch
            def init(layer):
                if isinstance(layer, (nn.Linear, nn.Conv2d)):
                    with torch.no_grad():
                        layer.weight[0] = 1
            """,
        ),
        (
            Kind.UPDATE,
            """
            import torch
            class Scaled(torch.nn.Linear):
                def reset(self):
                    with torch.no_grad():
                        self.weight.fill_(1)
            """,
        ),
        (
            Kind.EVAL_LOOP,
            """
            import torch
            def collect(net, loader):
                net.eval()
                for x in loader:
                    with torch.no_grad():
                        avalanche_forward(net, x)
            """,
        ),
        (
            Kind.OTHER,
            """
            import torch
            class A:
                def collect(self, loader):
                    self.eval()
                    with torch.no_grad():
                        for x in loader:
                            self.create_collator(x)
                            exists(self.model)
            """,
        ),
        (
            Kind.UPDATE_ELSEWHERE,
            """
            import torch
            def init(self, x):
                with torch.no_grad():
                    self.running.mul_(0.1)
            """,
        ),
        (
            Kind.OTHER,
            """
            import torch
            def init(layer):
                with torch.no_grad():
                    torch.nn.init.zeros_(layer.weight)
                    layer.weight.data.zero_()
            """,
        ),
        (
            Kind.OTHER,
            """
            import torch
            def train(model, x):
                with torch.no_grad():
                    model(x)
            """,
        ),
    ],
)
def test_a_removal_has_a_class(expected: Kind, text: str) -> None:
    assert kind_of(text) is expected


def test_tests_are_a_class_of_their_own_and_test_scripts_are_not() -> None:
    text = "import torch\ndef test(model, loader):\n    model.eval()\n    with torch.no_grad():\n        model(1)\n"
    assert kind_of(text, "tests/run.py") is Kind.TESTS
    assert kind_of(text, "scripts/test_model.py") is Kind.EVAL_SINGLE
    assert kind_of(text.replace("def test(", "def test_it("), "pkg/test_model.py") is Kind.TESTS


def test_silence_is_excused_where_the_guard_stands_elsewhere() -> None:
    nested = """
        import torch
        @torch.no_grad()
        def f(model):
            with torch.no_grad():
                model(1)
    """
    assert excuse_of(nested, 1) is Excuse.NESTED
    callers = """
        import torch
        class A:
            @torch.no_grad()
            def f(self, model):
                model(1)
            def g(self, model):
                self.f(model)
            @torch.no_grad()
            def h(self, model):
                self.g(model)
    """
    assert excuse_of(callers, 0) is Excuse.CALLERS
    assert excuse_of(callers.replace("@torch.no_grad()\n            def h", "def h"), 0) is Excuse.NONE
    namesake = (
        callers
        + """
        class B:
            def f(self, model):
                pass
            def g(self, model):
                self.f(model)
    """
    )
    assert excuse_of(namesake, 0) is Excuse.CALLERS
    assert excuse_of(namesake.replace("self.f(model)\n    ", "A().f(model)\n    "), 0) is Excuse.NONE
    assert excuse_of(namesake.replace("        class B:\n", ""), 0) is Excuse.NONE
    derived = (
        namesake
        + """
        class C(A):
            def e(self, model):
                self.f(model)
    """
    )
    assert excuse_of(derived, 0) is Excuse.NONE
    hook = """
        import torch
        class A(pl.LightningModule):
            @torch.no_grad()
            def validation_step(self, x):
                self.model(x)
    """
    assert excuse_of(hook) is Excuse.FRAMEWORK
    assert excuse_of(hook.replace("validation_step", "on_test_epoch_start")) is Excuse.FRAMEWORK
    assert excuse_of(hook.replace("validation_step", "on_train_epoch_start")) is Excuse.OWN
    called = """
        from pytorch_lightning.callbacks import Callback
        class Plot(Callback):
            def on_validation_end(self, trainer, module):
                self.plot(module, trainer.x)
            @torch.no_grad()
            def plot(self, module, x):
                module(x)
    """
    assert excuse_of(called) is Excuse.CALLERS
    assert excuse_of(called.replace("pytorch_lightning", "others")) is Excuse.NONE
    assert excuse_of(called.replace("on_validation_end", "on_train_end")) is Excuse.NONE
    generate = """
        import torch
        def f(model, x):
            model.eval()
            with torch.no_grad():
                return model.generate(x)
    """
    assert excuse_of(generate) is Excuse.ITSELF
    assert excuse_of(generate.replace("generate(x)", "generate(model(x))")) is Excuse.NONE
    forward = """
        import torch
        class A(nn.Module):
            def forward(self, x):
                self.teacher.eval()
                with torch.no_grad():
                    return self.teacher(x)
    """
    assert excuse_of(forward) is Excuse.FORWARD
    embed = forward.replace("def forward", "def embed")
    assert excuse_of(embed) is Excuse.OWN
    assert excuse_of(embed.replace("nn.Module", "Trainer")) is Excuse.NONE
    assert excuse_of(embed.replace("return self.teacher", "return teacher")) is Excuse.NONE
    assert excuse_of(embed.replace("return self", "y = self") + "                self.teacher.train()\n") is Excuse.NONE
    assert excuse_of(embed.replace("return self", "for y in x: self")) is Excuse.NONE
    entered = generate.replace("return model", "with model.disable_adapter(): return model")
    assert excuse_of(entered) is Excuse.ITSELF


FROZEN_TEACHER = """
    import torch
    class A(Distiller):
        def __init__(self, teacher):
            self.teacher = teacher
            for p in self.teacher.parameters():
                p.requires_grad = False
        def targets(self, x):
            self.teacher.eval()
            x = x.float()
            with torch.no_grad():
                return self.teacher(x)
"""


def test_silence_is_excused_where_the_model_is_frozen() -> None:
    assert excuse_of(FROZEN_TEACHER) is Excuse.FROZEN
    assert excuse_of(FROZEN_TEACHER.replace("p.requires_grad = False", "p.requires_grad_(False)")) is Excuse.FROZEN
    assert excuse_of(FROZEN_TEACHER.replace("teacher(x)", "teacher.features(x)")) is Excuse.FROZEN
    whole = FROZEN_TEACHER.replace("for p in self.teacher.parameters():", "if teacher:")
    assert excuse_of(whole.replace("p.requires_grad = False", "self.teacher.requires_grad_(False)")) is Excuse.FROZEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("p.requires_grad = False", "p.requires_grad = True"),
        ("p.requires_grad = False", "p.requires_grad = teacher.trains"),
        ("p.requires_grad = False", "print(p)"),
        ("p.requires_grad = False", "if p.ndim > 1: p.requires_grad = False"),
        ("self.teacher.parameters()", "self.student.parameters()"),
        ("self.teacher.eval()", "self.teacher.requires_grad_(True)"),
        ("self.teacher.eval()", "self.teacher.requires_grad_()"),
        ("x = x.float()", "x = self.generator(x)"),
        ("teacher(x)", "teacher(self.generator(x))"),
    ],
)
def test_a_graph_is_recorded_of_a_model_that_is_not_frozen_or_by_what_it_is_given(old: str, new: str) -> None:
    assert old in FROZEN_TEACHER
    assert excuse_of(FROZEN_TEACHER.replace(old, new)) is Excuse.NONE


def test_what_one_class_freezes_is_not_frozen_in_another() -> None:
    other = FROZEN_TEACHER.replace("        def targets", "    class B(Distiller):\n        def targets")
    assert excuse_of(other) is Excuse.NONE


# --- Restoring ------------------------------------------------------------------------

GUARDED = """\
import torch
def f(model, loader):
    model.eval()
    with torch.no_grad():
        for x in loader:
            model(x)
        model(0)
    return 1
"""


def test_a_fix_may_guard_more_but_not_less_nor_change_the_rest() -> None:
    _, scope = only_scope(GUARDED)
    whole = """\
import torch
@torch.no_grad()
def f(model, loader):
    model.eval()
    for x in loader:
        model(x)
    model(0)
    return 1
"""
    assert restored(GUARDED, scope, whole) is Restored.WHOLLY
    assert restored(GUARDED, scope, "import torch\n" + whole) is Restored.WHOLLY
    assert restored(GUARDED, scope, whole.replace("return 1", "return 2")) is Restored.CHANGED
    part = GUARDED.replace("        model(0)", "    model(0)")
    assert restored(GUARDED, scope, part) is Restored.PARTLY


def test_a_removal_is_noticed_and_mended() -> None:
    text = """\
import torch


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct
"""
    (outcome,) = outcomes(text)
    assert (outcome.codes, outcome.kind, outcome.restored) == (("NGR101",), Kind.EVAL_LOOP, Restored.WHOLLY)
    assert outcomes("def f(:\n") == []
    assert outcomes("import torch\n") == []


# --- Folders --------------------------------------------------------------------------


def test_folders_of_one_name_are_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "a.py").write_text("import torch\n")
    folders = [str(tmp_path / name / "src") for name in ("one", "two")]
    assert main(["recall", "-j", "1", "--cache", str(tmp_path), "--folders", *folders]) == 0
    assert capsys.readouterr().out.startswith("2 files that mention torch, in 2 packages\n")
    assert main(["recall", "--folders", str(tmp_path / "three")]) == 2
    assert capsys.readouterr().err == f"ecosystem: no folder: {tmp_path / 'three'}\n"


# --- Judgements -----------------------------------------------------------------------


def test_the_judgement_that_is_in_the_way() -> None:
    """An encoder is taken to turn gradients off itself where its result has no graph; of one that acts, nobody says."""
    text = """\
import torch


def play(agent, env):
    agent.eval()
    while not env.done:
        with torch.no_grad():
            env.step((agent.get_actions(env.seen) * 2).cpu().numpy())


def encoded(model, loader):
    model.eval()
    with torch.no_grad():
        return [(model.encode_image(x) * 2).cpu().numpy() for x in loader]


def tokens(model, loader):
    model.eval()
    return [(model.encode_image(x) * 2).cpu().numpy() for x in loader]
"""
    whole = total([worths(Source.of(text)), worths(Source.of("import torch\n")), worths(Source.of("def f(:\n"))])
    assert whole.counted == {Kind.EVAL_LOOP: 1, Kind.EVAL_SINGLE: 1}
    assert whole.noticed == {Kind.EVAL_LOOP: 1}
    judged = whole.of[Judgement("has_no_graph", False)]
    assert (judged.won, judged.come, judged.gone) == ({Kind.EVAL_SINGLE: 1}, 1, 0)
    assert any(line.startswith("has_no_graph ") and line.endswith("1 eval single") for line in whole.table())
    assert Judgement("belongs_to_caller", True) not in whole.of


# --- Verdicts -------------------------------------------------------------------------


def judged(line: str = "for x in loader:", verdict: Verdict = Verdict.UNJUDGED, **given: str) -> Judged:
    function = given.get("function", "evaluate")
    return Judged(
        given.get("package", "flair"),
        given.get("version", "1"),
        "a.py",
        "NGR101",
        function,
        fingerprint("NGR101", line, function),
        verdict,
        given.get("reason", ""),
    )


def test_a_fingerprint_is_of_words_not_of_place() -> None:
    assert fingerprint("NGR101", "  for x in y:\n", "f") == fingerprint("NGR101", "for x  in y:", "f")
    assert fingerprint("NGR101", "for x in y:", "f") != fingerprint("NGR101", "for x in y:", "g")
    assert fingerprint("NGR101", "for x in y:", "f") != fingerprint("NGR102", "for x in y:", "f")


def test_findings_are_compared_with_what_was_said_of_them() -> None:
    recorded = [
        judged(verdict=Verdict.RIGHT, reason="no guard"),
        judged("gone", Verdict.RIGHT),
        judged("gone too", Verdict.FALSE),
        judged("asked", Verdict.UNJUDGED),
        judged("other package", Verdict.RIGHT, package="other"),
    ]
    found = [judged(version="2"), judged(), judged("asked")]
    result = compared(found, recorded, {"flair"})
    assert [each.reason for each in result.judged] == ["no guard"]
    assert [each.version for each in result.judged] == ["2"]
    assert result.unjudged == (judged(), judged("asked"))
    assert [each.fingerprint for each in result.vanished] == [judged("gone").fingerprint]
    assert not result.agrees
    assert compared([judged()], recorded[:1], {"flair"}).agrees


def test_of_a_sampled_rule_not_every_finding_asks_for_a_verdict() -> None:
    found = [judged(), judged("said")]
    result = compared(found, [judged("said", Verdict.RIGHT)], {"flair"}, ["NGR101"])
    assert result.unjudged == ()
    assert result.judged == (judged("said", Verdict.RIGHT),)
    assert compared(found, [], {"flair"}, ["NGR102"]).unjudged == tuple(found)


def test_what_is_arguable_counts_half() -> None:
    rows = [judged(verdict=each) for each in (Verdict.RIGHT, Verdict.RIGHT, Verdict.ARGUABLE, Verdict.FALSE)]
    assert precision(rows)["NGR101"].share == 0.625


def test_the_file_of_verdicts_comes_back_as_it_was_written() -> None:
    rows = (judged("a", Verdict.RIGHT, reason='says "so"\tindeed'), judged("b"))
    text = written(rows)
    assert sorted(each.fingerprint for each in read(text)) == sorted(each.fingerprint for each in rows)
    assert written(read(text)) == text
    with pytest.raises(ValueError, match="columns"):
        read("flair\t1\n")


@pytest.mark.skipif(not VERDICTS.exists(), reason="nothing judged yet")
def test_the_recorded_verdicts_can_be_read() -> None:
    text = VERDICTS.read_text(encoding="utf-8")
    assert {each.package for each in read(text)} <= {each.name for each in chosen()}


def test_the_function_of_a_line_is_the_innermost() -> None:
    text = "class A:\n    @d\n    def f(self):\n        def g():\n            pass\n        x = 1\ny = 1\n"
    at = functions(ast.parse(text))
    assert [at(line) for line in (2, 3, 5, 6, 7)] == ["A.f", "A.f", "A.f.g", "A.f", "<module>"]


def test_both_faces_are_read_as_places() -> None:
    theirs = flake8_places("a:b.py:3:1: NGR101 text\na:b.py:4:1: E501 long\n")
    ours = json_places('[{"filename": "a:b.py", "location": {"row": 3, "column": 1}, "code": "NGR101"}]')
    assert theirs == ours == {("a:b.py", 3, 1, "NGR101")}
