"""What a command needs to know of a model before it hands its samples out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganaug.augmenter import GANAugmenter
from ganaug.checks import warn_user
from ganaug.exceptions import SamplingError, TrainingWarning
from ganaug.naming import printable
from ganaug.options import MIN_TRUST
from ganaug.outputs import Origin
from ganaug.persistence import MODEL_NAME


def check_trust(augmenter: GANAugmenter, labels: Iterable[Any], allow_distrusted: bool) -> None:
    """Refuse a model of which no class is trusted, unless allowed, and warn of single classes."""
    distrusted = augmenter.sampler_.distrusted
    if distrusted and len(distrusted) == len(augmenter.classes_) and not allow_distrusted:
        best = max(augmenter.trust_.values())
        raise SamplingError(
            "All classes are distrusted: a classifier of the real samples takes at most "
            f"{best:.0%} of the synthetic ones of any class for their class, less than "
            f"{MIN_TRUST:.0%}. Train longer, or go on with --allow-distrusted."
        )
    names = augmenter.sampler_.class_names
    shown = [
        f"{printable(names[label])} ({augmenter.trust_[label]:.0%})"
        for label in labels
        if label in distrusted
    ]
    if shown:
        warn_user(
            "Distrusted: a classifier of the real samples takes too few of the synthetic ones for "
            f"their class, {', '.join(shown)}. Look at them before you use them.",
            TrainingWarning,
        )


def origin_of(augmenter: GANAugmenter, model: Path, seed: int | None = None) -> Origin:
    """Describe, for manifests, the samples of a model that is saved as `model`."""
    with (model / MODEL_NAME).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    names = augmenter.sampler_.class_names
    trust = {names[label]: share for label, share in augmenter.trust_.items()}
    return Origin(augmenter.seed_ if seed is None else seed, digest, trust)
