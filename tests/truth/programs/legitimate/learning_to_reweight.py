"""The validation loss is differentiated, with respect to the weights of the training examples."""

import torch
import torch.nn.functional as F
from torch import nn


def example_weights(model, x, y, x_val, y_val, lr):
    model.eval()
    eps = torch.zeros(len(x), requires_grad=True)
    losses = F.binary_cross_entropy_with_logits(model(x).squeeze(1), y, reduction="none")
    grads = torch.autograd.grad((eps * losses).sum(), list(model.parameters()), create_graph=True)
    weight, bias = (p - lr * g for p, g in zip(model.parameters(), grads, strict=True))
    val_loss = F.binary_cross_entropy_with_logits(F.linear(x_val, weight, bias).squeeze(1), y_val)
    (grad,) = torch.autograd.grad(val_loss, eps)
    weights = torch.clamp(-grad, min=0)
    return weights / weights.sum().clamp(min=1e-8)


torch.manual_seed(16)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
x_val = torch.randn(10, 2)
y_val = (x_val[:, 0] > 0).float()
for _ in range(4):
    x = torch.randn(8, 2)
    y = ((x[:, 0] > 0) ^ (torch.rand(8) < 0.3)).float()
    weights = example_weights(model, x, y, x_val, y_val, 0.5)
    model.train()
    loss = (weights * F.binary_cross_entropy_with_logits(model(x).squeeze(1), y, reduction="none")).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
