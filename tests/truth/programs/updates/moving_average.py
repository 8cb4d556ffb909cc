"""Polyak averaging: the target network is a copy, and a leaf like the other."""

import copy

import torch
from torch import nn


class Agent:
    def __init__(self, tau):
        self.net = nn.Linear(2, 1)
        self.target = copy.deepcopy(self.net)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.tau = tau

    def learn(self, x, y):
        loss = (self.net(x) - y).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.soft_update()
        return loss.item()

    def soft_update(self):
        for target_param, param in zip(self.target.parameters(), self.net.parameters(), strict=True):
            target_param.copy_(self.tau * param + (1 - self.tau) * target_param)


torch.manual_seed(6)
agent = Agent(tau=0.25)
start = {name: p.detach().clone() for name, p in agent.net.named_parameters()}
x, y = torch.randn(16, 2), torch.randn(16, 1)
net, target = agent.net, agent.target
for _ in range(4):
    print(f"{agent.learn(x, y):.6f}")
