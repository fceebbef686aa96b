"""The audit's question whether synthetic images look processed."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ganaug.audit.context import Context, ModelRecord
from ganaug.audit.questions import find_questions, tell_tale
from ganaug.audit.results import Level, Missing
from ganaug.audit.samples import Labelled, check_samples


@pytest.fixture(scope="module")
def halves():
    X, y = load_digits(return_X_y=True)
    values = (X * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(y))
    return [Labelled(values[part], y[part].astype(np.int64)) for part in np.split(order[:1600], 2)]


def measure(training, synthetic):
    names = tuple(map(str, range(10)))
    samples = check_samples(training, synthetic, None, names)
    return tell_tale.measure(Context(samples, ModelRecord(), 0))


def test_real_images_cannot_be_told_from_real_ones(halves):
    measured = measure(*halves)

    for area in measured.figures.values():
        assert area.low < 0.55
        assert area.high < 0.62
    assert measured.findings[0].level is Level.FINE


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda values, rng: values + rng.integers(0, 12, values.shape), "share of black, lower"),
        (lambda values, rng: values // 16 * 12, "higher|lower"),
    ],
)
def test_what_gives_images_away_is_named(halves, change, named):
    real, other = halves
    rng = np.random.default_rng(1)
    changed = np.clip(change(other.values.astype(int), rng), 0, 255).astype(np.uint8)

    measured = measure(real, Labelled(changed, other.labels))

    assert measured.figures["statistics"].low > 0.75
    assert measured.findings[0].level in (Level.DOUBTFUL, Level.POOR)
    assert np.any([word in measured.findings[0].text for word in named.split("|")])


def test_few_images_tell_nothing_and_tables_are_not_asked(halves):
    real, other = halves
    few = Labelled(other.values[:20], other.labels[:20])
    flat = [Labelled(s.values.reshape(-1, 64).astype(np.float32), s.labels) for s in halves]

    assert isinstance(measure(real, few), Missing)
    assert measure(*flat) is None


def test_the_audit_asks_it_after_fidelity():
    names = [question.NAME for question in find_questions()]

    assert names.index("tell_tale") == names.index("fidelity") + 1
