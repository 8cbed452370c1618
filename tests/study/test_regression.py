"""Studies of labels that are numbers: selection by the task, and errors that are paired by sample."""

import numpy as np
import pytest

from raymm.data import Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.errors import ConfigError
from raymm.storage.layout import result_folder, valuation_file
from raymm.study import store
from raymm.study.comparison import compare_all
from raymm.study.configs import config_of
from raymm.study.figures import Figure, figures_of
from raymm.study.samples import _disagreement, read_samples
from raymm.study.settings import parse_study
from raymm.study.words import amount
from raymm.tasks import get_task, task_fields
from raymm.valuation.table import TableInfo, ValuationTable
from raymm.valuation.table_file import write_table
from tests.studies import record, results_of

SAMPLES = 50


def write_dataset_of_numbers(path, prefix="s"):
    generator = np.random.default_rng(0)
    schema = Schema(
        modalities=[VectorSpec(name=f"m{i}", size=3) for i in range(2)], classes=("target",), task="regression"
    )

    def samples():
        for row in range(60):
            vectors = generator.normal(size=(2, 3)).astype(np.float32)
            values = {f"m{i}": vectors[i] for i in range(2)}
            yield Sample(f"{prefix}{row}", ("train", "val", "test")[row % 3], (float(vectors.sum()),), values)

    return write_dataset(path, samples(), schema)


def write_answers(run, labels, answers, ids):
    task = get_task("regression").fitted(labels)
    nothing = np.zeros((len(labels), 2))
    table = ValuationTable(
        info=TableInfo(("m0", "m1"), "error", "zeros", "0" * 16, task=task_fields(task), classes=1),
        sample_id=ids,
        split=np.full(len(labels), "test"),
        label=labels,
        prediction=answers,
        phi=nothing,
        outcomes=np.zeros((len(labels), 1), np.uint8),
        loss=np.zeros(len(labels)),
        stderr=nothing,
        unimodal_correct=nothing.astype(bool),
    )
    path = valuation_file(result_folder(run), "test")
    path.parent.mkdir(parents=True)
    write_table(path, table)


@pytest.mark.parametrize("metric", ["mae", "loss"])
def test_errors_are_paired_by_sample_and_no_answers_are_counted(tmp_path, metric):
    generator = np.random.default_rng(1)
    labels = generator.normal(5.0, 3.0, (SAMPLES, 1))
    ids, runs, errors = np.array([f"s{n}" for n in range(SAMPLES)]), [], {}
    for arm, noise in (("joint", 2.0), ("sample", 1.0)):
        for seed in range(3):
            answers = labels + noise * generator.normal(size=labels.shape)
            order = generator.permutation(SAMPLES)
            error = (answers - labels)[:, 0]
            own = np.abs(error) if metric == "mae" else (error / labels.std()) ** 2
            errors[arm, seed] = own[np.argsort(ids)]
            write_answers(tmp_path / f"{arm}{seed}", labels[order], answers[order], ids[order])
            figures = {"test/mae": float(np.abs(error).mean()), f"test/{metric}": float(own.mean())}
            runs.append(record("a", arm, seed, float("nan"), figures, path=tmp_path / f"{arm}{seed}"))
    results = results_of(runs, metric=metric, higher=False)
    figure = figures_of(results)[0]
    samples = read_samples(results, figure)
    assert samples.left_out == ()
    for (arm, seed), own in errors.items():
        np.testing.assert_allclose(samples.values["a", arm, seed], own)
    table = next(one for one in compare_all(results, {figure: samples}) if one.second == "joint")
    comparison = next(one for one in table.comparisons if one.first == "sample")
    assert comparison.mcnemar == {}
    assert comparison.won == 3
    of_sample = np.mean([errors["sample", seed] - errors["joint", seed] for seed in range(3)], axis=0)
    low, high = comparison.by_samples
    assert low < of_sample.mean() < high < 0
    assert (high - low) / (2 * 1.96) == pytest.approx(of_sample.std() / np.sqrt(SAMPLES), rel=0.08)


def test_a_study_takes_what_the_task_of_each_data_set_needs(tmp_path):
    data = write_dataset_of_numbers(tmp_path / "data")
    asked = {"data": {"n": str(data)}, "arms": ["joint", "sample"], "seeds": [0]}
    small = {"training.epochs": 2, "method.warmup": 1}
    made = store.create_or_open(tmp_path / "study", parse_study({**asked, "settings": small}))
    assert made.unfit == {}
    config = config_of(made.settings, "n", "sample")
    assert (config.valuation.utility, config.training.selection) == ("soft_count", "loss")
    again = store.create_or_open(tmp_path / "study", parse_study({**asked, "settings": small}))
    assert again.settings == made.settings == store.open_study(tmp_path / "study").settings
    given = {**small, "valuation.utility": "score", "training": {"selection": "mae"}}
    own = store.create_or_open(tmp_path / "own", parse_study({**asked, "arms": ["joint"], "settings": given}))
    config = config_of(own.settings, "n", "joint")
    assert (config.valuation.utility, config.training.selection) == ("score", "mae")
    with pytest.raises(ConfigError, match="'count' is not defined for the task regression"):
        store.create_or_open(
            tmp_path / "no", parse_study({**asked, "settings": {**small, "valuation.utility": "count"}})
        )


def test_the_data_set_says_its_task(tmp_path):
    dataset = open_dataset(write_dataset_of_numbers(tmp_path / "data"))
    labels = dataset.label[dataset.rows("train")]
    assert dataset.schema.task.settings.mean == pytest.approx((labels.mean(),))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_errors_are_checked_and_shown_in_any_unit(unit, tmp_path):
    errors, figure = unit * np.array([1.0, 2.0, 3.0]), Figure("mae", "mae", higher=False, share=False)
    runs = [record("a", "joint", 0, 0.0, {"test/mae": mae * unit}, path=tmp_path) for mae in (2.0, 2.001)]
    assert _disagreement(runs[0], figure, errors) is None
    assert "its test table gives" in _disagreement(runs[1], figure, errors)
    assert float(amount(2.0 * unit, figure)) == 2.0 * unit
    assert float(amount(0.0, figure)) == 0


@pytest.mark.parametrize(("figure", "said"), [("accuracy", "0.0"), ("loss", "0.000")])
def test_rounding_of_figures_without_a_unit_of_the_label_is_shown_as_0(figure, said):
    assert amount(1e-9, Figure(figure, figure, higher=True, share=figure == "accuracy")) == said
