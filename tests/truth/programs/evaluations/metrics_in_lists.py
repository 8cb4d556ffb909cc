"""Losses and scores of all batches in lists, with their graphs, and averaged at the end."""

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)


def make_loader(count, shuffle):
    x = torch.rand(count, 5)
    return DataLoader(TensorDataset(x, (x**2).sum(dim=1, keepdim=True)), batch_size=16, shuffle=shuffle)


def train_epoch(net, loader, criterion, optimizer):
    net.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()


def validate(net, loader, criterion):
    net.eval()
    losses = []
    errors = []
    worst = 0
    for inputs, targets in loader:
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        losses.append(loss)
        errors.append((outputs - targets).abs())
        worst = max(worst, errors[-1].max().item())
    return torch.stack(losses).mean().item(), torch.cat(errors).mean().item(), worst


net = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 1))
criterion = nn.MSELoss()
optimizer = optim.RMSprop(net.parameters(), lr=0.01)
train_set, val_set = make_loader(64, shuffle=True), make_loader(48, shuffle=False)
for epoch in range(3):
    train_epoch(net, train_set, criterion, optimizer)
    loss, error, worst = validate(net, val_set, criterion)
    print(f"{epoch}: loss {loss:.6f} error {error:.6f} worst {worst:.6f}")
