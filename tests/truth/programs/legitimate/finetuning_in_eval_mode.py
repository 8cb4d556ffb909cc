"""Batch-norm stays frozen in evaluation mode while the rest is trained."""

import torch
import torch.nn.functional as F
from torch import nn


def finetune(model, loader, epochs):
    model.eval()  # keep the statistics of batch-norm
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        running = 0.0
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"{running:.6f}")


torch.manual_seed(9)
model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
finetune(model, [(torch.randn(8, 4), torch.randint(0, 3, (8,))) for _ in range(3)], 3)
