"""Fit a line with stochastic gradient descent written by hand.

The mistake: the parameters are changed in place with gradients on, which torch
refuses with a RuntimeError at the first update.
"""

import torch


def main() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(200, 3)
    targets = inputs @ torch.tensor([1.0, -2.0, 0.5]) + 0.3

    weight = torch.zeros(3, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    rate = 0.1

    for step in range(100):
        loss = ((inputs @ weight + bias - targets) ** 2).mean()
        loss.backward()

        weight -= rate * weight.grad
        bias -= rate * bias.grad

        weight.grad = None
        bias.grad = None
        if step % 25 == 0:
            print(f"step {step}: loss {loss.item():.4f}")

    print("weight", [round(value, 2) for value in weight.tolist()], "bias", round(bias.item(), 2))


if __name__ == "__main__":
    main()
