"""Everything as it should be: decorated, wrapped, switched by phase, by a stack, by a condition, and by a caller."""

from contextlib import ExitStack, nullcontext

import torch
from torch import nn


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)


def run(model, loaders, optimizer, epochs):
    for epoch in range(epochs):
        for phase in ("train", "val"):
            model.train(phase == "train")
            hits = 0
            for x, y in loaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    out = model(x)
                    loss = nn.functional.cross_entropy(out, y)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                hits += (out.argmax(1) == y).sum().item()
            print(epoch, phase, hits)


def stacked(model, loader):
    model.eval()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        return [model(x).argmax(1).tolist() for x, _ in loader]


def chosen(model, loader, frozen):
    model.eval()
    context = torch.no_grad() if frozen else nullcontext()
    with context:
        return [model(x).sum().item() for x, _ in loader]


def _inner(model, loader):
    model.eval()
    return [model(x).max().item() for x, _ in loader]


def outer(model, loader):
    with torch.no_grad():
        return _inner(model, loader)


def outside(model, x, y, optimizer):
    model.train()
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    with torch.no_grad():
        loss.backward()
        for p in model.parameters():
            p.sub_(0.01 * p.grad)
    return loss.item()


torch.manual_seed(10)
model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
batches = [(torch.randn(8, 3), torch.randint(0, 2, (8,))) for _ in range(4)]
run(model, {"train": batches[:3], "val": batches[3:]}, optimizer, 2)
print(evaluate(model, batches), stacked(model, batches[:1]), outside(model, *batches[0], optimizer))
print(chosen(model, batches, frozen=True), outer(model, batches))
