"""A metric is learned from triplets; recall is computed from embeddings that numpy holds."""

import numpy as np
import torch as t
from torch.nn import Linear, ReLU, Sequential, TripletMarginLoss
from torch.optim import Adam

t.manual_seed(31)


class Retrieval:
    def __init__(self, net):
        self.net = net
        self.criterion = TripletMarginLoss()
        self.optimizer = Adam(self.net.parameters(), lr=0.01)

    def train(self, triplets):
        self.net.train()
        for anchor, positive, negative in triplets:
            loss = self.criterion(self.net(anchor), self.net(positive), self.net(negative))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def embed_all(self, batches):
        self.net.eval()
        embeddings = []
        for batch in batches:
            embeddings.append(self.net(batch).cpu().detach().numpy())  # noqa: PERF401
        return np.concatenate(embeddings)


def recall_at_1(embeddings, labels):
    distances = ((embeddings[:, None] - embeddings[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return (labels[distances.argmin(1)] == labels).mean()


centers = t.randn(4, 5) * 3
labels = np.arange(24) % 4
points = centers[labels] + t.randn(24, 5)
triplets = [(points[i : i + 1], points[(i + 4) % 24 :][:1], points[(i + 1) % 24 :][:1]) for i in range(20)]
net = Sequential(Linear(5, 8), ReLU(), Linear(8, 3))
retrieval = Retrieval(net)
for _ in range(2):
    retrieval.train(triplets)
    print(f"{recall_at_1(retrieval.embed_all(points.split(6)), labels):.4f}")
