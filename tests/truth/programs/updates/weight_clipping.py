"""The critic of a Wasserstein GAN: its weights are clipped after each step."""

import torch
from torch import nn

torch.manual_seed(5)
critic = nn.Linear(2, 1)
start = {name: p.detach().clone() for name, p in critic.named_parameters()}
optimizer = torch.optim.SGD(critic.parameters(), lr=0.05)
real, fake = torch.randn(16, 2) + 1, torch.randn(16, 2)
clip_value = 0.1

for step in range(4):
    optimizer.zero_grad()
    loss = critic(fake).mean() - critic(real).mean()
    loss.backward()
    optimizer.step()

    # Clip weights of discriminator
    for p in critic.parameters():
        p.clamp_(-clip_value, clip_value)
    print(step, f"{loss.item():.6f}")
