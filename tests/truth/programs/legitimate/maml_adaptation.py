"""MAML: each task adapts fast weights, which are no leaves; the meta-gradient runs through them."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call


def adapt(model, x, y, lr, steps, create_graph):
    fast = dict(model.named_parameters())
    for _ in range(steps):
        loss = F.mse_loss(functional_call(model, fast, (x,)), y)
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=create_graph)
        fast = {name: w - lr * g for (name, w), g in zip(fast.items(), grads, strict=True)}
    return fast


def adapt_in_place(model, x, y, lr):
    fast = [p.clone() for p in model.parameters()]
    loss = F.mse_loss(F.linear(x, fast[0], fast[1]), y)
    for weight, grad in zip(fast, torch.autograd.grad(loss, fast, create_graph=True), strict=True):
        weight -= lr * grad
    return fast


def meta_train(model, tasks, optimizer):
    model.train()
    for x, y in tasks:
        fast = adapt(model, x, y, 0.1, 2, create_graph=True)
        loss = F.mse_loss(functional_call(model, fast, (x,)), y)
        weight, bias = adapt_in_place(model, x, y, 0.1)
        loss = loss + F.mse_loss(F.linear(x, weight, bias), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def meta_test(model, tasks):
    model.eval()
    total = 0.0
    for x, y in tasks:
        fast = adapt(model, x, y, 0.1, 3, create_graph=False)
        with torch.no_grad():
            total += F.mse_loss(functional_call(model, fast, (x,)), y).item()
    return total / len(tasks)


torch.manual_seed(4)
model = nn.Linear(2, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
tasks = []
for slope in (0.5, 1.0, 1.5):
    x = torch.randn(6, 2)
    tasks.append((x, slope * x.sum(1, keepdim=True)))
for _ in range(3):
    meta_train(model, tasks, optimizer)
    print(f"{meta_test(model, tasks):.6f}")
