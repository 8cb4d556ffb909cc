"""A trainer with a method for each phase, and early stopping."""

import copy

import torch
import torch.nn as nn


class Trainer:
    def __init__(self, model, lr=0.05, patience=2):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        self.criterion = nn.BCEWithLogitsLoss()
        self.patience = patience
        self.best_state = None
        self.history = []

    def fit(self, train_data, val_data, epochs):
        best, waited = float("inf"), 0
        for epoch in range(epochs):
            self._train_epoch(train_data)
            loss, accuracy = self.evaluate(val_data)
            self.history.append(loss)
            print("epoch", epoch, "val loss", round(loss, 6), "acc", round(accuracy, 4))
            if loss < best:
                best, waited = loss, 0
                self.best_state = copy.deepcopy(self.model.state_dict())
            else:
                waited += 1
                if waited >= self.patience:
                    break
        self.model.load_state_dict(self.best_state)

    def _train_epoch(self, data):
        self.model.train()
        for x, y in data:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x).squeeze(1), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()

    def evaluate(self, data):
        self.model.eval()
        total_loss, correct, count = 0.0, 0, 0
        for x, y in data:
            logits = self.model(x).squeeze(1)
            total_loss += self.criterion(logits, y).item() * len(y)
            correct += ((logits > 0) == y.bool()).sum().item()
            count += len(y)
        return total_loss / count, correct / count


def toy(batches):
    data = []
    for _ in range(batches):
        x = torch.randn(16, 2)
        data.append((x, (x[:, 0] * x[:, 1] > 0).float()))
    return data


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
trainer = Trainer(model)
trainer.fit(toy(6), toy(3), epochs=6)
print(trainer.history)
