"""Training and validation in one function: only the inner loop is to blame."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def fit(model, train_loader, val_loader, epochs, lr):
    criterion = nn.L1Loss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    best = None
    for epoch in range(epochs):
        model.train()
        train_loss = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            output = model(x)
            loss = criterion(output, y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()

        model.eval()
        val_loss = 0.0
        for x, y in val_loader:
            output = model(x)
            loss = criterion(output, y)
            val_loss += loss.item()
        val_loss /= len(val_loader)
        scheduler.step(val_loss)
        if best is None or val_loss < best:
            best = val_loss
        print(f"epoch {epoch}: train {train_loss / len(train_loader):.5f}, val {val_loss:.5f}, best {best:.5f}")
    return model


if __name__ == "__main__":
    torch.manual_seed(21)
    x = torch.linspace(-2, 2, 120)[:, None]
    train_set, val_set = random_split(TensorDataset(x, torch.sin(x)), [80, 40])
    model = fit(
        nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1)),
        DataLoader(train_set, batch_size=20, shuffle=True),
        DataLoader(val_set, batch_size=20),
        epochs=4,
        lr=0.05,
    )
