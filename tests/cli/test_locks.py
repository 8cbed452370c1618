"""A run, a data set and a table have one writer; whoever comes second is told who works there, and harms nothing."""

import csv
import threading
import wave

import numpy as np
import pytest

from raymm.cli.demo import _make_room
from raymm.data.dataset import open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.errors import DataError, LockedError
from raymm.storage.layout import LOCK, lock_of_file, lock_of_folder
from raymm.training.backends import Backends
from raymm.training.loop import train
from raymm.training.run import create_or_open
from tests.cli.calling import call
from tests.games import settings
from tests.holders import held

SAMPLES = 90


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    with (folder / "m.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["sample_id", "split", "label", "audio"])
        for number, split in enumerate(["train", "val", "test"] * 2):
            with wave.open(str(folder / f"{number}.wav"), "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", "NONE"))
                sound.writeframes(np.arange(8000, dtype=np.int16).tobytes())
            rows.writerow([number, split, "ab"[number // 3], f"{number}.wav"])
    return folder


def contents(folder):
    """Files and their times; that of a lock is its holder's sign of life."""
    return {path: path.name.endswith(LOCK) or path.stat().st_mtime_ns for path in folder.rglob("*")}


VERBS = {
    "train": ("the run", ["train", "--data", "DATA", "--out", "OUT", "--store", "STORE", "--backend", "local"]),
    "value": ("the table", ["value", "--data", "DATA", "--model", "tests.games:own_model", "--out", "OUT"]),
    "prepare": (
        "the data set",
        ["prepare", "--manifest", "MEDIA/m.csv", "--media-root", "MEDIA", "--modalities", "audio", "--out", "OUT"],
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_second_command_says_who_works_there_and_changes_nothing(capfd, tmp_path, data, collection, verb):
    what, words = VERBS[verb]
    out = tmp_path / "there" / "out"
    places = {"DATA": data, "OUT": out, "STORE": tmp_path / "mlflow", "MEDIA": collection}
    for place, path in places.items():
        words = [word.replace(place, str(path)) for word in words]
    lock = lock_of_file(out) if verb == "value" else lock_of_folder(out)
    with held(lock) as process:
        before = contents(tmp_path)
        code, _, err = call(capfd, *words, *([] if "local" in words else ["--backend", "local"]))
        assert code == 2
        assert err.startswith(f"error: {what} {out} is in use by process {process.pid} on this machine (")
        assert f"or end it (kill {process.pid}), and repeat the command" in err
        assert len(err.strip().splitlines()) == 1
        assert contents(tmp_path) == before


def test_a_demo_that_runs_is_not_replaced_by_another(capfd, tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "made-by-raymm-demo").touch()
    with held(lock_of_folder(tmp_path / "demo")) as process:
        code, _, err = call(capfd, "demo", "--out", tmp_path / "demo")
        assert code == 2
        assert f"is in use by process {process.pid} on this machine (" in err
        assert (tmp_path / "demo" / "made-by-raymm-demo").exists()


def test_room_is_made_in_the_folder_of_an_earlier_demo_alone(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(DataError, match="not empty and not made by an earlier demo"):
        _make_room(tmp_path)
    (tmp_path / "made-by-raymm-demo").touch()
    (tmp_path / "data").mkdir()
    lock_of_folder(tmp_path).touch()
    _make_room(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"made-by-raymm-demo", ".writer"}


def test_the_functions_of_the_library_lock_as_well(tmp_path, data):
    dataset = open_dataset(data)
    run = create_or_open(tmp_path / "run", settings(training={"epochs": 2}), dataset)
    samples = [Sample("a", "train", 0, {"m0": np.zeros(dataset.schema.modalities[0].shape, np.float32)})]
    with held(lock_of_folder(run.path)), pytest.raises(LockedError, match=r"the run .* is in use by process"):
        train(run, dataset, Backends())
    made = tmp_path / "made"
    with held(lock_of_folder(made)), pytest.raises(LockedError, match=r"the data set .* is in use by process"):
        write_dataset(made, samples, dataset.schema)
    assert [path.name for path in made.iterdir()] == [".writer"]


def test_of_two_trainings_of_one_run_one_ends_and_the_other_is_told(tmp_path, data):
    dataset = open_dataset(data)
    run = create_or_open(tmp_path / "run", settings(training={"epochs": 3}), dataset)
    begun, told = threading.Event(), threading.Event()
    said = []

    def wait(history):
        begun.set()
        told.wait(60)

    def second():
        begun.wait(60)
        try:
            train(run, dataset, Backends())
        except LockedError as cause:
            said.append(str(cause))
        told.set()

    thread = threading.Thread(target=second)
    thread.start()
    result = train(run, dataset, Backends(report=wait))
    thread.join()
    assert len(result.history) == 3
    assert len(said) == 1
    assert not lock_of_folder(run.path).exists()
