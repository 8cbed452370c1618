"""Runs of a study lie in the folders that they are for, and study.yaml says one thing."""

import shutil

import pytest
import yaml

import raymm
from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.study.records import read_results
from raymm.study.store import open_study
from tests.games import small_dataset
from tests.study.studies import run_here, study_of

SAMPLES = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("study")
    sets = {"d": dataset, "e": small_dataset(folder / "e", 70)}
    run_here(study_of(folder / "s", sets, ["joint", "random"]))
    return folder / "s"


@pytest.fixture
def study(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "s")


def swapped(study, one, other):
    runs = study / layout.RUNS
    (runs / one).rename(runs / "aside")
    (runs / other).rename(runs / one)
    (runs / "aside").rename(runs / other)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("d/random/seed-0", "d/joint/seed-0: method.name: random, not joint"),
        ("d/joint/seed-1", "d/joint/seed-0: training.seed: 1, not 0"),
        ("e/joint/seed-0", r"d/joint/seed-0: data: .*, not [0-9a-f]{16}"),
    ],
)
def test_runs_in_each_others_folders_are_refused_by_what_differs(study, other, words):
    swapped(study, "d/joint/seed-0", other)
    with pytest.raises(CheckpointError, match=words) as raised:
        raymm.report(study)
    assert f"{layout.RUNS}/{other}: " in str(raised.value)
    assert "bring back each folder to its place" in str(raised.value)
    with pytest.raises(CheckpointError, match=words):
        run_here(open_study(study))


def test_the_result_of_another_run_of_the_study_is_refused(study):
    runs = study / layout.RUNS / "d"
    shutil.rmtree(runs / "joint/seed-0/result")
    shutil.copytree(runs / "random/seed-1/result", runs / "joint/seed-0/result")
    with pytest.raises(CheckpointError, match="joint/seed-0/result: is of another run"):
        read_results(open_study(study))


@pytest.mark.parametrize(("content", "words"), [(None, "no run there"), ("", "cannot be read")])
def test_a_finished_run_without_its_run_json_is_refused(study, content, words):
    file = study / layout.RUNS / "d/joint/seed-0" / layout.RUN
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(CheckpointError, match=rf"d/joint/seed-0.*{words}"):
        read_results(open_study(study))


def test_runs_of_a_matched_and_tuned_study_are_those_that_were_chosen(tmp_path, dataset):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], seeds=[0], match="rows", tune=2)
    run_here(study)
    assert len(read_results(open_study(study.path)).runs) == 3
    (study.path / layout.PILOTS_JSON).unlink()  # epochs that nothing says any more are passed over
    (study.path / layout.TUNING_JSON).unlink()
    assert len(read_results(open_study(study.path)).runs) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.update(arms={"joint": {"method": "random"}, "random": {}}), "method.name: joint then"),
        (
            lambda values: values["arms"].pop("random"),
            r"method.name: random then, not there now \(d/random, e/random\)",
        ),
        (lambda values: values.pop("resolved"), "method.name: not there then, joint now"),
        (lambda values: values["settings"]["training"].update(epochs=9), "training.epochs: 4 then, 9 now"),
    ],
)
def test_a_study_yaml_that_contradicts_itself_is_refused(study, change, words):
    file = study / layout.STUDY
    values = yaml.safe_load(file.read_text())
    change(values)
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(CheckpointError, match=rf"study\.yaml: what `resolved` lists[\s\S]*{words}"):
        open_study(study)
