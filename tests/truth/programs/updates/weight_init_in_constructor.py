"""A network that sets its own weights in place, when it is built."""

import math

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, 1)
        self.gain = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self):
        bound = 1 / math.sqrt(self.first.in_features)
        self.first.weight.uniform_(-bound, bound)
        self.first.bias.fill_(bound)
        self.second.weight.copy_(torch.ones_like(self.second.weight))
        self.second.bias.zero_()
        self.gain.fill_(3)

    def forward(self, x):
        return self.gain * self.second(torch.relu(self.first(x)))


torch.manual_seed(16)
net = Net(4, 3)
net(torch.ones(1, 4)).sum().backward()
print([round(p.grad.norm().item(), 4) for p in net.parameters()])
