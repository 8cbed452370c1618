"""What the chaos tests share: a time limit each, the mark of those that `make test` leaves out, and a data set."""

import shutil
from pathlib import Path

import pytest

LIMIT_S = 120


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LIMIT_S))
        if "ray_local" in getattr(item, "fixturenames", ()) or item.get_closest_marker("ray"):
            item.add_marker("chaos")


@pytest.fixture
def data(dataset, tmp_path):
    """A copy of the small planted data set, to be damaged."""
    return shutil.copytree(dataset.path, tmp_path / "data")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A folder with an empty tracking store, to be copied: making one takes seconds."""
    from mlflow.tracking import MlflowClient

    from raymm.tracking.mlflow import local_store

    folder = tmp_path_factory.mktemp("store") / "mlflow"
    MlflowClient(tracking_uri=local_store(folder)[0]).search_experiments()
    return folder


@pytest.fixture
def place(store, tmp_path):
    """The folder of a test, with an empty store in `mlflow`."""
    shutil.copytree(store, tmp_path / "mlflow")
    return tmp_path
