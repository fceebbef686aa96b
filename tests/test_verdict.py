"""ganaug/gain/verdict.py: what users read, use and keep."""

from __future__ import annotations

import dataclasses
import json
import math
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import ADASYN, RandomOverSampler
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from torch.utils.data import TensorDataset

import ganaug.gain.remedies
from ganaug import GANAugmenter, Verdict
from ganaug.exceptions import (
    GanaugError,
    GanaugWarning,
    InvalidInputError,
    InvalidTypeError,
    ModelFileError,
)
from ganaug.gain.intervals import PairedInterval
from ganaug.gain.remedies import UsersSampler
from ganaug.gain.samplers import SmallClassSMOTE
from ganaug.gain.verdict import ClassGain, augmenter_is_own
from tests.stand_ins import StandInSampler, verdict_of

NAN = math.nan

# --- ready to use --------------------------------------------------------------------------------


def test_the_pipeline_is_unfitted_and_the_measured_one():
    pipeline = verdict_of().make_pipeline()

    assert list(pipeline.named_steps) == ["remedy", "estimator"]
    assert isinstance(pipeline[0], SmallClassSMOTE)
    assert pipeline[0].random_state == 5
    assert isinstance(pipeline[1], SVC)
    assert pipeline is not verdict_of().make_pipeline()
    assert not hasattr(pipeline[1], "classes_")


@pytest.mark.parametrize("gan", ["chosen", "not worth it", "not shown", "not tried"])
def test_a_gain_over_the_best_without_a_gan_is_told_only_of_a_gan(gan):
    is_told = gan == "chosen"
    assert ("over the best without a GAN" in verdict_of(gan=gan).text) == is_told


def test_another_estimator_is_said_not_to_be_measured():
    with pytest.warns(GanaugWarning, match="'smote' was not measured with this GaussianNB"):
        pipeline = verdict_of().make_pipeline(GaussianNB())

    assert isinstance(pipeline[1], GaussianNB)


def test_other_parameters_are_another_estimator_and_another_seed_is_not():
    verdict_of().make_pipeline(SVC(random_state=7))
    with pytest.warns(GanaugWarning, match="was not measured"):
        verdict_of().make_pipeline(SVC(C=3))


def test_class_weights_are_for_the_classifier_and_not_for_a_sampler():
    verdict = verdict_of("class weights")

    assert verdict.make_pipeline()[1].class_weight == "balanced"
    with pytest.raises(GanaugError, match="make_pipeline"):
        verdict.make_sampler()
    with (
        pytest.raises(GanaugError, match="must be one that 'class weights' can be used"),
        pytest.warns(GanaugWarning, match="not measured"),
    ):
        verdict.make_pipeline(GaussianNB())


def test_features_are_for_the_classifier_and_not_for_a_sampler():
    verdict = verdict_of("features")

    steps = ["features", "scaler", "normalizer", "length", "estimator"]
    assert list(verdict.make_pipeline()["estimator"].named_steps) == steps
    for refused in (verdict.make_sampler, lambda: verdict.wrap(TensorDataset(torch.zeros(2, 1)))):
        with pytest.raises(GanaugError, match="'features', must be set at the classifier"):
            refused()


def test_nothing_is_a_step_that_does_nothing():
    assert verdict_of("nothing").make_sampler() == "passthrough"
    assert verdict_of("nothing").make_pipeline()[0] == "passthrough"


def test_a_dataset_is_wrapped_by_the_choice():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (53, 1, 8, 8), dtype=np.uint8))
    dataset = TensorDataset(images, torch.tensor([0] * 30 + [1] * 23))

    assert verdict_of("nothing").wrap(dataset) is dataset
    assert verdict_of("class weights").wrap(dataset) is dataset
    for choice in ("duplicates", "smote", "augmented"):
        wrapped = verdict_of(choice).wrap(dataset)
        assert [int(label) for _, label in wrapped] == [0] * 30 + [1] * 30
        assert wrapped[55][0].shape == (1, 8, 8)
        assert wrapped[55][0].dtype == torch.uint8
    enlarged = [int(label) for _, label in verdict_of("enlarged").wrap(dataset)]
    assert np.bincount(enlarged).tolist() == [240, 240]
    with pytest.raises(TypeError, match="`dataset` must be a torch Dataset. Got ndarray"):
        verdict_of("nothing").wrap(np.zeros(3))


# --- text ----------------------------------------------------------------------------------------


def test_the_text_tells_the_choice_its_gain_and_the_gans_worth():
    text = verdict_of().text

    assert text.startswith("Use 'smote'.")
    assert "balanced_accuracy: +0.0200 (+0.0100 to +0.0300) over nothing" in text
    assert "the same choice on 80% of the folds" in text
    assert "The GAN is not worth its training here: -0.0050 (" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"is_decided": False}, "Use 'smote' (the scores hardly tell it from others)."),
        (
            {"gan": "chosen", "gain_over_best_without_gan": PairedInterval(0.02, 0.01, 0.03, 5)},
            "The GAN is worth its training here.",
        ),
        (
            {"gan": "chosen", "gain_over_best_without_gan": PairedInterval(0.02, -0.01, 0.05, 5)},
            "It is ahead in the mean; that its GAN is worth the training is not shown.",
        ),
        ({"gan": "not tried", "gan_reason": "no time"}, "No GAN was judged: no time."),
        ({"gan": "not shown"}, "That the GAN is worth its training could not be shown"),
        ({"needed": {"splits": 12, "samples": 3000}}, "About 12 splits or 3,000 samples would"),
        ({"gain": PairedInterval(NAN, NAN, NAN, 0)}, "unknown over nothing"),
    ],
)
def test_the_text_says_what_is_special(changes, sentence):
    assert sentence in verdict_of(**changes).text


def test_what_is_no_classifier_is_refused():
    with pytest.raises(InvalidTypeError, match="must be a scikit-learn classifier. Got 'cnn'"):
        verdict_of("smote").make_pipeline("cnn")


def test_an_ending_that_is_no_picture_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match=r"`path` must end in one of .*\.png.*scores\.txt"):
        verdict_of("smote").plot(tmp_path / "scores.txt")


def test_the_tables_hold_every_remedy_and_every_class():
    text = str(verdict_of())

    assert "smote    0.8400  +0.0200   3  <- the choice" in text
    assert "ganaug   0.8250  +0.0150   2" in text
    assert "bag      90  +0.0000 (-0.0100 to +0.0100)" in text
    assert text.endswith("note: few samples: 3 folds")


def test_what_strangers_named_cannot_steer_a_terminal():
    names = {"\x1b[2Jbag": ClassGain(3, 0.5, 0.0, 1.0)}

    text = str(verdict_of("mine\x1b", remedy=None, per_class=names, notes=["\x07"]))

    assert text.replace("\n", "").isprintable()


# --- files ---------------------------------------------------------------------------------------


@given(
    choice=st.sampled_from(["nothing", "smote", "enlarged", "half and half"]),
    numbers=st.lists(st.floats(-1, 1) | st.just(NAN), min_size=3, max_size=3),
    name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=10),
)
def test_what_is_saved_is_loaded(choice, numbers, name, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "verdict.json"
    scores = {"nothing": [0.5, 0.6, 0.7], choice: numbers}
    verdict = verdict_of(choice, scores=scores, per_class={name: ClassGain(3, 0.5, 0.0, 1.0)})

    verdict.save(path)
    loaded = Verdict.load(path)

    assert loaded.to_dict() == verdict.to_dict()
    assert loaded.text == verdict.text
    assert loaded.task == verdict.task


def test_a_loaded_verdict_makes_the_same_pipeline_and_needs_the_classifier(tmp_path):
    verdict_of().save(tmp_path / "verdict.json")
    loaded = Verdict.load(tmp_path / "verdict.json")

    with pytest.raises(GanaugError, match="`estimator` must be passed to a verdict from a file"):
        loaded.make_pipeline()
    with pytest.warns(GanaugWarning, match="'smote' was not measured with this GaussianNB"):
        loaded.make_pipeline(GaussianNB())
    assert repr(loaded.make_pipeline(SVC(random_state=5))) == repr(verdict_of().make_pipeline())
    assert loaded.splits is None


def test_a_sampler_of_the_users_must_be_brought_again(tmp_path):
    path = tmp_path / "verdict.json"
    verdict_of("mine", remedy=UsersSampler("mine", ADASYN())).save(path)
    with pytest.raises(GanaugError, match="`remedies` must be passed to Verdict.load"):
        Verdict.load(path).make_sampler()
    again = Verdict.load(path, remedies={"mine": RandomOverSampler()}).make_sampler()
    assert again.random_state == 5


def test_an_augmenters_settings_are_kept_and_its_objects_must_be_brought_again(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(ganaug.gain.remedies, "GANOverSampler", StandInSampler)
    path = tmp_path / "verdict.json"
    task = dataclasses.replace(verdict_of().task, augmenter=GANAugmenter(width=8, cache_dir="x"))

    verdict_of("ganaug", task=task).save(path)
    kept = Verdict.load(path).make_sampler().augmenter
    assert kept.get_params() == GANAugmenter(width=8).get_params()

    verdict_of("ganaug", needs_augmenter=True).save(path)
    with pytest.raises(GanaugError, match="`augmenter` must be passed to Verdict.load"):
        Verdict.load(path).make_sampler()
    sampler = Verdict.load(path, augmenter=GANAugmenter(width=8)).make_sampler()
    assert sampler.augmenter.width == 8


def test_a_file_holds_no_object_of_the_users(tmp_path):
    verdict_of(splits=[(np.arange(3), np.arange(2))]).save(tmp_path / "verdict.json")

    plain = json.loads((tmp_path / "verdict.json").read_text())

    assert not {"estimator", "remedy", "splits"} & plain.keys()
    assert plain["task"].keys() == {"seed", "is_image", "n_axes", "image_shape", "max_images"}


def changed(**changes):
    plain = verdict_of().to_dict()
    for name, value in changes.items():
        *outer, last = name.split("__")
        inner = plain
        for key in outer:
            inner = inner[key]
        inner[last] = value
    return json.dumps(plain)


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Expecting value"),
        ("[]", "a JSON object"),
        ("{}", "the fields choice"),
        ('{"a": ' + DEEP, "recursion"),
        (changed(extra=1), "the fields choice"),
        (changed(is_decided=1), "`is_decided` must be true or false. Got 1"),
        (changed(choice="import os"), "`scores` must have 'nothing' and the choice"),
        (changed(choice=["smote"]), "`choice` must be a text"),
        (changed(choice=None), "`choice` must be a text"),
        (changed(gan="certain"), "`gan` must be one of"),
        (changed(gain={"mean": 0}), "`gain` must have the key"),
        (changed(gain__low="0"), "`gain.low` must be a number"),
        (changed(gain__low=True), "`gain.low` must be a number"),
        (changed(gain__low=10**400), "within 64 bits"),
        (changed(gain__n=1.5), "`gain.n` must be a whole number"),
        (changed(task__seed=1.5), "`seed` must be a whole number"),
        (changed(task__augmenter="x"), "Task must have the fields"),
        (changed(task__image_shape=8), "`image_shape` must be"),
        (changed(task=None), "Task must have the fields"),
        (changed(augmenter={"cache_dir": "x"}), "must not name 'cache_dir'"),
        (changed(augmenter={"warm_start_from": "x"}), "must not name 'warm_start_from'"),
        (changed(augmenter={"width": "wide"}), "`parameters.width` must be a whole number"),
        (changed(augmenter=[]), "must be a JSON object"),
        (changed(scores__smote="high"), "`scores.smote` must be a list"),
        (changed(notes=[3]), "must be a text"),
        (changed(per_class={"bag": {}}), "`per_class.bag` must have the key"),
        (changed(seconds=1).replace('"seconds": 1', '"seconds": 1e999'), "within float64"),
        (changed(seconds=1).replace('"seconds": 1', '"seconds": NaN'), "JSON knows"),
        (changed(seconds=1).replace('"seconds": 1', '"seconds": ' + "9" * 5000), "64 bits"),
        ("x" * 5_000_000, "at most 4,194,304 bytes"),
        (b"\xff\xfe", "JSON"),
    ],
)
def test_a_strangers_file_is_refused_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "verdict.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ModelFileError, match=f"(?s)must be a file .*{message}") as caught:
        Verdict.load(path)

    assert len(str(caught.value)) < 2000


def test_what_an_augmenter_holds_of_the_users_own_is_seen():
    assert not augmenter_is_own(None)
    assert not augmenter_is_own(GANAugmenter(width=8, device="cpu", cache_dir="x", n_jobs=2))
    assert augmenter_is_own(GANAugmenter(warm_start_from="model"))


def test_a_place_that_cannot_be_written_is_named_and_an_older_verdict_stays(tmp_path):
    (tmp_path / "file").write_text("mine")

    for place in (tmp_path / "file" / "verdict.json", tmp_path):
        with pytest.raises(GanaugError, match="Choose another path"):
            verdict_of().save(place)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_file_is_named_and_a_pipe_does_not_hang(tmp_path):
    with pytest.raises(ModelFileError, match="nowhere.json cannot be read"):
        Verdict.load(tmp_path / "nowhere.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ModelFileError, match="it is no regular file"):
        Verdict.load(tmp_path / "pipe.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from([field.name for field in dataclasses.fields(Verdict)]),
)
def test_no_value_of_a_field_is_more_than_an_error(tmp_path_factory, value, name):
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(json.dumps({**verdict_of().to_dict(), name: value}), encoding="utf-8")

    try:
        verdict = Verdict.load(path)
    except ModelFileError:
        return
    assert isinstance(str(verdict), str)
