"""Tracking: the interface of trackers with two simple ones, the names of metrics, and MLflow (`tracking.mlflow`)."""

from raymm.tracking.base import MemoryTracker, NullTracker, RunInfo, Tracker, TrackingStatus, ending

__all__ = ["MemoryTracker", "NullTracker", "RunInfo", "Tracker", "TrackingStatus", "ending"]
