"""LFM: the divergence of modalities, and how much it counts."""

import itertools

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods import lfm
from raymm.methods.epochs import EpochEnd
from tests.methods.updates import assert_gradients, fused, part_of, step_of, trainer_of

LACKING = ((1, 0), (4, 1))


def sharpened(trainer):
    """A trainer whose fusion gives outputs that are far apart."""
    with torch.no_grad():
        for parameter in trainer.model.fusion.parameters():
            parameter.mul_(8)
    return trainer


def divergence(one, other):
    """Jensen-Shannon, by torch's own Kullback-Leibler."""
    p, q = one.softmax(dim=0), other.softmax(dim=0)
    middle = ((p + q) / 2).log()
    return (functional.kl_div(middle, p, reduction="sum") + functional.kl_div(middle, q, reduction="sum")) / 2


def terms(trainer, part):
    """Divergence and cross-entropy of each row."""
    n, mask = len(trainer.model.names), part.batch.mask
    alone = [fused(trainer, part, i) for i in range(n)]
    gaps = []
    for row in range(len(mask)):
        pairs = [(i, j) for i, j in itertools.combinations(range(n), 2) if mask[row, i] and mask[row, j]]
        found = [divergence(alone[i][row], alone[j][row]) for i, j in pairs]
        gaps.append(torch.stack(found).mean() if found else torch.zeros(()))
    outputs = fused(trainer, part, "all")
    return torch.stack(gaps), functional.cross_entropy(outputs, part.batch.labels, reduction="none")


@pytest.mark.parametrize("n", [2, 3])
def test_the_loss_is_a_weighted_mean_of_both(n):
    trainer = sharpened(trainer_of("lfm", n, least=0.2))
    part = part_of(trainer, 12, lacking=LACKING)
    gaps, fused_losses = terms(trainer, part)
    expected = 2 * (0.8 * fused_losses + 0.2 * gaps).sum()
    assert float(gaps.sum()) > 0.01
    assert float(trainer.method.loss(step_of(trainer, part))) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "concat"), (2, "mlp")])
def test_the_gradients_are_those_of_both_parts(n, fusion):
    trainer = sharpened(trainer_of("lfm", n, fusion, least=0.4))
    part = part_of(trainer, 12, lacking=LACKING)
    gaps, fused_losses = terms(trainer, part)
    assert_gradients(trainer, part, 2 * (0.6 * fused_losses + 0.4 * gaps).sum())


def test_a_schedule_falls_over_the_epochs():
    trainer = sharpened(trainer_of("lfm", 2, strategy="schedule", least=0.1, most=0.7))
    for epoch, amount in enumerate((0.7, 0.5, 0.3, 0.1)):
        part = part_of(trainer, 12, lacking=LACKING, epoch=epoch)
        gaps, fused_losses = terms(trainer, part)
        expected = 2 * ((1 - amount) * fused_losses + amount * gaps).sum()
        assert float(trainer.method.loss(step_of(trainer, part))) == pytest.approx(float(expected), rel=1e-5)
    trainer.method.after_evaluation(None)
    assert trainer.method.figures() == {}


def end_of(trainer, train, held_out):
    parts = {"train": train.batch, "val": held_out.batch}
    return EpochEnd(0, 4, None, trainer.model, lambda split, count: parts[split], None)


@pytest.mark.parametrize("n", [2, 3])
def test_what_is_learned_follows_the_change_of_the_held_out_loss(n):
    """Against the loss of held-out samples after a small step of plain descent, for two values of a."""
    trainer = sharpened(trainer_of("lfm", n, least=0.0, most=1.0, rate=0.25))
    train, held_out = part_of(trainer, 12, lacking=LACKING), part_of(trainer, 10, seed=1)
    parameters = list(trainer.model.parameters())

    def held_out_loss(amount, eta=2e-3):
        gaps, losses = terms(trainer, train)
        total = 2 * ((1 - amount) * losses.mean() + amount * gaps.mean())
        gradients = torch.autograd.grad(total, parameters)
        before = [one.detach().clone() for one in parameters]
        with torch.no_grad():
            for one, gradient in zip(parameters, gradients, strict=True):
                one.sub_(eta * gradient)
            after = float(terms(trainer, held_out)[1].double().mean())
            for one, old in zip(parameters, before, strict=True):
                one.copy_(old)
        return after

    trainer.method.amount = torch.tensor(0.5, dtype=torch.float64)
    slope = (held_out_loss(0.9) - held_out_loss(0.1)) / 0.8
    trainer.method.after_evaluation(end_of(trainer, train, held_out))
    moved = float(trainer.method.amount) - 0.5
    assert slope * moved < 0
    gaps, losses = terms(trainer, train)
    held_out_gradient, other = (
        torch.cat([one.flatten() for one in torch.autograd.grad(loss, parameters)])
        for loss in (terms(trainer, held_out)[1].mean(), gaps.mean() - losses.mean())
    )
    product, lengths = float(held_out_gradient @ other), float(held_out_gradient.norm() * other.norm())
    assert moved == pytest.approx(0.25 * product / lengths, abs=1e-5)
    assert slope == pytest.approx(-4e-3 * product, rel=0.1)


@pytest.mark.parametrize(("size", "factor"), [(1e-14, 1.0), (1e-9, 1.0), (1e9, 1.0), (0.0, 0.0)])
def test_what_is_learned_does_not_depend_on_the_size_of_the_gradients(size, factor, monkeypatch):
    trainer = sharpened(trainer_of("lfm", 2, least=0.0, most=1.0, rate=0.25))
    train, held_out = part_of(trainer, 12, lacking=LACKING), part_of(trainer, 10, seed=1)

    def moved():
        trainer.method.amount = torch.tensor(0.5, dtype=torch.float64)
        trainer.method.after_evaluation(end_of(trainer, train, held_out))
        return float(trainer.method.amount) - 0.5

    plain, losses = moved(), lfm._losses
    assert plain != 0
    monkeypatch.setattr(lfm, "_losses", lambda *given: [size * one for one in losses(*given)])
    assert moved() == pytest.approx(factor * plain, rel=1e-5)


@pytest.mark.parametrize("n", [2, 3])
def test_it_learns_from_two_batches_after_every_epoch_but_the_last(n):
    trainer = sharpened(trainer_of("lfm", n))
    parts = {"train": part_of(trainer, 12, lacking=LACKING).batch, "val": part_of(trainer, 10, seed=1).batch}
    asked = []
    for epoch in range(4):
        trainer.method.amount = torch.tensor(0.5, dtype=torch.float64)
        end = EpochEnd(epoch, 4, None, trainer.model, lambda *split: asked.append(split) or parts[split[0]], None)
        trainer.method.after_evaluation(end)
        assert (float(trainer.method.amount) != 0.5) == (epoch < 3)
        cost = (22 * (n + 1), 22) if epoch < 3 else (0, 0)  # of each row all modalities and each alone
        assert (end.cost.fusions, end.cost.backwards) == cost
    assert asked == [("val", 256), ("train", 256)] * 3


def test_a_training_of_one_epoch_begins_with_the_most_and_a_schedule_learns_nothing():
    trainer = sharpened(trainer_of("lfm", 2, training={"epochs": 1}, strategy="schedule", most=0.7))
    part = part_of(trainer, 12)
    gaps, fused_losses = terms(trainer, part)
    expected = 2 * (0.3 * fused_losses + 0.7 * gaps).sum()
    assert float(trainer.method.loss(step_of(trainer, part))) == pytest.approx(float(expected), rel=1e-5)
    idle = [trainer_of("lfm", 2, strategy=how).method for how in ("learned", "schedule")]
    assert [set(one.idle(one.settings)) for one in idle] == [set(), {"rate", "samples"}]


def test_what_is_learned_stays_within_its_bounds_and_is_remembered():
    trainer = trainer_of("lfm", 2, rate=5.0)
    part = part_of(trainer, 12)
    trainer.method.after_evaluation(end_of(trainer, part, part))
    assert trainer.method.figures() == {"amount": pytest.approx(0.05)}
    trainer.method.load_state_dict({"amount": torch.tensor(0.4, dtype=torch.float64)})
    assert float(trainer.method.state_dict()["amount"]) == 0.4


def test_bounds_must_be_in_order():
    with pytest.raises(ConfigError, match=r"least=0.8 is above method.settings.most=0.2; exchange them"):
        trainer_of("lfm", 2, least=0.8, most=0.2)
    assert trainer_of("lfm", 2, least=0.3, most=0.3).method.settings.most == 0.3
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("lfm", 1)
