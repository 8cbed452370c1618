"""SIGINT, SIGTERM and SIGHUP: the last commit stays, the run is KILLED, and the exit code names the signal."""

import os
import shutil
import signal
import sys
import threading
import time

import pytest
from mlflow.tracking import MlflowClient

from raymm.cli import main
from raymm.signals import Stopped, exit_code_of, stoppable
from raymm.storage.directory import verify
from raymm.storage.layout import committed_epochs, epoch_folder, lock_of_folder, result_folder
from raymm.training import checkpoint
from tests.heard import heard

SAMPLES = 90

SMALL = ["training.epochs=4", "method.warmup=1", "model.feature_size=8"]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    from raymm.tracking.mlflow import local_store

    folder = tmp_path_factory.mktemp("template")
    MlflowClient(tracking_uri=local_store(folder)[0]).search_experiments()
    return folder


@pytest.fixture(autouse=True)
def _interactive():
    """A shell ignores SIGINT for what it runs in the background, and this test with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset, template):
    """The weights of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(template, folder / "mlflow")
    with pytest.raises(SystemExit):
        main(command(dataset, folder))
    return (result_folder(folder / "run") / "model" / "model.safetensors").read_bytes()


def command(dataset, folder):
    places = ["--data", dataset.path, "--out", folder / "run", "--store", folder / "mlflow"]
    return [str(word) for word in ["train", *places, "--backend", "local", *SMALL]]


def status(folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("raymm")
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "val/accuracy")
    return run.info.status, sorted(metric.step for metric in history)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_is_asked_to_end(capfd, tmp_path, monkeypatch, dataset, template, whole, number):
    shutil.copytree(template, tmp_path / "mlflow")
    real, calls = checkpoint.commit_directory, []

    def signalled(folder, about):  # in the midst of the third commit
        calls.append(folder)
        if len(calls) == 3:
            os.kill(os.getpid(), number)
        return real(folder, about)

    monkeypatch.setattr(checkpoint, "commit_directory", signalled)
    with heard(number), pytest.raises(SystemExit) as ended:
        main(command(dataset, tmp_path))
    said = capfd.readouterr().err.strip().splitlines()
    assert ended.value.code == 128 + number
    word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert said == [f"{word}; what was committed is kept, the same command goes on from there"]
    assert committed_epochs(tmp_path / "run") == [1, 2]
    verify(epoch_folder(tmp_path / "run", 2))
    assert not lock_of_folder(tmp_path / "run").exists()
    assert status(tmp_path) == ("KILLED", [1, 2])
    monkeypatch.setattr(checkpoint, "commit_directory", real)
    with pytest.raises(SystemExit) as ended:
        main(command(dataset, tmp_path))
    assert ended.value.code == 0
    assert (result_folder(tmp_path / "run") / "model" / "model.safetensors").read_bytes() == whole
    assert status(tmp_path) == ("FINISHED", [1, 2, 3, 4])
    assert list((tmp_path / "run").rglob(".*")) == []


def test_a_signal_that_is_ignored_stays_ignored():
    """As `nohup` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(Stopped):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_that_a_library_raises_instead_is_named_by_its_signal():
    def wait():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("go on") from None

    with pytest.raises(Stopped) as cause, stoppable():
        wait()
    assert cause.value.number == signal.SIGTERM
    assert str(cause.value) == "go on"
    with pytest.raises(KeyboardInterrupt) as plain, stoppable():
        raise KeyboardInterrupt
    assert not isinstance(plain.value, Stopped)


class Deaf:
    """Python drops what is raised while such an object is deleted."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("often", [1, 3])
def test_a_signal_that_comes_where_python_drops_it_is_raised_again(capfd, number, often):
    def wait():
        for _ in range(often):
            Deaf(number)
        time.sleep(20)

    with heard(number), pytest.raises(KeyboardInterrupt) as cause, stoppable():
        wait()
    assert exit_code_of(cause.value) == 128 + number
    assert capfd.readouterr().err == ""


def test_what_else_python_drops_is_said_as_before(capfd):
    class Broken:
        def __del__(self):
            raise ValueError("broken")

    hook = sys.unraisablehook
    sys.unraisablehook = sys.__unraisablehook__
    try:
        with stoppable():
            Broken()
        assert sys.unraisablehook is sys.__unraisablehook__
    finally:
        sys.unraisablehook = hook
    assert "ValueError: broken" in capfd.readouterr().err


def test_handlers_are_put_back_and_other_threads_have_none():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    def work():
        with stoppable():
            seen.append([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)])
            hooks.append(sys.unraisablehook)

    seen, hooks, hook = [], [], sys.unraisablehook
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
    assert hooks == [hook]
    with stoppable(), stoppable():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
