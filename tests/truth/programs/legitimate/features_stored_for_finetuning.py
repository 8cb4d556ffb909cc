"""Features are computed in evaluation mode, kept in the object, and differentiated by another method."""

import torch
from torch import nn


class Tuner:
    def __init__(self, backbone, head):
        self.backbone = backbone
        self.head = head
        self.features = []

    def collect(self, loader):
        self.backbone.eval()
        for x in loader:
            self.features.append(self.backbone(x))

    def step(self, optimizer):
        loss = sum(self.head(feature).pow(2).mean() for feature in self.features)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.features.clear()
        return loss.item()


torch.manual_seed(3)
backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU())
head = nn.Linear(4, 1)
tuner = Tuner(backbone, head)
optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], lr=0.1)
batches = [torch.randn(5, 3) for _ in range(3)]
for _ in range(3):
    tuner.collect(batches)
    print(f"{tuner.step(optimizer):.6f}")
