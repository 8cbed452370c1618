"""AMCo: which modality the model depends on, and what of it is hidden."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.seeds import derive
from tests.methods.updates import SIZE, assert_gradients, begin, part_of, step_of, trainer_of

LACKING = ((1, 0), (4, 1))


def loss_by_hand(trainer, step, features):
    """Joint loss, and that of each modality alone, from some features."""
    total = functional.cross_entropy(trainer.model.fuse(features, step.mask), step.labels, reduction="sum")
    for i in range(step.mask.shape[1]):
        only = torch.zeros_like(step.mask)
        only[:, i] = True
        losses = functional.cross_entropy(trainer.model.fuse(features, only), step.labels, reduction="none")
        total = total + losses[step.mask[:, i]].sum()
    return total


def shares_by_hand(trainer, step, features):
    n, rows = step.mask.shape[1], [row for row in range(len(step)) if step.mask[row].all()]
    single = torch.eye(n, dtype=torch.bool)
    outputs = [trainer.model.fuse(features[rows].detach(), one.expand(len(rows), n)) for one in single]
    weights = torch.cat(outputs, dim=1).detach().softmax(dim=1)
    return [float(part.sum(dim=1).mean()) for part in weights.split(3, dim=1)]


@pytest.mark.parametrize("n", [2, 3])
def test_a_part_of_the_features_of_the_dependent_modality_is_hidden(n):
    trainer = trainer_of("amco", n, share=1.001 / n)
    begin(trainer, epoch=1)
    step = step_of(trainer, part_of(trainer, 20, lacking=LACKING, epoch=1))
    assert float(trainer.method.loss(step)) == pytest.approx(
        float(loss_by_hand(trainer, step, step.features)), rel=1e-5
    )
    shares = shares_by_hand(trainer, step, step.features)
    dependent = int(np.argmax(shares))
    assert shares[dependent] > 1.001 / n
    step = step_of(trainer, part_of(trainer, 20, lacking=LACKING, epoch=1, number=2))
    part = math.sin(math.pi / 2 * (0.1 * 2 / 0.3))
    order = np.random.default_rng(derive(trainer.method.context.seed, "amco", 1, 2)).permutation(SIZE)
    hidden = order[: int(part * SIZE)]
    assert 0 < len(hidden) < SIZE
    features = step.features.clone()
    features[:, dependent] = features[:, dependent] / (1 - part)
    features[:, dependent, hidden] = 0
    found = trainer.method.loss(step)
    assert float(found) == pytest.approx(float(loss_by_hand(trainer, step, features)), rel=1e-5)
    assert float(found) != pytest.approx(float(loss_by_hand(trainer, step, step.features)), rel=1e-3)
    figures = trainer.method.figures()
    assert figures[f"hidden_m{dependent}"] == pytest.approx(len(hidden) / SIZE / 2)
    later = shares_by_hand(trainer, step, features)
    assert figures["share_m0"] == pytest.approx((shares[0] + later[0]) / 2, rel=1e-5)


@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "concat"), (2, "mlp")])
def test_the_gradients_are_those_of_all_losses_from_what_is_not_hidden(n, fusion):
    trainer = trainer_of("amco", n, fusion, share=1.001 / n)
    begin(trainer, epoch=1)
    first, part = (part_of(trainer, 20, lacking=LACKING, epoch=1, number=number) for number in (0, 2))
    features = trainer.model.encode(part.batch)  # both batches have the same rows
    assert_gradients(trainer, first, loss_by_hand(trainer, step_of(trainer, first), features))
    dependent = int(np.argmax(shares_by_hand(trainer, step_of(trainer, part), features)))
    hidden = math.sin(math.pi / 2 * (0.1 * 2 / 0.3))
    order = np.random.default_rng(derive(trainer.method.context.seed, "amco", 1, 2)).permutation(SIZE)
    factors = torch.ones(n, SIZE)
    factors[dependent] = 1 / (1 - hidden)
    factors[dependent, order[: int(hidden * SIZE)]] = 0
    assert_gradients(trainer, part, loss_by_hand(trainer, step_of(trainer, part), features * factors))
    assert trainer.method.figures()[f"hidden_m{dependent}"] > 0


def test_features_that_stay_are_multiplied_by_ten_at_most():
    trainer = trainer_of("amco", 2, share=0.4)
    begin(trainer, epoch=1)
    trainer.method.loss(step_of(trainer, part_of(trainer, 20, epoch=1)))
    assert trainer.method.figures()["hidden_m0"] == trainer.method.figures()["hidden_m1"] == 0
    dependent = int(trainer.method.figures()["share_m1"] > trainer.method.figures()["share_m0"])
    trainer.method.settings = trainer.method.settings.model_copy(update={"ramp": 0.1 * 5 / 0.8})
    step = step_of(trainer, part_of(trainer, 20, epoch=1, number=5))
    part = math.sin(math.pi / 2 * 0.8)  # 1 / (1 - 0.951) is 20.4
    order = np.random.default_rng(derive(trainer.method.context.seed, "amco", 1, 5)).permutation(SIZE)
    features = step.features.clone()
    features[:, dependent] *= 10
    features[:, dependent, order[: int(part * SIZE)]] = 0
    assert int(part * SIZE) == SIZE - 1
    assert float(trainer.method.loss(step)) == pytest.approx(float(loss_by_hand(trainer, step, features)), rel=1e-5)


def test_no_modality_is_hidden_until_one_has_the_share_and_in_a_new_epoch():
    trainer = trainer_of("amco", 2, share=1.0)
    begin(trainer, epoch=3)
    for number in range(3):
        step = step_of(trainer, part_of(trainer, 20, epoch=3, number=number))
        expected = loss_by_hand(trainer, step, step.features)
        assert float(trainer.method.loss(step)) == pytest.approx(float(expected), rel=1e-5)
    trainer = trainer_of("amco", 2, share=0.4)
    for epoch in (3, 4):
        begin(trainer, epoch=epoch)
        first, later = (step_of(trainer, part_of(trainer, 20, epoch=epoch, number=number)) for number in (0, 9))
        expected = [float(loss_by_hand(trainer, one, one.features)) for one in (first, later)]
        found = [float(trainer.method.loss(one)) for one in (first, later)]
        assert found[0] == pytest.approx(expected[0], rel=1e-5)
        assert found[1] != pytest.approx(expected[1], rel=1e-3)  # all of it is hidden


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("amco", 1)
