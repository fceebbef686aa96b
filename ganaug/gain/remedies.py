"""What can be done about rare classes: one class each, behind one protocol.

To add a remedy, subclass `Remedy` here, put an instance into `BUILT_IN` where it belongs by
simplicity, and test it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from imblearn.over_sampling import ADASYN, RandomOverSampler
from imblearn.over_sampling._smote.base import BaseSMOTE
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from ganaug.augmenter import GANAugmenter
from ganaug.checks import check_option
from ganaug.exceptions import InvalidInputError, InvalidTypeError
from ganaug.features import GANFeatureExtractor
from ganaug.gain.network import SmallNetworkClassifier
from ganaug.gain.problem import with_seed
from ganaug.gain.samplers import FlatSampler, SmallClassSMOTE
from ganaug.oversampler import GANOverSampler
from ganaug.resampling import ENLARGE, ENOUGH_SAMPLES, is_enlarging

Array = npt.NDArray[Any]

FEATURES, FEATURES_LENGTH = "features", 3.0
"""At 1 logistic regression is regularised too much (C=0.1: 2 to 3 points), at 10 too little."""
FEATURES_IMAGES = 25_000  # four times as many taught a discriminator nothing more of use
FEW_FOR_A_GAN = ENOUGH_SAMPLES  # of fewer, samples of GANs added nothing (docs/experiments.md)
FEW_FOR_FEATURES = 500  # of fewer images their gain hardly showed (docs/results.md)
SAMPLERS = "samplers"
"""What `remedies` names for those that only add samples."""

DEFAULTS = ("enlarged", "augmented", "mixed", "smote", "duplicates")
"""What is recommended where nothing can be decided: the first that was tried."""


@dataclass(frozen=True)
class Task:
    """What remedies make their samplers from."""

    seed: int  # below 2**32; of every sampler, in every fold
    is_image: bool
    n_axes: int  # of X: 2, or more for images that are not flattened
    image_shape: tuple[int, ...] | None = None  # of the images that the columns of 2-D X hold
    max_images: int | None = None  # of the GANs, where time left fewer than the default
    n_jobs: int | None = None
    augmenter: Any = None  # the user's GANAugmenter

    def of_values(self) -> Task:
        """Give the same for samples as networks see them: images uint8 (n, C, H, W)."""
        augmenter = self.augmenter
        if augmenter is not None:
            own_shape = dict.fromkeys(("image_shape", "value_range", "resize"))
            augmenter = clone(augmenter).set_params(**own_shape)
        n_axes = 4 if self.is_image else 2
        return replace(self, n_axes=n_axes, image_shape=None, augmenter=augmenter)


def with_budget(task: Task, max_images: int) -> Task:
    """Give the same task with GANs of another budget."""
    if task.augmenter is None:
        return replace(task, max_images=max_images)
    return replace(task, augmenter=clone(task.augmenter).set_params(max_images=max_images))


# --- remedies -------------------------------------------------------------------------------------


class Remedy:
    """The protocol; as it stands, it does nothing."""

    name = "nothing"
    text = "the samples as they are"
    uses_gan = False
    only_fills = False  # does nothing where classes are equally frequent
    enlarges = False  # adds to all classes of images, so that classifiers take longer
    is_sampler = True  # all it does is to add samples

    def doubt(self, task: Task, n_samples: int) -> str:  # noqa: ARG002
        """Say why it is tried only where `remedies` names it; empty where it is by itself."""
        return ""

    def obstacle(self, task: Task, estimator: Any) -> str:  # noqa: ARG002
        """Say why it cannot be tried here; empty where it can."""
        return ""

    def fills(self, task: Task) -> bool:  # noqa: ARG002
        """Tell whether it does nothing where classes are equally frequent."""
        return self.only_fills

    def make_sampler(self, task: Task) -> Any:  # noqa: ARG002
        """Give an unfitted imbalanced-learn sampler, or "passthrough"."""
        return "passthrough"

    def make_augmenter(self, task: Task) -> Any:  # noqa: ARG002
        """Give the GAN that `prepare` puts before the estimator, if it does."""
        return None

    def prepare(self, estimator: Any, task: Task) -> Any:  # noqa: ARG002
        """Change an unfitted estimator, in place or not."""
        return estimator


class ClassWeights(Remedy):
    """Errors count by how rare their class is."""

    name = "class weights"
    text = "class_weight='balanced'"
    only_fills = True
    is_sampler = False

    def obstacle(self, task: Task, estimator: Any) -> str:  # noqa: ARG002
        """Classifiers without the parameter, or with one of the user's, are left alone."""
        parameter = class_weight_parameter(estimator)
        if parameter is None:
            return "the estimator has no `class_weight`"
        is_set = estimator.get_params()[parameter] is not None
        return "the estimator's `class_weight` is set already" if is_set else ""

    def prepare(self, estimator: Any, task: Task) -> Any:  # noqa: ARG002
        """Set the weights, in a pipeline those of its last step."""
        return estimator.set_params(**{str(class_weight_parameter(estimator)): "balanced"})


class Resampler(Remedy):
    """An imbalanced-learn sampler."""

    def __init__(self, name: str, text: str, sampler: Any, *, only_fills: bool = False) -> None:
        self.name, self.text, self.sampler = name, text, sampler
        self.only_fills = only_fills

    def make_sampler(self, task: Task) -> Any:
        """Clone and seed it; what takes columns only gets images of any shape flattened."""
        sampler = with_seed(clone(self.sampler), task.seed)
        takes_columns = not hasattr(sampler, "make_augmenter")
        return FlatSampler(sampler) if takes_columns and task.n_axes > 2 else sampler


class Synthetic(Remedy):
    """`GANOverSampler` with a given share of synthetic samples.

    Not with its default share: a fold has fewer samples than the whole, and might have another.
    A transform of the user's augmenter takes the place of `augmentation`.
    """

    def __init__(
        self,
        name: str,
        text: str,
        share: float,
        augmentation: str = "fitted",
        *,
        enlarges: bool = False,
    ) -> None:
        self.name, self.text, self.share = name, text, share
        self.augmentation, self.uses_gan = augmentation, share != 0
        self.enlarges = enlarges

    def doubt(self, task: Task, n_samples: int) -> str:
        """Few samples do not pay for a GAN, and whole classes from it never did."""
        if self.share == 1:
            return "samples of a GAN alone were never the best"
        if self.uses_gan and task.augmenter is None and n_samples < FEW_FOR_A_GAN:
            return f"{n_samples} samples are too few for a GAN's to add anything beside the others"
        return ""

    def obstacle(self, task: Task, estimator: Any) -> str:
        """Feature tables are interpolated, which is tried already; own transforms are kept."""
        if self.uses_gan:
            return ""
        if self.enlarges and isinstance(estimator, SmallNetworkClassifier):
            return "the network warps its images anew in every pass"
        if not task.is_image and self.enlarges:
            return "enlarging feature tables gained nothing where it was measured"
        if not task.is_image:
            return "of feature tables, that is 'smote'"
        if self.augmentation == "mixed" and _has_own_augmentation(task):
            return "the augmenter has its own `augmentation`"
        return ""

    def fills(self, task: Task) -> bool:
        """Of feature tables it does no more: enlarging them gained nothing."""
        return not (self.enlarges and task.is_image)

    def make_sampler(self, task: Task) -> Any:
        """`GANOverSampler`, with the user's augmenter where there is one."""
        parameters: dict[str, Any] = {
            "synthetic_share": self.share,
            "sampling_strategy": "auto" if self.fills(task) else ENLARGE,
            "random_state": task.seed,
            "n_jobs": task.n_jobs,
        }
        if task.augmenter is not None:
            parameters["augmenter"] = clone(task.augmenter)
        else:
            parameters |= {"image_shape": task.image_shape, "max_images": task.max_images}
        if task.is_image and not _has_own_augmentation(task):
            is_fixed = getattr(task.augmenter, "augmentation", None) == "affine"
            is_affine = is_fixed and self.augmentation == "fitted"
            parameters["augmentation"] = "affine" if is_affine else self.augmentation
        return GANOverSampler(**parameters)


class Features(Synthetic):
    """The estimator sees, of the enlarged set, what a GAN's discriminator has learnt to see.

    Features are scaled to unit variance, then samples to one length, so that classifiers as they
    come are regularised about right, however many features there are.
    """

    def __init__(self) -> None:
        text = "enlarged, seen through a GAN's discriminator"
        super().__init__(FEATURES, text, 0.0, enlarges=True)
        self.uses_gan, self.is_sampler = True, False

    def doubt(self, task: Task, n_samples: int) -> str:  # noqa: ARG002
        """Of few images their gain hardly showed."""
        few = n_samples < FEW_FOR_FEATURES
        return f"{n_samples} samples are too few for a GAN to learn features from" if few else ""

    def obstacle(self, task: Task, estimator: Any) -> str:
        """Networks learn features of their own; those of tables were not measured."""
        if isinstance(estimator, SmallNetworkClassifier):
            return "the network learns features of its own"
        return "" if task.is_image else "it is for images"

    def make_augmenter(self, task: Task) -> GANAugmenter:
        """Give the one that is trained on the enlarged set: of one generator, or the user's."""
        if task.augmenter is not None:
            augmenter: GANAugmenter = clone(task.augmenter)
            if augmenter.max_images == "auto":
                augmenter.set_params(max_images=FEATURES_IMAGES)
            return augmenter.set_params(filter=None, random_state=task.seed)
        return GANAugmenter(
            image_shape=task.image_shape,
            n_generators=1,
            filter=None,
            random_state=task.seed,
            verbose=0,
            max_images=min(task.max_images or FEATURES_IMAGES, FEATURES_IMAGES),
        )

    def prepare(self, estimator: Any, task: Task) -> Any:
        """Put the features before the estimator."""
        steps = [
            ("features", GANFeatureExtractor(self.make_augmenter(task))),
            ("scaler", StandardScaler()),
            ("normalizer", Normalizer()),
            ("length", FunctionTransformer(partial(np.multiply, FEATURES_LENGTH))),
            ("estimator", estimator),
        ]
        return Pipeline(steps)


def _has_own_augmentation(task: Task) -> bool:
    """Tell whether the user's augmenter has a transform that no built-in remedy is called after."""
    augmentation = getattr(task.augmenter, "augmentation", None)
    built_in = ("mixed", "fitted", "affine", "interpolation", "none")
    is_built_in = isinstance(augmentation, str) and augmentation in built_in
    return augmentation is not None and not is_built_in


class UsersSampler(Resampler):
    """An imbalanced-learn sampler of the user's."""

    def __init__(self, name: str, sampler: Any) -> None:
        super().__init__(name, type(sampler).__name__, sampler)
        trains = hasattr(sampler, "make_augmenter")
        own = getattr(getattr(sampler, "augmenter", None), "synthetic_share", None)
        share = getattr(sampler, "synthetic_share", None)
        if trains and share is None and own is None:
            raise InvalidInputError(
                f"`remedies`[{name!r}] must have a `synthetic_share`: the default depends on the "
                "number of samples, and may be another on a fold. Got None instead: set it."
            )
        self.uses_gan = trains and (own if share is None else share) != 0
        self.enlarges = not self.uses_gan and is_enlarging(
            getattr(sampler, "sampling_strategy", None)
        )


BUILT_IN: tuple[Remedy, ...] = (  # from the simplest on: of equals the first is chosen
    Remedy(),
    ClassWeights(),
    Resampler("duplicates", "duplicates (RandomOverSampler)", RandomOverSampler(), only_fills=True),
    Resampler("smote", "interpolation (SMOTE)", SmallClassSMOTE(), only_fills=True),
    Synthetic("augmented", "augmented duplicates", 0.0),
    Synthetic("mixed", "half augmented, half interpolated (GANOverSampler)", 0.0, "mixed"),
    Synthetic("enlarged", "all classes enlarged by augmented images", 0.0, enlarges=True),
    Synthetic("ganaug", "enlarged, a quarter of it by synthetic samples", 0.25, enlarges=True),
    Synthetic("half and half", "enlarged, half of it by synthetic samples", 0.5, enlarges=True),
    Synthetic("gan only", "enlarged by synthetic samples", 1.0, enlarges=True),
    Features(),
)


def find_remedy(name: str, others: Sequence[Remedy] = ()) -> Remedy | None:
    """Find a remedy by name."""
    return next((remedy for remedy in (*BUILT_IN, *others) if remedy.name == name), None)


def select_remedies(
    remedies: Any, task: Task, estimator: Any, n_samples: int
) -> tuple[tuple[Remedy, ...], list[str]]:
    """Choose what is tried, from the simplest on; "nothing" always is.

    `remedies`: None for all that are not doubtful, "samplers" for those of them that add samples, a
    list of names, or a dict of name to sampler for the default and the user's. Returns: remedies;
    and which of those named cannot be tried, and why.
    """
    listed = [r for r in BUILT_IN if not r.doubt(task, n_samples)]
    if isinstance(remedies, str) and remedies == SAMPLERS:
        listed = [remedy for remedy in listed if remedy.is_sampler]
    elif isinstance(remedies, Mapping):
        own = [_users_remedy(name, sampler) for name, sampler in remedies.items()]
        cheap = [remedy for remedy in (*listed, *own) if not remedy.uses_gan]
        listed = cheap + [remedy for remedy in (*listed, *own) if remedy.uses_gan]
    elif isinstance(remedies, list | tuple):
        for name in remedies:
            check_option("remedies", name, [remedy.name for remedy in BUILT_IN])
        listed = [r for r in BUILT_IN if r.name == "nothing" or r.name in remedies]
    elif remedies is not None:
        raise InvalidTypeError(
            f"`remedies` must be None, {SAMPLERS!r}, a list of names, or a dict of name to "
            f"imbalanced-learn sampler. Got {remedies!r} instead."
        )
    obstacles = {remedy.name: remedy.obstacle(task, estimator) for remedy in listed}
    named = obstacles if isinstance(remedies, list | tuple) else {}
    notes = [f"'{name}' was not tried: {why}" for name, why in named.items() if why]
    return tuple(remedy for remedy in listed if not obstacles[remedy.name]), notes


def why_doubtful(task: Task, n_samples: int) -> str:
    """Say why no GAN is tried by itself; empty where one is."""
    remedy = find_remedy("ganaug")
    assert remedy is not None
    doubt = remedy.doubt(task, n_samples)
    return doubt and (
        f"{doubt}; it is tried all the same where `remedies` names 'ganaug', or parameters of a "
        "GAN are given"
    )


def _users_remedy(name: Any, sampler: Any) -> Remedy:
    if not isinstance(name, str) or not name.isprintable() or find_remedy(name) is not None:
        taken = ", ".join(repr(remedy.name) for remedy in BUILT_IN)
        raise InvalidInputError(
            f"`remedies` must have names of your own, not {taken}. Got {name!r} instead."
        )
    if isinstance(sampler, Remedy):
        return sampler
    if isinstance(sampler, type) or not all(
        hasattr(sampler, method) for method in ("fit_resample", "get_params")
    ):
        raise InvalidTypeError(
            f"`remedies`[{name!r}] must be an instance of an imbalanced-learn sampler. Got "
            f"{sampler!r} instead."
        )
    if isinstance(getattr(sampler, "augmenter", None), FrozenEstimator):
        raise InvalidInputError(
            f"`remedies`[{name!r}] must train its GANs on each fold. Got a frozen augmenter, which "
            "may have seen the test samples, instead: pass the GANAugmenter itself."
        )
    own = getattr(sampler, "augmenter", None)
    _refuse_what_other_samples_trained(f"`remedies`[{name!r}]'s augmenter", own)
    return UsersSampler(name, sampler)


def make_pipeline(remedy: Remedy, task: Task, estimator: Any) -> Any:
    """Give an unfitted pipeline of a "remedy" and an "estimator", a clone of the given one."""
    sampler, estimator = remedy.make_sampler(task), remedy.prepare(clone(estimator), task)
    return Pipeline([("remedy", sampler), ("estimator", estimator)])


def provenance(
    sampler: Any, n_real: int, n_samples: int
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Say of what kind each sample is that a sampler gave, and of which real one; -1 if unknown.

    `n_real`, `n_samples`: before and after `fit_resample`; the real ones come first.
    """
    sampler, n_added = getattr(sampler, "fitted_", sampler), n_samples - n_real
    kind = "synthetic"
    if isinstance(sampler, RandomOverSampler):
        kind = "duplicate"
    elif isinstance(sampler, BaseSMOTE | ADASYN):
        kind = "interpolated"
    kinds = np.repeat(["real", kind], [n_real, n_added])
    sources = np.concatenate([np.arange(n_real), np.full(n_added, -1)])
    sources = np.asarray(getattr(sampler, "sample_indices_", sources))
    return np.asarray(getattr(sampler, "kinds_", kinds)), sources


def class_weight_parameter(estimator: Any) -> str | None:
    """Name the parameter of an estimator, or of a pipeline's last step, that weights classes."""
    steps = getattr(estimator, "steps", None)
    if steps:
        name, last = steps[-1]
        inner = class_weight_parameter(last)
        return None if inner is None else f"{name}__{inner}"
    known = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else ()
    return "class_weight" if "class_weight" in known else None


def checked_augmenter(augmenter: Any, image_shape: Any) -> Any:
    """Refuse an `augmenter` of another kind, or beside an `image_shape`."""
    if augmenter is None:
        return None
    if image_shape is not None:
        raise InvalidInputError(
            "`image_shape` must be None beside an `augmenter`, which has its own. Got "
            f"{image_shape!r} instead: set it there."
        )
    if not isinstance(augmenter, GANAugmenter):
        hint = " Pass it as `remedies={'mine': ...}`." if hasattr(augmenter, "fit_resample") else ""
        kind = augmenter.__name__ if isinstance(augmenter, type) else type(augmenter).__name__
        raise InvalidTypeError(f"`augmenter` must be a GANAugmenter. Got {kind} instead.{hint}")
    _refuse_what_other_samples_trained("`augmenter`", augmenter)
    return augmenter


def _refuse_what_other_samples_trained(name: str, augmenter: Any) -> None:
    """Each fold's GANs must be trained anew, on samples of the fold's training part only."""
    for parameter in ("warm_start_from", "checkpoint_dir"):
        value = getattr(augmenter, parameter, None)
        if value is not None:
            raise InvalidInputError(
                f"{name} must have `{parameter}` None: each fold trains GANs of its own, which may "
                f"not have seen its test samples. Got {value!r} instead."
            )
