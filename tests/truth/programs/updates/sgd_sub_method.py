"""The same with methods, in a function that gets its leaves in a list."""

import torch


def sgd(params, lr):
    for p in params:
        p.sub_(p.grad, alpha=lr)
        p.grad = None


def main():
    torch.manual_seed(3)
    x = torch.rand(20, 2)
    y = x.sum(dim=1, keepdim=True)
    w = torch.randn(2, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    start = {"w": w.detach().clone(), "b": b.detach().clone()}
    for _ in range(4):
        loss = (x.mm(w) + b - y).pow(2).mean()
        loss.backward()
        sgd([w, b], lr=0.3)
        print(f"{loss.item():.6f}")
    return x, y, start, w, b


if __name__ == "__main__":
    x, y, start, w, b = main()
