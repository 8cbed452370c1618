"""Figures of a finished training against scikit-learn and torchmetrics, and where they are recorded."""

import csv
import math
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_average_precision,
    binary_calibration_error,
    multiclass_calibration_error,
    multiclass_f1_score,
    multilabel_f1_score,
)

from raymm.reports.pages.groups import class_counts
from raymm.storage import layout
from raymm.storage.layout import epoch_folder, result_folder, valuation_file
from raymm.tasks import get_task
from raymm.tasks.final_metrics import (
    calibration_error,
    confusion,
    macro_f1,
    mean_auc,
    mean_average_precision,
    per_class,
)
from raymm.training.result import read_result
from raymm.valuation import read_table
from tests.cli.calling import exit_code
from tests.reports.tables import random_table


def probabilities(classes, samples=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, samples)
    logits = generator.normal(size=(samples, classes)) + 1.5 * np.eye(classes)[labels]
    return torch.from_numpy(logits).softmax(dim=1).numpy(), labels


@pytest.mark.parametrize("classes", [2, 5])
def test_auc_and_calibration_error_of_classes(classes):
    p, labels = probabilities(classes)
    found = get_task().final_metrics(labels, p)
    expected = roc_auc_score(labels, p, multi_class="ovr") if classes > 2 else roc_auc_score(labels, p[:, 1])
    assert found["auc"] == pytest.approx(expected, abs=1e-12)
    error = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(labels), classes, n_bins=15)
    assert found["ece"] == pytest.approx(float(error), abs=1e-6)
    worse = get_task().final_metrics((labels + 1) % classes, p)
    assert worse["auc"] < found["auc"] - 0.1
    assert worse["ece"] > found["ece"] + 0.1


def test_auc_and_calibration_error_of_label_sets():
    generator = np.random.default_rng(1)
    labels = generator.random((150, 4)) < 0.3
    p = 1 / (1 + np.exp(-generator.normal(size=labels.shape) - np.where(labels, 1.5, -1.5)))
    found = get_task("multilabel").final_metrics(labels, p)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, p, average="macro"), abs=1e-12)
    states = np.where(p > 0.5, p, 1 - p).ravel()
    right = ((p > 0.5) == labels).ravel()
    error = binary_calibration_error(torch.from_numpy(states), torch.from_numpy(right.astype(int)), n_bins=15)
    assert found["ece"] == pytest.approx(float(error), abs=1e-6)
    empty = np.concatenate([labels, np.zeros((150, 1), bool), np.ones((150, 1), bool)], axis=1)
    wide = np.concatenate([p, p[:, :2]], axis=1)
    assert mean_auc(wide, empty) == pytest.approx(found["auc"])  # a label that none or all have has no curve
    assert math.isnan(mean_auc(p[:, :1], np.ones((150, 1), bool)))


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error():
    right = np.arange(100) < 80
    assert calibration_error(np.full(100, 0.8), right) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 1.0), right) == pytest.approx(0.2)


@pytest.mark.parametrize("classes", [1, 2, 6])
def test_figures_by_class_are_those_of_scikit_learn(classes):
    generator = np.random.default_rng(classes)
    member, said = (generator.random((90, classes)) < 0.4 for _ in range(2))
    found = per_class(*(marks.sum(axis=0) for marks in (member, said, member & said)))
    expected = precision_recall_fscore_support(member, said, average=None, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "samples"), expected, strict=True):
        np.testing.assert_allclose(found[name], values[-classes:], rtol=1e-9)  # of one label it has both states
    never = per_class(np.array([3, 0, 0]), np.array([0, 0, 1]), np.array([0, 0, 0]))
    assert math.isnan(never["precision"][0])
    assert math.isnan(never["recall"][1])
    np.testing.assert_array_equal(never["f1"], [0.0, np.nan, 0.0])


@pytest.mark.parametrize(("task", "counted"), [("classification", 5), ("multilabel", 8)])
def test_the_mean_f1_of_the_classes_is_the_macro_f1(task, counted):
    """Also where classes, here three of eight, are neither a label nor an answer."""
    table = random_table(60, classes=5, task=task)
    label, prediction = table.label, table.prediction
    if task == "multilabel":
        label, prediction = (np.pad(each, ((0, 0), (0, 3))) for each in (label, prediction))
    table = replace(table, label=label, prediction=prediction)
    counts = class_counts(table, 8)
    f1 = per_class(counts.samples, counts.answered, counts.hits, table.task.absent_f1)["f1"]
    assert (~np.isnan(f1)).sum() == counted
    assert np.nanmean(f1) == pytest.approx(
        table.task.metrics(prediction, label, table.loss, 8)["macro_f1"], abs=1e-12
    )


def test_confusion_is_that_of_scikit_learn():
    generator = np.random.default_rng(0)
    labels, said = (generator.integers(0, 4, 70) for _ in range(2))
    np.testing.assert_array_equal(confusion(said, labels, 5)[:4, :4], confusion_matrix(labels, said))
    assert confusion(said, labels, 5).sum() == 70


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_records_them_for_validation_and_test(dataset, tmp_path):
    out = tmp_path / "r"
    command = ["train", "--data", dataset.path, "--out", out, "--backend", "local", "--store", tmp_path / "mlflow"]
    small = ["training.epochs=2", "model.feature_size=8", "--method", "joint", "model.calibrate=temperature"]
    assert exit_code(*command, *small) == 0
    result, names = read_result(out), dataset.schema.classes
    assert {"test/auc", "test/ece", "uncalibrated_test/ece"} <= set(result.metrics)
    assert not [name for entry in result.history for name in entry["metrics"] if name.endswith(("/auc", "/ece"))]
    by_class, counts = rows(out / layout.TABLES / "per_class.csv"), rows(out / layout.TABLES / "confusion.csv")
    folders = {"val": epoch_folder(out, result.best_epoch + 1), "test": result_folder(out)}
    for split, folder in folders.items():
        table = read_table(valuation_file(folder, split))
        own = [row for row in counts if row["split"] == split]
        found = [[int(row[name]) for name in names] for row in own]
        assert found == confusion_matrix(table.label, table.prediction, labels=range(len(names))).tolist()
        recalls = [float(row["recall"]) for row in by_class if row["split"] == split]
        f1 = [float(row["f1"]) for row in by_class if row["split"] == split and row["f1"]]
        assert np.mean(f1) == pytest.approx(
            result.metrics[f"{'best' if split == 'val' else split}/macro_f1"], abs=1e-5
        )
        assert np.mean(recalls) == pytest.approx(
            np.mean([row[k] / sum(row) for k, row in enumerate(found)]), abs=1e-5
        )
    assert [row["class"] for row in by_class] == [*names, *names]

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow'}/mlflow.db")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    recorded = {
        file.path
        for run in runs
        for folder in ("tables", "plots")
        for file in client.list_artifacts(run.info.run_id, folder)
    }
    assert {"tables/per_class.csv", "tables/confusion.csv"} <= recorded
    assert any(path.startswith("plots/confusion") for path in recorded)


def spread(kind, shape, generator):
    """Outputs of a kind: plain, with many ties, all the same, saturated, nearly the same, tiny."""
    plain = generator.normal(size=shape)
    made = {
        "plain": plain,
        "ties": np.round(plain),
        "same": np.zeros(shape),
        "saturated": 60 * plain,
        "close": 1e-9 * plain,
        "far": plain - 25.0,
    }
    return made[kind]


KINDS = ("plain", "ties", "same", "saturated", "close", "far")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("samples", "classes"), [(1, 3), (2, 2), (40, 2), (300, 6)])
def test_metrics_of_classes_are_those_of_scikit_learn_at_the_extremes(kind, samples, classes):
    task, generator = get_task(), np.random.default_rng(samples)
    logits, y = spread(kind, (samples, classes), generator), generator.integers(0, classes, samples)
    outputs = torch.from_numpy(logits)
    p, said = task.probabilities(outputs).numpy(), task.predict(outputs).numpy()
    losses = task.losses(outputs, torch.from_numpy(y)).numpy()
    found = {**task.metrics(said, y, losses, classes), **task.final_metrics(y, p)}
    curves = [roc_auc_score(y == k, p[:, k]) for k in range(classes) if 0 < (y == k).sum() < samples]
    expected = {
        "accuracy": (logits.argmax(axis=1) == y).mean(),
        "macro_f1": f1_score(y, logits.argmax(axis=1), average="macro"),
        "loss": (logsumexp(logits, axis=1) - logits[np.arange(samples), y]).mean(),
        "auc": np.mean(curves) if curves else math.nan,
        "ece": error_by_bins(p.max(axis=1), p.argmax(axis=1) == y),
    }
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("samples", "labels"), [(1, 3), (2, 1), (40, 1), (300, 6)])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_metrics_of_label_sets_are_those_of_scikit_learn_at_the_extremes(kind, samples, labels, share):
    task, generator = get_task("multilabel"), np.random.default_rng(samples)
    logits, y = spread(kind, (samples, labels), generator), generator.random((samples, labels)) < share
    outputs = torch.from_numpy(logits)
    p, said = task.probabilities(outputs).numpy(), task.predict(outputs).numpy()
    losses = task.losses(outputs, torch.from_numpy(y)).numpy()
    found = {**task.metrics(said, y, losses, labels, p), **task.final_metrics(y, p)}
    q, columns = logits > 0, range(labels)
    f1 = [f1_score(y[:, k], q[:, k], zero_division=0) for k in columns]
    curves = [roc_auc_score(y[:, k], p[:, k]) for k in columns if 0 < y[:, k].sum() < samples]
    ranked = [average_precision_score(y[:, k], p[:, k]) for k in columns if y[:, k].any()]
    expected = {
        "accuracy": (q == y).all(axis=1).mean(),
        "micro_f1": f1_score(y.ravel(), q.ravel(), zero_division=0),
        "macro_f1": np.mean(f1),
        "mAP": np.mean(ranked) if ranked else math.nan,
        "loss": np.logaddexp(0, np.where(y, -logits, logits)).mean(),
        "auc": np.mean(curves) if curves else math.nan,
        "ece": error_by_bins(np.where(q, p, 1 - p).ravel(), (q == y).ravel()),
    }
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_torchmetrics_to_its_precision(seed):
    """Which is float32: classes that neither occur nor are answered, one sample and ties included."""
    generator = np.random.default_rng(seed)
    samples, classes = (1, 2, 7, 30, 30, 60)[seed], (2, 5, 3, 8, 2, 6)[seed]
    y, said = (generator.integers(0, max(1, classes - at), samples) for at in (1, 0))
    found = get_task().metrics(said, y, np.zeros(samples), classes)["macro_f1"]
    theirs = multiclass_f1_score(torch.tensor(said), torch.tensor(y), num_classes=classes, average="macro")
    assert found == pytest.approx(float(theirs), abs=1e-6)
    own, sets = (generator.random((samples, classes)) < share for share in (0.3, 0.4))
    p = np.round(generator.random((samples, classes)), 1)
    found = get_task("multilabel").metrics(sets, own, np.zeros(samples), classes, p)
    pair = torch.tensor(sets.astype(int)), torch.tensor(own.astype(int))
    for average in ("micro", "macro"):
        theirs = multilabel_f1_score(*pair, num_labels=classes, average=average)
        assert found[f"{average}_f1"] == pytest.approx(float(theirs), abs=1e-6)
    column = np.concatenate([own[:, 0], [True, False]])
    scores = np.concatenate([p[:, 0], [0.5, 0.5]])
    pair = torch.tensor(scores), torch.tensor(column.astype(int))
    assert mean_auc(scores[:, None], column[:, None]) == pytest.approx(float(binary_auroc(*pair)), abs=1e-6)
    precision = mean_average_precision(scores[:, None], column[:, None])
    assert precision == pytest.approx(float(binary_average_precision(*pair)), abs=1e-6)


def test_metrics_are_the_fractions_that_they_stand_for():
    """4/9 and k/N, to the last bit, and the same whatever the classes are called."""
    y, said = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 0])
    assert get_task().metrics(said, y, np.zeros(4), 3)["macro_f1"] == float(Fraction(4, 9))
    for total in range(1, 40):
        for right in range(total + 1):
            own = np.ones((total, 1), bool)
            found = get_task("multilabel").metrics(np.arange(total)[:, None] < right, own, np.zeros(total), 1)
            assert found["micro_f1"] == found["macro_f1"] == 2 * right / (total + right)
            assert found["accuracy"] == right / total
    p, own = np.arange(1.0, 11.0)[:, None] / 10, np.arange(10)[:, None] % 3 == 0
    assert mean_auc(p, own) == 12 / 24
    assert mean_average_precision(p, own) == pytest.approx(
        float(Fraction(1 + Fraction(2, 4) + Fraction(3, 7)) / 4 + Fraction(1, 10))
    )


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_the_same_whatever_the_order_of_classes_and_samples(seed):
    generator = np.random.default_rng(seed)
    y, said = np.repeat(np.arange(4), 5), generator.integers(0, 4, 20)
    p = generator.random((20, 4))
    member = y[:, None] == np.arange(4)
    found = set()
    for order in map(np.array, permutations(range(4))):
        place, rows = np.argsort(order), generator.permutation(20)
        macro = get_task().metrics(order[said][rows], order[y][rows], np.zeros(20), 4)["macro_f1"]
        columns = p[rows][:, place], member[rows][:, place]
        found.add((macro, mean_auc(*columns), mean_average_precision(*columns)))
    assert len(found) == 1


def test_confusions_of_the_same_macro_f1_are_tied():
    """Also where their classes have other scores: the sum is exact, and rounded once."""
    counts = [([3, 3, 3], [3, 3, 3], [2, 2, 2]), ([3, 3, 3], [3, 3, 3], [1, 2, 3])]
    assert len({macro_f1(*map(np.array, each)) for each in counts}) == 1
    assert math.isnan(macro_f1(*np.zeros((3, 2), np.int64)))
    assert macro_f1(*np.zeros((3, 2), np.int64), absent_f1=0.0) == 0.0


def error_by_bins(confidence, right):
    """Expected calibration error, bin by bin: the last has its upper end too."""
    low = np.arange(15) / 15
    bins = [(confidence >= a) & ((confidence < a + 1 / 15) | (a > 0.93)) for a in low]
    parts = [abs((confidence[b] - right[b]).sum()) / len(right) for b in bins]
    return sum(parts)
