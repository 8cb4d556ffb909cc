"""Small weights are masked after each epoch, and the rows of another layer are normalised."""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.sparse = nn.Linear(4, 3, bias=False)
        self.scale = nn.Parameter(torch.full((3,), 2.0))

    def forward(self, x):
        return (self.sparse(x) * self.scale).sum(dim=1)

    def project(self, mask):
        self.sparse.weight.mul_(mask)
        self.scale /= self.scale.norm()


torch.manual_seed(12)
net = Net()
start = {name: p.detach().clone() for name, p in net.named_parameters()}
mask = (net.sparse.weight.abs() > 0.2).float()
net.project(mask)
net(torch.ones(2, 4)).sum().backward()
print(net.sparse.weight, net.scale)
