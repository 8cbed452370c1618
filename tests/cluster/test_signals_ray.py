"""SIGINT, SIGTERM and SIGHUP on the Ray backend: words, KILLED in MLflow, the exit code, and nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from raymm.cluster.local_ray import DASHBOARD
from raymm.storage.layout import committed_epochs, lock_of_folder
from raymm.tracking.mlflow import local_store
from tests.games import small_dataset

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
TAG = "RAYMM_TEST_OF_SIGNALS"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d", 120)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    MlflowClient(tracking_uri=local_store(folder)[0]).search_experiments()
    return folder


@pytest.fixture
def temporary():
    """A short place for the temporary files of the command."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        yield Path(folder)


def start(folder, dataset, temporary, *settings):
    command = [sys.executable, "-m", "raymm", "train", "--data", str(dataset.path), "--out", str(folder / "run")]
    command += ["--store", str(folder / "mlflow"), "--workers", "2", "model.feature_size=8", "cluster.actors=1"]
    env = {name: value for name, value in os.environ.items() if name != DASHBOARD}
    env |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), TAG: str(folder)}
    interactive = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); import runpy; "
    command[1:3] = ["-c", f"{interactive} sys.argv[0] = 'raymm'; runpy.run_module('raymm', run_name='__main__')"]
    return subprocess.Popen([*command, *settings], env=env, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process, seconds=200):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)


def left_behind(folder):
    """Processes that the command started, or that those started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TAG) == str(folder):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def status(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("raymm").experiment_id])
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "val/accuracy")]
    return run.info.status, steps


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "trains", marks=pytest.mark.long),
        (signal.SIGTERM, "trains"),
        pytest.param(signal.SIGHUP, "trains", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, "starts", marks=pytest.mark.long),
        pytest.param(signal.SIGINT, "starts", marks=pytest.mark.long),
    ],
)
def test_a_training_on_ray_that_is_asked_to_end(tmp_path, dataset, template, temporary, number, moment):
    shutil.copytree(template, tmp_path / "mlflow")
    run = tmp_path / "run"
    process = start(tmp_path, dataset, temporary, "--epochs", "500")
    try:
        if moment == "trains":
            wait_for(lambda: len(committed_epochs(run)) > 1, process)
        else:
            wait_for(lambda: any(temporary.glob("raymm-*/session_*")), process)
        begun = time.monotonic()
        process.send_signal(number)
        said = process.communicate(timeout=90)[1].strip().splitlines()
    finally:
        process.kill()
    assert time.monotonic() - begun < 60
    assert process.returncode == 128 + number
    word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert said[-1] == f"{word}; what was committed is kept, the same command goes on from there"
    assert not [line for line in said if "Traceback" in line]
    reached = len(committed_epochs(run)) and max(committed_epochs(run))
    kept, steps = status(tmp_path)
    assert kept == "KILLED"
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) <= reached
    assert (reached > 1) == (moment == "trains")
    assert not list(temporary.glob("raymm-*"))
    assert not lock_of_folder(run).exists()
    assert left_behind(tmp_path) == []


@pytest.mark.long
def test_what_a_killed_driver_leaves_is_gone_after_the_next_start(tmp_path, dataset, template, temporary):
    """The same command goes on after SIGKILL, and removes the temporary folder that was left."""
    shutil.copytree(template, tmp_path / "mlflow")
    process = start(tmp_path, dataset, temporary, "--epochs", "6")
    try:
        wait_for(lambda: len(committed_epochs(tmp_path / "run")) > 1, process)
    finally:
        process.kill()
    process.communicate()
    (left,) = temporary.glob("raymm-*")
    again = start(tmp_path, dataset, temporary, "--epochs", "6")
    assert again.wait(timeout=300) == 0, again.stderr.read()
    again.stderr.close()
    assert not left.exists()
    assert not list(temporary.glob("raymm-*"))
    assert status(tmp_path) == ("FINISHED", list(range(1, 7)))
    result = json.loads((tmp_path / "run" / "result" / "result.json").read_text())
    assert len(result["history"]) == 6
    end = time.monotonic() + 60
    while left_behind(tmp_path) and time.monotonic() < end:
        time.sleep(0.5)
    assert left_behind(tmp_path) == []
