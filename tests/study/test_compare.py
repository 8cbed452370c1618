"""Finished runs become arms, paired by data set and seed; what cannot be compared is refused in words."""

import json
import shutil

import numpy as np
import pytest

from raymm.errors import CheckpointError, ConfigError
from raymm.study.compare import compare_runs
from raymm.study.report import write_study_report
from raymm.tracking.metrics import ROWS_TOTAL
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open
from tests.cli.calling import call
from tests.games import settings, small_dataset

SAMPLES = 90
SHORT = {"epochs": 2, "batch_size": 32, "threads": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, dataset):
    """Runs of two methods and two seeds by name, `other-...` on another data set, and one of another selection."""
    folder = tmp_path_factory.mktemp("runs")
    second = small_dataset(folder / "elsewhere" / dataset.path.name, 80)
    wanted = {
        "joint-0": (dataset, {}),
        "joint-1": (dataset, {"training": {**SHORT, "seed": 1}}),
        "random-0": (dataset, {"method": {"name": "random"}}),
        "random-1": (dataset, {"method": {"name": "random"}, "training": {**SHORT, "seed": 1}}),
        "other-joint-0": (second, {}),
        "by-loss": (dataset, {"training": {**SHORT, "selection": "loss"}}),
    }
    made = {}
    for name, (data, sections) in wanted.items():
        given = {"training": SHORT, "method": {"name": "joint"}, **sections}
        run = create_or_open(folder / name, settings(**given), data)
        train(run, data, Backends())
        made[name] = run.path
    return made


def four(runs):
    return [runs[name] for name in ("random-1", "joint-0", "random-0", "joint-1")]


def said(error, *paths, **options):
    with pytest.raises(error) as raised:
        compare_runs(paths, **options)
    return str(raised.value)


def test_runs_become_arms_with_their_results_and_costs(runs, dataset):
    results = compare_runs(four(runs))
    assert [(run.data, run.arm, run.seed) for run in results.runs] == [
        (dataset.path.name, arm, seed) for arm, seed in (("random", 1), ("joint", 0), ("random", 0), ("joint", 1))
    ]
    for run in results.runs:
        saved = read_result(run.path)
        assert run.metrics == saved.metrics
        assert run.cost["rows"] == saved.history[-1]["metrics"][ROWS_TOTAL]
        assert run.cost["seconds"] > 0
    assert (results.metric, results.higher, results.reference, results.pending) == ("accuracy", True, "joint", 0)
    assert str(dataset.path) in results.facts[f"data set {dataset.path.name}"]


def test_a_report_of_real_runs(runs, tmp_path):
    files = write_study_report(compare_runs(four(runs)), tmp_path)
    text = files[0].read_text()
    assert "- random " in text
    assert "McNemar's test against joint" in text
    assert "Test tables that do not fit" not in text  # accuracies of tables and results agree
    assert "epochs-1" in text
    assert "4 runs have too few epochs for most of them." in text.split("## Findings\n")[1]


def test_another_metric_and_reference(runs):
    results = compare_runs(four(runs), metric="loss", reference="random")
    assert (results.metric, results.higher, results.reference) == ("loss", False, "random")


def test_what_is_no_finished_run_is_refused_at_once(runs, tmp_path):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs["joint-0"], unfinished)
    shutil.rmtree(unfinished / "result")
    words = said(CheckpointError, runs["joint-0"], tmp_path / "nothing", unfinished, runs["joint-0"])
    assert words.startswith("runs: 3 problems")
    assert f"{tmp_path / 'nothing'}: no run there" in words
    assert str(unfinished) in words
    assert f"{runs['joint-0']}: given twice" in words


def test_copies_of_a_run_are_refused(runs, tmp_path):
    shutil.copytree(runs["joint-0"], tmp_path / "copy")
    words = said(CheckpointError, runs["joint-0"], tmp_path / "copy", runs["random-0"])
    assert f"{runs['joint-0']} and {tmp_path / 'copy'} have the same settings, data and seed" in words


def test_one_arm_is_refused(runs):
    words = said(CheckpointError, runs["joint-0"], runs["joint-1"])
    assert "all 2 runs are of one arm, 'joint'; give runs that differ in a setting" in words


def test_runs_of_other_data_or_seeds_are_refused(runs, dataset):
    words = said(CheckpointError, runs["random-0"], runs["other-joint-0"])
    name = dataset.path.name
    assert "2 problems" in words
    assert f"'random' has no run on the data set and seed of another arm: it has {name} " in words
    assert f"'random' has no run on the data set and seed of another arm: it has {name} (seed 1)" in said(
        CheckpointError, runs["random-1"], runs["joint-0"]
    )


def test_data_sets_of_one_name_are_told_apart(runs, dataset):
    results = compare_runs([*four(runs), runs["other-joint-0"]])
    names = {run.data for run in results.runs}
    assert len(names) == 2
    assert all(name.startswith(f"{dataset.path.name} ") for name in names)


def test_a_run_that_recorded_its_data_as_0_1_0_did_is_paired(runs, dataset, tmp_path):
    shutil.copytree(runs["joint-0"], tmp_path / "old")
    recorded = json.loads((tmp_path / "old" / "run.json").read_text())
    (tmp_path / "old" / "run.json").write_text(json.dumps({**recorded, "digest": dataset.legacy_digest}))
    results = compare_runs([tmp_path / "old", runs["random-0"]])
    assert {run.data for run in results.runs} == {dataset.path.name}


def test_runs_that_picked_by_different_metrics_need_one(runs):
    words = said(ConfigError, runs["random-0"], runs["by-loss"])
    assert "the runs picked their epochs by different metrics (accuracy in " in words
    assert "say by --metric what to compare" in words
    results = compare_runs([runs["random-0"], runs["by-loss"]], metric="accuracy")
    assert results.about == {"random": "selection=accuracy", "joint": "selection=loss"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "acuracy"}, "--metric 'acuracy': no run has it on test; did you mean 'accuracy'?"),
        ({"reference": "join"}, "--reference 'join': no such arm; did you mean 'joint'?"),
    ],
)
def test_a_wrong_option_is_said(runs, options, words):
    assert said(ConfigError, *four(runs), **options) == words


def test_a_damaged_table_is_said(runs, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(runs["random-0"], damaged)
    table = damaged / "result" / "valuation-test.parquet"
    table.write_bytes(table.read_bytes()[:-9] + b"123456789")
    assert str(damaged) in said(CheckpointError, runs["joint-0"], damaged)


def test_the_command(capfd, runs, tmp_path):
    code, out, _ = call(capfd, "compare", *four(runs), "--out", tmp_path / "out")
    assert code == 0
    assert out.startswith("random ")
    assert f"wrote {tmp_path / 'out' / 'report.md'}" in out
    code, out, _ = call(capfd, "compare", *four(runs), "--out", tmp_path / "out", "--json")
    record = json.loads(out)["comparisons"][0]
    difference = [
        compared.metrics["test/accuracy"]
        for compared in sorted(compare_runs(four(runs)).runs, key=lambda run: (run.arm, run.seed))
    ]
    assert record["pairs_mean"] == pytest.approx(np.mean(difference[2:]) - np.mean(difference[:2]))
    assert (record["first"], record["second"]) == ("random", "joint")
    code, _, errors = call(capfd, "compare", runs["joint-0"], "--out", tmp_path / "none")
    assert code == 2
    assert errors.startswith("error: runs that cannot be compared: ")
    assert not (tmp_path / "none").exists()
