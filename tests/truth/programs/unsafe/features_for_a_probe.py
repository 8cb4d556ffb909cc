"""Features are extracted in evaluation mode and kept; a probe is trained on them, and stops at their ``detach``."""

import torch
import torch.nn.functional as F
from torch import nn


class Probe:
    def __init__(self, backbone, head):
        self.backbone = backbone
        self.head = head
        self.features = []

    def extract(self, loader):
        self.backbone.eval()
        for x, y in loader:
            self.features.append((self.backbone(x), y))

    def fit(self, epochs):
        optimizer = torch.optim.SGD(self.head.parameters(), lr=0.2)
        for _ in range(epochs):
            for features, y in self.features:
                loss = F.cross_entropy(self.head(features.detach()), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            print(f"{loss.item():.6f}")


torch.manual_seed(59)
backbone = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 6))
head = nn.Linear(6, 3)
probe = Probe(backbone, head)
probe.extract([(torch.randn(8, 5), torch.randint(0, 3, (8,))) for _ in range(3)])
probe.fit(3)
