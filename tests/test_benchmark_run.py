"""The downstream benchmark as a whole, on tiny budgets: arms, counts, resuming, failures, parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import downstream, run
from benchmarks.arms import ARMS, NEED_THE_GAN, equal_size, make_synthetic, take_further
from benchmarks.classifiers import Recipe
from benchmarks.data import Parts, Rows, content_hashes, distinct, split_parts, without
from benchmarks.run import Settings, run_benchmark
from benchmarks.tasks import TASKS, load_test_rows, load_training_rows
from ganaug import GANAugmenter

NOWHERE = Path("no-data-is-read")
N_STEPS = 4
TINY = f"--task digits --scale tiny --device cpu --steps {N_STEPS}".split()
SOME_ARMS = ("ros-classic", "deepsmote", "ganaug-ros-classic", "placebo-augmented", "ceiling")


def settings_in(folder, **changes):
    options = {
        "task": "digits",
        "scale": "tiny",
        "n_steps": N_STEPS,
        "parts": ("dev", "test"),
        "data_dir": NOWHERE,
        "store": folder / "results.partial",
    }
    return Settings(**options | changes)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Two seeds of all arms, through the command line."""
    out = tmp_path_factory.mktemp("everything") / "results.json"
    run.main([*TINY, "--seeds", "2", "--part", "test", "dev", "--out", str(out)])
    return json.loads(out.read_text(encoding="utf-8")), out


@pytest.fixture(scope="module")
def some_arms(tmp_path_factory):
    """One seed of arms that between them use every kind of rows, with the store kept."""
    settings = settings_in(tmp_path_factory.mktemp("some"))
    return run_benchmark(settings, SOME_ARMS, [0]), settings


def weights_of(settings, arms=SOME_ARMS):
    """Digests of the trained classifiers."""
    return {arm: run.read_json(run.record_file(settings, 0, arm))["weights_sha256"] for arm in arms}


# --- the whole ---------------------------------------------------------------------------------


def test_every_arm_is_scored_on_both_parts_in_every_seed(everything):
    results, out = everything
    assert list(results["arms"]) == list(ARMS)
    assert results["parts"] == ["dev", "test"]
    for arm in results["arms"].values():
        assert arm["failed"] == {}
        assert arm["seeds"] == [0, 1]
        for part in ("dev", "test"):
            recalls = np.array(arm[part]["scores"]["recall"])
            assert recalls.shape == (2, 10)
            assert arm[part]["scores"]["acsa"] == pytest.approx(recalls.mean(axis=1), abs=1e-5)
            difference = arm[part]["difference_to_baseline"]["acsa"]
            assert difference["low"] <= difference["mean"] <= difference["high"]
            assert difference["n"] == 2
    assert list(out.parent.iterdir()) == [out]  # nothing is left of the work


def test_the_results_say_what_they_were_made_with(everything):
    results, _ = everything
    assert results["machine"]["processor"]
    assert results["versions"]["torch"]
    assert results["n_seeds"] == 2
    assert results["n_rows"]["dev"] == [20] * 10
    assert results["n_rows"]["train"] == list(TASKS["digits"].counts)
    assert str(Path.cwd()) not in json.dumps(results)


def test_synthetic_rows_and_what_stands_in_for_them_are_as_many(everything):
    results, _ = everything
    for seed in ("0", "1"):
        n_synthetic = results["gans"][seed]["n_synthetic"]
        assert sum(n_synthetic) > 0
        rows = {name: results["arms"][name]["rows"][seed] for name in NEED_THE_GAN}
        alone = rows.pop("cas")
        assert alone["extra"] == list(TASKS["digits"].counts)
        assert alone["real"] == alone["duplicates"] == [0] * 10
        for name, composition in rows.items():
            expected = [0] * 10 if name == "placebo-duplicates" else n_synthetic
            assert composition["extra"] == expected, name
            assert composition["real"] == list(TASKS["digits"].counts)
        for name in ("ganaug-ros-classic", "placebo-duplicates", "placebo-augmented", "ceiling"):
            totals = np.sum(list(rows[name].values()), axis=0)
            assert totals.tolist() == [60] * 10, name


def test_no_more_of_an_equalised_class_is_synthetic_than_the_default_allows(everything):
    results, _ = everything
    composition = results["arms"]["ganaug-ros-classic"]["rows"]["0"]
    assert max(composition["extra"]) / 60 <= GANAugmenter().max_share


def test_arms_without_a_gan_have_the_rows_that_their_names_say(everything):
    results, _ = everything
    counts = np.array(TASKS["digits"].counts)
    missing = (60 - counts).tolist()
    rows = {name: results["arms"][name]["rows"]["0"] for name in results["arms"]}
    for name in ("none", "class-weights", "classic", "mixup", "mixup-drw"):
        assert rows[name]["extra"] == rows[name]["duplicates"] == [0] * 10
    for name in ("ros", "ros-classic"):
        assert rows[name]["duplicates"] == missing
    for name in ("smote", "deepsmote"):
        assert rows[name]["extra"] == missing
        assert rows[name]["duplicates"] == [0] * 10


def test_the_tables_of_a_result_can_be_made(everything):
    results, _ = everything
    short, full = downstream.short_table(results), downstream.full_tables(results)
    assert "| ROS + classic | " in short
    assert "| baseline |" in short
    assert "scale tiny, 2 seeds, n = 539 test rows" in short
    for arm in ARMS.values():
        assert f"| {arm.title} | " in full
    assert "Exchange rate: " in full


# --- resuming ----------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_without_training_anything_twice(some_arms, monkeypatch):
    first, settings = some_arms
    run.record_file(settings, 0, "ceiling").unlink()
    trained = []
    train_arm = run.train_arm

    def watched(settings, seed, name, train):
        trained.append(name)
        return train_arm(settings, seed, name, train)

    monkeypatch.setattr(run, "train_arm", watched)
    monkeypatch.setattr(run, "fit_gan", lambda *args: pytest.fail("the GAN was trained again"))
    resumed = run_benchmark(settings, SOME_ARMS, [0])
    assert trained == ["ceiling"]
    scores = [r["arms"]["ceiling"]["test"]["scores"] for r in (first, resumed)]
    assert scores[0] == scores[1]


def test_a_run_of_other_settings_is_not_resumed(some_arms):
    _, settings = some_arms
    with pytest.raises(SystemExit, match=r"classifier_steps: 4 there, 5 now.*another --out"):
        run_benchmark(settings_in(settings.store.parent, n_steps=5), SOME_ARMS, [0])
    with pytest.raises(SystemExit, match=r"parts: \['dev', 'test'\] there, \['dev'\] now"):
        run_benchmark(settings_in(settings.store.parent, parts=("dev",)), SOME_ARMS, [0])


def test_further_seeds_and_arms_can_be_added(some_arms, monkeypatch):
    _, settings = some_arms
    done = []
    run_arm = run.run_arm

    def watched(settings, seed, name):
        done.append((seed, name))
        return run_arm(settings, seed, name)

    monkeypatch.setattr(run, "run_arm", watched)
    results = run_benchmark(settings, ["ros-classic", "none"], [0, 1])
    assert sorted(done) == [(0, "none"), (1, "none"), (1, "ros-classic")]
    assert results["arms"]["none"]["seeds"] == [0, 1]


# --- failures ----------------------------------------------------------------------------------


def test_a_failed_arm_is_reported_with_its_reason_and_tried_again(tmp_path, monkeypatch, capsys):
    make_extra = run.make_extra

    def broken(*args):
        raise MemoryError("no room | for neighbours")

    monkeypatch.setattr(run, "make_extra", broken)
    out = tmp_path / "results.json"
    arms = ["none", "ros-classic", "smote"]
    command = [*TINY, "--seeds", "1", "--out", str(out), "--arms", *arms]
    run.main(command)
    results = json.loads(out.read_text(encoding="utf-8"))
    assert results["arms"]["smote"]["failed"] == {"0": "MemoryError: no room | for neighbours"}
    assert results["arms"]["none"]["failed"] == {}
    table = downstream.full_tables(results)
    assert "| SMOTE on pixels (0 of 1 seeds) | failed |" in table
    assert "SMOTE on pixels, seed 0, failed: MemoryError: no room / for neighbours" in table
    assert "the same command tries them again" in capsys.readouterr().out

    monkeypatch.setattr(run, "make_extra", make_extra)
    run.main(command)
    results = json.loads(out.read_text(encoding="utf-8"))
    assert results["arms"]["smote"]["failed"] == {}
    assert list(tmp_path.iterdir()) == [out]


def test_without_a_gan_the_arms_that_need_it_fail_and_the_others_do_not(tmp_path, monkeypatch):
    def broken(self, X, y):
        raise RuntimeError("collapsed")

    monkeypatch.setattr(GANAugmenter, "fit", broken)
    settings = settings_in(tmp_path, parts=("dev",))
    results = run_benchmark(settings, ["ros-classic", "ganaug", "ceiling"], [0])
    assert results["arms"]["ros-classic"]["failed"] == {}
    for name in ("ganaug", "ceiling"):
        assert "collapsed" in results["arms"][name]["failed"][0]
    assert "seed 0: failed (RuntimeError: collapsed)" in downstream.full_tables(results)


# --- the parts stay apart ----------------------------------------------------------------------


def test_parts_of_a_draw_share_no_image():
    rows = load_training_rows("digits", NOWHERE)
    parts = split_parts(rows, TASKS["digits"].counts, 20, seed=3)
    test = load_test_rows("digits", NOWHERE)
    images = [content_hashes(part.X) for part in (parts.train, parts.development, parts.further)]
    images.append(content_hashes(test.X))
    together = [image for part in images for image in part]
    assert len(set(together)) == len(together)
    assert sum(map(len, images[:3])) == len(rows.y)


def test_equal_images_do_not_come_into_two_parts():
    X = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    rows = Rows(X[[0, 1, 1, 2, 0]], np.array([0, 1, 0, 1, 0]))
    kept = distinct(rows)
    assert sorted(zip(kept.X.ravel(), kept.y, strict=True)) == [(0, 0), (1, 0), (2, 1)]
    left = without(Rows(X, np.zeros(6, dtype=np.int64)), kept)
    assert left.X.ravel().tolist() == [3, 4, 5]


def test_the_order_of_the_rows_does_not_change_the_draw():
    rows = load_training_rows("digits", NOWHERE)
    order = np.random.default_rng(0).permutation(len(rows.y))
    shuffled = distinct(Rows(rows.X[order], rows.y[order]))
    assert np.array_equal(shuffled.X, rows.X)
    assert np.array_equal(shuffled.y, rows.y)


def test_poisoned_test_and_development_rows_change_no_trained_model(
    some_arms, tmp_path, monkeypatch
):
    clean, clean_settings = some_arms

    def poisoned(rows):
        rng = np.random.default_rng(0)
        garbage = rng.integers(0, 256, rows.X.shape, dtype=np.uint8)
        return Rows(garbage, rng.permutation(rows.y))

    draw_parts, read_test_part = run.draw_parts, run.read_test_part

    def draw_poisoned(settings, seed):
        parts = draw_parts(settings, seed)
        return Parts(parts.train, poisoned(parts.development), parts.further)

    monkeypatch.setattr(run, "draw_parts", draw_poisoned)
    monkeypatch.setattr(run, "read_test_part", lambda s: poisoned(read_test_part(s)))
    settings = settings_in(tmp_path)
    results = run_benchmark(settings, SOME_ARMS, [0])
    assert weights_of(settings) == weights_of(clean_settings)
    for source in ("synthetic", "augmented", "further"):
        now, before = (
            run.read_rows(run.rows_file(s, 0, source)) for s in (settings, clean_settings)
        )
        assert np.array_equal(now.X, before.X)
    for part in ("dev", "test"):  # the poison did arrive
        scores = [r["arms"]["ros-classic"][part]["scores"]["acsa"] for r in (results, clean)]
        assert scores[0] != scores[1]


def test_poisoned_training_rows_do_change_the_models(some_arms, tmp_path, monkeypatch):
    _, clean_settings = some_arms
    draw_parts = run.draw_parts

    def draw_poisoned(settings, seed):
        parts = draw_parts(settings, seed)
        return Parts(Rows(255 - parts.train.X, parts.train.y), parts.development, parts.further)

    monkeypatch.setattr(run, "draw_parts", draw_poisoned)
    settings = settings_in(tmp_path)
    run_benchmark(settings, ["ros-classic"], [0])
    assert weights_of(settings, ["ros-classic"]) != weights_of(clean_settings, ["ros-classic"])


def test_the_test_set_is_not_read_unless_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "load_test_rows", lambda *args: pytest.fail("the test set was read"))
    settings = settings_in(tmp_path, parts=("dev",))
    results = run_benchmark(settings, ["none"], [0])
    assert "test" not in results["arms"]["none"]


# --- rows --------------------------------------------------------------------------------------


def test_the_ceiling_takes_what_there_is_of_a_class():
    further = Rows(np.arange(5)[:, None, None, None], np.array([0, 0, 0, 1, 1]))
    taken = take_further(further, run.Plan([2, 4], 9))
    assert np.bincount(taken.y).tolist() == [2, 2]


def test_an_exchange_rate_of_no_rows_is_undefined():
    arms = ("ganaug-ros-classic", "ceiling", "placebo-duplicates")
    record = {"status": "ok", "rows": {"extra": [0, 0]}, "scores": {"dev": {"acsa": 0.5}}}
    records = {arm: {0: record, 1: record} for arm in arms}

    assert "distrusted" in run.exchange_rate(records, "dev")["undefined"]


def test_balanced_classes_grow_by_a_quarter_of_what_they_become():
    y = np.repeat(np.arange(3), 30)
    assert equal_size(y, 0.25) == 40
    assert equal_size(np.r_[y, 0], 0.25) == 31


def test_balanced_classes_that_the_classifier_disputes_get_nothing():
    class Stub:
        def __init__(self):
            self.max_share, self.min_trust = 0.25, 0.8
            self.trust_ = {0: 0.9, 1: 0.2, 2: 0.8}

        def sample(self, counts):
            labels = np.repeat(list(counts), list(counts.values()))
            return np.zeros((len(labels), 8, 8), dtype=np.uint8), labels

    y = np.repeat(np.arange(3), 30)
    rows, plan = make_synthetic(Stub(), Rows(np.zeros((90, 1, 8, 8), dtype=np.uint8), y))
    assert plan == ([10, 0, 10], 40)
    assert rows.X.shape == (20, 1, 8, 8)


def test_the_arms_of_mixup_are_those_that_defer_weights():
    assert ARMS["mixup-drw"].recipe == Recipe(True, True, "deferred")
    assert ARMS["ganaug-mixup-drw"].recipe == ARMS["mixup-drw"].recipe


# --- the number of steps -----------------------------------------------------------------------


def test_the_steps_are_chosen_by_the_baseline_on_the_development_part(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "load_test_rows", lambda *args: pytest.fail("the test set was read"))
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    run.main([*TINY, "--seeds", "1", "--choose-steps", "1", "12"])
    search = json.loads((tmp_path / "steps-digits-tiny.json").read_text(encoding="utf-8"))
    assert search["arm"] == "ros-classic"
    assert search["part"] == "dev"
    means = {row["steps"]: row["mean"] for row in search["search"]}
    assert search["chosen"] == max(means, key=means.get)
    assert run.read_steps("digits", "tiny") == search["chosen"]
    assert len(list(tmp_path.iterdir())) == 1
    table = downstream.steps_table([search], lambda task: task)
    assert table.count("chosen") == 1


def test_without_chosen_steps_a_run_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    with pytest.raises(SystemExit, match="run with --choose-steps first, or give --steps"):
        run.read_steps("digits", "full")


def test_results_need_a_file_to_go_to(capsys):
    with pytest.raises(SystemExit):
        run.parse(["--task", "digits"])
    assert "--out must name the file" in capsys.readouterr().err
