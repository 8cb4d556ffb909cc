"""A coroutine: a decorator would do nothing, so the loop is wrapped."""

import asyncio

import torch
from torch import nn


async def load(count):
    await asyncio.sleep(0)
    return [(x, (x[:, 0] > 0).long()) for x in (torch.randn(8, 2) for _ in range(count))]


async def evaluate(model):
    model.eval()
    batches = await load(2)
    hits = 0
    for x, y in batches:
        hits += (model(x).argmax(dim=1) == y).sum().item()
    await asyncio.sleep(0)
    return hits


async def main():
    torch.manual_seed(83)
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(3):
        model.train()
        for x, y in await load(3):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(await evaluate(model))
    return model


model = asyncio.run(main())
