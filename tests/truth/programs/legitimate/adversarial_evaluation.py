"""Robust accuracy: FGSM and PGD need the gradient of the loss with respect to the image."""

import torch
import torch.nn.functional as F
from torch import nn


def fgsm_attack(image, epsilon, data_grad):
    return torch.clamp(image + epsilon * data_grad.sign(), 0, 1)


def test(model, test_loader, epsilon):
    model.eval()
    correct = 0
    for data, target in test_loader:
        data.requires_grad = True
        output = model(data)
        loss = F.nll_loss(output, target)
        model.zero_grad()
        loss.backward()
        perturbed = fgsm_attack(data, epsilon, data.grad)
        with torch.no_grad():
            correct += (model(perturbed).argmax(1) == target).sum().item()
    return correct


def pgd(model, x, y, epsilon, steps):
    adversarial = x.clone().detach()
    for _ in range(steps):
        adversarial.requires_grad_(True)
        loss = F.nll_loss(model(adversarial), y)
        (grad,) = torch.autograd.grad(loss, adversarial)
        adversarial = (x + (adversarial + epsilon * grad.sign() - x).clamp(-epsilon, epsilon)).detach()
    return adversarial


def robust_accuracy(model, test_loader, epsilon):
    model.eval()
    correct, total = 0, 0
    for x, y in test_loader:
        x = pgd(model, x, y, epsilon, steps=3)
        with torch.no_grad():
            correct += (model(x).argmax(dim=1) == y).sum().item()
        total += len(y)
    return correct / total


torch.manual_seed(1)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.LogSoftmax(dim=1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
batches = [(x, (x.sum(1) > 2).long()) for x in (torch.rand(16, 4) for _ in range(6))]
for x, y in batches:
    optimizer.zero_grad()
    F.nll_loss(model(x), y).backward()
    optimizer.step()
for epsilon in (0.0, 0.1, 0.3):
    print(
        epsilon,
        robust_accuracy(model, batches[:2], epsilon),
        test(model, [(x.clone(), y) for x, y in batches[3:]], epsilon),
    )
