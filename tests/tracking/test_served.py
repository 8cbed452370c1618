"""The model as others get it from MLflow: by `mlflow.pyfunc.load_model`, and by the MLflow command line."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

import raymm
from raymm.config.plugins import load_plugins
from raymm.config.registries import KINDS
from raymm.errors import DataError
from raymm.models.export import export_model
from raymm.models.model import build_model
from raymm.models.predictor import load
from raymm.models.serving import load as load_served
from raymm.models.serving import served_form
from raymm.reports.run_tracking import LOADER as LOADER_OF_A_RUN
from raymm.tracking import RunInfo
from raymm.tracking.about import DataInput
from raymm.tracking.mlflow import MlflowTracker
from raymm.tracking.mlflow.loaders import MOVED, current_loader
from raymm.tracking.mlflow.model import CODE, save_served
from tests.games import settings, small_dataset

PLUGIN = """
from raymm.config.registries import KINDS
from raymm.data import VectorSpec


class Doubled(VectorSpec):
    kind: str = "doubled"

    def transform(self, values, keys, config):
        return 2 * values


KINDS.register("doubled", Doubled)
"""


def ask(port: int, body: dict, server: subprocess.Popen) -> dict:
    """The answer of a server, which is waited for while it runs."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as cause:
            raise AssertionError(cause.read().decode()) from cause
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
    raise AssertionError(server.stderr.read().decode()[-2000:] if server.stderr else "it did not start")


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


def test_a_model_is_a_logged_model_of_its_run_and_a_newer_one_takes_its_place(recorded: str, store: tuple[str, Path]):
    client, run_id = MlflowClient(store[0]), recorded.split("/")[1]
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_logged_models([experiment])
    assert [(model.name, model.source_run_id, model.status) for model in found] == [("raymm-model", run_id, "READY")]
    columns = {"audio": [[1.0, 2.0]], "text": ["a"]}
    answer = mlflow.pyfunc.load_model(f"models:/{found[0].model_id}").predict(columns)
    assert answer.to_dict("list") == {"prediction": ["a"], "phi_audio": [6.0]}
    assert mlflow.pyfunc.load_model(recorded).predict(columns).equals(answer)


def test_a_run_names_its_model_which_has_its_settings_and_final_metrics(store: tuple[str, Path], tmp_path: Path):
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "model.json").write_text("{}")
    data = DataInput("digits", "0123456789abcdef", "/data/digits", {"rgb": "uint8[4, 8]"}, {"train": 5})
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(replace(INFO, data=(data,), description="What it is."))
    tracker.log_epoch(1, {"val/accuracy": 0.5})
    tracker.log_summary({"test/accuracy": 0.25, "best/loss": 2.0, "test/loss": float("nan")})
    tracker.log_summary({"test/accuracy": 0.75})
    tracker.log_model(tmp_path / "exported", LOADER_OF_A_RUN)
    tracker.finish("FINISHED")
    client = MlflowClient(store[0])
    run = client.get_run(tracker.run_id)
    (named,) = run.outputs.model_outputs
    model = client.get_logged_model(named.model_id)
    assert (model.source_run_id, model.status, model.params) == (tracker.run_id, "READY", {"optimizer.lr": "0.1"})
    assert model.tags["mlflow.note.content"] == "What it is."
    assert model.tags["mlflow.user"] == run.data.tags["mlflow.user"]
    assert {metric.key: metric.value for metric in model.metrics} == {"test/accuracy": 0.75, "best/loss": 2.0}
    assert {(metric.dataset_name, metric.dataset_digest) for metric in model.metrics} == {("digits", data.digest)}
    history = client.get_metric_history(tracker.run_id, "test/accuracy")
    assert [point.value for point in history] == [0.25, 0.75]  # the run's own are as they were


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
    assert LOADER_OF_A_RUN == "raymm.models.serving:load"
    for name in (*MOVED, *MOVED.values(), LOADER_OF_A_RUN):
        assert EntryPoint("loader", name, "raymm").load() is (load_served if "serving" in name else load)


@pytest.fixture(scope="module", params=["classes", "multilabel", "regression"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of two vectors and a text."""
    folder = tmp_path_factory.mktemp("exported")
    numbers = np.random.default_rng(1).normal(size=(60, 2)).tolist()
    labels = {"classes": ["a", "b"] * 30, "multilabel": [["a"], ["b", "a"]] * 30, "regression": numbers}
    vectors = np.random.default_rng(0).normal(size=(60, 2, 3)).astype(np.float32)
    columns = {"one": vectors[:, 0], "two": vectors[:, 1], "said": ["a word", "more words", None] * 20}
    task = None if request.param == "classes" else request.param
    data = raymm.write_dataset(folder / "d", columns, labels=labels[request.param], task=task).open()
    export_model(folder / "model", build_model(data.schema, settings().model, 0), settings(), data)
    return folder / "model"


def test_a_recorded_model_says_what_goes_in_and_out(exported: Path):
    with save_served(exported, LOADER_OF_A_RUN) as folder:
        model = mlflow.pyfunc.load_model(str(folder))
        answer = model.predict(model.input_example)
        signature = model.metadata.signature
    assert signature.inputs.input_names() == ["one", "two", "said"]
    assert not signature.inputs.required_input_names()
    assert signature.outputs.input_names() == list(answer.columns)
    assert served_form(exported)["outputs"] == {
        name: "string" if isinstance(column[0], str) else "double" for name, column in answer.items()
    }


def test_standard_errors_of_sampled_contributions_are_among_what_goes_out(tmp_path: Path):
    draw = np.random.default_rng(0)
    columns = {f"m{number:02d}": draw.normal(size=(60, 1)) for number in range(13)}
    data = raymm.write_dataset(tmp_path / "d", columns, labels=["a", "b"] * 30).open()
    config = settings().model_copy(
        update={"model": settings().model.model_validate({"feature_size": 2, "fusion": {"name": "gated", "size": 2}})}
    )
    export_model(tmp_path / "model", build_model(data.schema, config.model, 0), config, data)
    answer = load(tmp_path / "model").predict({"m00": [[0.5]], "m01": [[0.5]]})
    assert {"phi_m12", "stderr_m12"} <= set(answer)
    assert list(served_form(tmp_path / "model")["outputs"]) == list(answer)


def test_cells_may_be_files_and_what_is_wrong_is_all_named(exported: Path, tmp_path: Path):
    vector = np.arange(3, dtype=np.float32)
    np.save(tmp_path / "v.npy", vector)
    served, plain = load_served(exported), load(exported)
    columns = {"one": [str(tmp_path / "v.npy"), None], "two": [vector, vector], "said": ["a.txt", None]}
    expected = plain.predict({**columns, "one": [vector, None]})
    assert served.predict(columns) == expected
    assert served.predict({**columns, "one": [vector, None]}) == expected
    with pytest.raises(DataError) as error:
        served.predict({"one": ["gone.npy", None], "two": [vector, np.zeros(4)]})
    assert "gone.npy: one: there is no file gone.npy" in str(error.value)
    assert "1: two: has shape [4], the schema says [3]" in str(error.value)


@pytest.mark.slow
def test_a_server_in_another_process_answers_files_with_a_plug_in_that_only_the_model_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`mlflow models serve` on a free port; its code is raymm, and the copy of the plug-in in the model."""
    (tmp_path / "code").mkdir()
    plugin = tmp_path / "code" / "doubled_kind.py"
    plugin.write_text(PLUGIN)
    KINDS.names()
    monkeypatch.setattr(KINDS, "_parts", dict(KINDS._parts))
    load_plugins([str(plugin)])
    values = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    data = raymm.write_dataset(
        tmp_path / "d",
        {"one": values, "two": values},
        labels=[0, 1] * 30,
        modalities={"one": "doubled", "two": "vector"},
        settings={"one.size": 3},
    ).open()
    config = settings().override({"plugins": [str(plugin)]})
    export_model(tmp_path / "model", build_model(data.schema, config.model, 0), config, data)
    np.save(tmp_path / "a.npy", values[0])
    expected = load(tmp_path / "model").predict({"one": [values[0]], "two": [None]})
    plugin.unlink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with save_served(tmp_path / "model", LOADER_OF_A_RUN) as folder:
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # MLflow calls `uvicorn`
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": programs}
        with subprocess.Popen(
            [*command, "-p", str(port)], env=environment, start_new_session=True, stderr=subprocess.PIPE
        ) as server:
            try:
                body = {"dataframe_split": {"columns": ["one", "two"], "data": [[str(tmp_path / "a.npy"), None]]}}
                answer = ask(port, body, server)
            finally:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself: the failure says why
                    os.killpg(server.pid, signal.SIGTERM)
    assert {name: [value] for name, value in answer["predictions"][0].items()} == {
        name: pytest.approx(value) if isinstance(value[0], float) else value for name, value in expected.items()
    }
