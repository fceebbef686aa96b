from __future__ import annotations

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from ganaug import GANAugmenter
from ganaug.exceptions import InvalidInputError
from ganaug.integrations.lightning import SetEpoch

pytestmark = [
    # Trainings here are far too short to be any good; what they give is not what is tested.
    pytest.mark.filterwarnings("ignore::ganaug.exceptions.TrainingWarning"),
    # Lightning advises more workers and longer trainings.
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    # Lightning 2.6 uses a name that torch 2.15 has deprecated.
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning"),
]


class Classifier(pl.LightningModule):
    """Notes the sum of the images of each epoch, which tells one epoch's rows from another's."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.sums = []

    def on_train_epoch_start(self):
        self.sums.append(0.0)

    def training_step(self, batch, _):
        if isinstance(batch, dict):
            batch = batch["train"]
        images, labels = batch[0] if len(batch) == 1 else batch  # of one of several loaders
        self.sums[-1] += images.double().sum().item()
        return nn.functional.cross_entropy(self.network(images), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture(scope="module")
def digits(all_digits):
    """200 digits of the classes 0, 1 and 2."""
    X, y = all_digits
    rows = np.flatnonzero(y < 3)[:200]
    images = torch.from_numpy(X[rows] / 16).float().reshape(-1, 1, 8, 8)
    return TensorDataset(images, torch.from_numpy(y[rows]))


@pytest.fixture(scope="module")
def augmenter(digits):
    tiny = {
        "n_generators": 1,
        "max_images": 128,
        "width": 4,
        "filter": None,
        "synthetic_share": 1,
        "random_state": 0,
        "verbose": 0,
    }
    return GANAugmenter(**tiny).fit(digits)


@pytest.fixture
def train(digits, augmenter):
    """The digits and synthetic ones, new in each epoch."""
    return augmenter.wrap(digits, sampling_strategy={0: 90, 1: 90, 2: 90}, refresh=True)


@pytest.fixture
def fit(tmp_path):
    """Train with the callback; return the sum of the images of each epoch."""

    def fit(source, n_epochs=3):
        classifier = Classifier()
        trainer = pl.Trainer(
            max_epochs=n_epochs,
            accelerator="cpu",
            callbacks=[SetEpoch()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(classifier, source)
        return classifier.sums

    return fit


def expected_sums(dataset, n_epochs=3):
    sums = []
    for epoch in range(n_epochs):
        dataset.set_epoch(epoch)
        sums.append(sum(image.double().sum().item() for image, _ in dataset))
    return sums


@pytest.mark.works_with("lightning", "`SetEpoch` in a `Trainer`: new samples in each epoch")
@pytest.mark.parametrize("n_workers", [0, 1])
def test_each_epoch_trains_on_its_own_synthetic_rows(train, fit, n_workers):
    loader = DataLoader(train, 32, num_workers=n_workers, persistent_workers=n_workers > 0)
    sums = fit(loader)
    np.testing.assert_allclose(sums, expected_sums(train))
    assert len({round(total, 3) for total in sums}) == 3


@pytest.mark.parametrize(
    "bury",
    [
        lambda wrapped: DataLoader(Subset(wrapped, range(len(wrapped))), 32),
        lambda wrapped: DataLoader(ConcatDataset([wrapped]), 32),
        lambda wrapped: [DataLoader(wrapped, 32)],
        lambda wrapped: {"train": DataLoader(wrapped, 32)},
    ],
    ids=["Subset", "ConcatDataset", "list of loaders", "dict of loaders"],
)
def test_the_dataset_is_found_wherever_it_lies(train, fit, bury):
    fit(bury(train), n_epochs=2)
    assert train.epoch == 1


def test_without_an_augmented_dataset_the_callback_says_so(digits, fit):
    with pytest.raises(InvalidInputError, match="AugmentedDataset"):
        fit(DataLoader(digits, 32))
