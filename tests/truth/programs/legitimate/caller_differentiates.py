"""``predict`` runs in evaluation mode; a caller asks for the gradient of what it returns."""

import torch
from torch import nn


def predict(model, x):
    model.eval()
    return model(x)


def saliency(model, x):
    x = x.clone().requires_grad_(True)
    predict(model, x).max(dim=1).values.sum().backward()
    return x.grad.abs()


def sensitivity(model, batches):
    outputs = [predict(model, x) for x in batches]
    total = torch.cat(outputs).sum()
    return [g.norm().item() for g in torch.autograd.grad(total, list(model.parameters()))]


torch.manual_seed(12)
model = nn.Sequential(nn.Linear(3, 5), nn.Dropout(), nn.Tanh(), nn.Linear(5, 2))
print(saliency(model, torch.ones(2, 3)).tolist())
print([round(norm, 5) for norm in sensitivity(model, [torch.randn(4, 3) for _ in range(3)])])
