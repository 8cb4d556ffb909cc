"""Linear regression from scratch: two leaves, an update of each."""

import torch

torch.manual_seed(2)
x = torch.randn(40, 2)
y = x @ torch.tensor([[2.0], [-3.4]]) + 4.2

w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
start = {"w": w.detach().clone(), "b": b.detach().clone()}
lr = 0.2

for epoch in range(6):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    w -= lr * w.grad
    b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    print(f"epoch {epoch + 1}, loss {loss.item():f}")
