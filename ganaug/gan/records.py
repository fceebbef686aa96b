"""What the monitor saw, as it stands in files: declared here, and checked when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

from ganaug.gan.monitor import REMEDIES, Alarm
from ganaug.jsonable import SchemaError

__all__ = ["AlarmRecord", "EvaluationRecord", "Rung", "RungName", "check_records"]

RungName = Literal[
    "further training", "other step sizes", "slower discriminator", "second discriminator"
]


class AlarmRecord(TypedDict):
    """An `Alarm` in a record."""

    kind: str
    class_code: int | None
    value: float


class EvaluationRecord(TypedDict):
    """What was seen at one moment of a training."""

    images_seen: int
    seconds: float
    discriminator_loss: float
    generator_loss: float
    real_logit: float
    fake_logit: float
    distance: NotRequired[float]
    variety: NotRequired[list[float]]
    alarms: list[AlarmRecord]
    rung: NotRequired[RungName]


@dataclass(frozen=True)
class Rung:
    """A remedy that was tried after an alarm, and what it did.

    ``distance`` is the monitor's, of the rung's best weights; ``kept`` whether these were better
    than those before it.
    """

    name: RungName
    images_seen: int
    alarms_before: tuple[Alarm, ...]
    alarms: tuple[Alarm, ...]
    distance: float
    kept: bool


def check_records(
    history: Sequence[EvaluationRecord],
    alarms: Sequence[Alarm],
    n_classes: int,
    where: str,
    rungs: Sequence[Rung] = (),
) -> None:
    """Refuse records and alarms that are not of so many classes."""
    for raised in (alarms, *(part for r in rungs for part in (r.alarms_before, r.alarms))):
        _check_alarms(raised, n_classes, where)
    for record in history:
        _check_alarms([Alarm(**alarm) for alarm in record["alarms"]], n_classes, where)
        n_varieties = len(record.get("variety", range(n_classes)))
        if n_varieties != n_classes:
            raise SchemaError(
                f"`{where}.history` must have the variety of {n_classes} classes. Got that of "
                f"{n_varieties} instead."
            )


def _check_alarms(alarms: Sequence[Alarm], n_classes: int, where: str) -> None:
    for alarm in alarms:
        code = alarm.class_code
        if alarm.kind not in REMEDIES or not (code is None or 0 <= code < n_classes):
            raise SchemaError(
                f"`{where}.alarms` must be known ones, of {n_classes} classes. Got {alarm!r:.120} "
                "instead."
            )
