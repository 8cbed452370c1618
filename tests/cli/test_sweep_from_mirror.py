"""`raymm sweep` with a mirror, up to the moment at which it would start Ray."""

import shutil
from pathlib import Path

import pytest

from raymm.mirror.sweeps import mirrored_sweep
from raymm.sweep.store import open_sweep, read_trials
from tests.cli import calling
from tests.games import small_dataset

SAMPLES = 90

SPACE = """
from ray import tune

def space():
    return {"method.settings.fs.scale": tune.uniform(0.5, 4.0)}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a space, where a sweep is mirrored and nothing is trained."""
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)

    def run(job, *_, **__):
        with mirrored_sweep(job):
            return []

    monkeypatch.setattr("raymm.api.sweep._run", run)
    return tmp_path


def call(capfd, *arguments):
    code, _, err = calling.call(capfd, "sweep", *arguments)
    return code, err


def new(capfd, here, dataset, out="n"):
    settings = ["method=sample", "training.epochs=4", "method.warmup=1", f"cluster.mirror={here / 'mirror'}"]
    return call(capfd, "--data", dataset.path, "--space", "space.py", "--out", out, "--trials", 2, *settings)


def test_a_sweep_comes_from_its_mirror_and_its_data_from_where_it_is_now(capfd, here, dataset):
    assert new(capfd, here, dataset) == (0, "")
    first = open_sweep(here / "n")
    assert first.mirror == str(here / "mirror" / "n")
    shutil.rmtree(here / "n")
    moved = shutil.copytree(dataset.path, here / "moved")
    assert call(capfd, "--resume", first.mirror, "--out", "fresh/m", "--data", moved) == (0, "")
    again = open_sweep(here / "fresh" / "m")
    assert (again.key, again.data, again.mirror) == (first.key, Path(moved), first.mirror)
    assert len(read_trials(again)) == 2
    assert call(capfd, "--resume", "fresh/m") == (0, "")
    other = small_dataset(here / "other", 60)
    code, err = call(capfd, "--resume", "fresh/m", "--data", other.path)
    assert (code, "other: not the data set of the sweep" in err) == (2, True)


def test_data_that_is_not_there_is_asked_for(capfd, here, dataset):
    data = shutil.copytree(dataset.path, here / "data")
    call(capfd, "--data", data, "--space", "space.py", "--out", "n", "training.epochs=6")
    shutil.rmtree(data)
    code, err = call(capfd, "--resume", "n")
    assert (code, "data: the data set of this sweep is not there; give --data DATA" in err) == (2, True)


def test_a_mirror_without_a_folder_to_bring_it_to_is_a_mistake(capfd, here):
    code, err = call(capfd, "--resume", "s3://bucket/prefix/n")
    assert (code, "give --out, the folder to bring the sweep to" in err) == (2, True)


def test_another_sweep_of_that_name_leaves_no_sweep_behind(capfd, here, dataset):
    assert new(capfd, here, dataset)[0] == 0
    code, err = new(capfd, here, dataset, out="elsewhere/n")
    assert (code, "n holds another sweep; choose another name for --out" in err) == (2, True)
    assert not (here / "elsewhere").exists()
    assert new(capfd, here, dataset, out="elsewhere/other")[0] == 0


def test_a_folder_that_lost_a_trial_gets_it_back_from_the_mirror(capfd, here, dataset):
    new(capfd, here, dataset)
    trial = read_trials(open_sweep(here / "n"))[0]
    shutil.rmtree(trial.path)
    assert call(capfd, "--resume", "n")[0] == 0
    assert read_trials(open_sweep(here / "n"))[0].key == trial.key
