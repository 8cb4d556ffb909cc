"""The loop waits, while another task trains: no-grad around it would leak there."""

import asyncio

import torch
from torch import nn


async def evaluate(model, queue):
    model.eval()
    hits = 0
    while True:
        batch = await queue.get()
        if batch is None:
            return hits
        x, y = batch
        hits += (model(x).argmax(dim=1) == y).sum().item()


async def train(model, loader, queue):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"{loss.item():.6f}")
        await queue.put((x, y))
        await asyncio.sleep(0)
    await queue.put(None)


async def main():
    torch.manual_seed(97)
    model, evaluated = nn.Linear(2, 2), nn.Linear(2, 2)
    queue = asyncio.Queue()
    loader = [(torch.randn(6, 2), torch.randint(0, 2, (6,))) for _ in range(4)]
    hits, _ = await asyncio.gather(evaluate(evaluated, queue), train(model, loader, queue))
    print(hits)


asyncio.run(main())
