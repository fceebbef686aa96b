"""ganaug/shards.py and `ganaug sample --shards`: the same bytes, whoever makes a shard, and when"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import sys
import tarfile
import warnings

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

import ganaug.cli
from ganaug import GANAugmenter
from ganaug.exceptions import InvalidInputError
from ganaug.outputs import Origin
from ganaug.shards import PLAN_NAME, ShardPlan

SIZE = ("--shard-size", "40", "-q")
COUNTS = {"bag": 70, "boot": 45}


@pytest.fixture(scope="module")
def model(all_digits, tmp_path_factory):
    X, y = all_digits
    names = np.array(list(COUNTS))[y[y < 2][:100]]
    options = {"width": 4, "n_generators": 2, "max_images": 128, "filter": None, "verbose": 0}
    augmenter = GANAugmenter(**options, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        augmenter.fit((X[y < 2][:100] * 15).astype(np.uint8).reshape(-1, 8, 8), names)
    augmenter.save(path := tmp_path_factory.mktemp("models") / "model")
    return path


@pytest.fixture(scope="module")
def sample(model):
    """Run `ganaug sample MODEL`; give exit code, stdout and stderr."""

    def run(*options, counts=COUNTS):
        classes = [part for name, n in counts.items() for part in ("--class", f"{name}={n}")]
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ganaug", "sample", *map(str, (model, *classes, *options))])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as ended:
                ganaug.cli.main()
        return ended.value.code or 0, out.getvalue(), err.getvalue()

    return run


@pytest.fixture(scope="module")
def shards(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "new"
    code, out, err = sample("--shards", folder, *SIZE, "--json", "--jobs", 2)
    assert code == 0, err
    assert {**json.loads(out), "shards": 0} == {
        "written": COUNTS,
        "shards": 0,
        "made": 3,
        "there": 0,
    }
    return folder


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def read(folder):
    """Keys, class indices, pictures and records, as tarfile reads them."""
    samples = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            files = {name: tar.extractfile(name).read() for name in tar.getnames()}
        keys = dict.fromkeys(name.partition(".")[0] for name in files)
        samples += [
            [key, *(files[f"{key}.{kind}"] for kind in ("cls", "png", "json"))] for key in keys
        ]
    return samples


def test_all_samples_are_there_in_mixed_order(shards, model):
    keys, classes, pngs, records = zip(*read(shards), strict=True)
    records = [json.loads(record) for record in records]
    assert len(set(keys)) == 115
    for code, (name, n) in enumerate(COUNTS.items()):
        of_class = [r["index"] for r, c in zip(records, classes, strict=True) if int(c) == code]
        assert sorted(of_class) == list(range(n))
        assert {r["class"] for r, c in zip(records, classes, strict=True) if int(c) == code} == {
            name
        }
    assert (np.diff([int(c) for c in classes[:39]]) != 0).sum() > 5
    assert len(set(pngs)) > 100  # every shard has samples of its own
    assert {r["kind"] for r in records} == {"synthetic"}
    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert {r["model"] for r in records} == {digest}
    with Image.open(io.BytesIO(pngs[0])) as picture:
        assert (picture.mode, picture.size) == ("L", (8, 8))


def test_a_shard_has_the_same_bytes_alone_and_for_any_number_of_jobs(shards, sample, tmp_path):
    options = ("--shards", tmp_path / "new", *SIZE, "--json")
    assert json.loads(sample(*options, "--only", "1:2")[1])["made"] == 1
    assert [p.name for p in tmp_path.glob("new/*.tar")] == ["shard-000001.tar"]
    (tmp_path / "new" / "shard-000002.tar.partial").write_text("left by a kill")
    rest = json.loads(sample(*options)[1])
    assert (rest["made"], rest["there"]) == (2, 1)
    assert digests(tmp_path / "new") == digests(shards)


def test_finished_shards_are_not_made_again(shards, sample, monkeypatch):
    before = [p.stat().st_mtime_ns for p in sorted(shards.iterdir())]
    monkeypatch.setattr("ganaug.shards._write_shard", None)
    code, out, _ = sample("--shards", shards, *SIZE)
    assert (code, out) == (0, f"Wrote 0 shards to {shards}; 3 were there\n")
    assert [p.stat().st_mtime_ns for p in sorted(shards.iterdir())] == before


@pytest.mark.parametrize(
    ("options", "counts", "message"),
    [
        (("--seed", 3), COUNTS, "another model, seed"),
        ((), {"bag": 70}, "other counts"),
        (("--only", "2:4"), COUNTS, "there are 3 shards"),
        (("--only", "2"), COUNTS, "must look like 0:50"),
        (("--start", 2), COUNTS, "go with --out"),
        (("--count", 4), COUNTS, "by --class or by --count. Got both"),
        ((), {}, "by --class or by --count. Got neither"),
        (("--out", "elsewhere"), COUNTS, "by --out or by --shards"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, counts, message, shards, sample):
    before = digests(shards)
    code, _, err = sample("--shards", shards, *SIZE, *options, counts=counts)
    assert code in (1, 2)
    assert message in err
    assert digests(shards) == before


def test_a_folder_of_others_is_left_alone(sample, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    code, _, err = sample("--shards", tmp_path, *SIZE)
    assert code == 1
    assert "holds no shards" in err
    assert not (tmp_path / PLAN_NAME).exists()


def test_of_two_plans_that_start_at_the_same_moment_one_is_refused(model, tmp_path, monkeypatch):
    augmenter, check = GANAugmenter.load(model), ganaug.shards._check_is_for_shards

    def plan(seed):
        return ganaug.shards.open_shards(tmp_path / "new", augmenter, Origin(seed, ""), COUNTS, 40)

    def check_and_let_the_other_in(directory):
        check(directory)
        monkeypatch.setattr("ganaug.shards._check_is_for_shards", check)
        plan(seed=9)

    monkeypatch.setattr("ganaug.shards._check_is_for_shards", check_and_let_the_other_in)
    with pytest.raises(InvalidInputError, match="another model, seed"):
        plan(seed=0)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [PLAN_NAME]
    assert plan(seed=9).seed == 9


def test_a_count_is_spread_evenly(sample, tmp_path):
    code, out, err = sample("--count", 5, "--out", tmp_path / "new", "--json", counts={})
    assert code == 0, err
    assert json.loads(out)["written"] == {"bag": 3, "boot": 2}


def test_every_sample_stands_in_one_shard():
    for counts, size in (((70, 45, 0), 40), ((3, 1, 9), 2), ((1, 0, 0), 5)):
        plan = ShardPlan("", 0, ("a", "b", "c"), counts, size)
        for code, n in enumerate(counts):
            shares = [i for shard in range(plan.n_shards) for i in plan.share(code, shard)]
            assert shares == list(range(n))


def decode(sample):
    """What is known to be in a shard, and none of webdataset's own decoders: some load pickles."""
    with Image.open(io.BytesIO(sample["png"])) as picture:
        return np.array(picture), int(sample["cls"])


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves them
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_data_loader_reads_them_through_webdataset(shards):
    webdataset = pytest.importorskip("webdataset")
    urls = [str(path) for path in sorted(shards.glob("*.tar"))]
    dataset = webdataset.WebDataset(urls, shardshuffle=False).map(decode)
    batches = list(DataLoader(dataset, batch_size=16, num_workers=0))
    images = np.concatenate([images.numpy() for images, _ in batches])
    classes = np.concatenate([labels.numpy() for _, labels in batches])
    _, wanted, pngs, _ = zip(*read(shards), strict=True)
    assert classes.tolist() == [int(code) for code in wanted]
    assert np.array_equal(images[0], np.asarray(Image.open(io.BytesIO(pngs[0]))))
    assert images.shape == (115, 8, 8)
    del dataset
    gc.collect()  # now, where its warnings are ignored
