"""`raymm.value` of data sets: the table of the command line, in memory or in a file, under several maskings."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

import raymm
from raymm.errors import CheckpointError, ConfigError
from raymm.valuation import read_table
from tests.cli.calling import call, result_in

SAMPLES = 120
SMALL = {"training.epochs": 1, "model.feature_size": 16, "model.encoder.width": 8}


@pytest.fixture(scope="module")
def result(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("api") / "run"
    return raymm.train(dataset.path, out=out, settings=SMALL, method="joint", progress=None)


def test_values_are_those_of_the_command_line(capfd, tmp_path, dataset, result):
    words = ["value", "--data", dataset.path, "--checkpoint", result.folder, "--backend", "local", "--split", "val"]
    words += ["--masking", "zeros,mean", "--utility", "margin", "--out", tmp_path / "c.parquet", "--json"]
    code, out, said = call(capfd, *words)
    assert code == 0, said
    asked = {"split": "val", "utility": "margin", "masking": ["zeros", "mean"], "progress": None}
    values = raymm.value(result, dataset, **asked, out=tmp_path / "a.parquet")
    assert result_in(out) == {**values.figures(), "maskings": values.stability()}
    for name in ("", "-mean"):
        assert (tmp_path / f"a{name}.parquet").read_bytes() == (tmp_path / f"c{name}.parquet").read_bytes()
    memory = raymm.value(result.load(), dataset.path, **asked)
    assert list(memory.maskings) == ["zeros", "mean"]
    assert np.array_equal(memory.phi, read_table(tmp_path / "c.parquet").phi, equal_nan=True)
    assert not np.array_equal(memory.maskings["mean"].phi, memory.phi, equal_nan=True)
    assert memory.summary() == values.summary()


def test_values_of_test_are_those_that_the_run_recorded(dataset, result):
    now = raymm.value(result.folder, dataset, progress=None)
    assert np.array_equal(now.phi, result.values("test").phi, equal_nan=True)
    assert now.to_pandas().equals(result.values().to_pandas())


def test_a_model_of_ones_own_is_made_for_the_data(capfd, tmp_path, dataset, monkeypatch):
    monkeypatch.setattr("sys.argv", ["raymm", "value", "--data", "d"])  # what the report says that it was made by
    spec = "tests.games:own_model"
    words = ["value", "--data", dataset.path, "--model", spec, "--out", tmp_path / "t.parquet", "--backend", "local"]
    code, out, said = call(capfd, *words, "--html", tmp_path / "v.html", "--report", tmp_path / "r")
    assert code == 0, said
    values = raymm.value(spec, dataset, progress=None)
    assert out == f"{values.summary()}\nwrote {len(values)} rows to {tmp_path / 't.parquet'}\n"
    assert values.html(tmp_path / "w.html").read_bytes() == (tmp_path / "v.html").read_bytes()
    report = values.report(tmp_path / "s", f"What each modality contributes: {dataset.path.name}", "raymm")
    ours, theirs = (folder.read_text() for folder in (report, tmp_path / "r" / "README.md"))
    assert len(set(ours.splitlines()) ^ set(theirs.splitlines())) == 2  # the command


@pytest.mark.parametrize(
    ("model", "options", "error", "words"),
    [
        ("gone", {}, CheckpointError, "gone: no model there"),
        ("tests.games:own_modl", {}, ConfigError, "has no 'own_modl'; did you mean 'own_model'"),
        ("RUN", {"maskings": "mean"}, ConfigError, "no option 'maskings' of a run; did you mean 'masking'"),
        ("RUN", {"masking": "median"}, ConfigError, "masking median"),
        ("RUN", {"utility": "cuont"}, ConfigError, "did you mean 'count'"),
        ("RUN", {"budget": "many"}, ConfigError, "valuation.budget"),
        *(
            ("RUN", {"budget": few}, ConfigError, f"valuation.budget={few}: a contribution")
            for few in (-1, 0, 1, "0x")
        ),
        ("RUN", {"gpus_per_actor": 0.5}, ConfigError, "gpus_per_actor=0.5 asks for GPUs of the actors"),
    ],
)
def test_mistakes_are_said(dataset, result, model, options, error, words):
    with pytest.raises(error) as raised:
        raymm.value(result if model == "RUN" else model, dataset, progress=None, **options)
    assert words in str(raised.value)


def test_gpus_for_no_actors_are_refused_by_the_command(capfd, dataset, result):
    words = ["value", "--data", dataset.path, "--checkpoint", result.folder, "--out", "t.parquet"]
    code, _, said = call(capfd, *words, "--backend", "local", "--gpus-per-actor", 1)
    assert code == 2
    assert "value: gpus_per_actor=1 asks for GPUs of the actors of backend='ray', and backend='local' has" in said


@pytest.mark.parametrize("data", [None, 3, [], [{"label": [0, 1]}], {"audio": [1]}, DataLoader([1])])
def test_what_is_no_data_set_is_said(result, data):
    words = f"value: a {type(data).__name__} is no data set, and a run is valued on one: .*; batches, such as"
    with pytest.raises(ConfigError, match=words):
        raymm.value(result, data)


@pytest.mark.parametrize("budget", [-1, 0, 1])
def test_a_run_of_a_budget_that_values_nothing_does_not_begin(tmp_path, dataset, budget):
    with pytest.raises(ConfigError, match=f"valuation.budget={budget}: a contribution takes 2 coalitions or more"):
        raymm.train(dataset, out=tmp_path / "run", settings={**SMALL, "valuation.budget": budget}, progress=None)
    assert not (tmp_path / "run" / "run.json").exists()
