"""An optimizer of one's own; it is stepped with a closure, and without."""

import torch
from torch.optim import Optimizer


class PlainSGD(Optimizer):
    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d_p = p.grad.add(p, alpha=group["weight_decay"])
                p.add_(d_p, alpha=-group["lr"])
        return loss


torch.manual_seed(8)
x, y = torch.randn(20, 3), torch.randn(20, 1)
model = torch.nn.Linear(3, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
optimizer = PlainSGD(model.parameters(), lr=0.2, weight_decay=0.01)


def closure():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for _ in range(3):
    print(f"{optimizer.step(closure).item():.6f}")
closure()
print(optimizer.step())
