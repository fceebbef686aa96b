"""ganaug/inputs/files.py, pictures.py, npz.py and ganaug/naming.py: reading what lies on a disk"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import unicodedata
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from ganaug.exceptions import GanaugError, GanaugWarning, InvalidInputError
from ganaug.inputs.files import labels_of_names, read_data
from ganaug.inputs.pictures import FORMATS
from ganaug.naming import class_of_folder, folder_of_class, printable

RNG = np.random.default_rng(0)


def picture(mode="RGB", size=(16, 12)):
    """A picture of random pixels; size is (width, height)."""
    width, height = size
    pixels = np.random.default_rng(width * height).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def make_tree(root, labels=("cat", "dog"), n=3, image=None, suffix="png"):
    """n pictures of each class; the first is root/cat/0.png."""
    for label in labels:
        (root / label).mkdir(parents=True)
        for i in range(n):
            (picture() if image is None else image).save(root / label / f"{i}.{suffix}")
    return root


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "photos")


def read(path, **options):
    return read_data(str(path), **options)


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_gives_images_labels_and_files_sorted_by_class_and_name(tree):
    data = read(tree)

    assert data.y == ["cat"] * 3 + ["dog"] * 3
    assert [file.name for file in data.files] == ["0.png", "1.png", "2.png"] * 2
    assert [image.size for image in data.X] == [(16, 12)] * 6
    assert data.groups is None


@pytest.mark.parametrize(
    "parts", [("train", "test"), ("Training", "val", "test", "notes"), ("train",)]
)
def test_a_folder_of_parts_is_refused_with_the_folders_to_give(parts, tmp_path):
    for part in parts:
        make_tree(tmp_path / part)

    with pytest.raises(InvalidInputError, match=f"It holds parts .* give .*{parts[0]}"):
        read(tmp_path)


def test_parts_are_refused_where_one_has_no_classes(tmp_path):
    make_tree(tmp_path / "train")
    make_tree(tmp_path, labels=("test",))

    with pytest.raises(InvalidInputError, match="give .*train"):
        read(tmp_path)


def test_a_class_called_train_is_a_class(tmp_path):
    data = read(make_tree(tmp_path, labels=("bus", "train", "tram")))

    assert set(data.y) == {"bus", "train", "tram"}


def test_what_ganaug_has_written_beside_the_classes_is_left_out_and_told(tree):
    make_tree(tree / "synthetic")
    record = {"file": "cat/0.png", "class": "cat", "kind": "synthetic", "seed": 0, "model": ""}
    (tree / "synthetic" / "manifest.jsonl").write_text(json.dumps(record))
    make_tree(tree / "more.partial")

    with pytest.warns(GanaugWarning) as caught:
        data = read(tree)

    assert set(data.y) == {"cat", "dog"}
    told = " ".join(str(warning.message) for warning in caught)
    assert "synthetic is left out: ganaug has written it" in told
    assert "more.partial is left out: ganaug has not finished it" in told


def test_linked_folders_are_read_once_and_told_where_they_lead_out(tree, tmp_path):
    elsewhere = make_tree(tmp_path / "elsewhere")
    (tree / "cat" / "more").symlink_to(elsewhere / "cat")
    (tree / "cat" / "round").symlink_to(tree / "cat")

    with pytest.warns(GanaugWarning, match="3 images are read by links that lead out of"):
        data = read(tree)

    assert data.y.count("cat") == 6


def test_files_of_other_kinds_are_counted_in_one_line(tree):
    for name in ("a.heic", "b.HEIC", "c.avif", "notes.txt", "paper.pdf", "LICENSE"):
        (tree / "cat" / name).write_bytes(b"%PDF")
    (tree / "top.png").write_bytes(b"")
    (tree / "cat" / ".hidden.png").write_bytes(b"")
    os.mkfifo(tree / "cat" / "pipe.png")

    with pytest.warns(GanaugWarning) as caught:
        data = read(tree)

    assert len(data.y) == 6
    (message,) = [str(warning.message) for warning in caught]
    for said in (
        "left out (8)",
        "2 .heic",
        "1 .avif",
        "1 .pdf",
        "1 without a suffix",
        "1 no ordinary files",
    ):
        assert said in message


def test_a_folder_without_an_image_is_no_class_and_named(tree):
    (tree / "zebra").mkdir()
    (tree / "zebra" / "a.heic").write_bytes(b"")

    with pytest.warns(GanaugWarning) as caught:
        data = read(tree)

    assert set(data.y) == {"cat", "dog"}
    assert any(
        "No class, for want of an image that can be read: zebra" in str(warning.message)
        for warning in caught
    )


def test_a_class_name_is_the_same_however_its_accents_are_written(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Käfer")

    data = read(make_tree(tmp_path, labels=(decomposed, "dog")))

    assert set(data.y) == {"Käfer", "dog"}
    assert labels_of_names({decomposed: 2}, data.y) == {"Käfer": 2}


def test_limits_are_drawn_by_the_seed_before_anything_is_decoded(tree):
    (tree / "dog" / "1.png").write_bytes(b"broken")

    kept = {seed: read(tree, limits={"dog": 1}, seed=seed).files[3:] for seed in range(30, 33)}

    assert all(len(files) == 1 for files in kept.values())
    assert kept[30] == read(tree, limits={"dog": 1}, seed=30).files[3:]


def test_progress_sees_every_file(tree):
    seen = []

    def progress(positions):
        for position in positions:
            seen.append(position)
            yield position

    read(tree, progress=progress)

    assert seen == [*range(6), *range(6)]  # headers, and pixels


# --- single pictures -----------------------------------------------------------------------------


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"


def as_bytes(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


AVIF = (
    as_bytes(picture(), "AVIF")
    if features.check("avif")
    else b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf"
)


@pytest.mark.parametrize(
    "content",
    [b"hello", b"", POSTSCRIPT, as_bytes(picture(), "PNG")[:200], as_bytes(picture(), "PDF"),
     as_bytes(picture(), "ICO"), as_bytes(picture(), "TGA"), AVIF],
    ids=["text", "empty", "postscript", "half", "pdf", "ico", "tga", "avif"],
)  # fmt: skip
def test_a_file_that_is_no_picture_is_named(content, tree):
    (tree / "dog" / "1.png").write_bytes(content)

    with pytest.raises(InvalidInputError, match=r"dog/1\.png is not a readable image of the form"):
        read(tree)


def test_postscript_by_another_name_starts_no_program(tree, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    (tree / "cat" / "0.png").write_bytes(POSTSCRIPT)

    with pytest.raises(InvalidInputError):
        read(tree)

    assert not (tmp_path / "ran").exists()


def test_only_formats_without_helpers_are_opened():
    assert set(FORMATS) & {"EPS", "PDF", "WMF", "MPEG", "FPX", "MIC"} == set()


def test_a_bomb_is_refused_by_its_header(tree, monkeypatch):
    (tree / "dog" / "1.png").write_bytes(as_bytes(Image.new("1", (12_000, 12_000)), "PNG"))
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is decoded

    with pytest.raises(InvalidInputError, match=r"dog/1\.png has 12000 x 12000 pixels, more than"):
        read(tree, resize=(8, 8))


def test_large_pictures_need_a_size_to_be_scaled_to(tree):
    picture(size=(200, 100)).save(tree / "dog" / "1.png")

    with pytest.raises(InvalidInputError, match=r"1\.png has 100 x 200.*--resize"):
        read(tree)

    assert {image.size for image in read(tree, resize=(8, 10)).X} == {(10, 8)}


def test_pictures_of_two_sizes_are_named(tree):
    picture(size=(20, 20)).save(tree / "dog" / "1.png")

    with pytest.raises(InvalidInputError, match=r"cat/0\.png is 12x16, .*dog/1\.png 20x20.*resize"):
        read(tree)


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (("RGB", "L"), "RGB"),
        (("RGB", "RGBA"), "RGB"),
        (("L", "LA"), "L"),
        (("RGBA", "LA"), "RGBA"),
        (("L", "P"), "RGB"),
        (("RGB", "1"), "RGB"),
        (("L", "1"), "L"),
    ],
)
def test_mixed_modes_are_brought_to_one_and_the_odd_files_named(modes, expected, tree):
    usual, odd = modes
    for file in sorted(tree.rglob("*.png")):
        picture(usual).save(file)
    picture(odd).save(tree / "dog" / "1.png")

    with pytest.warns(GanaugWarning, match=r"1 file are not|dog/1\.png.*"):
        data = read(tree)

    assert {image.mode for image in data.X} == {expected}


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [("CMYK", "JPEG", "RGB"), ("P", "GIF", "RGB"), ("1", "PNG", "1"), ("I;16", "PNG", "I;16"),
     ("I;16B", "TIFF", "I;16"), ("F", "TIFF", "F"), ("L", "PPM", "L"), ("RGB", "WEBP", "RGB")],
)  # fmt: skip
@pytest.mark.parametrize("resize", [None, (8, 8)])
def test_files_of_one_kind_are_read_without_a_word(mode, kind, expected, resize, tmp_path):
    if mode == "I;16B":
        image = Image.frombytes(mode, (16, 12), np.arange(192).astype(">u2").tobytes())
    elif mode == "I;16":
        image = Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300)
    else:
        image = picture().convert("F") if mode == "F" else picture(mode)
    suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(kind, kind.lower())

    data = read(make_tree(tmp_path / "t", image=image, suffix=suffix), resize=resize)

    wanted = "L" if mode == "1" and resize else expected
    assert {image.mode for image in data.X} == {wanted}
    if mode == "I;16B" and resize is None:
        assert np.asarray(data.X[0]).ravel().tolist() == list(range(192))
    if mode == "I;16" and resize is not None:
        assert np.asarray(data.X[0]).max() > 40_000  # not clipped to a byte


def test_another_depth_is_refused_by_name(tree):
    Image.fromarray(np.full((12, 16), 3000, np.uint16)).save(tree / "dog" / "1.png")

    with pytest.raises(InvalidInputError, match=r"dog/1\.png is of Pillow's mode I;16"):
        read(tree)


def test_photos_are_turned_upright(tmp_path):
    upright = picture("L", size=(16, 24)).resize((16, 24))
    exif = Image.Exif()
    exif[0x0112] = 6
    make_tree(tmp_path / "t", image=upright)
    for file in sorted((tmp_path / "t").rglob("1.png")):
        turned = upright.transpose(Image.Transpose.ROTATE_90)
        turned.save(file.with_suffix(".jpg"), exif=exif, quality=100)
        file.unlink()

    data = read(tmp_path / "t")

    assert {image.size for image in data.X} == {(16, 24)}
    difference = np.asarray(data.X[0], float) - np.asarray(data.X[1], float)
    assert np.abs(difference).mean() < 12


def test_the_first_frame_of_several_is_used_and_told(tree):
    frames = [picture("L", size=(16, 12)), Image.new("L", (16, 12))]
    frames[0].convert("RGB").save(
        tree / "cat" / "0.tif", save_all=True, append_images=[frames[1].convert("RGB")]
    )
    (tree / "cat" / "0.png").unlink()

    with pytest.warns(GanaugWarning, match=r"Several frames.*cat/0\.tif"):
        read(tree)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_memory_is_bounded_by_one_picture(suffix, tmp_path):
    large = Image.linear_gradient("L").resize((2400, 1800)).convert("RGB")
    make_tree(tmp_path / "t", n=12, image=large, suffix=suffix)
    code = """
import resource, sys
from ganaug.inputs.files import read_data
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = read_data(sys.argv[1], resize=(32, 32))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    arguments = [sys.executable, "-c", code, str(tmp_path / "t")]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)

    one_picture = 2400 * 1800 * 4 / 1024
    assert int(run.stdout) < 4 * one_picture  # kept whole, they would take 24 times as much


# --- tables of files -----------------------------------------------------------------------------


@pytest.fixture
def table(tree):
    """A .csv beside pictures in no particular folders."""

    def write(text):
        (tree / "labels.csv").write_text(text, encoding="utf-8")
        return tree / "labels.csv"

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_gives_files_labels_and_groups(delimiter, table):
    lines = ["id,Filename,patient,Label,group", "1,cat/0.png,x,sick,A", "2,dog/1.png,y,well,B"]

    data = read(table("\n".join(lines).replace(",", delimiter)))

    assert data.y == ["sick", "well"]
    assert data.groups.tolist() == ["A", "B"]
    assert [str(file)[-9:] for file in data.files] == ["cat/0.png", "dog/1.png"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "cat/link.png", "cat/../../x"])
def test_a_table_names_nothing_outside_its_folder(name, table, tree):
    (tree / "cat" / "link.png").symlink_to(tree.parent / "secret.png")
    picture().save(tree.parent / "secret.png")

    with pytest.raises(InvalidInputError, match=r"line 2 .*must lie in the folder of the \.csv"):
        read(table(f"file,label\n{name},cat\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("file,label\n", "no line"),
        ("name,kind\ncat/0.png,cat\n", "must name a column 'file'"),
        ("file,label\ncat/0.png\n", "line 2 .* 2 columns"),
        ("file,label\ncat/0.png,\n", "line 2 .* one label"),
        ("file,label\ncat/0.png,cat\ncat/0.png,dog\n", "line 3 .* one label"),
        ("file,label\ncat/9.png,cat\n", r"cat/9\.png is not a readable image"),
        ("file,label\ncat,cat\n", "cat is not a readable image"),
        ('file,label\n"cat/0.png,cat\n', r"must be a \.csv file"),
        ("file,label\ncat/0\x00.png,cat\n", r"\.csv file|no file name"),
    ],
)
def test_mistakes_in_a_table_are_named_by_line(text, said, table):
    with pytest.raises(InvalidInputError, match=said):
        read(table(text))


def test_a_table_in_another_encoding_is_refused(tree):
    (tree / "labels.csv").write_bytes("file,label\ncat/0.png,Käfer\n".encode("latin-1"))

    with pytest.raises(InvalidInputError, match="UTF-8"):
        read(tree / "labels.csv")


# --- .npz ----------------------------------------------------------------------------------------

X = RNG.integers(0, 255, (6, 8, 8), np.uint8)
Y = np.array(["cat", "dog"] * 3)


@pytest.mark.parametrize(
    ("train_names", "test_names"),
    [(("X", "y"), None), (("x_train", "y_train"), ("x_test", "y_test")),
     (("train_images", "train_labels"), ("test_images", "test_labels"))],
)  # fmt: skip
@pytest.mark.parametrize("name", ["data.npz", "DATA.NPZ"])
def test_arrays_are_found_by_their_usual_names(train_names, test_names, name, tmp_path):
    arrays = dict(zip(train_names, (X, Y), strict=True))
    if test_names is not None:
        arrays |= dict(zip(test_names, (X[:2], Y[:2]), strict=True))
    with (tmp_path / name).open("wb") as file:
        np.savez_compressed(file, **arrays)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read(tmp_path / name)
        test = read(tmp_path / name, train=False)

    assert np.array_equal(data.X, X)
    assert np.array_equal(data.y, Y)
    assert len(test.X) == (6 if test_names is None else 2)
    said = [str(warning.message) for warning in caught]  # which part is read
    assert len(said) == (0 if test_names is None else 2)
    assert all(" are read, not " in message for message in said)


def test_groups_are_limited_with_their_samples(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=Y, groups=np.arange(6))

    data = read(tmp_path / "data.npz", limits={"dog": 1})

    assert data.y.tolist() == ["cat"] * 3 + ["dog"]
    assert np.array_equal(data.X, X[data.groups])


def encrypted(path):
    """Mark members as encrypted, as tools that do so mark them."""
    np.savez(path, X=X, y=Y)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 4)
    path.write_bytes(bytes(content))


def with_header(path, shape, follows=b"\0" * 64):
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", file.getvalue() + follows)
        archive.writestr("y.npy", file.getvalue() + follows)


NPY = io.BytesIO()
np.save(NPY, X)

BAD_ARCHIVES = {
    "objects": (lambda path: np.savez(path, X=X, y=Y.astype(object)), "array of dtype str"),
    "other names": (lambda path: np.savez(path, a=X, b=Y), "Got a, b instead"),
    "no y": (lambda path: np.savez(path, X=X), "Got X instead"),
    "empty": (lambda path: path.write_bytes(b""), "arrays X and y"),
    "encrypted": (encrypted, "encrypted"),
    "one array": (lambda path: path.write_bytes(NPY.getvalue()), r"single array \(\.npy\)"),
    "lying header": (lambda path: with_header(path, (10**12,)), "damaged"),
    "negative": (lambda path: with_header(path, (-1, -8)), "damaged"),
    "more than is told": (lambda path: with_header(path, (4,)), "more bytes than its header"),
    "one value": (lambda path: np.savez(path, X=np.float64(1), y=Y), "one entry per sample"),
    "a pipe": (os.mkfifo, "no ordinary file"),
    "a folder": (lambda path: path.mkdir(), "no ordinary file"),
    "nothing": (lambda path: None, "does not exist"),
    "groups of others": (lambda path: np.savez(path, X=X, y=Y, groups=Y[:2]), "`groups`"),
}


@pytest.mark.parametrize("what", BAD_ARCHIVES)
def test_archives_that_cannot_be_read_are_refused_with_the_reason(what, tmp_path):
    make, said = BAD_ARCHIVES[what]
    make(tmp_path / "data.npz")

    with pytest.raises(InvalidInputError, match=said):
        read(tmp_path / "data.npz")


def test_an_archive_larger_than_the_memory_is_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    monkeypatch.setattr(os, "sysconf", lambda name: 15)

    with pytest.raises(InvalidInputError, match="more than this machine's memory"):
        read(tmp_path / "data.npz")


@pytest.mark.parametrize("kind", ["npz", "png", "jpg", "tif", "gif", "webp"])
def test_damage_gives_no_foreign_error(kind, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "t" / "data.npz" if kind == "npz" else tmp_path / "t" / "cat" / f"0.{kind}"
    if kind == "npz":
        path.parent.mkdir()
        np.savez(path, X=X, y=Y)
    else:
        make_tree(tmp_path / "t", n=1, suffix=kind)
    content = path.read_bytes()
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(bytes(damaged[: rng.integers(1, len(damaged) + 1)]))
        with contextlib.suppress(GanaugError, GanaugWarning):
            read(path if kind == "npz" else tmp_path / "t", resize=(8, 8))


# --- names ---------------------------------------------------------------------------------------


@given(st.text())
def test_a_class_names_a_folder_safely_and_comes_back(name):
    folder = folder_of_class(name)

    assert class_of_folder(folder) == name
    assert folder
    assert folder == printable(folder) or not set(folder) & set("\0/\\\n\r\x1b")
    assert folder not in (".", "..")
    assert not folder.startswith(".")
    assert not set(folder) & set('\0/\\:*?"<>|')


def test_control_characters_are_shown_as_escapes():
    assert printable("a\x1b[31m\nb\0") == "a\\x1b[31m\\nb\\x00"
    assert printable("Käfer 猫") == "Käfer 猫"


@pytest.mark.parametrize("data", ["imagse", "x.csv", "x.npz", "a" * 5000])
def test_what_does_not_exist_is_said_not_to(data):
    with pytest.raises(InvalidInputError, match="does not exist"):
        read(data)
