"""Models under a name that others load."""

import socket
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from raymm.errors import TrackingError
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker, register_model

LOADER = """
class Predictor:
    def __init__(self, folder):
        self.scale = float((folder / "scale.txt").read_text())

    def predict(self, columns):
        return {"prediction": [self.scale * value for value in columns["audio"]]}


def load(folder):
    return Predictor(folder)
"""

INFO = RunInfo("trial-1", "trial 1", "trials")


@pytest.fixture(autouse=True)
def _loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader's module, which only the environment knows."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "scale_loader.py").write_text(LOADER)
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.chdir(tmp_path)


def record(store: tuple[str, Path], folder: Path, info: RunInfo, scale: str) -> None:
    (folder / "exported").mkdir(parents=True)
    (folder / "exported" / "scale.txt").write_text(scale)
    tracker = MlflowTracker(store[0], folder, store[1])
    tracker.start(info)
    tracker.log_model(folder / "exported", "scale_loader:load")
    tracker.finish("FINISHED")


def best_answer(uri: str) -> float:
    """What `models:/digits@best` says to 1.0, loaded as anybody would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        return mlflow.pyfunc.load_model("models:/digits@best").predict({"audio": [1.0]})["prediction"][0]


def test_best_is_the_model_registered_last(store: tuple[str, Path], tmp_path: Path) -> None:
    other = replace(INFO, key="trial-2")
    record(store, tmp_path / "1", INFO, "2.0")
    record(store, tmp_path / "2", other, "3.0")
    assert register_model(store[0], "trials", INFO.key, "digits", {"raymm.trial": "1"}) == 1
    assert best_answer(store[0]) == 2.0
    assert register_model(store[0], "trials", other.key, "digits", {"raymm.trial": "2"}) == 2
    assert best_answer(store[0]) == 3.0
    client = MlflowClient(store[0])
    versions = {int(v.version): v for v in client.search_model_versions("name = 'digits'")}
    assert {number: version.tags for number, version in versions.items()} == {
        1: {"raymm.trial": "1"},
        2: {"raymm.trial": "2"},
    }
    assert client.get_run(versions[1].run_id).data.tags["raymm.key"] == "trial-1"


def test_the_same_run_keeps_its_version_and_takes_the_new_tags(store: tuple[str, Path], tmp_path: Path) -> None:
    record(store, tmp_path / "1", INFO, "2.0")
    record(store, tmp_path / "2", replace(INFO, key="trial-2"), "3.0")
    for key, score in (("trial-1", "0.5"), ("trial-2", "0.6"), ("trial-1", "0.7")):
        assert register_model(store[0], "trials", key, "digits", {"score": score}) == int(key[-1])
    versions = MlflowClient(store[0]).search_model_versions("name = 'digits'")
    assert {version.version: version.tags["score"] for version in versions} == {1: "0.7", 2: "0.6"}
    assert best_answer(store[0]) == 2.0
    assert register_model(store[0], "trials", "trial-1", "other name") == 1


def test_what_is_missing_is_said(store: tuple[str, Path], tmp_path: Path) -> None:
    uri = store[0]
    with pytest.raises(TrackingError, match=r"experiment 'trials' has no run with key 'trial-1'; send its records"):
        register_model(uri, "trials", "trial-1", "digits")
    MlflowTracker(uri, tmp_path / "run", store[1]).start(INFO)
    with pytest.raises(TrackingError, match=r"experiment 'trials' has no run with key 'other'"):
        register_model(uri, "trials", "other", "digits")
    with pytest.raises(
        TrackingError, match=r"run 'trial 1' \(trial-1\) at sqlite:.* holds no model; only a run that"
    ):
        register_model(uri, "trials", "trial-1", "digits")
    assert not MlflowClient(uri).search_registered_models()


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "it's", " x", "x" * 201, "."])
def test_a_name_that_could_not_be_loaded_is_refused(store: tuple[str, Path], name: str) -> None:
    with pytest.raises(TrackingError, match=r"model name .*use 1 to 200 letters"):
        register_model(store[0], "trials", "trial-1", name)


@pytest.mark.parametrize("alias", ["", "latest", "Latest", "v2", "a b", "best!"])
def test_an_alias_that_means_something_else_is_refused(store: tuple[str, Path], alias: str) -> None:
    with pytest.raises(TrackingError, match=r"alias .*use a word, as in 'best'"):
        register_model(store[0], "trials", "trial-1", "digits", alias=alias)


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever its name says")
    with pytest.raises(TrackingError, match=r"sqlite:////.*mlflow\.db: model 'digits' is not registered"):
        register_model(f"sqlite:///{tmp_path / 'mlflow.db'}", "trials", "trial-1", "digits")


def test_a_store_that_does_not_answer_is_named_without_its_password() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with pytest.raises(
        TrackingError, match=rf"http://127\.0\.0\.1:{port}: model 'digits' is not registered"
    ) as caught:
        register_model(f"http://me:secret@127.0.0.1:{port}", "trials", "trial-1", "digits")
    assert "once the store answers" in str(caught.value)
    assert "secret" not in str(caught.value)
