"""The port through which a run is recorded, and its two simplest forms.

A tracker may be told the same thing twice, after a restart: an epoch, the summary and a file count once. It
never stops a training that runs: what cannot be sent is the tracker's own affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

__all__ = ["MemoryTracker", "NullTracker", "RunInfo", "Status", "Tracker"]

Status = Literal["FINISHED", "FAILED", "KILLED"]

Parameter = str | int | float | bool | None


@dataclass(frozen=True)
class RunInfo:
    """How a run appears in a store; `key` tells runs apart, for ever."""

    key: str
    name: str
    experiment: str
    params: Mapping[str, Parameter] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    parent_key: str | None = None


class Tracker(Protocol):
    """Where a run is recorded."""

    def start(self, info: RunInfo) -> None:
        """Begin the run of this key, or go on with it.

        Raises
        ------
        TrackingError
            When the store can never work; a server that does not answer is no reason.
        """

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record metrics of an epoch (the step); values that are not finite are left out."""

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Record the final metrics, without a step."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Record a file under a folder of the run."""

    def log_model(self, folder: Path, loader: str) -> None:
        """Record a model folder; `loader` ("package.module:function") makes a predictor of it."""

    def finish(self, status: Status) -> None:
        """End the run."""


class NullTracker:
    """Records nothing."""

    def start(self, info: RunInfo) -> None:
        """Do nothing."""

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Do nothing."""

    def log_model(self, folder: Path, loader: str) -> None:
        """Do nothing."""

    def finish(self, status: Status) -> None:
        """Do nothing."""


@dataclass
class MemoryTracker:
    """Keeps what it is told, for tests and notebooks."""

    info: RunInfo | None = None
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    artifacts: list[tuple[Path, str]] = field(default_factory=list)
    models: list[tuple[Path, str]] = field(default_factory=list)
    status: Status | None = None

    def start(self, info: RunInfo) -> None:
        """Remember the run."""
        self.info, self.status = info, None

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Remember the first metrics of an epoch."""
        self.epochs.setdefault(epoch, dict(metrics))

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Remember the final metrics."""
        self.summary = self.summary or dict(metrics)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Remember a file, once."""
        if (path, folder) not in self.artifacts:
            self.artifacts.append((path, folder))

    def log_model(self, folder: Path, loader: str) -> None:
        """Remember a model, once."""
        if (folder, loader) not in self.models:
            self.models.append((folder, loader))

    def finish(self, status: Status) -> None:
        """Remember how it ended."""
        self.status = status
