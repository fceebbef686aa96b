"""`GANAugmenter`: a conditional GAN as a scikit-learn estimator."""

from __future__ import annotations

import math
import numbers
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from ganaug.audit import MIN_SAMPLES, AuditReport, build_audit
from ganaug.cache import cached_training, check_cache_dir, training_key
from ganaug.checks import check_parameter_names, did_you_mean, warn_user
from ganaug.dataset import AugmentedDataset, read_dataset_labels
from ganaug.exceptions import (
    InvalidInputError,
    InvalidTypeError,
    NotFittedError,
    SamplingError,
    TrainingWarning,
)
from ganaug.gan.config import GROUP_SIZE, LOSSES, classic_options
from ganaug.gan.monitor import REMEDIES, Alarm
from ganaug.gan.sampling import Sampler
from ganaug.gan.training import estimate_seconds
from ganaug.inputs import (
    DataSpec,
    TrainingSet,
    encode_labels,
    read_labelled,
    read_training_set,
)
from ganaug.inputs.containers import (
    extendable_samples,
    refuse_dataset,
    refuse_two_looks,
    refuse_unsupported,
    replace_samples,
    take_samples,
)
from ganaug.inputs.labels import read_labels
from ganaug.model import (
    FILTERS,
    FittedModel,
    TrainingOptions,
    plan_networks,
    train_model,
)
from ganaug.options import CONDITIONINGS, RECIPES
from ganaug.persistence import (
    describe_origin,
    library_versions,
    load_model,
    plain_parameters,
    read_parameters,
    save_model,
)
from ganaug.progress import progress_bar, readable_seconds
from ganaug.resampling import STRATEGIES, ClassPlan, plan_resampling
from ganaug.seeds import derived_seed, draw_seed

Array = npt.NDArray[Any]

IMAGES_PER_ROW = 40
MIN_AUTO_IMAGES, MAX_AUTO_IMAGES = 60_000, 400_000
MAX_AUTO_TABLE_IMAGES = 100_000


class GANAugmenter(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Learn a labelled image set with a conditional GAN, and serve synthetic rows of each class.

    Parameters
    ----------
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Shape of the images that 2-D rows hold. Without it, 2-D rows are plain features and a
        small network for tables is trained.
    value_range : tuple of float (low, high), optional
        Values of black and white; inferred by default: [0, 1], [-1, 1], [0, 255], else the data's
        own minimum and maximum.
    resize : tuple of int (H, W), optional
        Scale all images to this size first; needed when they are larger than 128 pixels or vary.
    image_key, label_key : str, optional
        Where items of a Dataset of dicts keep them; found by default.
    recipe : {"default", "classic"}, default="default"
        "classic" is the DCGAN of 2015 made conditional: a reference, not a recommendation.
    conditioning : {"joint", "per_class"}, default="joint"
        One network for all classes, in which rare classes borrow from frequent ones, or one
        network per class.
    width : int, default=32
        Channels of the networks at half resolution. Time grows about with its square.
    latent_dim : int, default=64
        Length of the noise vector.
    batch_size : int, default=64
        Real images per step; a multiple of 4.
    max_images : int, "auto" or None, default="auto"
        Budget in real images shown to the discriminator. "auto" is 40 times the number of rows,
        within 60,000 and 400,000 (tables: at most 100,000). None: only `max_seconds` limits.
    max_seconds : float, optional
        Budget in seconds; results then depend on the machine's speed.
    learning_rate, loss, diffaugment, lecam, class_power, ema_halflife_images : optional
        Options of the engine, documented in `ganaug.gan.config.GANConfig`. None is the recipe's
        own value.
    filter : {"auto", "classifier"} or None, default="auto"
        Which synthetic rows are rejected and redrawn. "classifier": those that a classifier of the
        real rows takes for another class. "auto" is "classifier" for images and None for tables.
        May be changed after `fit`.
    sampling_strategy : str, float, dict or callable, default="auto"
        What `augment` and `wrap` add, in imbalanced-learn's meaning: a string equalises classes
        (see `max_ratio`), a dict gives exact totals per class.
    max_ratio : float, default=5.0
        With a string or float strategy at most this many synthetic rows per real row of a class;
        the remainder are duplicates of real rows.
    max_share : float, default=0.1
        With a string or float strategy at most this share of a class's rows, after resampling, is
        synthetic: a precaution, since a quarter did harm (docs/experiments.md).
    min_trust : float, default=0.8
        With a string or float strategy, a class gets duplicates only when a classifier of the real
        rows takes less than this share of its synthetic rows for their class (see `trust_`).
        `fit_transform` leaves such a class alone.
    mix_fraction : float, default=0.3
        Share of rows that `fit_transform` replaces by synthetic ones. 0 replaces nothing.
    min_real : int, default=100
        `fit_transform` leaves classes with fewer rows alone.
    cache_dir : str or path, optional
        Directory that keeps trained models by data and parameters (`max_ratio`, `max_share`,
        `sampling_strategy`, `min_trust`, `mix_fraction` and `min_real` are not among them).
    checkpoint_dir : str or path, optional
        Where training saves its state, and resumes from when data and parameters match.
    warm_start_from : str, path or GANAugmenter, optional
        A model of the same classes and networks to start training from.
    device : str, default="auto"
        "auto" (CUDA if there is one, else CPU), "cpu", "cuda", "cuda:1", ...
    random_state : int, RandomState or None, default=None
        Seed of everything. With an int, same data, versions, device and threads: same bytes.
    verbose : int, default=1
        0 is silent; 1 shows the estimated cost and a progress bar on stderr.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    class_counts_ : dict
        Real rows per class.
    n_features_in_ : int
        Columns of X; only for 2-D X.
    value_range_ : tuple of float or None
        Values of black and white; None for tables.
    history_ : list of dict
        One record per evaluation: images seen, seconds, losses, the monitor's distance, variety
        per class, alarms.
    alarms_ : list of dict
        What is wrong with the weights that were kept: kind, class, value, remedy.
    n_images_seen_ : int
        Real images shown to the discriminator.
    fit_seconds_ : float
        Seconds of training, those before a resumed checkpoint included.
    origin_ : dict
        `versions` and `hardware` of the training.
    trust_ : dict
        Per class, the share of unfiltered synthetic rows that a classifier of the real rows takes
        for their class; empty when `filter` at `fit` has no "classifier".
    data_fingerprint_ : str
        SHA-256 of the training rows and labels.
    spec_ : DataSpec
        What the data looked like; synthetic rows come back alike.
    seed_ : int
        The seed drawn from `random_state`.
    synthetic_mask_ : ndarray of bool
        Which rows of the last `fit_transform` or `augment` are synthetic.
    sample_indices_ : ndarray of int64
        Which of the X given to the last `augment` each sample is, or repeats; -1 for synthetic.
    resampling_report_ : list of ClassPlan
        Real, synthetic and duplicated rows per class of the last `augment` or `wrap`.

    See Also
    --------
    GANOverSampler : The same inside an imbalanced-learn pipeline; removes no real row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ganaug import GANAugmenter
    >>> X, y = load_digits(return_X_y=True)
    >>> augmenter = GANAugmenter(
    ...     image_shape=(8, 8), max_images=512, filter=None, random_state=0, verbose=0
    ... )
    >>> X_new, y_new = augmenter.fit(X, y).sample({3: 5, 8: 2})
    >>> X_new.shape, y_new.tolist()
    ((7, 64), [3, 3, 3, 3, 3, 8, 8])
    """

    classes_: Array
    class_counts_: dict[Any, int]
    spec_: DataSpec
    seed_: int
    synthetic_mask_: npt.NDArray[np.bool_]
    sample_indices_: npt.NDArray[np.int64]
    resampling_report_: list[ClassPlan]
    _sampler: Sampler

    def __init__(
        self,
        *,
        image_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] | None = None,
        resize: tuple[int, int] | None = None,
        image_key: str | None = None,
        label_key: str | None = None,
        recipe: str = "default",
        conditioning: str = "joint",
        width: int = 32,
        latent_dim: int = 64,
        batch_size: int = 64,
        max_images: int | Literal["auto"] | None = "auto",
        max_seconds: float | None = None,
        learning_rate: float | None = None,
        loss: str | None = None,
        diffaugment: bool | None = None,
        lecam: float | None = None,
        class_power: float | None = None,
        ema_halflife_images: float | None = None,
        filter: str | None = "auto",  # noqa: A002
        sampling_strategy: Any = "auto",
        max_ratio: float = 5.0,
        max_share: float = 0.1,
        min_trust: float = 0.8,
        mix_fraction: float = 0.3,
        min_real: int = 100,
        cache_dir: str | os.PathLike[str] | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        warm_start_from: Any = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.image_shape = image_shape
        self.value_range = value_range
        self.resize = resize
        self.image_key = image_key
        self.label_key = label_key
        self.recipe = recipe
        self.conditioning = conditioning
        self.width = width
        self.latent_dim = latent_dim
        self.batch_size = batch_size
        self.max_images = max_images
        self.max_seconds = max_seconds
        self.learning_rate = learning_rate
        self.loss = loss
        self.diffaugment = diffaugment
        self.lecam = lecam
        self.class_power = class_power
        self.ema_halflife_images = ema_halflife_images
        self.filter = filter
        self.sampling_strategy = sampling_strategy
        self.max_ratio = max_ratio
        self.max_share = max_share
        self.min_trust = min_trust
        self.mix_fraction = mix_fraction
        self.min_real = min_real
        self.cache_dir = cache_dir
        self.checkpoint_dir = checkpoint_dir
        self.warm_start_from = warm_start_from
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # --- fitting ---

    def fit(self, X: Any, y: Any = None) -> GANAugmenter:
        """Train on real rows.

        Parameters
        ----------
        X : array, tensor, list of images, DataFrame, or map-style torch Dataset
            Images (n, H, W), (n, H, W, C) or (n, C, H, W), uint8, uint16 or float, H and W from 8
            to 128, 1 to 4 channels; 2-D rows; or a Dataset of (image, label) or of dicts.
        y : array-like of shape (n,), optional
            Labels; None for a Dataset, which brings its own.

        Returns
        -------
        GANAugmenter
            Itself.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            For data or parameters that cannot work; before any training.
        CheckpointError
            When `checkpoint_dir` holds a training of other data or parameters.

        Warns
        -----
        SmallClassWarning
            For classes with fewer than 20 rows.
        TrainingWarning
            When the monitor raised an alarm, or Ctrl-C ended the training early.
        """
        data, options, checkpoint_dir, start_from = self._prepare(X, y)
        self._forget()
        if data.spec.layout == "rows":
            validate_data(self, X, skip_check_array=True)
        model = self._train(data, options, checkpoint_dir, start_from)
        self._take_up(model, options.device)
        self._warn_of_alarms()
        return self

    def _prepare(
        self, X: Any, y: Any
    ) -> tuple[TrainingSet, TrainingOptions, Path | None, FittedModel | None]:
        """Check everything that can be checked before a training."""
        self._check_parameters()
        check_cache_dir(self.cache_dir)
        device = resolve_device(self.device)
        data = self._read(X, y)
        start_from = self._model_to_start_from()
        options = self._training_options(data, device)
        return data, options, self._make_checkpoint_dir(), start_from

    def _read(self, X: Any, y: Any) -> TrainingSet:
        return read_training_set(
            X,
            y,
            image_shape=self.image_shape,
            value_range=self.value_range,
            resize=self.resize,
            image_key=self.image_key,
            label_key=self.label_key,
        )

    def _training_options(self, data: TrainingSet, device: torch.device) -> TrainingOptions:
        config_options = classic_options() if self.recipe == "classic" else {}
        for name in (
            *("learning_rate", "loss", "diffaugment", "lecam", "class_power"),
            "ema_halflife_images",
        ):
            if getattr(self, name) is not None:
                config_options[name] = _plain(getattr(self, name))
        for name in ("width", "latent_dim", "batch_size", "max_seconds", "max_images"):
            config_options[name] = _plain(getattr(self, name))
        is_table = data.spec.kind == "table"
        if self.max_images == "auto":
            config_options["max_images"] = auto_max_images(len(data.labels), is_table)
        filters = self._filter_names()
        if self.filter == "auto" and is_table:
            filters = ()
        return TrainingOptions(
            config_options, self.conditioning, filters, draw_seed(self.random_state), str(device)
        )

    def _make_checkpoint_dir(self) -> Path | None:
        if self.checkpoint_dir is None:
            return None
        try:
            directory = Path(self.checkpoint_dir)
            directory.mkdir(parents=True, exist_ok=True)
        except (OSError, TypeError) as error:
            raise InvalidInputError(
                f"`checkpoint_dir` must be a directory, or a path where one can be made. Got "
                f"{self.checkpoint_dir!r} instead ({error})."
            ) from error
        return directory

    def _train(
        self,
        data: TrainingSet,
        options: TrainingOptions,
        checkpoint_dir: Path | None,
        start_from: FittedModel | None,
    ) -> FittedModel:
        def train() -> FittedModel:
            if not self.verbose:
                return train_model(
                    data, options, checkpoint_dir=checkpoint_dir, start_from=start_from
                )
            with progress_bar(_describe_cost(data, options)) as show:
                return train_model(
                    data,
                    options,
                    checkpoint_dir=checkpoint_dir,
                    on_progress=show,
                    start_from=start_from,
                )

        def train_and_note_origin() -> FittedModel:
            model = train()
            model.origin = describe_origin(options.device)
            return model

        if self.cache_dir is None or start_from is not None:
            return train_and_note_origin()
        key = training_key(data, options)
        return cached_training(self.cache_dir, key, train_and_note_origin, options.device)

    def _model_to_start_from(self) -> FittedModel | None:
        if self.warm_start_from is None:
            return None
        source = self.warm_start_from
        source = source.estimator if isinstance(source, FrozenEstimator) else source
        if not isinstance(source, GANAugmenter):
            return load_model(source).model
        if not source.__sklearn_is_fitted__():
            raise InvalidInputError(
                "`warm_start_from` must be fitted. Got a GANAugmenter that is not instead. "
                "(scikit-learn's `clone`, which searches and cross-validation use, forgets a fit: "
                "pass FrozenEstimator(augmenter), or the path of a saved model.)"
            )
        return source.model_

    def _forget(self) -> None:
        """Drop everything that an earlier fit has left."""
        for name in [name for name in vars(self) if name.endswith("_") or name == "_sampler"]:
            delattr(self, name)

    def _take_up(self, model: FittedModel, device: str) -> None:
        """Set the fitted attributes."""
        self.model_ = model
        self.origin_ = model.origin
        self.device_ = device
        self.classes_ = model.classes
        counts = model.class_counts.tolist()
        self.class_counts_ = dict(zip(model.classes.tolist(), counts, strict=True))
        self.spec_ = model.spec
        self.value_range_ = model.spec.value_range
        trust = [] if model.trust is None else model.trust
        self.trust_ = dict(zip(model.classes.tolist(), trust, strict=False))
        self.data_fingerprint_ = model.fingerprint
        self.seed_ = model.seed
        self.history_ = _named_history(model)
        self.alarms_ = [
            alarm
            for gan, codes in _gans_with_codes(model)
            for alarm in _named(gan.alarms, codes, model)
        ]
        self.n_images_seen_ = sum(gan.images_seen for gan in model.gans)
        self.fit_seconds_ = sum(gan.seconds for gan in model.gans)

    def _warn_of_alarms(self) -> None:
        lines = []
        if any(gan.interrupted for gan in self.model_.gans):
            lines.append(
                f"training was interrupted after {self.n_images_seen_:,} images; the best weights "
                "so far are kept."
            )
        for kind, remedy in REMEDIES.items():
            raised = [alarm for alarm in self.alarms_ if alarm["kind"] == kind]
            classes = [str(alarm["class"]) for alarm in raised if alarm["class"] is not None]
            if raised:
                where = f" in class {', '.join(classes)}" if classes else ""
                lines.append(f"{kind}{where}: {remedy}")
        if lines:
            warnings.warn(f"GANAugmenter: {' '.join(lines)}", TrainingWarning, stacklevel=3)

    def estimate_fit_seconds(self, X: Any, y: Any = None) -> float:
        """Estimate how long `fit` will train, from a few steps of throw-away networks.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        float
            Seconds on this machine as it is now; a cache or a checkpoint may spare them.
        """
        self._check_parameters()
        device = resolve_device(self.device)
        data = self._read(X, y)
        return _estimate_cost(data, self._training_options(data, device))[1]

    # --- sampling ---

    def sample(
        self, n_samples: int | Mapping[Any, int], *, random_state: int | None = None, start: int = 0
    ) -> tuple[Any, Any]:
        """Make synthetic rows.

        Parameters
        ----------
        n_samples : int or mapping of label to int
            Total, spread evenly over the classes, or exact counts per class.
        random_state : int, optional
            Another seed than the fitted one: other samples.
        start : int, default=0
            How many samples of each class to pass over: ``sample({c: 10}, start=10)`` goes on where
            ``sample({c: 10})`` ended.

        Returns
        -------
        X : like the X of `fit`
            Same container, dtype, layout and value range; rows stand class by class, in the order
            of the mapping.
        y : like the y of `fit`

        Raises
        ------
        InvalidInputError
            For unknown classes, or counts that are no non-negative integers.
        SamplingError
            When the filters reject nearly everything of a class.

        Notes
        -----
        The same seed gives the same rows of a class, whatever else is asked for.
        """
        counts = self._counts_by_code(n_samples)
        values, codes = self._sample_values(counts, seed=random_state, start=start)
        return self.spec_.decode(values), self.model_.label_kind.decode(codes, self.classes_)

    def _sample_values(
        self, counts: Mapping[int, int], *, seed: int | None = None, start: int = 0
    ) -> tuple[Array, npt.NDArray[np.int64]]:
        """Make rows as the networks see them, by class code."""
        model = self._fitted_model()
        start = _check_count("start", start)
        seed = self.seed_ if seed is None else draw_seed(seed)
        return model.sample_values(self._get_sampler(), counts, seed=seed, start=start)

    def _get_sampler(self) -> Sampler:
        """Return the networks on the device, behind the filters as they are set now."""
        model = self._fitted_model()
        if mistakes := self._filter_mistakes():
            raise InvalidInputError(" ".join(mistakes))
        filters = model.filters if self.filter == "auto" else self._filter_names()
        if "_sampler" not in vars(self) or tuple(self._sampler.filters) != filters:
            self._sampler = model.build_sampler(torch.device(self.device_), filters)
        return self._sampler

    def _counts_by_code(self, n_samples: int | Mapping[Any, int]) -> dict[int, int]:
        self._fitted_model()
        n_classes = len(self.classes_)
        if not isinstance(n_samples, Mapping):
            n = _check_count("n_samples", n_samples)
            return {code: n // n_classes + (code < n % n_classes) for code in range(n_classes)}
        code_of = {label: code for code, label in enumerate(self.classes_.tolist())}
        counts = {}
        for label, n in n_samples.items():
            plain = label.item() if isinstance(label, np.generic | torch.Tensor) else label
            if plain not in code_of:
                raise InvalidInputError(
                    f"`n_samples` names the unknown class {label!r}. Known classes: "
                    f"{list(code_of)}.{did_you_mean(plain, code_of)}"
                )
            counts[code_of[plain]] = _check_count(f"n_samples[{label!r}]", n)
        return counts

    # --- mixing ---

    def augment(self, X: Any, y: Any, *, sampling_strategy: Any = None) -> tuple[Any, Any]:
        """Add synthetic rows to real ones.

        Parameters
        ----------
        X, y : rows and labels as in `fit`
            Need not be those of `fit`, but of its classes. No Dataset: see `wrap`.
        sampling_strategy : optional
            Instead of the estimator's own.

        Returns
        -------
        X, y
            The real rows first and untouched, then class by class synthetic rows and duplicates.
            `synthetic_mask_` and `resampling_report_` say which and how many.

        Warns
        -----
        TrainingWarning
            When `min_trust` leaves no class any synthetic row.
        """
        self._fitted_model()
        X = extendable_samples(X, self.spec_)
        codes = encode_labels(y, self.classes_)
        if len(codes) != len(X):
            raise InvalidInputError(
                f"X and y must have the same length. Got {len(X)} and {len(codes)} instead."
            )
        self.spec_.check(X)
        if self.spec_.kind == "image":
            refuse_two_looks(X, self.spec_.resize)
        plans = self._plan(codes, sampling_strategy)
        values, new_codes = self._sample_values({c: p.n_synthetic for c, p in plans.items()})
        duplicates = self._draw_duplicates(codes, plans)
        X_out = self.spec_.concatenate(X, self.spec_.decode(values))
        if len(duplicates):
            X_out = self.spec_.concatenate(X_out, take_samples(X, duplicates))
        label_kind = read_labels(y)[2]  # which need not be that of fit
        y_new = label_kind.decode(np.r_[new_codes, codes[duplicates]], self.classes_)
        y_out = label_kind.concatenate(y, y_new)
        parts = [np.zeros(len(codes)), np.ones(len(new_codes)), np.zeros(len(duplicates))]
        self.synthetic_mask_ = np.concatenate(parts).astype(bool)
        self.sample_indices_ = np.r_[np.arange(len(codes)), np.full(len(new_codes), -1), duplicates]
        return X_out, y_out

    def _plan(self, codes: Array, sampling_strategy: Any) -> dict[int, ClassPlan]:
        """Resolve a strategy to plans by class code, and report them."""
        strategy = self.sampling_strategy if sampling_strategy is None else sampling_strategy
        plans = plan_resampling(
            self.classes_[codes], strategy, max_ratio=self.max_ratio, max_share=self.max_share
        )
        if isinstance(strategy, str | numbers.Real):  # a dict or callable is taken at its word
            asked = [label for label, plan in plans.items() if plan.n_synthetic]
            plans = {label: self._distrust(plan) for label, plan in plans.items()}
            if asked and not any(plan.n_synthetic for plan in plans.values()):
                self._warn_that_all_are_distrusted(asked, "get duplicates of real rows only")
        self.resampling_report_ = list(plans.values())
        code_of = {label: code for code, label in enumerate(self.classes_.tolist())}
        return {code_of[label]: plan for label, plan in plans.items()}

    def _is_trusted(self, label: Any) -> bool:
        return bool(self.trust_.get(label, 1.0) >= self.min_trust)

    def _warn_that_all_are_distrusted(self, labels: Sequence[Any], what_they_do: str) -> None:
        best = max(self.trust_[label] for label in labels)
        message = (
            f"GANAugmenter adds no synthetic rows: all classes {what_they_do}. A classifier of the "
            f"real rows takes at most {best:.0%} of the samples of any of them for their class, "
            f"less than min_trust={self.min_trust:g}. Train longer (`max_images`), on a "
            "GPU if need be, or leave the GAN out."
        )
        warn_user(message, TrainingWarning)

    def _distrust(self, plan: ClassPlan) -> ClassPlan:
        """Put duplicates in place of synthetic rows of a class that the generator does not know.

        Where a classifier of the real rows disputes many of a class's samples, even those that it
        accepts did harm (docs/experiments.md).
        """
        if self._is_trusted(plan.label) or not plan.n_synthetic:
            return plan
        trust = self.trust_[plan.label]
        note = (
            f"duplicates only: a classifier of the real rows takes {trust:.0%} of the "
            f"synthetic rows for their class, less than min_trust={self.min_trust:g}"
        )
        return replace(
            plan, n_synthetic=0, n_duplicates=plan.n_duplicates + plan.n_synthetic, note=note
        )

    def _draw_duplicates(
        self, codes: Array, plans: Mapping[int, ClassPlan]
    ) -> npt.NDArray[np.int64]:
        """Positions of real rows to repeat: every row of a class equally often, but for one."""
        chosen = [np.empty(0, dtype=np.int64)]
        for code, plan in plans.items():
            if plan.n_duplicates:
                members = np.flatnonzero(codes == code)
                rng = np.random.default_rng(derived_seed(self.seed_, "duplicates", code))
                order = rng.permutation(members)
                chosen.append(np.resize(order, plan.n_duplicates))
        return np.concatenate(chosen)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then replace the share `mix_fraction` of the rows by synthetic ones.

        The number of rows and their labels stay as they are: a replaced row becomes a synthetic
        row of the same class. Classes with fewer than `min_real` rows are left alone, and those
        whose samples a classifier of the real rows disputes (`min_trust`).
        `synthetic_mask_` says which rows are synthetic.

        Parameters
        ----------
        X, y : as in `fit`
            No Dataset: it is not rewritten but wrapped, see `wrap`.

        Returns
        -------
        X : like the input
        """
        if fit_params:
            raise InvalidTypeError(
                f"fit_transform takes X and y only. Got {', '.join(fit_params)} as well."
            )
        refuse_dataset(X)
        if y is None:
            raise InvalidInputError(
                "fit_transform requires y to be passed, but the target y is None."
            )
        if self.resize is not None and self.mix_fraction != 0:
            raise InvalidInputError(
                "fit_transform cannot mix rows of two sizes: resize X itself before, instead of "
                "passing `resize`."
            )
        self._check_output_container(getattr(X, "ndim", 2))
        if self.mix_fraction != 0:
            refuse_two_looks(X, None)  # before the training
        self.fit(X, y)
        X_out = self._checked(X)
        codes = encode_labels(y, self.classes_)
        replaced = self._rows_to_replace(codes)
        self.synthetic_mask_ = np.zeros(len(codes), dtype=bool)
        positions = np.concatenate([np.empty(0, dtype=np.int64), *replaced.values()])
        if not len(positions):
            return X_out
        values, _ = self._sample_values({code: len(rows) for code, rows in replaced.items()})
        self.synthetic_mask_[positions] = True
        return replace_samples(X_out, positions, self.spec_.decode(values))

    def _rows_to_replace(self, codes: Array) -> dict[int, npt.NDArray[np.int64]]:
        chosen, distrusted = {}, []
        for code, label in enumerate(self.classes_.tolist()):
            members = np.flatnonzero(codes == code)
            n = round(self.mix_fraction * len(members)) if len(members) >= self.min_real else 0
            if n and not self._is_trusted(label):
                distrusted.append(label)
                continue
            rng = np.random.default_rng(derived_seed(self.seed_, "replaced", code))
            chosen[code] = rng.permutation(members)[:n]
        if distrusted and not any(map(len, chosen.values())):
            self._warn_that_all_are_distrusted(distrusted, "are left as they are")
        return chosen

    def transform(self, X: Any) -> Any:
        """Return X: data that is not for training is never touched.

        Parameters
        ----------
        X : rows as in `fit`

        Returns
        -------
        X
            Itself (lists of rows as an array).
        """
        self._fitted_model()
        return X if isinstance(X, Dataset) else self._checked(X, reset=False)

    def _checked(self, X: Any, reset: bool = True) -> Any:
        """Check X's shape and values; return it as it is, lists of rows as an array."""
        refuse_unsupported(X)
        if self.spec_.layout == "rows" and not isinstance(X, torch.Tensor):
            try:
                array = validate_data(self, X, reset=reset, dtype=None)
            except TypeError as error:
                raise InvalidTypeError(str(error)) from None
            except ValueError as error:
                raise InvalidInputError(str(error)) from None
            return X if hasattr(X, "shape") else array
        self._check_output_container(getattr(X, "ndim", 3))
        self.spec_.check(X)
        return X

    def _check_output_container(self, ndim: int) -> None:
        if ndim != 2 and _get_output_config("transform", self)["dense"] != "default":
            raise InvalidInputError(
                f"`set_output` is for 2-D X: images do not fit into a data frame. Got {ndim}-D X "
                "instead. Pass rows and `image_shape`, or set_output(transform='default')."
            )

    def wrap(
        self,
        dataset: Any,
        *,
        sampling_strategy: Any = None,
        transform: Any = None,
        target_transform: Any = None,
        refresh: bool = False,
        synthetic_weight: float = 1.0,
        return_weight: bool = False,
        return_is_synthetic: bool = False,
        directory: str | os.PathLike[str] | None = None,
    ) -> AugmentedDataset:
        """Put synthetic items behind a Dataset's own.

        Parameters
        ----------
        dataset : map-style torch Dataset
            Its items look like those learnt in `fit`, its labels were seen there.
        sampling_strategy : optional
            Instead of the estimator's own.
        transform, target_transform : callable, optional
            Applied to real and synthetic items alike. A torchvision dataset's own transforms are
            applied to synthetic items anyway.
        refresh : bool, default=False
            Whether each `set_epoch` of the result brings new synthetic rows.
        synthetic_weight : float, default=1.0
            Weight of a synthetic row in the result's `weights`; real rows have 1.
        return_weight, return_is_synthetic : bool, default=False
            Return (image, label, weight) or (image, label, is_synthetic).
        directory : path-like, optional
            Where the memory-mapped synthetic rows are kept while the result lives.

        Returns
        -------
        AugmentedDataset
            Drop-in for DataLoader; `resampling_report_` says how many rows of each class are what.
        """
        self._fitted_model()
        keys = {"image_key": self.spec_.image_key, "label_key": self.spec_.label_key}
        labels = read_dataset_labels(dataset, self.classes_, **keys)
        plans = self._plan(labels.codes, sampling_strategy)
        counts = {code: plan.n_synthetic for code, plan in plans.items()}

        def rows_of_epoch(epoch: int) -> tuple[Array, npt.NDArray[np.int64]]:
            seed = derived_seed(self.seed_, "epoch", epoch) if epoch else self.seed_
            return self._sample_values(counts, seed=seed)

        return AugmentedDataset(
            dataset,
            rows_of_epoch,
            spec=self.spec_,
            classes=self.classes_,
            labels=labels,
            duplicates=self._draw_duplicates(labels.codes, plans),
            transform=transform,
            target_transform=target_transform,
            refresh=refresh,
            synthetic_weight=synthetic_weight,
            return_weight=return_weight,
            return_is_synthetic=return_is_synthetic,
            directory=directory,
        )

    # --- audit ---

    def audit(
        self,
        X: Any,
        y: Any = None,
        *,
        X_holdout: Any = None,
        y_holdout: Any = None,
        groups: Any = None,
        n_samples: int = 500,
        verdict: Any = None,
        extractor: Callable[[Array], Array] | None = None,
    ) -> AuditReport:
        """Measure the synthetic samples: fidelity, variety, copying, balance, per class.

        Parameters
        ----------
        X, y : as in `fit`
            The training samples; they are checked against `data_fingerprint_`.
        X_holdout, y_holdout : optional
            Real samples that were not trained on. Without them, measures beside a real-against-real
            floor use halves of the training samples, and copying is hardly testable.
        groups : array-like of shape (n,), optional
            Site, device, patient group, ... of each training sample.
        n_samples : int, default=500
            Synthetic samples per class, 20 or more. A class of which the filters reject nearly
            everything is left out, and the report says so.
        verdict : optional
            Outcome of a measured gain, to stand in the summary.
        extractor : callable, optional
            Gives the features of samples, (n, d), that distances are measured on: called with uint8
            images (n, C, H, W), or float32 (n, d) for tables. By default those of a small
            classifier trained on X, y.

        Returns
        -------
        AuditReport
            With ``to_dict``, ``to_json``, ``to_markdown`` and ``to_html(path)``.

        Raises
        ------
        InvalidInputError
            When X, y are not the training samples, or the held-out ones do not look like them.
        SamplingError
            When the filters reject nearly everything of every class.
        """
        model = self._fitted_model()
        n = _check_count("n_samples", n_samples)
        if n < MIN_SAMPLES:
            raise InvalidInputError(
                f"`n_samples` must be {MIN_SAMPLES} or more for a class to be measured. Got {n} "
                "instead."
            )
        if X_holdout is None and y_holdout is not None:
            raise InvalidInputError("`y_holdout` came without `X_holdout`: pass both or none.")
        values, codes = read_labelled(X, y, spec=self.spec_, classes=self.classes_)
        training = TrainingSet(self.spec_, values, codes, self.classes_, model.label_kind)
        if training.fingerprint != self.data_fingerprint_:
            raise InvalidInputError(
                "X and y must be the samples that the model was trained on, in their order. Their "
                f"fingerprint is {training.fingerprint[:12]}..., the model's "
                f"{self.data_fingerprint_[:12]}...."
            )
        held_out, held_out_codes = None, None
        if X_holdout is not None:
            held_out, held_out_codes = read_labelled(
                X_holdout, y_holdout, spec=self.spec_, classes=self.classes_
            )
        synthetic, synthetic_codes, notes = self._sample_what_passes(n)
        return build_audit(
            values,
            codes,
            synthetic,
            synthetic_codes,
            class_names=self.classes_.tolist(),
            holdout=held_out,
            holdout_labels=held_out_codes,
            groups=groups,
            history=self.history_,
            alarms=self.alarms_,
            model_card=self._model_card(),
            verdict=verdict.to_dict() if hasattr(verdict, "to_dict") else verdict,
            notes=notes,
            interpolations=self._interpolations(),
            extractor=extractor,
            seed=self.seed_,
            device=self.device_,
        )

    def _sample_what_passes(self, n: int) -> tuple[Array, npt.NDArray[np.int64], list[str]]:
        """Make n samples of each class; say which classes the filters reject."""
        made, rejected, failure = [], [], None
        for code, label in enumerate(self.classes_.tolist()):
            try:
                made.append(self._sample_values({code: n}))
            except SamplingError as error:
                failure = error
                rejected.append(str(label))
        if failure is not None and not made:
            raise failure
        values, codes = map(np.concatenate, zip(*made, strict=True))
        if not rejected:
            return values, codes, []
        note = (
            "Sampling: the filters reject nearly all synthetic samples of class "
            f"{', '.join(rejected)}, so that there is nothing to measure."
        )
        return values, codes, [note]

    def _interpolations(self, n_steps: int = 10) -> dict[int, Array] | None:
        if self.spec_.kind == "table":
            return None
        sampler = self._get_sampler()
        return {
            code: sampler.interpolate(code, seed=self.seed_, n_steps=n_steps).numpy()
            for code in range(len(self.classes_))
        }

    def _model_card(self) -> dict[str, Any]:
        """Describe how the model came about."""
        model = self._fitted_model()
        acceptance = model.acceptance(self._get_sampler())
        return {
            "samples per class": {str(label): n for label, n in self.class_counts_.items()},
            "data fingerprint": self.data_fingerprint_,
            "seed": self.seed_,
            "recipe": model.gans[0].config.recipe,
            "conditioning": "joint" if len(model.gans) == 1 else "per_class",
            "images seen": self.n_images_seen_,
            "training seconds": round(self.fit_seconds_, 1),
            "hardware of the training": self.origin_["hardware"],
            "versions at the training": self.origin_["versions"],
            "filters": ", ".join(self._get_sampler().filters) or "none",
            "acceptance by the filters": {str(k): round(v, 3) for k, v in acceptance.items()},
            "alarms and remedies": [_alarm_in_words(alarm) for alarm in self.alarms_],
            "options": model.gans[0].config.to_json(),
            "versions at the audit": library_versions(),
        }

    # --- persistence ---

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted model as a directory of safetensors and JSON, never a pickle.

        Parameters of the estimator are saved too, but for `cache_dir`, `checkpoint_dir`,
        `warm_start_from`, `device`, and objects that JSON cannot hold (a callable
        `sampling_strategy`, a `random_state` that is no int): they come back as the defaults.

        Parameters
        ----------
        path : str or path-like
            Directory to write; a model already there is replaced only when all has been written.

        Raises
        ------
        ModelFileError
            When `path` is something else than a model directory.
        """
        save_model(self._fitted_model(), plain_parameters(self), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> GANAugmenter:
        """Load a model that `save` has written.

        Parameters
        ----------
        path : str or path-like
        device : str, default="auto"
            Where to sample.

        Returns
        -------
        GANAugmenter
            Fitted; samples the same bytes as the saved one on the same kind of device.

        Raises
        ------
        ModelFileError
            When a file is missing, truncated, altered or newer than this library; names it.
        """
        resolved = resolve_device(device)
        saved = load_model(path, resolved, build=cls._of_saved_parameters)
        augmenter: GANAugmenter = saved.estimator
        model = saved.model
        augmenter.device = device
        augmenter._take_up(model, str(resolved))
        if model.spec.n_columns is not None:
            augmenter.n_features_in_ = model.spec.n_columns
        names = model.spec.column_names
        if names is not None and all(isinstance(name, str) for name in names):
            augmenter.feature_names_in_ = np.asarray(names, dtype=object)
        return augmenter

    @classmethod
    def _of_saved_parameters(cls, parameters: Any) -> GANAugmenter:
        augmenter = cls(**read_parameters(cls, parameters))
        augmenter._check_parameters()
        return augmenter

    def __getstate__(self) -> dict[str, Any]:
        """Leave the networks on the device out: they are rebuilt from the weights."""
        state = dict(super().__getstate__())
        state.pop("_sampler", None)
        return state

    # --- parameters ---

    def set_params(self, **params: Any) -> GANAugmenter:
        """Set parameters by name.

        Raises
        ------
        InvalidInputError
            For an unknown name; suggests the intended one.
        """
        check_parameter_names(self, params)
        super().set_params(**params)
        return self

    def _filter_names(self) -> tuple[str, ...]:
        return () if self.filter is None else FILTERS

    def _filter_mistakes(self) -> list[str]:
        return _unknown_option("filter", self.filter, ("auto", *FILTERS, None))

    def _check_parameters(self) -> None:
        """Collect all mistakes in the parameters, and raise once."""
        mistakes = [
            *_unknown_option("recipe", self.recipe, RECIPES),
            *_unknown_option("conditioning", self.conditioning, CONDITIONINGS),
            *_unknown_option("loss", self.loss, (None, *LOSSES)),
        ]
        mistakes += self._filter_mistakes()
        if self.diffaugment not in (None, True, False):
            mistakes.append(
                f"`diffaugment` must be a bool or None. Got {self.diffaugment!r} instead."
            )
        strategy = self.sampling_strategy
        if isinstance(strategy, str):
            mistakes += _unknown_option("sampling_strategy", strategy, STRATEGIES)
        elif not isinstance(strategy, numbers.Real | Mapping) and not callable(strategy):
            mistakes.append(
                "`sampling_strategy` must be a string, a number, a dict or a callable. Got "
                f"{strategy!r} instead."
            )
        values: dict[str, Any] = self.get_params(deep=False)
        for name, (low, high, integral) in _NUMBERS.items():
            mistakes += _out_of_range(name, values[name], low, high, integral)
        batch_size = values["batch_size"]
        if isinstance(batch_size, int | np.integer) and batch_size % GROUP_SIZE:
            mistakes.append(
                f"`batch_size` must be a multiple of {GROUP_SIZE}. Got {batch_size} instead."
            )
        if self.max_images is None and self.max_seconds is None:
            mistakes.append("`max_images` and `max_seconds` are both None: set one of them.")
        if mistakes:
            raise InvalidInputError(" ".join(mistakes))

    def _fitted_model(self) -> FittedModel:
        if "model_" not in vars(self):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet. Call 'fit' with appropriate "
                "arguments before using this estimator, or load a saved model with 'load'."
            )
        return self.model_

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags


# --- parameters, one by one --------------------------------------------------------------------

_NUMBERS: dict[str, tuple[float, float, bool]] = {
    "width": (4, 1024, True),
    "latent_dim": (1, 4096, True),
    "batch_size": (GROUP_SIZE, 65536, True),
    "max_images": (1, float("inf"), True),
    "max_seconds": (0, float("inf"), False),
    "learning_rate": (0, 1, False),
    "lecam": (0, float("inf"), False),
    "class_power": (0, 1, False),
    "ema_halflife_images": (0, float("inf"), False),
    "max_ratio": (0, float("inf"), False),
    "max_share": (0, 1, False),
    "min_trust": (0, 1, False),
    "mix_fraction": (0, 1, False),
    "min_real": (0, float("inf"), True),
    "verbose": (0, float("inf"), True),
}


_BESIDE_NUMBERS: dict[str, tuple[str | None, ...]] = {
    "max_images": ("auto", None),
    "max_seconds": (None,),
    "learning_rate": (None,),
    "lecam": (None,),
    "class_power": (None,),
    "ema_halflife_images": (None,),
}


def _unknown_option(name: str, value: object, options: tuple[object, ...]) -> list[str]:
    if any(value is option or value == option for option in options):
        return []
    listed = ", ".join(map(repr, options))
    return [
        f"`{name}` must be one of {listed}. Got {value!r} instead.{did_you_mean(value, options)}"
    ]


def _out_of_range(name: str, value: Any, low: float, high: float, integral: bool) -> list[str]:
    others = _BESIDE_NUMBERS.get(name, ())
    if isinstance(value, numbers.Integral if integral else numbers.Real):
        if low <= float(value) <= high:
            return []
    elif (value is None or isinstance(value, str)) and value in others:
        return []
    kind = "an integer" if integral else "a number"
    bounds = f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
    listed = "".join(f", or {other!r}" for other in others)
    return [f"`{name}` must be {kind} {bounds}{listed}. Got {value!r} instead."]


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers into Python's, which JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


def _check_count(name: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise InvalidInputError(f"`{name}` must be a non-negative integer. Got {n!r} instead.")
    return int(n)


def auto_max_images(n_rows: int, is_table: bool) -> int:
    """Budget of `max_images="auto"`."""
    most = MAX_AUTO_TABLE_IMAGES if is_table else MAX_AUTO_IMAGES
    return min(most, max(MIN_AUTO_IMAGES, IMAGES_PER_ROW * n_rows))


def resolve_device(device: str) -> torch.device:
    """Turn the `device` parameter into one that is there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InvalidInputError(
            f"`device` must be 'auto' or a torch device such as 'cpu' or 'cuda'. Got {device!r} "
            "instead."
        ) from error
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    wanted = f"cuda:{resolved.index or 0}" if resolved.type == "cuda" else str(resolved)
    if wanted not in available:
        raise InvalidInputError(
            f"`device` must be one that is there ({', '.join(available)}) or 'auto'. Got "
            f"{device!r} instead."
        )
    return resolved


# --- training, and its report ------------------------------------------------------------------


def _describe_cost(data: TrainingSet, options: TrainingOptions) -> str:
    """Say before training what it will take, from a few steps on throw-away networks."""
    budget, seconds = _estimate_cost(data, options)
    images = f"{budget:,} images" if budget else "time budget"
    return f"GAN on {options.device}, {images}, estimated {readable_seconds(seconds)}"


def _estimate_cost(data: TrainingSet, options: TrainingOptions) -> tuple[int, float]:
    """Give the images and the seconds that a training will take."""
    networks = plan_networks(data, options)
    config = networks[0][0]
    budget = sum(c.max_images or 0 for c, _ in networks)
    seconds = estimate_seconds(config, data.values, data.labels, options.device) * len(networks)
    return budget, seconds


def _gans_with_codes(model: FittedModel) -> list[tuple[Any, list[int]]]:
    """Pair each network with the class codes it makes."""
    if len(model.gans) == 1:
        return [(model.gans[0], list(range(len(model.classes))))]
    return [(gan, [code]) for code, gan in enumerate(model.gans)]


def _named(alarms: Any, codes: list[int], model: FittedModel) -> list[dict[str, Any]]:
    """Describe alarms with the user's labels in place of a network's codes."""
    described = []
    for alarm in alarms:
        alarm = Alarm(**alarm) if isinstance(alarm, dict) else alarm
        code = alarm.class_code
        label = None if code is None else model.classes.tolist()[codes[code]]
        described.append(
            {
                "kind": alarm.kind,
                "class": label,
                "value": None if math.isnan(alarm.value) else alarm.value,
                "remedy": REMEDIES[alarm.kind],
            }
        )
    return described


def _alarm_in_words(alarm: Mapping[str, Any]) -> str:
    where = "" if alarm["class"] is None else f" in class {alarm['class']}"
    return f"{alarm['kind'].replace('_', ' ')}{where}: {alarm['remedy']}"


def _named_history(model: FittedModel) -> list[dict[str, Any]]:
    history = []
    for gan, codes in _gans_with_codes(model):
        for record in gan.history:
            named = dict(record, alarms=_named(record["alarms"], codes, model))
            if "variety" in record:
                labels = [model.classes.tolist()[code] for code in codes]
                named["variety"] = dict(zip(labels, record["variety"], strict=True))
            history.append(named)
    return history
