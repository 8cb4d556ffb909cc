"""Distillation: nothing of the teacher requires gradients, so it records nothing."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(11)
teacher = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
for p in teacher.parameters():
    p.requires_grad = False
teacher.eval()
student = nn.Linear(4, 3)
optimizer = torch.optim.Adam(student.parameters(), lr=0.05)
loader = [torch.randn(10, 4) for _ in range(4)]

for _ in range(2):
    for x in loader:
        loss = F.kl_div(student(x).log_softmax(1), teacher(x).softmax(1), reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{loss.item():.6f}")

agreement = 0
for x in loader:
    agreement += teacher(x).argmax(1).sum().item()
print(agreement)
