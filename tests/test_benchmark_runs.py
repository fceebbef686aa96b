"""The benchmarks themselves, on tiny budgets: arms, counts, and parts that stay apart."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import __main__ as runner
from benchmarks import (
    cnn,
    demo,
    feature_tables,
    features,
    figures,
    ladder,
    pipelines,
    pitfalls,
    quality,
    replacing,
    resamplers,
    serving,
    throughput,
)
from benchmarks.data import TASKS, Images, Parts, augmented, draw_parts, first_of_each
from benchmarks.deepsmote import AutoEncoder, deepsmote, train_autoencoder
from benchmarks.results import Store, read
from benchmarks.vae import VAEOptions, fit_vae
from ganaug import GANAugmenter

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")
COUNTS = np.array(TASKS["digits"].counts)


class Tiny(GANAugmenter):
    """A GAN that has learnt next to nothing, and that nothing is done about."""

    def fit(self, X, y=None):
        self.set_params(max_images=256, width=4, filter=None)
        return super().fit(X, y)


@pytest.fixture
def tiny(monkeypatch):
    for module in (cnn, pitfalls, quality, replacing):
        monkeypatch.setattr(module, "GANAugmenter", Tiny)


def run(tmp_path, *arguments):
    out = tmp_path / "result.json"
    runner.main([*arguments, "--out", str(out), "--data-dir", str(tmp_path)])
    assert list(tmp_path.iterdir()) == [out]  # nothing is left of the work
    return read(out)


# --- cnn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["development", "test"])
def test_every_arm_of_the_cnn_is_scored(tmp_path, tiny, part, capsys):
    options = f"cnn --task digits --draws 2 --steps 3 --shares 0.25 --part {part}"
    found = run(tmp_path, *options.split())

    (scores,) = found["scores"].values()
    assert list(found["scores"]) == [part]
    assert found["n"][part] == (200 if part == "development" else 539)
    assert {"nothing", cnn.BASELINE, "synthetic, share 0.25", "further real, share 0.25"} < {
        *scores
    }
    for arm, values in scores.items():
        assert len(values) == 2
        assert np.mean(values) == pytest.approx(np.mean(found["recalls"][arm]), abs=1e-4)
    assert "| synthetic, share 0.25 | " in capsys.readouterr().out


def test_all_kinds_of_extras_fill_the_same_places_up_to_the_largest_class():
    parts = draw_parts("digits", "", 0)
    places = cnn.places(parts.train.y, 0.25)

    assert places == [0, 10, *[15] * 8]
    for extra in (augmented(parts.train, places, 0), first_of_each(parts.further, places)):
        assert np.bincount(extra.y, minlength=10).tolist() == places
        together = cnn.equalise(parts.train, extra, 0)
        assert np.bincount(together.y).tolist() == [60] * 10
        assert np.array_equal(together.X[: len(parts.train.y)], parts.train.X)


def test_distrusted_classes_get_no_synthetic_samples():
    class Stub:
        def __init__(self, trust):
            self.trust_ = trust

        def sample(self, counts):
            labels = np.repeat(list(counts), list(counts.values()))
            return np.zeros((len(labels), 1, 8, 8), dtype=np.uint8), labels

    train = Images(np.zeros((2, 1, 8, 8), dtype=np.uint8), np.array([0, 1]))
    assert cnn.synthetic(Stub({0: 0.9, 1: 0.2}), [3, 5], train).y.tolist() == [0, 0, 0]
    assert len(cnn.synthetic(Stub({0: 0.1, 1: 0.2}), [3, 5], train).y) == 0


def test_poisoned_development_images_reach_no_training(tmp_path, tiny, monkeypatch):
    fit_classifier, fit = cnn.fit_classifier, Tiny.fit
    seen: list[str] = []

    def watch(X, y):
        seen.append(hashlib.sha256(X.tobytes() + np.asarray(y).tobytes()).hexdigest())

    def fit_watched(X, y, *args, **kwargs):
        watch(X, y)
        return fit_classifier(X, y, *args, **kwargs)

    def fit_gan_watched(self, X, y=None):
        watch(X, y)
        return fit(self, X, y)

    def draw_poisoned(task, data_dir, seed):
        parts = draw_parts(task, data_dir, seed)
        noise = np.random.default_rng(0).integers(0, 256, parts.development.X.shape, np.uint8)
        return Parts(parts.train, Images(noise, parts.development.y), parts.further)

    monkeypatch.setattr(cnn, "fit_classifier", fit_watched)
    monkeypatch.setattr(Tiny, "fit", fit_gan_watched)
    options = ["cnn", "--task", "digits", "--draws", "1", "--steps", "3", "--shares", "0.25"]
    clean = run(tmp_path, *options)
    clean_seen = [*seen]
    seen.clear()
    monkeypatch.setattr(cnn, "draw_parts", draw_poisoned)
    poisoned = run(tmp_path, *options)

    assert len(seen) > 8
    assert seen == clean_seen
    assert poisoned["scores"] != clean["scores"]  # the poison did arrive


def test_the_test_set_is_not_read_unless_it_is_named(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(cnn, "load_test", lambda *args: pytest.fail("the test set was read"))
    run(tmp_path, *["cnn", "--task", "digits", "--draws", "1", "--steps", "2", "--shares", "0.25"])


# --- replacing ---------------------------------------------------------------------------------


def test_images_are_replaced_and_removed_for_every_share_and_classifier(
    tmp_path, tiny, monkeypatch, capsys
):
    monkeypatch.setattr(replacing, "SHARES", (0.5,))
    seen = []

    class Spy(Tiny):
        def fit_transform(self, X, y=None, **fit_params):
            mixed = super().fit_transform(X, y)
            seen.append((X, mixed))
            return mixed

    monkeypatch.setattr(replacing, "GANAugmenter", Spy)
    found = run(tmp_path, *["replacing", "--task", "digits", "--draws", "1"])

    ((X, mixed),) = seen
    assert (mixed != X).any(axis=1).sum() == 500  # half of 100 images of each class
    for scores in found["scores"].values():
        assert set(scores) == {"all real", "50% replaced", "50% removed"}
        assert scores["all real"][0] > 0.8
    assert "| 50% replaced | " in capsys.readouterr().out


# --- features ----------------------------------------------------------------------------------


def test_features_of_the_discriminator_are_scored_beside_raw_pixels(
    tmp_path, tmp_path_factory, monkeypatch, capsys
):
    monkeypatch.setitem(features.GANS, features.GANAUG, {"max_images": 512, "filter": None})
    where = ["--cache-dir", str(tmp_path_factory.mktemp("gans"))]
    found = run(tmp_path, *["features", "--draws", "1", "--tasks", "digits", *where])

    for scores in found["scores"].values():
        assert len(scores) == 6
        assert scores["discriminators"] != scores["raw pixels"]
        assert all(value > 0.5 for (value,) in scores.values())
    assert "| PCA, 40 components | " in capsys.readouterr().out


# --- feature tables ----------------------------------------------------------------------------


def test_tables_are_filled_alike_by_every_arm(tmp_path, monkeypatch, capsys):
    sizes = []
    judge = feature_tables.judge

    def spy(X, y, draw):
        sizes.append(np.bincount(y).tolist())
        assert (X[: len(draw.train.y)] == draw.train.X).all() or len(y) == len(draw.train.y)
        return judge(X, y, draw)

    monkeypatch.setattr(feature_tables, "judge", spy)
    vae = '{"n_steps": 20, "hidden": 8}'
    found = run(
        tmp_path,
        *["feature_tables", "--tasks", "iris", "--draws", "1"],
        *["--gan", '{"max_images": 128, "n_generators": 1}', "--vae", "VAE", vae],
    )

    assert sizes == [[25, 15, 8]] + [[25, 25, 25]] * 10
    scores = found["scores"]["iris, SVC, test"]
    assert list(scores) == list(feature_tables.ARMS)
    assert scores["further real"][0] > 0.8
    assert found["n"]["iris"]["test"] == 36
    assert "| VAE@0.5 | " in capsys.readouterr().out
    assert "| iris | " in feature_tables.describe_pairs(found)


def test_an_interrupted_run_of_tables_may_go_on_with_further_arms(tmp_path):
    options = SimpleNamespace(arms=["nothing", "VAE@0.5"], vae=[("VAE", '{"n_steps": 20}')], gan={})
    store = Store(tmp_path / "partial", {})
    first = feature_tables.run_draw(options, store, "iris", 0)["arms"]
    options.arms = ["nothing", "VAE@0.5", "VAE@1"]
    further = feature_tables.run_draw(options, store, "iris", 0)["arms"]
    assert list(further) == options.arms
    assert first.items() <= further.items()


def test_the_vae_learns_the_spread_of_a_class():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(m, s, (300, 1)) for m, s in ((0, 1), (10, 3))])
    X, y = np.hstack([X, np.ones_like(X)]), np.repeat([0, 1], 300)
    made, codes = fit_vae(X, y, VAEOptions(n_steps=400, hidden=32), 0).sample([500, 500], 0)
    again, _ = fit_vae(X, y, VAEOptions(n_steps=400, hidden=32), 0).sample([500, 500], 0)

    assert (made == again).all()
    assert np.bincount(codes).tolist() == [500, 500]
    for code, (mean, spread) in enumerate(((0, 1), (10, 3))):
        values = made[codes == code, 0]
        assert values.mean() == pytest.approx(mean, abs=1)
        assert 0.5 * spread < values.std() < 2 * spread


# --- the other ones ----------------------------------------------------------------------------


def test_pitfalls_are_scored_beside_untouched_images(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(pitfalls, "N_FOLDS", 2)
    found = run(tmp_path, "pitfalls", "--draws", "2")

    scores = found["scores"]
    assert [*scores["over-sampling"]] == [*pitfalls.WAYS, pitfalls.TRUTH]
    for mistake in scores.values():
        assert all(0.1 < value <= 1 for values in mistake.values() for value in values)
    frames = {way: np.mean(values) for way, values in scores["frames"].items()}
    together, apart = frames["frames of one object kept together"], max(frames.values())
    assert frames["frames of one object on both sides"] == apart > together
    filled, true = (scores["probabilities"][way] for way in ("after filling up", "true share"))
    assert np.all(np.subtract(filled, true) > 0.05)
    assert "| over-sampler in the pipeline | " in capsys.readouterr().out


def test_planted_collapses_are_shown_around_the_ladder(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ganaug.gan.ladder.LEAST_IMAGES", 0)
    found = run(tmp_path, *["ladder", "--draws", "1", "--max-images", "192", "--width", "4"])

    assert [*found["values"]] == [*ladder.PLANTS]
    for (draw,) in found["values"].values():
        assert {"alarms", "trust", "variety", "worth", "distrusted"} == {*draw["before"]}
        assert draw["rungs"] or draw["after"] == draw["before"]
    (copies,) = found["values"]["a class of 15 near-copies"]
    assert "near_copies" in copies["before"]["alarms"]
    assert "1 x near copies" in capsys.readouterr().out


def test_both_recipes_are_judged_beside_the_floor(tmp_path, tiny, capsys):
    grid = tmp_path.parent / f"{tmp_path.name}.png"
    found = run(tmp_path, *["quality", "--task", "digits", "--device", "cpu", "--grid", str(grid)])

    floor, *recipes = found["values"].values()
    assert [*found["values"]] == [quality.FLOOR, *quality.RECIPES]
    assert all(recipe["frechet"] > 5 * floor["frechet"] for recipe in recipes)
    assert {len(recipe["trust"]) for recipe in recipes} == {10}
    with Image.open(grid) as picture:
        assert picture.width == quality.GRID_SCALE * (18 * 8 + 6)
    assert " images each." in capsys.readouterr().out


def test_the_demo_is_told_of(tmp_path, monkeypatch, capsys):
    asked = []

    def run_demo(files, **options):
        asked.append((Path(files).is_dir(), options))
        return {
            "n": {"train": [118, 15], "test": 100},
            "scores": {
                "forest": {"nothing": [0.90, 0.92], "the choice": [0.95, 0.96]},
                "SVC": {"nothing": [0.94, 0.94], "the choice": [0.94, 0.97]},
            },
            "choices": {"forest": ["smote", "smote"], "SVC": ["nothing", "ganaug"]},
            "seconds": 100.0,
        }

    monkeypatch.setattr(demo, "run_demo", run_demo)
    found = run(tmp_path, "demo", "--draws", "2", "--max-images", "99")

    assert asked == [(True, {"n_draws": 2, "max_images": 99})]
    assert found["scores"]["forest"]["the choice"] == [0.95, 0.96]
    assert "seconds" not in found
    shown = capsys.readouterr().out
    assert "| digits 8x8, 118 to 15 images a class, 2 draws | forest | SVC | mean |" in shown
    assert "| the choice | 95.5 | 95.5 | 95.5 |" in shown
    assert "| what it chose | smote 2x | nothing 1x, ganaug 1x |  |" in shown


@pytest.mark.parametrize("n_workers", [0, 2])
def test_epochs_of_the_bare_and_the_wrapped_dataset_are_timed(n_workers):
    options = SimpleNamespace(items=600, draws=2, digits=True, device="cpu")
    for dataset in (serving.random_tensors(600), *serving.pil_dataset(options).values()):
        found = serving.compare_loading(dataset, n_workers, options)

        assert found["n_items"] == {"bare": 600, "wrapped": 900}
        assert all(t > 0 for each in found["microseconds_per_item"].values() for t in each.values())


def test_ganaugs_loop_and_the_textbooks_take_turns():
    options = SimpleNamespace(width=4, draws=1, steps=1, device="cpu")
    for recipe in ("default", "classic"):
        found = throughput.compare_training("28x28x1", recipe, options)

        assert found["ratio"]["min"] > 0
        assert found["images_per_second"].keys() == {"ganaug", "textbook"}


def test_sampling_is_timed_with_a_filter_that_rejects_nothing(monkeypatch):
    monkeypatch.setattr(throughput, "GANAugmenter", partial(throughput.GANAugmenter, width=4))
    monkeypatch.setattr(throughput, "BLOCK_SIZE", 1)
    options = SimpleNamespace(draws=1, device="cpu")
    cases = throughput.measure_sampling("28x28x1", options)

    assert [case["filtered"] for case in cases] == [False, True]
    assert all(case["min"] > 0 for case in cases)


# --- the auto-encoder --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(all_digits):
    """Four classes of 40, 30, 12 and 5 images."""
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((40, 30, 12, 5))])
    return Images((X[index] * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y[index].astype(np.int64))


def test_the_autoencoder_makes_the_samples_that_are_missing(digits):
    before = torch.random.get_rng_state()
    made, _ = deepsmote(digits, 40, 5, 0)

    assert np.bincount(made.y, minlength=4).tolist() == [0, 10, 28, 35]
    assert made.X.shape == (73, 1, 8, 8)
    assert made.X.dtype == np.uint8
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_autoencoder_learns_to_reconstruct(digits):
    losses = [train_autoencoder(digits, n, 0)[1]["reconstruction_mse"] for n in (2, 150)]

    assert losses[1] < 0.6 * losses[0]


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (13, 10)])
def test_the_autoencoder_gives_images_of_the_size_it_got(size):
    network = AutoEncoder((3, *size)).eval()

    assert network.decoder(network.encoder(torch.zeros(2, 3, *size))).shape == (2, 3, *size)


# --- pipelines ---------------------------------------------------------------------------------


class FakeOverSampler:
    """Fills with copies; with a GAN it calls the first half of them synthetic."""

    def __init__(self, augmenter=None, synthetic_share=None, **options):
        share = 0.5 if synthetic_share is None else synthetic_share
        self.share = share if augmenter is not None else 0.0
        self.totals = options["sampling_strategy"]

    def fit_resample(self, X, y):
        chosen, kinds = [], []
        for code, total in self.totals.items():
            members = np.flatnonzero(y == code)
            n = total - len(members)
            chosen.append(np.resize(members, n))
            n_synthetic = int(self.share * n)
            kinds += ["synthetic"] * n_synthetic + ["augmented"] * (n - n_synthetic)
        more = np.concatenate(chosen).astype(int)
        self.kinds_ = np.array(["real"] * len(y) + kinds)
        return np.concatenate([X, X[more]]), np.concatenate([y, y[more]])


@pytest.fixture
def fake_over_sampler(monkeypatch):
    monkeypatch.setattr(resamplers, "GANOverSampler", FakeOverSampler)
    monkeypatch.setattr(resamplers, "GANAugmenter", Tiny)


def draw_of(tmp_path, fill=None):
    parts = draw_parts("digits", "", 0)
    return resamplers.Draw("digits", 0, parts, fill, tmp_path / "gans")


@pytest.mark.parametrize("arm", [*resamplers.ARMS, "ganaug@0.25"])
@pytest.mark.parametrize("fill", [None, 30])
def test_every_arm_fills_the_classes_and_keeps_the_real_images(
    tmp_path, fake_over_sampler, arm, fill
):
    draw = draw_of(tmp_path, fill)

    training = resamplers.make(arm, draw)

    counts = np.bincount(training.y)
    if arm == resamplers.NOTHING:
        assert counts.tolist() == COUNTS.tolist()
    elif arm in ("ADASYN", "SMOTETomek"):  # about, and cleaned afterwards
        assert (abs(counts - np.maximum(COUNTS, fill or 60)) <= 6).all()
    else:
        assert counts.tolist() == np.maximum(COUNTS, fill or 60).tolist()
    assert len(training.kinds) == len(training.y) == len(training.X)
    if arm != "SMOTETomek":
        assert np.array_equal(training.X[: len(draw.y)], draw.X)


def test_the_ceiling_has_further_real_images_in_the_places_of_synthetic_ones(
    tmp_path, fake_over_sampler
):
    draw = draw_of(tmp_path)
    with_gan, ceiling = (resamplers.make(arm, draw) for arm in ("ganaug", resamplers.CEILING))
    places = with_gan.kinds == "synthetic"

    real = {image.tobytes() for image in draw.parts.further.X.reshape(-1, 64)}

    assert places.sum() > 50
    assert np.array_equal(ceiling.kinds == "further", places)
    assert {image.tobytes() for image in ceiling.X[places]} <= real
    assert np.array_equal(ceiling.X[~places], with_gan.X[~places])
    assert np.array_equal(ceiling.y, with_gan.y)


def test_where_further_images_run_out_augmented_ones_stay(tmp_path, fake_over_sampler):
    draw = draw_of(tmp_path)
    few = first_of_each(draw.parts.further, [3] * 10)
    draw.parts = Parts(draw.parts.train, draw.parts.development, few)

    ceiling = resamplers.make(resamplers.CEILING, draw)

    of_last = ceiling.kinds[ceiling.y == 9]
    assert (of_last == "further").sum() == 3
    assert np.isin(of_last, ["varied", "augmented"]).sum() == 47


def test_a_gan_is_trained_once_per_draw_and_parameters(tmp_path, fake_over_sampler, monkeypatch):
    trained = []
    fit = Tiny.fit
    monkeypatch.setattr(Tiny, "fit", lambda self, X, y: trained.append(1) or fit(self, X, y))
    draw = draw_of(tmp_path)
    for _ in range(2):
        resamplers.make("ganaug", draw)
        resamplers.make(resamplers.CEILING, draw)
    assert len(trained) == 1
    assert draw.gan_cpu_seconds("ganaug") > 0

    draw.gans = {"ganaug": {"gan_options": {"latent_dim": 8}}}
    resamplers.make("ganaug", draw)
    assert len(trained) == 2


COMMAND = "pipelines --tasks digits --draws 2 --classifiers forest SVC --arms"
PIPELINES = COMMAND.split()
SOME = ["nothing", "SMOTE", "duplicates", "mixed, no GAN", "ganaug", "further real images"]


def test_pipelines_are_scored_and_told_of(tmp_path, fake_over_sampler, monkeypatch, capsys):
    cache = tmp_path.parent / f"{tmp_path.name}-gans"
    found = run(tmp_path, *PIPELINES, *SOME, "--part", "test", "--cache-dir", str(cache))

    assert [*found["scores"]] == [
        f"digits, {name}, {part}" for name in ("forest", "SVC") for part in ("development", "test")
    ]
    for table, arms in found["scores"].items():
        assert [*arms] == SOME, table
        assert all(0.3 < value <= 1 for values in arms.values() for value in values)
    about = found["tasks"]["digits"]
    assert about["bootstrap"][1] <= about["bootstrap"][0] <= about["bootstrap"][2]
    assert len(about["gan_cpu_seconds"]["ganaug"]) == 2
    text = capsys.readouterr().out
    assert "| scikit-learn's digits | forest | " in text
    assert "over test images too" in text
    headline = pipelines.describe_headline(found)
    assert headline.count("\n") == 2
    assert "| mixed, no GAN | " in pipelines.describe_development(found)
    assert "| scikit-learn's digits | ganaug | " in pipelines.describe_arms(found)
    assert figures.draw_gains(found).axes[0].get_title() == "scikit-learn's digits"


def test_the_best_other_sampler_is_chosen_on_the_development_part():
    part = {"SMOTE": [0.9, 0.9], "duplicates": [0.8, 0.8], "ADASYN": [None, 0.99]}
    test = {"SMOTE": [0.5, 0.6], "duplicates": [0.9, 0.9], "ADASYN": [None, 0.99]}
    result = {
        "settings": {"part": "test", "classifiers": ["SVC"]},
        "scores": {"digits, SVC, development": part, "digits, SVC, test": test},
    }

    scores = pipelines.with_best_other(result, "digits", "SVC")

    assert scores[pipelines.BEST_OTHER] == [0.5, 0.6]
    assert "ADASYN" not in scores


def test_an_interrupted_run_of_pipelines_trains_no_arm_twice(
    tmp_path, fake_over_sampler, monkeypatch
):
    make, made = resamplers.make, []

    def watched(arm, draw):
        made.append((draw.seed, arm))
        if len(made) == 3:
            raise KeyboardInterrupt
        return make(arm, draw)

    monkeypatch.setattr(resamplers, "make", watched)
    command = [*PIPELINES, "nothing", "SMOTE", "--out", str(tmp_path / "r.json")]
    with pytest.raises(KeyboardInterrupt):
        runner.main(command)
    made.append("interrupted")
    runner.main(command)

    assert made[4:] == [(1, "nothing"), (1, "SMOTE")]


def test_an_arm_that_cannot_be_made_is_told_of(tmp_path, fake_over_sampler, monkeypatch):
    make = resamplers.make

    def broken(arm, draw):
        if arm == "SMOTE":
            raise ValueError("no | neighbours")
        return make(arm, draw)

    monkeypatch.setattr(resamplers, "make", broken)
    found = run(tmp_path, *PIPELINES, "nothing", "SMOTE", "augmented, matched")

    assert found["tasks"]["digits"]["failed"] == {"SMOTE": "ValueError: no | neighbours"}
    assert "| SMOTE | failed | " in pipelines.describe_arms(found)


def test_unknown_arms_are_refused():
    with pytest.raises(SystemExit, match=r"Arms must be among .*SMOTE.*\['SMOT'\]"):
        runner.main([*PIPELINES, "SMOT"])


def test_an_svc_is_left_out_where_there_are_too_many_images(tmp_path, fake_over_sampler):
    arms = ["nothing", "duplicates", "--svc-limit", "300"]
    found = run(tmp_path, *PIPELINES, *arms)

    svc = found["scores"]["digits, SVC, development"]
    assert None not in svc["nothing"]
    assert svc["duplicates"] == [None, None]
