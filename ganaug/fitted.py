"""What a fitted model can do without training: make samples, be audited, be saved and loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from ganaug.audit import AuditReport
from ganaug.augmentation import TransformCheck
from ganaug.checks import check_parameters
from ganaug.devices import resolve_device
from ganaug.exceptions import NotFittedError
from ganaug.history import attributes_of
from ganaug.model import FittedModel
from ganaug.model_audit import audit_model
from ganaug.parameters import CHECKS, check_augmenter
from ganaug.persistence import load_model, plain_parameters, read_parameters, save_model
from ganaug.sampler import TrainedSampler

Array = npt.NDArray[Any]


class FittedModelMixin(BaseEstimator):
    """Samples, audit and model files of `GANAugmenter`, which all come from its `model_` alone."""

    device: str
    filter: str | None
    model_: FittedModel
    _sampler: TrainedSampler
    augmentation_check_: TransformCheck | None
    _checked_augmentation: Any

    # --- samples ---

    def sample(
        self, n_samples: int | Mapping[Any, int], *, random_state: int | None = None, start: int = 0
    ) -> tuple[Any, Any]:
        """Make synthetic samples.

        Parameters
        ----------
        n_samples : int or mapping of label, or name of a class, to int
            Total, spread evenly over the classes, or exact counts per class.
        random_state : int, optional
            Another seed than the fitted one: other samples.
        start : int, default=0
            How many samples of each class to pass over: ``sample({c: 10}, start=10)`` goes on where
            ``sample({c: 10})`` ended.

        Returns
        -------
        X, y : like those of `fit`
            Class by class, in the order of the mapping. The same seed gives the same samples of a
            class, whatever else is asked for.

        Raises
        ------
        InvalidInputError
            For unknown classes, or counts that are no non-negative integers.
        SamplingError
            When the filter rejects nearly everything of a class.
        """
        return self.sampler_.sample(n_samples, random_state=random_state, start=start)

    @property
    def sampler_(self) -> TrainedSampler:
        """The networks on the device, behind the filter as it is set now."""
        model = self._fitted_model()
        check_parameters(self, {"filter": CHECKS["filter"]})
        is_filtered = model.is_filtered if self.filter == "auto" else self.filter is not None
        if self._sampler.is_filtered != is_filtered:
            self._sampler = TrainedSampler(model, self._sampler.device, is_filtered)
        return self._sampler

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
        title: str | None = None,
    ) -> AuditReport:
        """Measure the synthetic samples: fidelity, variety, copying, balance, per class.

        Parameters
        ----------
        X, y : as in `fit`
            The training samples; they are checked against `data_fingerprint_`.
        X_holdout, y_holdout : optional
            Real samples that were not trained on. Without them floors are measured on halves of the
            training samples, and copying is hardly testable.
        groups : array-like of shape (n,), optional
            Site, device, patient group, ... of each training sample.
        n_samples : int, default=500
            Synthetic samples per class, 20 or more. A class of which the filter rejects nearly
            everything is left out, and the report says so.
        verdict : optional
            Outcome of a measured gain, to stand in the summary.
        extractor : callable, optional
            Gives the features (n, d) that distances are measured on, of uint8 (n, C, H, W) or
            float32 (n, d); by default those of a small classifier trained on X, y.
        title : str, optional
            Heading of the report.

        Returns
        -------
        AuditReport
            With ``to_dict``, ``to_json``, ``to_markdown`` and ``to_html(path)``. The last two say
            the day's date; the figures, and the JSON of them, are the same on any day.

        Raises
        ------
        InvalidInputError
            When X, y are not the training samples, or the held-out ones do not look like them.
        SamplingError
            When the filter rejects nearly everything of every class.
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
            device=self.sampler_.device,
            title=title,
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

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as one graph that runs without ganaug: see `ganaug.export`.

        Inputs are ``z`` (n, latent_dim), ``label`` (n,), a position in `classes_`, and, where there
        are several generators, ``index`` (n,), by which they take turns. Outputs are ``samples`` in
        the units of the training data (a data frame's whole numbers are not rounded) and, where
        there is a filter, ``accepted`` (n,).

        Parameters
        ----------
        path : str or path-like
            Ends in ``.onnx`` (needs the extra ``ganaug[onnx]``), or in ``.pt2`` (`torch.export`).

        Raises
        ------
        InvalidInputError, MissingDependencyError
            For a file that cannot be written.

        Warns
        -----
        TrainingWarning
            Names the classes that are distrusted.
        """
        from ganaug.export import export_model

        export_model(self._fitted_model(), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Load a model that `save` has written, to sample on a device.

        On the same kind of device it makes the same bytes as the saved one.

        Raises
        ------
        ModelFileError
            When a file is missing, truncated, altered or newer than this library; names it.
        """
        resolved = resolve_device(device)
        saved = load_model(path, resolved, build=cls._of_saved_parameters)
        augmenter: Self = saved.estimator
        spec = saved.model.spec
        augmenter.device = device
        augmenter._take_up(saved.model, str(resolved))
        if spec.n_columns is not None:
            augmenter.n_features_in_ = spec.n_columns
        if spec.column_names and all(isinstance(name, str) for name in spec.column_names):
            augmenter.feature_names_in_ = np.asarray(spec.column_names, dtype=object)
        return augmenter

    @classmethod
    def _of_saved_parameters(cls, parameters: Any) -> Self:
        augmenter = cls(**read_parameters(cls, parameters))
        check_augmenter(augmenter)
        return augmenter

    # --- the model itself ---

    def _take_up(self, model: FittedModel, device: str) -> None:
        """Set the fitted attributes."""
        self.model_, self._sampler = model, TrainedSampler(model, device)
        self.augmentation_check_, self._checked_augmentation = None, None
        self.__dict__.update(attributes_of(model))

    def _fitted_model(self) -> FittedModel:
        if "model_" not in vars(self):
            raise NotFittedError(
                f"This {type(self).__name__} is not fitted yet. Call 'fit' with appropriate "
                "arguments before using this estimator, or load a saved model with 'load'."
            )
        return self.model_

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in vars(self)
