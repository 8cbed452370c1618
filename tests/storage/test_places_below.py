"""A folder of runs that is no run itself: what lies below it is named, with the command to run."""

import shlex
import shutil

import pytest

import raymm
from raymm.errors import CheckpointError
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import settings


@pytest.fixture(scope="module")
def runs(tmp_path_factory, dataset):
    """Two finished runs, one of them two folders below, and one that has not begun."""
    folder = tmp_path_factory.mktemp("of runs")
    for name, seed in (("a/seed-0", 0), ("b", 1)):
        run = create_or_open(folder / name, settings(training={"epochs": 2, "seed": seed}), dataset)
        train(run, dataset, Backends())
    create_or_open(folder / "left", settings(), dataset)
    return folder


def test_the_report_names_the_runs_and_a_command_that_runs(runs, tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match="3 runs below it: b, left, a/seed-0; run `raymm report") as raised:
        raymm.report(runs)
    command = shlex.split(str(raised.value).partition("`")[2].removesuffix("`"))
    assert command == ["raymm", "report", str(runs / "b"), str(runs / "a" / "seed-0")]  # those that have finished
    monkeypatch.chdir(tmp_path)
    assert raymm.report(*command[2:]).page.exists()


def test_runs_that_have_not_finished_are_said_to_be_so(runs, tmp_path):
    shutil.copytree(runs / "left", tmp_path / "one" / "left")
    with pytest.raises(CheckpointError, match="1 run below it: left; none of them has come to its end"):
        raymm.report(tmp_path / "one")


def test_of_many_runs_some_are_named(runs, tmp_path):
    for number in range(7):
        (tmp_path / f"r{number}").mkdir()
        shutil.copy(runs / "left" / "run.json", tmp_path / f"r{number}" / "run.json")
    with pytest.raises(CheckpointError, match=r"7 runs below it: r0, r1, r2, r3, r4 and 2 more"):
        raymm.report(tmp_path)


def test_every_verb_that_wants_a_run_names_them(runs):
    for open_it in (open_run, raymm.load, lambda folder: raymm.compare([folder, runs / "b"])):
        with pytest.raises(CheckpointError, match="3 runs below it: b, left, a/seed-0; give one of them"):
            open_it(runs)


def test_studies_and_sweeps_are_named_too(tmp_path):
    for name, file in (("s", "study.yaml"), ("w", "sweep.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    with pytest.raises(CheckpointError, match=r"1 sweep below it: w; 1 study below it: s; run `raymm report .*/s`"):
        raymm.report(tmp_path)


def test_an_empty_folder_is_answered_as_before(tmp_path):
    with pytest.raises(CheckpointError, match=r"no run there \(run.json is missing\); give the --out"):
        raymm.report(tmp_path)
