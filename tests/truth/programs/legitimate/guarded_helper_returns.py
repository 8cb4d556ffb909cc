"""A guard ends with the function that it stands in, however that is left: what follows is differentiated."""

import torch
from torch import nn


def baseline(model, x):
    with torch.no_grad():
        return model(x).mean()


def train(model, loader, optimizer):
    for x in loader:
        expected = baseline(model, x)
        loss = (model(x) - expected - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"{loss.item():.6f}")


torch.manual_seed(18)
model = nn.Linear(3, 1)
train(model, [torch.randn(6, 3) for _ in range(3)], torch.optim.SGD(model.parameters(), lr=0.1))
