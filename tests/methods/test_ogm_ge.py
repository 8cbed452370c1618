"""OGM-GE: factors of the gradients and the noise, against both computed by hand."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.training.training_step import RankBatch
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, trainer_of


def scores_by_hand(trainer, part):
    """Mean probability of the label by the terms W_i f_i + b / n of a concat head, of rows that have modality i."""
    features, fusion = trainer.model.encode(part.batch).detach(), trainer.model.fusion
    n, scores = features.shape[1], []
    for i in range(n):
        logits = features[:, i] @ fusion.weight[i] + fusion.bias / n
        of_label = logits.softmax(dim=1)[torch.arange(len(features)), part.batch.labels]
        scores.append(float(of_label[part.batch.mask[:, i]].mean().detach()))
    return scores


def expected_factors(scores, alpha, others):
    factors = []
    for i, score in enumerate(scores):
        rest = [other for j, other in enumerate(scores) if j != i]
        ratio = score / (np.mean(rest) if others == "mean" else min(rest))
        factors.append(1 - math.tanh(alpha * ratio) if ratio > 1 else 1.0)
    return factors


@pytest.mark.parametrize("alpha", [0.1, 0.7])
@pytest.mark.parametrize(("n", "others"), [(2, "mean"), (3, "mean"), (3, "min")])
def test_the_encoder_that_is_ahead_is_slowed_down(n, others, alpha):
    trainer = trainer_of("ogm_ge", n, alpha=alpha, others=others, ge=False)
    part = part_of(trainer, rows=9, lacking=[(0, 0), (5, 1)])
    factors = expected_factors(scores_by_hand(trainer, part), alpha, others)
    assert sum(factor < 1 for factor in factors) >= 1
    plain = encoder_grads(trainer, functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels))
    begin(trainer)
    step = backward(trainer, part)
    for i, factor in enumerate(factors):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, factor * gradient, atol=1e-6)
        assert trainer.method.figures()[f"factor_m{i}"] == pytest.approx(factor, rel=1e-5)


def test_noise_is_as_wide_as_the_gradient_of_a_weight_and_keyed_by_its_step():
    plain, noisy = (trainer_of("ogm_ge", 2, alpha=0.5, ge=ge) for ge in (False, True))
    for number in range(2):
        parts = [part_of(trainer, rows=8, number=number, epoch=1) for trainer in (plain, noisy)]
        unscaled = encoder_grads(
            plain, functional.cross_entropy(fused(plain, parts[0], "all"), parts[0].batch.labels)
        )
        steps = [backward(trainer, part) for trainer, part in zip((plain, noisy), parts, strict=True)]
        for i in range(2):
            both = zip(steps[0].encoder_parameters(i), steps[1].encoder_parameters(i), unscaled[i], strict=True)
            for position, (without, with_noise, gradient) in enumerate(both):
                generator = torch.Generator().manual_seed(derive(0, "ogm_ge", 1, number, f"m{i}", position))
                noise = torch.randn(gradient.shape, generator=generator) * gradient.std()
                expected = without.grad + noise if gradient.ndim > 1 else without.grad
                assert torch.allclose(with_noise.grad, expected, atol=1e-6)


def test_modalities_that_lie_level_are_not_slowed_down():
    trainer = trainer_of("ogm_ge", 2, ge=False)
    with torch.no_grad():
        trainer.model.fusion.weight.zero_()
    begin(trainer)
    backward(trainer, part_of(trainer))
    assert trainer.method.figures() == {"factor_m0": 1, "factor_m1": 1, "ahead_m0": 1, "ahead_m1": 1}


class Shaped(torch.nn.Module):
    """An encoder whose weights have one number, two, or three axes."""

    def __init__(self):
        super().__init__()
        self.shapes = {"one": (1, 1), "two": (1, 2), "cube": (2, 3, 2), "bias": (5,)}
        for name, shape in self.shapes.items():
            setattr(self, name, torch.nn.Parameter(torch.ones(shape)))

    def forward(self, x):
        both = x[:, :2] * self.two + x[:, 2:] * self.one + x[:, :2] @ self.cube.sum(dim=1)
        return both.sum(dim=1, keepdim=True) * self.bias.cos()


def test_noise_is_that_of_weights_with_several_numbers_and_of_any_number_of_axes():
    found = []
    for ge in (False, True):
        trainer = trainer_of("ogm_ge", 2, ge=ge)
        trainer.model.encoders["m0"] = Shaped()
        begin(trainer)
        step = backward(trainer, part_of(trainer))
        found.append([parameter.grad for parameter in step.encoder_parameters(0)])
    noise = {name: other - one for name, one, other in zip(Shaped().shapes, *found, strict=True)}
    assert {name for name, values in noise.items() if values.abs().min() > 0} == {"two", "cube"}
    assert not any(noise[name].any() for name in ("one", "bias"))


def test_noise_is_drawn_without_touching_other_draws():
    trainer = trainer_of("ogm_ge", 2)
    part = part_of(trainer)
    state = torch.get_rng_state()
    backward(trainer, part)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("epoch", "acts"), [(0, False), (1, True), (2, True), (3, False)])
def test_gradients_are_changed_within_the_window_of_epochs_only(epoch, acts):
    trainer = trainer_of("ogm_ge", 2, first_epoch=1, last_epoch=2)
    part = part_of(trainer, epoch=epoch)
    plain = encoder_grads(trainer, functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels))
    begin(trainer, epoch)
    step = backward(trainer, part)
    same = [
        torch.allclose(parameter.grad, gradient, atol=1e-6)
        for i in range(2)
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True)
    ]
    assert all(same) != acts
    assert bool(trainer.method.figures()) == acts


def test_a_modality_that_no_row_of_the_batch_has_is_left_alone():
    trainer = trainer_of("ogm_ge", 3, ge=False)
    step = backward(trainer, part_of(trainer, rows=4, lacking=[(row, 1) for row in range(4)]))
    assert all(p.grad is None for p in step.encoder_parameters(1))
    assert all(bool(p.grad.isfinite().all()) for i in (0, 2) for p in step.encoder_parameters(i))
    assert "factor_m1" in trainer.method.figures()
    assert "ahead_m1" not in trainer.method.figures()


def test_what_makes_no_sense_is_refused_all_at_once():
    with pytest.raises(ConfigError) as refused:
        trainer_of("ogm_ge", 1, first_epoch=3, last_epoch=2)
    assert "'m0' is the only modality" in str(refused.value)
    assert "last_epoch=2 is before first_epoch=3" in str(refused.value)
    assert trainer_of("ogm_ge", 2, first_epoch=2, last_epoch=2).method.settings.last_epoch == 2


def test_an_empty_part_of_a_rank_takes_part():
    trainer = trainer_of("ogm_ge", 2)
    part = part_of(trainer, rows=0)
    step = trainer.step(RankBatch(part.batch, None, 8, 0, 0))
    assert len(step) == 0
    assert all(bool((p.grad == 0).all()) for p in step.model.parameters())
