"""Parts of the downstream benchmark: scores, Fieller's interval, classifiers, other samplers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from benchmarks import table
from benchmarks.baselines import AutoEncoder, deepsmote, smote, train_autoencoder
from benchmarks.classifiers import (
    DEFERRED_FROM,
    ClassicAugmentation,
    Recipe,
    Schedule,
    class_weights,
    digest,
    frozen_augmentation,
    one_cycle,
    predict,
    random_crop,
    seeded,
    train_classifier,
)
from benchmarks.data import Rows
from benchmarks.scores import fieller_interval, score


@pytest.fixture(scope="module")
def digits(all_digits):
    """Four classes of 40, 30, 12 and 5 images."""
    X, y = all_digits
    index = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate((40, 30, 12, 5))])
    return Rows((X[index] * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y[index].astype(np.int64))


def schedule(**changes):
    return Schedule(
        **{"network": "small CNN", "n_steps": 5, "flips": False, "shift": 1, "n_classes": 4}
        | changes
    )


# --- scores ------------------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn_and_of_their_definitions():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    guess = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 3, 200))
    found = score(truth, guess, 3)
    recall = recall_score(truth, guess, average=None)
    specificity = [recall_score(truth != c, guess != c) for c in range(3)]
    assert found["acsa"] == pytest.approx(balanced_accuracy_score(truth, guess), abs=1e-6)
    assert found["recall"] == pytest.approx(recall.tolist(), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro"), abs=1e-6)
    assert found["gmean_of_recalls"] == pytest.approx(recall.prod() ** (1 / 3), abs=1e-6)
    assert found["mean_gmean"] == pytest.approx(np.sqrt(recall * specificity).mean(), abs=1e-6)


def test_a_class_that_is_never_found_makes_the_geometric_mean_nothing():
    assert score(np.array([0, 1]), np.array([0, 0]), 2)["gmean_of_recalls"] == 0


def test_fieller_interval_ends_where_the_t_test_just_rejects():
    rng = np.random.default_rng(1)
    a, b = rng.normal(1.0, 0.3, 8), rng.normal(4.0, 0.5, 8)
    found = fieller_interval(a, b)
    assert found.low < found.ratio < found.high
    assert found.ratio == pytest.approx(a.mean() / b.mean())
    for end in (found.low, found.high):
        assert stats.ttest_1samp(a - end * b, 0).pvalue == pytest.approx(0.05, abs=1e-9)


def test_with_a_constant_denominator_fieller_gives_the_t_interval():
    a = [1.0, 2.0, 3.0, 2.5]
    low, high = stats.t.interval(0.95, 3, np.mean(a), stats.sem(a))
    found = fieller_interval(a, [2.0] * 4)
    assert (found.low, found.high) == pytest.approx((low / 2, high / 2))


def test_fieller_agrees_with_the_bootstrap_where_there_is_much_data():
    rng = np.random.default_rng(2)
    a, b = rng.normal(1.0, 1.0, 400), rng.normal(3.0, 1.0, 400)
    index = rng.integers(0, 400, (4000, 400))
    low, high = np.quantile(a[index].mean(1) / b[index].mean(1), [0.025, 0.975])
    found = fieller_interval(a, b)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize("real", [[0.1, -0.1, 0.2, -0.1], [1.0, -3.0, 2.0, 4.0]])
def test_the_rate_is_undefined_where_the_real_gain_may_be_nothing(real):
    found = fieller_interval([1.0, 1.1, 0.9, 1.0], real)
    assert not found.is_defined
    assert math.isnan(found.low)


def test_the_rate_needs_two_pairs():
    assert not fieller_interval([1.0], [2.0]).is_defined
    with pytest.raises(ValueError, match="must be pairs. Got 1 and 2"):
        fieller_interval([1.0], [1.0, 2.0])


# --- weights and schedule ----------------------------------------------------------------------


def test_weights_fall_with_the_number_of_rows_and_their_mean_is_one():
    counts = np.array([4000, 400, 40])
    balanced, deferred = (class_weights(counts, kind) for kind in ("balanced", "deferred"))
    for weights in (balanced, deferred):
        assert weights.mean() == pytest.approx(1)
        assert weights[0] < weights[1] < weights[2]
    assert balanced[2] / balanced[0] == pytest.approx(100)
    assert 1 < deferred[2] / deferred[0] < 100
    assert class_weights(counts, None).tolist() == [1, 1, 1]


def test_deferred_weights_come_late_and_balanced_ones_at_once(digits):
    def trained(weights, n_steps):
        recipe = Recipe(mixup=True, weights=weights)
        plan = schedule(n_steps=n_steps)
        return digest(train_classifier(digits, np.arange(len(digits.y)), recipe, plan, seed=0))

    # one step is before any deferral
    assert trained("deferred", 1) == trained(None, 1)
    assert trained("balanced", 1) != trained(None, 1)
    late = math.ceil(1 / (1 - DEFERRED_FROM)) + 1
    assert trained("deferred", late) != trained(None, late)


def test_the_learning_rate_rises_and_falls():
    rates = [one_cycle(step / 100) for step in range(101)]
    assert max(rates) == rates[20] == 1
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(0)


# --- classifiers -------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["small CNN", "ResNet-20"])
def test_a_classifier_learns(digits, network):
    plan = schedule(network=network, n_steps=25)
    classifier = train_classifier(digits, np.arange(len(digits.y)), Recipe(), plan, seed=0)
    assert (predict(classifier, digits.X) == digits.y).mean() > 0.8


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(True), Recipe(True, True, "deferred")])
def test_same_seed_same_model_and_torchs_state_is_untouched(digits, recipe):
    before = torch.random.get_rng_state()
    index = np.arange(len(digits.y))
    first, again, other = (
        digest(train_classifier(digits, index, recipe, schedule(), seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), before)


def test_mixup_trains_another_model(digits):
    index = np.arange(len(digits.y))
    plain, mixed = (
        digest(train_classifier(digits, index, recipe, schedule(), 0))
        for recipe in (Recipe(), Recipe(mixup=True))
    )
    assert plain != mixed


def test_classic_augmentation_moves_and_mirrors_where_valid():
    image = torch.zeros((400, 1, 8, 8), dtype=torch.uint8)
    image[:, :, 3:5, 1] = 200
    with seeded(0):
        shifted = random_crop(image, 1)
        kept, mirrored = (ClassicAugmentation(flips, 1)(image) for flips in (False, True))
    assert shifted.shape == image.shape
    columns = shifted.float().mean(dim=(0, 1, 2)).nonzero().ravel().tolist()
    assert columns == [0, 1, 2]  # a pixel to either side
    assert kept.dtype == mirrored.dtype == torch.uint8
    left, right = mirrored[..., :4].float().mean(), mirrored[..., 4:].float().mean()
    assert right > 0.5 * left
    assert kept[..., 5:].float().mean() < 0.3 * kept[..., :3].float().mean()


def test_frozen_augmentation_is_the_same_every_time(digits):
    first, again = (frozen_augmentation(digits.X, False, 1, 3) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.uint8
    assert not np.array_equal(first, digits.X)


# --- other samplers ----------------------------------------------------------------------------


def test_smote_and_the_autoencoder_make_the_rows_that_are_missing(digits):
    made = {"smote": smote(digits, 40, 0), "deepsmote": deepsmote(digits, 40, 5, 0)[0]}
    for name, rows in made.items():
        assert np.bincount(rows.y, minlength=4).tolist() == [0, 10, 28, 35], name
        assert rows.X.shape == (73, 1, 8, 8)
        assert rows.X.dtype == np.uint8


def test_smote_stays_between_rows_of_the_class(digits):
    rows = smote(digits, 40, 0)
    real = digits.X[digits.y == 3].reshape(5, -1)
    new = rows.X[rows.y == 3].reshape(35, -1)
    assert (new >= real.min(0)).all()
    assert (new <= real.max(0)).all()


def test_the_autoencoder_learns_to_reconstruct(digits):
    losses = [train_autoencoder(digits, n, 0)[1]["reconstruction_mse"] for n in (2, 150)]
    assert losses[1] < 0.6 * losses[0]


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (13, 10)])
def test_the_autoencoder_gives_images_of_the_size_it_got(size):
    with seeded(0):
        network = AutoEncoder((3, *size)).eval()
        assert network.decoder(network.encoder(torch.zeros(2, 3, *size))).shape == (2, 3, *size)


# --- tables ------------------------------------------------------------------------------------


def test_a_table_without_results_leaves_the_page_as_it_is():
    page = "<!-- table: downstream -->\nnot run\n<!-- end table -->\n"
    assert table.fill(page, {"downstream": None}) == page
    assert table.fill("no markers", {"downstream": None}) == "no markers"
    filled = table.fill(page, {"downstream": r"| \d |"})
    assert filled == "<!-- table: downstream -->\n| \\d |\n<!-- end table -->\n"
    with pytest.raises(
        ValueError, match=r"docs/results.md must have the markers of table 'x' once"
    ):
        table.fill(page, {"x": "| |"}, "docs/results.md")


def test_pages_are_written_and_checked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table, "ROOT", tmp_path)
    monkeypatch.setattr(
        table, "PAGES", {"a.md": {"one": lambda: "1"}, "b.md": {"two": lambda: "2"}}
    )
    for page, name in (("a.md", "one"), ("b.md", "two")):
        (tmp_path / page).write_text(f"<!-- table: {name} -->\n<!-- end table -->\n")
    with pytest.raises(
        SystemExit, match=r"a.md, b.md: not what `python -m benchmarks.table` writes"
    ):
        table.main(["--check"])
    table.main([])
    table.main(["--check"])
    assert (tmp_path / "b.md").read_text() == "<!-- table: two -->\n2\n<!-- end table -->\n"


def test_what_the_results_page_shows_is_in_the_results():
    page = "docs/results.md"
    text = (table.ROOT / page).read_text(encoding="utf-8")
    assert (
        table.fill(text, {name: make() for name, make in table.PAGES[page].items()}, page) == text
    )
