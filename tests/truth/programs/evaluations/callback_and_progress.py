"""``train`` gets the evaluation handed in; the mode is switched back at its end."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def accuracy(output, target, topk=(1,)):
    """Computes the accuracy over the k top predictions."""
    _, pred = output.topk(max(topk), 1, True, True)
    correct = pred.t().eq(target.view(1, -1).expand_as(pred.t()))
    return [correct[:k].reshape(-1).float().sum(0).mul_(100.0 / target.size(0)) for k in topk]


def validate(val_loader, model, criterion):
    losses, top1, top2 = AverageMeter(), AverageMeter(), AverageMeter()

    # switch to evaluate mode
    model.eval()

    for i, (images, target) in enumerate(val_loader):
        # compute output
        output = model(images)
        loss = criterion(output, target)

        # measure accuracy and record loss
        acc1, acc2 = accuracy(output, target, topk=(1, 2))
        losses.update(loss.item(), images.size(0))
        top1.update(acc1.item(), images.size(0))
        top2.update(acc2.item(), images.size(0))
        print(f"Test: [{i}/{len(val_loader)}] Loss {loss.item():.4f} Acc@1 {acc1.item():.2f} Acc@2 {acc2.item():.2f}")

    model.train()
    return losses.avg, top1.avg, top2.avg


def train(model, train_loader, criterion, optimizer, callback):
    for images, target in train_loader:
        loss = criterion(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(*(f"{each:.4f}" for each in callback()))


torch.manual_seed(47)
data = TensorDataset(torch.randn(60, 3, 4, 4), torch.randint(0, 4, (60,)))
loader = DataLoader(data, batch_size=20, shuffle=True)
model = nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
for _ in range(2):
    train(model, loader, criterion, optimizer, lambda: validate(loader, model, criterion))
