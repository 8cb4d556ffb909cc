"""Momentum with weight decay: what is added to the gradient depends on the weights, and goes into the state."""

import torch
from torch import nn
from torch.optim.optimizer import Optimizer


class Momentum(Optimizer):
    def __init__(self, params, lr=0.05, momentum=0.9, weight_decay=0.1):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def step(self, closure=None):
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                decayed = p.grad + group["weight_decay"] * p * p.abs()
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(group["momentum"]).add_(decayed)
                p.add_(velocity, alpha=-group["lr"])
        return loss


torch.manual_seed(15)
x, y = torch.randn(20, 3), torch.randn(20, 1)
model = nn.Linear(3, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
optimizer = Momentum(model.parameters())
for _ in range(4):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
