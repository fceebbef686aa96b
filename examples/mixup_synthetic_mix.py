"""Put synthetic images into batches before MixUp and CutMix, in a DataLoader's workers."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision.transforms import v2

from ganaug import GANAugmenter
from ganaug.integrations.torchvision import SyntheticMix

# Your dataset: (image, label) items. Here digits 0, 1 and 2.
X, y = load_digits(n_class=3, return_X_y=True)
images = torch.from_numpy(np.float32(X / 16)).reshape(-1, 1, 8, 8)
dataset = TensorDataset(images, torch.from_numpy(y))

# A short training, for the example's sake: leave max_images out for data of your own.
augmenter = GANAugmenter(max_images=10_000, random_state=0).fit(dataset)

# All synthetic images are made here, once: workers only read them.
batch_transform = v2.Compose(
    [
        SyntheticMix(augmenter, p=0.3),  # labels are integers up to here, and soft afterwards
        v2.RandomChoice([v2.MixUp(num_classes=3), v2.CutMix(num_classes=3)]),
    ]
)


def collate(items):
    """Make a batch, then transform it."""
    return batch_transform(*default_collate(items))


if __name__ == "__main__":  # workers may import this file
    torch.manual_seed(0)
    loader = DataLoader(dataset, batch_size=64, shuffle=True, num_workers=1, collate_fn=collate)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for epoch in range(3):
        losses = []
        for batch, soft_labels in loader:
            loss = nn.functional.cross_entropy(network(batch), soft_labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: mean loss {np.mean(losses):.3f}")
