"""What a tracking store shows first of a run: charts of metrics that such a run measures, and its data."""

import numpy as np
import pytest

from raymm.data import Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.reports.run_about import data_of
from raymm.reports.run_tracking import run_info
from raymm.tasks import get_task
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import settings

SPLITS = ["train"] * 24 + ["val"] * 9 + ["test"] * 8
LABELS = {"classification": lambda row: row % 2, "multilabel": lambda row: (row % 2 == 0, row % 3 == 0)}
LABELS["regression"] = lambda row: (float(row), -float(row))


@pytest.fixture(params=list(LABELS))
def dataset(request, tmp_path):
    vectors = tuple(VectorSpec(name=name, size=3) for name in "ab")
    schema = Schema(modalities=vectors, classes=("x", "y"), task=get_task(request.param))
    generator, label = np.random.default_rng(0), LABELS[request.param]
    samples = [
        Sample(f"s{row}", split, label(row), {name: generator.normal(size=3).astype(np.float32) for name in "ab"})
        for row, split in enumerate(SPLITS)
    ]
    return open_dataset(write_dataset(tmp_path / "data", samples, schema))


def test_every_chart_is_of_metrics_that_the_run_has(tmp_path, dataset):
    selection = dataset.schema.task.default_selection
    utility = dataset.schema.task.default_utility
    config = settings(training={"epochs": 2, "selection": selection}, valuation={"utility": utility})
    run = create_or_open(tmp_path / "run", config, dataset)
    result = train(run, dataset, Backends())
    view = run_info(run, dataset, "e").view
    drawn = {name for names in view.curves.values() for name in names}
    assert drawn <= set(result.history[-1]["metrics"])
    assert {name for names in view.bars.values() for name in names} <= set(result.metrics)
    assert ("val/accuracy_a" in drawn) == dataset.schema.task.hard


def test_rows_are_those_of_each_split(dataset):
    assert data_of(dataset, "d").rows == {"train": 24, "val": 9, "test": 8}
