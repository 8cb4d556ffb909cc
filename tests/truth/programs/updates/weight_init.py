"""Weights are set in place by a function that ``apply`` hands each module."""

import torch
import torch.nn as nn


def init_weights(m):
    if isinstance(m, nn.Linear):
        m.weight.fill_(0.25)
        m.weight[0] = 1.0
        if m.bias is not None:
            m.bias.zero_()


torch.manual_seed(7)
model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
model.apply(init_weights)
print([p.tolist() for p in model.parameters()])
x = torch.ones(1, 3)
model(x).sum().backward()
print([p.grad.tolist() for p in model.parameters()])
