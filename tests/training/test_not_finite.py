"""A loss that is NaN or infinite ends an epoch with where it comes from and what to do."""

import numpy as np
import pytest
import torch

from raymm.config.registries import METHODS
from raymm.data import VectorSpec
from raymm.errors import TrainingError
from raymm.methods import Method
from raymm.storage.layout import committed_epochs
from raymm.training import loop
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.training.step import Trainer
from tests.games import settings
from tests.guests import copy_registries

KEPT = "the last committed epoch is kept"


@pytest.fixture
def steps(monkeypatch):
    """The batches that were trained, one entry each."""
    seen, plain = [], Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, part: seen.append(part) or plain(self, part))
    return seen


def said_of(tmp_path, dataset, **sections):
    """What training says, and the run."""
    run = create_or_open(tmp_path / "r", settings(**sections), dataset)
    with pytest.raises(TrainingError) as raised:
        train(run, dataset, Backends())
    return str(raised.value), run


def spoilt(monkeypatch, dataset, bad):
    """Let the inputs of some samples be what they are not in the data: `{modality: {sample number: value}}`."""
    plain = VectorSpec.transform
    at = {name: dataset.shards.read(name, np.array(sorted(rows))) for name, rows in bad.items()}
    mean = {name: torch.tensor(dataset.statistics[name]["mean"]) for name in bad}
    std = {name: torch.tensor(dataset.statistics[name]["std"]) for name in bad}

    def transform(spec, values, keys, view):
        made = plain(spec, values, keys, view).clone()
        for number, row in enumerate(sorted(bad.get(spec.name, {}))):
            wanted = (torch.from_numpy(at[spec.name][number]) - mean[spec.name]) / std[spec.name]
            same = torch.isclose(values, wanted, atol=1e-6).all(dim=1)
            made[same, 0] = bad[spec.name][row]
        return made

    monkeypatch.setattr(VectorSpec, "transform", transform)


def test_inputs_that_are_not_finite_are_named_with_a_sample(tmp_path, dataset, monkeypatch, steps):
    """All training samples are one global batch, so that the first of the batch is known."""
    rows = dataset.rows("train")
    bad = {"m0": {int(rows[7]): torch.nan, int(rows[9]): torch.inf}, "m1": {int(rows[20]): -torch.inf}}
    spoilt(monkeypatch, dataset, bad)
    said, run = said_of(tmp_path, dataset, training={"batch_size": 1000})
    order = steps[0].batch.index.tolist()
    first = min(bad["m0"], key=order.index)
    kept = f"of {len(rows)} rows are NaN or infinite, first of"
    assert said.startswith(f"epoch 0, step 0: the loss is nan; m0: inputs of 2 {kept} 'sample-{first:06d}'; ")
    assert f"m1: inputs of 1 {kept} 'sample-{rows[20]:06d}'; look at these samples" in said
    assert "optimizer.lr" not in said
    assert KEPT not in said
    assert committed_epochs(run.path) == []


def test_the_batch_of_the_step_is_read_again(tmp_path, dataset, monkeypatch, steps):
    """Steps before it are not looked at: with one bad sample, the step is the one that trains it."""
    row = int(dataset.rows("train")[30])
    spoilt(monkeypatch, dataset, {"m1": {row: torch.nan}})
    said, _ = said_of(tmp_path, dataset, training={"batch_size": 8})
    (number,) = [part.number for part in steps if row in part.batch.index.tolist()]
    assert said.startswith(f"epoch 0, step {number}: the loss is nan; m1: inputs of 1 of 8 rows are NaN or infinite")
    assert f"'sample-{row:06d}'" in said


@pytest.mark.parametrize(("precision", "more"), [("float32", False), ("bfloat16", True)])
def test_a_loss_that_is_wrong_from_the_start_is_said_at_once(tmp_path, dataset, monkeypatch, steps, precision, more):
    copy_registries(monkeypatch)
    METHODS.register("mine", type("mine", (Method,), {"loss": lambda self, step: step.logits.sum() * torch.nan}))
    said, _ = said_of(tmp_path, dataset, method={"name": "mine"}, training={"precision": precision, "batch_size": 8})
    assert said.startswith("epoch 0, step 0: the loss is nan; it is so before any update of the weights")
    assert "look at the encoders, the fusion and the loss of method=mine" in said
    assert ("use training.precision=float32" in said) == more
    assert "optimizer.lr" not in said
    assert KEPT not in said
    assert len(steps) == 1


@pytest.mark.parametrize("from_epoch", [0, 2])
def test_a_rate_that_is_too_high_is_to_be_lowered_and_what_was_committed_is_kept(
    tmp_path, dataset, monkeypatch, from_epoch
):
    plain = loop.epoch_rates
    monkeypatch.setattr(
        loop, "epoch_rates", lambda c, e, n, *more: [1e30] * n if e == from_epoch else plain(c, e, n, *more)
    )
    said, run = said_of(tmp_path, dataset, training={"batch_size": 8})
    assert f"epoch {from_epoch}, step " in said
    assert "; lower optimizer.lr or set optimizer.clip_norm" in said
    assert (KEPT in said) == (from_epoch > 0)
    assert max(committed_epochs(run.path), default=0) == from_epoch
