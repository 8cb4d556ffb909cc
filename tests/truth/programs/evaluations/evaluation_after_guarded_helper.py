"""A helper returns from inside its own guard; the evaluation that follows has none."""

import torch
from torch import nn


def statistics(model, x):
    with torch.no_grad():
        return model(x).std().item()


def evaluate(model, loader):
    model.eval()
    spread = statistics(model, loader[0][0])
    hits = 0
    for x, y in loader:
        hits += (model(x).argmax(1) == y).sum().item()
    return hits, spread


torch.manual_seed(61)
model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
loader = [(x, (x[:, 0] > 0).long()) for x in (torch.randn(10, 3) for _ in range(4))]
for _ in range(2):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    print(*evaluate(model, loader))
