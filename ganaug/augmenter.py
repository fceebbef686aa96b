"""`GANAugmenter`: a conditional GAN as a scikit-learn estimator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from ganaug.audit import AuditReport
from ganaug.augmentation import (
    Augmentation,
    TransformCheck,
    accept_transform,
    augments,
    make_augmentation,
)
from ganaug.cache import check_cache_dir, obtain_model
from ganaug.checks import (
    check_parameter_names,
    check_parameters,
    warn_user,
)
from ganaug.dataset import AugmentedDataset, read_dataset_labels
from ganaug.devices import resolve_device
from ganaug.exceptions import (
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    NotFittedError,
    TrainingWarning,
)
from ganaug.fitting import estimate_cost
from ganaug.history import alarms_of, describe_troubles, history_of, ladder_of
from ganaug.inputs import (
    DataSpec,
    TrainingSet,
    encode_dataset,
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
)
from ganaug.mixing import mix, plans_by_code, wrap_dataset
from ganaug.model import MIN_TRUST, FittedModel
from ganaug.model_audit import audit_model
from ganaug.parameters import CHECKS, training_options
from ganaug.persistence import (
    load_model,
    plain_parameters,
    read_parameters,
    save_model,
)
from ganaug.resampling import (
    NETWORK_SHARE,
    ClassPlan,
    carry_out,
    default_share,
    is_trusted,
    plan,
)
from ganaug.sampler import TrainedSampler
from ganaug.seeds import derived_seed, draw_seed

Array = npt.NDArray[Any]


class GANAugmenter(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Learn a labelled image set with conditional GANs, and serve synthetic samples of each class.

    Parameters
    ----------
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Shape of the images that the columns of 2-D X hold. Without it, 2-D X are plain features and
        a small network for tables is trained.
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
    n_generators : int, default=3
        Independently trained generators that samples are drawn from in turn: they make different
        mistakes, and three small ones are worth more than a large one of their cost.
    width : int, default=16
        Channels of the networks at half resolution. Time grows about with its square.
    latent_dim : int, default=64
        Length of the noise vector.
    batch_size : int, default=64
        Real images per step; a multiple of 4.
    max_images : int, "auto" or None, default="auto"
        Budget of each generator, in real images shown to the discriminator. "auto" is 40 times the
        number of samples, within 60,000 and 200,000 (tables: 100,000). None: only `max_seconds`
        limits. After an alarm up to as many again go into remedies (see `ladder_`).
    max_seconds : float, optional
        Budget of all generators in seconds; results then depend on the machine's speed.
    learning_rate, loss, diffaugment, lecam, class_power, ema_halflife_images : optional
        Options of the engine, documented in `ganaug.gan.config.GANConfig`. None is the recipe's
        own value.
    filter : {"auto", "classifier"} or None, default="auto"
        Which synthetic samples are rejected and redrawn. "classifier": those that a classifier of
        the real ones takes for another class. "auto" is "classifier" for images and None for
        tables. May be changed after `fit`.
    sampling_strategy : str, float, dict or callable, default="auto"
        What `augment` and `wrap` add, in imbalanced-learn's meaning: a string equalises classes, a
        dict gives totals per class.
    synthetic_share : float, optional
        Of the samples that `augment` and `wrap` add to a class, this share is synthetic, and none
        where the class is distrusted (see `trust_`); the others are augmented real ones. None is
        what was best where it was measured: for `augment` 0 below 500 samples, 0.25 below 2,500,
        and else 0.5; for `wrap` 0, since a convolutional network gains nothing from synthetic
        images.
    augmentation : str, callable or None, default=None
        How real images are augmented: "affine" (None: small turns, shifts and scalings), "mirror"
        or "quarter_turn" (with "affine"), a transform of torchvision (v2) or albumentations, or any
        function of one uint8 tensor (C, H, W); "none" repeats images as they are. All but "affine"
        are refused where training with them makes images of some classes be taken for others.
        Feature rows are interpolated as by SMOTE instead.
    mix_fraction : float, default=0.3
        Share of samples that `fit_transform` replaces by synthetic ones. 0 replaces nothing.
    min_real : int, default=100
        `fit_transform` leaves classes with fewer samples alone.
    cache_dir : str or path, optional
        Directory that keeps trained models by data and parameters, those that decide only what is
        added (from `sampling_strategy` to `min_real`) aside.
    checkpoint_dir : str or path, optional
        Where training saves its state, and resumes from when data and parameters match.
    warm_start_from : str, path or GANAugmenter, optional
        A model of the same classes and networks to start training from.
    device : str, default="auto"
        "auto" (CUDA if there is one, else CPU), "cpu", "cuda", "cuda:1", ...
    n_jobs : int, optional
        Train so many networks at a time, each in a worker process of one thread; -1 is all cores.
        The samples are the same for any number. None trains in this process, with its threads.
    random_state : int, RandomState or None, default=None
        Seed of everything. With an int, same data, versions, device and threads: same bytes.
    verbose : int, default=1
        0 is silent; 1 shows the estimated cost and a progress bar on stderr.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    class_counts_ : dict
        Real samples per class.
    n_features_in_ : int
        Columns of X; only for 2-D X.
    value_range_ : tuple of float or None
        Values of black and white; None for tables.
    history_ : list of dict
        One record per evaluation: images seen, seconds, losses, the monitor's distance, variety
        per class, alarms.
    alarms_ : list of dict
        What is wrong with the weights that were kept: kind, class, value, remedy.
    ladder_ : list of dict
        What was tried after an alarm: network, name, images seen, alarms before and after,
        distance, and whether its weights were kept.
    n_images_seen_ : int
        Real images shown to the discriminators.
    fit_seconds_ : float
        Seconds of training, those before a resumed checkpoint included.
    origin_ : dict
        `versions` and `hardware` of the training.
    trust_ : dict
        Per class, the share of unfiltered synthetic samples that a classifier of the real ones
        takes for their class; empty when `filter` at `fit` was None. A class under 0.8 is
        distrusted: `augment`, `wrap` and `fit_transform` add no synthetic samples to it.
    data_fingerprint_ : str
        SHA-256 of the training samples and labels.
    spec_ : DataSpec
        What the data looked like; synthetic samples come back alike.
    seed_ : int
        The seed drawn from `random_state`.
    sampler_ : TrainedSampler
        What makes the samples: the interface for adapters and bulk generation.
    augmentation_check_ : TransformCheck or None
        What was found about an `augmentation` other than "affine".
    kinds_ : ndarray of str
        Of each sample of the last `fit_transform` or `augment`: "real", "synthetic", "augmented"
        or "duplicate".
    sample_indices_ : ndarray of int64
        Which of the X given to the last `augment` each sample is, repeats or was made from; -1 for
        synthetic ones.
    resampling_report_ : list of ClassPlan
        Samples of each kind per class of the last `augment` or `wrap`, and why.

    See Also
    --------
    GANOverSampler : The same inside an imbalanced-learn pipeline; removes no real sample.

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

    model_: FittedModel
    _sampler: TrainedSampler
    _checked_augmentation: Any
    classes_: Array
    class_counts_: dict[Any, int]
    trust_: dict[Any, float]
    spec_: DataSpec
    seed_: int
    augmentation_check_: TransformCheck | None
    kinds_: npt.NDArray[np.str_]
    sample_indices_: npt.NDArray[np.int64]
    resampling_report_: list[ClassPlan]

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
        n_generators: int = 3,
        width: int = 16,
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
        synthetic_share: float | None = None,
        augmentation: Any = None,
        mix_fraction: float = 0.3,
        min_real: int = 100,
        cache_dir: str | os.PathLike[str] | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        warm_start_from: Any = None,
        device: str = "auto",
        n_jobs: int | None = None,
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
        self.n_generators = n_generators
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
        self.synthetic_share = synthetic_share
        self.augmentation = augmentation
        self.mix_fraction = mix_fraction
        self.min_real = min_real
        self.cache_dir = cache_dir
        self.checkpoint_dir = checkpoint_dir
        self.warm_start_from = warm_start_from
        self.device = device
        self.n_jobs = n_jobs
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
            When the monitor raised an alarm, or Ctrl-C ended the training early. (With `n_jobs`,
            Ctrl-C leaves no fitted estimator.)
        """
        data, device = self.read(X, y), resolve_device(self.device)
        start_from = self._model_to_start_from()
        options = training_options(self, data, device)
        augmentation = make_augmentation(self.augmentation, data.spec.kind)
        found = accept_transform(augmentation, data.values, data.labels, seed=options.seed)
        self._forget()
        if data.spec.layout == "rows":
            validate_data(self, X, skip_check_array=True)
        model = obtain_model(
            data,
            options,
            cache_dir=self.cache_dir,
            checkpoint_dir=self.checkpoint_dir,
            start_from=start_from,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        self._take_up(model, options.device)
        self.augmentation_check_, self._checked_augmentation = found, self.augmentation
        if troubles := describe_troubles(model):
            warnings.warn(f"GANAugmenter: {troubles}", TrainingWarning, stacklevel=2)
        return self

    def read(self, X: Any, y: Any = None) -> TrainingSet:
        """Check parameters and data as `fit` does, and train nothing.

        Parameters
        ----------
        X, y : as in `fit`

        Returns
        -------
        TrainingSet
            What the networks would see.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            As `fit`.
        """
        self._check_parameters()
        check_cache_dir(self.cache_dir)
        resolve_device(self.device)
        return read_training_set(
            X,
            y,
            image_shape=self.image_shape,
            value_range=self.value_range,
            resize=self.resize,
            image_key=self.image_key,
            label_key=self.label_key,
        )

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
        for name in [name for name in vars(self) if name.endswith("_") or name in _PRIVATE]:
            delattr(self, name)

    def _take_up(self, model: FittedModel, device: str) -> None:
        """Set the fitted attributes."""
        labels = model.classes.tolist()
        self.model_ = model
        self.origin_ = model.origin
        self.device_ = device
        self.classes_ = model.classes
        self.class_counts_ = dict(zip(labels, model.class_counts.tolist(), strict=True))
        self.spec_ = model.spec
        self.value_range_ = model.spec.value_range
        self.trust_ = dict(zip(labels, model.trust or [], strict=False))
        self.data_fingerprint_ = model.fingerprint
        self.seed_ = model.seed
        self.history_ = history_of(model)
        self.alarms_ = alarms_of(model)
        self.ladder_ = ladder_of(model)
        self.augmentation_check_ = None
        self.n_images_seen_ = model.images_seen
        self.fit_seconds_ = model.seconds

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
        data, device = self.read(X, y), resolve_device(self.device)
        return estimate_cost(data, training_options(self, data, device))[1]

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
        return self.sampler_.sample(n_samples, random_state=random_state, start=start)

    @property
    def sampler_(self) -> TrainedSampler:
        """The networks on the device, behind the filter as it is set now."""
        model = self._fitted_model()
        check_parameters(self, {"filter": CHECKS["filter"]})
        is_filtered = model.is_filtered if self.filter == "auto" else self.filter is not None
        if "_sampler" not in vars(self) or self._sampler.is_filtered != is_filtered:
            self._sampler = TrainedSampler(model, self.device_, is_filtered)
        return self._sampler

    # --- mixing ---

    def augment(
        self,
        X: Any,
        y: Any,
        *,
        sampling_strategy: Any = None,
        synthetic_share: float | None = None,
        random_state: int | None = None,
    ) -> tuple[Any, Any]:
        """Add synthetic samples and augmented real ones to real ones.

        Parameters
        ----------
        X, y : samples and labels as in `fit`
            Need not be those of `fit`, but of its classes. No Dataset: see `wrap`.
        sampling_strategy, synthetic_share : optional
            Instead of the estimator's own.
        random_state : int, optional
            Another seed than the fitted one: other samples.

        Returns
        -------
        X, y
            The real samples first and untouched, then synthetic, augmented and repeated ones, class
            by class within each kind. `kinds_`, `sample_indices_` and `resampling_report_` say
            which and how many.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            For samples, a strategy or an `augmentation` that cannot be used.
        SamplingError
            When the filter rejects nearly everything of a class.

        Warns
        -----
        GanaugWarning
            When no `synthetic_share` is set and its default is 0, for fewer than 500 samples.
        TrainingWarning
            When no class is trusted with synthetic samples.
        """
        self._fitted_model()
        X = extendable_samples(X, self.spec_)
        if self.spec_.kind == "image":
            refuse_two_looks(X, self.spec_.resize)
        values, codes = read_labelled(X, y, spec=self.spec_, classes=self.classes_)
        seed = self.seed_ if random_state is None else draw_seed(random_state)
        default = default_share(len(codes))
        plans = self._plan(codes, sampling_strategy, synthetic_share, default)
        augmentation = self._augmentation(values, codes, plans)
        if self._is_default(synthetic_share) and default == 0:
            _warn_of_no_synthetic_samples(
                "augment", "GANs of so few samples did harm to scikit-learn's classifiers", plans
            )
        added = carry_out(
            plans,
            values,
            codes,
            sampler=self.sampler_.reseeded(seed),
            augmentation=augmentation,
            seed=seed,
        )
        mixed = mix(X, y, added, self.spec_, self.classes_)
        self.kinds_, self.sample_indices_ = mixed.kinds, mixed.sources
        return mixed.X, mixed.y

    def _augmentation(
        self, values: Array, codes: Array, plans: Mapping[int, ClassPlan]
    ) -> Augmentation | None:
        """Give the augmentation as it is set now; check it on the samples if `fit` has not."""
        augmentation = make_augmentation(self.augmentation, self.spec_.kind)
        is_used = any(p.n_augmented for p in plans.values())
        if is_used and not self._is_checked():
            self.augmentation_check_ = accept_transform(
                augmentation, values, codes, seed=self.seed_
            )
            self._checked_augmentation = self.augmentation
        return augmentation

    def _is_checked(self) -> bool:
        checked = getattr(self, "_checked_augmentation", None)
        return checked is self.augmentation or (
            isinstance(checked, str) and checked == self.augmentation
        )

    def _is_default(self, synthetic_share: float | None) -> bool:
        return synthetic_share is None and self.synthetic_share is None

    def _plan(
        self,
        codes: Array,
        sampling_strategy: Any,
        synthetic_share: float | None,
        default: float,
    ) -> dict[int, ClassPlan]:
        """Resolve a strategy to plans by class code, and report them."""
        strategy = self.sampling_strategy if sampling_strategy is None else sampling_strategy
        share = self.synthetic_share if synthetic_share is None else synthetic_share
        if mistake := CHECKS["synthetic_share"]("synthetic_share", share):
            raise InvalidInputError(mistake)
        plans = plan(
            self.classes_[codes],
            strategy,
            synthetic_share=default if share is None else share,
            trust=self.trust_,
            augments=augments(self.augmentation),
        )
        self.resampling_report_ = list(plans.values())
        noted = [p.label for p in plans.values() if p.note]
        if noted and not any(p.n_synthetic for p in plans.values()):
            self._warn_that_all_are_distrusted(noted, "are filled up with real ones")
        return plans_by_code(plans, self.classes_)

    def _warn_that_all_are_distrusted(self, labels: list[Any], what_they_do: str) -> None:
        best = max(self.trust_[label] for label in labels)
        message = (
            f"GANAugmenter adds no synthetic samples: all classes {what_they_do}. A classifier of "
            f"the real samples takes at most {best:.0%} of the synthetic ones of any of them for "
            f"their class, less than {MIN_TRUST:.0%}. Train longer (`max_images`), on a GPU if "
            "need be, or leave the GAN out."
        )
        warn_user(message, TrainingWarning)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then replace the share `mix_fraction` of the samples by synthetic ones.

        The number of samples and their labels stay as they are: a replaced sample becomes a
        synthetic one of the same class. Classes with fewer than `min_real` samples are left alone,
        and so are distrusted ones (see `trust_`). `kinds_` says which samples are synthetic.

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
                "fit_transform cannot mix samples of two sizes: resize X itself before, instead of "
                "passing `resize`."
            )
        self._check_output_container(getattr(X, "ndim", 2))
        if self.mix_fraction != 0:
            refuse_two_looks(X, None)  # before the training
        self.fit(X, y)
        X_out = self._checked(X)
        codes = encode_labels(y, self.classes_)
        replaced = self._samples_to_replace(codes)
        positions = np.concatenate([np.empty(0, dtype=np.int64), *replaced.values()])
        self.kinds_ = np.full(len(codes), "real", dtype="<U9")
        self.kinds_[positions] = "synthetic"
        if not len(positions):
            return X_out
        counts = {code: len(members) for code, members in replaced.items()}
        values, _ = self.sampler_.sample_values(counts)
        return replace_samples(X_out, positions, self.spec_.decode(values))

    def _samples_to_replace(self, codes: Array) -> dict[int, npt.NDArray[np.int64]]:
        chosen, distrusted = {}, []
        for code, label in enumerate(self.classes_.tolist()):
            members = np.flatnonzero(codes == code)
            n = round(self.mix_fraction * len(members)) if len(members) >= self.min_real else 0
            if n and not is_trusted(self.trust_.get(label, 1.0)):
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
        X : samples as in `fit`

        Returns
        -------
        X
            Itself (lists of feature rows as an array).
        """
        self._fitted_model()
        return X if isinstance(X, Dataset) else self._checked(X, reset=False)

    def _checked(self, X: Any, reset: bool = True) -> Any:
        """Check X's shape and values; return it as it is, lists of feature rows as an array."""
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
                "instead. Pass 2-D X and `image_shape`, or set_output(transform='default')."
            )

    def wrap(
        self,
        dataset: Any,
        *,
        sampling_strategy: Any = None,
        synthetic_share: float | None = None,
        transform: Any = None,
        target_transform: Any = None,
        refresh: bool = False,
        synthetic_weight: float = 1.0,
        return_weight: bool = False,
        return_is_synthetic: bool = False,
        directory: str | os.PathLike[str] | None = None,
    ) -> AugmentedDataset:
        """Put synthetic and augmented items behind a Dataset's own.

        Parameters
        ----------
        dataset : map-style torch Dataset
            Its items look like those learnt in `fit`, its labels were seen there.
        sampling_strategy, synthetic_share : optional
            Instead of the estimator's own.
        transform, target_transform : callable, optional
            Applied to real and synthetic items alike. A torchvision dataset's own transforms are
            applied to synthetic items anyway.
        refresh : bool, default=False
            Whether each `set_epoch` of the result brings new synthetic and augmented samples.
        synthetic_weight : float, default=1.0
            Weight of a synthetic sample in the result's `weights`; all others have 1.
        return_weight, return_is_synthetic : bool, default=False
            Return (image, label, weight) or (image, label, is_synthetic).
        directory : path-like, optional
            Where the memory-mapped samples that were made are kept while the result lives.

        Returns
        -------
        AugmentedDataset
            Drop-in for DataLoader; `resampling_report_` says how many samples of each class are of
            which kind.

        Warns
        -----
        GanaugWarning
            When no `synthetic_share` is set: no synthetic images are added then.
        TrainingWarning
            When no class is trusted with synthetic samples.
        """
        self._fitted_model()
        keys = {"image_key": self.spec_.image_key, "label_key": self.spec_.label_key}
        labels = read_dataset_labels(dataset, self.classes_, **keys)
        codes = labels.codes
        default = NETWORK_SHARE if self.spec_.kind == "image" else default_share(len(codes))
        plans = self._plan(codes, sampling_strategy, synthetic_share, default)
        augmentation = make_augmentation(self.augmentation, self.spec_.kind)
        if augmentation is not None and augmentation.needs_check and not self._is_checked():
            self._augmentation(encode_dataset(dataset, self.spec_), codes, plans)
        if self._is_default(synthetic_share) and default == 0:
            _warn_of_no_synthetic_samples(
                "wrap",
                "a convolutional network trained with augmentation gained nothing from them",
                plans,
            )

        return wrap_dataset(
            dataset,
            labels,
            plans,
            sampler=self.sampler_,
            augmentation=augmentation,
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
        self._fitted_model()
        return audit_model(
            self.sampler_,
            X,
            y,
            X_holdout=X_holdout,
            y_holdout=y_holdout,
            groups=groups,
            n_samples=n_samples,
            verdict=verdict.to_dict() if hasattr(verdict, "to_dict") else verdict,
            extractor=extractor,
            device=self.device_,
        )

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

    def _check_parameters(self) -> None:
        """Collect all mistakes in the parameters, and raise once."""
        check_parameters(self, CHECKS)
        if self.max_images is None and self.max_seconds is None:
            raise InvalidInputError(
                "`max_images` and `max_seconds` are both None: set one of them."
            )
        make_augmentation(self.augmentation)

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


_PRIVATE = ("_sampler", "_checked_augmentation")


def _warn_of_no_synthetic_samples(method: str, reason: str, plans: Mapping[int, ClassPlan]) -> None:
    if not any(p.n_added for p in plans.values()):
        return
    warn_user(
        f"{method} adds samples made of real ones and no synthetic ones: {reason} where it was "
        "measured. Pass synthetic_share=0.25 to add them all the same.",
        GanaugWarning,
    )
