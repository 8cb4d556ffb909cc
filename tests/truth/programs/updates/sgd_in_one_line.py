"""The loop and its body on one line, and comments around them."""

import torch
import torch as th  # a second name for the same thing
from torch import nn

torch.manual_seed(19)
model = nn.Linear(2, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
x, y = th.randn(16, 2), th.randn(16, 1)
for _ in range(4):
    loss = (model(x) - y).pow(2).mean()
    model.zero_grad()
    loss.backward()
    # fmt: off
    for p in model.parameters(): p -= 0.2 * p.grad  # noqa: E701
    # fmt: on
    print(f"{loss.item():.6f}")
