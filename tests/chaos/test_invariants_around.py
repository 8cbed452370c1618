"""What others see of raymm: readers, the tracking store, the operating system, and who imports it."""

import importlib
import multiprocessing.util
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from raymm.errors import RaymmError, TrainingError
from raymm.storage.directory import is_committed, verify
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training import checkpoint
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.chaos.spoiling import train_words
from tests.cli.calling import call
from tests.games import settings

SAMPLES = 90
ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys; from pathlib import Path; from raymm.training.run import open_run\n"
    "from raymm.training.loop import Backends, train\n"
    "run = open_run(Path(sys.argv[1])); train(run, run.dataset(), Backends())\n"
)


class Poller(threading.Thread):
    """Reads all committed folders below a run, again and again, and remembers those that are not whole."""

    def __init__(self, run):
        super().__init__(daemon=True)
        self.run_path, self.looks, self.torn, self.ended = run, 0, [], threading.Event()

    def look(self):
        """One look at every folder; one that is removed meanwhile had no manifest before its files went."""
        for folder in [
            *(self.run_path / "epochs").glob("*"),
            self.run_path / "result",
            self.run_path / "result/model",
        ]:
            if not is_committed(folder):
                continue
            try:
                verify(folder)
            except (RaymmError, OSError) as cause:
                if is_committed(folder):
                    self.torn.append(str(cause))
        self.looks += 1

    def run(self):
        while not self.ended.wait(0.001):
            self.look()


def killed_at(path, pause):
    """Train in a process that is killed a while after its next commit; whether it was."""
    before = committed_epochs(path)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], cwd=ROOT)
    while process.poll() is None and committed_epochs(path) == before:
        time.sleep(0.002)
    time.sleep(pause)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_I11_readers_see_whole_folders(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 9, "keep": 2, "threads": 1}), dataset)
    poller = Poller(run.path)
    poller.start()
    kills = sum(killed_at(run.path, pause) for pause in (0.0, 0.07, 0.2))
    train(open_run(run.path), dataset, Backends())
    poller.ended.set()
    poller.join()
    assert kills >= 2
    assert poller.looks > 20
    assert poller.torn == []


def test_I11_a_torn_folder_is_seen(tmp_path, dataset):
    """The twin: the poller finds a folder whose manifest was written before a file of it."""
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 1}, method={"name": "joint"}), dataset)
    train(run, dataset, Backends())
    poller = Poller(run.path)
    poller.look()
    assert poller.torn == []
    (epoch_folder(run.path, 1) / "model.safetensors").write_bytes(b"half")
    poller.look()
    assert len(poller.torn) == 1


def runs_of(store):
    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("raymm")
    for run in client.search_runs([experiment.experiment_id]):
        yield run, {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}


def interrupted():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)


def fails():
    raise TrainingError("the loss is not finite")


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [(None, 0, "FINISHED"), (fails, 2, "FAILED"), (interrupted, 143, "KILLED")],
    ids=["ends", "fails", "interrupted"],
)
def test_I13_tracking(capfd, data, monkeypatch, ending, code, status):
    """However a run ends, and again after it went on: no RUNNING run, one value a metric and step."""
    real, calls = checkpoint.commit_directory, []

    def spoiled(folder, about):
        calls.append(folder)
        if ending is not None and len(calls) == 3:
            ending()
        return real(folder, about)

    words = train_words(data, "model.feature_size=8", "method.warmup=1")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "commit_directory", spoiled)
        assert call(capfd, *words)[0] == code
    assert [run.info.status for run, _ in runs_of(data.parent / "mlflow")] == [status]
    assert call(capfd, *words)[0] == 0
    ((run, metrics),) = runs_of(data.parent / "mlflow")
    assert run.info.status == "FINISHED"
    assert sorted(metric.step for metric in metrics["val/accuracy"]) == [1, 2, 3]
    for name, values in metrics.items():
        assert len({metric.step for metric in values}) == len(values), name


def left_by(path, dataset, **training):
    """Train a run; children, threads and open files that are there after it and were not before."""
    process = psutil.Process()
    before = {child.pid for child in process.children(recursive=True)}, set(threading.enumerate()), process.num_fds()
    run = create_or_open(path, settings(training={"epochs": 2, "threads": 1, **training}), dataset)
    train(run, dataset, Backends())
    children = [child for child in process.children(recursive=True) if child.pid not in before[0]]
    helpers = ("forkserver", "resource_tracker")  # of multiprocessing, one of each for the life of a process
    children = [child for child in children if not any(name in " ".join(child.cmdline()) for name in helpers)]
    threads = [thread for thread in threading.enumerate() if thread not in before[1]]
    for thread in threads:
        thread.join(timeout=5)  # one that was told to end may need a moment on a busy machine
    return children, [thread.name for thread in threads if thread.is_alive()], process.num_fds() - before[2]


@pytest.mark.parametrize("loader_workers", [0, pytest.param(2, marks=pytest.mark.chaos)])
def test_I14_nothing_is_left(tmp_path, dataset, monkeypatch, loader_workers):
    """The first run opens what stays open for the life of a process; the second opens nothing more."""
    multiprocessing.util.get_temp_dir()  # where helpers of later tests meet, too: not below the folder of this test
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    left_by(tmp_path / "first", dataset, loader_workers=loader_workers)
    children, threads, files = left_by(tmp_path / "second", dataset, loader_workers=loader_workers)
    assert children == []
    assert threads == []
    assert files <= 0
    assert [path for path in temporary.rglob("*") if path.is_file()] == []
    hidden = [path for path in (tmp_path / "second").rglob("*") if path.name.startswith((".", "tmp"))]
    assert hidden == []


LAYERS = ["raymm.valuation", "raymm.data", "raymm.methods", "raymm.models", "raymm.training"]


def modules_of(layer):
    """A package and all of its modules."""
    found = pkgutil.walk_packages(importlib.import_module(layer).__path__, f"{layer}.")
    return [layer, *(module.name for module in found)]


def loaded_by(words):
    program = f"import sys; {words}; print(sorted({{'ray', 'mlflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_I15_import_raymm():
    """The core with all of its modules, and the command line until a verb is called."""
    names = ["raymm", "raymm.cli", *(name for layer in LAYERS for name in modules_of(layer))]
    assert len(names) > 80
    assert loaded_by(f"import importlib; [importlib.import_module(name) for name in {names}]") == "[]"


def test_I15_what_needs_ray_loads_it():
    """The twin."""
    assert loaded_by("import raymm.cluster.connect, raymm.tracking.mlflow") != "[]"
