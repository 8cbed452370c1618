"""The unimodal ensemble: its answers, its temperatures, and n trainings that do not meet."""

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from raymm.config import parse
from raymm.errors import ConfigError
from raymm.models.calibration import Calibration, fit_calibration
from raymm.tasks import get_task
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, step_of, trainer_of


def ensemble(n):
    return trainer_of("ensemble", n, fusion="ensemble")


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("calibrated", [False, True])
def test_the_answer_is_the_mean_of_log_probabilities(n, calibrated):
    model = {"calibrate": "modality_temperatures"} if calibrated else None
    trainer = trainer_of("ensemble", n, fusion="ensemble", model=model)
    temperature = torch.linspace(0.5, 2.0, n) if calibrated else torch.ones(n)
    if calibrated:
        trainer.model.calibration.scales.copy_(torch.cat([torch.zeros(1), 1 / temperature]))
    model, batch = trainer.model, rows_of(trainer)
    features = model.encode(batch)
    for row in range(len(batch)):
        there = batch.mask[row].nonzero()[:, 0].tolist()
        each = [model.fusion.heads[i](features[row, i]) / temperature[i] for i in there]
        mean = sum(one.log_softmax(dim=0) for one in each) / len(each)
        assert torch.allclose(model(batch)[row].softmax(dim=0), mean.softmax(dim=0), atol=1e-6)
    assert (model.fuse(features, torch.zeros_like(batch.mask)) == 0).all()


def test_temperatures_are_fitted_for_each_modality_alone():
    labels = torch.arange(240) % 3
    noise = torch.randn(240, 3, 3, generator=torch.Generator().manual_seed(0))
    alone = noise + torch.tensor([1.0, 2.0, 0.0])[:, None] * torch.eye(3)[labels][:, None]
    alone[:, 0] *= 4.0  # too sure of itself
    alone[::5, 1] = 0.0  # samples that lack it
    calibration = Calibration(3, "modality_temperatures")
    task = get_task("classification")
    fit_calibration(calibration, alone.mean(dim=1), alone, labels, task)
    for i in range(3):
        there = torch.ones(240, dtype=torch.bool)
        there[::5] = i != 1

        def loss(scale, i=i, there=there):
            return float(functional.cross_entropy(scale * alone[there, i].double(), labels[there]))

        best = minimize_scalar(loss, bounds=(1e-3, 10), method="bounded", options={"xatol": 1e-9}).x
        assert float(calibration.scales[1 + i]) == pytest.approx(best, rel=1e-3, abs=1e-4)
    assert calibration.scales[0] == 0


def test_temperatures_of_another_fusion_are_refused():
    with pytest.raises(
        ConfigError, match=r"calibrate=modality_temperatures is for fusion=ensemble, .* not for .*concat"
    ):
        parse({"model": {"calibrate": "modality_temperatures"}})


@pytest.mark.parametrize("n", [2, 3])
def test_a_step_is_a_step_of_each_modality_alone(n):
    trainer = ensemble(n)
    batch = rows_of(trainer)
    features, heads = trainer.model.encode(batch), trainer.model.fusion.heads
    loss = sum(
        functional.cross_entropy(heads[i](features[has, i]), batch.labels[has], reduction="sum") / len(batch)
        for i in range(n)
        for has in [batch.mask[:, i]]
    )
    expected = gradients(trainer, loss)
    assert_equal(changes(trainer, part_of(batch)), expected)


def test_another_modality_changes_nothing():
    """Nothing is shared: with other inputs of the second modality, the first moves as before."""
    one, other = ensemble(2), ensemble(2)
    batch, changed = rows_of(one), rows_of(other)
    changed.inputs["m1"].mul_(-2.0)
    mine, theirs = (changes(trainer, part_of(rows)) for trainer, rows in ((one, batch), (other, changed)))
    first = {name for name in mine if "m0" in name or "heads.0" in name}
    assert all(torch.equal(mine[name], theirs[name]) for name in first)
    assert any(not torch.equal(mine[name], theirs[name]) for name in set(mine) - first)


def test_a_modality_that_a_row_lacks_has_no_loss():
    trainer = ensemble(2)
    batch = rows_of(trainer)
    losses = trainer.method.loss(step_of(trainer, batch)).detach()
    features, heads = trainer.model.encode(batch), trainer.model.fusion.heads
    expected = sum(
        functional.cross_entropy(heads[i](features[row, i])[None], batch.labels[row : row + 1])
        for row in range(len(batch))
        for i in range(2)
        if batch.mask[row, i]
    )
    assert float(losses) == pytest.approx(float(expected.detach()), rel=1e-6)


def test_a_fusion_that_shares_a_head_is_refused():
    with pytest.raises(ConfigError, match=r"model.fusion=concat shares .*; use model.fusion=ensemble"):
        trainer_of("ensemble")
