"""The image is what is optimised; the network is in evaluation mode and trains nothing."""

import torch
import torch.nn.functional as F
from torch import nn


def gram(features):
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def transfer(network, content, style, steps):
    network.eval()
    with torch.no_grad():
        wanted_content, wanted_style = network(content), gram(network(style))
    image = content.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([image], max_iter=2)
    for _ in range(steps):

        def closure():
            optimizer.zero_grad()
            features = network(image)
            loss = F.mse_loss(features, wanted_content) + 10 * F.mse_loss(gram(features), wanted_style)
            loss.backward()
            return loss

        print(f"{optimizer.step(closure).item():.5f}")
    return image.detach()


torch.manual_seed(7)
network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh())
image = transfer(network, torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), 3)
