"""MBSD: what modalities teach each other, pair by pair and row by row."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods.mbsd import distillation
from tests.methods.updates import assert_gradients, fused, part_of, step_of, trainer_of


@pytest.mark.parametrize("n", [2, 3])
def test_the_loss_is_that_of_its_definition(n):
    trainer = trainer_of("mbsd", n, amount=2.0)
    part = part_of(trainer, 30, lacking=((1, 0), (4, 1)))
    step = step_of(trainer, part)
    labels, mask = step.labels, step.mask
    alone = [fused(trainer, part, i) for i in range(n)]
    expected = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="sum")
    pairs, taught = list(itertools.combinations(range(n), 2)), 0
    for row in range(30):
        for i in range(n):
            if mask[row, i]:
                expected = expected + functional.cross_entropy(alone[i][row], labels[row])
        for i, j in pairs:
            if not (mask[row, i] and mask[row, j]):
                continue
            z = [alone[i][row], alone[j][row]]
            if not any(int(one.argmax()) == int(labels[row]) for one in z):
                continue
            p = sorted(float(one.softmax(0)[labels[row]]) for one in z)
            weight = p[1] - p[0]
            apart = sum((float(a) - float(b)) ** 2 for a, b in zip(*z, strict=True)) / 3
            expected = expected + 2.0 * weight * (apart + p[1] * math.log(p[1] / p[0])) / len(pairs)
            taught += 1
    assert 0 < taught < 30 * len(pairs)
    assert float(trainer.method.loss(step)) == pytest.approx(float(expected), rel=1e-5)


def taught(one, other, label):
    """What a pair teaches each other in a row: the stronger probability and the weight are plain numbers."""
    if label not in (int(one.argmax()), int(other.argmax())):
        return 0.0
    weak, strong = sorted((z.log_softmax(dim=0)[label] for z in (one, other)), key=float)
    s, t = math.exp(float(strong)), math.exp(float(weak))
    return (s - t) * ((one - other).square().sum() / 3 + s * (math.log(s) - weak))


@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "concat"), (2, "mlp")])
def test_the_gradients_are_those_of_all_losses_with_weights_as_constants(n, fusion):
    trainer = trainer_of("mbsd", n, fusion, amount=5.0)
    part = part_of(trainer, 30, lacking=((1, 0), (4, 1)))
    labels, mask, pairs = part.batch.labels, part.batch.mask, list(itertools.combinations(range(n), 2))
    alone = [fused(trainer, part, i) for i in range(n)]
    expected = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="sum")
    for i in range(n):
        expected = expected + functional.cross_entropy(alone[i][mask[:, i]], labels[mask[:, i]], reduction="sum")
    for i, j in pairs:
        for row in torch.nonzero(mask[:, i] & mask[:, j])[:, 0]:
            learned = taught(alone[i][row], alone[j][row], int(labels[row]))
            expected = expected + 5.0 * learned / len(pairs)
    assert_gradients(trainer, part, expected)


def test_the_weaker_is_taught_and_the_stronger_is_not_drawn_down_by_its_probability():
    """Where both outputs are equally far apart, only the logarithm of the weaker one has a gradient of its own."""
    outputs = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]], requires_grad=True)
    labels, mask = torch.tensor([0]), torch.ones(1, 2, dtype=torch.bool)
    (gradient,) = torch.autograd.grad(distillation(outputs, labels, mask).sum(), outputs)
    strong, weak = math.exp(2) / (math.exp(2) + 2), 1 / 3
    apart = (strong - weak) * 2 * torch.tensor([2.0, 0.0, 0.0]) / 3
    assert torch.allclose(gradient[0, 0], apart, atol=1e-6)
    of_log = torch.tensor([1.0, 0.0, 0.0]) - 1 / 3
    assert torch.allclose(gradient[0, 1], -apart - (strong - weak) * strong * of_log, atol=1e-6)


def test_a_pair_that_is_wrong_together_teaches_nothing():
    outputs = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 0.0, 3.0]]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    assert distillation(outputs, torch.tensor([1]), mask).tolist() == [0.0]
    assert distillation(outputs, torch.tensor([2]), mask).item() > 0
    assert distillation(outputs, torch.tensor([2]), torch.tensor([[True, False]])).tolist() == [0.0]


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("mbsd", 1)
