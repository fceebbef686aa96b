"""What samples are worth against the processor's seconds that their GAN was trained for.

ganaug beside a textbook conditional DCGAN (Radford et al., 2016; labels embedded and concatenated),
of the same width, with three step sizes. Both get balanced batches and averaged weights, and their
samples the same filter, pixel statistics and places. Worth is what kNN, a forest and logistic
regression gain in balanced accuracy, mean, over augmented real images in these places, on the
development part; the exchange rate is that over what further real images gain there. Beside it
stands how good nearest neighbours are that see synthetic samples only. Further settings:

    python -m benchmarks worth --gan augmented '{"gan_options": {"diffaugment": true}}'
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tqdm.auto import tqdm

from benchmarks.data import TASKS, Array, Images, Labels, Parts, draw_parts, first_of_each
from benchmarks.growing import train_grown
from benchmarks.machine import cpu_seconds, one_thread, seeded
from benchmarks.pipelines import judge
from benchmarks.resamplers import Training
from benchmarks.results import Result, Store, markdown
from benchmarks.stats import difference, fieller_interval, show_interval
from benchmarks.textbook import draw_textbook, train_textbook
from ganaug import GANAugmenter
from ganaug.classifier import RealClassifier, fit_classifier

N_DRAWS = 5
BUDGETS = (25_000, 50_000, 100_000, 200_000, 400_000)
STEP_SIZES = (2e-4, 1e-3, 4e-3)
CLASSIFIERS = ("nearest neighbours", "forest", "logistic regression")
SHARE = 0.5
"""Of what is added, for both."""
MAX_TRIES = 30
"""Batches of candidates per sample that is wanted, before what the filter rejects is taken."""
BATCH = 256
AUGMENTED, REAL, GANAUG, GROWN = "augmented", "further real", "ganaug", "grown"
MEASURES = ("alone", "by_training", "telltale")
N_ALONE = 300
"""Unfiltered samples of each class that stand alone."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add tasks, budgets, and how far classes are filled."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=("mnist", "fashion-mnist"))
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS, help="real images")
    parser.add_argument("--width", type=int, default=32, help="of the textbook's networks")
    parser.add_argument("--fill", type=int, default=1000)
    parser.add_argument("--gan", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))
    parser.add_argument("--grow", action="store_true", help="also begin at half resolution")
    parser.add_argument("--step-sizes", type=float, nargs="*", default=STEP_SIZES)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What draws must have in common."""
    return {
        "budgets": list(options.budgets),
        "width": options.width,
        "fill": options.fill,
        "gans": gans_of(options),
    }


def gans_of(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Give the parameters of all GANs by name."""
    return {GANAUG: {}} | {name: json.loads(parameters) for name, parameters in options.gan}


def run(options: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Measure every budget of every way in every draw."""
    found = {}
    for task in options.tasks:
        with one_thread():
            found[task] = [
                run_draw(options, store, task, seed)
                for seed in tqdm(range(options.draws), desc=task)
            ]
    curves = {task: curves_of(draws) for task, draws in found.items()}
    return {
        "n": {task: {"train": TASKS[task].counts} for task in options.tasks},
        "values": {"curves": curves, "real": {t: real_gains(d) for t, d in found.items()}},
    }


def run_draw(
    options: argparse.Namespace, store: Store, task: str, seed: int
) -> dict[str, dict[str, Any]]:
    """Score the two references, then each way at each budget; a way is one unit of the store."""
    parts = draw_parts(task, options.data_dir, seed)
    places = Places(parts, options.fill, seed)
    units: dict[str, Callable[[], dict[str, Any]]] = {
        AUGMENTED: lambda: {"score": places.score(None)},
        REAL: lambda: {"score": places.score(Further(parts.further))},
    }
    for name, parameters in gans_of(options).items():
        units[name] = partial(ganaug_points, options, places, parameters)
    if options.grow:
        units[GROWN] = partial(grown_points, options, places)
    for size in options.step_sizes:
        units[f"textbook, {size:g}"] = partial(textbook_points, options, places, size)
    return {
        name: store.once(f"{task}/{seed}/{name.replace(' ', '-')}", unit)
        for name, unit in units.items()
    }


# --- what samples are worth --------------------------------------------------------------------


class Source:
    """Synthetic samples of anything that makes candidates, behind the filter.

    What `ganaug.resampling.carry_out` takes for a sampler.

    Parameters
    ----------
    candidates : callable
        (class code, n, torch.Generator) -> uint8 images (n, C, H, W).
    classifier : RealClassifier
        Rejects candidates that it takes for another class.
    seed : int
    """

    def __init__(self, candidates: Any, classifier: RealClassifier, seed: int) -> None:
        self.candidates, self.classifier, self.seed = candidates, classifier, seed

    def sample_values(self, counts: Mapping[int, int]) -> tuple[Array, Labels]:
        """Make exactly as many samples of each class."""
        made = [self._of_class(code, n) for code, n in counts.items()]
        return np.concatenate(made), np.repeat([*counts], [*counts.values()]).astype(np.int64)

    def _of_class(self, code: int, n: int) -> Array:
        generator = torch.Generator().manual_seed(1000 * self.seed + code)
        kept: list[Array] = []
        n_kept, n_wanted = 0, n
        for _ in range(max(1, MAX_TRIES * n // BATCH)):
            images = self.candidates(code, BATCH, generator)
            accepted = self.classifier.predict_proba(images).argmax(axis=1) == code
            kept.append(images[accepted])
            n_kept += int(accepted.sum())
            if n_kept >= n_wanted:
                break
        else:
            kept.append(self.candidates(code, n_wanted, generator))
        return np.concatenate(kept)[:n]


class Places:
    """A draw's classes, filled: in half of the places something else may stand.

    Parameters
    ----------
    parts : Parts
    fill : int
        Classes below so many images are filled up to them, but at most to the largest class.
    seed : int
    """

    def __init__(self, parts: Parts, fill: int, seed: int) -> None:
        self.parts, self.seed = parts, seed
        train = parts.train
        self.n_classes = int(train.y.max()) + 1
        counts = np.bincount(train.y)
        target = min(fill, counts.max())
        self.totals = {code: int(max(n, target)) for code, n in enumerate(counts)}
        self.missing = {code: total - int(counts[code]) for code, total in self.totals.items()}
        self.classifier = fit_classifier(train.X, train.y, self.n_classes, seed=seed)

    def score(self, source: Any) -> float:
        """Mean balanced accuracy, with what a source makes in half of the places; None: nothing."""
        training = self.fill_with(source)
        scored = {"development": self.parts.development}
        found = [judge(name, training, self.seed, scored) for name in CLASSIFIERS]
        return float(np.mean([result["recalls"]["development"] for result in found]))

    def point(self, candidates: Any, budget: int, seconds: float) -> dict[str, Any]:
        """Give what samples are worth, with the filter in these places and without it alone."""
        return {
            "budget": budget,
            "cpu_seconds": seconds,
            "score": self.score(filtered_and_matched(candidates, self)),
        } | self.score_alone(candidates)

    def score_alone(self, candidates: Any) -> dict[str, float]:
        """Give what samples teach without real ones, and what the training images tell of it.

        "alone": balanced accuracy of nearest neighbours that see nothing but synthetic samples;
        "by_training": the same on the training images, and "telltale": how well a forest tells
        samples from these (AUC). The last two are what a trainer could see.
        """
        stream = torch.Generator().manual_seed(self.seed)
        made = [candidates(code, N_ALONE, stream) for code in self.totals]
        X = np.concatenate(made).reshape(len(made) * N_ALONE, -1)
        training = Training(X, np.repeat([*self.totals], N_ALONE), np.full(len(X), "synthetic"))
        train = self.parts.train
        real = first_of_each(train, [N_ALONE] * self.n_classes)
        scored = {"alone": self.parts.development, "by_training": real}
        found = judge(CLASSIFIERS[0], training, self.seed, scored)["recalls"]
        return {part: float(np.mean(values)) for part, values in found.items()} | {
            "telltale": self.auc(X, real.X.reshape(len(real.X), -1))
        }

    def auc(self, made: Array, real: Array) -> float:
        """Area under the curve of a forest that tells samples from real images, cross-validated."""
        X, is_made = np.concatenate([made, real]), np.repeat([1, 0], [len(made), len(real)])
        forest = RandomForestClassifier(class_weight="balanced", random_state=self.seed)
        folds = StratifiedKFold(3, shuffle=True, random_state=self.seed)
        given = cross_val_predict(forest, X, is_made, cv=folds, method="predict_proba")
        return float(roc_auc_score(is_made, given[:, 1]))

    def fill_with(self, source: Any) -> Training:
        """Put the training images together, by the plan and executor of the over-sampler."""
        resampling: Any = import_module("ganaug.resampling")
        augmentation: Any = import_module("ganaug.augmentation")
        train = self.parts.train
        plans = resampling.plan(
            train.y, self.totals, synthetic_share=0.0 if source is None else SHARE
        )
        added = resampling.carry_out(
            plans,
            train.X,
            train.y,
            sampler=source,
            augmentation=augmentation.make_augmentation(None),
            seed=self.seed,
        )
        X = np.concatenate([train.X, added.values])
        kinds = np.concatenate([np.full(len(train.y), "real"), added.kinds])
        y = np.concatenate([train.y, added.codes[: added.n_made]])
        return Training(X.reshape(len(X), -1), y, kinds[: len(y)])


class Matched:
    """A source's samples with the pixel statistics of the real images of their class."""

    def __init__(self, source: Source, places: Places) -> None:
        matching: Any = import_module("ganaug.matching")
        self.train = places.parts.train
        self.source, self.apply = source, matching.apply_lookup
        self.statistics = matching.PixelStatistics.fit(self.train.X)

    def sample_values(self, counts: Mapping[int, int]) -> tuple[Array, Labels]:
        """Make exactly as many samples of each class."""
        X, y = self.source.sample_values(counts)
        for code in counts:
            made, real = X[y == code], self.train.X[self.train.y == code]
            X[y == code] = self.apply(self.statistics.lookup(made, real), made)
        return X, y


def filtered_and_matched(candidates: Any, places: Places) -> Matched:
    """Do for both ways of training what ganaug does with its samples."""
    return Matched(Source(candidates, places.classifier, places.seed), places)


class Further:
    """Further real images as a source; from the first again where they run out."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def sample_values(self, counts: Mapping[int, int]) -> tuple[Array, Labels]:
        """Take as many of each class."""
        chosen = [np.resize(np.flatnonzero(self.images.y == c), n) for c, n in counts.items()]
        index = np.concatenate(chosen)
        return self.images.X[index], self.images.y[index]


# --- ganaug ------------------------------------------------------------------------------------


def ganaug_points(
    options: argparse.Namespace, places: Places, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Train a GAN per budget: its schedule knows the end."""
    train = places.parts.train
    points = []
    for budget in options.budgets:
        before = cpu_seconds()
        augmenter = GANAugmenter(
            max_images=budget,
            filter=None,  # the filter is the same for all
            random_state=places.seed,
            device="cpu",
            verbose=0,
            **parameters,
        ).fit(train.X, train.y)
        spent = cpu_seconds() - before
        points.append(places.point(candidates_of(augmenter), budget, spent))
    return {"points": points}


def grown_points(options: argparse.Namespace, places: Places) -> dict[str, Any]:
    """Do the same with one GAN, of whose training the first half is at half resolution."""
    with mock.patch("ganaug.fitting.train", train_grown):
        return ganaug_points(options, places, {"n_generators": 1})


def candidates_of(augmenter: GANAugmenter) -> Any:
    """Serve unfiltered samples, new ones in every call."""
    starts: dict[int, int] = {}

    def candidates(code: int, n: int, generator: torch.Generator) -> Array:  # noqa: ARG001
        start = starts.get(code, 0)
        starts[code] = start + n
        images: Array = augmenter.sample({code: n}, start=start)[0]
        return images

    return candidates


def textbook_points(
    options: argparse.Namespace, places: Places, step_size: float
) -> dict[str, Any]:
    """Train once, and stop at every budget to see what the samples are worth."""
    points, spent, seen = [], 0.0, 0
    with seeded(places.seed):
        training = train_textbook(places.parts.train, places.n_classes, options.width, step_size)
        for budget in sorted(options.budgets):
            before = cpu_seconds()
            while seen < budget:
                generator = next(training)
                seen += 64
            spent += cpu_seconds() - before
            points.append(places.point(partial(draw_textbook, generator), budget, spent))
    return {"points": points}


# --- table -------------------------------------------------------------------------------------


def curves_of(draws: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Give seconds, gain in points and exchange rate at each budget, by way of training."""
    base = [draw[AUGMENTED]["score"] for draw in draws]
    real = [100 * (draw[REAL]["score"] - b) for draw, b in zip(draws, base, strict=True)]
    curves: dict[str, list[dict[str, Any]]] = {}
    for way in (name for name in draws[0] if name not in (AUGMENTED, REAL)):
        curves[way] = []
        for position, first in enumerate(draws[0][way]["points"]):
            points = [draw[way]["points"][position] for draw in draws]
            gains = [100 * (p["score"] - b) for p, b in zip(points, base, strict=True)]
            rate = fieller_interval(gains, real)
            curves[way].append(
                {
                    "budget": first["budget"],
                    "cpu_seconds": float(np.mean([p["cpu_seconds"] for p in points])),
                    "gain": float(np.mean(gains)),
                    "gains": gains,
                    **{
                        measure: [round(100 * p[measure], 2) for p in points]
                        for measure in MEASURES
                    },
                    "rate": [rate.ratio, rate.low, rate.high],
                }
            )
    return curves


def real_gains(draws: list[dict[str, Any]]) -> list[float]:
    """Give what further real images gain in every draw, in points."""
    return [100 * (draw[REAL]["score"] - draw[AUGMENTED]["score"]) for draw in draws]


def describe(result: Result) -> str:
    """Give worth at every budget, and the seconds to an exchange rate of 0.3 and 0.5.

    Cells: points over augmented images, the accuracy of neighbours that see nothing else, seconds.
    """
    curves, lines = result["values"]["curves"], []
    for task, ways in curves.items():
        for way, points in ways.items():
            shown = [
                f"{show_gain(p)}, {np.mean(p['alone']):.1f} in {p['cpu_seconds']:.0f} s"
                for p in points
            ]
            of_real = float(np.mean(result["values"]["real"][task]))
            reached = [seconds_to(points, rate, of_real) for rate in (0.3, 0.5)]
            lines.append([TASKS[task].title, way, *shown, *reached])
    budgets = [p["budget"] for p in next(iter(next(iter(curves.values())).values()))]
    columns = ["task", "training", *(f"{budget:,} images" for budget in budgets)]
    table = markdown([*columns, "CPU s to a rate of 0.3", "to 0.5"], lines)
    gains = result["values"]["real"]
    real = [f"{TASKS[task].title} {np.mean(points):+.2f}" for task, points in gains.items()]
    return f"{table}\n\nFurther real images in the same places: {', '.join(real)} points."


def show_gain(point: Mapping[str, Any]) -> str:
    """Format points over augmented images with their interval over draws."""
    return show_interval(
        difference(*np.divide([point["gains"], 0 * np.array(point["gains"])], 100))
    )


def describe_stopping(result: Result) -> str:
    """Give what the training images tell at each budget, and what rules of stopping would do."""
    lines = []
    for task, ways in result["values"]["curves"].items():
        points, title = ways[GANAUG], TASKS[task].title
        for point in points:
            told = [f"{np.mean(point[measure]):.1f}" for measure in MEASURES]
            lines.append([title, f"{point['budget']:,}", show_gain(point), *told])
        for name, rule in STOPPING.items():
            stops = [rule(points, draw) for draw in range(len(points[0]["gains"]))]
            gain = np.mean([points[stop]["gains"][draw] for draw, stop in enumerate(stops)])
            mean = np.mean([points[stop]["budget"] for stop in stops])
            lines.append([title, f"{mean:,.0f}: {name}", f"{gain:+.2f}", "", "", ""])
    columns = ["task", "images seen", "worth, points", "alone, %", "on training images, %"]
    return markdown([*columns, "told apart, AUC in %"], lines)


def stop_by(measure: str, sign: int, least: float = 1.0) -> Callable[..., int]:
    """Make the rule to go on as long as the last step made a measure better by so much."""

    def rule(points: Sequence[Mapping[str, Any]], draw: int) -> int:
        values = [sign * point[measure][draw] for point in points]
        steps = [later - earlier for earlier, later in pairwise(values)]
        return next((i + 1 for i, step in enumerate(steps) if step < least), len(steps))

    return rule


STOPPING: dict[str, Callable[..., int]] = {
    "until accuracy on training images rises by less than a point": stop_by("by_training", 1),
    "until the AUC falls by less than a point": stop_by("telltale", -1),
    "in hindsight": lambda points, draw: int(np.argmax([p["gains"][draw] for p in points])),
}
"""(points of a way, draw) -> position of the budget at which training would end."""


def seconds_to(points: list[dict[str, Any]], rate: float, real_gain: float) -> str:
    """Interpolate the seconds after which an exchange rate is first reached.

    `real_gain`: points that further real images gain in the same places.
    """
    if real_gain <= 0:
        return "undefined"
    goal = rate * real_gain
    before = {"cpu_seconds": 0.0, "gain": 0.0}
    for point in points:
        if point["gain"] >= goal:
            rise = point["gain"] - before["gain"]
            part = (goal - before["gain"]) / rise if rise > 0 else 1.0
            seconds: float = before["cpu_seconds"]
            seconds += part * (point["cpu_seconds"] - seconds)
            return f"{seconds:.0f}"
        before = point
    return "not reached"
