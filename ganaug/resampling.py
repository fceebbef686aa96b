"""The one policy of how many samples each class gets and of which kind, and its executor.

`plan` decides, `carry_out` makes. The over-sampler, `GANAugmenter.augment` and `wrap`, the trials
of `evaluate_gain` and the command line call these two and decide nothing themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from imblearn.utils import check_sampling_strategy
from sklearn.neighbors import NearestNeighbors

from ganaug.augmentation import Augmentation
from ganaug.checks import check_option, did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import as_labels
from ganaug.inputs.pixels import slices_of
from ganaug.jsonable import plain_scalar
from ganaug.matching import PixelStatistics, apply_lookup
from ganaug.options import MIN_TRUST
from ganaug.seeds import derived_seed

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]
Strategy = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]

ENLARGE = "enlarge"
STRATEGIES = ("auto", "minority", "not minority", "not majority", "all", ENLARGE)
KINDS = ("real", "synthetic", "augmented", "interpolated", "duplicate")

ENOUGH_SAMPLES, ROBUST_SHARE = 5000, 0.25
"""From so many images on this share of what is added comes from GANs by default: it gained on
development parts of 9,000 images, and none of them lost (docs/experiments.md). Of fewer, and for
feature tables, the default is none: no gain was shown that would pay for the training."""
NETWORK_SHARE = 0.0
"""The same for a convolutional network trained with augmentation, which gains nothing from
synthetic samples (docs/experiments.md)."""
SMOTE_NEIGHBOURS = 5
MOST_TIMES, ENLARGED_TO = 8, 10_000
"""How far "enlarge" goes: more still gains, and classifiers take longer (docs/experiments.md)."""


@dataclass(frozen=True)
class ClassPlan:
    """What one class gets.

    Parameters
    ----------
    label : hashable
        The class.
    n_real : int
        Samples that it has.
    n_synthetic : int
        New ones from the generator.
    n_augmented : int
        New ones of one real one each: classically augmented images.
    n_interpolated : int
        New ones between two real ones, as by SMOTE.
    n_duplicates : int
        New ones that repeat real ones.
    note : str
        Why a class gets no synthetic samples where others do; mostly empty.
    """

    label: Hashable
    n_real: int
    n_synthetic: int = 0
    n_augmented: int = 0
    n_interpolated: int = 0
    n_duplicates: int = 0
    note: str = ""

    @property
    def n_added(self) -> int:
        """New samples, of all kinds."""
        return self.n_synthetic + self.n_augmented + self.n_interpolated + self.n_duplicates

    @property
    def n_total(self) -> int:
        """Samples after resampling."""
        return self.n_real + self.n_added


def plan(
    y_or_counts: Any,
    sampling_strategy: Strategy = "auto",
    *,
    synthetic_share: float,
    trust: Mapping[Any, float] | None = None,
    interpolated_share: float = 0.0,
    augments: bool = True,
) -> dict[Any, ClassPlan]:
    """Decide how many samples of which kind each class gets, and why.

    Parameters
    ----------
    y_or_counts : labels, shape (n,), or dict of label to count
        The real samples. In a dict classes may have none.
    sampling_strategy : str, float, dict or callable
        As in imbalanced-learn, for over-sampling:

        - ``"minority"``, ``"not minority"``, ``"not majority"``, ``"all"`` or ``"auto"`` (= ``"not
          majority"``): bring these classes to the size of the largest;
        - ``"enlarge"``, ours: bring every class, the largest too, to eight times the size of the
          largest, as far as that makes 10,000 samples in all, but at least to its size;
        - float in (0, 1], two classes only: minority / majority afterwards;
        - dict: samples of each class named in it afterwards, real ones included;
        - callable: takes y, returns such a dict.
    synthetic_share : float from 0 to 1
        Of the samples that a class gets, rounded down.
    trust : mapping of label to float, optional
        Classes below `MIN_TRUST` get no synthetic samples.
    interpolated_share : float from 0 to 1, default=0
        Of those that are not synthetic, rounded down.
    augments : bool, default=True
        Whether all others are augmented; False repeats real ones.

    Returns
    -------
    dict of label to ClassPlan
        Every class, also those that get nothing; labels as plain Python values, sorted if they
        came as y and in the dict's order otherwise.

    Raises
    ------
    InvalidInputError
        For an unknown strategy or class, or a target below the samples that a class has.
    InvalidTypeError
        When `sampling_strategy` is of another type.

    Notes
    -----
    Classes of 0 samples are passed over by strings and floats: there is nothing to repeat.

    Examples
    --------
    >>> plans = plan({"bag": 900, "boot": 100}, synthetic_share=0.25)
    >>> plans["boot"].n_real, plans["boot"].n_synthetic, plans["boot"].n_augmented
    (100, 200, 600)
    """
    counts, y = _count(y_or_counts)
    n_new = new_samples(counts, y, sampling_strategy)
    plans = {}
    for label, n_real in counts.items():
        n, note = n_new.get(label, 0), ""
        n_synthetic = _share_of(synthetic_share, n)
        share = (trust or {}).get(label, 1.0)
        if n_synthetic and not is_trusted(share):
            n_synthetic = 0
            note = (
                f"no synthetic samples: a classifier of the real ones takes {share:.0%} of them "
                f"for their class, less than {MIN_TRUST:.0%}"
                if share
                else "no synthetic samples: they are all alike, or none is taken for its class"
            )
        # one sample has no neighbour to interpolate with
        n_interpolated = _share_of(interpolated_share, n - n_synthetic) if n_real > 1 else 0
        rest = n - n_synthetic - n_interpolated
        is_augmented = augments and interpolated_share < 1
        of_one = (rest, n_interpolated, 0) if is_augmented else (0, n_interpolated, rest)
        plans[label] = ClassPlan(label, n_real, n_synthetic, *of_one, note)
    return plans


def _share_of(share: float, n: int) -> int:
    return math.floor(share * n + 1e-9)  # 0.29 * 100 is 28.999...


def new_samples(counts: dict[Any, int], y: Any, strategy: Strategy) -> dict[Any, int]:
    """Resolve a strategy to new samples per class."""
    if callable(strategy):
        strategy = _called(strategy, y)
    if isinstance(strategy, Mapping):
        return _new_by_targets(counts, strategy)
    if is_enlarging(strategy):
        present = {label: n for label, n in counts.items() if n}
        goal = _enlarged_size([*present.values()]) if present else 0
        return {label: goal - n for label, n in present.items()}
    return _new_by_rule(counts, strategy)


def is_trusted(share: float) -> bool:
    """Tell whether a class of this trust gets synthetic samples."""
    return share >= MIN_TRUST


def is_enlarging(strategy: Any) -> bool:
    """Tell whether a strategy brings all classes to more than the largest has."""
    return isinstance(strategy, str) and strategy == ENLARGE


def enlargement(y_or_counts: Any) -> float:
    """Give how many times as many samples "enlarge" makes as equally large classes have.

    `y_or_counts`: labels, shape (n,), or dict of label to count.
    """
    present = [n for n in _count(y_or_counts)[0].values() if n]
    return _enlarged_size(present) / max(present) if present else 1.0


def default_share(n_samples: int, kind: str) -> float:
    """Give the share of synthetic samples among those added, for scikit-learn's classifiers.

    `kind`: "image" or "table".
    """
    return ROBUST_SHARE if n_samples >= ENOUGH_SAMPLES and kind == "image" else 0.0


# --- the executor ------------------------------------------------------------------------------


class SampleSource(Protocol):
    """What makes synthetic samples: a `ganaug.sampler.TrainedSampler`."""

    def sample_values(self, counts: Mapping[int, int]) -> tuple[Array, Codes]:
        """Make exactly as many samples of each class code."""
        ...


@dataclass(frozen=True)
class Added:
    """Samples to stand behind the real ones, in this order: made ones, then repeated ones.

    Attributes
    ----------
    values : ndarray
        Synthetic, augmented and interpolated samples, in this order, as the networks see them:
        uint8 (m, C, H, W), or float32 (m, d) for tables.
    codes : ndarray of int64, shape (m + k,)
        Class codes, those of the repeated ones included.
    repeated : ndarray of int64, shape (k,)
        Positions of the real samples that are repeated.
    kinds : ndarray of str, shape (m + k,)
        "synthetic", "augmented", "interpolated" or "duplicate".
    sources : ndarray of int64, shape (m + k,)
        Position of the real sample that each was made from (of the first of two); -1 for synthetic
        ones.
    augmented_by : str
        How real ones were augmented; empty where none were.
    """

    values: Array
    codes: Codes
    repeated: Codes
    kinds: npt.NDArray[np.str_]
    sources: Codes
    augmented_by: str

    @property
    def n_made(self) -> int:
        """Samples in `values`."""
        return len(self.values)


def carry_out(
    plans: Mapping[int, ClassPlan],
    values: Array,
    codes: Codes,
    *,
    sampler: SampleSource | None,
    augmentation: Augmentation | None,
    seed: int,
    epoch: int = 0,
) -> Added:
    """Make what a plan asks for.

    Parameters
    ----------
    plans : mapping of class code to ClassPlan
    values : ndarray
        Real samples as the networks see them; read only where some are augmented or interpolated.
    codes : ndarray of int64, shape (n,)
        Their class codes.
    sampler : TrainedSampler or None
        None where no class gets synthetic samples.
    augmentation : Augmentation or None
        None where none are augmented.
    seed : int
        Of which real samples are augmented or repeated, and how.
    epoch : int, default=0
        Others augment the same real images in another way.

    Returns
    -------
    Added
        Exactly the counts of the plan, class by class within each kind.
    """
    made, made_codes, kinds, sources = [values[:0]], [codes[:0]], [np.empty(0, "U12")], [codes[:0]]

    def keep(kind: str, samples: Array, of_code: Codes, of: Codes) -> None:
        made.append(samples)
        made_codes.append(of_code)
        kinds.append(np.full(len(samples), kind))
        sources.append(of)

    n_synthetic = {code: p.n_synthetic for code, p in plans.items() if p.n_synthetic}
    if n_synthetic:
        assert sampler is not None
        synthetic, of_code = sampler.sample_values(n_synthetic)
        keep("synthetic", synthetic, of_code, np.full(len(synthetic), -1, dtype=np.int64))
    of_one = {code: p.n_augmented for code, p in plans.items() if p.n_augmented}
    if of_one and augmentation is not None:
        augmentation = augmentation.fitted_to(values, codes, seed)
    of_two = {code: p.n_interpolated for code, p in plans.items() if p.n_interpolated}
    is_matched = values.ndim > 2 and bool(of_one or of_two)
    statistics = PixelStatistics.fit(values) if is_matched else None
    for kind, counts in (("augmented", of_one), ("interpolated", of_two)):
        for code, n in counts.items():
            of = _draw(codes, code, n, seed, kind)
            if kind == "interpolated":
                samples = _interpolate(values, of, np.flatnonzero(codes == code), seed, code, epoch)
            else:
                assert augmentation is not None
                samples = augmentation(values[of], derived_seed(seed, kind, code, epoch))
            if statistics is not None:
                samples = apply_lookup(statistics.lookup(samples, values[of]), samples)
            keep(kind, samples, np.full(n, code, dtype=np.int64), of)
    repeated = np.concatenate(
        [codes[:0], *(_draw(codes, c, p.n_duplicates, seed) for c, p in plans.items())]
    )
    return Added(
        values=np.concatenate(made),
        codes=np.concatenate([*made_codes, codes[repeated]]),
        repeated=repeated,
        kinds=np.concatenate([*kinds, np.full(len(repeated), "duplicate")]),
        sources=np.concatenate([*sources, repeated]),
        augmented_by=augmentation.name if of_one and augmentation is not None else "",
    )


def _draw(codes: Codes, code: int, n: int, seed: int, purpose: str = "duplicates") -> Codes:
    """Draw positions of real samples: every one of a class equally often, but for one."""
    if not n:
        return codes[:0]
    members = np.flatnonzero(codes == code)
    assert len(members), f"class {code} has no samples to draw from"
    rng = np.random.default_rng(derived_seed(seed, purpose, code))
    return np.resize(rng.permutation(members), n)


def _interpolate(
    values: Array, of: Codes, members: Codes, seed: int, code: int, epoch: int
) -> Array:
    """Interpolate between samples of a class and their neighbours (Chawla et al., 2002, SMOTE).

    Unlike imbalanced-learn's it takes every sample equally often, and says which it took.
    """
    flat = values[members].reshape(len(members), -1)
    flat = flat.astype(np.float64 if values.ndim == 2 else np.float32)
    k = min(SMOTE_NEIGHBOURS, len(members) - 1)
    neighbours = NearestNeighbors(n_neighbors=k).fit(flat).kneighbors(return_distance=False)
    rng = np.random.default_rng(derived_seed(seed, "between", code, epoch))
    first = np.searchsorted(members, of)
    second = neighbours[first, rng.integers(k, size=len(of))]
    weights = rng.random((len(of), 1), flat.dtype.type)
    made = np.empty((len(of), flat.shape[1]), values.dtype)
    for part in slices_of(len(of), flat[0].nbytes):  # a class as floats is many times its bytes
        start, end = flat[first[part]], flat[second[part]]
        between = start + weights[part] * (end - start)
        made[part] = np.rint(between) if values.dtype == np.uint8 else between
    return made.reshape(len(of), *values.shape[1:])


# --- strategies --------------------------------------------------------------------------------


def _called(strategy: Callable[[Any], Mapping[Any, int]], y: Any) -> Mapping[Any, int]:
    try:
        targets = strategy(y)
    except Exception as error:
        raise InvalidInputError(
            "A callable `sampling_strategy` must take labels, and return a dict of label to count. "
            f"Got {type(error).__name__} from {strategy!r} instead: {error}"
        ) from error
    if not isinstance(targets, Mapping):
        raise InvalidTypeError(
            "A callable `sampling_strategy` must return a dict of label to count. "
            f"Got {targets!r} instead."
        )
    return targets


def _count(y_or_counts: Any) -> tuple[dict[Any, int], Any]:
    """Give samples per class, and labels to hand to a callable."""
    if not isinstance(y_or_counts, Mapping):
        y = as_labels(y_or_counts)
        labels, n = np.unique(y, return_counts=True)
        return dict(zip(labels.tolist(), n.tolist(), strict=True)), y
    counts = {
        plain_scalar(label): _whole(n, label, "y_or_counts") for label, n in y_or_counts.items()
    }
    return counts, np.repeat(np.array(list(counts)), list(counts.values()))


def _new_by_targets(counts: dict[Any, int], targets: Mapping[Any, Any]) -> dict[Any, int]:
    """Give new samples per class for totals asked for."""
    n_new = {}
    for key, value in targets.items():
        label = plain_scalar(key)
        if label not in counts:
            listed = ", ".join(repr(known) for known in counts)
            raise InvalidInputError(
                f"`sampling_strategy` must name classes of y ({listed}). Got {label!r} instead."
                + did_you_mean(label, counts)
            )
        target = _whole(value, label, "sampling_strategy")
        if target < counts[label]:
            raise InvalidInputError(
                "`sampling_strategy` must give each class its total, not below the samples it has. "
                f"Got {target} for class {label!r} of {counts[label]} samples instead: over-"
                "sampling removes none."
            )
        n_new[label] = target - counts[label]
    return n_new


def _enlarged_size(present: list[int]) -> int:
    """Give the size of all classes by "enlarge", from the sizes of those that have samples."""
    largest = max(present)
    return max(largest, min(MOST_TIMES * largest, ENLARGED_TO // len(present)))


def _new_by_rule(counts: dict[Any, int], strategy: Any) -> dict[Any, int]:
    """Give new samples per class by imbalanced-learn's rule for a string or a float."""
    if isinstance(strategy, str):
        check_option("sampling_strategy", strategy, STRATEGIES)
    elif isinstance(strategy, bool) or not isinstance(strategy, int | float | np.number):
        raise InvalidTypeError(
            "`sampling_strategy` must be a string, a float in (0, 1], a dict or a callable. "
            f"Got {strategy!r} instead."
        )
    present = [label for label, n in counts.items() if n]
    codes = np.repeat(np.arange(len(present)), [counts[label] for label in present])
    try:
        n_new = check_sampling_strategy(strategy, codes, "over-sampling")
    except ValueError as error:
        raise InvalidInputError(
            f"`sampling_strategy`={strategy!r} cannot be used: {error}"
        ) from None
    return {present[code]: int(n) for code, n in n_new.items()}


def _whole(n: Any, label: Any, parameter: str) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise InvalidInputError(
            f"`{parameter}` must give each class a whole number >= 0. "
            f"Got {n!r} for class {label!r} instead."
        )
    return int(n)
