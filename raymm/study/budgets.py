"""What pilots.json holds: budgets, what an epoch of each arm costs, and the epochs that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.records import JsonRecord
from raymm.study.settings import JOINT

if TYPE_CHECKING:
    from raymm.study.store import Study

__all__ = ["Match", "matched_pairs", "read_matches", "with_epochs", "write_matches"]


@dataclass(frozen=True)
class Match:
    """The epochs of an arm on a data set.

    Attributes
    ----------
    budget
        What the arm `to` used, in rows, encodings or seconds.
    slower
        How many times longer the runs of `to` took than its pilot foretold; 1 but for seconds.
    warmup, before, after
        What a pilot measured, see `raymm.study.costs.EpochCost`, times `slower`.
    epochs, expected
        Epochs that come nearest to the budget, and what they should cost.
    """

    data: str
    arm: str
    budget: float
    warmup: int
    before: float
    after: float
    epochs: int
    expected: float
    slower: float = 1.0


class _SavedMatch(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    data: str
    arm: str
    budget: float = Field(gt=0)
    warmup: int = Field(ge=0)
    before: float
    after: float = Field(gt=0)
    epochs: int = Field(ge=1)
    expected: float
    slower: float = Field(default=1.0, gt=0)


class SavedMatches(JsonRecord):
    """A pilots.json."""

    error = CheckpointError
    remedy = "delete it and the folder runs: pilots are trained again, and epochs may then differ"

    by: str
    to: str
    budgets: dict[str, float]
    matches: list[_SavedMatch]


def read_matches(study: Study) -> list[Match]:
    """The epochs that were decided so far."""
    file = study.path / layout.PILOTS_JSON
    if not file.exists():
        return []
    return [Match(**entry.model_dump()) for entry in SavedMatches.read(file).matches]


def write_matches(study: Study, budgets: dict[str, float], matches: list[Match]) -> None:
    """Write the epochs that were decided."""
    about: dict[str, Any] = {"by": study.settings.match, "to": study.settings.to, "budgets": budgets}
    write_json(study.path / layout.PILOTS_JSON, {**about, "matches": [asdict(match) for match in matches]})


def matched_pairs(study: Study) -> list[tuple[str, str]]:
    """Data set and arm of the runs that get the budget of the arm `to`: all but that arm and `joint`."""
    if study.settings.match == "none":
        return []
    own = {study.settings.to, JOINT}
    arms = [arm for arm in study.settings.arms if arm not in own]
    return [(data, arm) for data in study.settings.data for arm in arms if (data, arm) not in study.unfit]


def with_epochs(
    chosen: Mapping[tuple[str, str], Mapping[str, Any]], matches: Mapping[tuple[str, str], Match]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What was chosen for the arms that are matched, with their epochs."""
    return {pair: {**chosen.get(pair, {}), "training.epochs": match.epochs} for pair, match in matches.items()}
