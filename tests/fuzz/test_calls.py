"""Public calls with arguments of any kind: a result, or the package's own error before training."""

from __future__ import annotations

import functools
import random
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.data import TensorDataset

from ganaug import GANAugmenter, GANOverSampler, evaluate_gain
from ganaug.exceptions import GanaugError
from ganaug.integrations.torchvision import SyntheticMix
from ganaug.parameters import read_for_training
from tests.fuzz.cases import seeds

TINY = dict(width=4, max_images=32, gan_options={"batch_size": 16}, n_generators=1, filter=None)  # noqa: C408
TINY |= {"random_state": 0, "verbose": 0}
PART = 100


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == code)[:n] for code, n in enumerate((30, 24, 20))])
    return X[index].reshape(-1, 8, 8), y[index]


@pytest.fixture(scope="module")
def fitted(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return GANAugmenter(**TINY).fit(*digits)


def things(digits):
    """What people pass where something else is meant."""
    X, y = digits
    numbers = [0, 1, -1, 3, 2.5, 1e30, float("nan"), float("inf"), True, np.int64(2), 2**70]
    words = [None, "x", "", "auto", "synthetic", b"x", "\0", object(), int, len, lambda y: 3]
    lists = [[], (), {}, set(), [1, "a"], [[1, 2], [3]], {0: 3}, {"a": 1}, {0: -1}, {0: 2.5}]
    arrays = [
        *(X, X[0], X[:0], X.reshape(len(X), -1), X.astype(np.uint8), X.astype(">u2"), X + 0j),
        *(
            X.astype(object),
            X.astype(str),
            np.full_like(X, np.nan),
            X * 1e300,
            X[:, None],
            X[..., :3],
        ),
        *(
            np.ma.masked_greater(X, 8),
            np.float32(3),
            np.array(3),
            np.zeros((0, 0)),
            X.astype("M8[s]"),
        ),
    ]
    labels = [
        *(
            y,
            y[:3],
            y.astype(str),
            y.astype(float),
            y[:, None],
            np.eye(3)[y],
            y - 5,
            y.astype(object),
        ),
        *(
            np.full(len(y), None),
            np.zeros_like(y),
            y.astype(">i4"),
            y == 0,
            np.arange(len(y)),
            y.tolist(),
        ),
    ]
    containers = [
        *(
            torch.from_numpy(X),
            torch.from_numpy(X).to(torch.uint16),
            torch.from_numpy(X).to_sparse(),
        ),
        *(pd.DataFrame(X.reshape(len(X), -1)), pd.Series(y), pd.Series(list(X)), csr_array(X[0])),
        *(list(X), tuple(X.tolist()), [Image.fromarray(x.astype(np.uint8)) for x in X], iter(X)),
        *(TensorDataset(torch.from_numpy(X)[:, None], torch.from_numpy(y)), TensorDataset()),
        *(torch.zeros(2, device="meta"), Path("x"), GANAugmenter, KNeighborsClassifier()),
    ]
    return [*numbers, *words, *lists, *arrays, *labels, *containers]


def call(rng, digits, fitted, directory):
    """Choose a public call, and spoil one or two of its arguments."""
    X, y = digits
    augmenter, pairs = GANAugmenter(**TINY), things(digits)[-6]
    keywords = {
        "fit": {"X": X, "y": y},
        "fit_transform": {"X": X, "y": y},
        "estimate_fit_seconds": {"X": X, "y": y},
        "transform": {"X": X},
        "sample": {"n_samples": 3, "random_state": 0, "start": 0},
        "augment": {"X": X, "y": y, "sampling_strategy": "auto", "synthetic_share": 0.5},
        "wrap": {"dataset": pairs, "sampling_strategy": "auto", "synthetic_share": 0.5}
        | {"refresh": False, "synthetic_weight": 1.0, "directory": None},
        "load": {"path": directory / "none", "device": "cpu"},
        "over": {"X": X, "y": y},
        "over frozen": {"X": X, "y": y},
        "over parameters": {"synthetic_share": 0, "sampling_strategy": "auto", "augmentation": None}
        | {"random_state": 0, "n_jobs": None, "image_shape": None, "cache_dir": None},
        "parameters": augmenter.get_params(),
        "gain": {"estimator": KNeighborsClassifier(1), "X": X.reshape(len(X), -1), "y": y, "cv": 2}
        | {"remedies": ["duplicates"], "scoring": "accuracy", "groups": None, "max_seconds": None}
        | {"image_shape": (8, 8), "random_state": 0, "augmenter": None},
        "mix": {"augmenter": fitted, "p": 0.5, "n_per_class": 3, "transform": None, "seed": 0}
        | {"class_to_idx": None, "return_is_synthetic": False},
        "save": {"path": directory / "model"},
        "audit": {"X": X, "y": y, "X_holdout": X[:20], "y_holdout": y[:20], "groups": y}
        | {"n_samples": 20, "verdict": None, "extractor": None},
    }
    name = rng.choice(list(keywords))
    arguments = dict(keywords[name])
    for key in rng.sample(list(arguments), min(len(arguments), rng.choice([1, 1, 2]))):
        arguments[key] = rng.choice(things(digits))
    targets = {
        "load": GANAugmenter.load,
        "over": GANOverSampler(synthetic_share=0).fit_resample,
        "over frozen": GANOverSampler(FrozenEstimator(fitted), synthetic_share=0.5).fit_resample,
        "over parameters": lambda **given: GANOverSampler(
            n_generators=1, max_images=32, **given
        ).fit_resample(X, y),  # by default it trains for minutes
        "parameters": lambda **given: read_for_training(GANAugmenter(**given), X, y),
        "gain": evaluate_gain,
        "mix": SyntheticMix,
    }
    is_training = name in ("fit", "fit_transform", "estimate_fit_seconds")
    target = targets.get(name) or getattr(augmenter if is_training else fitted, name)
    return name, arguments, target


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(len(seeds(100, 10_000)) // PART))
def test_any_call_ends_in_a_result_or_in_an_error_of_the_package(part, digits, fitted, tmp_path):
    foreign = []
    for seed in seeds(100, 10_000)[part * PART : (part + 1) * PART]:
        name, arguments, target = call(random.Random(f"call {seed}"), digits, fitted, tmp_path)
        try:
            target(**arguments)
        except GanaugError:
            continue
        except Exception as error:  # noqa: BLE001
            shown = {key: f"{type(v).__name__} {v!r:.40}" for key, v in arguments.items()}
            foreign.append(f"{seed}: {name} {shown}: {type(error).__name__} {error!s:.200}")
    assert not foreign, "\n".join(foreign)


@pytest.mark.filterwarnings("ignore")
def test_what_such_calls_have_found_stays_mended(digits, fitted, tmp_path):
    X, y = digits
    pairs = TensorDataset(torch.from_numpy(X)[:, None], torch.from_numpy(y))
    rows, arrays = X.reshape(len(X), -1), pd.Series(list(X))
    over = GANOverSampler(FrozenEstimator(fitted), synthetic_share=0.5)
    neighbours = KNeighborsClassifier(1)
    calls = [
        lambda: GANAugmenter.load(tmp_path, device=X),
        lambda: GANAugmenter.load(tmp_path, device=2**70),
        *(functools.partial(GANAugmenter.load, path) for path in (3, b"x", "\0", (), X)),
        lambda: fitted.save(None),
        lambda: fitted.sample(2**70),
        lambda: fitted.sample(3, start=2**70),
        *(functools.partial(SyntheticMix, fitted, p=p) for p in ("x", X, None, 2.0)),
        *(functools.partial(SyntheticMix, fitted, p=1, class_to_idx=c) for c in (3, iter(X))),
        lambda: SyntheticMix(fitted, p=1, n_per_class=2**70),
        lambda: SyntheticMix(None, p=1),
        lambda: fitted.wrap(pairs, refresh=X),
        lambda: fitted.wrap(TensorDataset()),
        lambda: fitted.augment(X, y, sampling_strategy=int),
        lambda: GANAugmenter(**TINY).fit_transform(torch.from_numpy(X).to_sparse(), y),
        lambda: over.fit_resample(X, arrays),
        lambda: over.fit_resample(X, [pd.NA] * len(y)),
        lambda: evaluate_gain(neighbours, rows, y, image_shape=(8, 8), scoring="x"),
        lambda: evaluate_gain(neighbours, rows, y, image_shape=(8, 8), groups=arrays),
    ]
    for call in calls:
        with pytest.raises(GanaugError):
            call()


def test_numbers_in_an_array_of_objects_are_labels_for_an_evaluation(digits):
    X, y = digits
    verdict = evaluate_gain(
        KNeighborsClassifier(1),
        X.reshape(len(X), -1),
        y.astype(object),
        image_shape=(8, 8),
        remedies=["duplicates"],
        cv=2,
        random_state=0,
    )

    assert list(verdict.per_class) == ["0", "1", "2"]
