"""A served model predicts, and says what each modality contributed."""

import numpy as np
import pytest

from raymm.cli.demo_clips import true_phi
from raymm.errors import DataError
from raymm.models.predictor import load
from raymm.reports.valuation_summary import summarise, summary_lines
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import read_table
from raymm.valuation.engine import value_rows
from tests.games import settings, small_dataset


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    dataset = small_dataset(folder / "d")
    run = create_or_open(folder / "r", settings(), dataset)
    train(run, dataset, Backends())
    return run, dataset


def columns_of(dataset, rows):
    return {name: list(dataset.shards.read(name, rows)) for name in dataset.schema.names}


def test_predictions_are_those_of_the_test_table(trained):
    run, dataset = trained
    answer = load(run.path / "result" / "model").predict(columns_of(dataset, dataset.rows("test")))
    table = read_table(run.path / "result" / "valuation-test.parquet")
    assert answer["prediction"] == [dataset.schema.classes[number] for number in table.prediction]
    assert all(0 <= value <= 1 for value in answer["probability"])


def test_contributions_sum_to_the_probability_over_the_empty_coalition(trained):
    run, dataset = trained
    predictor = load(run.path / "result" / "model")
    answer = predictor.predict(columns_of(dataset, dataset.rows("test")[:5]))
    alone = predictor.predict({"m0": columns_of(dataset, dataset.rows("test")[:5])["m0"]})
    total = np.add(answer["phi_m0"], answer["phi_m1"])
    assert (total < answer["probability"]).all()
    assert alone["phi_m1"] == [None] * 5
    assert alone["phi_m0"] != answer["phi_m0"]


def test_what_does_not_fit_is_named(trained):
    predictor = load(trained[0].path / "result" / "model")
    with pytest.raises(DataError, match="no modality 'm9'; known: m0, m1"):
        predictor.predict({"m9": [1]})
    with pytest.raises(DataError, match=r"row 1, m0: has shape \[3\], the schema says \[16\]"):
        predictor.predict({"m0": [np.zeros(16), np.zeros(3)]})


def test_the_summary_counts_what_the_table_holds(trained):
    run, dataset = trained
    exported = load(run.path / "result" / "model").exported
    from raymm.data import BatchReader

    view = BatchReader(dataset, exported.config.view, exported.config.training.seed)
    table = value_rows(exported.model, view, dataset.rows("val"), exported.config)
    summary = summarise(table)
    assert summary["modalities"]["m0"]["mean_phi"] == pytest.approx(table.phi[:, 0].mean())
    assert summary["modalities"]["m1"]["low"] == pytest.approx((table.phi[:, 1] < 1).mean())
    assert all(len(line) <= 80 for line in summary_lines(summary))


def test_the_truth_of_the_demo_is_the_truth_table():
    carriers = np.array([[True, True], [True, False], [False, True]])
    assert true_phi(carriers).tolist() == [[1, 1], [1.5, 0.5], [0.5, 1.5]]
