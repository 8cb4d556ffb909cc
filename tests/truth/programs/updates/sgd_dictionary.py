"""A perceptron whose weights are a dictionary of leaves."""

import torch


def forward(params, x):
    hidden = torch.tanh(x @ params["w1"] + params["b1"])
    return hidden @ params["w2"] + params["b2"]


torch.manual_seed(17)
params = {
    "w1": torch.randn(2, 4, requires_grad=True),
    "b1": torch.zeros(4, requires_grad=True),
    "w2": torch.randn(4, 1, requires_grad=True),
    "b2": torch.zeros(1, requires_grad=True),
}
start = {name: p.detach().clone() for name, p in params.items()}
x = torch.randn(30, 2)
y = x[:, :1] * x[:, 1:]
for _ in range(5):
    loss = (forward(params, x) - y).pow(2).mean()
    loss.backward()
    for name in params:
        params[name] -= 0.1 * params[name].grad
        params[name].grad = None
    print(f"{loss.item():.6f}")
