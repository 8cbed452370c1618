"""What lies in the folder of a run and is of another one is refused in words, or passed over as damaged epochs."""

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import raymm
from raymm.errors import CheckpointError, DataError
from raymm.models.export import load_model, model_folder
from raymm.storage.directory import commit_directory, read_manifest
from raymm.storage.layout import epoch_folder
from raymm.training.checkpoint import load_latest, read_checkpoint, read_history, restore_weights
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.result import read_result
from raymm.training.run import BranchPoint, create_or_open
from raymm.valuation.run_checks import _of_other_means
from raymm.valuation.table_file import read_epoch_table, read_test_table
from tests.games import settings
from tests.reports.tables import random_table

SAMPLES = 60

SECTIONS = {"training": {"epochs": 3, "batch_size": 32, "threads": 1, "keep": 3}, "method": {"name": "joint"}}


def made(path, dataset, seed=0):
    training = {**SECTIONS["training"], "seed": seed}
    return create_or_open(path, settings(**{**SECTIONS, "training": training}), dataset)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, dataset):
    """Two finished runs, one beside the other."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("own", 0), ("other", 1)):
        train(made(folder / name, dataset, seed), dataset, Backends())
    return folder


@pytest.fixture
def run(runs, tmp_path):
    return shutil.copytree(runs / "own", tmp_path / "r")


def key_of(run):
    return json.loads((run / "run.json").read_text())["key"]


def put(run, name, other):
    """Put a folder or file of another run into the place of that of a run."""
    if (run / name).is_dir():
        shutil.rmtree(run / name)
        shutil.copytree(other / name, run / name)
    else:
        shutil.copy(other / name, run / name)


def recommitted(folder):
    """Write the manifest of a folder again, with what it says beside its files."""
    about = read_manifest(folder)
    commit_directory(folder, {name: value for name, value in about.items() if name not in {"files", "checksum"}})


READERS = {
    "read_result": read_result,
    "load": raymm.load,
    "report": raymm.report,
    "values": lambda run: raymm.load(run).values("test"),
    "predict": lambda run: raymm.predict(run, [{"a": np.zeros(3)}]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["result", "run.json"])
def test_the_result_of_another_run_is_refused_with_both_keys(run, runs, name, reader):
    put(run, name, runs / "other")
    with pytest.raises(CheckpointError, match="result: is of another run") as raised:
        READERS[reader](run)
    assert key_of(runs / "own") in str(raised.value)
    assert key_of(runs / "other") in str(raised.value)


def test_a_run_with_the_result_of_another_is_neither_trained_nor_called_finished(run, runs, dataset):
    shutil.rmtree(epoch_folder(run, 3))
    put(run, "result", runs / "other")
    with pytest.raises(CheckpointError, match="result: is of another run"):
        train(made(run, dataset), dataset, Backends())
    found = raymm.status(run)[0]
    assert found.state == "unreadable"
    assert "is of another run" in found.cause


def test_a_result_whose_manifest_has_no_key_is_read(run):
    commit_directory(run / "result", {})
    assert read_result(run).metrics
    assert load_model(model_folder(run))


def test_a_model_of_another_run_in_the_result_is_refused(run, runs):
    put(run, "result/model", runs / "other")
    with pytest.raises(CheckpointError, match=r"model/manifest\.json (was changed|has)"):
        raymm.load(run)


def test_an_epoch_of_another_run_is_passed_over_as_a_damaged_one(run, runs, dataset, caplog):
    shutil.rmtree(run / "result")
    shutil.rmtree(epoch_folder(run, 3))
    put(run, "epochs/epoch-00002", runs / "other")
    with pytest.raises(CheckpointError, match="epoch-00002: is of another run"):
        restore_weights(run, 2, None)
    assert len(read_history(run)) == 1
    with caplog.at_level(logging.WARNING):
        result = train(made(run, dataset), dataset, Backends())
    assert "passing over a damaged epoch" in caplog.text
    assert "epoch-00002: is of another run" in caplog.text
    expected = read_result(runs / "own")
    assert [entry["metrics"]["train/loss"] for entry in result.history] == [
        entry["metrics"]["train/loss"] for entry in expected.history
    ]


def test_an_epoch_whose_manifest_has_no_key_is_read_and_one_of_another_number_is_not(run):
    commit_directory(epoch_folder(run, 3), {"epoch": 3})
    assert load_latest(run).epoch == 3
    epoch_folder(run, 3).rename(epoch_folder(run, 7))
    with pytest.raises(CheckpointError, match="epoch-00007: holds the state after epoch 3"):
        read_checkpoint(run, 7)
    assert load_latest(run).epoch == 2


def test_an_epoch_that_a_run_takes_over_becomes_its_own(runs, tmp_path, dataset):
    start = BranchPoint(runs / "own", 2)
    branch = create_or_open(tmp_path / "b", settings(**SECTIONS), dataset, start)
    assert len(train(branch, dataset, Backends()).history) == 3
    keys = {read_manifest(folder)["key"] for folder in (tmp_path / "b" / "epochs").iterdir()}
    assert keys == {branch.key}
    assert read_manifest(epoch_folder(runs / "own", 2))["key"] == key_of(runs / "own")


def test_a_result_without_its_manifest_is_kept_and_said(run, runs, dataset, caplog):
    for number in (1, 2):
        (run / "result" / "manifest.json").unlink()
        with caplog.at_level(logging.WARNING):
            result = train(made(run, dataset), dataset, Backends())
        assert f"kept as result.unfinished-{number}, and the run goes on to a new result" in caplog.text
        assert (run / f"result.unfinished-{number}" / "result.json").exists()
    assert result.metrics == read_result(runs / "own").metrics


def test_a_part_of_a_result_is_written_anew_without_a_word(run, dataset, caplog):
    for file in ("manifest.json", "result.json"):
        (run / "result" / file).unlink()
    with caplog.at_level(logging.WARNING):
        for _ in iter_epochs(made(run, dataset), dataset, Backends()):
            pass
    assert "unfinished" not in caplog.text
    assert not list(run.glob("result.*"))


def rewritten(run, change, name="result/valuation-test.parquet"):
    """Change the rows of a table of a run, and write the manifest of its folder again."""
    file = run / name
    table = pq.read_table(file)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), file)
    recommitted(file.parent)


def filled(name, value):
    def change(table):
        at = table.column_names.index(name)
        return table.set_column(at, name, pa.array([value] * len(table), table.schema.field(name).type))

    return change


def first_of(table):
    return next(name for name in table.column_names if name.startswith("phi_"))


TABLES = {
    "no rows": (lambda table: table.slice(0, 0), "it has no rows"),
    "half": (lambda table: table.slice(0, len(table) // 2), "and the run reports"),
    "doubled": (lambda table: pa.concat_tables([table, table]), "stands in 2 rows"),
    "one id": (filled("sample_id", "x"), "sample 'x' stands in"),
    "other split": (filled("split", "val"), "is of the split val, not test"),
    "no outcome": (filled("outcomes", b"\0"), "contradict their predictions"),
    "no phi": (lambda table: filled(first_of(table), None)(table), "is nan by it, and the run reports"),
    "huge phi": (lambda table: filled(first_of(table), 1e300)(table), "is 1e[+]300 by it, and the run reports"),
    "infinite phi": (lambda table: filled(first_of(table), np.inf)(table), "inf is not finite, and"),
    "label": (filled("label", 99), "label 99 is outside the"),
    "prediction": (filled("prediction", -1), "prediction -1 is outside the"),
}


@pytest.mark.parametrize("how", TABLES)
def test_a_table_that_is_not_of_the_result_is_refused(run, how):
    change, words = TABLES[how]
    before = read_test_table(run)
    assert len(before)
    rewritten(run, change)
    with pytest.raises(DataError, match=rf"valuation-test\.parquet: [\s\S]*{words}"):
        read_test_table(run)


def test_rows_in_another_order_are_read(run):
    rewritten(run, lambda table: table.take(list(range(len(table)))[::-1]))
    assert len(read_test_table(run))


def test_a_table_of_another_game_is_refused(run):
    file = run / "result" / "valuation-test.parquet"
    table = pq.read_table(file)
    about = json.loads(table.schema.metadata[b"raymm"])
    names = {old: f"new_{old}" for old in about["modalities"]}
    columns = [f"phi_{names[one[4:]]}" if one.startswith("phi_") else one for one in table.column_names]
    about["modalities"] = list(names.values())
    about |= {"classes": 99, "class_names": [f"c{number}" for number in range(99)]}
    pq.write_table(
        table.rename_columns(columns).replace_schema_metadata({b"raymm": json.dumps(about).encode()}), file
    )
    with pytest.raises(DataError, match="the model has") as raised:
        read_test_table(run)
    assert "it is of the modalities new_" in str(raised.value)
    assert "it is of 99 classes" in str(raised.value)


def test_the_table_of_another_run_and_of_another_epoch_are_refused(run, runs):
    name = "result/valuation-test.parquet"
    put(run, name, runs / "other")
    with pytest.raises(DataError, match="is not the table of this run"):
        read_test_table(run)
    measured = read_result(runs / "own").history[0]["metrics"]
    assert len(read_epoch_table(run, 1, "val", measured))
    with pytest.raises(DataError, match=r"is not the table of this run: [\s\S]*phi/val_.* by it"):
        read_epoch_table(run, 1, "val", {name: value + 1 for name, value in measured.items()})
    with pytest.raises(DataError, match=r"is not the table of this run: [\s\S]*the run reports no phi/val_"):
        read_epoch_table(run, 1, "val", {})


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_means_are_compared_in_the_unit_of_the_utility(unit):
    table = random_table(50)
    names, phi = table.info.modalities, unit * table.phi
    means = np.nanmean(phi, axis=0)
    reported = {f"phi/val_{name}": float(mean) for name, mean in zip(names, means, strict=True)}
    table = replace(table, phi=phi)
    assert not [line for line in _of_other_means(table, "val", reported) if line.startswith("phi")]
    other = {name: mean + 1e-3 * unit for name, mean in reported.items()}
    assert len([line for line in _of_other_means(table, "val", other) if line.startswith("phi")]) == len(names)
