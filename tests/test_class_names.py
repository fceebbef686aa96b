"""Names of classes that data carry: the same wherever a class is named."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import Dataset

from ganaug import GANAugmenter
from ganaug.cli import main
from ganaug.exceptions import (
    GanaugWarning,
    InvalidInputError,
    ModelFileError,
    SmallClassWarning,
)
from ganaug.gan.monitor import Alarm
from ganaug.history import describe_distrust, describe_troubles
from ganaug.inputs.files import _chosen, labels_of_names
from ganaug.integrations.common import codes_to_leave_alone
from ganaug.model_card import model_card

pytestmark = pytest.mark.filterwarnings("ignore::ganaug.exceptions.GanaugWarning")


class Shoes(Dataset):
    """As ImageFolder: integer labels, and a name for each."""

    def __init__(self, images, labels, classes=("bag", "ankle boot")):
        self.images, self.targets, self.classes = images, labels.tolist(), list(classes)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return Image.fromarray(self.images[index]), self.targets[index]


@pytest.fixture(scope="module")
def digits(all_digits):
    X, y = all_digits
    rows = np.r_[np.flatnonzero(y == 0)[:40], np.flatnonzero(y == 1)[:25]]
    return (X[rows] * 15).astype(np.uint8).reshape(-1, 8, 8), y[rows]


@pytest.fixture(scope="module")
def augmenter(digits):
    tiny = {"n_generators": 1, "max_images": 64, "width": 4, "filter": None, "verbose": 0}
    fitted = GANAugmenter(**tiny, random_state=0).fit(Shoes(*digits))
    fitted.model_.generator_trust = [[1.0, 0.5]]
    fitted.trust_ = {0: 1.0, 1: 0.5}
    return fitted


@pytest.fixture
def model(augmenter, tmp_path):
    augmenter.save(tmp_path / "model")
    return tmp_path / "model"


def test_classes_are_sampled_by_name_or_code_and_come_back_as_codes(augmenter, model):
    for fitted in (augmenter, GANAugmenter.load(model)):
        assert fitted.classes_.tolist() == [0, 1]
        assert fitted.class_names_ == ("bag", "ankle boot")
        _, y = fitted.sample({"ankle boot": 3, 0: 2})
        assert y.tolist() == [1, 1, 1, 0, 0]
        assert y.dtype.kind == "i"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"angle boot": 3}, "unknown class 'angle boot'.*Did you mean 'ankle boot'"),
        ({"bag": 1, 0: 2}, "named twice"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(counts, said, augmenter):
    with pytest.raises(InvalidInputError, match=said):
        augmenter.sample(counts)


def test_a_name_that_is_another_class_s_label_is_refused(augmenter, monkeypatch):
    names = ["1", "2", "3"]
    assert labels_of_names({"0": 5, "3": 6}, [0, 1, 2], names) == {0: 5, 2: 6}
    kind = replace(augmenter.model_.label_kind, class_names=("1", "bag"))
    monkeypatch.setattr(augmenter.model_, "label_kind", kind)
    for ask in (
        lambda: labels_of_names({"1": 5}, [0, 1, 2], names),
        lambda: augmenter.sample({"1": 5}),
        lambda: _chosen(np.array([0, 1, 2]), {"1": 5}, 0, names),
    ):
        with pytest.raises(InvalidInputError, match="'1' instead, the name .* label 0 .*another"):
            ask()
    assert augmenter.sample({1: 2})[1].tolist() == [1, 1]


def test_limits_by_name_are_of_the_class_of_that_name():
    labels = np.array([0, 2, 2, 2])
    assert labels[_chosen(labels, {"boot": 1}, 0, ["bag", "shoe", "boot"])].tolist() == [0, 2]


def test_totals_may_be_given_by_name(augmenter, digits):
    augmenter.wrap(Shoes(*digits), sampling_strategy={"ankle boot": 60})
    assert [plan.n_added for plan in augmenter.resampling_report_] == [0, 35]


def test_a_dataset_that_numbers_its_classes_otherwise_is_wrapped_by_their_names(augmenter, digits):
    images, labels = digits
    other = augmenter.wrap(Shoes(images, 1 - labels, ("ankle boot", "bag")))
    assert [other.targets.count(code) for code in (0, 1)] == [40, 40]
    assert other[len(other) - 1][1] == 0  # an ankle boot, by the wrapped dataset's number


def test_a_dataset_that_numbers_its_classes_otherwise_is_audited_by_their_names(
    augmenter, digits, monkeypatch
):
    images, labels = digits
    monkeypatch.setattr("ganaug.model_audit.build_audit", lambda *read, **options: (read, options))
    boots = images[labels == 1]
    held_out = Shoes(boots[:, ::-1], np.zeros(len(boots), dtype=int), ("ankle boot",))
    renumbered = Shoes(images, 1 - labels, ("ankle boot", "bag"))
    read, _ = augmenter.audit(renumbered, X_holdout=held_out, n_samples=20)
    assert read[0].labels.tolist() == labels.tolist()
    assert read[2].labels.tolist() == [1] * 25
    with pytest.raises(InvalidInputError, match="y must hold classes.*Got 'sandal'"):
        augmenter.audit(Shoes(images, labels, ("bag", "sandal")))


def test_what_is_told_of_a_model_names_its_classes(augmenter, digits, quick_audit):
    assert "| ankle boot | 25 | 0.50 |" in model_card(augmenter.model_)
    assert "ankle boot (50%)" in describe_distrust(augmenter.model_)
    assert set(augmenter.history_[0]["variety"]) == {"bag", "ankle boot"}
    assert "class 1" not in describe_troubles(augmenter.model_)
    report = augmenter.audit(Shoes(*digits), n_samples=20).to_dict()
    assert set(report["classes"]) == {"bag", "ankle boot"}


def test_small_classes_are_told_by_their_names(digits):
    images, labels = digits
    tiny = GANAugmenter(n_generators=1, max_images=16, width=4, filter=None, verbose=0)
    with pytest.warns(SmallClassWarning, match=r"from: 'ankle boot' \(5\)"):
        tiny.fit(Shoes(images[:45], labels[:45]))
    with pytest.raises(InvalidInputError, match="single sample of class 'ankle boot'"):
        tiny.fit(Shoes(images[:41], labels[:41]))
    with pytest.raises(InvalidInputError, match="one class, 'bag'"):
        tiny.fit(Shoes(images[:40], labels[:40]))


def test_adapters_show_no_control_characters_of_a_name(augmenter, monkeypatch):
    kind = replace(augmenter.model_.label_kind, class_names=("bag", "a\x1b[31mb"))
    monkeypatch.setattr(augmenter.model_, "label_kind", kind)
    with pytest.warns(GanaugWarning, match=r"class a\\x1b\[31mb \(50%\)"):
        codes_to_leave_alone(augmenter, "SyntheticMix")
    gan = replace(augmenter.model_.gans[0], alarms=(Alarm("collapsed", 1, 0.2),))
    monkeypatch.setattr(augmenter.model_, "gans", [gan])
    assert r"class a\x1b[31mb" in describe_troubles(augmenter.model_)


def test_commands_name_classes(model, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ganaug", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    assert "ankle boot      25 real samples" in run("info", model)
    run("sample", model, "--class", "ankle boot=2", "--class", "0=1", "--out", tmp_path / "new")
    lines = (tmp_path / "new" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["class"] for line in lines] == ["ankle boot"] * 2 + ["bag"]
    assert len(list((tmp_path / "new" / "ankle boot").iterdir())) == 2
    run("sample", model, "--count", 4, "--shards", tmp_path / "shards")
    plan = json.loads((tmp_path / "shards" / "shards.json").read_text(encoding="utf-8"))
    assert plan["classes"] == ["bag", "ankle boot"]


def test_commands_take_up_a_model_that_was_fitted_in_python_on_an_image_folder(
    digits, tmp_path, monkeypatch, capsys, quick_audit
):
    folders = pytest.importorskip("torchvision.datasets")
    for index, (image, code) in enumerate(zip(*digits, strict=True)):
        place = tmp_path / "shoes" / ("ankle boot", "bag")[code] / f"{index:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("RGB").save(place)
    tiny = {"n_generators": 1, "max_images": 64, "width": 4, "filter": None, "verbose": 0}
    fitted = GANAugmenter(**tiny, random_state=0).fit(folders.ImageFolder(tmp_path / "shoes"))
    fitted.save(tmp_path / "model")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ganaug", *map(str, arguments), "-q"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, capsys.readouterr().err

    more = ("--continue", tmp_path / "model", "--max-images", 64, "--out", tmp_path / "more")
    run("fit", tmp_path / "shoes", *more)
    after = GANAugmenter.load(tmp_path / "more")
    assert (after.n_images_seen_, after.classes_.tolist()) == (128, [0, 1])
    assert after.class_names_ == ("ankle boot", "bag")
    out = ("--out", tmp_path / "report.json", "--n-samples", 20)
    run("audit", tmp_path / "more", "--train", tmp_path / "shoes", *out)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert set(report["classes"]) == {"ankle boot", "bag"}


def test_a_file_with_other_names_than_classes_is_refused(augmenter, model, monkeypatch):
    kind = replace(augmenter.model_.label_kind, class_names=("bag",))
    monkeypatch.setattr(augmenter.model_, "label_kind", kind)
    with pytest.raises(ModelFileError, match="class_names"):
        augmenter.save(model)
