"""`GANOverSampler`: rebalance classes inside an imbalanced-learn pipeline."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from ganaug.augmentation import (
    accept_transform,
    augments,
    interpolated_share,
    make_augmentation,
)
from ganaug.augmenter import GANAugmenter
from ganaug.checks import check_parameter_names, did_you_mean, warn_user
from ganaug.exceptions import (
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
)
from ganaug.inputs import as_labels
from ganaug.inputs.containers import as_list, is_pandas, refuse_two_looks, refuse_unsupported
from ganaug.inputs.labels import one_hot_codes, one_hot_like
from ganaug.mixing import add_samples, plans_by_code
from ganaug.parameters import read_for_training
from ganaug.resampling import (
    ENLARGE,
    ENOUGH_SAMPLES,
    STRATEGIES,
    default_share,
    is_enlarging,
    plan,
)
from ganaug.seeds import draw_seed

Array = npt.NDArray[Any]


class GANOverSampler(BaseOverSampler):
    """Over-sample classes with augmented and interpolated real samples, and with those of a GAN.

    In an imbalanced-learn `Pipeline` it adds samples during `fit` and does nothing during
    `predict`: inside cross-validation the GANs are trained on the training part of each fold only.

    Parameters
    ----------
    augmenter : GANAugmenter or FrozenEstimator of a fitted one, optional
        What is cloned and trained, ``GANAugmenter()`` by default; its parameters are set as
        ``augmenter__width`` and so on. One that is frozen is used as it is: nothing is trained.
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Shape of the images that the columns of 2-D X hold. Without it, 2-D X are plain features.
    synthetic_share : float from 0 to 1, optional
        Of the samples that a class gets, this share is synthetic (none where a classifier of the
        real ones does not take them for the class), the others vary real ones. None is
        what was best over scikit-learn's classifiers: 0.25 from 5,000 images on, else, and for
        tables, 0. With 0 nothing is trained. Set it when you cross-validate: folds have fewer
        samples.
    augmentation : str, callable or None, default=None
        How real images are varied, see `GANAugmenter`. By default half of them is interpolated,
        half warped (turned, scaled, shifted) as suits the images: cheap classifiers try ten ways
        on folds of them, which takes seconds. Where all classes are enlarged, none is
        interpolated. Feature tables are interpolated always.
    n_generators : int, optional
        Independently trained generators; 3 by default.
    max_images : int, optional
        Training budget of each generator, in images.
    sampling_strategy : str, float, dict or callable, default="auto"
        imbalanced-learn's: a string equalises classes, a float is the ratio of minority to
        majority (two classes only), a dict gives the total of each class, and a callable returns
        such a dict. Ours is ``"enlarge"``: all classes, also equally large ones, are brought to
        eight times the size of the largest, as far as that makes 10,000 samples in all, but at
        least to its size. The augmenter's own `sampling_strategy` is not used.
    random_state : int, RandomState or None, default=None
        Seed of everything. None leaves the augmenter its own.
    n_jobs : int, optional
        Generators trained at a time, in worker processes; see `GANAugmenter`.
    cache_dir : str or path, optional
        Directory that keeps trained GANs by data, parameters and seed, so that a search over
        `sampling_strategy` and `synthetic_share` trains one set per fold. Needs an integer
        `random_state`. None leaves the augmenter its own.

    Attributes
    ----------
    augmenter_ : GANAugmenter
        The one that was trained; not fitted where no synthetic sample was to be added.
    sampling_strategy_ : dict
        Samples added per class.
    resampling_report_ : list of ClassPlan
        Samples of each kind per class, and why.
    kinds_ : ndarray of str, shape (n_resampled,)
        Of each sample returned: "real", "synthetic", "augmented",
        "interpolated" or "duplicate".
    sample_indices_ : ndarray of int64, shape (n_resampled,)
        Which of the X given each sample is, repeats or was made from; -1 for synthetic ones.
    augmented_by_ : str
        How the augmented ones were made: what was fitted, in words such as "turned by up to 10
        degrees", or the name of `augmentation`; empty where there are none.
    augmentation_check_ : TransformCheck or None
        What was found about an `augmentation` other than "affine".
    n_features_in_ : int
        Columns of X; only for 2-D X.
    feature_names_in_ : ndarray of str
        Columns of X; only for data frames whose column names are strings.

    See Also
    --------
    GANAugmenter : The GAN itself; a transformer for plain scikit-learn pipelines.
    evaluate_gain : Which remedy is best for a classifier and data, this one among others.

    Notes
    -----
    Augmented and synthetic images are given the shares of black and white, and the grid of values,
    of the real images of their class: without that, a classifier learns 'looks processed = rare
    class'.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ganaug import GANOverSampler
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y < 2) & (y + X[:, 36] < 16)], y[(y < 2) & (y + X[:, 36] < 16)]
    >>> sampler = GANOverSampler(image_shape=(8, 8), synthetic_share=0, random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    >>> np.unique(sampler.kinds_).tolist()
    ['augmented', 'interpolated', 'real']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "sampling_strategy": [
            StrOptions(set(STRATEGIES)),
            Interval(Real, 0, 1, closed="right"),
            Mapping,
            callable,
        ],
        "augmenter": [GANAugmenter, FrozenEstimator, None],
        "synthetic_share": [Interval(Real, 0, 1, closed="both"), None],
        "n_generators": [Interval(Integral, 1, None, closed="left"), None],
        "max_images": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "image_shape": "no_validation",  # these are checked by the augmenter
        "augmentation": "no_validation",
        "cache_dir": "no_validation",
    }

    def __init__(
        self,
        augmenter: GANAugmenter | FrozenEstimator | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        synthetic_share: float | None = None,
        augmentation: Any = None,
        n_generators: int | None = None,
        max_images: int | None = None,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.augmenter = augmenter
        self.image_shape = image_shape
        self.synthetic_share = synthetic_share
        self.augmentation = augmentation
        self.n_generators = n_generators
        self.max_images = max_images
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.cache_dir = cache_dir

    # --- resampling ---

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Train GANs on the samples, and add what `sampling_strategy` asks for.

        Where it asks for no synthetic sample, nothing is trained.

        Parameters
        ----------
        X : array, tensor, list or DataFrame
            2-D X, or images (n, H, W), (n, H, W, C) or (n, C, H, W), as in
            `GANAugmenter.fit`.
        y : array-like of shape (n,)
            Labels; also one-hot, (n, n_classes).

        Returns
        -------
        X_resampled, y_resampled : like X and y
            The real samples first and untouched, then those of each other kind, class
            by class within each kind. A data frame's index is continued.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            For data or parameters that cannot work; before any training.
        SamplingError
            When the filter rejects nearly everything of a class.
        """
        X = as_list(X)
        labels, is_one_hot = self._check(X, y)
        X_out, y_out = self._fit_resample(_dense(X), labels if is_one_hot else y)
        if is_one_hot:
            return _rows_like(X, X_out), one_hot_like(y, y_out[len(labels) :])
        is_frame = is_pandas(y) and y.ndim == 2
        return _rows_like(X, X_out), y_out.to_frame(y.columns[0]) if is_frame else y_out

    def fit(self, X: Any, y: Any) -> GANOverSampler:
        """Check the data and the strategy, without training; `fit_resample` is what trains.

        Parameters
        ----------
        X, y : as in `fit_resample`

        Returns
        -------
        GANOverSampler
            Itself.
        """
        self._check(X, y)
        return self

    def make_augmenter(self) -> GANAugmenter:
        """Give the unfitted augmenter that `fit_resample` trains: a frozen one as it is.

        Returns
        -------
        GANAugmenter
        """
        seed = None if self.random_state is None else draw_seed(self.random_state)
        if isinstance(self.augmenter, FrozenEstimator):
            frozen: GANAugmenter = copy.copy(self.augmenter.estimator)
            return frozen if seed is None else frozen.set_params(random_state=seed)
        augmenter = GANAugmenter() if self.augmenter is None else clone(self.augmenter)
        parameters = {
            "image_shape": self.image_shape,
            "n_generators": self.n_generators,
            "max_images": self.max_images,
            "n_jobs": self.n_jobs,
            "cache_dir": self.cache_dir,
            "augmentation": self.augmentation,
            "random_state": seed,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return augmenter.set_params(**given)

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        self.augmenter_ = augmenter = self.make_augmenter()
        if self.augmentation is not None:  # a frozen augmenter has its own
            augmenter.augmentation = self.augmentation
        refuse_two_looks(X, augmenter.resize)  # before the training
        is_fitted = isinstance(self.augmenter, FrozenEstimator)
        share = self._share(augmenter, X, y)
        budget = None if augmenter.max_images == "auto" else augmenter.max_images
        asked = {"n_generators": self.n_generators, "max_images": budget}
        asked |= {"augmenter": self.augmenter if is_fitted else None}
        given = [f"`{name}`" for name, value in asked.items() if value is not None]
        if given and not share and self.synthetic_share is None:
            warn_user(
                f"GANOverSampler uses no GAN in spite of {' and '.join(given)}: GANs "
                f"of tables, or of fewer than {ENOUGH_SAMPLES:,} images, were not shown to be "
                "worth their training. Pass synthetic_share=0.25 to use one all the same, or 0 to "
                "be told no more.",
                GanaugWarning,
            )
        planned = plan(as_labels(y), self._strategy, synthetic_share=share)
        if not is_fitted and not any(p.n_synthetic for p in planned.values()):
            return self._without_gan(augmenter, X, y)
        if not is_fitted:
            augmenter.fit(X, y)
        resampled: tuple[Any, Any] = augmenter.augment(
            X,
            y,
            sampling_strategy=self._strategy,
            synthetic_share=share,
            random_state=None if self.random_state is None else augmenter.random_state,
        )
        self.resampling_report_ = augmenter.resampling_report_
        self.kinds_, self.sample_indices_ = augmenter.kinds_, augmenter.sample_indices_
        self.augmented_by_ = augmenter.augmented_by_
        self.augmentation_check_ = augmenter.augmentation_check_
        return resampled

    def _share(self, augmenter: GANAugmenter, X: Any, y: Any) -> float:
        """Give the share of synthetic samples: the sampler's, else the augmenter's or default."""
        for share in (self.synthetic_share, augmenter.synthetic_share):
            if share is not None:
                return float(share)
        is_table = augmenter.image_shape is None and np.ndim(X[:1]) == 2
        return default_share(len(y), "table" if is_table else "image")

    def _without_gan(self, augmenter: GANAugmenter, X: Any, y: Any) -> tuple[Any, Any]:
        """Check parameters and samples as the augmenter's `fit` does, and add real ones only."""
        data, seed = read_for_training(augmenter, X, y), draw_seed(augmenter.random_state)
        augmentation = make_augmentation(augmenter.augmentation, data.spec.kind)
        plans = plan(
            data.classes[data.labels],
            self._strategy,
            synthetic_share=0,
            interpolated_share=interpolated_share(
                augmenter.augmentation, data.spec.kind, enlarges=is_enlarging(self._strategy)
            ),
            augments=augments(augmenter.augmentation),
        )
        self.augmentation_check_ = accept_transform(
            augmentation if self.sampling_strategy_ else None, data.values, data.labels, seed=seed
        )
        mixed = add_samples(
            X,
            y,
            data.values,
            data.labels,
            plans_by_code(plans, data.classes),
            spec=data.spec,
            classes=data.classes,
            sampler=None,
            augmentation=augmentation,
            seed=seed,
        )
        self.resampling_report_ = list(plans.values())
        self.kinds_, self.sample_indices_ = mixed.kinds, mixed.sources
        self.augmented_by_ = mixed.augmented_by
        return mixed.X, mixed.y

    # --- checks ---

    def _check(self, X: Any, y: Any) -> tuple[Array, bool]:
        """Check parameters, labels and strategy; return 1-D labels, and whether y was one-hot."""
        self._validate_params()
        self._refuse_two_configurations()
        if isinstance(X, Dataset):
            raise InvalidTypeError(
                "GANOverSampler adds samples to arrays, tensors, lists and data frames. Got a "
                "Dataset instead: use GANAugmenter().fit(dataset).wrap(dataset)."
            )
        refuse_unsupported(X)
        _, labels, is_one_hot = self._check_X_y(X, y)
        plans = plan(labels, self.sampling_strategy, synthetic_share=0)
        self.sampling_strategy_ = {label: p.n_added for label, p in plans.items() if p.n_added}
        totals = {label: p.n_total for label, p in plans.items()}
        self._strategy: Any = ENLARGE if is_enlarging(self.sampling_strategy) else totals
        return labels, is_one_hot

    def _check_X_y(  # noqa: N802 - imbalanced-learn's name
        self, X: Any, y: Any
    ) -> tuple[Any, Array, bool]:
        """Check labels and column names; the augmenter checks the samples themselves."""
        one_hot = one_hot_codes(y)
        labels = as_labels(y) if one_hot is None else one_hot
        if _is_two_dimensional(X):
            try:
                validate_data(self, X, y, skip_check_array=True)
            except TypeError as error:  # of column names
                raise InvalidTypeError(str(error)) from None
        return X, labels, one_hot is not None

    def _validate_params(self) -> None:
        """Raise scikit-learn's own message, with a suggestion, as an error of this library."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            suggestion = ""
            if isinstance(self.sampling_strategy, str) and "'sampling_strategy'" in str(error):
                suggestion = did_you_mean(self.sampling_strategy, STRATEGIES)
            raise InvalidInputError(f"{error}{suggestion}") from None

    def _refuse_two_configurations(self) -> None:
        """Refuse parameters of the GAN beside an augmenter that has its own."""
        if self.augmenter is None:
            return
        for name in ("image_shape", "n_generators", "max_images"):
            if getattr(self, name) is not None:
                raise InvalidInputError(
                    f"`{name}` must be None beside an `augmenter`, which has its own. Got "
                    f"{getattr(self, name)!r} instead: set augmenter__{name}."
                )
        frozen = self.augmenter.estimator if isinstance(self.augmenter, FrozenEstimator) else None
        if frozen is not None and not (
            isinstance(frozen, GANAugmenter) and frozen.__sklearn_is_fitted__()
        ):
            raise InvalidInputError(
                "`augmenter` must be a GANAugmenter, or FrozenEstimator of a fitted one. Got "
                f"{self.augmenter!r} instead."
            )

    # --- parameters ---

    def set_params(self, **params: Any) -> GANOverSampler:
        """Set parameters by name, the augmenter's as ``augmenter__name``.

        Raises
        ------
        InvalidInputError
            For an unknown name; suggests the intended one.
        """
        check_parameter_names(self, params)
        nested = [name for name in params if name.startswith("augmenter__")]
        if nested and params.get("augmenter", self.augmenter) is None:
            raise InvalidInputError(
                f"`augmenter` must be a GANAugmenter for `{nested[0]}` to be set. Got None instead."
            )
        super().set_params(**params)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        tags.sampler_tags.sample_indices = True
        return tags


def _is_two_dimensional(X: Any) -> bool:
    """Tell 2-D data from images, without converting lists of images."""
    if hasattr(X, "ndim"):
        return bool(X.ndim == 2)
    first = X[0] if isinstance(X, list | tuple) and len(X) else None
    if isinstance(first, list | tuple):
        return not any(isinstance(value, list | tuple) for value in first)
    return isinstance(first, np.ndarray) and first.ndim == 1


def _dense(X: Any) -> Any:
    """Make a data frame of sparse columns an ordinary one."""
    if not is_pandas(X) or X.ndim == 1:
        return X
    dtypes = X.dtypes.to_dict()
    sparse = {name: dtype.subtype for name, dtype in dtypes.items() if hasattr(dtype, "fill_value")}
    return X.astype(sparse) if sparse else X


def _rows_like(X: Any, X_out: Any) -> Any:
    """Give samples back in a list, or in sparse columns, if they came so."""
    if is_pandas(X) and X.ndim == 2:
        return X_out.astype(X.dtypes.to_dict())
    if isinstance(X, list | tuple) and not isinstance(X_out, list):
        return [*X, *(_row_like(X[0], row) for row in X_out[len(X) :])]
    return X_out


def _row_like(first: Any, row: Array) -> Any:
    """Give a row as what a list holds: an array, a tensor, a tuple or, for all else, a list."""
    if isinstance(first, np.ndarray):
        return row.astype(first.dtype)
    if isinstance(first, torch.Tensor):
        return torch.tensor(row, dtype=first.dtype, device=first.device)
    if isinstance(first, tuple):  # a named one is not made by its type
        return getattr(first, "_make", type(first))(row.tolist())
    return row.tolist()
