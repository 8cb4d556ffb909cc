"""What the pages of NGR302 to 306 and NGR501 to 506 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from flake8_nograd.engine import fix
from flake8_nograd.rules import all_rules
from flake8_nograd.source import Source

PAGES = {rule.code: " ".join(rule.documentation.split()) for rule in all_rules()}


def quotes(code: str, action: Callable[[], object]) -> bool:
    """Whether a page quotes what torch says, wherever its lines break."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the page says which
        action()
    return " ".join(f"{raised.type.__name__}: {raised.value}".split()) in PAGES[code]


def leaf(*size: int) -> Tensor:
    return torch.ones(*(size or (2,)), requires_grad=True)


# --- NGR302: a name is bound to a new tensor ------------------------------------------


def descend(steps: int, *, under_no_grad: bool) -> None:
    w = leaf()
    for _ in range(steps):
        (w * w).sum().backward()
        with torch.set_grad_enabled(not under_no_grad):
            w = w - 0.1 * w.grad


def test_a_rebound_leaf_has_no_gradient_the_next_time() -> None:
    descend(1, under_no_grad=False)
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert quotes("NGR302", lambda: descend(2, under_no_grad=False))


def test_rebound_under_no_grad_it_requires_none() -> None:
    descend(1, under_no_grad=True)
    assert quotes("NGR302", lambda: descend(2, under_no_grad=True))


def test_rebound_under_no_grad_it_is_no_longer_trained_without_a_word() -> None:
    w, other = leaf(), leaf()
    with torch.no_grad():
        w = w - 0.1
    (w * other).sum().backward()
    assert w.grad is None
    assert other.grad is not None


def test_a_module_refuses_a_tensor_as_a_parameter() -> None:
    module = nn.Module()
    module.w = nn.Parameter(torch.ones(2))

    def rebind() -> None:
        module.w = module.w - 0.1

    assert quotes("NGR302", rebind)


def test_in_place_the_leaf_stays_and_other_names_see_it() -> None:
    w = leaf()
    (w * w).sum().backward()
    other = w
    with torch.no_grad():
        w -= 0.1 * w.grad
    assert w.is_leaf
    assert w.requires_grad
    assert other is w


FIT = """
import torch


def fit(x, y, steps):
    w = torch.ones(2, requires_grad=True)
    for _ in range(steps):
        loss = (x @ w - y).pow(2).sum()
        loss.backward()
        w = w - 0.1 * w.grad
    return w
"""


def fitted(text: str, steps: int) -> Tensor:
    names: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {}
    exec(compile(text, "program", "exec"), names)
    return names["fit"](torch.eye(2), torch.zeros(2), steps)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_the_safe_fix_computes_the_same_in_one_turn_and_mends_more() -> None:
    result = fix(Source.of(FIT))
    assert [each.code for each in result.fixed] == ["NGR302"]
    before, after = fitted(FIT, 1), fitted(result.source.text, 1)
    assert torch.equal(before, after)
    assert before.requires_grad
    assert after.requires_grad
    assert quotes("NGR302", lambda: fitted(FIT, 2))
    assert fitted(result.source.text, 2).is_leaf


# --- NGR303: a loop binds its variable ------------------------------------------------


@pytest.mark.parametrize("recorded", [True, False])
def test_binding_the_variable_of_a_loop_changes_no_parameter(recorded: bool) -> None:
    model = nn.Linear(2, 1)
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(2)).sum().backward()
    with torch.set_grad_enabled(recorded):
        for p in model.parameters():
            p = p - 0.1 * p.grad
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_in_place_it_does() -> None:
    model = nn.Linear(2, 1)
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.ones(2)).sum().backward()
    for p in model.parameters():
        with torch.no_grad():
            p -= 0.1 * p.grad
    assert all(torch.equal(old - 0.1, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: nn.init.ones_(p),
        lambda p: p.requires_grad_(False),
        lambda p: p.data.clamp_(0, 1),
    ],
)
def test_what_works_in_place_hands_the_parameter_on(change: Callable[[nn.Parameter], Tensor]) -> None:
    p = nn.Parameter(torch.randn(3))
    assert change(p).data_ptr() == p.data_ptr()
