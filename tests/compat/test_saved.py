"""What version 0.1.0 saved opens, says what it said, and goes on to the end that it had."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.config import flatten, parse
from raymm.config.canonical import canonical
from raymm.config.legacy import modern_key
from raymm.data import BatchReader, open_dataset
from raymm.models.export import load_model
from raymm.models.model import build_model
from raymm.models.predictor import load as load_predictor
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.sweep.runs import current_paths, open_runs, trial_rows
from raymm.sweep.store import open_sweep, read_trials
from raymm.training.checkpoint import load_latest
from raymm.training.loop import Backends, iter_epochs
from raymm.training.result import finished, read_result
from raymm.training.run import create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.engine import value_rows
from raymm.valuation.protocol import fingerprint
from tests.compat.figures import same_metrics
from tests.compat.old_settings import old_settings


def same(found, recorded) -> bool:
    """Equality with a record in which NaN is null."""
    found = np.asarray(found)
    wanted = np.array(recorded, dtype=found.dtype if found.dtype.kind == "f" else None)
    return np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f")


def nearly(found, recorded) -> bool:
    """Equality of metrics up to the sums of other processors."""
    return found.keys() == recorded.keys() and all(abs(found[name] - recorded[name]) < 1e-4 for name in found)


def metrics_then(path, recorded):
    """Those metrics of a finished run that were recorded; there are more today."""
    metrics = read_result(path).metrics
    return {name: metrics.get(name) for name in recorded}


@pytest.fixture(scope="session")
def exact(golden, same_bits):
    """Whether trainings here have the bits of the record."""
    return same_bits(golden("training").about["environment"], numpy_too=True)


@pytest.mark.parametrize("name", ["small", "six", "prepared"])
def test_data_sets_open_whole(saved, name):
    dataset, recorded = open_dataset(saved.path(f"data/{name}"), check=True), saved.expected(f"data/{name}")
    assert dataset.label.tolist() == recorded["label"]
    assert dataset.present.tolist() == recorded["present"]
    assert dataset.statistics == recorded["statistics"]


@pytest.mark.parametrize("name", ["unfinished", "branch"])
def test_runs_go_on_to_the_end_that_they_had(saved, name, exact):
    run, recorded = open_run(saved.path(f"runs/{name}")), saved.expected(f"runs/{name}")
    assert committed_epochs(run.path) == recorded["committed"]
    state = load_latest(run.path)
    assert state.plan.index.tolist() == recorded["epochs"][str(state.epoch)]["plan"]["index"]
    assert same(state.phi, recorded["epochs"][str(state.epoch)]["phi"])
    again = create_or_open(run.path, old_settings(recorded["settings"]), run.dataset())
    assert again.key == recorded["key"]
    assert [state.epoch for state in iter_epochs(run, run.dataset(), Backends())] == [2, 3, 4]
    if not exact:
        assert nearly(metrics_then(run.path, recorded["end"]["metrics"]), recorded["end"]["metrics"])
        return
    assert same_metrics(metrics_then(run.path, recorded["end"]["metrics"]), recorded["end"]["metrics"])
    weights, wanted = (
        load_file(epoch_folder(run.path, 4) / "model.safetensors"),
        saved.expected_weights(f"runs/{name}"),
    )
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[key], wanted[key]) for key in wanted)


def test_a_finished_run_is_finished(saved):
    recorded, run = saved.expected("runs/finished"), open_run(saved.path("runs/finished"))
    assert finished(run.path)
    assert read_result(run.path).best_epoch == recorded["end"]["best_epoch"]
    assert fingerprint(load_model(run.path / "result" / "model").model) == recorded["end"]["picked"]
    assert list(iter_epochs(run, run.dataset(), Backends())) == []


def test_other_settings_than_then_are_still_named(saved):
    run, recorded = open_run(saved.path("runs/unfinished")), saved.expected("runs/unfinished")
    other = old_settings({**recorded["settings"], "optimizer.lr": 0.5})
    with pytest.raises(Exception, match=r"optimizer\.lr: .* then, 0\.5 now"):
        create_or_open(run.path, other, run.dataset())


def test_every_recorded_configuration_is_read_and_builds_the_same_model(saved):
    recorded = saved.expected("configs")["configs"]
    assert len(recorded) == len(list(saved.path("configs").iterdir())) > 20
    for name, about in recorded.items():
        run = open_run(saved.path(f"configs/{name}"))
        model = build_model(run.dataset().schema, run.config.model, run.config.training.seed)
        assert fingerprint(model) == about["initial_weights"], name
        assert parse(run.config.model_dump(mode="json")) == run.config, name
        assert canonical(canonical(run.config)) == canonical(run.config), name
        assert len(about["read"]) > 20
        for old in about["read"]:  # what the run read then it reads now, with the same value
            key = today(old)
            value = flatten(run.config).get(key, "absent")
            assert value in {about["flat"][old], "absent"}, (name, old)
            idle = key.startswith("model.fusion.")  # 0.1.0 listed the settings of all fusions
            assert value != "absent" or idle or about["flat"][old] in IMPLIED, (name, old)


IMPLIED = (None, 0.0, 32, "group")
"""Values of encoders that need not be said: the defaults of all that have the setting, and null."""


def today(old_key):
    """The dotted name that a setting of 0.1.0 has now."""
    return "model.fusion.name" if old_key == "model.fusion" else modern_key(old_key)


def test_a_sweep_goes_on(saved, exact):
    sweep, recorded = open_sweep(saved.path("sweeps/grid")), saved.expected("sweeps/grid")
    trials = read_trials(sweep)
    found = [{**json.loads(json.dumps(vars(row))), "seconds": None} for row in trial_rows(sweep)]
    assert [(row["number"], row["status"], row["scores"]) for row in found] == [
        (row["number"], row["status"], row["scores"]) for row in recorded["rows"]
    ]
    assert [row["metrics"] for row in found] == [row["metrics"] for row in recorded["rows"]]
    (run,) = open_runs(sweep, trials[2], sweep.dataset())
    list(iter_epochs(run, sweep.dataset(), Backends()))
    ends = recorded["ends"][trials[2].name]
    metrics = metrics_then(run.path, ends["metrics"])
    assert same_metrics(metrics, ends["metrics"]) if exact else nearly(metrics, ends["metrics"])


def test_a_population_goes_on(saved):
    sweep, recorded = open_sweep(saved.path("sweeps/population")), saved.expected("sweeps/population")
    trials = read_trials(sweep)
    current = {trial.name: [str(path) for path in current_paths(sweep, trial)] for trial in trials}
    assert current == recorded["current"]
    (run,) = open_runs(sweep, trials[1], sweep.dataset())
    assert [state.epoch for state in iter_epochs(run, sweep.dataset(), Backends())]


def test_tables_are_read_and_computed_again(saved, golden, same_bits, nearly_same):
    recorded, environment = saved.expected("tables"), golden("valuation").about["environment"]
    most = 0.0 if same_bits(environment) else 1e-6  # float32 has 24 bits
    for file in sorted(saved.path("tables").glob("*.parquet")):
        table, about = read_table(file), recorded[file.stem]
        assert same(table.phi, about["phi"])
        assert same(table.stderr, about["stderr"])
        if "model" in about and nearly_same(environment):
            again = _value_again(about)
            assert np.allclose(again.phi, table.phi, rtol=0, atol=most, equal_nan=True), file.stem
            assert np.allclose(again.stderr, table.stderr, rtol=0, atol=most, equal_nan=True), file.stem


def _value_again(about):
    exported = load_model(Path(about["model"]))
    changes = {key.split(".")[1]: value for key, value in about["changes"].items()}
    values = exported.config.model_dump(mode="json")
    config = parse({**values, "valuation": {**values["valuation"], **changes}})
    view = BatchReader(open_dataset(about["data"]), config.view, config.training.seed)
    return value_rows(exported.model, view, np.array(about["rows"]), config)


def test_a_model_answers_as_it_did_also_through_mlflow(saved, golden, same_bits):
    import mlflow.pyfunc
    import pandas as pd

    recorded = saved.expected("models/six")
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in recorded["columns"].items()})
    served = mlflow.pyfunc.load_model(str(saved.path("models/served"))).predict(frame).to_dict("list")
    answer = load_predictor(saved.path("models/six")).predict(recorded["columns"])
    assert served == answer
    assert answer["prediction"] == recorded["answer"]["prediction"]
    exact = same_bits(golden("valuation").about["environment"], numpy_too=True)
    for name, values in recorded["answer"].items():
        close = [abs(a - b) < 1e-5 for a, b in zip(answer[name], values, strict=True) if isinstance(b, float)]
        assert all(close)
        assert not exact or answer[name] == values


def test_values_of_every_fusion_and_utility_are_those_recorded(saved, golden, golden_weights, same_bits, nearly_same):
    values, dataset = golden("valuation"), open_dataset(saved.path("data/small"))
    exact, outcomes = (alike(values.about["environment"]) for alike in (same_bits, nearly_same))
    for name, about in values.about["cases"].items():
        config = old_settings(about["settings"])
        model = build_model(dataset.schema, config.model, config.training.seed)
        model.load_state_dict(golden_weights(about["weights"]))
        table = value_rows(
            model, BatchReader(dataset, config.view, config.training.seed), values.arrays["rows"], config
        )
        recorded = values.under(name)
        assert (
            np.array_equal(table.phi, recorded["phi"], equal_nan=True)
            if exact
            else np.allclose(table.phi, recorded["phi"], atol=1e-4, equal_nan=True)
        ), name
        assert not outcomes or np.array_equal(table.outcomes, recorded["outcomes"]), name
