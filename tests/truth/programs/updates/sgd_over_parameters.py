"""Stochastic gradient descent by hand, in a loop over the parameters of a module."""

import torch
from torch import nn

torch.manual_seed(1)
x, y = torch.randn(32, 3), torch.randn(32, 1)
model = nn.Linear(3, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
learning_rate = 0.1


def loss_fn(prediction, target):
    return ((prediction - target) ** 2).mean()


for step in range(5):
    loss = loss_fn(model(x), y)
    model.zero_grad()
    loss.backward()
    for param in model.parameters():
        param -= learning_rate * param.grad
    print(step, f"{loss.item():.6f}")
