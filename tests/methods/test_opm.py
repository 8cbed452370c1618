"""OPM: probabilities to drop, what is dropped, and the loss of what is left, computed row by row."""

import math

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.updates import assert_gradients, begin, part_of, step_of, trainer_of

LACKING = ((1, 0), (4, 1))


def rates_by_hand(step, trainer, rate, gain):
    """q of each modality, from the terms of the linear layer and an equal part of its bias."""
    fusion, n = trainer.model.fusion, step.mask.shape[1]
    scores = []
    for i in range(n):
        rows = [row for row in range(len(step)) if step.mask[row, i]]
        outputs = (step.features[rows, i] @ fusion.weight[i] + fusion.bias / n).detach()
        probabilities = outputs.softmax(dim=1)[range(len(rows)), step.labels[rows]]
        scores.append(float(probabilities.mean()))
    rates = []
    for i in range(n):
        lead = scores[i] / (sum(scores[:i] + scores[i + 1 :]) / (n - 1))
        rates.append(min(1.0, rate * (1 + gain * math.tanh(lead - 1))) if lead > 1 else 0.0)
    return rates


def loss_by_hand(step, trainer, rates):
    """The mean loss of the rows that keep something, times the rows."""
    n, drawn, losses = len(rates), step.uniform("opm", len(rates)), []
    for row in range(len(step)):
        kept = [bool(step.mask[row, i]) and float(drawn[row, i]) >= rates[i] for i in range(n)]
        if any(kept):
            scaled = step.features[row : row + 1] / (1 - sum(rates) / n)
            outputs = trainer.model.fuse(scaled, torch.tensor([kept]))
            losses.append(functional.cross_entropy(outputs, step.labels[row : row + 1]))
    return torch.stack(losses).mean() * len(step)


@pytest.mark.parametrize("n", [2, 3])
def test_rows_lose_what_is_ahead_and_the_rest_is_trained(n):
    trainer = trainer_of("opm", n, share=1.0, rate=0.6, gain=3.0)
    begin(trainer)
    step = step_of(trainer, part_of(trainer, 40, lacking=LACKING))
    rates = rates_by_hand(step, trainer, 0.6, 3.0)
    assert 0 < sum(rate > 0 for rate in rates) < n
    expected = loss_by_hand(step, trainer, rates)
    found = trainer.method.loss(step)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    assert trainer.method.figures() == pytest.approx({f"rate_m{i}": rate for i, rate in enumerate(rates)}, abs=1e-6)
    assert float(found) != pytest.approx(float(step.total(step.loss_of(step.logits))), rel=1e-3)


@pytest.mark.parametrize("n", [2, 3])
def test_the_gradients_are_those_of_what_is_left_with_the_probabilities_as_constants(n):
    trainer = trainer_of("opm", n, share=1.0, rate=0.6, gain=3.0)
    begin(trainer)
    part = part_of(trainer, 40, lacking=LACKING)
    step = step_of(trainer, part)
    assert_gradients(trainer, part, loss_by_hand(step, trainer, rates_by_hand(step, trainer, 0.6, 3.0)))


def test_settings_are_idle_where_nothing_is_dropped():
    for own, idle in (({}, ()), ({"rate": 0.0}, ("gain", "share")), ({"share": 0.0}, ("gain", "rate"))):
        method = trainer_of("opm", 2, **own).method
        assert method.idle(method.settings) == idle


def test_rows_that_lose_everything_are_not_in_the_mean():
    trainer = trainer_of("opm", 2, share=1.0, rate=1.0)
    begin(trainer)
    part = part_of(trainer, 20, lacking=[(row, 1) for row in range(10)])
    step = step_of(trainer, part)
    ahead = rates_by_hand(step, trainer, 1.0, 0.5).index(1.0)
    left = [row for row in range(20) if step.mask[row, 1 - ahead]]
    assert len(left) in {10, 20}
    kept = step.mask & (torch.arange(2) != ahead)
    losses = step.loss_of(trainer.model.fuse(step.features / 0.5, kept))[left]
    assert float(trainer.method.loss(step)) == pytest.approx(float(losses.mean()) * 20, rel=1e-5)


def test_other_batches_are_trained_as_ever():
    trainer = trainer_of("opm", 2, share=0.5)
    begin(trainer)
    joint = []
    for number in range(40):
        step = step_of(trainer, part_of(trainer, 12, number=number))
        joint.append(torch.equal(trainer.method.loss(step), step.total(step.loss_of(step.logits))))
    assert 10 < sum(joint) < 30


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="'m0' is the only modality, so there is none to balance it with"):
        trainer_of("opm", 1)
