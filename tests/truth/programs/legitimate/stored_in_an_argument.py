"""Outputs go into a list of the caller, who differentiates them."""

import torch
from torch import nn


def collect(model, loader, outputs):
    model.eval()
    for x in loader:
        outputs.append(model(x))


torch.manual_seed(19)
model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    gathered = []
    collect(model, [torch.randn(5, 3) for _ in range(2)], gathered)
    loss = torch.cat(gathered).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
