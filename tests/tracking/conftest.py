"""A migrated MLflow store is made once (four seconds) and copied for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.tracking.contract")


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlflow.tracking import MlflowClient

    from raymm.tracking.mlflow import local_store

    folder = tmp_path_factory.mktemp("template")
    MlflowClient(tracking_uri=local_store(folder)[0]).search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def make_store(mlflow_template: Path, tmp_path: Path) -> Callable[[str], tuple[str, Path]]:
    """A function that makes a named store and gives its URI and artifact folder."""
    from raymm.tracking.mlflow import local_store

    def make(name: str) -> tuple[str, Path]:
        store = local_store(tmp_path / name)
        shutil.copy(mlflow_template, tmp_path / name / "mlflow.db")
        return store

    return make


@pytest.fixture
def store(make_store: Callable[[str], tuple[str, Path]]) -> tuple[str, Path]:
    return make_store("my store")
