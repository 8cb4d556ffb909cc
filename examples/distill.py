"""Distil a teacher network into a smaller student.

The mistake: the student's forward pass and the loss stand in the no-grad block
that was meant for the teacher, so `backward()` has no graph to go back through.
"""

import torch
from torch import nn


def train_step(teacher: nn.Module, student: nn.Module, optimizer: torch.optim.Optimizer, inputs: torch.Tensor) -> float:
    with torch.no_grad():
        target = teacher(inputs).softmax(1)
        loss = nn.functional.kl_div(student(inputs).log_softmax(1), target, reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def main() -> None:
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 4))
    student = nn.Linear(10, 4)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for step in range(20):
        loss = train_step(teacher, student, optimizer, torch.randn(32, 10))
        print(f"step {step}: loss {loss:.4f}")


if __name__ == "__main__":
    main()
