"""Numbers as labels from a manifest to a served model, against values by `fuse` and the definitions."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from raymm.config import parse
from raymm.config.registries import METHODS
from raymm.data import open_dataset
from raymm.data.reader import BatchReader
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.methods.registry import build_method
from raymm.models.export import load_model
from raymm.models.predictor import load
from raymm.models.valued import load_for
from raymm.storage import layout, sha256_of
from raymm.storage.layout import epoch_folder, result_folder, valuation_file
from raymm.tasks import get_task
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.exact import shapley_values
from tests.cli.calling import exit_code
from tests.games import StopError, settings, stop_after
from tests.tasks.vectors import prepare, write_vectors

SIZE, COUNT, EPOCHS = 6, 180, 3
SECTIONS = {"training": {"epochs": EPOCHS, "keep": 9}, "optimizer": {"lr": 0.02}}
OF_CLASSES = (
    *("amco", "arl", "class", "cml", "inforeg", "lfm", "mbsd", "mcr", "mla", "ogm_ge", "opm", "pmr", "reconboost"),
    *("relearning", "remix"),
)
FUSION = {"ensemble": "ensemble", "reconboost": "ensemble", "mmcosine": "cosine"}
METRICS = ("mae", "rmse", "r2", "pearson", "loss")


def write_manifest(folder, targets):
    """180 samples of three vectors; each adds a part of the label, and the third lacks in some rows."""
    generator = np.random.default_rng(targets)
    vectors = generator.normal(size=(COUNT, 3, SIZE))
    present = generator.random(COUNT) < 0.7
    vectors[~present, 2] = 0.0
    weights = generator.normal(size=(targets, 3, SIZE)) * np.array([1.0, 0.5, 0.5])[:, None]
    labels = 40.0 + 8.0 * np.einsum("nms,kms->nk", vectors, weights) + generator.normal(size=(COUNT, targets))
    write_vectors(folder, vectors, present, ["|".join(map(repr, own)) for own in labels.tolist()])
    return labels, present


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regression") / "raw"
    return folder, *write_manifest(folder, 1)


@pytest.fixture(scope="module")
def dataset(made):
    assert prepare(made[0], made[0] / "data") == 0
    return open_dataset(made[0] / "data")


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several") / "raw"
    labels, _ = write_manifest(folder, 2)
    assert prepare(folder, folder / "data", "--task", "regression", "--classes", "valence,arousal") == 0
    return open_dataset(folder / "data"), labels


@pytest.fixture(scope="module")
def run(tmp_path_factory, dataset):
    """A run of the command line, with the settings that follow from the task."""
    out = tmp_path_factory.mktemp("run") / "r"
    small = ["training.keep=9", "optimizer.lr=0.02", "method.warmup=1", "model.feature_size=16", "training.threads=1"]
    command = ["train", "--data", dataset.path, "--out", out, "--backend", "local", "--store", out.parent / "mlflow"]
    assert exit_code(*command, "--method", "sample", f"training.epochs={EPOCHS}", *small) == 0
    return out


def test_a_manifest_is_read_as_numbers_and_the_task_is_guessed(made, dataset, tmp_path, capfd):
    _, labels, present = made
    order = [int(sample_id.removeprefix("clip-")) for sample_id in dataset.shards.sample_id]
    assert sorted(order) == list(range(COUNT))
    np.testing.assert_array_equal(dataset.label, labels[order])
    assert (dataset.present[:, 2] == present[order]).all()
    train_labels = dataset.label[dataset.rows("train")]
    assert dataset.schema.task == get_task("regression").fitted(train_labels)
    assert dataset.schema.classes == ("target",)
    assert prepare(made[0], tmp_path / "again") == 0
    said = capfd.readouterr()
    assert "labels look continuous" in said.err
    assert "taken as regression" in said.err
    assert "180 samples, 1 target:" in said.out
    assert open_dataset(tmp_path / "again").digest == dataset.digest
    assert prepare(made[0], tmp_path / "again") == 0  # nothing has changed since
    assert "is finished" in capfd.readouterr().err


def test_splits_cover_the_range_of_the_labels(dataset):
    means = [dataset.label[dataset.rows(split)].mean() for split in ("train", "val", "test")]
    assert np.ptp(means) < 0.25 * dataset.label.std()


def test_labels_that_say_nothing_are_refused_before_media_are_read(tmp_path, capfd):
    folder = tmp_path / "raw"
    write_manifest(folder, 1)
    text = (folder / "labels.csv").read_text().splitlines()
    rows = [line.split(",") for line in text]
    (folder / "labels.csv").write_text("\n".join(",".join([row[0], "2.5", *row[2:]]) for row in rows[1:]))
    (folder / "labels.csv").write_text(text[0] + "\n" + (folder / "labels.csv").read_text())
    (folder / "m.npz").write_bytes(b"nothing")
    assert prepare(folder, folder / "data") == 2
    assert "the same number in all" in capfd.readouterr().err


def by_fuse(model, dataset, rows, value):
    """Values of all coalitions by `fuse` alone and in plain numpy: `value(errors [N], sizes [N])`."""
    batch = BatchReader(dataset, parse({}).view, 0).batch(rows)
    values = np.zeros((len(rows), 8))
    train_labels = dataset.label[dataset.rows("train"), 0]
    with torch.inference_mode():
        features = model.encode(batch)
        for code in range(8):
            mask = batch.mask & torch.tensor([bool(code >> i & 1) for i in range(3)])
            answers = train_labels.mean() + train_labels.std() * model.fuse(features, mask).double().numpy()[:, 0]
            errors = (answers - dataset.label[rows, 0]) / train_labels.std()
            values[:, code] = value(errors, mask.sum(dim=1).numpy())
    phi = shapley_values(torch.from_numpy(values)).numpy()
    return values, np.where(batch.mask.numpy(), phi, np.nan)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("soft_count", lambda errors, sizes: sizes * np.exp(-np.abs(errors))),
        ("score", lambda errors, sizes: np.exp(-np.abs(errors))),
        ("error", lambda errors, sizes: -np.abs(errors)),
        ("squared_error", lambda errors, sizes: -(errors**2)),
    ],
)
def test_values_are_those_of_the_definition(run, dataset, tmp_path, name, value):
    out = tmp_path / "t.parquet"
    command = ["value", "--data", dataset.path, "--checkpoint", run, "--out", out, "--backend", "local"]
    assert exit_code(*command, "--utility", name, "--split", "test") == 0
    table, rows = read_table(out), dataset.rows("test")
    values, phi = by_fuse(load_model(result_folder(run) / layout.MODEL).model, dataset, rows, value)
    np.testing.assert_allclose(table.phi, phi, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.nansum(table.phi, axis=1), values[:, 7] - values[:, 0], atol=1e-4)
    np.testing.assert_array_equal(table.label, dataset.label[rows])
    assert table.info.fair_share == (1.0 if name == "soft_count" else None)
    with pytest.raises(DataError, match="does not say which answers are right"):
        table.correct()


def test_metrics_follow_from_the_tables(run, dataset):
    result, task = read_result(run), dataset.schema.task
    table = read_table(valuation_file(result_folder(run), "test"))
    said, own = table.prediction[:, 0], dataset.label[dataset.rows("test"), 0]
    expected = {
        "mae": np.abs(said - own).mean(),
        "rmse": np.sqrt(((said - own) ** 2).mean()),
        "r2": 1 - ((said - own) ** 2).sum() / ((own - own.mean()) ** 2).sum(),
        "pearson": stats.pearsonr(said, own).statistic,
        "loss": (((said - own) / task.settings.sd[0]) ** 2).mean(),
    }
    for figure, value in expected.items():
        assert result.metrics[f"test/{figure}"] == pytest.approx(value, rel=1e-5), figure
    assert not [name for name in result.metrics if "accuracy" in name]
    assert expected["r2"] > 0.2  # it learns
    losses = [entry["metrics"]["val/loss"] for entry in result.history]
    assert result.best_epoch == int(np.argmin(losses))  # the default selection
    assert open_run(run).config.training.selection == "loss"
    assert open_run(run).config.valuation.utility == "soft_count"


def test_low_contributions_get_copies(run, dataset):
    from raymm.training.checkpoint import read_checkpoint

    state = read_checkpoint(run, 2)
    copies = state.plan.index[len(dataset.rows("train")) :]
    assert len(copies) > 0
    low = np.nan_to_num(state.phi, nan=1.0) < 1.0
    assert set(copies) <= set(dataset.rows("train")[low.any(axis=1)])
    assert read_result(run).history[1]["metrics"]["rows/epoch"] > len(dataset.rows("train"))


@pytest.mark.parametrize("method", ["joint", "sample", "modality"])
def test_a_resumed_run_has_the_same_bits(tmp_path, dataset, method):
    config = settings(**SECTIONS, method={"name": method, "warmup": 1})
    whole, cut = (create_or_open(tmp_path / name, config, dataset) for name in ("whole", "cut"))
    train(whole, dataset, Backends())
    with pytest.raises(StopError):
        train(cut, dataset, Backends(report=stop_after(2)))
    train(create_or_open(cut.path, config, dataset), dataset, Backends())  # by the same settings as they were given
    for name in ("model.safetensors", "optimizer.safetensors", "plan.safetensors"):
        first, second = (sha256_of(epoch_folder(each.path, EPOCHS) / name) for each in (whole, cut))
        assert first == second, name


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_trains_or_says_why_not(tmp_path, dataset, name):
    more = {"alone": {"settings": {"modality": "m0"}}}.get(name, {})
    config = settings(
        training={"epochs": 4},
        method={"name": name, "warmup": 1, **more},
        optimizer={"schedule": "constant"},
        **({"model": {"fusion": FUSION[name]}} if name in FUSION else {}),
    )
    if name in OF_CLASSES or name == "greedy":  # greedy is for two modalities
        said = "2 modalities|two modalities" if name == "greedy" else "the task regression"
        with pytest.raises(ConfigError, match=rf"(?s)method={name}.*({said})"):
            create_or_open(tmp_path / "r", config, dataset)
        return
    result = train(create_or_open(tmp_path / "r", config, dataset), dataset, Backends())
    assert set(METRICS) <= {key.removeprefix("test/") for key in result.metrics}


@pytest.mark.parametrize("name", ["class", "ogm_ge", "opm", "inforeg", "pmr", "cml", "lfm", "mla", "remix"])
def test_methods_of_classes_are_refused_in_words(dataset, name):
    with pytest.raises(ConfigError) as caught:
        build_method(settings(method={"name": name}, valuation={"utility": "error"}), dataset.schema)
    assert "the task regression" in str(caught.value)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"valuation": {"utility": "count"}}, "valuation.utility: 'count' is not defined for the task regression"),
        (
            {"training": {"selection": "accuracy"}},
            "training.selection: 'accuracy' is no metric of the task regression; it has loss, mae, rmse, r2, pearson",
        ),
        ({"valuation": {"utility": "error"}, "method": {"name": "sample"}}, "has no fair share below which"),
        (
            {"model": {"calibrate": "temperature"}},
            "the task regression has no probabilities that could be calibrated",
        ),
        ({"model": {"fusion": "entropy"}}, "the task regression has no probabilities whose entropy"),
    ],
)
def test_what_needs_classes_is_refused_in_words(tmp_path, dataset, sections, words):
    with pytest.raises(ConfigError) as caught:
        create_or_open(tmp_path / "r", settings(**sections), dataset)
    assert words in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_answers_that_are_right_bring_count_and_accuracy(tmp_path, made):
    assert prepare(made[0], tmp_path / "data", "--task", "regression", "--task-setting", "within=4") == 0
    dataset = open_dataset(tmp_path / "data")
    config = settings(**SECTIONS, valuation={"utility": "count"}, method={"name": "sample", "warmup": 1})
    result = train(create_or_open(tmp_path / "r", config, dataset), dataset, Backends())
    table = read_table(valuation_file(result_folder(tmp_path / "r"), "test"))
    right = np.abs(table.prediction - table.label)[:, 0] <= 4
    assert result.metrics["test/accuracy"] == pytest.approx(right.mean())
    assert 0.1 < right.mean() < 1.0
    assert (table.correct()[:, 7] == right).all()
    assert "test/accuracy_m0" in result.metrics


def test_a_report_and_a_page_show_numbers(run, dataset, tmp_path, capsys):
    out, folder, page = tmp_path / "t.parquet", tmp_path / "report", tmp_path / "t.html"
    assert exit_code("report", run) == 0
    assert (run / "report.html").is_file()
    assert (run / "plots" / "learning-curves.png").is_file() or list((run / "plots").glob("learning-curves*"))
    assert not list((run / "plots").glob("phi-per-class*"))
    command = ["value", "--data", dataset.path, "--checkpoint", run, "--out", out, "--backend", "local"]
    assert exit_code(*command, "--split", "test", "--report", folder, "--html", page) == 0
    said = capsys.readouterr().out
    assert "accuracy" not in said
    assert "soft_count" in said
    readme = (folder / "README.md").read_text()
    assert "by class" not in readme
    assert "accuracy" not in readme
    label = dataset.label[dataset.rows("test")[0]].item()
    assert f"{label:.9g}" in page.read_text()


def test_mlflow_has_the_metrics_of_a_regression(run):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run.parent / 'mlflow'}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments)
    assert any({"test/mae", "test/r2", "val/rmse"} <= set(each.data.metrics) for each in found)


def columns_of(dataset, rows):
    shards = dataset.shards
    return {
        name: [shards.read(name, np.array([row]))[0] if dataset.present[row, i] else None for row in rows]
        for i, name in enumerate(dataset.schema.names)
    }


def test_a_served_model_answers_numbers_and_what_made_them(run, dataset):
    rows, folder = dataset.rows("test")[:8], result_folder(run) / layout.MODEL
    answer = load(folder).predict(columns_of(dataset, rows))
    table = read_table(valuation_file(result_folder(run), "test"))
    np.testing.assert_allclose(answer["prediction"], table.prediction[:8, 0], rtol=1e-5)
    model = load_model(folder).model
    with torch.inference_mode():
        nothing = model.fuse(torch.zeros(1, 3, model.size), torch.zeros(1, 3, dtype=torch.bool))
        empty = dataset.schema.task.predict(nothing).item()
    for number in range(8):
        parts = [answer[f"phi_m{i}"][number] for i in range(3)]
        assert (parts[2] is None) == (not dataset.present[rows[number], 2])
        total = sum(part or 0.0 for part in parts)
        assert total == pytest.approx(answer["prediction"][number] - empty, rel=1e-4)
    assert set(answer) == {"prediction", "phi_m0", "phi_m1", "phi_m2"}
    json.dumps(answer)


def test_several_targets_go_the_same_way(tmp_path, several):
    dataset, labels = several
    assert dataset.schema.classes == ("valence", "arousal")
    assert dataset.label.shape == labels.shape
    config = settings(**SECTIONS, method={"name": "sample", "warmup": 1})
    result = train(create_or_open(tmp_path / "r", config, dataset), dataset, Backends())
    table = read_table(valuation_file(result_folder(tmp_path / "r"), "test"))
    assert table.prediction.shape == (len(dataset.rows("test")), 2)
    assert result.metrics["test/mae"] == pytest.approx(np.abs(table.prediction - table.label).mean(), rel=1e-5)
    answer = load(result_folder(tmp_path / "r") / layout.MODEL).predict(columns_of(dataset, dataset.rows("test")[:3]))
    np.testing.assert_allclose(answer["prediction_arousal"], table.prediction[:3, 1], rtol=1e-5)
    assert len(answer) == 2 * 4


def test_a_model_answers_other_data_on_the_scale_that_it_learned(run, dataset, tmp_path):
    folder = tmp_path / "raw"
    write_manifest(folder, 1)
    lines = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join([lines[0], *lines[41:]]))
    assert prepare(folder, folder / "data") == 0
    other = open_dataset(folder / "data")
    assert other.schema.task != dataset.schema.task
    job = load_for(run, other, "test")
    assert job.view.dataset.schema.task == dataset.schema.task
    classes = tmp_path / "classes"
    assert prepare(folder, classes, "--task", "multilabel", "--classes", "target") == 2
    other_task = other.schema.model_copy(update={"task": get_task("multilabel")})
    with pytest.raises(CheckpointError, match="trained for regression; the data has labels of multilabel"):
        load_for(run, replace(other, schema=other_task), "test")
