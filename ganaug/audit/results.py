"""What a question of the audit hands back: figures or why there are none, findings, contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from ganaug.jsonable import jsonable, plain_scalar

if TYPE_CHECKING:
    from ganaug.audit.content import Block

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class Level(StrEnum):
    """How something was judged; what was not measured counts least."""

    UNKNOWN = "not measured"
    FINE = "fine"
    DOUBTFUL = "doubtful"
    POOR = "poor"


def worst(levels: Iterable[Level]) -> Level:
    """Return the worst level."""
    return max(levels, key=list(Level).index, default=Level.UNKNOWN)


@dataclass(frozen=True)
class Missing:
    """In the place of a figure: why there is none."""

    reason: str
    """In full, for example "11 real and 67 synthetic samples; at least 20 of each are needed"."""
    brief: str = "too few samples"
    """In two or three words, for a table."""
    advice: str = ""
    """What to do to get one, for the summary."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval, and the samples behind it."""

    value: float
    low: float
    high: float
    n_samples: int


@dataclass(frozen=True)
class Comparison:
    """One measure of fake samples beside the same measure of real samples."""

    value: float
    low: float
    high: float
    """Real against fake: mean over the repeats, and the middle 95% of them."""
    floor: float
    floor_low: float
    floor_high: float
    """Real against other real samples, in the same way."""
    gap_low: float
    gap_high: float
    """Middle 95% of the difference (value minus floor) over the repeats, which share samples."""
    n_samples: int
    """Samples on each side in every repeat."""


Figure: TypeAlias = Comparison | Estimate | Missing


@dataclass(frozen=True)
class Figures:
    """Figures by name: of all classes at once, and of each class."""

    overall: Mapping[str, Figure]
    per_class: Mapping[str, Mapping[str, Figure]]


@dataclass(frozen=True)
class Finding:
    """One sentence of the summary, or mere advice."""

    level: Level
    """Anything but fine stands among what is doubtful."""
    text: str = ""
    """A sentence that opens with what it is about; empty for mere advice."""
    advice: str = ""
    """What to do about it; ``{classes}`` in it stands for the classes concerned."""
    classes: tuple[str, ...] = ()
    """Classes concerned."""
    unfit: bool = False
    """Whether these classes should get no synthetic samples at all, which voids other advice."""
    opening: str = ""
    """What the headline opens with, where this is worse than anything else."""


@dataclass(frozen=True)
class Measure:
    """What a question found."""

    figures: object
    """A frozen dataclass, or a mapping, of all that was measured; `plain` makes JSON of it."""
    findings: tuple[Finding, ...] = ()
    """For the summary."""
    blocks: tuple[Block, ...] = ()
    """Tables, charts and pictures of the question's section in the report."""
    levels: Mapping[str, Level] | None = None
    """By class, where the question is one of single classes."""
    level: Level | None = None
    """Of the question as a whole, where it is judged as one."""


def plain(value: object) -> Json:
    """Return nested dataclasses, mappings and NumPy's values as what JSON can hold."""
    if isinstance(value, Missing):
        return {"reason": value.reason}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    found: Json = jsonable(plain_scalar(value))
    return found
