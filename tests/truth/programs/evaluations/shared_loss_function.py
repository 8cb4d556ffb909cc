"""The loss is a function of the file: what training differentiates, evaluation only prints."""

import torch
from torch import nn


def loss_of(output, target):
    return (output - target).pow(2).mean() + 0.1 * (output - target).abs().mean()


def train(model, loader, optimizer):
    model.train()
    for x, y in loader:
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def evaluate(model, loader):
    model.eval()
    total = 0.0
    for x, y in loader:
        total += loss_of(model(x), y).item()
    return total / len(loader)


torch.manual_seed(67)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [(x, x.prod(dim=1, keepdim=True)) for x in (torch.randn(12, 2) for _ in range(4))]
for _ in range(3):
    train(model, loader[:3], optimizer)
    print(f"{evaluate(model, loader[3:]):.6f}")
