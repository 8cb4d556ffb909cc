"""A character model that learns one sentence, and writes it down greedily."""

import torch
import torch.nn as nn
import torch.nn.functional as F

TEXT = "no graph in sight. "
VOCAB = sorted(set(TEXT))


class CharModel(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, tokens, state=None):
        x, state = self.gru(self.embed(tokens), state)
        return self.out(x), state


def train(model, tokens, steps):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        logits, _ = model(tokens[None, :-1])
        loss = F.cross_entropy(logits[0], tokens[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def greedy_decode(model, start, length):
    model.eval()
    token = torch.tensor([[VOCAB.index(start)]])
    state = None
    written = [start]
    while len(written) < length:
        logits, state = model(token, state)
        token = logits[:, -1].argmax(dim=-1, keepdim=True)
        written.append(VOCAB[token.item()])
    return "".join(written)


torch.manual_seed(2)
tokens = torch.tensor([VOCAB.index(letter) for letter in TEXT])
model = CharModel(len(VOCAB), 24)
for _ in range(3):
    loss = train(model, tokens, 15)
    print(f"{loss:.5f} {greedy_decode(model, 'n', 16)!r}")
