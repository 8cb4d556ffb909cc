"""A critic with a gradient penalty, whose norm is also watched on held-out data."""

import torch
from torch import nn


def gradient_norm(critic, real, fake, create_graph):
    mixed = torch.lerp(fake, real, torch.rand(len(real), 1)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=create_graph)
    return gradient.norm(dim=1)


def watch(critic, test_loader):
    critic.eval()
    norms = []
    for real in test_loader:
        norms.append(gradient_norm(critic, real, torch.randn_like(real), create_graph=False).mean().item())  # noqa: PERF401
    critic.train()
    return sum(norms) / len(norms)


torch.manual_seed(15)
critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
batches = [torch.randn(12, 2) + 2 for _ in range(5)]
for real in batches[:3]:
    fake = torch.randn_like(real)
    penalty = (gradient_norm(critic, real, fake, create_graph=True) - 1).pow(2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{watch(critic, batches[3:]):.6f}")
