"""GAN losses as pure functions: logits in, a scalar loss out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

DiscriminatorLoss = Callable[[Tensor, Tensor], Tensor]
GeneratorLoss = Callable[[Tensor], Tensor]


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Hinge loss of the discriminator (Lim & Ye, 2017, eq. 2)."""
    return F.relu(1.0 - real_logits).mean() + F.relu(1.0 + fake_logits).mean()


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    """Generator's side of the hinge loss: raise the discriminator's score."""
    return -fake_logits.mean()


def bce_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of the discriminator (Goodfellow et al., 2014, eq. 1)."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def bce_generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating generator loss (Goodfellow et al., 2014, section 3)."""
    return F.softplus(-fake_logits).mean()


def lecam_penalty(
    real_logits: Tensor, fake_logits: Tensor, real_anchor: Tensor, fake_anchor: Tensor
) -> Tensor:
    """LeCam regulariser (Tseng et al., 2021, eq. 3).

    Ties each side's logits to the moving average of the other side's, which bounds the
    discriminator when data are few.
    """
    real_term = (real_logits - fake_anchor).square().mean()
    fake_term = (fake_logits - real_anchor).square().mean()
    return real_term + fake_term


LOSS_FUNCTIONS: dict[str, tuple[DiscriminatorLoss, GeneratorLoss]] = {
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "bce": (bce_discriminator_loss, bce_generator_loss),
}


@torch.no_grad()
def update_anchor(anchor: Tensor, logits: Tensor, decay: float = 0.99) -> None:
    """Move a LeCam anchor (in place) towards the mean of new logits."""
    anchor.mul_(decay).add_(logits.mean(), alpha=1.0 - decay)
