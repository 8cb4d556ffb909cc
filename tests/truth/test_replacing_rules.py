"""What the pages of NGR305 and NGR306 claim of torch, run on torch."""

# mypy: disable-error-code="no-untyped-call"
# torch leaves ``backward`` untyped

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from flake8_nograd.rules import all_rules

PAGES = {rule.code: rule.documentation for rule in all_rules()}


def cubed() -> tuple[Tensor, Tensor]:
    w = torch.tensor([2.0], requires_grad=True)
    return w, w**3


# --- NGR305: changed through .data ----------------------------------------------------


def test_a_change_through_data_gives_a_wrong_gradient() -> None:
    assert "`w.data.fill_(10)` before `backward()`, the gradient is 300 instead of 12" in PAGES["NGR305"]
    for changed, gradient in (False, 12.0), (True, 300.0):
        w, y = cubed()
        if changed:
            w.data.fill_(10.0)
        y.backward()
        assert w.grad is not None
        assert w.grad.item() == gradient


def test_under_no_grad_it_raises() -> None:
    w, y = cubed()
    with torch.no_grad():
        w.fill_(10.0)
    with pytest.raises(RuntimeError) as raised:
        y.backward()
    quoted = (
        "RuntimeError: one of the variables needed for gradient computation has been modified by an inplace operation"
    )
    assert quoted in PAGES["NGR305"]
    assert f"RuntimeError: {raised.value}".startswith(quoted)


@pytest.mark.parametrize("guard", [nullcontext(), torch.no_grad()])
def test_data_is_hidden_under_no_grad_as_well(guard: AbstractContextManager[object]) -> None:
    w, y = cubed()
    with guard:
        w.data.fill_(10.0)
    y.backward()
    assert w.grad is not None
    assert w.grad.item() == 300.0


def test_between_steps_both_give_the_same_numbers() -> None:
    one, other = cubed()[0], cubed()[0]
    one.data.mul_(0.5).add_(1.0)
    with torch.no_grad():
        other.mul_(0.5).add_(1.0)
    assert torch.equal(one, other)
    assert one.is_leaf
    assert other.is_leaf
    assert other.requires_grad


def test_only_data_can_change_type_and_shape() -> None:
    w, _ = cubed()
    w.data = torch.zeros(3, dtype=torch.float64)
    assert w.shape == (3,)
    with torch.no_grad(), pytest.raises(RuntimeError):
        cubed()[0].copy_(torch.zeros(3))


# --- NGR306: replaced after the optimizer was made ------------------------------------


def trained(*, part: bool) -> tuple[nn.Sequential, Tensor, Tensor]:
    """A model whose part, or parameter, is replaced before a step; the new weight before the step; the old one."""
    model = nn.Sequential(nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    old = model[0].weight
    if part:
        model[0] = nn.Linear(2, 2)
    else:
        model[0].weight = nn.Parameter(old.detach().clone())
    before = model[0].weight.detach().clone()
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    return model, before, old


@pytest.mark.parametrize("part", [True, False])
def test_a_replaced_parameter_is_not_trained(part: bool) -> None:
    model, before, old = trained(part=part)
    assert model[0].weight.grad is not None
    assert torch.equal(model[0].weight, before)
    assert old.grad is None


def test_told_of_it_the_optimizer_trains_it() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.weight = nn.Parameter(torch.ones(2, 2))
    optimizer.add_param_group({"params": [model.weight]})
    model(torch.ones(2)).sum().backward()
    optimizer.step()
    assert not torch.equal(model.weight, torch.ones(2, 2))
