"""One helper makes the forward pass, for training and for evaluation."""

import torch
from torch import nn


def compute_loss(model, batch, criterion):
    inputs, targets = batch
    predictions = model(inputs)
    return criterion(predictions, targets), predictions


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    for batch in loader:
        loss, _ = compute_loss(model, batch, criterion)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def evaluate(model, loader, criterion):
    model.eval()
    running, hits = 0.0, 0
    for batch in loader:
        loss, predictions = compute_loss(model, batch, criterion)
        running += loss.item()
        hits += (predictions.argmax(1) == batch[1]).sum().item()
    return running / len(loader), hits


torch.manual_seed(8)
loader = [(torch.randn(12, 6), torch.randint(0, 3, (12,))) for _ in range(5)]
model = nn.Sequential(nn.Linear(6, 10), nn.ELU(), nn.Dropout(0.3), nn.Linear(10, 3))
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
for epoch in range(3):
    train_one_epoch(model, loader[:3], criterion, optimizer)
    print(epoch, evaluate(model, loader[3:], criterion))
