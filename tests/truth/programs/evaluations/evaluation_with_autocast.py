"""Mixed precision in training and in evaluation: autocast turns no gradients off."""

import torch
import torch.nn.functional as F
from torch import autocast, nn

torch.manual_seed(4)


def train(model, loader, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with autocast(device_type="cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def evaluate(model, loader):
    model.eval()
    loss_sum, top1, seen = 0.0, 0, 0
    for x, y in loader:
        with autocast(device_type="cpu", dtype=torch.bfloat16):
            output = model(x)
            loss = F.cross_entropy(output, y, reduction="sum")
        loss_sum += loss.item()
        top1 += output.float().topk(1)[1].squeeze(1).eq(y).sum().item()
        seen += y.size(0)
    return {"loss": loss_sum / seen, "top1": top1 / seen}


model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [(torch.randn(6, 1, 8, 8), torch.randint(0, 3, (6,))) for _ in range(4)]
for epoch in range(2):
    train(model, loader[:2], optimizer)
    print(epoch, evaluate(model, loader[2:]))
