"""A small GAN; between the epochs its generator draws samples, in evaluation mode."""

import torch
import torch.nn as nn

torch.manual_seed(42)

generator = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2), nn.Tanh())
discriminator = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer_g = torch.optim.Adam(generator.parameters(), lr=0.01)
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=0.01)
fixed_noise = [torch.randn(8, 4) for _ in range(3)]
saved = {}


def save_samples(samples, name):
    saved[name] = samples.detach().cpu().numpy()


def sample_images(epoch):
    generator.eval()
    for number, noise in enumerate(fixed_noise):
        fake = generator(noise)
        save_samples(fake, f"{epoch}-{number}.png")
    generator.train()


for epoch in range(3):
    for _ in range(3):
        real = torch.rand(16, 2)
        fake = generator(torch.randn(16, 4))

        optimizer_d.zero_grad()
        loss_real = criterion(discriminator(real), torch.ones(16, 1))
        loss_fake = criterion(discriminator(fake.detach()), torch.zeros(16, 1))
        (loss_real + loss_fake).backward()
        optimizer_d.step()

        optimizer_g.zero_grad()
        loss = criterion(discriminator(fake), torch.ones(16, 1))
        loss.backward()
        optimizer_g.step()
    sample_images(epoch)
    print(epoch, f"{loss.item():.6f}")

for name, samples in sorted(saved.items()):
    print(name, samples.mean(), samples.std())
