"""`GANAugmenter`: a conditional GAN as a scikit-learn estimator."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import validate_data
from torch.utils.data import Dataset

from ganaug.augmentation import Augmentation, accept_transform, make_augmentation
from ganaug.cache import obtain_model
from ganaug.checks import check_parameter_names, warn_user
from ganaug.dataset import AugmentedDataset, read_dataset_labels
from ganaug.devices import resolve_device
from ganaug.exceptions import TrainingWarning
from ganaug.fitted import FittedModelMixin
from ganaug.fitting import estimate_cost
from ganaug.history import describe_troubles
from ganaug.inputs import DataSpec, encode_dataset, encode_labels
from ganaug.inputs.labels import warn_of_small_classes
from ganaug.mixing import add_samples, plan_by_code, read_real, wrap_dataset
from ganaug.parameters import model_to_start_from, read_for_training, training_options
from ganaug.replacing import check_before_replacing, check_samples, replace_share
from ganaug.resampling import ClassPlan
from ganaug.seeds import draw_seed

Array = npt.NDArray[Any]


class GANAugmenter(OneToOneFeatureMixin, TransformerMixin, FittedModelMixin):
    """Learn a labelled image set with conditional GANs, and serve synthetic samples of each class.

    Parameters
    ----------
    image_shape : tuple (H, W), (H, W, C) or (C, H, W), optional
        Of the images that the columns of 2-D X hold; without it, 2-D X are plain features.
    value_range : tuple of float (low, high), optional
        Values of black and white; by default [0, 1], [-1, 1], [0, 255] or the data's own.
    resize : tuple of int (H, W), optional
        Scale all images to this size first; needed when they are larger than 128 pixels or vary.
    image_key, label_key : str, optional
        Where items of a Dataset of dicts keep them; found by default.
    recipe : {"default", "classic"}, default="default"
        "classic" is the DCGAN of 2015 made conditional: a reference, not a recommendation.
    conditioning : {"joint", "per_class"}, default="joint"
        One network for all classes, so that rare ones borrow from frequent ones, or one for each.
    n_generators : int, default=3
        Independently trained generators that samples are drawn from in turn.
    width : int, default=16
        Channels of the networks at half resolution.
    max_images : int, "auto" or None, default="auto"
        Images shown to each discriminator. "auto" is 40 per sample, within 60,000 and 100,000.
        After an alarm up to as many again go into remedies, see `ladder_`.
    max_seconds : float, optional
        Budget of all generators in seconds; results then depend on the machine's speed.
    gan_options : dict, optional
        For experiments: `batch_size`, `latent_dim`, `learning_rate`, `loss`, ... in place of the
        recipe's, see `ganaug.gan.config.GANConfig`.
    filter : {"auto", "classifier"} or None, default="auto"
        "classifier" rejects samples that a classifier of the real ones takes for another class.
        "auto" does so for images. May be changed after `fit`.
    sampling_strategy : str, float, dict or callable, default="auto"
        What `augment` and `wrap` add, as in imbalanced-learn: a dict gives totals per class. Ours
        is "enlarge", see `GANOverSampler`.
    synthetic_share : float, optional
        Synthetic part of it, in classes that are not distrusted; the rest vary real samples.
        None: for `augment` 0.25 from 5,000 images on, else and for tables 0; for `wrap` 0.
    augmentation : str, callable or None, default=None
        How real images are varied: "fitted" (turned, scaled, shifted as suits them, see
        `augmented_by_`), "interpolation" (SMOTE), "mixed" (half each; None, but "fitted" with
        "enlarge", and for `wrap` "affine"), "affine", "mirror", "quarter_turn", "none", or a
        transform of uint8 tensors (C, H, W), as of torchvision; refused where it changes what
        images are.
    mix_fraction, min_real : float, int, default=None, 100
        `fit_transform` replaces this share of the samples of classes with so many or more. None is
        0 with a warning: where it was measured, replacing cost more than it gave.
    cache_dir, checkpoint_dir : str or path, optional
        Keeps trained models by data and parameters; the state of a training, to be resumed.
    warm_start_from : str, path or GANAugmenter, optional
        A model of the same classes and networks to start training from. Of the same samples, too:
        its records go on, and its weights are kept where none are better.
    device : str, default="auto"
        "auto" (CUDA if there is one, else CPU), "cpu", "cuda", "cuda:1", ...
    n_jobs : int, optional
        Networks trained at a time in processes of one thread; None trains in this one.
    random_state : int, RandomState or None, default=None
        Seed of everything. With an int, same data, versions, device and threads: same bytes.
    verbose : int, default=1
        0 is silent; 1 shows the estimated cost and a progress bar on stderr.

    Attributes
    ----------
    classes_, class_names_, class_counts_ : ndarray of shape (n_classes,), tuple of str, dict
        Sorted labels; the names that the data have for them, else themselves as text; real samples
        of each label. Where a class is named, by `sample` or in `alarms_`, it is by these names.
    trust_ : dict
        Share of each class's unfiltered synthetic samples that a classifier of the real ones takes
        for their class, 0 of a collapsed class. `augment`, `wrap` and `fit_transform` add no
        synthetic samples to classes below 0.8. Empty when `filter` at `fit` was None, as for
        tables: of collapsed classes only a warning tells then.
    history_ : list of dict
        One record per evaluation: images seen, seconds, losses, distance, variety, alarms.
    alarms_ : list of dict
        What is wrong with the weights that were kept: kind, class, value, remedy.
    ladder_ : list of dict
        What was tried after an alarm: images seen, alarms before and after, whether it was kept.
    n_images_seen_, fit_seconds_ : int, float
        Real images shown to the discriminators; seconds of training, also before a resume.
    n_features_in_, value_range_ : int, tuple of float or None
        Columns of 2-D X; values of black and white, None for tables.
    spec_ : DataSpec
        What the data looked like; synthetic samples come back alike.
    data_fingerprint_, origin_, seed_ : str, dict, int
        SHA-256 of samples and labels; `versions` and `hardware`; the seed of `random_state`.
    sampler_ : TrainedSampler
        What makes the samples: the interface for adapters and bulk generation.
    augmentation_check_ : TransformCheck or None
        What was found about an `augmentation` other than "affine".
    kinds_, sample_indices_ : ndarray of str, ndarray of int64
        For each sample that the last `augment` gave: "real", "synthetic", "augmented",
        "interpolated" or "duplicate", and which of X it is or was made from, -1 for synthetic ones.
        `fit_transform` sets `kinds_`.
    augmented_by_ : str
        How the last `augment` made the augmented ones: what was fitted, in words such as "turned by
        up to 10 degrees", or the name of `augmentation`.
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

    classes_: Array
    class_names_: tuple[str, ...]
    class_counts_: dict[Any, int]
    trust_: dict[Any, float]
    history_: list[dict[str, Any]]
    alarms_: list[dict[str, Any]]
    spec_: DataSpec
    seed_: int
    kinds_: npt.NDArray[np.str_]
    sample_indices_: npt.NDArray[np.int64]
    augmented_by_: str
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
        max_images: int | Literal["auto"] | None = "auto",
        max_seconds: float | None = None,
        gan_options: dict[str, Any] | None = None,
        filter: str | None = "auto",  # noqa: A002
        sampling_strategy: Any = "auto",
        synthetic_share: float | None = None,
        augmentation: Any = None,
        mix_fraction: float | None = None,
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
        self.max_images = max_images
        self.max_seconds = max_seconds
        self.gan_options = gan_options
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
        """Train on real samples.

        Parameters
        ----------
        X : array, tensor, list of images, DataFrame, or map-style torch Dataset
            Images (n, H, W), (n, H, W, C) or (n, C, H, W), uint8, uint16 or float, H and W from 8
            to 128, 1 to 4 channels; 2-D data; or a Dataset of (image, label) or of dicts.
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
            For classes with fewer than 20 samples.
        TrainingWarning
            When the monitor raised an alarm.

        Notes
        -----
        Ctrl-C ends the training early: the best weights so far are kept. ``KeyboardInterrupt`` is
        raised then to other code that called `fit`, such as a cross-validation; called by a script
        or a notebook itself, `fit` returns.
        """
        data, device = read_for_training(self, X, y), resolve_device(self.device)
        warn_of_small_classes(data.labels, data.class_names or data.classes.tolist())
        start_from = model_to_start_from(self.warm_start_from)
        options = training_options(self, data, device)
        augmentation = make_augmentation(self.augmentation, data.spec.kind)
        found = accept_transform(augmentation, data.values, data.labels, seed=options.seed)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)  # what an earlier fit has left
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
            warn_user(f"GANAugmenter: {troubles}", TrainingWarning)
        if model.interrupted and sys._getframe(1).f_globals.get("__name__") != "__main__":
            raise KeyboardInterrupt
        return self

    def estimate_fit_seconds(self, X: Any, y: Any = None) -> float:
        """Estimate from a few steps of throw-away networks how many seconds `fit` will train.

        A cache or a checkpoint may spare them.
        """
        data, device = read_for_training(self, X, y), resolve_device(self.device)
        return estimate_cost(data, training_options(self, data, device), self.n_jobs)[1]

    # --- adding samples to real ones ---

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
        SamplingError
            When the filter rejects nearly everything of a class.

        Warns
        -----
        GanaugWarning
            When no `synthetic_share` is set and its default is 0: for tables, and fewer than 5,000
            images.
        TrainingWarning
            When no class is trusted with synthetic samples.
        """
        self._fitted_model()
        X, values, codes = read_real(X, y, spec=self.spec_, classes=self.classes_)
        seed = self.seed_ if random_state is None else draw_seed(random_state)
        plans = self._plan(codes, sampling_strategy, synthetic_share, self.augmentation)
        mixed = add_samples(
            X,
            y,
            values,
            codes,
            plans,
            spec=self.spec_,
            classes=self.classes_,
            sampler=self.sampler_.reseeded(seed),
            augmentation=self._augmentation(self.augmentation, plans, lambda: values, codes),
            seed=seed,
        )
        self.kinds_, self.sample_indices_ = mixed.kinds, mixed.sources
        self.augmented_by_ = mixed.augmented_by
        return mixed.X, mixed.y

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
        transform, target_transform, refresh, synthetic_weight, return_weight : optional
        return_is_synthetic, directory : optional
            As in `AugmentedDataset`.

        Returns
        -------
        AugmentedDataset
            Drop-in for DataLoader. `resampling_report_` says what was added.

        Warns
        -----
        GanaugWarning
            When no `synthetic_share` is set: no synthetic images are added then.
        TrainingWarning
            When no class is trusted with synthetic samples.

        Notes
        -----
        Images are read of the classes whose own are varied, and of all classes where the warp is
        to be found on them (`augmentation` "fitted" or "mixed").
        """
        self._fitted_model()
        keys = {"image_key": self.spec_.image_key, "label_key": self.spec_.label_key}
        names = self.model_.label_kind.class_names
        labels = read_dataset_labels(dataset, self.classes_, class_names=names, **keys)
        augmentation = self.augmentation
        if augmentation is None and self.spec_.kind == "image":
            augmentation = "affine"  # interpolated images harm a network that augments
        plans = self._plan(labels.codes, sampling_strategy, synthetic_share, augmentation, True)
        return wrap_dataset(
            dataset,
            labels,
            plans,
            sampler=self.sampler_,
            augmentation=self._augmentation(
                augmentation, plans, lambda: encode_dataset(dataset, self.spec_), labels.codes
            ),
            transform=transform,
            target_transform=target_transform,
            refresh=refresh,
            synthetic_weight=synthetic_weight,
            return_weight=return_weight,
            return_is_synthetic=return_is_synthetic,
            directory=directory,
        )

    def _plan(
        self, codes: Array, strategy: Any, share: Any, augmentation: Any, for_network: bool = False
    ) -> dict[int, ClassPlan]:
        """Say what each class code gets, and report it."""
        plans = plan_by_code(
            codes,
            self.sampling_strategy if strategy is None else strategy,
            self.synthetic_share if share is None else share,
            augmentation,
            sampler=self.sampler_,
            trust=self.trust_,
            for_network=for_network,
        )
        self.resampling_report_ = list(plans.values())
        return plans

    def _augmentation(
        self,
        parameter: Any,
        plans: Mapping[int, ClassPlan],
        read: Callable[[], Array],
        codes: Array,
    ) -> Augmentation | None:
        """Give the augmentation as it is set now; check it on the samples if `fit` has not."""
        augmentation = make_augmentation(parameter, self.spec_.kind)
        if augmentation is None or not augmentation.needs_check:
            return augmentation
        is_new = self._checked_augmentation != parameter
        if is_new and any(plan.n_augmented for plan in plans.values()):
            found = accept_transform(augmentation, read(), codes, seed=self.seed_)
            self.augmentation_check_, self._checked_augmentation = found, parameter
        return augmentation

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
        check_before_replacing(self, X, y, fit_params)
        self.fit(X, y)
        X_out = check_samples(self, X, self.spec_, reset=True)
        X_out, self.kinds_ = replace_share(
            X_out,
            encode_labels(y, self.classes_),
            self.sampler_,
            share=self.mix_fraction or 0.0,
            min_real=self.min_real,
        )
        return X_out

    def transform(self, X: Any) -> Any:
        """Return X, lists of features as an array: data not for training is never touched."""
        self._fitted_model()
        return X if isinstance(X, Dataset) else check_samples(self, X, self.spec_)

    # --- what scikit-learn asks for ---

    def set_params(self, **params: Any) -> GANAugmenter:
        """Set parameters by name; refuse an unknown one, and suggest the intended one."""
        check_parameter_names(self, params)
        super().set_params(**params)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        return tags
