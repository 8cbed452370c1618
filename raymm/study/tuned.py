"""What tuning.json holds: the trials of each arm, and which was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.records import JsonRecord

if TYPE_CHECKING:
    from raymm.study.store import Study

__all__ = [
    "SavedArm",
    "SavedTrial",
    "SavedTuning",
    "read_tuning",
    "settings_of",
    "trials_finished",
    "write_tuning",
]


class SavedTrial(BaseModel):
    """What was drawn for a trial, and its best validation score; None where it did not finish."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    settings: dict[str, Any]
    score: float | None


class SavedArm(BaseModel):
    """The trials of an arm on a data set, and the number of the one that was chosen; None where it is not yet."""

    model_config = ConfigDict(strict=True)

    data: str
    arm: str
    chosen: int | None
    trials: list[SavedTrial]

    @property
    def finished(self) -> int:
        """Trials that have a score."""
        return sum(trial.score is not None for trial in self.trials)


class SavedTuning(JsonRecord):
    """A tuning.json."""

    error = CheckpointError
    remedy = "delete it: trials that are finished are read again"

    arms: list[SavedArm]


def read_tuning(study: Study) -> list[SavedArm]:
    """The arms whose trials were saved so far."""
    file = study.path / layout.TUNING_JSON
    return SavedTuning.read(file).arms if file.exists() else []


def write_tuning(study: Study, arms: Sequence[SavedArm]) -> None:
    """Save the trials of arms."""
    write_json(study.path / layout.TUNING_JSON, {"arms": [arm.model_dump(mode="json") for arm in arms]})


def settings_of(arms: Iterable[SavedArm]) -> dict[tuple[str, str], dict[str, Any]]:
    """By data set and arm, the settings that were chosen, of arms whose trials have decided."""
    return {(arm.data, arm.arm): arm.trials[arm.chosen].settings for arm in arms if arm.chosen is not None}


def trials_finished(study: Study) -> dict[tuple[str, str], int]:
    """By data set and arm, how many trials have finished, of arms that lack some."""
    return {(arm.data, arm.arm): arm.finished for arm in read_tuning(study) if arm.finished < len(arm.trials)}
