"""Where the MLflow UI shows the runs of a store."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from raymm.errors import TrackingError
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker, run_tables

INFO = RunInfo("run-1", "first", "digits")
SERVER = "http://127.0.0.1:5000"


def test_experiments_with_runs_come_the_newest_first(store: tuple[str, Path], tmp_path: Path) -> None:
    """What has no run, as MLflow's own `Default`, is left out."""
    client = MlflowClient(tracking_uri=store[0])
    ids = {}
    for name in ("digits", "planned only", "a later one"):
        ids[name] = client.create_experiment(name)
    for name in ("digits", "a later one"):
        MlflowTracker(store[0], tmp_path / name, store[1]).start(replace(INFO, experiment=name))
    found = run_tables(store[0], SERVER)
    assert list(found) == ["a later one", "digits"]
    assert found["digits"] == f"{SERVER}/#/experiments/{ids['digits']}/runs?workflowType=machine_learning"
    assert found["a later one"] != found["digits"]


def test_an_empty_store_has_none(store: tuple[str, Path]) -> None:
    assert run_tables(store[0], SERVER) == {}


def test_a_store_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever its name says")
    with pytest.raises(TrackingError, match=r"tracking at sqlite:////.*mlflow\.db cannot be read: "):
        run_tables(f"sqlite:///{tmp_path / 'mlflow.db'}", SERVER)
