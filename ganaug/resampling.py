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
from imblearn.over_sampling import SMOTE
from imblearn.utils import check_sampling_strategy
from sklearn.metrics import pairwise_distances_argmin

from ganaug.augmentation import Augmentation
from ganaug.checks import check_option, did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import as_labels
from ganaug.matching import PixelStatistics, apply_lookup
from ganaug.options import MIN_TRUST
from ganaug.seeds import derived_seed

__all__ = ["KINDS", "Added", "ClassPlan", "carry_out", "default_share", "is_trusted", "plan"]

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]
Strategy = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]

STRATEGIES = ("auto", "minority", "not minority", "not majority", "all")
KINDS = ("real", "synthetic", "augmented", "duplicate")

SMALL_SET, LARGE_SET = 500, 2500
"""Of fewer real samples than the first a GAN learns too little for any share to be worth it; from
the second on, a half of what is added is synthetic, between them a quarter: what was robust over
scikit-learn's classifiers (docs/experiments.md)."""
NETWORK_SHARE = 0.0
"""The same for a convolutional network trained with augmentation, which gains nothing from
synthetic samples (docs/experiments.md)."""
SMOTE_NEIGHBOURS = 5


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
        New ones from real ones: classically augmented images, interpolated feature rows.
    n_duplicates : int
        New ones that repeat real ones.
    note : str
        Why a class gets no synthetic samples where others do; mostly empty.
    """

    label: Hashable
    n_real: int
    n_synthetic: int = 0
    n_augmented: int = 0
    n_duplicates: int = 0
    note: str = ""

    @property
    def n_added(self) -> int:
        """New samples, of all kinds."""
        return self.n_synthetic + self.n_augmented + self.n_duplicates

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
        - float in (0, 1], two classes only: minority / majority afterwards;
        - dict: samples of each class named in it afterwards, real ones included;
        - callable: takes y, returns such a dict.
    synthetic_share : float from 0 to 1
        Of the samples that a class gets, rounded down.
    trust : mapping of label to float, optional
        Classes below `MIN_TRUST` get no synthetic samples.
    augments : bool, default=True
        Whether the others are augmented; False repeats real ones.

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
    >>> plans["boot"]
    ClassPlan(label='boot', n_real=100, n_synthetic=200, n_augmented=600, n_duplicates=0, note='')
    """
    counts, y = _count(y_or_counts)
    n_new = new_samples(counts, y, sampling_strategy)
    plans = {}
    for label, n_real in counts.items():
        n, note = n_new.get(label, 0), ""
        n_synthetic = math.floor(synthetic_share * n + 1e-9)  # 0.29 * 100 is 28.999...
        share = (trust or {}).get(label, 1.0)
        if n_synthetic and not is_trusted(share):
            n_synthetic = 0
            note = (
                f"no synthetic samples: a classifier of the real ones takes {share:.0%} of them "
                f"for their class, less than {MIN_TRUST:.0%}"
            )
        rest = n - n_synthetic
        n_augmented, n_duplicates = (rest, 0) if augments else (0, rest)
        plans[label] = ClassPlan(label, n_real, n_synthetic, n_augmented, n_duplicates, note)
    return plans


def new_samples(counts: dict[Any, int], y: Any, strategy: Strategy) -> dict[Any, int]:
    """Resolve a strategy to new samples per class."""
    if callable(strategy):
        strategy = _called(strategy, y)
    if isinstance(strategy, Mapping):
        return _new_by_targets(counts, strategy)
    return _new_by_rule(counts, strategy)


def is_trusted(share: float) -> bool:
    """Tell whether a class of this trust gets synthetic samples."""
    return share >= MIN_TRUST


def default_share(n_samples: int) -> float:
    """Give the share of synthetic samples among those added, for scikit-learn's classifiers."""
    if n_samples < SMALL_SET:
        return 0.0
    return 0.5 if n_samples >= LARGE_SET else 0.25


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
        Synthetic, then augmented samples as the networks see them: uint8 (m, C, H, W), or float32
        (m, d) for tables.
    codes : ndarray of int64, shape (m + k,)
        Class codes, those of the repeated ones included.
    repeated : ndarray of int64, shape (k,)
        Positions of the real samples that are repeated.
    kinds : ndarray of str, shape (m + k,)
        "synthetic", "augmented" or "duplicate".
    sources : ndarray of int64, shape (m + k,)
        Position of the real sample that each was made from; -1 for synthetic ones.
    """

    values: Array
    codes: Codes
    repeated: Codes
    kinds: npt.NDArray[np.str_]
    sources: Codes

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
        Real samples as the networks see them; read only where a class is augmented.
    codes : ndarray of int64, shape (n,)
        Their class codes.
    sampler : TrainedSampler or None
        None where no class gets synthetic samples.
    augmentation : Augmentation or None
        None where none are augmented, and for feature rows, which are interpolated.
    seed : int
        Of which real samples are augmented or repeated, and how.
    epoch : int, default=0
        Others augment the same real images in another way.

    Returns
    -------
    Added
        Exactly the counts of the plan, class by class within each kind.
    """
    made, made_codes, sources = [values[:0]], [codes[:0]], [codes[:0]]
    n_synthetic = {code: p.n_synthetic for code, p in plans.items() if p.n_synthetic}
    if n_synthetic:
        assert sampler is not None
        synthetic, synthetic_codes = sampler.sample_values(n_synthetic)
        made.append(synthetic)
        made_codes.append(synthetic_codes)
        sources.append(np.full(len(synthetic), -1, dtype=np.int64))
    augmented = _augment_all(plans, values, codes, augmentation, seed, epoch)
    for code, (new, of) in augmented.items():
        made.append(new)
        made_codes.append(np.full(len(new), code, dtype=np.int64))
        sources.append(of)
    repeated = np.concatenate(
        [codes[:0], *(_draw(codes, c, p.n_duplicates, seed) for c, p in plans.items())]
    )
    n_kinds = [sum(n_synthetic.values()), sum(len(of) for _, of in augmented.values())]
    return Added(
        values=np.concatenate(made),
        codes=np.concatenate([*made_codes, codes[repeated]]),
        repeated=repeated,
        kinds=np.repeat(np.array(KINDS[1:]), [*n_kinds, len(repeated)]),
        sources=np.concatenate([*sources, repeated]),
    )


def _augment_all(
    plans: Mapping[int, ClassPlan],
    values: Array,
    codes: Codes,
    augmentation: Augmentation | None,
    seed: int,
    epoch: int,
) -> dict[int, tuple[Array, Codes]]:
    """Make the augmented samples of every class, and tell which real ones they came from."""
    counts = {code: p.n_augmented for code, p in plans.items() if p.n_augmented}
    if not counts:
        return {}
    if values.ndim == 2:
        return {code: _interpolate(values, codes, code, n, seed) for code, n in counts.items()}
    assert augmentation is not None
    statistics = PixelStatistics.fit(values)
    augmented = {}
    for code, n in counts.items():
        of = _draw(codes, code, n, seed)
        images = augmentation(values[of], derived_seed(seed, "augmented", code, epoch))
        augmented[code] = apply_lookup(statistics.lookup(images, values[of]), images), of
    return augmented


def _draw(codes: Codes, code: int, n: int, seed: int) -> Codes:
    """Draw positions of real samples: every one of a class equally often, but for one."""
    if not n:
        return codes[:0]
    rng = np.random.default_rng(derived_seed(seed, "duplicates", code))
    return np.resize(rng.permutation(np.flatnonzero(codes == code)), n)


def _interpolate(values: Array, codes: Codes, code: int, n: int, seed: int) -> tuple[Array, Codes]:
    """Interpolate between feature rows of a class (Chawla et al., 2002, SMOTE).

    A class of one sample has no neighbours: it is repeated. SMOTE does not tell from which samples
    it made one: the nearest is given as its source.
    """
    members = np.flatnonzero(codes == code)
    rows = values[members]
    if len(members) == 1:
        return np.repeat(rows, n, axis=0), np.repeat(members, n)
    smote = SMOTE(
        sampling_strategy={1: len(members) + n},
        k_neighbors=min(SMOTE_NEIGHBOURS, len(members) - 1),
        random_state=derived_seed(seed, "interpolated", code) % 2**32,
    )
    # another class, which SMOTE wants to see and leaves alone
    others = np.repeat(rows[:1], len(members) + n, axis=0)
    X = np.concatenate([others, rows])
    y = np.repeat([0, 1], [len(others), len(rows)])
    resampled, _ = smote.fit_resample(X, y)
    made = resampled[len(X) :].astype(values.dtype, copy=False)
    return made, members[pairwise_distances_argmin(made, rows)]


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
    counts = {_plain(label): _whole(n, label, "y_or_counts") for label, n in y_or_counts.items()}
    return counts, np.repeat(np.array(list(counts)), list(counts.values()))


def _new_by_targets(counts: dict[Any, int], targets: Mapping[Any, Any]) -> dict[Any, int]:
    """Give new samples per class for totals asked for."""
    n_new = {}
    for label, value in targets.items():
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
        n_new[_plain(label)] = target - counts[label]
    return n_new


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


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label
