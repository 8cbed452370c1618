"""What failed.json holds: the runs that failed when the study was last run, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.records import JsonRecord

if TYPE_CHECKING:
    from raymm.study.store import Study

__all__ = ["Failure", "read_failures", "write_failures"]


@dataclass(frozen=True)
class Failure:
    """A run that failed: data set, arm, seed (None: all of them), and why."""

    data: str
    arm: str
    seed: int | None
    cause: str

    def is_of(self, data: str, arm: str, seed: int) -> bool:
        """Whether it keeps a run from its end."""
        return (self.data, self.arm) == (data, arm) and self.seed in {None, seed}

    def __str__(self) -> str:
        which = "all seeds" if self.seed is None else f"seed {self.seed}"
        return f"failed: {self.data}, {self.arm}, {which}: {self.cause}"


class SavedFailures(JsonRecord):
    """A failed.json."""

    error = CheckpointError
    remedy = "delete it; it is written anew"

    failed: list[dict[str, str | int | None]]


def read_failures(study: Study) -> list[Failure]:
    """What failed when the study was last run."""
    file = study.path / layout.FAILED
    return [Failure(**entry) for entry in SavedFailures.read(file).failed] if file.exists() else []  # type: ignore[arg-type]


def write_failures(study: Study, failures: Sequence[Failure]) -> None:
    """Write what has failed so far."""
    write_json(study.path / layout.FAILED, {"failed": [vars(failure) for failure in failures]})
