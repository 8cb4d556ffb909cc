"""A perceptual loss: gradients pass through a network in evaluation mode to the one that is trained."""

import torch
from torch import nn


class PerceptualLoss(nn.Module):
    def __init__(self, extractor):
        super().__init__()
        self.extractor = extractor
        self.extractor.eval()
        for parameter in self.extractor.parameters():
            parameter.requires_grad = False

    def forward(self, output, target):
        loss = 0.0
        x, y = output, target
        for layer in self.extractor:
            x, y = layer(x), layer(y)
            loss = loss + (x - y).abs().mean()
        return loss


class Features:
    def __init__(self, extractor):
        self.extractor = extractor
        self.extractor.eval()

    def __call__(self, x):
        return self.extractor(x)


torch.manual_seed(2)
extractor = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3))
generator = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1))
criterion = PerceptualLoss(extractor)
features = Features(extractor)
optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
images = torch.rand(3, 1, 8, 8)
for _ in range(3):
    output = generator(images)
    loss = criterion(output, images) + (features(output) - features(images)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
