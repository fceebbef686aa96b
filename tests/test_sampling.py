"""ganaug/gan/sampling.py, and the filters of ganaug/model.py"""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganaug import GANAugmenter
from ganaug.exceptions import SamplingError, TrainingWarning
from ganaug.gan import sampling
from ganaug.gan.config import GANConfig
from ganaug.gan.networks import build_discriminator, build_generator
from ganaug.gan.sampling import BLOCK_SIZE, Sampler
from ganaug.gan.training import TrainedGAN
from ganaug.seeds import derived_seed, stream

COUNTS = (30, 20, 10)


def untrained(class_counts=COUNTS, seed=0, **shape):
    """Networks as they are before the first step: sampling does not mind."""
    shape = shape or {"image_shape": (1, 8, 8)}
    config = GANConfig(class_counts=class_counts, width=4, latent_dim=4, **shape)
    random = torch.Generator().manual_seed(seed)
    networks = build_generator(config, random), build_discriminator(config, random)
    return TrainedGAN(config, *(network.state_dict() for network in networks))


@pytest.fixture(scope="module")
def joint():
    return [untrained()]


@pytest.fixture(scope="module")
def per_class():
    return [untrained((n,), seed) for seed, n in enumerate(COUNTS)]


def bright(rows, code):
    """A filter that passes about half of the rows."""
    return rows.float().mean(dim=(1, 2, 3)) > 127


MODELS_AND_FILTER = pytest.mark.parametrize(
    ("models", "accepts"),
    [("joint", None), ("joint", bright), ("per_class", None)],
    ids=["joint", "filtered", "per class"],
)


@settings(max_examples=10)
@given(counts=st.dictionaries(st.integers(0, 2), st.integers(0, 300), max_size=3))
def test_counts_are_exact_and_classes_in_the_order_asked_for(counts):
    sampler = Sampler([untrained()])

    rows = sampler.sample(counts, seed=0)

    assert rows.shape == (sum(counts.values()), 1, 8, 8)
    assert rows.dtype == torch.uint8
    parts = rows.split(list(counts.values())) if counts else ()
    for part, (code, n) in zip(parts, counts.items(), strict=True):
        assert torch.equal(part, sampler.sample({code: n}, seed=0))


@MODELS_AND_FILTER
def test_a_classs_bytes_depend_on_nothing_else_that_is_asked_for(models, accepts, request):
    sampler = Sampler(request.getfixturevalue(models), accepts=accepts)
    alone = sampler.sample({1: 70}, seed=5)

    assert torch.equal(sampler.sample({1: 200}, seed=5)[:70], alone)
    assert torch.equal(sampler.sample({0: 3, 1: 70, 2: 9}, seed=5)[3:73], alone)
    assert torch.equal(sampler.sample({2: 9, 1: 70, 0: 3}, seed=5)[9:79], alone)
    fresh = Sampler(request.getfixturevalue(models), accepts=accepts)
    assert torch.equal(fresh.sample({1: 70}, seed=5), alone)


@MODELS_AND_FILTER
def test_start_goes_on_where_another_call_ended(models, accepts, request):
    sampler = Sampler(request.getfixturevalue(models), accepts=accepts)
    whole = sampler.sample({2: 400}, seed=0)

    for start, n in ((0, 1), (1, 126), (127, 2), (129, 127), (256, 144), (399, 1)):
        part = sampler.sample({2: n}, seed=0, start=start)
        assert torch.equal(part, whole[start : start + n])


def test_each_class_has_noise_of_its_own():
    # networks alike in all but the class they stand for: what differs is the noise
    sampler = Sampler([untrained((20,)), untrained((20,))])

    rows = sampler.sample({0: 50, 1: 50}, seed=0)

    assert not torch.equal(rows[:50], rows[50:])


def test_passing_over_samples_costs_nothing_without_filters(joint):
    sampler = Sampler(joint)

    sampler.sample({0: 1}, seed=0, start=10**9)

    assert sampler.n_candidates == {0: BLOCK_SIZE}


def test_samples_differ_by_seed_class_and_block(joint):
    sampler = Sampler(joint)

    rows = [
        sampler.sample({0: 100}, seed=0),
        sampler.sample({0: 100}, seed=1),
        sampler.sample({1: 100}, seed=0),
        sampler.sample({0: 100}, seed=0, start=BLOCK_SIZE),
    ]

    distinct = {row.numpy().tobytes() for part in rows for row in part}
    assert len(distinct) == 400


def test_sampling_leaves_global_random_state_and_gradient_mode_alone(joint):
    before = torch.get_rng_state()

    Sampler(joint, accepts=bright).sample({0: 200}, seed=0)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_sampling_is_done_in_evaluation_mode(joint):
    # with batch statistics a row would depend on its neighbours, and statistics would drift
    sampler = Sampler(joint)
    network = sampler.parts[0].generator
    before = {k: v.clone() for k, v in network.state_dict().items()}

    sampler.sample({0: 300}, seed=0)

    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_filter_keeps_the_quota_and_only_rows_that_pass(joint):
    sampler = Sampler(joint, accepts=bright)

    rows = sampler.sample({0: 333, 1: 5}, seed=0)

    assert len(rows) == 338
    assert bright(rows, 0).all()
    for code in (0, 1):
        assert 0 < sampler.n_accepted[code] < sampler.n_candidates[code]
        assert sampler.n_candidates[code] % BLOCK_SIZE == 0


def test_filtered_rows_are_the_passing_candidates_in_their_order(joint):
    candidates = Sampler(joint).sample({0: 30 * BLOCK_SIZE}, seed=0)

    rows = Sampler(joint, accepts=bright).sample({0: 200}, seed=0)

    assert torch.equal(rows, candidates[bright(candidates, 0)][:200])


def test_a_filter_is_told_the_class_also_of_per_class_models(per_class):
    codes = set()

    def note(rows, code):
        codes.add(code)
        return torch.ones(len(rows), dtype=torch.bool)

    Sampler(per_class, accepts=note).sample({2: 1, 0: 1}, seed=0)

    assert codes == {0, 2}


@pytest.mark.parametrize("share", [0.0, 0.005])
def test_a_hopeless_filter_is_an_error_with_the_rate(share, joint):
    def nearly_none(rows, code):
        return (torch.rand(len(rows), generator=stream(0, "test")) < share) & (rows[:, 0, 0, 0] < 0)

    sampler = Sampler(joint, accepts=nearly_none)

    with pytest.raises(SamplingError, match="the filter accepted 0 of 2560"):
        sampler.sample({1: 10}, seed=0)


def test_a_strict_filter_still_meets_its_quota(joint):
    def few(rows, code):  # 1 in 32, well above the limit
        return torch.arange(len(rows)) % 32 == 0

    assert len(Sampler(joint, accepts=few).sample({0: 90}, seed=0)) == 90


def test_feature_rows_are_sampled_too():
    sampler = Sampler([untrained(n_features=3)])

    rows = sampler.sample({0: 5, 2: 200}, seed=0)

    assert rows.shape == (205, 3)
    assert rows.dtype == torch.float32
    assert sampler.sample({}, seed=0).shape == (0, 3)
    assert sampler.sample({0: 0}, seed=0).shape == (0, 3)


def test_coloured_images_lie_in_memory_as_their_shape_says():
    rows = Sampler([untrained(image_shape=(3, 8, 8))]).sample({0: 5, 1: 3}, seed=0)

    assert rows.is_contiguous()


def test_streams_are_keyed_by_everything():
    keys = [(0, 1, 2), (0, 1, 3), (0, 2, 2), (1, 1, 2), (0, "a"), (0, 12), (~0, 1, 2), (2**62, 1)]

    first = [torch.rand(4, generator=stream(*key)).tolist() for key in keys]
    again = [torch.rand(4, generator=stream(*key)).tolist() for key in keys]

    assert first == again
    assert len(set(map(tuple, first))) == len(keys)


def test_derived_seeds_differ_by_purpose():
    seeds = {derived_seed(0, "a", 0), derived_seed(0, "a", 1), derived_seed(0, "b", 0)}

    assert len(seeds) == 3
    assert derived_seed(0, "a", 0) in seeds
    assert all(0 <= seed < 2**62 for seed in seeds)


# --- the filters that users choose ---------------------------------------------------------------


NAMES = np.array(["nought", "one", "two"])


@pytest.fixture(scope="module")
def fitted(all_digits):
    """An augmenter of three named classes of 40 rows, with the classifier of the filter.

    Its training is far too short to be any good: a TrainingWarning may say so.
    """
    X, y = all_digits
    rows = np.concatenate([np.flatnonzero(y == code)[:40] for code in range(3)])
    augmenter = GANAugmenter(
        image_shape=(8, 8),
        n_generators=1,
        width=4,
        max_images=256,
        filter="classifier",
        random_state=0,
        verbose=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        return augmenter.fit(X[rows], NAMES[y[rows]])


def with_filter(fitted, name):
    return copy.deepcopy(fitted).set_params(filter=name)


@pytest.fixture
def filtered(fitted, monkeypatch):
    """The same with a classifier that takes every other image for a one, the rest for noughts."""

    def predict(values):
        return np.eye(3)[values.sum(axis=(1, 2, 3)) % 2]

    augmenter = with_filter(fitted, "classifier")
    monkeypatch.setattr(augmenter.model_.classifier, "predict_proba", predict)
    return augmenter


def test_the_classifier_filter_passes_rows_that_the_classifier_takes_for_their_class(fitted):
    augmenter = with_filter(fitted, "classifier")
    classifier = augmenter.model_.classifier

    for code in range(3):
        try:
            values, _ = augmenter.sampler_.sample_values({code: 20})
        except SamplingError:  # so short a training may make nothing of a class
            continue
        assert (classifier.predict_proba(values).argmax(axis=1) == code).all()
        break
    else:
        pytest.fail("no class was sampled: the test has tested nothing")


def test_filters_do_not_change_what_the_networks_make(fitted, filtered):
    unfiltered = with_filter(fitted, None)
    candidates = {row.tobytes() for row in unfiltered.sampler_.sample_values({0: 1280})[0]}

    assert all(row.tobytes() in candidates for row in filtered.sampler_.sample_values({0: 500})[0])


def test_acceptance_is_only_of_classes_that_were_sampled(filtered):
    filtered.sample({"nought": 0, "one": 3})

    assert list(filtered.sampler_.acceptance()) == ["one"]


def test_a_hopeless_filter_names_the_users_class_and_the_rate(fitted, monkeypatch):
    augmenter = with_filter(fitted, "classifier")
    classifier = augmenter.model_.classifier
    monkeypatch.setattr(classifier, "predict_proba", lambda values: np.eye(3)[[0] * len(values)])

    assert len(augmenter.sample({"nought": 5})[0]) == 5
    with pytest.raises(SamplingError, match=r"Class 'two' \(40 real .*0 of 2560.*\(0\.0%\)"):
        augmenter.sample({"nought": 5, "two": 5})


@pytest.mark.gpu
def test_sampling_on_cuda_is_seeded(joint):
    sampler = Sampler(joint, "cuda")

    rows = sampler.sample({1: 200}, seed=0)

    assert rows.device.type == "cpu"
    assert torch.equal(rows[50:60], sampler.sample({1: 10}, seed=0, start=50))
    # the noise is drawn on the CPU, so every device starts from the same
    on_cpu = Sampler(joint).sample({1: 200}, seed=0)
    assert (rows.int() - on_cpu.int()).abs().float().mean() < 2.0


def test_no_block_is_made_for_nothing(joint, monkeypatch):
    monkeypatch.setattr(sampling.Sampler, "block", None)

    assert Sampler(joint).sample({0: 0, 1: 0}, seed=0).shape == (0, 1, 8, 8)
