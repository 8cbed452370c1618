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
    """A run that failed: data set, arm, seed (None: all of them), and why.

    Attributes
    ----------
    kind
        "run", or what else failed, which by itself is no run of the study: "pilot" or "trial 2".
    """

    data: str
    arm: str
    seed: int | None
    cause: str
    kind: str = "run"

    def is_of(self, data: str, arm: str, seed: int) -> bool:
        """Whether it keeps a run of the study from its end."""
        return self.kind == "run" and (self.data, self.arm) == (data, arm) and self.seed in {None, seed}

    def __str__(self) -> str:
        of_run = "all seeds" if self.seed is None else f"seed {self.seed}"
        which = of_run if self.kind == "run" else self.kind
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
