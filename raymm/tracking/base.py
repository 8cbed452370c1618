"""The interface by which a run is recorded, and two simple implementations.

Calls are idempotent, because a run that is resumed repeats them. The metrics of an epoch never change: the first
record is kept. The summary, tags and files are the present state: a newer record that differs replaces the older one.
A tracker never stops a training: it keeps for later what it cannot send. The contract of all implementations is a set
of tests, `tests.tracking.contract`.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from raymm.errors import Problems, TrackingError
from raymm.tracking.about import DataInput, View

__all__ = [
    "MemoryTracker",
    "NullTracker",
    "RunInfo",
    "Tracker",
    "TrackingStatus",
    "check_folder",
    "check_tags",
    "ending",
    "finite_metrics",
]

TrackingStatus = Literal["FINISHED", "FAILED", "KILLED"]

ParamValue = str | int | float | bool | None | list[str | int | float | bool | None]

KEY = re.compile(r"[A-Za-z0-9_\-.:/]{1,200}")
NAME = re.compile(r"[A-Za-z0-9_\-. :/]{1,250}")
NAME_ADVICE = "use 1 to 250 letters a-z, digits, _ - . : space, and / between two parts"
OWN_TAGS = re.compile(r"mlflow\..*|raymm\.(key|sent|not_finite|first_epoch)")


@dataclass(frozen=True)
class RunInfo:
    """How a run appears in a store.

    Attributes
    ----------
    key
        Unique identifier; starting a run with the key of an earlier one continues that run.
    name, experiment
        Names for people.
    params
        Every setting, flat with dots (`optimizer.lr`), defaults included, so that runs can be compared.
    tags
        Facts other than settings.
    description
        Markdown, shown beside the run. The address `children:METRIC`, as in `[Compare the trials](children:score)`,
        links to the child runs, highest METRIC first.
    parent_key
        Key of the parent run, which is in the same experiment and was started earlier.
    view
        What people should see first of such runs; None where that is not said.
    data
        The data sets that the run reads.
    """

    key: str
    name: str
    experiment: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    parent_key: str | None = None
    view: View | None = None
    data: tuple[DataInput, ...] = ()

    def __post_init__(self) -> None:
        """Refuse keys that a store could not search for, and an empty experiment."""
        problems = Problems("run")
        for name, key in (("key", self.key), ("parent_key", self.parent_key)):
            if key is not None and not KEY.fullmatch(key):
                problems.add(f"{name} {key!r}: use 1 to 200 letters, digits and _ - . : /")
        if not self.experiment.strip():
            problems.add("experiment is empty; give it a name")
        problems.raise_if_any(TrackingError)


class Tracker(Protocol):
    """Records one run."""

    def start(self, info: RunInfo) -> None:
        """Create the run of this key, or continue it.

        Raises
        ------
        TrackingError
            When the store can never work; an unreachable server is not an error.
        """

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of an epoch, counted from 1, which is the step; values that are not finite are left out.

        Raises
        ------
        TrackingError
            Naming every metric whose name a store refuses.
        """

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Record the final metrics, without a step; names and values as in `log_epoch`.

        On a later call, as when a sweep is resumed, a value that differs replaces the older one.
        """

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record facts other than settings, which may change: a newer value replaces the older one.

        Raises
        ------
        TrackingError
            Naming every tag whose name a store refuses or that the tracker writes itself.
        """

    def log_description(self, text: str) -> None:
        """Replace the description of the run; Markdown as in `RunInfo`."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Record a file in a folder of the run; recorded again only when its content has changed.

        Raises
        ------
        TrackingError
            For a folder outside the run.
        """

    def log_table(self, path: Path, folder: str = "") -> None:
        """Record a file as `log_artifact` does, which a store may show as a table.

        The file is JSON: `{"columns": [NAME, ...], "data": [[VALUE, ...], ...]}`.
        """
        self.log_artifact(path, folder)

    def log_model(self, folder: Path, loader: str) -> None:
        """Record a model folder; `loader` ("package.module:function") makes a predictor of it."""

    def finish(self, status: TrackingStatus) -> None:
        """End the run."""


@contextmanager
def ending(finish: Callable[[TrackingStatus], object]) -> Iterator[None]:
    """Call `finish` after the block: with FINISHED, FAILED when it raised, or KILLED when it was interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        finish("KILLED")
        raise
    except BaseException:
        finish("FAILED")
        raise
    finish("FINISHED")


class NullTracker:
    """Records nothing."""

    def start(self, info: RunInfo) -> None:
        """Do nothing."""

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_description(self, text: str) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Do nothing."""

    def log_table(self, path: Path, folder: str = "") -> None:
        """Do nothing."""

    def log_model(self, folder: Path, loader: str) -> None:
        """Do nothing."""

    def finish(self, status: TrackingStatus) -> None:
        """Do nothing."""


@dataclass
class MemoryTracker:
    """Keeps all records in memory, for tests and notebooks."""

    info: RunInfo | None = None
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    artifacts: list[tuple[Path, str]] = field(default_factory=list)
    models: list[tuple[Path, str]] = field(default_factory=list)
    status: TrackingStatus | None = None

    def start(self, info: RunInfo) -> None:
        """Remember the run."""
        self.info, self.status = info, None
        self.tags = {**info.tags, **self.tags}

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Remember the first metrics of an epoch."""
        self.epochs.setdefault(epoch, finite_metrics(metrics))

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Remember the newest final metrics."""
        self.summary |= finite_metrics(metrics)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Remember the newest tags."""
        self.tags |= check_tags(tags)

    def log_description(self, text: str) -> None:
        """Remember the newest description."""
        self.description = text

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Remember a file, once; its content is not copied."""
        check_folder(folder)
        if (path, folder) not in self.artifacts:
            self.artifacts.append((path, folder))

    def log_table(self, path: Path, folder: str = "") -> None:
        """Remember a file as `log_artifact` does."""
        self.log_artifact(path, folder)

    def log_model(self, folder: Path, loader: str) -> None:
        """Remember a model, once."""
        if (folder, loader) not in self.models:
            self.models.append((folder, loader))

    def finish(self, status: TrackingStatus) -> None:
        """Remember the status."""
        self.status = status


def finite_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that have a finite value (MLflow draws infinity as 1.8e308).

    Raises
    ------
    TrackingError
        Naming every metric whose name has a character that MLflow refuses, is longer than 250, or is not a normal
        path (such as `/loss` and `val//loss`).
    """
    problems = Problems("metrics")
    for name in sorted(metrics):
        if not _is_name(name):
            problems.add(f"name {name!r}: {NAME_ADVICE}")
    problems.raise_if_any(TrackingError)
    return {name: float(value) for name, value in metrics.items() if isfinite(value)}


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, when all of them have names that a caller may use.

    Raises
    ------
    TrackingError
        Naming every tag whose name MLflow refuses (as in `finite_metrics`) or that the tracker writes itself.
    """
    problems = Problems("tags")
    for name in sorted(tags):
        if not _is_name(name):
            problems.add(f"name {name!r}: {NAME_ADVICE}")
        elif OWN_TAGS.fullmatch(name):
            problems.add(
                f"name {name!r}: is written by the tracker itself; use another name, as in 'raymm.best_trial'"
            )
    problems.raise_if_any(TrackingError)
    return dict(tags)


def check_folder(folder: str) -> None:
    """Refuse a folder of artifacts that is absolute, climbs with '..', or hides that behind a backslash or a '%'."""
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or set(folder) & set("\\%#?\0"):
        raise TrackingError(f"artifact folder {folder!r}: must lie within the run, as in 'plots' or 'tables/test'")


def _is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None and posixpath.normpath(name) == name and name[0] not in "/."
