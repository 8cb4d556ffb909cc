"""A module with its own ``fit`` and ``score``, as scikit-learn has them."""

import torch
import torch.nn as nn


class Classifier(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, 10), nn.ReLU(), nn.Dropout(0.2), nn.Linear(10, classes))
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x):
        return self.layers(x)

    def fit(self, loader, epochs):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.02)
        self.train()
        for _ in range(epochs):
            for x, y in loader:
                optimizer.zero_grad()
                self.criterion(self(x), y).backward()
                optimizer.step()
        return self

    def score(self, loader):
        self.eval()
        hits = total = 0
        for x, y in loader:
            hits += (self(x).argmax(dim=1) == y).sum().item()
            total += len(y)
        return hits / total


torch.manual_seed(43)
loader = [(x, (x.abs().sum(1) > 3).long()) for x in (torch.randn(16, 4) for _ in range(6))]
model = Classifier(4, 2)
for _ in range(2):
    print(model.fit(loader[:4], epochs=2).score(loader[4:]))
