"""No function at all: a script that trains and then tests."""

import torch
import torch.nn as nn

torch.manual_seed(7)

input_size, hidden_size, num_classes = 8, 12, 4
learning_rate = 0.05

train_loader = [(torch.randn(10, input_size), torch.randint(0, num_classes, (10,))) for _ in range(4)]
test_loader = [(torch.randn(10, input_size), torch.randint(0, num_classes, (10,))) for _ in range(3)]

model = nn.Sequential(
    nn.Linear(input_size, hidden_size),
    nn.ReLU(),
    nn.Linear(hidden_size, num_classes),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)

# Train the model
for epoch in range(2):
    for i, (images, labels) in enumerate(train_loader):
        outputs = model(images)
        loss = criterion(outputs, labels)

        # Backward and optimize
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"Epoch {epoch}, step {i}, loss {loss.item():.4f}")

# Test the model
model.eval()
correct = 0
total = 0
for images, labels in test_loader:
    outputs = model(images)
    _, predicted = torch.max(outputs.data, 1)
    total += labels.size(0)
    correct += (predicted == labels).sum().item()

print(f"Accuracy of the model on the {total} test images: {100 * correct / total} %")
