"""What the pages of NGR601 and NGR602 claim of torch, run on torch."""

from __future__ import annotations

import torch
from torch import nn


def test_no_grad_leaves_dropout_active() -> None:
    torch.manual_seed(0)
    model = nn.Dropout(0.5)
    x = torch.ones(100)
    with torch.no_grad():
        assert not torch.equal(model(x), model(x))
        model.eval()
        assert torch.equal(model(x), model(x))


def test_no_grad_leaves_batch_norm_to_the_batch_and_its_statistics_to_change() -> None:
    model = nn.BatchNorm1d(1)
    x = torch.tensor([[10.0], [12.0]])
    with torch.no_grad():
        out = model(x)
    assert torch.allclose(out.mean(), torch.zeros(()), atol=1e-4)
    assert model.running_mean is not None
    changed = model.running_mean.clone()
    assert changed.item() != 0.0
    with torch.no_grad():
        out = model.eval()(x)
    assert out.mean().item() > 1.0
    assert torch.equal(model.running_mean, changed)


def modes(*, restored: bool) -> list[bool]:
    """Whether the model trains in training mode, by epoch."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    model.train()
    seen = []
    for _ in range(3):
        if restored:
            model.train()
        seen.append(model[1].training)
        model.eval()
    return seen


def test_eval_mode_stays_until_train() -> None:
    assert modes(restored=False) == [True, False, False]
    assert modes(restored=True) == [True, True, True]
