"""What the JSON files in the folder of a sweep hold."""

from typing import Any

from pydantic import Field

from raymm.errors import CheckpointError
from raymm.storage.records import JsonRecord
from raymm.sweep.rows import Status
from raymm.training.saved_state import WithConfig

__all__ = ["SavedBest", "SavedCurrent", "SavedOutcome", "SavedPointer", "SavedSweep", "SavedTrial"]


class _Saved(JsonRecord):
    error = CheckpointError
    remedy = "bring back a good copy of the sweep, for example from its mirror"


class SavedSweep(_Saved, WithConfig):
    """A sweep.json; `plan` are the settings of the search."""

    key: str
    data: str
    digest: str
    mirror: str | None = None
    plan: dict[str, Any]


class SavedTrial(_Saved):
    """A trial.json."""

    number: int = Field(ge=0)
    key: str
    sampled: dict[str, Any]
    config: dict[str, Any]


class SavedOutcome(_Saved):
    """An ended.json; without it the trial is pending."""

    remedy = "delete it, and the trial is run again"

    status: Status
    epochs: int = Field(ge=0)
    cause: str = ""


class SavedCurrent(_Saved):
    """A current.json: the folder and the settings of the runs that a trial has now."""

    folder: str = Field(pattern=r"^[^/\\]+$")
    config: dict[str, Any]


class SavedBest(_Saved):
    """A best.json: the trial that is tagged as the best."""

    remedy = "delete it; it is written anew"

    key: str
    trial: str


class SavedPointer(_Saved):
    """A pointer.json, by which a trial of a population finds the runs that it continues."""

    trial: str
    epochs: int = Field(ge=0)
    runs: list[str]
