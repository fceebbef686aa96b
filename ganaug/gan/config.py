"""Every option of the engine, documented where it is defined."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ganaug.checks import check_option
from ganaug.exceptions import InvalidInputError
from ganaug.options import RECIPES

LOSSES = ("hinge", "bce")

MIN_SIDE, MAX_SIDE, MAX_CHANNELS = 8, 128, 4
EMBEDDING_DIM = 32  # length of the class embedding
GROUP_SIZE = 4  # samples of one label that stand together in a batch (minibatch deviation)


@dataclass(frozen=True)
class GANConfig:
    """What is trained and how.

    Two networks of one interface serve images (``image_shape`` set) and plain feature rows
    (``n_features`` set).
    """

    # --- data ---
    class_counts: tuple[int, ...]
    """Real samples per class; its length is the number of classes."""
    image_shape: tuple[int, int, int] | None = None
    """(channels, height, width) of the images; None for feature rows."""
    n_features: int | None = None
    """Number of columns of the feature rows; None for images."""

    # --- networks ---
    recipe: str = "default"
    """'default', or 'classic': the DCGAN of Radford et al. (2015) made conditional (transposed
    convolutions, batch norm in both networks, the label as further input channels)."""
    width: int = 32
    """Channels of the feature maps at half resolution; each further halving doubles them, up to
    8x (the `ngf` and `ndf` of other DCGANs)."""
    latent_dim: int = 64
    """Length of the noise vector z."""

    # --- objective ---
    loss: str = "hinge"
    """'hinge' (Lim & Ye, 2017) or 'bce' (non-saturating, Goodfellow et al., 2014)."""
    lecam: float = 0.1
    """Weight of the LeCam regulariser (Tseng et al., 2021); 0 switches it off."""
    diffaugment: bool = False
    """Whether real and fake images are augmented alike (Zhao et al., 2020) on their way to the
    discriminator. Within minutes on a CPU it was measured to slow learning down, from 270 images
    to 9,000; it is a remedy for long trainings that copy."""

    # --- optimisation ---
    batch_size: int = 64
    """Real images in a discriminator step; as many fakes stand beside them."""
    max_images: int | None = 100_000
    """Budget in real images shown to the discriminator."""
    max_seconds: float | None = None
    """Budget in seconds of wall-clock time."""
    learning_rate: float = 4e-3
    """Adam step size of the generator, lowered linearly to a tenth over the last half. Ten times
    what is usual: small budgets are limited by how fast the generator moves."""
    discriminator_rate_factor: float = 0.5
    """The discriminator's step size over the generator's."""
    beta1: float = 0.0
    """Adam's first moment decay."""
    beta2: float = 0.99
    """Adam's second moment decay."""
    class_power: float = 0.0
    """Classes are drawn with probability n_class ** class_power, real and fake alike:
    1 follows the data, 0 balances the classes, which was best for rare ones."""
    ema_halflife_images: float = 20_000
    """Half-life, in images, of the weight average that is sampled from; 0 switches it off. Early
    in training it is at most a twentieth of the images seen."""

    # --- watching ---
    n_evaluations: int = 10
    """How often the monitor looks (and a checkpoint is written) during the budget."""

    def __post_init__(self) -> None:
        if (self.image_shape is None) == (self.n_features is None):
            raise InvalidInputError("Set exactly one of `image_shape` and `n_features`.")
        check_option("recipe", self.recipe, RECIPES)
        check_option("loss", self.loss, LOSSES)
        if self.image_shape is not None:
            check_image_shape(self.image_shape)
        if self.max_images is None and self.max_seconds is None:
            raise InvalidInputError(
                "`max_images` and `max_seconds` are both None: set at least one of them, "
                "or training would never end."
            )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_counts)

    @property
    def is_image(self) -> bool:
        """Whether the samples are images."""
        return self.image_shape is not None

    @property
    def class_probabilities(self) -> tuple[float, ...]:
        """Share of each class in a batch (see `class_power`)."""
        weights = [n**self.class_power for n in self.class_counts]
        return tuple(weight / sum(weights) for weight in weights)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def classic_options() -> dict[str, Any]:
    """Return the options in which the 2015 recipe differs from the default one."""
    return {
        "recipe": "classic",
        "loss": "bce",
        "lecam": 0.0,
        "learning_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "class_power": 1.0,
        "discriminator_rate_factor": 1.0,
        "ema_halflife_images": 0.0,
    }


def check_image_shape(image_shape: tuple[int, int, int]) -> None:
    """Refuse sizes the networks are not made for."""
    channels, height, width = image_shape
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidInputError(
            f"Images must have 1 to {MAX_CHANNELS} channels. Got {channels} instead "
            f"(image shape (C, H, W) = {tuple(image_shape)})."
        )
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise InvalidInputError(
            f"Image height and width must be from {MIN_SIDE} to {MAX_SIDE} pixels. Got "
            f"{height} x {width} instead; pass `resize=(height, width)` to scale the images."
        )
