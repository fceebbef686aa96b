"""ganaug/gan/losses.py"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ganaug.gan.config import LOSSES
from ganaug.gan.losses import (
    LOSS_FUNCTIONS,
    bce_discriminator_loss,
    bce_generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    lecam_penalty,
    update_anchor,
)

REAL = torch.tensor([2.0, 0.5, -1.0])
FAKE = torch.tensor([-3.0, 0.0, 1.0])


def test_hinge_losses_equal_their_definition():
    # relu(1 - real) = 0, 0.5, 2; relu(1 + fake) = 0, 1, 2
    assert hinge_discriminator_loss(REAL, FAKE) == pytest.approx(2.5 / 3 + 1.0)
    assert hinge_generator_loss(FAKE) == pytest.approx(2 / 3)


def test_bce_losses_equal_cross_entropy_with_labels_one_and_zero():
    expected = F.binary_cross_entropy_with_logits(
        REAL, torch.ones(3)
    ) + F.binary_cross_entropy_with_logits(FAKE, torch.zeros(3))
    torch.testing.assert_close(bce_discriminator_loss(REAL, FAKE), expected)

    # non-saturating: the generator is told that its fakes should have been called real
    expected = F.binary_cross_entropy_with_logits(FAKE, torch.ones(3))
    torch.testing.assert_close(bce_generator_loss(FAKE), expected)


def test_bce_survives_extreme_logits():
    extreme = torch.tensor([-1e4, 1e4])

    assert torch.isfinite(bce_discriminator_loss(extreme, extreme))
    assert torch.isfinite(bce_generator_loss(extreme))


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_gains_by_moving_logits_its_own_way(name):
    discriminator_loss, generator_loss = LOSS_FUNCTIONS[name]
    real = torch.zeros(4, requires_grad=True)
    fake = torch.zeros(4, requires_grad=True)

    discriminator_loss(real, fake).backward()
    assert (real.grad < 0).all()  # a step downhill raises the scores of real rows
    assert (fake.grad > 0).all()

    fake.grad = None
    generator_loss(fake).backward()
    assert (fake.grad < 0).all()


def test_every_loss_that_can_be_chosen_is_there():
    assert sorted(LOSS_FUNCTIONS) == sorted(LOSSES)


def test_lecam_ties_each_sides_logits_to_the_other_sides_anchor():
    penalty = lecam_penalty(REAL, FAKE, torch.tensor(0.5), torch.tensor(-1.0))

    # real to the fakes' anchor -1: 9, 2.25, 0; fake to the real rows' anchor 0.5: 12.25, .25, .25
    assert penalty == pytest.approx(11.25 / 3 + 12.75 / 3)


def test_an_anchor_is_an_exponential_mean_and_passes_no_gradient():
    anchor = torch.tensor(1.0)
    logits = torch.tensor([2.0, 4.0], requires_grad=True)

    update_anchor(anchor, logits, decay=0.75)

    assert anchor == pytest.approx(0.75 * 1.0 + 0.25 * 3.0)
    assert not anchor.requires_grad
