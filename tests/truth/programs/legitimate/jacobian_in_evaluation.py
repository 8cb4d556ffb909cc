"""Slopes of a model in evaluation mode: ``functional.jacobian`` and ``torch.func`` make their own graphs."""

import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.func import grad, vmap


def lipschitz(model, loader):
    model.eval()
    worst = 0.0
    for x in loader:
        worst = max(worst, torch.linalg.matrix_norm(jacobian(model, x[0]), 2).item())
    return worst


def slopes(model, x):
    model.eval()
    return vmap(grad(lambda each: model(each).sum()))(x)


torch.manual_seed(14)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
print(f"{lipschitz(model, [torch.randn(2, 3) for _ in range(3)]):.6f}")
print(slopes(model, torch.ones(2, 3)).tolist())
