"""Tracking: a small port, its null and in-memory forms, and an adapter to MLflow (`raymm.tracking.mlflow`)."""

from raymm.tracking.base import MemoryTracker, NullTracker, RunInfo, Status, Tracker, ending

__all__ = ["MemoryTracker", "NullTracker", "RunInfo", "Status", "Tracker", "ending"]
