"""Each edit, carried out on small programs."""

from __future__ import annotations

import libcst as cst
import pytest

from flake8_nograd.edits import (
    ENABLE_GRAD,
    Decorate,
    DropArgument,
    Edit,
    Fix,
    MoveDecoratorDown,
    Remove,
    Rename,
    RenameArgument,
    Replace,
    Split,
    Unwrap,
    Wrap,
    WrapBody,
    WrapRest,
)
from flake8_nograd.fixing import fixed


def statement(module: cst.Module, *path: int) -> cst.CSTNode:
    """The statement at a path of indexes: the second of the body of the first is ``0, 1``."""
    node: cst.CSTNode = module
    for index in path:
        if isinstance(node, (cst.With, cst.FunctionDef, cst.ClassDef, cst.If, cst.For)):
            node = node.body
        node = node.body[index]  # type: ignore[attr-defined]
    return node


def value(module: cst.Module, *path: int) -> cst.BaseExpression:
    """The expression of an expression statement."""
    line = statement(module, *path)
    assert isinstance(line, cst.SimpleStatementLine)
    assert isinstance(line.body[0], cst.Expr)
    return line.body[0].value


def mend(before: str, *edits_of: list[Edit], module: cst.Module) -> str:
    fixes = [Fix(tuple(edits), True, "mended") for edits in edits_of]
    changed, applied = fixed(module, fixes)
    return changed.code if applied else before


def one(before: str, make: object) -> str:
    module = cst.parse_module(before)
    return mend(before, make(module), module=module)  # type: ignore[operator]


def test_wrap_rest() -> None:
    before = "import torch\ntorch.no_grad()  # why\na = 1\n# b\nb = 2\n"
    after = one(before, lambda m: [Remove(statement(m, 1)), WrapRest(statement(m, 1))])
    assert after == "import torch\n# why\nwith torch.no_grad():\n    a = 1\n    # b\n    b = 2\n"


def test_wrap_rest_of_nothing_is_refused() -> None:
    before = "import torch\ntorch.no_grad()\n"
    assert one(before, lambda m: [WrapRest(statement(m, 1))]) == before


def test_wrap_body_leaves_the_docstring() -> None:
    before = 'import torch\n\n\ndef f():\n    """Why."""\n    yield 1\n'
    after = one(before, lambda m: [WrapBody(statement(m, 1))])
    assert after == 'import torch\n\n\ndef f():\n    """Why."""\n    with torch.no_grad():\n        yield 1\n'


def test_remove_the_only_statement() -> None:
    assert one("def f():\n    torch\n", lambda m: [Remove(statement(m, 0, 0))]) == "def f():\n    pass\n"


def test_a_pair_becomes_a_block() -> None:
    before = "import torch\n\noff()\na = 1\n# on again\non()\nb = 2\n"
    after = one(before, lambda m: [Remove(statement(m, 1)), Wrap((statement(m, 2),)), Remove(statement(m, 3))])
    assert after == "import torch\n\nwith torch.no_grad():\n    a = 1\n# on again\nb = 2\n"


def test_unwrap_dissolves_the_block() -> None:
    before = "if x:\n    # outer\n    with a():  # inner\n        b()\n\n        c()\n    d()\n"
    after = one(before, lambda m: [Unwrap(statement(m, 0, 0).items[0])])  # type: ignore[attr-defined]
    assert after == "if x:\n    # outer\n    # inner\n    b()\n\n    c()\n    d()\n"


def test_unwrap_one_of_several() -> None:
    before = "with a(), b() as c:\n    d()\n"
    assert one(before, lambda m: [Unwrap(m.body[0].items[1].item)]) == "with a():\n    d()\n"  # type: ignore[attr-defined]
    assert one(before, lambda m: [Unwrap(m.body[0].items[0].item)]) == "with b() as c:\n    d()\n"  # type: ignore[attr-defined]


def test_unwrap_a_decorator() -> None:
    before = "@a\n# why\n@b()\ndef f(): pass\n"
    assert one(before, lambda m: [Unwrap(m.body[0].decorators[1])]) == "@a\n# why\ndef f(): pass\n"  # type: ignore[attr-defined]
    assert one(before, lambda m: [Unwrap(m.body[0].decorators[0])]) == "# why\n@b()\ndef f(): pass\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("before", "code", "after"),
    [
        ("(a + b)\n", "{0}.detach()", "(a + b).detach()\n"),
        ("a + b\n", "{0}.detach()", "(a + b).detach()\n"),
        ("f(x)\n", "{torch.no_grad}()", "torch.no_grad()\n"),
        ("with_(a)(b)\n", "{0}()", "with_(a)(b)()\n"),
        ("a\n", "not code (", "a\n"),
    ],
)
def test_replace_an_expression(before: str, code: str, after: str) -> None:
    start = "import torch\n"
    assert one(start + before, lambda m: [Replace(value(m, 1), code)]) == start + after


def test_replace_a_statement_and_wrap_it() -> None:
    before = "import torch\n# step\nw = w - 1  # why\n"
    after = one(before, lambda m: [Replace(statement(m, 1), "w -= 1"), Wrap((statement(m, 1),))])
    assert after == "import torch\n# step\nwith torch.no_grad():\n    w -= 1  # why\n"


def test_replace_one_of_several_on_a_line() -> None:
    after = one("a == 1; b\n", lambda m: [Replace(m.body[0].body[0], "a = 1")])  # type: ignore[attr-defined]
    assert after == "a = 1; b\n"


def test_replace_two_on_a_line_is_refused() -> None:
    assert one("a == 1; b\n", lambda m: [Replace(m.body[0], "a = 1")]) == "a == 1; b\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("with a() and b():\n    c()\n", "with a(), b():\n    c()\n"),
        ("with a() and b() and (c and d) as x:\n    c()\n", "with a(), b(), (c and d) as x:\n    c()\n"),
        ("with a() or b() as x, d():\n    c()\n", "with a() as x, b(), d():\n    c()\n"),
        ("with a() and (\n    b()):\n    c()\n", "with a() and (\n    b()):\n    c()\n"),
    ],
)
def test_split(before: str, after: str) -> None:
    assert one(before, lambda m: [Split(m.body[0].items[0])]) == after  # type: ignore[attr-defined]


def test_rename() -> None:
    assert one("a.b.c\n", lambda m: [Rename(value(m, 0), "d")]) == "a.b.d\n"
    assert one("a\n", lambda m: [Rename(value(m, 0), "d")]) == "a\n"


def test_rename_and_drop_arguments() -> None:
    assert one("f(a, b=1)\n", lambda m: [RenameArgument(value(m, 0), "b", "c")]) == "f(a, c=1)\n"
    assert one("f(a, b=1)\n", lambda m: [DropArgument(value(m, 0), "b")]) == "f(a)\n"
    assert one("f(\n    b=1,\n    c=2,\n)\n", lambda m: [DropArgument(value(m, 0), "c")]) == "f(\n    b=1,\n)\n"
    assert one("f(a)\n", lambda m: [DropArgument(value(m, 0), "c")]) == "f(a)\n"


def test_move_a_decorator_down() -> None:
    before = "class C:\n    @a\n    # why\n    @b\n    def f(self): pass\n"
    after = one(before, lambda m: [MoveDecoratorDown(statement(m, 0, 0).decorators[0])])  # type: ignore[attr-defined]
    assert after == "class C:\n    # why\n    @b\n    @a\n    def f(self): pass\n"


def test_edits_inside_a_wrapped_region_compose() -> None:
    before = "import torch\nfor x in y:\n    z.data.add_(x)\n"

    def edits(module: cst.Module) -> list[Edit]:
        call = value(module, 1, 0)
        return [Replace(call.func.value, "z"), Wrap((statement(module, 1),), ENABLE_GRAD)]  # type: ignore[attr-defined]

    assert one(before, edits) == "import torch\nwith torch.enable_grad():\n    for x in y:\n        z.add_(x)\n"


def test_of_two_fixes_that_collide_the_second_waits() -> None:
    module = cst.parse_module("f(g(a))\n")
    outer = value(module, 0)
    inner = outer.args[0].value  # type: ignore[attr-defined]
    changed, applied = fixed(module, [Fix((Replace(inner, "b"),), True, ""), Fix((Replace(outer, "c"),), True, "")])
    assert (changed.code, applied) == ("f(b)\n", {0})


def test_a_fix_is_made_as_a_whole_or_not_at_all() -> None:
    before = "import torch\n\n\ndef f(): pass\n"
    after = one(before, lambda m: [Decorate(statement(m, 1)), WrapRest(statement(m, 1))])
    assert after == before
