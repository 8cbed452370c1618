"""Every metric that a run, a sweep or a gauge records is declared, and every declared one is recorded by some."""

import ast
import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import raymm
from raymm.cluster import prometheus
from raymm.reports.metrics_page import metrics_page
from raymm.study.tracking import StudyTracker
from raymm.tasks import TASKS, get_task
from raymm.tracking import metrics
from raymm.tracking.gauges import GAUGES
from raymm.tracking.metrics import METRICS, OF_A_MODEL, higher_is_better, is_of_split, parse, split_metric
from raymm.tracking.of_an_epoch import picked_metrics
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import settings
from tests.study.studies import study_of
from tests.sweeps import Store, finish, follow, propose, session, stop, sweep_of

SAMPLES = 90

ROOT = Path(raymm.__file__).parents[1]
PREFIXES = ("val/", "test/", "best/", "phi/", "rows/", "time/", "cost/", "conflict/", "online/", "method/")


@pytest.fixture(scope="module")
def of_a_run(tmp_path_factory, dataset):
    """The history and the result of a real training."""
    return train(create_or_open(tmp_path_factory.mktemp("run") / "r", settings(), dataset), dataset, Backends())


@pytest.fixture(scope="module")
def of_online_values(tmp_path_factory, dataset):
    """A calibrated model whose contributions come from the training pass, by a method with numbers of its own.

    No epoch is as much better as is asked for, so that it ends early.
    """
    config = settings(
        training={"patience": 2, "min_delta": 10},
        method={"name": "tests.training.methods:Remembering"},
        valuation={"source": "online"},
        model={"calibrate": "temperature"},
    )
    return train(create_or_open(tmp_path_factory.mktemp("run") / "r", config, dataset), dataset, Backends())


@pytest.fixture(scope="module")
def of_a_sweep(tmp_path_factory, dataset):
    """The names that a sweep of two seeds and its trials record."""
    sweep = sweep_of(tmp_path_factory.mktemp("sweep") / "s", dataset, seeds=(3, 5))
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(2)]
    store = Store()
    record = session(sweep, dataset, store)
    follow(record, trials[0], finish(sweep, trials[0], dataset))
    follow(record, trials[1], stop(sweep, trials[1], dataset, epochs=1, trained=1))
    record.close("FINISHED")
    epochs = {name for tracker in store.trackers.values() for values in tracker.epochs.values() for name in values}
    return epochs.union(*(tracker.summary for tracker in store.trackers.values()))


@pytest.fixture(scope="module")
def of_a_study(tmp_path_factory, dataset):
    """The names that a study records of itself, before any of its runs is trained."""
    study, store = study_of(tmp_path_factory.mktemp("study") / "s", {"d": dataset}, ["joint"], seeds=[0]), Store()
    record = StudyTracker(study, {"d": dataset}, store, "games")
    record.begin()
    record.close("FINISHED")
    return set(store.trackers[study.path].summary)


def figures_of(task: str) -> dict[str, float]:
    """The metrics of a task on four samples of two classes."""
    if task == "regression":
        numbers = np.array([[0.0], [1.0], [2.0], [3.0]])
        return get_task(task).metrics(numbers, numbers, np.ones(4), 1)
    right = np.array([0, 1, 1, 0]) if task == "classification" else np.eye(2, dtype=bool)[[0, 1, 1, 0]]
    return get_task(task).metrics(right, right, np.ones(4), 2, np.full((4, 2), 0.5))


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_metrics_of_a_task_are_declared_and_better_in_the_direction_that_it_says(task):
    declared = {figure: parse(split_metric("val", figure)).metric.better for figure in figures_of(task)}
    assert declared == {name: "higher" if up else "lower" for name, up in get_task(task).selection.items()}


def names_of(result) -> set[str]:
    return {name for entry in result.history for name in entry["metrics"]} | set(result.metrics)


def test_runs_sweeps_and_studies_record_declared_metrics_only(of_a_run, of_online_values, of_a_sweep, of_a_study):
    found = names_of(of_a_run) | names_of(of_online_values) | of_a_sweep | of_a_study
    assert [name for name in found if parse(name) is None] == []


def test_every_declared_metric_is_recorded_on_every_split_that_it_names(
    of_a_run, of_online_values, of_a_sweep, of_a_study
):
    of_tasks = {split_metric(split, figure) for split in OF_A_MODEL for name in TASKS for figure in figures_of(name)}
    own = names_of(of_a_run) | names_of(of_online_values)
    found = [parse(name) for name in own | of_a_sweep | of_a_study | of_tasks]
    recorded = {(each.metric.pattern, each.split) for each in found}
    assert recorded == {(each.pattern, split) for each in METRICS for split in each.splits or (None,)}


def test_every_declared_gauge_is_set_with_its_labels(of_a_run, monkeypatch):
    found = {}
    monkeypatch.setattr(prometheus, "_set", lambda name, value, **tags: found.update({name: tuple(tags)}))
    prometheus.export_epoch_metrics("run", of_a_run.history)
    prometheus.export_valuation_rate("run", 10, 1.0)
    assert found == {gauge.pattern: gauge.tags for gauge in GAUGES}


@pytest.mark.parametrize(
    "name", ["val/acuracy", "train/accuracy", "phi/best_m0", "time/train", "xval/loss", "score2"]
)
def test_other_names_are_not_declared(name):
    assert parse(name) is None


def test_a_name_is_taken_apart():
    found = parse("phi/test_frames_2")
    assert (found.metric.pattern, found.split, found.modality) == ("phi/{split}_{modality}", "test", "frames_2")
    assert parse("val/accuracy_macro_f1").modality == "macro_f1"
    assert parse("seed_12/score").seed == "12"
    assert parse("trials/failed").status == "failed"


def test_patterns_do_not_overlap():
    names = (
        each.pattern.format(split=(each.splits or ("",))[0], modality="m", seed=1, status="failed", figure="f")
        for each in METRICS
    )
    assert [parse(name).metric.pattern for name in names] == [each.pattern for each in METRICS]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_selection_is_a_declared_metric_with_a_direction(task):
    for choice, up in get_task(task).selection.items():
        assert higher_is_better(split_metric("val", choice)) is up


def test_what_is_of_a_split_and_what_was_picked():
    names = ["val/loss", "phi/val_a", "best/loss", "rows/epoch", "test/accuracy_val", "train/loss"]
    assert [name for name in names if is_of_split(name, "val")] == ["val/loss", "phi/val_a"]
    assert picked_metrics({"val/loss": 1.0, "phi/val_a": 2.0, "val/accuracy_val": 3.0}) == {
        "best/loss": 1.0,
        "best/accuracy_val": 3.0,
    }


def test_the_committed_page_is_what_the_declarations_say():
    """`metrics_page` writes it again; the command stands in the page."""
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_page()
    assert all(f"| `{each.pattern}` |" in metrics_page() for each in (*METRICS, *GAUGES))


def test_no_other_module_spells_a_name():
    spelled = [
        f"{path.relative_to(ROOT)}:{line} {text!r}"
        for path in sorted((ROOT / "raymm").rglob("*.py"))
        if path.name not in {"metrics.py", "gauges.py"}
        for line, text in literals(path.read_text())
        if text.startswith(PREFIXES) or ("/" in text and parse(text))
    ]
    assert spelled == []


def test_a_spelled_name_would_be_found():
    found = [text for _, text in literals('"""val/loss"""\nx = f"val/accuracy_{y}"\nz = "train/loss"')]
    assert sorted(found) == ["train/loss", "val/accuracy_"]


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of all strings that are no docstrings."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def test_the_examples_hold():
    assert doctest.testmod(metrics).failed == 0
    assert re.search(">>>", Path(metrics.__file__).read_text())
