"""REINFORCE on a line of cells; the policy is evaluated greedily in a ``while`` loop."""

import torch
from torch import nn
from torch.distributions import Categorical


class Line:
    """Walk to the right end."""

    def __init__(self, length=5):
        self.length = length

    def reset(self):
        self.position, self.time = 0, 0
        return self._observe()

    def step(self, action):
        self.position = max(0, self.position + (1 if action == 1 else -1))
        self.time += 1
        arrived = self.position == self.length - 1
        return self._observe(), 1.0 if arrived else -0.1, arrived or self.time >= 12, {}

    def _observe(self):
        return [float(cell == self.position) for cell in range(self.length)]


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, observation):
        return self.body(observation)


def train_episode(policy, env, optimizer):
    policy.train()
    observation, done = env.reset(), False
    log_probs, rewards = [], []
    while not done:
        distribution = Categorical(logits=policy(torch.tensor(observation)))
        action = distribution.sample()
        log_probs.append(distribution.log_prob(action))
        observation, reward, done, _ = env.step(action.item())
        rewards.append(reward)
    loss = -torch.stack(log_probs).sum() * sum(rewards)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def evaluate_policy(policy, env):
    policy.eval()
    observation, done, total = env.reset(), False, 0.0
    path = []
    while not done:
        action = policy(torch.tensor(observation)).argmax().item()
        observation, reward, done, _ = env.step(action)
        total += reward
        path.append(action)
    return total, path


torch.manual_seed(5)
env = Line()
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)
for episode in range(12):
    train_episode(policy, env, optimizer)
    if episode % 4 == 3:
        print(episode, evaluate_policy(policy, env))
