"""Wrap a torch Dataset: its own items first, synthetic items of the rare classes behind them."""

from collections import Counter

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ganaug import GANAugmenter

# Your dataset: any map-style one of (image, label). Here digits 0, 1 and 2, made imbalanced.
X, y = load_digits(return_X_y=True)
counts = {0: 150, 1: 70, 2: 30}
rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in counts.items()])
images = torch.tensor(X[rows] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
dataset = TensorDataset(images, torch.tensor(y[rows]))

# A short training, for the example's sake: leave max_images out for data of your own.
augmenter = GANAugmenter(max_images=10_000, random_state=0).fit(dataset)

# refresh: new synthetic and augmented items in each epoch. The weight tells the loss how far to
# trust the synthetic ones.
train = augmenter.wrap(
    dataset, synthetic_share=0.25, refresh=True, synthetic_weight=0.5, return_weight=True
)
print("before:", Counter(dataset.tensors[1].tolist()), "after:", Counter(train.targets.tolist()))
for plan in augmenter.resampling_report_:  # also why, where a class gets none
    print(plan)

torch.manual_seed(0)
network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
loader = DataLoader(train, batch_size=32, shuffle=True)

for epoch in range(3):
    train.set_epoch(epoch)
    total = 0.0
    for batch, labels, weights in loader:
        losses = nn.functional.cross_entropy(network(batch), labels, reduction="none")
        loss = (losses * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: mean loss {total / len(loader):.3f}")
