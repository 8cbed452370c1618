"""One step, as a method sees it: what it gives is what the model gives, from one pass of the encoders."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.data import BatchReader
from raymm.methods import Method, build_method
from raymm.models.model import build_model
from raymm.training.communicator import SingleProcess
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.training.training_step import RankBatch, TrainingStep, sum_rows
from raymm.valuation.utilities import utility
from tests.games import settings

SAMPLES = 120

FUSIONS = ["concat", "sum", "mlp", "gated", "film", "attention"]


def trainer_of(dataset, fusion="concat", **sections):
    model = {"fusion": {"name": fusion}, "feature_size": 16, "encoder": {"width": 8}, "baseline": "learned"}
    config = settings(model=model, method={"name": "joint"}, **sections)
    network = build_model(dataset.schema, config.model, 0)
    with torch.no_grad():
        network.baseline.normal_(generator=torch.Generator().manual_seed(1))
    method = build_method(config, dataset.schema)
    optimizer = build_optimizer(parameters_of(network, method), config.optimizer)
    return Trainer(network, optimizer, method, config, SingleProcess(), torch.device("cpu"), dataset.schema.task)


def part_of(dataset, config, count=12, weight=None):
    rows = dataset.rows("train")[:count]
    mask = np.ones((count, 2), bool)
    mask[1::4, 0] = False
    mask[2::4, 1] = False
    batch = BatchReader(dataset, config.view).batch(rows, mask)
    return RankBatch(batch, weight, count, 0, 0)


def step_of(dataset, fusion="concat", count=12, weight=None, **sections):
    trainer = trainer_of(dataset, fusion, **sections)
    return TrainingStep(trainer, part_of(dataset, trainer.config, count, weight)), trainer


COALITIONS = torch.tensor([[False, False], [True, False], [False, True], [True, True]])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_coalitions_are_those_of_the_fusion_with_their_gradients(dataset, fusion):
    step, trainer = step_of(dataset, fusion)
    found = step.coalition_logits(COALITIONS)
    fused = [trainer.model.fuse(step.features, step.mask & coalition) for coalition in COALITIONS]
    assert torch.allclose(found, torch.stack(fused, dim=1), atol=1e-5)
    assert torch.allclose(found[:, 3], step.logits, atol=1e-5)
    assert torch.allclose(step.unimodal_logits(), found[:, 1:3], atol=1e-5)
    assert not torch.allclose(found[:, 1], found[:, 2], atol=1e-3)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(0))
    parameters = list(trainer.model.parameters())
    ours = torch.autograd.grad((found * weights).sum(), parameters, retain_graph=True, allow_unused=True)
    theirs = torch.autograd.grad((torch.stack(fused, 1) * weights).sum(), parameters, allow_unused=True)
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other, atol=1e-4)


def test_the_encoders_run_once_however_much_is_asked_of_a_step(dataset, monkeypatch):
    trainer = trainer_of(dataset, "gated")
    calls = []
    encode, fuse = trainer.model.encode, trainer.model.fuse
    monkeypatch.setattr(trainer.model, "encode", lambda batch: calls.append("encode") or encode(batch))
    monkeypatch.setattr(trainer.model, "fuse", lambda z, m: calls.append("fuse") or fuse(z, m))
    step = TrainingStep(trainer, part_of(dataset, trainer.config))
    for _ in range(2):
        assert step.logits is step.logits
        step.phi()
        step.unimodal_logits()
    assert calls.count("encode") == 1
    assert calls[:2] == ["encode", "fuse"]
    assert calls.count("fuse") < 1 + 2 + 2 + 8


@pytest.mark.parametrize("name", ["count", "probability", "logit"])
@pytest.mark.parametrize("fusion", ["concat", "attention"])
def test_phi_is_the_shapley_value_by_its_definition(dataset, fusion, name):
    step, trainer = step_of(dataset, fusion, valuation={"utility": name})
    phi = step.phi()
    assert (phi.dtype, phi.requires_grad) == (torch.float64, False)
    assert trainer.model.training
    trainer.model.eval().requires_grad_(False)
    used = utility(name)

    def value(row, members):
        kept = torch.zeros(1, 2, dtype=torch.bool)
        kept[0, list(members)] = True
        logits = trainer.model.fuse(step.features[row : row + 1].detach(), kept)[:, None]
        if name == "count" and not members:
            return 0.0
        return float(used.fn(logits, step.labels[row : row + 1], torch.tensor([[len(members)]])))

    for row in range(len(step)):
        players = torch.nonzero(step.mask[row])[:, 0].tolist()
        for player in range(2):
            if player not in players:
                assert math.isnan(phi[row, player])
                continue
            orders = list(itertools.permutations(players))
            gains = [
                value(row, {*order[: order.index(player)], player}) - value(row, set(order[: order.index(player)]))
                for order in orders
            ]
            assert float(phi[row, player]) == pytest.approx(np.mean(gains), abs=1e-5)


def test_phi_draws_nothing_and_leaves_the_graph_alone(dataset):
    step, trainer = step_of(dataset, "attention")
    state = torch.get_rng_state()
    step.phi()
    assert torch.equal(torch.get_rng_state(), state)
    step.total(step.loss_of(step.logits)).backward()
    assert all(parameter.grad is not None for parameter in trainer.model.fusion.parameters())


def test_the_sum_of_row_losses_has_the_bits_of_cross_entropy():
    plain_sums_differ = 0
    for rows in (*range(1, 70), 128, 1000):
        generator = torch.Generator().manual_seed(rows)
        logits = torch.randn(rows, 10, generator=generator, requires_grad=True)
        labels = torch.randint(10, (rows,), generator=generator)
        whole = functional.cross_entropy(logits, labels, reduction="sum")
        losses = functional.cross_entropy(logits, labels, reduction="none")
        assert torch.equal(whole, sum_rows(losses))
        assert torch.equal(*(torch.autograd.grad(s / rows, logits)[0] for s in (whole, sum_rows(losses))))
        plain_sums_differ += not torch.equal(whole, losses.sum())
    assert plain_sums_differ > 5  # else any sum would do


def test_weights_multiply_the_losses_of_rows_and_their_gradients(dataset):
    weight = torch.linspace(0, 2, 12)
    step, trainer = step_of(dataset, weight=weight)
    losses = step.loss_of(step.logits)
    total = Method.loss(trainer.method, step)
    assert float(total) == pytest.approx(float((losses * weight).sum()), rel=1e-6)
    plain, _ = step_of(dataset)
    assert float(plain.total(losses)) == pytest.approx(float(losses.sum()), rel=1e-6)
    assert float(total) != pytest.approx(float(losses.sum()), rel=1e-3)
    (found,) = torch.autograd.grad(total, step.logits)
    (expected,) = torch.autograd.grad(plain.total(plain.loss_of(plain.logits)), plain.logits)
    assert torch.allclose(found, expected * weight[:, None], atol=1e-6)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_rank_without_rows_takes_part_in_the_step(dataset, fusion):
    trainer = trainer_of(dataset, fusion)
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    empty = BatchReader(dataset, trainer.config.view).batch(np.empty(0, np.int64), np.empty((0, 2), bool))
    step = trainer.step(RankBatch(empty, None, 8, 0, 0))
    assert (len(step), float(step.loss)) == (0, 0.0)
    assert step.logits.shape == (0, 4)
    assert step.coalition_logits(COALITIONS).shape == (0, 4, 4)
    assert step.phi().shape == (0, 2)
    assert float(step.all_reduce(torch.ones(()))) == 1
    assert all(torch.equal(parameter.grad, torch.zeros_like(parameter)) for parameter in trainer.model.parameters())
    assert len(before) > 4


def test_a_step_is_the_update_that_autograd_and_the_optimizer_give(dataset):
    """Against the plain way to write it, on the same rows."""
    trainer, plain = trainer_of(dataset), trainer_of(dataset)
    part = part_of(dataset, trainer.config)
    for _ in range(3):
        step = trainer.step(part)
        plain.optimizer.zero_grad()
        loss = functional.cross_entropy(plain.model(part.batch), part.batch.labels, reduction="mean")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.model.parameters(), 1.0)
        plain.optimizer.step()
        assert float(step.loss) / 12 == pytest.approx(float(loss), rel=1e-6)
    for one, other in zip(trainer.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_gradients_are_changed_before_they_are_clipped(dataset):
    class Loud(Method):
        def on_gradients(self, step):
            for parameter in step.model.parameters():
                self.seen = parameter.grad.clone()
                parameter.grad.mul_(1e6)

    trainer = trainer_of(dataset, optimizer={"name": "sgd", "lr": 1.0, "momentum": 0.0, "weight_decay": 0.0})
    trainer.method = Loud(None, trainer.method.context)
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    trainer.step(part_of(dataset, trainer.config))
    moved = sum(
        float((parameter - old).square().sum())
        for parameter, old in zip(trainer.model.parameters(), before, strict=True)
    )
    assert math.sqrt(moved) == pytest.approx(1.0, rel=1e-3)  # the largest norm that clipping leaves
    assert trainer.method.seen.abs().sum() > 0
