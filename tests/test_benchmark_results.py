"""The runner, the format of results, the store, and tables that say what the results say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmarks import __main__ as runner
from benchmarks import figures, pitfalls, tables
from benchmarks.results import FOLDER, Store, check, new_result, read, spread, to_text, write

FILES = sorted(FOLDER.glob("*.json"))


def result(**measured):
    return new_result("cnn", "python -m benchmarks cnn", range(2), measured)


# --- the committed results ---------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_committed_results_are_in_the_format_and_name_no_path(path):
    found = read(path)
    check(found)
    assert path.read_text(encoding="utf-8") == to_text(found)
    if "scores" in found:
        assert set(found["spread"]) == set(found["scores"])
        for arms in found["scores"].values():
            assert {len(values) for values in arms.values()} == {len(found["seeds"])}


def test_all_pages_say_what_the_results_say():
    tables.main(["--check"])


def test_every_result_is_shown_somewhere():
    text = "".join(page.read_text(encoding="utf-8") for page in tables.pages(tables.ROOT))
    shown = {name.partition(":")[0] for _, name, _ in tables.PLACE.findall(text)}
    assert {path.stem for path in FILES} <= shown


@pytest.mark.parametrize("name", figures.FIGURES)
def test_figures_are_those_of_the_results_and_shown_somewhere(name):
    path = FOLDER / f"{name}.json"
    if path.exists():
        with Image.open(figures.IMAGES / f"{name}.png") as picture:
            assert picture.info["Source"] == figures.digest(path)
        assert any(f"images/{name}.png" in page.read_text() for page in tables.pages(tables.ROOT))


# --- the format --------------------------------------------------------------------------------


def test_a_list_of_numbers_is_one_line_and_comes_back(tmp_path):
    scores = {"a table with a name": {f"arm {i}": [0.5, 1 / 3] for i in range(5)}}
    made = result(scores=scores, n={"train": np.array([4, 2])})
    write(tmp_path / "r.json", made)

    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    found = read(tmp_path / "r.json")

    assert '   "arm 0": [0.5, 0.333333],\n' in text
    assert found["scores"]["a table with a name"]["arm 4"] == [0.5, 0.333333]
    assert found["n"] == {"train": [4, 2]}
    assert found["machine"]["cores"] >= 1
    assert list(tmp_path.iterdir()) == [tmp_path / "r.json"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("--data-dir /home/ada/data --out=/tmp/r.json", "--data-dir data --out=r.json"),
        ("OSError: '/srv/sets/MNIST/raw' (~/sets is empty)", "OSError: 'raw' (sets is empty)"),
        ("see https://packages.example/simple, or http://10.0.0.1:80", "see ADDRESS, or ADDRESS"),
        ("--out results/r.json, images/s, 1 / 2, and/or", None),
    ],
)
def test_results_name_no_directory_and_no_address(text, kept):
    made = result(values={"failed": [text]})

    assert json.loads(to_text(made))["values"]["failed"] == [kept or text]


def test_what_is_not_a_number_is_null():
    assert json.loads(to_text(result(values={"x": float("nan")})))["values"] == {"x": None}


def test_results_that_are_too_large_or_incomplete_are_refused():
    with pytest.raises(ValueError, match=r"at most 50,000 bytes. Got \d+,"):
        check(result(values={"x": list(range(20_000))}))
    with pytest.raises(ValueError, match="It lacks what was measured"):
        check(result())
    with pytest.raises(ValueError, match="It lacks command"):
        check({k: v for k, v in result(values={}).items() if k != "command"})


def test_the_spread_is_over_draws_and_leaves_failures_out():
    found = spread({"t": {"a": [0.1, 0.3], "b": [0.1, None], "c": [0.5, None, 0.7]}})

    assert found == {"t": {"a": 0.14142, "b": None, "c": 0.14142}}


# --- the store ---------------------------------------------------------------------------------


def test_what_is_finished_is_not_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"score": (0.25, np.float64(0.5))}

    first = Store(tmp_path / "run", {"shares": (0.1, 0.2)}).once("draw-0", make)
    again = Store(tmp_path / "run", {"shares": [0.1, 0.2]}).once("draw-0", make)

    assert first == again == {"score": [0.25, 0.5]}
    assert made == [1]


def test_a_run_of_other_settings_is_not_resumed(tmp_path):
    Store(tmp_path, {"task": "digits", "steps": 4})

    with pytest.raises(SystemExit, match=r"steps: 4 there, 5 now.*another --out"):
        Store(tmp_path, {"task": "digits", "steps": 5})


def test_a_failed_unit_is_tried_again(tmp_path):
    store = Store(tmp_path, {})
    with pytest.raises(ZeroDivisionError):
        store.once("draw-0", lambda: 1 / 0)

    assert store.once("draw-0", lambda: 7) == 7


# --- the runner --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", runner.NAMES)
def test_every_benchmark_has_help(name, capsys):
    with pytest.raises(SystemExit) as stop:
        runner.main([name, "--help"])

    assert stop.value.code == 0
    assert "--data-dir" in capsys.readouterr().out


def test_mistakes_end_a_run_before_it_begins(capsys):
    for arguments in (["nothing"], ["pitfalls", "--draws", "0"]):
        with pytest.raises(SystemExit) as stop:
            runner.main(arguments)
        assert stop.value.code == 2
    assert "--draws must be 1 or more. Got 0." in capsys.readouterr().err


def test_commands_are_kept_so_that_anybody_can_run_them(tmp_path, monkeypatch, capsys):
    scores = dict.fromkeys([*pitfalls.WAYS, pitfalls.TRUTH], 0.5)
    monkeypatch.setattr(
        pitfalls, "MISTAKES", {pitfalls.OVER_SAMPLING: lambda *args, **given: scores}
    )
    out = tmp_path / "a result.json"
    runner.main(["pitfalls", "--draws", "2", f"--data-dir={tmp_path}", "--out", str(out)])

    command = read(out)["command"]
    assert command.startswith(f"python -m benchmarks pitfalls --draws 2 --data-dir={tmp_path.name}")
    assert str(tmp_path.parent) not in out.read_text(encoding="utf-8")


# --- tables ------------------------------------------------------------------------------------


def test_tables_are_put_between_their_markers(tmp_path, monkeypatch):
    write(tmp_path / "some.json", result(values={}))
    monkeypatch.setattr("benchmarks.cnn.describe", lambda result: r"| \d |")
    monkeypatch.setattr("benchmarks.cnn.describe_short", lambda result: "short")
    page = (
        "a\n<!-- table: some -->\nold\n<!-- end table -->\nb\n"
        "<!-- table: some:short -->\n<!-- end table -->"
    )

    filled = tables.fill(page, tmp_path)

    assert filled == (
        "a\n<!-- table: some -->\n| \\d |\n<!-- end table -->\nb\n"
        "<!-- table: some:short -->\nshort\n<!-- end table -->"
    )
    assert tables.fill(filled, tmp_path) == filled


def test_pages_that_differ_are_named(tmp_path, monkeypatch):
    write(tmp_path / "some.json", result(values={}))
    monkeypatch.setattr("benchmarks.cnn.describe", lambda result: "made")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    page = tmp_path / "README.md"
    page.write_text("<!-- table: some -->\n<!-- end table -->\n", encoding="utf-8")

    with pytest.raises(SystemExit, match=r"README.md: not what `python -m benchmarks.tables`"):
        tables.main(["--check"])
    tables.main([])
    tables.main(["--check"])

    assert "made" in page.read_text(encoding="utf-8")


# --- figures -----------------------------------------------------------------------------------


def test_a_figure_says_of_which_result_it_is(tmp_path, monkeypatch):
    write(tmp_path / "some.json", result(values={}))
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    monkeypatch.setattr(figures, "IMAGES", tmp_path)
    monkeypatch.setattr(figures, "FIGURES", {"some": lambda result: Figure(), "none": None})

    figures.main()
    with Image.open(tmp_path / "some.png") as picture:
        before = picture.info["Source"]

    assert before == figures.digest(tmp_path / "some.json")
    write(tmp_path / "some.json", result(values={"more": 1}))
    assert before != figures.digest(tmp_path / "some.json")
