"""Random warps of images: a little turned, scaled and shifted; and which of them suits the data.

A warp that leaves handwriting readable makes another sound of a spectrogram, and a weak one gives
away what a strong one would teach. So the default is found on the real images themselves: cheap
classifiers learn from warped ones, and say on untouched ones which warp has taught them most.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from joblib import parallel_config
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn import functional

from ganaug.seeds import derived_seed, stream
from ganaug.settings import own_settings

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

N_FOLDS = 3
MIN_SAMPLES = 30
"""Of fewer images nothing could be learnt about warps."""
MAX_CLASSES, MAX_PER_CLASS, MAX_SAMPLES = 30, 150, 1500
"""Real images that warps are judged on: seconds, whatever the size of the set."""
MAX_FEATURES = 256
"""Pixels that the judges see: images are pooled to fewer."""
N_TREES = 25
N_REMEMBERED = 64


@dataclass(frozen=True)
class Warp:
    """A random warp: bilinear, once; what comes in from outside is the nearest edge pixel.

    Parameters
    ----------
    turn : float
        Up to so many degrees, either way.
    zoom : float
        Scaled by 1 - zoom to 1 + zoom.
    right, down : float
        Shifted by up to so large a part of the width or height, either way.
    mirrors : bool, default=False
        Half of the images are mirrored left to right first.
    quarter_turns : bool, default=False
        Turned first by 0 to 3 quarter turns; by half turns only where sides differ.
    """

    turn: float = 0.0
    zoom: float = 0.0
    right: float = 0.0
    down: float = 0.0
    mirrors: bool = False
    quarter_turns: bool = False

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Warp each image in its own way.

        `images` (Tensor of shape (n, C, H, W)): uint8. Returns: Tensor of shape (n, C, H, W),
        float32 in 0 to 255.

        Examples
        --------
        >>> images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
        >>> bool((Warp()(images, torch.Generator()) == images).all())
        True
        """
        images = self._reoriented(images, generator)
        n, _, height, width = images.shape
        turn, zoom, right, down = torch.rand((4, n), generator=generator) * 2 - 1
        turn, zoom = turn * math.radians(self.turn), 1 + self.zoom * zoom
        cos, sin = torch.cos(turn) / zoom, torch.sin(turn) / zoom
        stretch = height / width  # the grid's unit is half a side, so a turn needs the sides' ratio
        right, down = right * 2 * self.right, down * 2 * self.down
        matrix = torch.stack([cos, -sin * stretch, right, sin / stretch, cos, down], dim=1)
        size = list(images.shape)
        grid = functional.affine_grid(matrix.view(n, 2, 3), size, align_corners=False)
        return functional.grid_sample(
            images.float(), grid, padding_mode="border", align_corners=False
        )

    def _reoriented(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if self.mirrors:
            is_mirrored = torch.rand(len(images), generator=generator) < 0.5
            images = torch.where(is_mirrored[:, None, None, None], images.flip(3), images)
        if self.quarter_turns:
            is_square = images.shape[2] == images.shape[3]
            quarters = torch.randint(0, 4, (len(images),), generator=generator)
            quarters = quarters if is_square else 2 * (quarters // 2)
            turned = images.clone()
            for k in (1, 2, 3) if is_square else (2,):
                turned[quarters == k] = torch.rot90(images[quarters == k], k, (2, 3))
            images = turned
        return images

    def __str__(self) -> str:
        """Say in words what it does."""
        said = ["mirrored"] * self.mirrors + ["turned by quarters"] * self.quarter_turns
        said += [f"turned by up to {self.turn:g} degrees"] * bool(self.turn)
        said += [f"scaled by up to {self.zoom:.0%}"] * bool(self.zoom)
        for reach, where in ((self.right, "left or right"), (self.down, "up or down")):
            said += [f"shifted {where} by up to {reach:.1%}"] * bool(reach)
        return ", ".join(said) or "unchanged"


SLIGHT = Warp(5, 0.05, 1 / 24, 1 / 24)
AFFINE = Warp(10, 0.1, 1 / 12, 1 / 12)
CANDIDATES = (
    SLIGHT,
    AFFINE,
    Warp(15, 0.15, 1 / 8, 1 / 8),
    Warp(right=1 / 12, down=1 / 12),
    Warp(right=1 / 12),
    Warp(down=1 / 12),
    Warp(turn=10),
    Warp(zoom=0.1),
    Warp(5, 0.05, 1 / 24, 1 / 24, mirrors=True),
    Warp(5, 0.05, 1 / 24, 1 / 24, mirrors=True, quarter_turns=True),
)
"""The first is taken unless another is better by more than a standard error."""


# --- which one suits the data? -----------------------------------------------------------------


@own_settings()
def fit_warp(values: Array, codes: Codes, *, seed: int) -> Warp:
    """Find the warp of `CANDIDATES` that suits these images.

    Nearest neighbours, a linear model and a forest are trained on folds of which classes are filled
    up with warped images, and judged by balanced accuracy on the untouched others. The standard
    error is that of the paired difference, corrected for overlapping training parts (Nadeau &
    Bengio, 2003).

    Parameters
    ----------
    values : ndarray of shape (n, C, H, W), uint8
    codes : ndarray of shape (n,), int64
        Class codes.
    seed : int

    Returns
    -------
    Warp
        `SLIGHT` where too few images are there to tell.
    """
    key = _digest(values, codes, seed)
    warp = _FOUND.get(key) or _fit_warp(values, codes, seed)
    if len(_FOUND) >= N_REMEMBERED:
        _FOUND.clear()
    _FOUND[key] = warp
    return warp


_FOUND: dict[bytes, Warp] = {}
"""What was found for the last sets of images: several classifiers ask about each fold."""


def _digest(values: Array, codes: Codes, seed: int) -> bytes:
    content = hashlib.sha256(f"{values.shape} {seed}".encode())
    for part in (values, codes):
        content.update(np.ascontiguousarray(part).data)
    return content.digest()


def _fit_warp(values: Array, codes: Codes, seed: int) -> Warp:
    kept = _some_of_each(codes, seed)
    if len(kept) < MIN_SAMPLES or len(np.unique(codes[kept])) < 2:
        return SLIGHT
    images, codes = _pooled(values[kept]), codes[kept]

    def scores(warp: Warp, repeat: int) -> Scores:
        folds = spread_folds(codes, N_FOLDS, derived_seed(seed, "warp", repeat))
        return np.array([_score(warp, images, codes, folds, k, seed) for k in range(N_FOLDS)])

    with parallel_config(backend="sequential"):  # a Dask cluster would be sent one tree at a time
        first = [scores(warp, 0) for warp in CANDIDATES]
        best = int(np.argmax([found.mean() for found in first]))
        if not best:
            return SLIGHT
        again = scores(CANDIDATES[best], 1) - scores(SLIGHT, 1)
    ahead = np.concatenate([first[best] - first[0], again])
    widened = math.sqrt(1 / len(ahead) + 1 / (N_FOLDS - 1))
    return CANDIDATES[best] if ahead.mean() > ahead.std(ddof=1) * widened else SLIGHT


def _some_of_each(codes: Codes, seed: int) -> Codes:
    """Draw positions of images: some classes, and some of each of them."""
    rng = np.random.default_rng(derived_seed(seed, "warp"))
    present = np.unique(codes)
    chosen = rng.permutation(present)[:MAX_CLASSES]
    n = min(MAX_PER_CLASS, MAX_SAMPLES // max(1, len(chosen)))
    order = rng.permutation(len(codes))
    return np.sort(np.concatenate([codes[:0], *(order[codes[order] == c][:n] for c in chosen)]))


def _pooled(values: Array) -> Tensor:
    """Give images of at most `MAX_FEATURES` values."""
    _, n_channels, height, width = values.shape
    factor = math.sqrt(min(1.0, MAX_FEATURES / (n_channels * height * width)))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return functional.adaptive_avg_pool2d(torch.from_numpy(values).float(), size)


def spread_folds(codes: Codes, n_folds: int, seed: int) -> Codes:
    """Draw a fold for each sample, so that every class is spread evenly over them."""
    order = np.random.default_rng(seed).permutation(len(codes))
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order[np.argsort(codes[order], kind="stable")]] = np.arange(len(codes)) % n_folds
    return folds


def _score(warp: Warp, images: Tensor, codes: Codes, folds: Codes, fold: int, seed: int) -> float:
    """Give the judges' mean balanced accuracy on a fold."""
    X, y = _filled(warp, images, codes, np.flatnonzero(folds != fold), seed)
    test = folds == fold
    X_test, y_test = images[test].flatten(1).numpy(), codes[test]
    return float(
        np.mean([_balanced(y_test, judge.fit(X, y).predict(X_test)) for judge in _judges(seed)])
    )


def _filled(
    warp: Warp, images: Tensor, codes: Codes, train: Codes, seed: int
) -> tuple[Array, Codes]:
    """Fill classes up to the largest, or to half as many again as the mean, with warped images."""
    counts = np.unique(codes[train], return_counts=True)[1]
    goal = max(int(counts.max()), math.ceil(1.5 * counts.mean()))
    of = [
        np.resize(members, goal - len(members))
        for members in (train[codes[train] == code] for code in np.unique(codes[train]))
    ]
    sources = np.concatenate(of)
    warped = warp(images[sources], stream(seed, "warp"))
    X = torch.cat([images[train], warped]).flatten(1).numpy()
    return X, codes[np.concatenate([train, sources])]


def _judges(seed: int) -> Iterator[Any]:
    yield KNeighborsClassifier(1)
    yield RidgeClassifier(alpha=10 * 255**2)  # 10 on values from 0 to 1
    yield ExtraTreesClassifier(N_TREES, random_state=seed % 2**32)


def _balanced(y: Codes, predicted: Codes) -> float:
    is_right = y == predicted
    return float(np.mean([is_right[y == code].mean() for code in np.unique(y)]))
