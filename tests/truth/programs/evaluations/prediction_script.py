"""A script that trains a regression and plots, that is prints, one prediction."""

import torch
from torch import nn

torch.manual_seed(13)
x_train = torch.linspace(0, 1, 15).unsqueeze(1)
y_train = 2 * x_train + 0.3
model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for _ in range(20):
    loss = criterion(model(x_train), y_train)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# Plot the graph
model.eval()
predicted = model(x_train).detach().numpy()
for given, wanted, found in zip(x_train.numpy(), y_train.numpy(), predicted, strict=True):
    print(given, wanted, found)
