"""What the pages of NGR203, NGR205, NGR206 and NGR207 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import functional

from flake8_nograd.engine import check, fix
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

PAGES = {rule.code: rule.documentation for rule in all_rules()}
X = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
Y = torch.tensor([0, 1, 2, 0, 1])
OFF = [torch.no_grad, torch.inference_mode]


def model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def quotes(code: str, kind: type[Exception], action: Callable[[], object]) -> bool:
    """Whether the page of a rule quotes what torch raises, word by word."""
    with pytest.raises(kind) as raised:
        action()
    return f"{kind.__name__}: {raised.value}" in PAGES[code]


def mended(code: str, *, unsafe: bool) -> str:
    return fix(Source.of(code), unsafe=unsafe).source.text


def defined(code: str) -> dict[str, object]:
    """What a program binds."""
    space: dict[str, object] = {}
    exec(code, space)
    return space


def called(code: str, name: str, *arguments: object) -> object:
    """Define a program's functions and call one."""
    function = defined(code)[name]
    assert callable(function)
    return function(*arguments)


def example(code: str) -> str:
    """The example on the page of a rule."""
    return textwrap.dedent(PAGES[code].partition("Example:\n")[2].partition("\nUse instead:")[0])


# --- NGR203 -----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [Tensor.detach, Tensor.detach_, lambda loss: loss.data, torch.tensor])
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
def test_a_detached_loss_raises(cut: Callable[[Tensor], Tensor]) -> None:
    module = model()
    loss = cut(F.cross_entropy(module(X), Y))
    assert quotes("NGR203", RuntimeError, loss.backward)
    assert quotes("NGR203", RuntimeError, lambda: torch.autograd.backward(loss))
    assert quotes("NGR203", RuntimeError, lambda: torch.autograd.grad(loss, module.weight))


def test_numbers_and_arrays_have_no_backward() -> None:
    loss = F.cross_entropy(model()(X), Y)
    assert quotes("NGR203", AttributeError, lambda: getattr(loss.item(), "backward"))  # noqa: B009
    assert not hasattr(loss.detach().numpy(), "backward")


def test_what_is_computed_from_it_may_have_a_graph() -> None:
    image = torch.ones(2, requires_grad=True)
    (image * image.detach() * image.sum().item()).sum().backward()
    assert image.grad is not None


def test_the_fix_of_data_trains() -> None:
    class Optimizer(torch.optim.SGD):
        pass

    code = example("NGR203")
    module = model()
    optimizer = Optimizer(module.parameters(), lr=1.0)
    assert quotes("NGR203", RuntimeError, lambda: called(code, "step", module, optimizer, X, Y))
    before = module.weight.detach().clone()
    called(mended(code, unsafe=False), "step", module, optimizer, X, Y)
    assert not torch.equal(module.weight, before)


# --- NGR205 -----------------------------------------------------------------------------


def test_enable_grad_does_not_lift_inference_mode() -> None:
    module = model()
    with torch.inference_mode():
        with torch.enable_grad():
            assert torch.is_grad_enabled()
            loss = module(X).sum()
        assert quotes("NGR205", RuntimeError, loss.backward)
        assert quotes("NGR205", RuntimeError, lambda: torch.autograd.grad(loss, module.weight))
        torch.set_grad_enabled(True)
        assert not module(X).requires_grad
        with torch.inference_mode(False):
            module(X).sum().backward()
    assert module.weight.grad is not None


def square(tensor: Tensor) -> Tensor:
    return tensor**2


def squares(tensor: Tensor) -> Tensor:
    return (tensor**2).sum()


ONES = torch.ones(3)
FUNCTIONAL: dict[str, Callable[[], object]] = {
    "jacobian": lambda: functional.jacobian(square, ONES),
    "hessian": lambda: functional.hessian(squares, ONES),
    "vjp": lambda: functional.vjp(square, ONES, ONES)[1],
    "jvp": lambda: functional.jvp(square, ONES, ONES)[1],
    "hvp": lambda: functional.hvp(squares, ONES, ONES)[1],
    "vhp": lambda: functional.vhp(squares, ONES, ONES)[1],
}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functional_gives_zeros_in_inference_mode_alone(name: str) -> None:
    assert f"`{name}`" in PAGES["NGR205"]
    with torch.no_grad():
        right = FUNCTIONAL[name]()
    with torch.inference_mode():
        wrong = FUNCTIONAL[name]()
    assert isinstance(right, Tensor)
    assert isinstance(wrong, Tensor)
    assert right.any()
    assert not wrong.any()


@pytest.mark.parametrize("mode", OFF)
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_torch_func_is_right_in_both(mode: Callable[[], AbstractContextManager[object]]) -> None:
    with mode():
        assert torch.func.grad(squares)(ONES).any()
        assert torch.func.jacrev(square)(ONES).any()
        assert torch.func.hessian(squares)(ONES).any()


def test_the_fix_of_the_outer_block_lets_the_inner_one_work() -> None:
    code = example("NGR205")
    assert quotes("NGR205", RuntimeError, lambda: called(code, "attack", model(), F.cross_entropy, X, Y))
    clean, attacked = called(mended(code, unsafe=False), "attack", model(), F.cross_entropy, X, Y)  # type: ignore[misc]
    assert not torch.equal(clean, attacked)
    assert not clean.requires_grad


def test_the_fix_of_a_jacobian_gives_numbers() -> None:
    code = (
        "import torch\nfrom torch.autograd.functional import jacobian\n\n\n"
        "def linearize(f, x):\n    with torch.inference_mode():\n        return jacobian(f, x)\n"
    )
    before = called(code, "linearize", square, ONES)
    after = called(mended(code, unsafe=True), "linearize", square, ONES)
    assert isinstance(before, Tensor)
    assert isinstance(after, Tensor)
    assert not before.any()
    assert torch.equal(after, 2 * torch.eye(3))


# --- NGR206 -----------------------------------------------------------------------------


def test_the_fix_of_a_helper_lets_it_go_back() -> None:
    code = example("NGR206")
    assert [each.code for each in check(Source.of(code))] == ["NGR206"]
    loader = [(X, Y)]
    assert quotes("NGR206", RuntimeError, lambda: called(code, "robustness", model(), F.cross_entropy, loader))
    right = called(mended(code, unsafe=True), "robustness", model(), F.cross_entropy, loader)
    assert isinstance(right, int)


def test_the_fix_changes_nothing_where_gradients_are_on() -> None:
    code = example("NGR206")
    before = called(code, "perturbed", model(), F.cross_entropy, X, Y)
    after = called(mended(code, unsafe=True), "perturbed", model(), F.cross_entropy, X, Y)
    assert isinstance(before, Tensor)
    assert isinstance(after, Tensor)
    assert torch.equal(before, after)


def test_the_fix_does_not_help_in_inference_mode() -> None:
    function = defined(mended(example("NGR206"), unsafe=True))["perturbed"]
    assert callable(function)
    with torch.inference_mode(), pytest.raises(RuntimeError):
        function(model(), F.cross_entropy, X, Y)


# --- NGR207: the mode that Lightning runs a step under ----------------------------------


@pytest.mark.parametrize("mode", OFF)
def test_a_step_without_gradients_raises(mode: Callable[[], AbstractContextManager[object]]) -> None:
    def forces() -> None:
        positions = X.clone().requires_grad_()
        torch.autograd.grad(model()(positions).sum(), positions)

    with mode():
        assert quotes("NGR207", RuntimeError, forces)
        with torch.enable_grad():
            if mode is torch.inference_mode:
                assert quotes("NGR207", RuntimeError, forces)
            else:
                forces()
