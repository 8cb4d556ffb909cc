"""A hook is registered on the output of each batch: without gradients, torch refuses it."""

import torch
from torch import nn


def evaluate(model, loader, watch):
    model.eval()
    hits = 0
    for x, y in loader:
        output = model(x)
        output.register_hook(watch)
        hits += (output.argmax(dim=1) == y).sum().item()
    return hits


torch.manual_seed(101)
model = nn.Linear(2, 2)
print(evaluate(model, [(torch.randn(6, 2), torch.randint(0, 2, (6,))) for _ in range(3)], print))
