"""ganaug/exceptions.py"""

from __future__ import annotations

import pickle

import pytest
import sklearn.exceptions

from ganaug import exceptions
from ganaug.checks import check_option, did_you_mean, require_extra, warn_user
from ganaug.exceptions import GanaugError, GanaugWarning, InvalidInputError, MissingDependencyError

ERRORS_AND_EXPECTED_BASES = {
    "InvalidInputError": ValueError,
    "InvalidTypeError": TypeError,
    "NotFittedError": sklearn.exceptions.NotFittedError,
    "TrainingError": RuntimeError,
    "SamplingError": RuntimeError,
    "ModelFileError": OSError,
    "CheckpointError": RuntimeError,
    "MissingDependencyError": ImportError,
}
WARNINGS = ("SmallClassWarning", "FlattenedImagesWarning", "TrainingWarning")


@pytest.mark.parametrize(("name", "base"), ERRORS_AND_EXPECTED_BASES.items())
def test_every_error_is_ganaugs_and_the_expected_built_in_one(name, base):
    error = getattr(exceptions, name)("what went wrong")

    assert isinstance(error, GanaugError)
    assert isinstance(error, base)
    assert str(error) == "what went wrong"


@pytest.mark.parametrize("name", ERRORS_AND_EXPECTED_BASES)
def test_errors_cross_process_borders(name):
    # DataLoader workers and joblib send errors home as pickles
    error = pickle.loads(pickle.dumps(getattr(exceptions, name)("what went wrong")))

    assert type(error).__name__ == name
    assert str(error) == "what went wrong"


@pytest.mark.parametrize("name", WARNINGS)
def test_every_warning_is_ganaugs(name):
    assert issubclass(getattr(exceptions, name), GanaugWarning)


def test_the_docstring_draws_the_whole_hierarchy():
    classes = [name for name in exceptions.__all__ if isinstance(getattr(exceptions, name), type)]

    assert exceptions.__doc__ is not None
    assert [name for name in classes if name not in exceptions.__doc__] == []
    assert set(classes) == {
        *ERRORS_AND_EXPECTED_BASES,
        *WARNINGS,
        "GanaugError",
        "GanaugWarning",
    }


def test_the_intended_name_is_suggested_whatever_its_case():
    assert did_you_mean("Defualt", ["default", "classic"]) == " Did you mean 'default'?"
    assert did_you_mean("zebra", ["default", "classic"]) == ""
    assert did_you_mean(77, [7, 8]) == " Did you mean 7?"


def test_an_unknown_option_is_refused_with_what_is_allowed():
    with pytest.raises(InvalidInputError) as caught:
        check_option("recipe", "clasic", ["default", "classic"])

    assert str(caught.value) == (
        "`recipe` must be one of 'default', 'classic'. Got 'clasic' instead."
        " Did you mean 'classic'?"
    )


def test_true_is_not_the_option_1():
    check_option("depth", 1, [0, 1])
    with pytest.raises(InvalidInputError, match="Got True"):
        check_option("depth", True, [0, 1])


def test_an_installed_extra_is_returned():
    assert require_extra("os.path", "report").join("a", "b").endswith("b")


@pytest.mark.parametrize("module", ["ganaug_no_such_package", "ganaug_no_such_package.part"])
def test_a_missing_extra_gives_the_install_command(module):
    with pytest.raises(MissingDependencyError, match=r'pip install "ganaug\[report\]"') as caught:
        require_extra(module, "report")

    assert caught.value.name == "ganaug_no_such_package"


def test_a_broken_installed_module_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_extra.py").write_text("import ganaug_no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError) as caught:
        require_extra("broken_extra", "report")

    assert not isinstance(caught.value, MissingDependencyError)


def test_a_warning_points_at_the_first_line_outside_the_package():
    # called through two functions of the package, as from fit
    inside = {"__name__": "ganaug.somewhere", "warn_user": warn_user, "Category": GanaugWarning}
    exec("def inner(): warn_user('look here', Category)\ndef outer(): inner()", inside)

    with pytest.warns(GanaugWarning, match="look here") as caught:
        inside["outer"]()

    assert caught[0].filename == __file__
