"""Momentum: a velocity for each parameter."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(4)
x, y = torch.randn(24, 3), torch.randn(24, 1)
net = nn.Linear(3, 1)
start = {name: p.detach().clone() for name, p in net.named_parameters()}
velocities = [torch.zeros_like(p) for p in net.parameters()]


def momentum_step(model, velocities, lr=0.05, momentum=0.9):
    for param, velocity in zip(model.parameters(), velocities, strict=True):
        velocity.mul_(momentum).add_(param.grad)
        param.sub_(lr * velocity)
        param.grad.zero_()


for _ in range(5):
    loss = F.mse_loss(net(x), y)
    loss.backward()
    momentum_step(net, velocities)
    print(f"{loss.item():.6f}")
