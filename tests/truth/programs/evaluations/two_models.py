"""An encoder and a decoder: both in evaluation mode, both recorded."""

import torch
import torch.nn as nn

torch.manual_seed(17)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(6, 2)
        self.scale = nn.Linear(6, 2)

    def forward(self, x):
        return self.mean(x), self.scale(x)


encoder = Encoder()
decoder = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 6))
optimizer = torch.optim.Adam(list(encoder.parameters()) + list(decoder.parameters()), lr=1e-2)


def elbo(x, recon, mean, scale):
    kl = -0.5 * torch.sum(1 + scale - mean.pow(2) - scale.exp())
    return nn.functional.mse_loss(recon, x, reduction="sum") + kl


def train(loader):
    encoder.train()
    decoder.train()
    for x in loader:
        mean, scale = encoder(x)
        z = mean + torch.exp(0.5 * scale) * torch.randn_like(scale)
        loss = elbo(x, decoder(z), mean, scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test(loader):
    encoder.eval()
    decoder.eval()
    test_loss = 0
    for x in loader:
        mean, scale = encoder(x)
        z = mean + torch.exp(0.5 * scale) * torch.randn_like(scale)
        test_loss += elbo(x, decoder(z), mean, scale)
    return test_loss.item() / len(loader)


loader = [torch.randn(8, 6) for _ in range(5)]
for epoch in range(3):
    train(loader[:3])
    print(epoch, test(loader[3:]))
