"""Do two revisions give the same bytes? Digests of what they make, side by side.

    python -m benchmarks.compare_revisions OLD [NEW]

Each revision's package is unpacked beside the other and runs in a process of its own. Six settings
on scikit-learn's digits with tiny budgets; parameters that only one of the revisions has are left
out. The exit code is 1 where a digest differs. Takes a few minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
COUNTS = {0: 60, 1: 40, 2: 20}
TOTALS = {1: 60, 2: 50}
COMMON = {"max_images": 4000, "width": 8, "device": "cpu", "random_state": 0, "verbose": 0}
SETTINGS: dict[str, dict[str, Any]] = {
    "images": {},
    "colour": {},
    "table": {},
    "one model per class": {"conditioning": "per_class"},
    # its samples at this budget pass no filter
    "2015 recipe": {"recipe": "classic", "filter": None},
    "filter off": {"filter": None},
}
MADE = ("fit", "sample", "augment", "wrap", "evaluate_gain")


def main() -> None:
    """Compare, print a table, and exit with 1 on a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("old", help="a git revision")
    parser.add_argument("new", nargs="?", default="HEAD", help="another (default: HEAD)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        trees = [Path(scratch, side) for side in ("old", "new")]
        for revision, tree in zip((options.old, options.new), trees, strict=True):
            unpack(revision, tree)
        surfaces = [run_in(tree, "surface") for tree in trees]
        parameters = sorted(set(surfaces[0]["parameters"]) & set(surfaces[1]["parameters"]))
        with_gain = surfaces[0]["evaluate_gain"] == surfaces[1]["evaluate_gain"]
        old, new = (run_in(tree, "digests", parameters, with_gain) for tree in trees)
    left_out = {*surfaces[0]["parameters"]} ^ {*surfaces[1]["parameters"]}
    print(describe(old, new))
    if left_out:
        names = ", ".join(sorted(left_out))
        print(f"Parameters of one revision only, left at their defaults: {names}.")
    if not with_gain:
        print("evaluate_gain has another signature: not compared.")
    sys.exit(old != new)


def unpack(revision: str, tree: Path) -> None:
    """Put a revision's package into a directory of its own."""
    command = ["git", "archive", revision, "ganaug"]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(tree, filter="data")


def run_in(tree: Path, what: str, *arguments: Any) -> dict[str, Any]:
    """Run a function of this file with a tree's package, in a fresh process."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__, what, json.dumps(arguments), str(tree)]
    run = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def describe(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Make a table: the digests' first digits, twice where they differ."""
    lines = [f"| setting | {' | '.join(MADE)} |", "|---" * (len(MADE) + 1) + "|"]
    for setting in SETTINGS:
        cells = [_cell(old[setting].get(made), new[setting].get(made)) for made in MADE]
        lines.append(f"| {setting} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(old: str | None, new: str | None) -> str:
    if old is None and new is None:
        return ""
    return f"same ({old})" if old == new else f"**differs** ({old}, {new})"


# --- in the process of a revision --------------------------------------------------------------


def surface() -> dict[str, Any]:
    """Tell what the revision's estimator takes."""
    from ganaug import GANAugmenter, evaluate_gain

    names = [*GANAugmenter().get_params(deep=False)]
    signature = str(inspect.signature(evaluate_gain))
    return {"parameters": names, "evaluate_gain": signature}


def digests(parameters: list[str], with_gain: bool) -> dict[str, dict[str, str]]:
    """Give what each setting makes, as the first digits of a SHA-256."""
    warnings.simplefilter("ignore")
    found = {}
    for name, setting in SETTINGS.items():
        missing = set(setting) - set(parameters)
        if missing:
            found[name] = {"fit": f"needs {', '.join(missing)}"}
            continue
        chosen = {k: v for k, v in (COMMON | setting).items() if k in parameters}
        found[name] = make_all(name, chosen, with_gain and name in ("images", "table"))
    return found


def make_all(name: str, parameters: dict[str, Any], with_gain: bool) -> dict[str, str]:
    """Fit, sample, augment, wrap and evaluate in one setting; an error is an outcome, too."""
    import torch
    from sklearn.neighbors import KNeighborsClassifier
    from torch.utils.data import TensorDataset

    from ganaug import GANAugmenter, evaluate_gain

    X, y = rows_of(name)
    augmenter = GANAugmenter(**parameters).fit(X, y)
    noise = np.random.default_rng(0).normal(0, 10, (len(X), 64)).astype(np.float32)
    tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))

    def augmented() -> Any:
        # exact totals as well: at this budget the default may distrust every class
        exactly = augmenter.augment(X, y, sampling_strategy=TOTALS)
        return [*augmenter.augment(X, y), *exactly]

    def wrapped() -> Any:
        fitted: Any = GANAugmenter(**parameters).fit(tensors)
        datasets: list[Any] = [fitted.wrap(tensors), fitted.wrap(tensors, sampling_strategy=TOTALS)]
        return [np.asarray(part) for dataset in datasets for item in dataset for part in item]

    def gain() -> Any:
        shape = {} if name == "table" else {"image_shape": (8, 8)}
        tiny = GANAugmenter(**parameters | shape | {"max_images": 512, "filter": None})
        rows = X.reshape(len(X), -1) + noise  # or every score would be 1
        verdict = evaluate_gain(tiny, rows, y, KNeighborsClassifier(3), cv=4, random_state=0)
        return [np.array([verdict.gain.mean, verdict.gain.low, verdict.gain.high])]

    makers: dict[str, Callable[[], Any]] = {
        "fit": lambda: weights(augmenter),
        "sample": lambda: augmenter.sample({2: 30, 0: 5}),
        "augment": augmented,
        "wrap": wrapped,
    }
    if with_gain:
        makers["evaluate_gain"] = gain
    return {made: _digest_or_error(make) for made, make in makers.items()}


def rows_of(name: str) -> tuple[Any, Any]:
    """Draw imbalanced digits as the setting's kind of data."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == label)[:n] for label, n in COUNTS.items()])
    X, y = X[rows].astype(np.float32), y[rows]
    if name == "table":
        return X, y
    images = X.reshape(-1, 8, 8)
    if name == "colour":
        channels = [images, np.roll(images, 1, axis=2), images.transpose(0, 2, 1)]
        images = (15 * np.stack(channels, axis=1)).astype(np.uint8)
    return images, y


def weights(augmenter: Any) -> list[Any]:
    """Give all arrays of a saved model, whatever they are called, in an order of their own."""
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as scratch:
        augmenter.save(Path(scratch) / "model")
        files = sorted(Path(scratch).rglob("*.safetensors"))
        arrays = [array for file in files for array in load_file(file).values()]
    return sorted(arrays, key=lambda array: digest([array]))


def _digest_or_error(make: Callable[[], Any]) -> str:
    try:
        return digest(make())
    except Exception as error:  # noqa: BLE001 - compared like any other outcome
        return f"raises {type(error).__name__}"


def digest(arrays: Any) -> str:
    """Give the first digits of the SHA-256 of arrays: types, shapes and bytes."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:8]


def run_here(what: str, arguments: str, tree: str) -> None:
    """Run one function with the package of a tree, and print what it gives."""
    import ganaug

    assert Path(ganaug.__file__).is_relative_to(Path(tree)), "the revision's own package"
    made = {"surface": surface, "digests": digests}[what](*json.loads(arguments))  # type: ignore[operator]
    print(json.dumps(made))


if __name__ == "__main__":
    if sys.argv[1:2] in (["surface"], ["digests"]):
        run_here(*sys.argv[1:])
    else:
        main()
