"""Trainings that version 0.1.0 recorded give their plans, history and weights again; its commits are resumed."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.config import load
from raymm.data import open_dataset
from raymm.models.export import load_model
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, iter_epochs
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from raymm.valuation import read_table
from raymm.valuation.protocol import fingerprint
from tests.compat.figures import same_metrics

METHODS = ("joint", "sample", "modality", "class", "random", "modality_reference")
NOISY = "dropout-batch-norm-noise"
"""A case whose noise depends on numpy's kernels."""
REFUSED = ("sample-tanh-budget",)
"""Cases whose utility has no fair share, which `sample` refuses today."""


def weights(run, epoch):
    return load_file(epoch_folder(run.path, epoch) / layout.WEIGHTS)


def equal(found, recorded, exact):
    """Numbers by name, or tensors: the same bits, or nearly the same numbers."""
    if isinstance(recorded, dict):
        return found.keys() == recorded.keys() and all(equal(found[name], recorded[name], exact) for name in recorded)
    if exact or recorded is None or found is None:
        return torch.equal(found, recorded) if isinstance(recorded, torch.Tensor) else found == recorded
    return np.allclose(found, recorded, rtol=1e-4, atol=1e-5)


def check(folder, dataset, case, arrays, last, exact, same_maker):
    """Train a case again and compare all that was recorded of it: bit for bit, or but for the last bits.

    On the processor of another maker other last bits grow over the epochs, until outcomes flip: there the first epoch
    is compared, and that the training ends.
    """
    settings = tuple(f"{key}={json.dumps(value)}" for key, value in case["settings"].items())
    as_then = "optimizer.decay=all"  # the default since there is the setting is another one
    run = create_or_open(folder, load(None, (*settings, as_then)), dataset)
    list(iter_epochs(run, dataset, Backends()))
    if not same_maker:
        check_beginning(run, case, arrays)
        return
    for epoch in case["epochs"]:
        check_state(read_checkpoint(run.path, epoch["epoch"]), epoch, arrays)
    result = read_result(run.path)
    assert [entry["epoch"] for entry in result.history] == [entry["epoch"] for entry in case["history"]]
    for entry, recorded in zip(result.history, case["history"], strict=True):
        now = {name: entry["metrics"].get(name) for name in recorded["metrics"]}
        assert same_metrics(now, recorded["metrics"]) if exact else equal(now, recorded["metrics"], exact)
    metrics = {name: result.metrics.get(name) for name in case["metrics"]}  # later ones were not recorded
    assert result.best_epoch == case["best_epoch"]
    assert same_metrics(metrics, case["metrics"]) if exact else equal(metrics, case["metrics"], exact)
    assert equal(weights(run, case["epochs"][-1]["epoch"]), last, exact)
    assert not exact or fingerprint(load_model(run.path / "result" / "model").model) == case["picked"]
    table = read_table(layout.valuation_file(run.path / "result", "test"))
    assert np.array_equal(table.phi, arrays["test.phi"], equal_nan=True)
    assert np.array_equal(table.prediction, arrays["test.prediction"])


def check_beginning(run, case, arrays):
    result = read_result(run.path)
    assert [entry["epoch"] for entry in result.history] == [entry["epoch"] for entry in case["history"]]
    check_plan(read_checkpoint(run.path, case["epochs"][0]["epoch"]).plan, case["epochs"][0], arrays)
    found, recorded = (first[0]["metrics"] for first in (result.history, case["history"]))
    assert found["train/loss"] == pytest.approx(recorded["train/loss"], rel=1e-3)
    assert found["train/lr"] == recorded["train/lr"]


def check_state(state, epoch, arrays):
    number = epoch["epoch"]
    check_plan(state.plan, epoch, arrays)
    assert (state.phi is None) == (f"{number}.phi" not in arrays)
    assert state.phi is None or np.array_equal(state.phi, arrays[f"{number}.phi"], equal_nan=True)


def check_plan(plan, epoch, arrays):
    number = epoch["epoch"]
    assert np.array_equal(plan.index, arrays[f"{number}.index"])
    assert np.array_equal(plan.keep, arrays[f"{number}.keep"])
    assert plan.weight is None
    assert plan.dropped == epoch["dropped"]


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_0_1_0_train_as_they_did(
    saved, tmp_path, golden, golden_weights, same_bits, nearly_same, same_maker, name
):
    record, dataset = golden("training"), open_dataset(saved.path("data/small"))
    environment, case = record.about["environment"], record.about["cases"][name]
    if nearly_same(environment):
        exact = same_bits(environment)
        check(tmp_path / name, dataset, case, record.under(name), golden_weights(name), exact, same_maker)


@pytest.mark.slow
def test_all_other_recorded_trainings_are_as_they_were(
    saved, tmp_path, golden, golden_weights, same_bits, nearly_same, same_maker
):
    record, dataset = golden("training"), open_dataset(saved.path("data/small"))
    environment = record.about["environment"]
    for name, case in record.about["cases"].items():
        if name not in (*METHODS, *REFUSED) and nearly_same(environment, numpy_too=name == NOISY):
            exact = same_bits(environment, numpy_too=name == NOISY)
            check(tmp_path / name, dataset, case, record.under(name), golden_weights(name), exact, same_maker)


def test_the_records_differ_from_each_other(golden, golden_weights):
    """Else the comparisons above could hold of a training that ignores its settings."""
    cases = golden("training").about["cases"]
    assert {*METHODS, NOISY} < set(cases)
    ends = {json.dumps(case["epochs"][-1]) for case in cases.values()}
    assert len(ends) > len(cases) - 4  # some fusions have the same parameters
    assert not torch.equal(*(golden_weights(name)["fusion.bias"] for name in ("joint", "sample")))


def test_the_optimizer_of_a_commit_of_0_1_0_is_read_by_position_and_written_by_name(saved):
    run = open_run(saved.path("runs/unfinished"))
    old = load_file(epoch_folder(run.path, 2) / layout.OPTIMIZER)
    assert {"state.0.exp_avg", "state.0.step"} <= set(old)
    states = iter_epochs(run, run.dataset(), Backends())
    assert [next(states).epoch, next(states).epoch] == [2, 3]
    new = load_file(epoch_folder(run.path, 3) / layout.OPTIMIZER)
    names = list(weights(run, 3))
    assert len(new) == len(old)
    assert {name.removeprefix("state.").rpartition(".")[0] for name in new} <= set(names)
    step = next(name for name in new if name.endswith(".step"))
    assert new[step] == old["state.0.step"] + len(range(0, len(read_checkpoint(run.path, 2).plan), 8))
