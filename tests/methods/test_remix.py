"""Data Remixing: who is least sure, the rows of an epoch and their batches, and the loss of a row."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.data import Batch
from raymm.errors import ConfigError
from raymm.methods import make_plan
from raymm.methods.base import ResamplingInputs
from raymm.methods.epochs import EpochEnd
from raymm.training.training_step import TrainingStep
from tests.methods.updates import assert_gradients, begin, fused, part_of, step_of, trainer_of

LACKING = ((1, 0), (4, 1))


def certainty_by_hand(outputs):
    """log K less the entropy."""
    p = outputs.detach().softmax(dim=0).tolist()
    return math.log(3) + sum(one * math.log(one) for one in p)


def part_of_rows(batch, rows):
    """Some rows of a batch."""
    inputs = {
        name: values[(torch.cumsum(batch.mask[:, i], 0) - 1)[rows][batch.mask[rows, i]]]
        for i, (name, values) in enumerate(batch.inputs.items())
    }
    return Batch(inputs, batch.mask[rows], batch.labels[rows], batch.index[rows])


def end_of(trainer, batches, epoch=0):
    return EpochEnd(epoch, 4, None, trainer.model.eval(), None, {"train": batches}.__getitem__)


def inputs_of(trainer, mask):
    return ResamplingInputs(
        rows=np.arange(len(mask)),
        label=np.zeros(len(mask), np.int64),
        present=mask.numpy(),
        phi=np.full(mask.shape, np.nan),
        utility=trainer.method.context.utility,
        seed=0,
        classes=3,
    )


@pytest.mark.parametrize("n", [2, 3])
def test_the_epoch_trains_each_sample_by_the_modality_that_is_least_sure(n):
    trainer = trainer_of("remix", n)
    with torch.no_grad():
        trainer.model.fusion.bias.zero_()  # or the one with the smallest weights is always least sure
        trainer.model.fusion.weight.mul_(8)
    begin(trainer)
    part = part_of(trainer, 24, lacking=LACKING)
    halves = [part_of_rows(part.batch, rows) for rows in (slice(0, 10), slice(10, 24))]
    trainer.method.after_evaluation(end_of(trainer, halves))
    mask, alone = part.batch.mask, [fused(trainer, part, i) for i in range(n)]
    expected = []
    for row in range(24):
        sure = {i: certainty_by_hand(alone[i][row]) for i in range(n) if mask[row, i]}
        expected.append(min(sure, key=sure.get))
        known = trainer.method.certainty[row]
        assert {i: float(known[i]) for i in sure} == pytest.approx(sure, abs=1e-5)
        assert known.isnan().tolist() == (~mask[row]).tolist()
    extra = trainer.method.plan(inputs_of(trainer, mask))
    assert extra.base is False
    assert extra.position.tolist() == list(range(24))
    assert extra.keep.tolist() == [1 << which for which in expected]
    assert extra.group.tolist() == expected
    assert len(set(expected)) == n
    plan = make_plan(trainer.method, inputs_of(trainer, mask))
    assert sorted(plan.index.tolist()) == list(range(24))
    assert len(plan) == 24  # no whole row beside these


def test_samples_are_looked_at_from_the_end_of_the_warm_up_until_no_epoch_is_left():
    trainer = trainer_of("remix", 2)
    trainer.method.context = dataclasses.replace(trainer.method.context, warmup=2)
    begin(trainer)
    part = part_of(trainer, 12)
    for epoch, looks in enumerate((False, True, True, False)):
        trainer.method.certainty.fill_(torch.nan)
        end = end_of(trainer, [part.batch], epoch)
        trainer.method.after_evaluation(end)
        assert trainer.method.certainty.isnan().all(dim=1).tolist() == [not looks] * 12 + [True] * 88
        assert end.cost.fusions == (24 if looks else 0)


def test_samples_that_were_not_looked_at_are_trained_whole():
    trainer = trainer_of("remix", 2)
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    extra = trainer.method.plan(inputs_of(trainer, mask))
    assert (extra.keep.tolist(), extra.group.tolist()) == ([3, 3, 3], [2, 2, 2])
    trainer.method.certainty = torch.tensor([[0.5, 0.5], [0.3, math.nan], [math.nan, math.nan]])
    extra = trainer.method.plan(inputs_of(trainer, mask))
    assert (extra.keep.tolist(), extra.group.tolist()) == ([1, 1, 3], [0, 0, 2])
    mask[1] = False
    extra = trainer.method.plan(inputs_of(trainer, mask))
    assert (extra.position.tolist(), extra.keep.tolist(), extra.group.tolist()) == ([0, 2], [1, 3], [0, 2])


BASE = np.arange(12) % 3 > 0


def loss_by_hand(trainer, part, base):
    """Joint loss, and 0.25 times that of each modality alone in whole rows, twice that in others."""
    labels, mask = part.batch.labels, part.batch.mask
    joint = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="none")
    alone = [
        functional.cross_entropy(fused(trainer, part, i), labels, reduction="none") * mask[:, i]
        for i in range(mask.shape[1])
    ]
    return (joint + torch.from_numpy(np.where(base, 0.25, 2.0)) * sum(alone)).sum()


def test_rows_are_weighed_by_whether_they_are_whole():
    trainer = trainer_of("remix", 2, warmup_amount=0.25, amount=2.0)
    part = part_of(trainer, 12, lacking=LACKING)
    mixed = TrainingStep(trainer, dataclasses.replace(part, base=BASE))
    expected, whole = loss_by_hand(trainer, part, BASE), loss_by_hand(trainer, part, np.ones(12, bool))
    assert float(trainer.method.loss(mixed)) == pytest.approx(float(expected), rel=1e-5)
    assert float(trainer.method.loss(step_of(trainer, part))) == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "concat"), (2, "mlp")])
def test_the_gradients_are_those_of_both_losses(n, fusion):
    trainer = trainer_of("remix", n, fusion, warmup_amount=0.25, amount=2.0)
    part = dataclasses.replace(part_of(trainer, 12, lacking=LACKING), base=BASE)
    assert_gradients(trainer, part, loss_by_hand(trainer, part, BASE))


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("remix", 1)
