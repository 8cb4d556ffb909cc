"""An inner function adds up what the outer one differentiates."""

import torch
from torch import nn


def fit(model, loader, optimizer):
    total = 0.0

    def evaluate():
        nonlocal total
        model.eval()
        total = 0.0
        for x in loader:
            total = total + model(x).pow(2).mean()

    for _ in range(3):
        evaluate()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        print(f"{total.item():.6f}")


torch.manual_seed(21)
model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1))
fit(model, [torch.randn(5, 3) for _ in range(2)], torch.optim.SGD(model.parameters(), lr=0.1))
