"""k folds, each with a fresh model; only ``nn`` is imported, so the fix brings its import along."""

from random import Random

from torch import manual_seed, nn, optim, rand


def fold_accuracy(model, criterion, fold):
    model.eval()
    hits, total, loss = 0, 0, 0.0
    for features, target in fold:
        scores = model(features)
        loss += criterion(scores, target).item()
        hits += (scores.argmax(dim=1) == target).sum().item()
        total += len(target)
    return hits / total, loss / len(fold)


def train_fold(model, criterion, folds):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    model.train()
    for fold in folds:
        for features, target in fold:
            optimizer.zero_grad()
            loss = criterion(model(features), target)
            loss.backward()
            optimizer.step()


manual_seed(41)
batches = []
for _ in range(9):
    features = rand(8, 3)
    batches.append((features, (features.sum(dim=1) > 1.5).long()))
Random(0).shuffle(batches)
folds = [batches[0:3], batches[3:6], batches[6:9]]
models = []
for held_out in range(3):
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    criterion = nn.CrossEntropyLoss()
    train_fold(model, criterion, [fold for number, fold in enumerate(folds) if number != held_out])
    print(held_out, *(f"{score:.5f}" for score in fold_accuracy(model, criterion, folds[held_out])))
    models.append(model)
