"""TENT: at test time the model minimises the entropy of its own predictions."""

import torch
from torch import nn


def softmax_entropy(x):
    return -(x.softmax(1) * x.log_softmax(1)).sum(1)


@torch.enable_grad()  # ensure grads in possible no grad context for testing
def forward_and_adapt(x, model, optimizer):
    outputs = model(x)
    loss = softmax_entropy(outputs).mean(0)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return outputs


def evaluate(model, loader, optimizer):
    model.eval()
    hits = 0
    for x, y in loader:
        outputs = forward_and_adapt(x, model, optimizer)
        hits += (outputs.argmax(1) == y).sum().item()
    return hits


torch.manual_seed(5)
model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [(torch.randn(12, 3), torch.randint(0, 2, (12,))) for _ in range(3)]
for _ in range(2):
    print(evaluate(model, loader, optimizer))
