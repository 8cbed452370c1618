"""The model as others get it from MLflow: by `mlflow.pyfunc.load_model`, and by the MLflow command line."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from raymm.models.export import export_model
from raymm.models.model import build_model
from raymm.models.predictor import load
from raymm.reports.run_tracking import LOADER as LOADER_OF_A_RUN
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker
from raymm.tracking.mlflow.loaders import MOVED, current_loader
from raymm.tracking.mlflow.model import CODE, save_served
from tests.games import settings, small_dataset

INFO = RunInfo("key-1", "first", "trials", {"optimizer.lr": 0.1})

LOADER = """
class Predictor:
    def __init__(self, folder):
        self.scale = float((folder / "scale.txt").read_text())

    def predict(self, columns):
        audio = [None if value is None else self.scale * sum(value) for value in columns["audio"]]
        return {"prediction": columns["text"], "phi_audio": audio}


def load(folder):
    return Predictor(folder)
"""


@pytest.fixture
def recorded(store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """URI of a model whose loader lives in a module that only the environment knows."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "fake_loader.py").write_text(LOADER)
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "scale.txt").write_text("2.0")
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.chdir(tmp_path)
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    tracker.log_model(tmp_path / "exported", "fake_loader:load")
    tracker.log_model(tmp_path / "exported", "fake_loader:load")
    tracker.finish("FINISHED")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store[0])
    return f"runs:/{tracker.run_id}/model"


@pytest.fixture
def model(recorded: str):
    return mlflow.pyfunc.load_model(recorded)


def test_a_table_is_answered_and_empty_cells_are_missing(model):
    table = pd.DataFrame({"audio": [[1.0, 2.0], None, float("nan")], "text": ["a", float("nan"), "c"]})
    answer = model.predict(table)
    assert answer["phi_audio"].tolist() == [6.0, None, None]
    assert answer["prediction"].tolist() == ["a", None, "c"]


def test_a_dict_of_lists_gets_the_same_answer(model):
    columns = {"audio": [[1.0, 2.0], None], "text": ["a", "b"]}
    pd.testing.assert_frame_equal(model.predict(columns), model.predict(pd.DataFrame(columns)))
    other = {"audio": [[1.0, 2.5], None], "text": ["a", "b"]}
    assert not model.predict(columns).equals(model.predict(other))


def test_one_model_is_recorded_without_pickle_and_lies_in_the_run(recorded: str, store: tuple[str, Path]):
    run_id = recorded.split("/")[1]
    assert [file.path for file in MlflowClient(store[0]).list_artifacts(run_id)] == ["model"]
    kept = {path.name for path in store[1].rglob("*") if path.is_file()}
    assert {"MLmodel", "served.py", "scale.txt", "requirements.txt"} <= kept
    assert not [name for name in kept if name.endswith((".pkl", ".pickle"))]


def test_nothing_is_written_where_the_command_was_started(recorded: str, tmp_path: Path):
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "exported", "my store", "run"]


@pytest.mark.slow
def test_the_mlflow_command_line_predicts_with_it(recorded: str, tmp_path: Path):
    columns = {"columns": ["audio", "text"], "data": [[[1.0, 2.0], "a"], [None, "b"]]}
    (tmp_path / "in.json").write_text(json.dumps({"dataframe_split": columns}))
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", recorded, "--env-manager", "local"]
    command += ["-i", str(tmp_path / "in.json"), "-o", str(tmp_path / "out.json"), "-t", "json"]
    paths = os.pathsep.join([str(tmp_path / "code"), str(Path(__file__).parents[2])])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "predictions": [{"prediction": "a", "phi_audio": 6.0}, {"prediction": "b", "phi_audio": None}]
    }


def saved_by_0_1_0(folder: Path, exported: Path) -> Path:
    """A recorded model that names its loader as version 0.1.0 did; it carries the code that looks for it."""
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(CODE),
        artifacts={"model": str(exported)},
        model_config={"loader": "raymm.studies.predictor:load"},
        pip_requirements=["raymm"],
    )
    return folder


def test_a_model_that_names_the_former_module_of_its_loader_answers_as_before(tmp_path: Path):
    dataset = small_dataset(tmp_path / "d")
    export_model(tmp_path / "exported", build_model(dataset.schema, settings().model, 0), settings(), dataset)
    rows = dataset.rows("test")[:4]
    columns = {name: list(dataset.shards.read(name, rows)) for name in dataset.schema.names}
    answer = mlflow.pyfunc.load_model(saved_by_0_1_0(tmp_path / "served", tmp_path / "exported")).predict(columns)
    assert answer.to_dict("list") == load(tmp_path / "exported").predict(columns)


def test_an_outbox_of_0_1_0_is_sent_under_the_name_that_the_loader_has_now(tmp_path: Path):
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "model.json").write_text("{}")
    for former in MOVED:
        with save_served(tmp_path / "exported", former) as folder:
            about = (folder / "MLmodel").read_text()
        assert f"loader: {current_loader(former)}" in about
        assert former not in about
    with save_served(tmp_path / "exported", "mypackage.models:load") as folder:
        assert "loader: mypackage.models:load" in (folder / "MLmodel").read_text()


def test_every_loader_named_here_can_be_imported():
    for name in (*MOVED, *MOVED.values(), LOADER_OF_A_RUN):
        assert EntryPoint("loader", name, "raymm").load() is load
