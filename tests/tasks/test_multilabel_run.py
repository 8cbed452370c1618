"""Several labels a sample from a manifest to a served model, against values by `fuse` and the definitions."""

import json

import numpy as np
import pytest
import torch

from raymm.config import parse
from raymm.data import open_dataset
from raymm.data.reader import BatchReader
from raymm.errors import ConfigError
from raymm.models.export import load_model
from raymm.models.predictor import load
from raymm.storage import layout, sha256_of
from raymm.storage.layout import epoch_folder, result_folder, valuation_file
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.engine import value_rows
from raymm.valuation.exact import shapley_values
from tests.cli.calling import exit_code
from tests.games import StopError, settings, stop_after
from tests.tasks.vectors import prepare, write_vectors

LABELS = ("calm", "cold", "happy", "loud", "sad", "warm")
SIZE, COUNT, EPOCHS = 12, 180, 3
SECTIONS = {"training": {"epochs": EPOCHS, "keep": 9}, "optimizer": {"lr": 0.02}}


def write_manifest(folder):
    """180 samples of three vectors; every label shows in two of them, the third lacks in some rows."""
    generator = np.random.default_rng(4)
    labels = generator.random((COUNT, 6)) < 0.35
    prototypes = (
        generator.normal(size=(3, 6, SIZE)) * np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1], [1] * 6])[..., None]
    )
    features = np.einsum("nk,mks->nms", labels, prototypes) + 0.8 * generator.normal(size=(COUNT, 3, SIZE))
    present = generator.random(COUNT) < 0.7
    names = ["|".join(name for name, on in zip(LABELS, own, strict=True) if on) for own in labels]
    write_vectors(folder, features, present, names)
    return labels, present


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multilabel") / "raw"
    return folder, *write_manifest(folder)


@pytest.fixture(scope="module")
def data(made):
    assert prepare(made[0], made[0] / "data", "--task", "multilabel") == 0
    return made[0] / "data"


@pytest.fixture(scope="module")
def dataset(data):
    return open_dataset(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    """A run of the command line, with the utility `count`."""
    out = tmp_path_factory.mktemp("run") / "r"
    small = ["training.keep=9", "optimizer.lr=0.02", "method.warmup=1", "model.feature_size=16", "training.threads=1"]
    command = ["train", "--data", data, "--out", out, "--backend", "local", "--store", out.parent / "mlflow"]
    assert exit_code(*command, "--method", "sample", f"training.epochs={EPOCHS}", *small) == 0
    return out


def test_a_manifest_is_read_as_label_sets(made, dataset):
    _, labels, present = made
    order = [int(sample_id.removeprefix("clip-")) for sample_id in dataset.shards.sample_id]
    assert sorted(order) == list(range(COUNT))
    assert dataset.schema.task.name == "multilabel"
    assert dataset.schema.classes == LABELS
    assert (dataset.label == labels[order]).all()
    assert (~labels.any(axis=1)).any()  # samples without labels are there
    assert (dataset.present[:, 2] == present[order]).all()
    assert (dataset.present[:, :2]).all()
    for split in ("train", "val", "test"):
        assert dataset.label[dataset.rows(split)].any(axis=0).all()


def test_the_task_is_guessed_and_said(made, dataset, tmp_path, capfd):
    assert prepare(made[0], tmp_path / "guessed") == 0
    assert "taken as multilabel" in capfd.readouterr().err
    assert open_dataset(tmp_path / "guessed").digest == dataset.digest
    assert prepare(made[0], tmp_path / "classes", "--task", "classification") == 2  # an empty cell is no class


def by_fuse(model, dataset, rows, name):
    """Outcomes of all coalitions and their values, by `fuse` alone and in plain numpy."""
    batch = BatchReader(dataset, parse({}).view, 0).batch(rows)
    correct, values = (np.zeros((len(rows), 8), kind) for kind in (bool, float))
    own = batch.labels.numpy()
    with torch.inference_mode():
        features = model.encode(batch)
        for code in range(8):
            mask = batch.mask & torch.tensor([bool(code >> i & 1) for i in range(3)])
            logits = model.fuse(features, mask).double().numpy()
            probability = 1 / (1 + np.exp(-logits))
            size = mask.sum(dim=1).numpy()
            correct[:, code] = ((probability > 0.5) == own).all(axis=1) & (size > 0)
            state = np.where(own, probability, 1 - probability)
            values[:, code] = size * correct[:, code] if name == "count" else state.prod(axis=1) ** (1 / 6)
    phi = shapley_values(torch.from_numpy(values)).numpy()
    return correct, values, np.where(batch.mask.numpy(), phi, np.nan)


@pytest.mark.parametrize("name", ["count", "probability"])
def test_values_are_those_of_the_definition(run, dataset, tmp_path, name):
    out = tmp_path / "t.parquet"
    command = ["value", "--data", dataset.path, "--checkpoint", run, "--out", out, "--backend", "local"]
    assert exit_code(*command, "--utility", name, "--split", "test") == 0
    table, rows = read_table(out), dataset.rows("test")
    correct, values, phi = by_fuse(load_model(result_folder(run) / layout.MODEL).model, dataset, rows, name)
    assert (table.correct() == correct).all()
    assert 0.02 < correct.mean() < 0.98
    np.testing.assert_allclose(table.phi, phi, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.nansum(table.phi, axis=1), values[:, 7] - values[:, 0], atol=1e-6)
    assert (table.label == dataset.label[rows]).all()
    assert (table.grand_correct == correct[:, 7]).all()


def test_actors_give_the_same_bits(ray_local, run, dataset):
    from raymm.cluster.valuation_pool import ActorPool

    exported = load_model(result_folder(run) / layout.MODEL)
    config, rows = open_run(run).config, dataset.rows("train")
    reader, pool = BatchReader(dataset, config.view, config.training.seed), ActorPool(1)
    there, here = pool(exported.model, reader, rows, config), value_rows(exported.model, reader, rows, config)
    pool.close()
    for name in ("label", "prediction", "probabilities", "outcomes", "unimodal_correct", "loss", "phi"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert there.task == here.task == dataset.schema.task


def test_metrics_follow_from_the_tables(run, dataset):
    from sklearn.metrics import average_precision_score, f1_score

    result = read_result(run)
    table = read_table(valuation_file(result_folder(run), "test"))
    said, own = table.prediction, dataset.label[dataset.rows("test")]
    expected = {
        "accuracy": (said == own).all(axis=1).mean(),
        "micro_f1": f1_score(own, said, average="micro"),
        "macro_f1": f1_score(own, said, average="macro", zero_division=0),
        "mAP": average_precision_score(own, table.probabilities),
        "accuracy_m2": table.unimodal_correct[~np.isnan(table.phi[:, 2]), 2].mean(),
    }
    for figure, value in expected.items():
        assert result.metrics[f"test/{figure}"] == pytest.approx(value, abs=1e-6), figure
    assert expected["mAP"] > own.mean() + 0.15  # it learns
    losses = [entry["metrics"]["train/loss"] for entry in result.history]
    assert losses[-1] < losses[0] < 2.0
    chance = -(own.mean() * np.log(own.mean()) + (1 - own.mean()) * np.log(1 - own.mean()))
    assert result.metrics["test/loss"] < chance


def test_low_contributions_get_copies(run, dataset):
    from raymm.training.checkpoint import read_checkpoint

    state = read_checkpoint(run, 2)
    low = np.nan_to_num(state.phi, nan=1.0) < 1.0
    copies = state.plan.index[len(dataset.rows("train")) :]
    assert len(copies) > 0
    assert set(copies) <= set(dataset.rows("train")[low.any(axis=1)])


@pytest.mark.parametrize(("method", "utility"), [("sample", "count"), ("class", "probability")])
def test_a_resumed_run_has_the_same_bits(tmp_path, dataset, method, utility):
    config = settings(**SECTIONS, method={"name": method, "warmup": 1}, valuation={"utility": utility})

    whole, cut = (create_or_open(tmp_path / name, config, dataset) for name in ("whole", "cut"))
    train(whole, dataset, Backends())
    with pytest.raises(StopError):
        train(cut, dataset, Backends(report=stop_after(2)))
    train(open_run(cut.path), dataset, Backends())
    for name in ("model.safetensors", "optimizer.safetensors", "plan.safetensors"):
        first, second = (sha256_of(epoch_folder(each.path, EPOCHS) / name) for each in (whole, cut))
        assert first == second, name
    tables = [read_table(valuation_file(result_folder(each.path), "test")) for each in (whole, cut)]
    np.testing.assert_array_equal(tables[0].phi, tables[1].phi)
    np.testing.assert_array_equal(tables[0].probabilities, tables[1].probabilities)


@pytest.mark.parametrize("selection", ["mAP", "micro_f1", "loss"])
def test_any_metric_of_the_task_picks_the_epoch(tmp_path, dataset, selection):
    config = settings(training={**SECTIONS["training"], "selection": selection}, method={"name": "joint"})
    made = create_or_open(tmp_path / "r", config, dataset)
    result = train(made, dataset, Backends())
    scores = [entry["metrics"][f"val/{selection}"] for entry in result.history]
    best = min(scores) if selection == "loss" else max(scores)
    assert scores[result.best_epoch] == best
    assert result.metrics[f"best/{selection}"] == best


def test_a_metric_of_another_task_is_refused_with_those_of_this_one(tmp_path, dataset):
    config = settings(training={"epochs": 3, "selection": "auroc"})
    with pytest.raises(ConfigError) as caught:
        create_or_open(tmp_path / "r", config, dataset)
    assert str(caught.value) == (
        "training.selection: 'auroc' is no metric of the task multilabel; "
        "it has accuracy, micro_f1, macro_f1, mAP, loss"
    )
    assert not (tmp_path / "r").exists()


def test_a_report_and_a_page_name_label_sets(run, dataset, tmp_path):
    out, folder = tmp_path / "t.parquet", tmp_path / "report"
    assert exit_code("report", run) == 0
    assert (run / "report.html").is_file()
    command = ["value", "--data", dataset.path, "--checkpoint", run, "--out", out, "--backend", "local"]
    assert exit_code(*command, "--split", "test", "--report", folder) == 0
    said = (folder / "README.md").read_text()
    assert all(name in said for name in LABELS)


def test_a_served_model_answers_label_sets(run, dataset):
    rows = dataset.rows("test")[:8]
    names = dataset.schema.names
    shards = dataset.shards
    columns = {
        name: [shards.read(name, np.array([row]))[0] if dataset.present[row, i] else None for row in rows]
        for i, name in enumerate(names)
    }
    folder = result_folder(run) / layout.MODEL
    answer = load(folder).predict(columns)
    table = read_table(valuation_file(result_folder(run), "test"))
    model = load_model(folder).model
    for number in range(8):
        said = table.prediction[number]
        assert answer["prediction"][number] == "|".join(name for name, on in zip(LABELS, said, strict=True) if on)
        each = [answer[f"probability_{name}"][number] for name in LABELS]
        np.testing.assert_allclose(each, table.probabilities[number], rtol=1e-5)
        states = np.where(said, each, 1 - np.array(each))
        assert answer["probability"][number] == pytest.approx(states.prod() ** (1 / 6))
        assert (answer["phi_m2"][number] is None) == (not dataset.present[rows[number], 2])
        total = sum(answer[f"phi_{name}"][number] or 0.0 for name in names)
        with torch.inference_mode():
            nothing = (
                model.fuse(torch.zeros(1, 3, model.size), torch.zeros(1, 3, dtype=torch.bool)).double().numpy()[0]
            )
        none = np.where(said, 1 / (1 + np.exp(-nothing)), 1 / (1 + np.exp(nothing))).prod() ** (1 / 6)
        assert total == pytest.approx(answer["probability"][number] - none, abs=1e-6)
    json.dumps(answer)
