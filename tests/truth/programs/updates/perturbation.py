"""An evolution strategy: noise is added to the weights, judged, and taken back; one kind of update, three places."""

import torch
from torch import nn

torch.manual_seed(13)
x = torch.randn(12, 2)
y = x @ torch.tensor([[1.0], [-1.0]])
model = nn.Linear(2, 1)
start = {name: p.detach().clone() for name, p in model.named_parameters()}
sigma, lr = 0.5, 0.5
noises, losses = [], []


def score():
    return (model(x) - y).abs().mean().item()


before = score()
for _ in range(8):
    noise = [torch.randn_like(p) for p in model.parameters()]
    for p, n in zip(model.parameters(), noise, strict=True):
        p.add_(n, alpha=sigma)
    losses.append(score())
    for p, n in zip(model.parameters(), noise, strict=True):
        p.sub_(n, alpha=sigma)
    noises.append(noise)

for number, p in enumerate(model.parameters()):
    for noise, loss in zip(noises, losses, strict=True):
        p += lr * (before - loss) / (len(losses) * sigma) * noise[number]
print(f"{before:.5f} {score():.5f}")
