"""`GANOverSampler`: rebalance classes inside an imbalanced-learn pipeline."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, InvalidParameterError
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from ganaug.augmenter import GANAugmenter
from ganaug.checks import check_parameter_names, did_you_mean
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.inputs import as_labels
from ganaug.inputs.containers import refuse_two_looks, refuse_unsupported
from ganaug.inputs.labels import one_hot_codes, one_hot_like, read_labels
from ganaug.resampling import STRATEGIES, plan_resampling
from ganaug.seeds import draw_seed

__all__ = ["GANOverSampler"]

Array = npt.NDArray[Any]


class GANOverSampler(BaseOverSampler):
    """Over-sample classes with rows that a conditional GAN has learnt from them.

    In an imbalanced-learn `Pipeline` it adds rows during `fit` and does nothing during `predict`:
    inside cross-validation the GAN is trained on the training part of each fold only.

    Parameters
    ----------
    augmenter : GANAugmenter, optional
        What is cloned and trained on the rows; ``GANAugmenter()`` by default. Its parameters are
        set as ``augmenter__max_images`` and so on, also those of the default.
    sampling_strategy : str, float, dict or callable, default="auto"
        imbalanced-learn's: a string equalises classes, a float is the ratio of minority to
        majority (two classes only), a dict gives the total of each class, and a callable returns
        such a dict. The augmenter's own `sampling_strategy` is not used.
    max_ratio : float, default=5.0
        With a string or a float at most this many synthetic rows per real row of a class; the
        remainder are duplicates of real rows, so that counts are exact.
    max_share : float, default=0.1
        With a string or a float at most this share of a class's rows, after resampling, is
        synthetic. The augmenter's own `max_ratio` and `max_share` are not used, but its
        `min_trust` is.
    random_state : int, RandomState or None, default=None
        Seed of everything. None leaves the augmenter its own.
    cache_dir : str or path, optional
        Directory that keeps trained GANs by data, parameters and seed, so that a search over
        `sampling_strategy`, `max_ratio` and `max_share` trains one per fold. Needs an integer
        `random_state`. None leaves the augmenter its own.

    Attributes
    ----------
    augmenter_ : GANAugmenter
        The one that was trained; not fitted where no row was to be added.
    sampling_strategy_ : dict
        Rows added per class.
    resampling_report_ : list of ClassPlan
        Real, synthetic and duplicated rows per class.
    synthetic_mask_ : ndarray of bool, shape (n_resampled,)
        Which of the rows returned are synthetic.
    sample_indices_ : ndarray of int64, shape (n_resampled,)
        Which of the X given each is, or repeats; -1 for synthetic ones.
    n_features_in_ : int
        Columns of X; only for 2-D X.
    feature_names_in_ : ndarray of str
        Columns of X; only for data frames whose column names are strings.

    See Also
    --------
    GANAugmenter : The GAN itself; a transformer for plain scikit-learn pipelines.

    Notes
    -----
    The two caps, and duplicates in place of the rest, are there because a generator that has seen
    few rows has little new to tell, and classes of mostly synthetic rows did harm.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ganaug import GANAugmenter, GANOverSampler
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[(y < 2) & (y + X[:, 36] < 16)], y[(y < 2) & (y + X[:, 36] < 16)]
    >>> augmenter = GANAugmenter(image_shape=(8, 8), max_images=512, filter=None, verbose=0)
    >>> sampler = GANOverSampler(augmenter, random_state=0)
    >>> X_resampled, y_resampled = sampler.fit_resample(X, y)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "augmenter": [GANAugmenter, None],
        "max_ratio": [Interval(Real, 0, None, closed="left")],
        "max_share": [Interval(Real, 0, 1, closed="both")],
        "cache_dir": "no_validation",  # checked by the augmenter
    }

    def __init__(
        self,
        augmenter: GANAugmenter | None = None,
        *,
        sampling_strategy: Any = "auto",
        max_ratio: float = 5.0,
        max_share: float = 0.1,
        random_state: Any = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.augmenter = augmenter
        self.max_ratio = max_ratio
        self.max_share = max_share
        self.random_state = random_state
        self.cache_dir = cache_dir

    # --- resampling ---

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Train a GAN on the rows, and add what `sampling_strategy` asks for.

        Where it asks for no row, as of a verdict other than "use" or of classes of one size,
        nothing is trained, and the rows come back as they are.

        Parameters
        ----------
        X : array, tensor, list or DataFrame
            2-D rows, or images (n, H, W), (n, H, W, C) or (n, C, H, W), as in
            `GANAugmenter.fit`.
        y : array-like of shape (n,)
            Labels; also one-hot, (n, n_classes).

        Returns
        -------
        X_resampled, y_resampled : like X and y
            The real rows first and untouched, then class by class synthetic rows and duplicates.
            A data frame's index is continued.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            For data or parameters that cannot work; before any training.
        SamplingError
            When the filters reject nearly everything of a class.
        """
        labels, is_one_hot = self._check(X, y)
        resample = self._fit_resample if self.sampling_strategy_ else self._leave_as_they_are
        X_out, y_out = resample(_dense(X), labels if is_one_hot else y)
        if is_one_hot:
            return _rows_like(X, X_out), one_hot_like(y, y_out[len(labels) :])
        return _rows_like(X, X_out), y_out.to_frame(y.columns[0]) if hasattr(
            y, "columns"
        ) else y_out

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

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        augmenter = self._configured_augmenter()
        refuse_two_looks(X, augmenter.resize)  # before the training
        self.augmenter_ = augmenter.fit(X, y)
        resampled: tuple[Any, Any] = self.augmenter_.augment(X, y)
        self.resampling_report_ = self.augmenter_.resampling_report_
        self.synthetic_mask_ = self.augmenter_.synthetic_mask_
        self.sample_indices_ = self.augmenter_.sample_indices_
        return resampled

    def _leave_as_they_are(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Check parameters and rows as the augmenter's `fit` does, and give copies back."""
        self.augmenter_ = self._configured_augmenter()
        data, *_ = self.augmenter_._prepare(X, y)
        plans = plan_resampling(data.classes[data.labels], self.sampling_strategy)
        self.resampling_report_ = list(plans.values())
        self.synthetic_mask_ = np.zeros(len(data.labels), dtype=bool)
        self.sample_indices_ = np.arange(len(data.labels))
        X_out = data.spec.concatenate(X, data.spec.decode(data.values[:0]))
        label_kind = read_labels(y)[2]
        return X_out, label_kind.concatenate(y, label_kind.decode(data.labels[:0], data.classes))

    def _configured_augmenter(self) -> GANAugmenter:
        """Clone the augmenter, with what the sampler decides in its place."""
        augmenter = GANAugmenter() if self.augmenter is None else clone(self.augmenter)
        for name in ("sampling_strategy", "max_ratio", "max_share"):
            augmenter.set_params(**{name: getattr(self, name)})
        if self.random_state is not None:
            augmenter.set_params(random_state=draw_seed(self.random_state))
        if self.cache_dir is not None:
            augmenter.set_params(cache_dir=self.cache_dir)
        return augmenter

    # --- checks ---

    def _check(self, X: Any, y: Any) -> tuple[Array, bool]:
        """Check parameters, labels and strategy; return 1-D labels, and whether y was one-hot."""
        self._validate_params()
        if isinstance(X, Dataset):
            raise InvalidTypeError(
                "GANOverSampler adds rows to arrays, tensors, lists and data frames. Got a Dataset "
                "instead: use GANAugmenter().fit(dataset).wrap(dataset)."
            )
        refuse_unsupported(X)
        _, labels, is_one_hot = self._check_X_y(X, y)
        plans = plan_resampling(labels, self.sampling_strategy, max_ratio=self.max_ratio)
        added = {label: plan.n_total - plan.n_real for label, plan in plans.items()}
        self.sampling_strategy_ = {label: n for label, n in added.items() if n}
        return labels, is_one_hot

    def _check_X_y(  # noqa: N802 - imbalanced-learn's name
        self, X: Any, y: Any
    ) -> tuple[Any, Array, bool]:
        """Check labels and column names; the augmenter checks the rows themselves."""
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

    # --- parameters ---

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters; `deep` includes the augmenter's, also the default one's.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        dict
        """
        params: dict[str, Any] = super().get_params(deep)
        if deep and self.augmenter is None:
            params |= {f"augmenter__{k}": v for k, v in GANAugmenter().get_params().items()}
        return params

    def set_params(self, **params: Any) -> GANOverSampler:
        """Set parameters by name, the augmenter's as ``augmenter__name``.

        Raises
        ------
        InvalidInputError
            For an unknown name; suggests the intended one.
        """
        check_parameter_names(self, params)
        is_nested = any(name.startswith("augmenter__") for name in params)
        if is_nested and params.get("augmenter", self.augmenter) is None:
            params = {**params, "augmenter": GANAugmenter()}
        super().set_params(**params)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        tags.sampler_tags.sample_indices = True
        return tags


def _is_two_dimensional(X: Any) -> bool:
    """Tell rows from images, without converting lists of images."""
    if hasattr(X, "ndim"):
        return bool(X.ndim == 2)
    first = X[0] if isinstance(X, list | tuple) and len(X) else None
    if isinstance(first, list | tuple):
        return not any(isinstance(value, list | tuple) for value in first)
    return isinstance(first, np.ndarray) and first.ndim == 1


def _dense(X: Any) -> Any:
    """Make a data frame of sparse columns an ordinary one."""
    if not hasattr(X, "columns"):
        return X
    dtypes = X.dtypes.to_dict()
    sparse = {name: dtype.subtype for name, dtype in dtypes.items() if hasattr(dtype, "fill_value")}
    return X.astype(sparse) if sparse else X


def _rows_like(X: Any, X_out: Any) -> Any:
    """Give rows back in a list, or in sparse columns, if they came so."""
    if hasattr(X, "columns"):
        return X_out.astype(X.dtypes.to_dict())
    if isinstance(X, list | tuple) and not isinstance(X_out, list):
        return [*X, *X_out[len(X) :].tolist()]
    return X_out
