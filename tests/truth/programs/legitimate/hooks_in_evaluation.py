"""The Fisher information of a trained model, and a hook that would raise without gradients."""

import torch
import torch.nn.functional as F
from torch import nn


def fisher(model, loader):
    model.eval()
    information = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for x, y in loader:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for name, p in model.named_parameters():
            information[name] += p.grad.detach() ** 2 / len(loader)
    return information


def activation_gradients(model, loader):
    model.eval()
    norms = []
    for x, y in loader:
        hidden = model[0](x)
        hidden.retain_grad()
        loss = F.cross_entropy(model[1:](hidden), y)
        loss.backward()
        norms.append(hidden.grad.norm().item())
    return norms


torch.manual_seed(13)
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
loader = [(torch.randn(6, 4), torch.randint(0, 2, (6,))) for _ in range(3)]
print({name: round(value.sum().item(), 6) for name, value in fisher(model, loader).items()})
print([round(norm, 6) for norm in activation_gradients(model, loader)])
