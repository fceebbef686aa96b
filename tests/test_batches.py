"""ganaug/gan/batches.py and ganaug/gan/scaling.py"""

from __future__ import annotations

import pytest
import torch

from ganaug.gan.batches import ClassBatches
from ganaug.gan.config import GROUP_SIZE, GANConfig
from ganaug.gan.scaling import ColumnScaler, images_from_network, images_to_network

COUNTS = (160, 40, 10)
CPU = torch.device("cpu")


@pytest.fixture
def labels():
    codes = torch.arange(3).repeat_interleave(torch.tensor(COUNTS))
    return codes[torch.randperm(len(codes), generator=torch.Generator().manual_seed(0))]


def batches_of(labels, *, seed=0, rows=None, **options):
    config = GANConfig(class_counts=COUNTS, n_features=1, **options)
    if rows is None:  # the only column says which row it is
        rows = torch.arange(len(labels), dtype=torch.float32)[:, None]
    return ClassBatches(config, rows, labels, CPU, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("class_power", [0.0, 0.5, 1.0])
def test_classes_are_drawn_by_a_power_of_their_size(labels, class_power):
    drawn = batches_of(labels, class_power=class_power).draw_labels(40_000)

    weights = torch.tensor(COUNTS, dtype=torch.float32) ** class_power
    shares = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(shares, weights / weights.sum(), atol=0.02, rtol=0)


def test_labels_come_in_groups(labels):
    groups = batches_of(labels).draw_labels(128).view(-1, GROUP_SIZE)

    assert (groups == groups[:, :1]).all()
    assert len(groups[:, 0].unique()) > 1


def test_every_row_has_its_label_and_all_rows_of_a_class_are_drawn(labels):
    batches = batches_of(labels, class_power=0.0)

    drawn_labels = batches.draw_labels(8_000)
    drawn = batches.draw_samples(drawn_labels)[:, 0].long()

    assert torch.equal(labels[drawn], drawn_labels)
    assert len(drawn.unique()) == len(labels)


def test_rows_of_a_class_are_equally_likely(labels):
    batches = batches_of(labels)

    drawn = batches.draw_samples(torch.full((20_000,), 2))[:, 0].long()

    counts = torch.bincount(drawn, minlength=len(labels))[labels == 2]
    assert counts.min() > 1_700
    assert counts.max() < 2_300


def test_a_seed_decides_the_batches(labels):
    first, again, other = (batches_of(labels, seed=seed) for seed in (1, 1, 2))

    drawn = [(b.draw_labels(64), b.draw_samples(labels[:64])) for b in (first, again, other)]

    for one, same, different in zip(*drawn, strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, different)


def test_rows_that_are_on_the_device_are_not_copied(labels):
    images = torch.zeros(len(labels), 1, 8, 8, dtype=torch.uint8)
    config = GANConfig(class_counts=COUNTS, image_shape=(1, 8, 8))

    batches = ClassBatches(config, images, labels, CPU, torch.Generator())

    assert batches.samples.data_ptr() == images.data_ptr()
    drawn = batches.draw_samples(labels[:8])
    assert drawn.dtype == torch.float32
    assert (drawn == -1).all()
    assert (images == 0).all()


def test_scaling_images_there_and_back_is_exact():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)

    scaled = images_to_network(levels)

    assert (scaled.min(), scaled.max()) == (-1.0, 1.0)
    assert torch.equal(images_from_network(scaled), levels)


def test_images_from_the_network_are_rounded_and_clipped():
    values = torch.tensor([-1.5, -1.0 + 0.6 / 127.5, 1.0 - 0.4 / 127.5, 2.0])

    assert images_from_network(values).tolist() == [0, 1, 255, 255]


def test_columns_are_standardised_and_come_back_within_their_range():
    rows = torch.randn((500, 2), generator=torch.Generator().manual_seed(0))
    rows = torch.cat([rows * torch.tensor([5.0, 1e-3]) + 7.0, torch.full((500, 1), 3.0)], dim=1)
    scaler = ColumnScaler.fit(rows)

    scaled = scaler.to_network(rows)

    torch.testing.assert_close(scaled[:, :2].mean(dim=0), torch.zeros(2), atol=1e-2, rtol=0)
    torch.testing.assert_close(scaled[:, :2].std(dim=0), torch.ones(2), atol=1e-2, rtol=0)
    assert (scaled[:, 2] == 0).all()  # a constant column stays constant
    torch.testing.assert_close(scaler.from_network(scaled), rows)
    far_away = scaler.from_network(torch.full((1, 3), 1e6))
    assert torch.equal(far_away[0], rows.amax(dim=0))
