"""The outputs leave the function with their graphs: nobody here wants them, but who knows about others."""

import torch
from torch import nn


def predict(model, loader):
    model.eval()
    outputs = []
    for x in loader:
        outputs.append(model(x))  # noqa: PERF401
    return torch.cat(outputs)


torch.manual_seed(53)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
data = [torch.randn(6, 4) for _ in range(3)]
for _ in range(3):
    model.train()
    for x in data:
        optimizer.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).pow(2).mean().backward()
        optimizer.step()
    print(predict(model, data).mean().item())
