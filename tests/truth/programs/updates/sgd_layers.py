"""Layers in a list; each is updated by name."""

import torch
from torch import nn

torch.manual_seed(18)
layers = [nn.Linear(3, 5), nn.Linear(5, 1)]
start = [(layer.weight.detach().clone(), layer.bias.detach().clone()) for layer in layers]
x, y = torch.randn(24, 3), torch.randn(24, 1)
for _ in range(4):
    loss = (layers[1](torch.tanh(layers[0](x))) - y).pow(2).mean()
    loss.backward()
    for layer in layers:
        layer.weight -= 0.1 * layer.weight.grad
        layer.bias -= 0.1 * layer.bias.grad
        layer.zero_grad()
    print(f"{loss.item():.6f}")
