"""Grad-CAM: activations and their gradients, with hooks, in evaluation mode."""

import torch
from torch import nn


class GradCAM:
    def __init__(self, model, layer):
        self.model = model
        self.activations = None
        self.gradients = None
        layer.register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        self.activations = output
        output.register_hook(self.keep_gradient)

    def keep_gradient(self, gradient):
        self.gradients = gradient

    def __call__(self, image):
        self.model.eval()
        scores = self.model(image)
        best = scores.argmax(dim=1)
        self.model.zero_grad()
        scores[0, best.item()].backward()
        weights = self.gradients.mean(dim=(2, 3), keepdim=True)
        return (weights * self.activations).sum(1).relu().detach()


torch.manual_seed(6)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3))
cam = GradCAM(model, model[0])
for _ in range(3):
    print(f"{cam(torch.rand(1, 1, 6, 6)).mean().item():.6f}")
