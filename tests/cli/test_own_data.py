"""Trained, resumed, valued and reported from a `Dataset` of one's own: the numbers of a copy of it on disk."""

import json

import numpy as np
import pytest

import raymm
from raymm.errors import ConfigError, DataError
from raymm.training.result import read_result
from raymm.valuation import read_table
from tests.cli.calling import call
from tests.data.indexed.own_sets import Clips, clips, written
from tests.games import untimed

SPEC = "tests.data.indexed.own_sets:clips"
SMALL = {
    "training.epochs": 2,
    "training.threads": 1,
    "method.warmup": 1,
    "model.feature_size": 16,
    "model.encoder.width": 8,
}
WORDS = [f"{name}={value}" for name, value in SMALL.items()]
MODEL = "result/model/model.safetensors"


def trained(data, out, **options):
    return raymm.train(data, out=out, settings=SMALL, method="sample", progress=None, **options)


@pytest.fixture(scope="module")
def by_copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    return trained(written(folder / "data").path, folder / "run")


@pytest.fixture(scope="module")
def by_name(tmp_path_factory):
    return trained(SPEC, tmp_path_factory.mktemp("name") / "run")


def same(one, other):
    assert (one / MODEL).read_bytes() == (other / MODEL).read_bytes()
    first, second = (read_result(folder) for folder in (one, other))
    assert untimed(first.metrics) == untimed(second.metrics)
    for file in ("result/valuation-test.parquet", "epochs/epoch-00002/valuation-val.parquet"):
        a, b = read_table(one / file), read_table(other / file)
        assert np.array_equal(a.phi, b.phi, equal_nan=True)
        assert a.sample_id.tolist() == b.sample_id.tolist()


def test_a_run_has_the_weights_and_contributions_of_one_on_a_copy(by_copy, by_name):
    same(by_copy.folder, by_name.folder)


@pytest.mark.parametrize("data", [clips, Clips()])
def test_a_function_and_an_object_are_trained_alike(tmp_path, by_copy, data):
    same(by_copy.folder, trained(data, tmp_path / "run").folder)


def test_a_resumed_run_is_the_same_and_one_on_other_data_is_refused(tmp_path, by_name):
    raymm.train(SPEC, out=tmp_path / "run", settings={**SMALL, "training.epochs": 2}, method="sample", progress=None)
    for epoch in (tmp_path / "run" / "result", tmp_path / "run" / "epochs" / "epoch-00002"):
        (epoch / "manifest.json").unlink()
    same(trained(SPEC, tmp_path / "run").folder, by_name.folder)
    with pytest.raises(ConfigError, match=r"run.data was made with other settings"):
        trained(SPEC, tmp_path / "run", data_settings={"args": {"seed": 1}})
    (tmp_path / "run.data" / "manifest.json").unlink()  # the index is made anew, as on another machine
    same(trained(SPEC, tmp_path / "run").folder, by_name.folder)


def test_other_values_are_refused_when_a_run_goes_on(tmp_path, monkeypatch):
    trained(SPEC, tmp_path / "run")
    monkeypatch.setattr("tests.data.indexed.own_sets.WORDS", ("a quiet cat", "a big dog"))
    with pytest.raises(DataError, match="has other values than when"):
        trained(SPEC, tmp_path / "run")


def test_the_command_line_trains_values_and_reports(capfd, tmp_path, by_name, dataset):
    run, place = tmp_path / "run", ["--store", tmp_path / "mlflow", "--backend", "local", "--method", "sample"]
    code, _, said = call(capfd, "train", "--data", SPEC, "--out", run, *place, "--json", *WORDS)
    assert code == 0, said
    assert "modalities by its first items: pose vector [6], imu sequence [2, 12], note text" in said
    same(run, by_name.folder)
    table = tmp_path / "test.parquet"
    code, _, said = call(
        capfd, "value", "--data", SPEC, "--checkpoint", run, "--split", "test", "--out", table, "--backend", "local"
    )
    assert code == 0, said
    assert not (tmp_path / "test.parquet.data").exists()  # the run's index was used
    assert np.array_equal(
        read_table(table).phi, read_table(run / "result" / "valuation-test.parquet").phi, equal_nan=True
    )
    code, _, said = call(capfd, "report", run)
    assert code == 0, said


def test_loader_workers_change_no_bit(tmp_path, by_name):
    settings = {**SMALL, "training.loader_workers": 1}
    found = raymm.train(SPEC, out=tmp_path / "run", settings=settings, method="sample", progress=None)
    same(found.folder, by_name.folder)


def test_mistakes_leave_nothing_behind(capfd, tmp_path):
    words = ["--out", tmp_path / "run", "--backend", "local", "--data-setting", "args.cuont=3"]
    code, _, said = call(capfd, "train", "--data", SPEC, *words)
    assert code == 2
    assert "takes no argument 'cuont'; did you mean 'count'?" in said
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run.data" / "manifest.json").exists()


def test_the_record_names_the_data(by_name):
    about = json.loads((by_name.folder / "run.json").read_text())
    assert about["data"].endswith("run.data")
    source = json.loads((by_name.folder.with_name("run.data") / "manifest.json").read_text())["source"]
    assert source["where"] == SPEC
