"""All parameters at once, with the functions that torch's own optimizers use."""

import torch
from torch import nn

torch.manual_seed(11)
x, y = torch.randn(16, 2), torch.randn(16, 1)
model = nn.Linear(2, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
params = list(model.parameters())

for _ in range(3):
    loss = (model(x) - y).square().mean()
    grads = torch.autograd.grad(loss, params)
    torch._foreach_add_(params, grads, alpha=-0.1)
    print(f"{loss.item():.6f}")
