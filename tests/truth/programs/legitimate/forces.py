"""An interatomic potential: the forces of the validation set are gradients of its energy."""

import torch
from torch import nn


class Potential(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1))

    def forward(self, positions):
        return self.net(positions).sum(dim=(1, 2))


def energy_and_forces(model, positions, create_graph):
    positions = positions.detach().requires_grad_(True)
    energy = model(positions)
    (gradient,) = torch.autograd.grad(energy.sum(), positions, create_graph=create_graph)
    return energy, -gradient


def validate(model, val_loader):
    model.eval()
    energy_error, force_error = 0.0, 0.0
    for positions, energy, forces in val_loader:
        found_energy, found_forces = energy_and_forces(model, positions, create_graph=False)
        energy_error += (found_energy - energy).abs().mean().item()
        force_error += (found_forces - forces).abs().mean().item()
    return energy_error / len(val_loader), force_error / len(val_loader)


torch.manual_seed(8)
model = Potential()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
data = []
for _ in range(4):
    positions = torch.randn(5, 2, 3)
    data.append((positions, positions.pow(2).sum(dim=(1, 2)), -2 * positions))
for _ in range(2):
    model.train()
    for positions, energy, forces in data[:3]:
        found_energy, found_forces = energy_and_forces(model, positions, create_graph=True)
        loss = (found_energy - energy).pow(2).mean() + (found_forces - forces).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(*(f"{error:.6f}" for error in validate(model, data[3:])))
