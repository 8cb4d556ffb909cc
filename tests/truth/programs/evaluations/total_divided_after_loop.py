"""The totals are tensors, divided in place after the loop: they may be no inference tensors."""

import torch
from torch import nn

torch.manual_seed(71)
model = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 3))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(params=model.parameters(), lr=0.1)
train_dataloader = [(torch.randn(8, 2), torch.randint(0, 3, (8,))) for _ in range(3)]
test_dataloader = [(torch.randn(8, 2), torch.randint(0, 3, (8,))) for _ in range(2)]
scale, worst = torch.ones((), requires_grad=True), torch.ones(())

epochs = 3
for _ in range(epochs):
    model.train()
    train_loss = 0
    for X, y in train_dataloader:
        loss = loss_fn(model(X), y) + 0.01 * scale * worst
        train_loss += loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    test_loss, test_acc = torch.zeros(()), 0
    model.eval()
    for X, y in test_dataloader:
        test_pred = model(X)
        test_loss += loss_fn(test_pred, y).item()
        test_acc += (test_pred.argmax(dim=1) == y).sum().item()
        worst = test_pred.detach().abs().max()
    test_loss /= len(test_dataloader)
    print(f"Train loss: {train_loss:.5f} | Test loss: {test_loss:.5f}, Test acc: {test_acc}, {scale.grad:.5f}")
