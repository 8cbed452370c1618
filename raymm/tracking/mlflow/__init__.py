"""The adapter to MLflow: the only package of raymm that imports it."""

from raymm.tracking.mlflow.client import MlflowTracker, replay
from raymm.tracking.mlflow.left_runs import end_left_runs
from raymm.tracking.mlflow.registry import register_model
from raymm.tracking.mlflow.store import local_store, store_of
from raymm.tracking.mlflow.views import run_tables

__all__ = ["MlflowTracker", "end_left_runs", "local_store", "register_model", "replay", "run_tables", "store_of"]
