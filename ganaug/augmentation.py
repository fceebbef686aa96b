"""Class-preserving classic augmentation of real images, and the check that it preserves classes.

Everything works on uint8 images (n, C, H, W) and draws from a generator that is passed. One
interpolation is all that a built-in transform does: a second one smooths images visibly, and a
forest then learns 'smooth = added' (docs/experiments.md).
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ganaug.checks import did_you_mean
from ganaug.classifier import fit_classifier
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.seeds import derived_seed, stream
from ganaug.settings import own_settings
from ganaug.warping import AFFINE, Warp, fit_warp, spread_folds

Array = npt.NDArray[Any]
BatchTransform = Callable[[Tensor, torch.Generator], Tensor]

MIXED_SHARE = 0.5
N_CHECK_FOLDS = 3
CHECK_STEPS = 200
MIN_CHECK_SAMPLES = 20
"""Held-out images below which a check would tell nothing."""
MUCH, MIN_OF_A_CLASS = -0.2, 5
"""Recall that no class may lose, and images of a class that can tell."""


# --- the built-in transforms -------------------------------------------------------------------


def to_bytes(warp: Warp) -> BatchTransform:
    """Give a warp that returns uint8 images, as it takes them."""

    def of_batch(images: Tensor, generator: torch.Generator) -> Tensor:
        return warp(images, generator).round().clamp_(0, 255).to(torch.uint8)

    return of_batch


TRANSFORMS: dict[str, BatchTransform] = {
    "affine": to_bytes(AFFINE),
    "mirror": to_bytes(replace(AFFINE, mirrors=True)),
    "quarter_turn": to_bytes(replace(AFFINE, quarter_turns=True)),
}

# --- any transform as a function of images and a generator -------------------------------------


@dataclass(frozen=True)
class Augmentation:
    """A transform of uint8 images (n, C, H, W) that draws from the generator passed to it.

    `name`: for reports. `transform`: (images, generator) -> images of the same shape and dtype;
    None for a warp that is still to be fitted to the images. `needs_check`: whether it may change
    what an image is; warps that do not mirror are taken not to.
    """

    name: str
    transform: BatchTransform | None
    needs_check: bool

    def fitted_to(self, values: Array, codes: npt.NDArray[np.int64], seed: int) -> Augmentation:
        """Find the warp that suits real images, where that is asked for.

        `values`: uint8 (n, C, H, W). `codes`: int64 (n,).
        """
        if self.transform is not None:
            return self
        warp = fit_warp(values, codes, seed=seed)
        if warp.mirrors:  # in the mean of classes better, but some may be each other's mirror image
            mirroring = Augmentation(str(warp), to_bytes(warp), needs_check=True)
            if check_transform(mirroring, values, codes, seed=seed).passes:
                return mirroring
            warp = replace(warp, mirrors=False, quarter_turns=False)
        return Augmentation(str(warp), to_bytes(warp), needs_check=False)

    @own_settings()
    def __call__(self, images: Array, seed: int) -> Array:
        """Augment images.

        `images`: uint8 (n, C, H, W). Returns: uint8 (n, C, H, W).
        """
        if not len(images):
            return images
        assert self.transform is not None, "call `fitted_to` first"
        return self.transform(torch.from_numpy(images), stream(seed, "augmentation")).numpy()


def make_augmentation(augmentation: Any, kind: str = "image") -> Augmentation | None:
    """Turn the parameter `augmentation` into what is called.

    `augmentation`: "affine", "mirror" and "quarter_turn" are built in; "fitted" is a warp found on
    the images, also of "mixed" (None), for those that are not interpolated; "interpolation" and
    "none" augment nothing. A callable
    takes one uint8 tensor (C, H, W) and returns another, and draws its random numbers from torch;
    torchvision's v2 transforms do. An albumentations transform is called as it wants to be. `kind`:
    {"image", "table"}, default="image". Returns: None where nothing is augmented. Raises
    InvalidInputError, InvalidTypeError for anything else.

    Examples
    --------
    >>> make_augmentation("mirror").needs_check, make_augmentation("none")
    (True, None)
    """
    if kind == "table":
        if augmentation is None or augmentation in ("mixed", "none", "interpolation"):
            return None
        raise InvalidInputError(
            f"`augmentation` is for images. Got {augmentation!r} for feature rows instead: leave "
            "it None, they are interpolated; or pass `image_shape` if they are images."
        )
    if augmentation is None or isinstance(augmentation, str):
        if augmentation in (None, "mixed", "fitted"):
            return Augmentation("fitted", None, needs_check=False)
        if augmentation in ("none", "interpolation"):
            return None
        if augmentation not in TRANSFORMS:
            options = ["mixed", "fitted", *TRANSFORMS, "interpolation", "none"]
            raise InvalidInputError(
                f"`augmentation` must be one of {', '.join(map(repr, options))}, a callable or "
                f"None. Got {augmentation!r} instead.{did_you_mean(augmentation, options)}"
            )
        return Augmentation(augmentation, TRANSFORMS[augmentation], augmentation != "affine")
    if isinstance(augmentation, type) or not callable(augmentation):
        raise InvalidTypeError(
            f"`augmentation` must be a name, a transform or None. Got {augmentation!r} instead."
        )
    name = type(augmentation).__name__
    if hasattr(augmentation, "set_random_seed"):
        own = copy.deepcopy(augmentation)  # it is seeded anew for every batch
        return Augmentation(name, _by_albumentations(own), needs_check=True)
    return Augmentation(name, _by_call(augmentation), needs_check=True)


def augments(augmentation: Any) -> bool:
    """Tell whether the parameter `augmentation` asks for new samples rather than repetitions."""
    return not (isinstance(augmentation, str) and augmentation == "none")


def interpolated_share(augmentation: Any, kind: str = "image", *, enlarges: bool = False) -> float:
    """Give the share of real ones' variations that is interpolated, by `augmentation`.

    Parameters
    ----------
    augmentation : None, str or callable
    kind : {"image", "table"}, default="image"
    enlarges : bool, default=False
        Whether all classes are enlarged, not only rare ones filled up.

    Returns
    -------
    float
        Half by default where rare classes are filled up: as good as augmentation where that is
        best, and as good as interpolation where augmentation does harm; none where all classes are
        enlarged (docs/experiments.md).
    """
    is_named = augmentation is None or isinstance(augmentation, str)
    if kind == "table":
        return 0.0 if is_named and augmentation == "none" else 1.0
    usual = 0.0 if enlarges else MIXED_SHARE
    shares = {None: usual, "mixed": MIXED_SHARE, "interpolation": 1.0}
    return shares.get(augmentation, 0.0) if is_named else 0.0


def _by_call(transform: Callable[[Tensor], Any]) -> BatchTransform:
    """Call for one image at a time: torchvision's transforms draw once per call."""

    def of_batch(images: Tensor, generator: torch.Generator) -> Tensor:
        with _own_global_state(generator), _DrawFrom(generator):
            return torch.stack([_checked(transform(image), image) for image in images])

    return of_batch


@contextlib.contextmanager
def _own_global_state(generator: torch.Generator) -> Iterator[None]:
    """Let a generator seed the draws that `_DrawFrom` misses, such as torch.distributions'.

    The seed is drawn from a copy: what is not missed stays as it is.
    """
    copied = torch.Generator().set_state(generator.get_state())
    seed = int(torch.randint(2**63 - 1, (), generator=copied))
    with torch.random.fork_rng(devices=[]):
        seeded = torch.default_generator.manual_seed(seed).get_state()
        yield
        if not torch.equal(torch.get_rng_state(), seeded):
            torch.rand((), generator=generator)  # another seed for the next batch


def _by_albumentations(transform: Any) -> BatchTransform:
    def of_batch(images: Tensor, generator: torch.Generator) -> Tensor:
        transform.set_random_seed(int(torch.randint(2**31, (), generator=generator)))
        made = []
        for image in images:
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            out = np.atleast_3d(transform(image=pixels)["image"])
            made.append(_checked(torch.from_numpy(out.copy()).permute(2, 0, 1), image))
        return torch.stack(made)

    return of_batch


def _checked(out: Any, image: Tensor) -> Tensor:
    if not isinstance(out, Tensor) or out.dtype != torch.uint8 or out.shape != image.shape:
        kind = getattr(out, "dtype", type(out).__name__)
        raise InvalidInputError(
            f"`augmentation` must return a uint8 tensor of shape {tuple(image.shape)} for one. Got "
            f"{kind} of shape {tuple(getattr(out, 'shape', ()))} instead."
        )
    return out.as_subclass(Tensor)


class _DrawFrom(TorchFunctionMode):
    """Makes torch's random functions draw from a generator, so that global state stays as it is.

    The transforms of torchvision take no generator of their own.
    """

    RANDOM = frozenset(
        (
            torch.rand,
            torch.rand_like,
            torch.randn,
            torch.randn_like,
            torch.randint,
            torch.randint_like,
            torch.randperm,
            torch.normal,
            torch.bernoulli,
            torch.multinomial,
            torch.Tensor.uniform_,
            torch.Tensor.normal_,
            torch.Tensor.random_,
            torch.Tensor.bernoulli_,
            torch.Tensor.exponential_,
            torch.Tensor.log_normal_,
            torch.Tensor.geometric_,
            torch.Tensor.cauchy_,
            torch.Tensor.multinomial,
        )
    )

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Add the generator where a random function is called without one."""
        kwargs = kwargs or {}
        if func in self.RANDOM:
            kwargs.setdefault("generator", self.generator)
        return func(*args, **kwargs)


# --- does it preserve classes? -----------------------------------------------------------------


@dataclass(frozen=True)
class TransformCheck:
    """What a check of a transform found, on held-out real images that it had not touched.

    Attributes
    ----------
    name : str
    difference : float
        Recall of a classifier trained with the transform minus one trained without, mean over the
        held-out images (classes weigh equally), from -1 to 1.
    low, high : float
        95% interval of the difference, paired by image.
    n_samples : int
        Held-out images.
    lost : float
        Difference of the class that loses most, where it loses beyond chance more than a fifth of
        its images; else 0. Two classes may be each other's mirror image, and the mean still gain.
    """

    name: str
    difference: float
    low: float
    high: float
    n_samples: int
    lost: float = 0.0

    @property
    def passes(self) -> bool:
        """Whether no harm was shown, in the mean or to a single class."""
        return not (self.high < 0 or self.lost < 0)

    def __str__(self) -> str:
        """Say in words what was found."""
        found = "changes classes" if not self.passes else "does no harm that shows"
        worst = f", that of one class {self.lost:+.1%}" if self.lost else ""
        return (
            f"augmentation '{self.name}' {found}: recall {self.difference:+.1%} "
            f"({self.low:+.1%} to {self.high:+.1%}){worst} on {self.n_samples} held-out real images"
        )


@own_settings()
def check_transform(
    augmentation: Augmentation, values: Array, codes: npt.NDArray[np.int64], *, seed: int
) -> TransformCheck:
    """Tell whether images keep their class under a transform.

    In each of three folds two small classifiers are trained on the other folds' images, one with
    and one without the transform, and compared on the fold's own, untouched images.

    `values`: uint8 (n, C, H, W). `codes`: int64 (n,). The check passes where fewer
    than 20 images are there to tell.

    Notes
    -----
    Differences are weighted by 1 / (n_classes * n_class), which makes their sum the difference of
    balanced accuracies; the interval is that of a weighted mean of paired differences.
    """
    n_classes = int(codes.max()) + 1
    if len(values) < MIN_CHECK_SAMPLES:
        return TransformCheck(augmentation.name, 0.0, -1.0, 1.0, 0)
    differences = np.zeros(len(values))
    folds = spread_folds(codes, N_CHECK_FOLDS, derived_seed(seed, "check"))
    for fold in range(N_CHECK_FOLDS):
        train, test = folds != fold, folds == fold
        hits = [
            _hits(
                values[train], codes[train], values[test], codes[test], n_classes, seed, transform
            )
            for transform in (None, augmentation.transform)
        ]
        differences[test] = hits[1].astype(float) - hits[0]
    counts = np.bincount(codes, minlength=n_classes)
    weights = 1 / (np.count_nonzero(counts) * counts[codes])
    mean = float(weights @ differences)
    error = math.sqrt(float(weights**2 @ (differences - mean) ** 2))
    reach = float(stats.norm.ppf(0.975)) * error
    lost = loss_of_a_class(differences, codes)
    return TransformCheck(augmentation.name, mean, mean - reach, mean + reach, len(values), lost)


def loss_of_a_class(differences: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> float:
    """Give the mean difference of the class that loses most, where that is much; else 0.

    Much: below `MUCH` by its interval, at 95% for all classes together (Bonferroni), so that the
    give and take of two trainings does not count.
    """
    known = [differences[codes == code] for code in np.unique(codes)]
    known = [of_class for of_class in known if len(of_class) >= MIN_OF_A_CLASS]
    z = float(stats.norm.ppf(1 - 0.025 / max(1, len(known))))
    losses = [
        float(of_class.mean())
        for of_class in known
        # few images may all be lost, which is not certain either
        if of_class.mean() + z * math.sqrt(max(of_class.var(), 0.25) / len(of_class)) < MUCH
    ]
    return min(losses, default=0.0)


def accept_transform(
    augmentation: Augmentation | None, values: Array, codes: npt.NDArray[np.int64], *, seed: int
) -> TransformCheck | None:
    """Refuse an augmentation that changes what images are, before anything is made with it.

    `values`, `codes`, `seed`: as in `check_transform`. Returns: None where nothing had to be
    checked. Raises InvalidInputError: says what was found.
    """
    if augmentation is None or not augmentation.needs_check or values.ndim == 2:
        return None
    # what it returns is checked before classifiers are trained; it may write to what it gets
    augmentation(values[:1].copy(), seed)
    found = check_transform(augmentation, values, codes, seed=seed)
    if not found.passes:
        raise InvalidInputError(
            f"`augmentation` must leave images of a class in their class. Got one that does not: "
            f"{found}. Use a weaker transform, or None."
        )
    return found


def _hits(
    values: Array,
    codes: npt.NDArray[np.int64],
    test_values: Array,
    test_codes: npt.NDArray[np.int64],
    n_classes: int,
    seed: int,
    transform: BatchTransform | None,
) -> npt.NDArray[np.bool_]:
    """Train on half untouched, half transformed images; tell which test images are recognised."""
    augmentation = None if transform is None else _half(transform)
    classifier = fit_classifier(
        values, codes, n_classes, seed=seed, max_steps=CHECK_STEPS, augmentation=augmentation
    )
    return np.asarray(classifier.predict_proba(test_values).argmax(axis=1) == test_codes)


def _half(transform: BatchTransform) -> BatchTransform:
    def of_batch(images: Tensor, generator: torch.Generator) -> Tensor:
        n = len(images) // 2
        return torch.cat([transform(images[:n], generator), images[n:]])

    return of_batch
