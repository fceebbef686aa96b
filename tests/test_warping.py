"""Warps of images, and the choice of the one that suits them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganaug import GANOverSampler, augmentation, warping
from ganaug.augmentation import TransformCheck, loss_of_a_class, make_augmentation
from ganaug.warping import AFFINE, CANDIDATES, SLIGHT, STRONG, Warp, fit_warp

JUDGED = {name: getattr(warping, name) for name in ("CANDIDATES", "MAX_PER_CLASS", "N_TREES")}


@pytest.fixture(autouse=True)
def judges_as_they_are(monkeypatch):
    for name, value in JUDGED.items():
        monkeypatch.setattr(warping, name, value)


@pytest.fixture
def images(all_digits):
    X, y = all_digits
    return (X * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y


def warped(warp, n=40, shape=(1, 8, 12), seed=0):
    images = torch.arange(n * np.prod(shape)).reshape(n, *shape).remainder(251).to(torch.uint8)
    return images, warp(images, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("warp", CANDIDATES, ids=str)
def test_a_warp_moves_images_and_is_drawn_from_the_generator_alone(warp):
    state = torch.get_rng_state()
    images, moved = warped(warp)
    again, other = warped(warp)[1], warped(warp, seed=1)[1]

    assert torch.equal(torch.get_rng_state(), state)
    assert (moved.shape, moved.dtype) == (images.shape, torch.float32)
    assert moved.min() >= 0
    assert moved.max() <= 255
    assert torch.equal(moved, again)
    assert not torch.equal(moved, other)
    assert not torch.equal(moved, images.float())


@pytest.mark.parametrize(
    ("warp", "untouched"), [(Warp(right=0.2), 2), (Warp(down=0.2), 3)], ids=["right", "down"]
)
def test_a_shift_goes_one_way_only(warp, untouched):
    line = torch.arange(8, dtype=torch.uint8) * 30
    plain = [1, 1, 1, 1]
    plain[untouched] = 8  # rises along the axis that is not shifted
    along = line.reshape(plain).expand(50, 1, 8, 8).contiguous()
    across = along.transpose(2, 3).contiguous()

    torch.testing.assert_close(warp(along, torch.Generator()), along.float(), atol=1e-3, rtol=0)
    assert (warp(across, torch.Generator()) - across.float()).abs().max() > 20


def test_a_warp_is_said_in_words():
    assert str(SLIGHT) == (
        "turned by up to 5 degrees, scaled by up to 5%, shifted left or right by up to 4.2%, "
        "shifted up or down by up to 4.2%"
    )
    assert str(Warp(mirrors=True, quarter_turns=True)) == "mirrored, turned by quarters"
    assert str(Warp()) == "unchanged"


# --- the choice ----------------------------------------------------------------------------------


def spots(rng, n, down):
    """Spots whose class is their height; how far right they are means nothing."""
    images = np.zeros((n, 1, 16, 16), dtype=np.uint8)
    for image, row, column in zip(images, down, rng.integers(2, 11, n), strict=True):
        image[0, row, column : column + 3] = rng.integers(150, 255)
    return images


def test_what_shows_a_class_by_its_height_is_moved_to_the_sides_alone():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2, 3], [60, 10, 10, 10])
    images = spots(rng, len(codes), 6 + codes)

    assert fit_warp(images, codes, seed=0) == Warp(right=1 / 12)


def test_images_without_a_left_and_a_right_are_mirrored(images):
    X, y = images
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(y == code)[:n] for code, n in ((2, 100), (3, 15), (4, 15), (7, 15))]
    X, codes = X[np.concatenate(members)], np.repeat(range(4), [len(of) for of in members])
    is_mirrored = rng.random(len(X)) < 0.5
    X = np.where(is_mirrored[:, None, None, None], X[..., ::-1], X)

    assert fit_warp(X, codes, seed=0).mirrors
    assert not fit_warp(X, codes, seed=0).quarter_turns


def test_the_choice_hangs_on_the_images_and_the_seed_alone(images, monkeypatch):
    X, y = images[0][:200], images[1][:200]
    first = fit_warp(X, y, seed=0)
    scored = []
    monkeypatch.setattr(warping, "_score", lambda *_: scored.append(1) or 0.5)

    assert fit_warp(X.copy(), y.copy(), seed=0) is first
    assert not scored
    for other in ((X, (y + 1) % 10, 0), (255 - X, y, 0), (X, y, 1)):
        del scored[:]
        assert fit_warp(other[0], other[1], seed=other[2]) == SLIGHT  # nothing is ahead
        assert scored


@pytest.mark.parametrize(
    ("ahead", "taken"),
    [
        ([0.02, 0.01, 0.03, 0.02, 0.01, 0.03], True),
        ([0.05, -0.02, 0.03, 0.04, -0.03, 0.03], True),  # by 0.6 standard errors
        ([0.06, -0.03, 0.01, 0.04, -0.04, 0.02], False),  # by 0.3
        ([0.05, 0.05, 0.05, -0.06, -0.06, -0.06], False),  # on other folds no more
    ],
)
def test_a_warp_is_taken_that_stays_ahead_by_half_a_standard_error(
    images, monkeypatch, ahead, taken
):
    scored = dict.fromkeys(CANDIDATES, 0)

    def score(warp, *_):
        scored[warp] += 1
        return 0.5 + (warp == AFFINE) * ahead[scored[warp] - 1] - (warp == STRONG) * 0.1

    monkeypatch.setattr(warping, "_score", score)

    assert fit_warp(*images, seed=0) == (AFFINE if taken else SLIGHT)
    assert scored[AFFINE] == scored[SLIGHT] == 6
    assert scored[STRONG] == 3  # no finalist


@pytest.mark.parametrize("n", [0, 1, 20, 200])
def test_too_few_images_or_classes_are_warped_slightly(images, n):
    X, y = images
    X, y = (X[y == 3][:n], y[y == 3][:n]) if n > 20 else (X[:n], y[:n])
    assert fit_warp(X, y, seed=0) == SLIGHT


def test_classes_of_one_image_and_absent_ones_do_no_harm(images):
    X, y = images
    index = np.concatenate([np.flatnonzero(y == 1)[:40], np.flatnonzero(y == 9)[:1]])
    assert fit_warp(X[index], y[index], seed=0) in CANDIDATES


def test_classes_of_one_size_tell_as_much_and_many_classes_take_no_longer(monkeypatch):
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(40), 10)
    judged = []
    score = warping._score
    monkeypatch.setattr(warping, "MAX_CLASSES", 8)
    monkeypatch.setattr(warping, "N_TREES", 5)
    monkeypatch.setattr(
        warping, "_score", lambda *given: judged.append(len(given[2])) or score(*given)
    )

    assert fit_warp(spots(rng, len(codes), 2 + codes % 12), codes, seed=0) in CANDIDATES
    assert set(judged) == {80}
    alike = np.repeat([0, 1, 2, 3], 12)
    assert fit_warp(spots(rng, 48, 6 + alike), alike, seed=0) == Warp(right=1 / 12)


@pytest.mark.parametrize("shape", [(3, 128, 128), (4, 8, 40)])
def test_large_and_oblong_images_are_judged_small(shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (40, *shape), dtype=np.uint8)
    pooled = warping._pooled(X)

    assert pooled[0].numel() <= 1.3 * warping.MAX_FEATURES
    assert fit_warp(X, np.arange(40) % 2, seed=0) in CANDIDATES


def test_the_over_sampler_warps_by_what_suits_the_images_and_says_how():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2, 3], [60, 10, 10, 10])
    X = spots(rng, len(y), 6 + y)[:, 0]
    made = []
    for how in (None, "affine", "interpolation"):
        sampler = GANOverSampler(augmentation=how, random_state=0)
        sampler.fit_resample(X, y)
        made.append(sampler.augmented_by_)

    assert made == [str(Warp(right=1 / 12)), "affine", ""]
    assert AFFINE in CANDIDATES


@pytest.mark.parametrize(
    ("difference", "lost", "passes"), [(0.02, 0.0, True), (-0.2, 0.0, False), (0.02, -0.67, False)]
)
def test_a_warp_that_mirrors_is_checked_and_given_up_where_a_class_suffers(
    difference, lost, passes, monkeypatch
):
    mirrors = Warp(5, 0.05, 1 / 24, 1 / 24, mirrors=True)
    found = TransformCheck("", difference, difference - 0.1, difference + 0.1, 90, lost)
    monkeypatch.setattr(augmentation, "fit_warp", lambda *_, **__: mirrors)
    monkeypatch.setattr(augmentation, "check_transform", lambda *_, **__: found)
    images, codes = np.zeros((4, 1, 8, 8), dtype=np.uint8), np.arange(4) % 2

    fitted = make_augmentation("fitted").fitted_to(images, codes, seed=0)

    assert fitted.name == str(mirrors if passes else replace(mirrors, mirrors=False))


def lost(*of_classes):
    """What is told of classes of which so many images were lost, won, and neither."""
    differences = [np.repeat([-1.0, 1.0, 0.0], counts) for counts in of_classes]
    codes = np.repeat(np.arange(len(of_classes)), [len(d) for d in differences])
    return loss_of_a_class(np.concatenate(differences), codes)


def test_the_loss_of_one_class_is_told_where_others_gain():
    assert lost((2, 1, 117), (17, 1, 6), (0, 3, 21), (0, 10, 14)) == pytest.approx(-16 / 24)


@pytest.mark.parametrize(
    "of_class",
    [(150, 6, 644), (6, 2, 16), (3, 0, 1), (0, 0, 1)],
    ids=["the largest gives way", "by chance", "few", "one image"],
)
def test_what_two_trainings_give_and_take_is_no_loss(of_class):
    assert lost(of_class, (0, 10, 70), (0, 9, 31)) == 0
