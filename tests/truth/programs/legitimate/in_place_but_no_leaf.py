"""Changes in place that torch takes: gradients, buffers, activations, data, what is frozen, state, and hooks."""

import torch
from torch import nn


class Centered(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features)
        self.register_buffer("center", torch.zeros(features))

    def forward(self, x):
        hidden = self.linear(x)
        hidden += x
        hidden[:, 0] = 0
        if self.training:
            self.center.mul_(0.9).add_(hidden.detach().mean(dim=0), alpha=0.1)
        return hidden - self.center


torch.manual_seed(17)
model = Centered(3)
nn.init.constant_(model.linear.bias, 0.1)
average = Centered(3)
average.load_state_dict(model.state_dict())
for p in average.parameters():
    p.requires_grad_(False)
model.linear.bias.register_post_accumulate_grad_hook(lambda p: p.add_(p.grad, alpha=-0.01))
velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
for _ in range(3):
    loss = model(torch.randn(6, 3)).pow(2).mean()
    model.zero_grad()
    loss.backward()
    for name, p in model.named_parameters():
        p.grad.clamp_(-1, 1)
        velocity[name].mul_(0.9).add_(p.grad)
        p.data.add_(velocity[name], alpha=-0.1)
    for key, value in average.state_dict().items():
        value.lerp_(model.state_dict()[key], 0.5)
    for mine, other in zip(average.parameters(), model.parameters(), strict=True):
        mine.mul_(0.5).add_(other.detach(), alpha=0.5)
    print(f"{loss.item():.6f}")
