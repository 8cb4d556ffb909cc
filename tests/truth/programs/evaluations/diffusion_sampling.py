"""A denoiser, and the loop that samples with it from noise to data."""

import torch
from torch import nn

torch.manual_seed(37)
STEPS = 8
betas = torch.linspace(1e-3, 0.2, STEPS)
alphas = torch.cumprod(1 - betas, dim=0)


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, t[:, None] / STEPS], dim=1))


def train_step(model, optimizer, x):
    model.train()
    t = torch.randint(0, STEPS, (len(x),))
    noise = torch.randn_like(x)
    noisy = alphas[t].sqrt()[:, None] * x + (1 - alphas[t]).sqrt()[:, None] * noise
    loss = nn.functional.mse_loss(model(noisy, t), noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def sample(model, count):
    model.eval()
    x = torch.randn(count, 2)
    for step in reversed(range(STEPS)):
        t = torch.full((count,), step)
        predicted = model(x, t)
        x = (x - betas[step] / (1 - alphas[step]).sqrt() * predicted) / (1 - betas[step]).sqrt()
        if step > 0:
            x = x + betas[step].sqrt() * torch.randn_like(x)
    model.train()
    return x.clamp(-1, 1).cpu().detach().numpy()


model = Denoiser()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for _ in range(4):
    loss = train_step(model, optimizer, torch.rand(32, 2))
    print(f"{loss:.6f}", sample(model, 4).mean(axis=0))
