"""What grows with the samples: tables are in memory in parts, plans in small types, and files hold what they held."""

import weakref

import numpy as np
import pytest
from safetensors.numpy import load_file

from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import table_file
from raymm.valuation.engine import value_parts, value_rows
from tests.games import settings

BATCH, PIECE = 4, 16


def run_of(path, dataset, name="sample"):
    sections = {"method": {"name": name, "warmup": 1}, "training": {"epochs": 2}, "valuation": {"batch_size": BATCH}}
    return create_or_open(path, settings(**sections), dataset)


def at_once(*job):
    yield value_rows(*job)


@pytest.mark.parametrize("name", ["sample", "modality"])
def test_a_table_that_is_written_in_parts_is_that_of_all_rows_at_once(tmp_path, dataset, monkeypatch, name):
    monkeypatch.setattr(table_file, "PIECE", PIECE)
    parts, alive = [], []

    def followed(*job):
        for part in value_parts(*job):
            parts.append(weakref.ref(part.sample_id))
            yield part
            del part
            alive.append(sum(one() is not None for one in parts))

    for folder, value in (("parts", followed), ("whole", at_once)):
        train(run_of(tmp_path / folder, dataset, name), dataset, Backends(value=value))
    files = [epoch_folder(tmp_path / folder, 1) / "valuation-train.parquet" for folder in ("parts", "whole")]
    assert sha256_of(files[0]) == sha256_of(files[1])
    assert len(parts) > 3 * PIECE // BATCH
    assert max(alive) <= PIECE // BATCH + 1


def test_a_plan_is_small_in_memory_and_as_before_in_its_file(tmp_path, dataset):
    run = run_of(tmp_path / "r", dataset)
    train(run, dataset, Backends())
    saved = load_file(epoch_folder(run.path, 1) / "plan.safetensors")
    plan = read_checkpoint(run.path, 1).plan
    assert {name: array.dtype.name for name, array in saved.items()} == {
        "index": "int64",
        "keep": "int64",
        "phi": "float64",
    }
    assert plan.keep.dtype == np.uint8
    assert np.array_equal(plan.keep, saved["keep"])
    assert len(plan) > len(dataset.rows("train"))


def test_an_epoch_that_is_not_committed_leaves_no_folder(tmp_path, dataset):
    def value(model, view, rows, config, epoch):
        if set(rows.tolist()) == set(dataset.rows("train").tolist()):
            yield next(value_parts(model, view, rows, config, epoch))
            raise ArithmeticError
        yield from value_parts(model, view, rows, config, epoch)

    run = run_of(tmp_path / "r", dataset)
    with pytest.raises(ArithmeticError):
        train(run, dataset, Backends(value=value))
    assert list((run.path / "epochs").iterdir()) == []
    train(run, dataset, Backends())
    assert (epoch_folder(run.path, 1) / "valuation-train.parquet").exists()


def test_ids_are_read_when_they_are_asked_for(tmp_path, dataset):
    train(run_of(tmp_path / "r", dataset), dataset, Backends())
    assert not {"sample_id", "split"} & vars(dataset.shards).keys()
