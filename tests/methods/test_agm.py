"""AGM: responses against orders counted out, factors of the gradients against the running means by hand."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods.agm import responses
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, step_of, trainer_of


def responses_by_hand(trainer, part):
    """Mean over all orders of what a modality adds to the outputs, and its share of those of no modality."""
    n, mask = len(trainer.model.names), part.batch.mask
    orders = list(itertools.permutations(range(n)))
    found = torch.zeros(len(mask), n, trainer.method.context.outputs)
    for order in orders:
        for place, player in enumerate(order):
            after, before = (fused(trainer, part, *order[:end]) for end in (place + 1, place))
            found[:, player] += (after - before).detach() / len(orders)
    return found + fused(trainer, part).detach()[:, None] / n


@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "attention"), (3, "mlp")])
def test_responses_are_shapley_values_of_the_outputs_and_sum_to_the_joint_ones(n, fusion):
    if fusion == "attention":
        fusion = {"name": "attention", "size": 8}
    trainer = trainer_of("agm", n, fusion)
    part = part_of(trainer, lacking=[(2, 0)])
    found = responses(step_of(trainer, part))
    assert torch.allclose(found.float(), responses_by_hand(trainer, part), atol=1e-5)
    assert torch.allclose(found.sum(dim=1).float(), fused(trainer, part, "all"), atol=1e-5)


@pytest.mark.parametrize("n", [2, 3])
def test_gradients_are_scaled_by_the_lead_now_against_the_lead_so_far(n):
    trainer = trainer_of("agm", n, alpha=0.8)
    begin(trainer)
    seen = []
    for number in range(4):
        part = part_of(trainer, rows=9, seed=number, number=number, lacking=[(1, 0)])
        now = responses_by_hand(trainer, part)
        losses = torch.stack(
            [functional.cross_entropy(now[:, i], part.batch.labels, reduction="none") for i in range(n)], dim=1
        )
        score = [float(losses[part.batch.mask[:, i], i].mean()) for i in range(n)]
        plain = encoder_grads(trainer, functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels))
        step = backward(trainer, part)
        for i in range(n):
            factor = 1.0
            if seen:
                past = [sum(row[j] for row in seen) / len(seen) for j in range(n)]
                ahead, was = (math.exp(n / (n - 1) * (sum(values) / n - values[i])) for values in (score, past))
                factor = math.exp(0.8 * min(was - ahead, 10))
            for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
                assert torch.allclose(parameter.grad, factor * gradient, rtol=1e-4, atol=1e-6)
        seen.append(score)
        trainer.optimizer.step()
    mean = torch.tensor(seen).mean(dim=0)
    assert torch.allclose(trainer.method.state_dict()["mean"].float(), mean, atol=1e-5)
    assert trainer.method.state_dict()["steps"].tolist() == [4] * n


def test_a_modality_that_leaps_ahead_learns_slower():
    """Modality 0 is level at first; then its term of the outputs shows the label."""
    trainer = trainer_of("agm", 2, alpha=1.0)
    method = trainer.method
    for number in range(3):
        backward(trainer, part_of(trainer, seed=number))
    method.mean = torch.tensor([3.0, 3.0], dtype=torch.float64)  # level so far
    with torch.no_grad():
        trainer.model.fusion.weight[1] *= 0
    part = part_of(trainer, rows=6)
    labels = fused(trainer, part, 0).argmax(dim=1)
    begin(trainer)
    backward(trainer, part_of(trainer, rows=6, labels=labels))
    figures = method.figures()
    assert figures["loss_m0"] < figures["loss_m1"]
    assert figures["factor_m0"] < 1 < figures["factor_m1"]


def test_losses_and_factors_are_bounded():
    trainer = trainer_of("agm", 2, alpha=0.5)
    with torch.no_grad():
        trainer.model.fusion.weight[0] *= 1e4
    for number in range(2):
        backward(trainer, part_of(trainer, number=number))
    assert float(trainer.method.mean.max()) <= -math.log(1e-8) + 1e-9
    trainer.method.mean = torch.tensor([0.0, 18.0], dtype=torch.float64)
    begin(trainer)
    backward(trainer, part_of(trainer))
    assert trainer.method.figures()["factor_m0"] == pytest.approx(math.exp(0.5 * 10))


def test_too_many_modalities_and_a_single_one_are_refused():
    with pytest.raises(ConfigError, match=r"agm fuses all 2\^n coalitions in every step; 11 modalities are more"):
        trainer_of("agm", 11)
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("agm", 1)


def test_the_state_is_taken_over():
    one, other = trainer_of("agm", 2).method, trainer_of("agm", 2)
    for number in range(2):
        backward(other, part_of(other, seed=number))
    one.load_state_dict(other.method.state_dict())
    assert torch.equal(one.mean, other.method.mean)
    assert torch.equal(one.steps, other.method.steps)
