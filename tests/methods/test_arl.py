"""ARL: the loss and the factors of the gradients, against the same in numpy."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.tasks import get_task
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, trainer_of


def terms(trainer, part):
    """W_i f_i + b / n of a concat head, a list of [B, K]."""
    features, fusion = trainer.model.encode(part.batch), trainer.model.fusion
    n = features.shape[1]
    return [features[:, i] @ fusion.weight[i] + fusion.bias / n for i in range(n)]


def weights_by_hand(outputs, mask, temperature, least):
    n = len(outputs)
    rows = [one.detach().numpy().astype(np.float64)[mask[:, i]] for i, one in enumerate(outputs)]
    said = np.array([np.abs(one).sum(axis=1).mean() for one in rows])
    unsure = np.array([entropy(softmax(one, axis=1), axis=1).mean() for one in rows])
    certain = 1 / np.maximum(unsure / unsure.sum(), least / n)
    return softmax(temperature * (1 - said / said.sum()) * certain / certain.sum())


@pytest.mark.parametrize("n", [2, 3])
def test_losses_are_added_and_gradients_scaled(n):
    trainer = trainer_of("arl", n, gamma=0.4, temperature=8.0, warmup=2)
    part = part_of(trainer, rows=9, epoch=2, lacking=[(1, 0), (3, n - 1)])
    mask, labels = part.batch.mask.numpy(), part.batch.labels
    outputs = terms(trainer, part)
    loss = functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="sum")
    for i, one in enumerate(outputs):
        loss = loss + 0.4 * functional.cross_entropy(one[mask[:, i]], labels[mask[:, i]], reduction="sum")
    plain = encoder_grads(trainer, loss / 9)
    weights = weights_by_hand(outputs, mask, 8.0, 0.6)
    assert weights.max() - weights.min() > 0.05
    begin(trainer, 2)
    step = backward(trainer, part)
    assert float(step.loss) == pytest.approx(float(loss.detach()), rel=1e-5)
    for i in range(n):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, (1 + weights[i]) * gradient, atol=1e-5)
        assert trainer.method.figures()[f"factor_m{i}"] == pytest.approx(1 + weights[i], rel=1e-5)


def test_shares_of_entropy_are_bounded_as_in_the_source():
    """Modality 0 is nearly sure of its answers: its share of entropy is below 0.3, which then stands for it."""
    trainer = trainer_of("arl", 2, warmup=0)
    with torch.no_grad():
        trainer.model.fusion.weight[0] *= 1e4
    part = part_of(trainer)
    outputs = terms(trainer, part)
    rows = [one.detach().double().numpy() for one in outputs]
    said = [np.abs(one).sum(axis=1).mean() for one in rows]
    shares = np.array(said) / sum(said)
    certain = np.array([1 / 0.3, 1 / 1.0])
    unsure = [entropy(softmax(one, axis=1), axis=1).mean() for one in rows]
    assert unsure[0] / sum(unsure) < 0.25
    certain[1] = sum(unsure) / unsure[1]
    expected = softmax(8.0 * shares[::-1] * certain / certain.sum())
    begin(trainer)
    backward(trainer, part)
    assert trainer.method.figures()["factor_m0"] == pytest.approx(1 + expected[0], rel=1e-5)


def test_in_the_first_epochs_all_losses_weigh_one_and_gradients_are_left_alone():
    trainer = trainer_of("arl", 2, gamma=0.2, warmup=1)
    part = part_of(trainer)
    loss = functional.cross_entropy(fused(trainer, part, "all"), part.batch.labels)
    for one in terms(trainer, part):
        loss = loss + functional.cross_entropy(one, part.batch.labels)
    plain = encoder_grads(trainer, loss)
    begin(trainer)
    step = backward(trainer, part)
    for i in range(2):
        for parameter, gradient in zip(step.encoder_parameters(i), plain[i], strict=True):
            assert torch.allclose(parameter.grad, gradient, atol=1e-6)
    assert trainer.method.figures() == {}


def test_a_modality_that_no_row_of_the_batch_has_gets_no_weight():
    trainer = trainer_of("arl", 3, warmup=0)
    begin(trainer)
    backward(trainer, part_of(trainer, rows=4, lacking=[(row, 1) for row in range(4)]))
    figures = trainer.method.figures()
    assert figures["factor_m1"] == 1
    assert figures["factor_m0"] + figures["factor_m2"] == pytest.approx(3)
    assert "entropy_m1" not in figures


def test_outputs_that_are_no_distribution_are_refused():
    with pytest.raises(ConfigError, match="outputs of the task multilabel are no distribution over classes"):
        trainer_of("arl", 2, task=get_task("multilabel"))
