"""Studies and sweeps of samples that stay where they are: the numbers of a copy of them, and mistakes in words."""

import numpy as np
import pytest
import yaml

import raymm
from raymm.api import study as verb
from raymm.errors import ConfigError, DataError
from raymm.sweep.runs import open_runs
from raymm.sweep.store import open_sweep, read_trials
from raymm.training.result import read_result
from raymm.valuation import read_table
from tests.cli.calling import call
from tests.data.indexed.own_sets import Clips, clips, written
from tests.study.studies import HereLane
from tests.sweeps import finish

SPEC = "tests.data.indexed.own_sets:clips"
SMALL = {
    "training.epochs": 2,
    "training.threads": 1,
    "method.warmup": 1,
    "model.feature_size": 16,
    "model.encoder.width": 8,
}
WORDS = [f"{name}={value}" for name, value in SMALL.items()]
SPACE = "from ray import tune\n\n\ndef space():\n    return {'optimizer.lr': tune.choice([0.001, 0.002])}\n"


@pytest.fixture
def here(monkeypatch):
    """Lanes that are this process."""
    monkeypatch.setattr(verb, "_local_lanes", lambda *_: [HereLane()])


def studied(data, out, **options):
    return raymm.study(data, "joint,sample", out=out, seeds="0", settings=SMALL, progress=None, **options)


def metrics_of(result):
    wanted = ("test/accuracy", "test/loss", "phi/test_pose")
    return {run.arm: [run.metrics[name] for name in wanted] for run in result.runs}


def test_a_study_of_a_name_has_the_numbers_of_a_copy_and_goes_on(tmp_path):
    copy = studied(written(tmp_path / "copy").path, tmp_path / "a", lanes=1)
    named = studied(SPEC, tmp_path / "b", lanes=1)  # in a process of its own
    assert len(named.runs) == 2
    assert metrics_of(named) == metrics_of(copy)
    saved = yaml.safe_load((tmp_path / "b" / "study.yaml").read_text())
    assert saved["data"]["clips"]["path"] == str(tmp_path / "b.data" / "clips")
    before = {run.path: run.path.stat().st_mtime_ns for run in named.runs}
    again = studied(clips, tmp_path / "b", lanes=1)  # the function that has this name
    assert {run.path: run.path.stat().st_mtime_ns for run in again.runs} == before
    (tmp_path / "b.data" / "clips" / "manifest.json").unlink()  # the index is made anew
    assert metrics_of(studied(SPEC, tmp_path / "b", lanes=1)) == metrics_of(copy)
    tables = [read_table(result.runs[0].path / "result/valuation-test.parquet") for result in (copy, named)]
    assert np.array_equal(tables[0].phi, tables[1].phi, equal_nan=True)


def test_a_study_of_a_name_and_a_folder_by_the_verb(capfd, tmp_path, here):
    folder = written(tmp_path / "copy").path
    given = ["--data", SPEC, "--data", folder, "--data-setting", "args.seed=3", "--arms", "joint", "--seeds", "0"]
    fixed = ["--out", tmp_path / "s", "--store", tmp_path / "store", "--backend", "local"]
    code, _, err = call(capfd, "study", *given, *fixed, *WORDS)
    assert code == 0, err
    saved = yaml.safe_load((tmp_path / "s" / "study.yaml").read_text())["data"]
    assert list(saved) == ["clips", "copy"]
    assert saved["clips"]["digest"] != saved["copy"]["digest"]
    code, _, err = call(capfd, "study", *given[:4], *given[6:], *fixed, *WORDS)  # without the setting
    assert code != 0
    assert "was made with other settings" in err


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [
        ([SPEC, "other.module:clips"], {}, ConfigError, "'clips' is named twice; data sets of a study have names of"),
        (Clips(), {}, ConfigError, "other processes could not find it; give a function of a module that makes it"),
        (
            "nowhere",
            {"data_settings": {"args": {}}},
            ConfigError,
            "data settings (args): the data sets of this",
        ),
        ("nowhere", {}, DataError, "there is no such folder"),
        ("tests.data.indexed.own_sets:clip", {}, ConfigError, "clip"),
    ],
)
def test_mistakes_in_words(tmp_path, monkeypatch, data, options, error, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        studied(data, tmp_path / "s", **options)
    assert words in str(caught.value)
    assert not (tmp_path / "s" / "study.yaml").exists()


@pytest.mark.parametrize("data", [SPEC, clips])
def test_a_sweep_of_a_name_trains_the_trials_of_a_copy(tmp_path, monkeypatch, data):
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.setattr("raymm.api.sweep._run", lambda *_, **__: [])
    results = []
    for out, source in (("a", data), ("b", written(tmp_path / "copy").path)):
        options = {"trials": 1, "settings": SMALL, "progress": None}
        raymm.sweep(source, str(tmp_path / "space.py"), out=tmp_path / out, **options)
        sweep = open_sweep(tmp_path / out)
        dataset, trial = sweep.dataset(), read_trials(sweep)[0]
        finish(sweep, trial, dataset)
        (run,) = open_runs(sweep, trial, dataset)
        results.append(read_result(run.path).metrics)
    assert open_sweep(tmp_path / "a").data == tmp_path / "a.data"
    for name in ("test/accuracy", "test/loss", "phi/test_pose"):
        assert results[0][name] == results[1][name]


def test_settings_of_the_data_of_a_sweep(capfd, tmp_path, monkeypatch):
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.setattr("raymm.api.sweep._run", lambda *_, **__: [])
    fixed = ["--space", tmp_path / "space.py", "--store", tmp_path / "store", "--trials", "1"]
    given = ["--data", SPEC, "--data-setting", "args.count=45", "--out", tmp_path / "s"]
    code, _, err = call(capfd, "sweep", *given, *fixed, *WORDS)
    assert code == 0, err
    assert len(open_sweep(tmp_path / "s").dataset()) == 45
    code, _, err = call(capfd, "sweep", "--resume", tmp_path / "s", "--data-setting", "args.count=40")
    assert code != 0
    assert "--data-setting" in err
    with pytest.raises(ConfigError, match="leave out data_settings"):
        raymm.sweep(resume=tmp_path / "s", data_settings={"args": {"count": 40}})
    with pytest.raises(ConfigError, match="other processes could not find it"):
        raymm.sweep(Clips(), str(tmp_path / "space.py"), out=tmp_path / "t")
