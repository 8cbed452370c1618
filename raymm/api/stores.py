"""Where the runs of a call are recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.storage.layout import short_path
from raymm.tracking.base import NullTracker

if TYPE_CHECKING:
    from raymm.tracking.base import Tracker

__all__ = ["Store"]


@dataclass(frozen=True)
class Store:
    """Where runs are recorded: `MLFLOW_TRACKING_URI`, else a local MLflow store in `folder`, or nowhere.

    Attributes
    ----------
    uri
        Tracking URI; None where nothing is recorded.
    tracker
        Makes the tracker of a run from the run's folder.
    """

    uri: str | None = None
    tracker: Callable[[Path], Tracker] = field(default=lambda _: NullTracker())

    @property
    def shown(self) -> str:
        """The place for people: the folder of a local store, else the address without a name and password."""
        if self.uri is None:
            return ""
        from raymm.tracking.mlflow.store import database_of, redact

        database = database_of(self.uri)
        return redact(self.uri) if database is None else short_path(database.parent)

    @classmethod
    def of(cls, folder: str | Path | None) -> Store:
        """The store of a call; a local one is made, or moved with its folder, and runs that were left there end."""
        if folder is None:
            return cls()
        from raymm.tracking.mlflow import MlflowTracker, end_left_runs, store_of
        from raymm.tracking.mlflow.store import database_of

        uri, artifacts = store_of(Path(folder))
        if (database := database_of(uri)) is None or database.exists():
            end_left_runs(uri)
        return cls(uri, lambda run: MlflowTracker(uri, run, artifacts))
