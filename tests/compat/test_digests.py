"""Data sets, runs and sweeps of version 0.1.0 record the digest of a data set in its old form, and go on."""

import json

import pytest

from raymm.config import load
from raymm.data import BatchReader, open_dataset
from raymm.models.export import load_model
from raymm.storage import write_json
from raymm.sweep.store import open_sweep
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import create_or_open, open_run
from raymm.valuation import jobs
from raymm.valuation.engine import stream_rows, value_rows
from raymm.valuation.table_file import write_table


@pytest.mark.parametrize("name", ["small", "six", "prepared"])
def test_the_old_form_is_the_recorded_one(saved, name):
    dataset = open_dataset(saved.path(f"data/{name}"), check=True)
    assert dataset.legacy_digest == saved.expected(f"data/{name}")["digest"]
    assert dataset.digest != dataset.legacy_digest


def test_an_unfinished_run_is_trained_on(saved):
    run, expected = open_run(saved.path("runs/unfinished")), saved.expected("runs/unfinished")
    config = load(None, tuple(f"{key}={json.dumps(value)}" for key, value in expected["settings"].items()))
    again = create_or_open(run.path, config, run.dataset())
    assert (again.key, again.digest) == (expected["key"], expected["digest"])
    assert [state.epoch for state in iter_epochs(again, again.dataset(), Backends())] == [2, 3, 4]


def test_a_sweep_opens_its_data(saved):
    assert len(open_sweep(saved.path("sweeps/grid")).dataset()) == 48


def test_parts_of_a_valuation_are_gone_on_with(saved, tmp_path):
    exported, dataset = load_model(saved.path("runs/finished/result/model")), open_dataset(saved.path("data/small"))
    view = BatchReader(dataset, exported.config.view, exported.config.training.seed)
    job = jobs.Valuing(exported.model, view, dataset.rows("test"), exported.config)
    about, seen = tmp_path / "table.parquet.parts" / "about.json", []

    def interrupted(shards, _total):
        yield next(shards)
        raise KeyboardInterrupt

    def stream(*arguments):
        seen.append(arguments[-1])
        return stream_rows(*arguments)

    with pytest.raises(KeyboardInterrupt):
        jobs.value_to_file(job, stream, tmp_path / "table.parquet", interrupted)
    write_json(about, {**json.loads(about.read_text()), "data": dataset.legacy_digest})
    jobs.value_to_file(job, stream, tmp_path / "table.parquet", lambda shards, _total: shards)
    assert seen == [set(), {0}]


def test_parts_of_other_data_are_thrown_away(saved, tmp_path):
    exported, dataset = load_model(saved.path("runs/finished/result/model")), open_dataset(saved.path("data/small"))
    job = jobs.Valuing(
        exported.model, BatchReader(dataset, exported.config.view), dataset.rows("test"), exported.config
    )
    folder = tmp_path / "table.parquet.parts"
    write_table(folder / "shard-00000.parquet", value_rows(job.model, job.view, job.rows, job.config))
    for recorded, kept in ((dataset.legacy_digest, {0}), ("00000000", set())):
        write_json(folder / "about.json", {**jobs._identity(job), "data": recorded})
        assert jobs._parts_of(folder, job) == kept
