"""Train a classifier on synthetic data, and evaluate it after each epoch.

The mistake: the evaluation runs with gradients on. `model.eval()` does not turn
them off, so each batch records a graph that nobody walks back.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loaders() -> tuple[DataLoader, DataLoader]:
    inputs = torch.randn(600, 20)
    labels = (inputs[:, 0] * inputs[:, 1] > 0).long()
    train = TensorDataset(inputs[:500], labels[:500])
    test = TensorDataset(inputs[500:], labels[500:])
    return DataLoader(train, batch_size=50, shuffle=True), DataLoader(test, batch_size=50)


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> None:
    model.train()
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()


def evaluate(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    correct = total = 0
    for inputs, labels in loader:
        outputs = model(inputs)
        correct += (outputs.argmax(1) == labels).sum().item()
        total += len(labels)
    return correct / total


def main() -> None:
    torch.manual_seed(0)
    train_loader, test_loader = make_loaders()
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(5):
        train_epoch(model, train_loader, optimizer)
        print(f"epoch {epoch}: accuracy {evaluate(model, test_loader):.2f}")


if __name__ == "__main__":
    main()
