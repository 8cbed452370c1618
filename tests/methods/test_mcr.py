"""MCR: effects of permutations on predictions, who learns from them, and the terms beside them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods.contrast import contrast
from raymm.seeds import derive
from tests.methods.test_lfm import divergence, sharpened
from tests.methods.updates import begin, encoder_grads, part_of, step_of, trainer_of

LACKING = ((1, 0), (4, 1))
QUIET = {"alone": 0.0, "amount": 0.0}


def regulariser(trainer, step, k, permutations):
    """R of the batch by its definition: all rows at once, with what is constant cut off."""
    n, mask, features = step.mask.shape[1], step.mask, step.features
    whole = [row for row in range(len(step)) if mask[row].all()]
    constant = features.detach()
    predicted = trainer.model.fuse(constant, mask).detach()
    total = 0.0
    for number in range(permutations):
        for i in range(n):
            seed = derive(trainer.method.context.seed, "mcr", step.epoch, step.number, number, i)
            order = np.random.default_rng(seed).permutation(len(whole))
            for position, row in enumerate(whole):
                other = whole[order[position]]
                own, rivals = constant[row].clone(), features[row].clone()
                own[i], rivals[i] = features[other, i], constant[other, i]
                for sign, mixed in ((-1, own), (k, rivals)):
                    outputs = trainer.model.fuse(mixed[None], mask[row : row + 1])[0]
                    total = total + sign * divergence(outputs, predicted[row])
    return total / permutations


@pytest.mark.parametrize("fusion", ["concat", "mlp"])
@pytest.mark.parametrize("k", [-1, 0, 1])
@pytest.mark.parametrize("n", [2, 3])
def test_encoders_learn_from_the_effect_of_permutations(n, k, fusion):
    trainer = sharpened(trainer_of("mcr", n, fusion, k=k, amount=4.0, permutations=2, alone=0.0))
    step = step_of(trainer, part_of(trainer, 9, lacking=LACKING, epoch=1, number=3))
    found = trainer.method.loss(step)
    joint = functional.cross_entropy(step.logits, step.labels, reduction="sum")
    expected = joint + 4.0 * regulariser(trainer, step, k, 2)
    assert found.item() == pytest.approx(float(expected), rel=1e-5)
    mine, other, plain = (encoder_grads(trainer, loss) for loss in (found, expected, joint))
    for one, two, three in zip(mine, other, plain, strict=True):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))
        assert not all(torch.allclose(a, b, atol=1e-4) for a, b in zip(one, three, strict=True))


def test_an_encoder_raises_the_effect_of_its_own_modality():
    """Steps along R alone raise what a permutation of each modality changes."""
    trainer = sharpened(trainer_of("mcr", 2, k=0, amount=1.0, alone=0.0))
    part = part_of(trainer, 32)

    def effect():
        step = step_of(trainer, part)
        return float(trainer.method.loss(step) - step.total(step.loss_of(step.logits)))

    before = effect()
    for _ in range(60):
        step = step_of(trainer, part)
        trainer.optimizer.zero_grad()
        ((trainer.method.loss(step) - step.total(step.loss_of(step.logits))) / 32).backward()
        trainer.optimizer.step()
    assert effect() < 1.5 * before < 0


def test_losses_of_single_modalities_count_where_rows_have_them():
    trainer = trainer_of("mcr", 2, amount=0.0, alone=0.5)
    step = step_of(trainer, part_of(trainer, 9, lacking=LACKING))
    expected = functional.cross_entropy(step.logits, step.labels, reduction="sum")
    for i in range(2):
        outputs = trainer.model.fuse(step.features, torch.eye(2, dtype=torch.bool)[i].expand(9, 2))
        losses = functional.cross_entropy(outputs, step.labels, reduction="none")
        expected = expected + 0.5 * losses[step.mask[:, i]].sum()
    assert float(trainer.method.loss(step)) == pytest.approx(float(expected), rel=1e-5)


def test_the_contrast_is_the_mean_over_pairs_of_one_class():
    generator = torch.Generator().manual_seed(0)
    points, labels = torch.randn(7, 4, generator=generator), torch.tensor([0, 0, 1, 1, 1, 2, 0])
    unit = functional.normalize(points, dim=1)
    losses = []
    for a in range(7):
        for b in range(7):
            if a != b and labels[a] == labels[b]:
                there = float((unit[a] @ unit[b] / 0.5).exp())
                apart = sum(float((unit[a] @ unit[c] / 0.5).exp()) for c in range(7) if labels[c] != labels[a])
                losses.append(-np.log(there / (there + apart)))
    assert float(contrast(points, labels, 0.5)) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(contrast(points[:2], torch.tensor([0, 1]), 0.5)) == 0.0


def test_the_contrast_is_over_all_modalities_that_rows_have():
    trainer = trainer_of("mcr", 2, **QUIET, contrast=0.7, temperature=0.3)
    step = step_of(trainer, part_of(trainer, 9, lacking=LACKING))
    there = [(row, i) for row in range(9) for i in range(2) if step.mask[row, i]]
    points = torch.stack([step.features[row, i] for row, i in there])
    labels = torch.stack([step.labels[row] for row, _ in there])
    joint = functional.cross_entropy(step.logits, step.labels, reduction="sum")
    expected = joint + 9 * 0.7 * contrast(points, labels, 0.3)
    found = trainer.method.loss(step)
    assert found.item() == pytest.approx(float(expected), rel=1e-5)
    for one, two in zip(encoder_grads(trainer, found), encoder_grads(trainer, expected), strict=True):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))


def test_features_are_drawn_to_what_outputs_tell_of_them():
    trainer = trainer_of("mcr", 2, **QUIET, redundancy=0.3)
    step = step_of(trainer, part_of(trainer, 9, lacking=LACKING))
    predicted = trainer.method.module(step.logits.detach()).view(9, 2, -1)
    errors = (step.features - predicted).square().mean(dim=2)
    expected = functional.cross_entropy(step.logits, step.labels, reduction="sum")
    expected = expected + 0.3 * sum(errors[row][step.mask[row]].mean() for row in range(9))
    found = trainer.method.loss(step)
    assert found.item() == pytest.approx(float(expected), rel=1e-5)
    assert trainer_of("mcr", 2).method.module is None
    begin(trainer)


def test_settings_of_terms_that_count_nothing_are_idle():
    idle = {}
    for amount in (0.0, 0.1):
        for weight in (0.0, 0.1):
            method = trainer_of("mcr", 2, amount=amount, contrast=weight).method
            idle[amount, weight] = set(method.idle(method.settings))
    effects, contrasts = {"k", "permutations"}, {"temperature"}
    assert idle == {(0, 0): effects | contrasts, (0, 0.1): effects, (0.1, 0): contrasts, (0.1, 0.1): set()}


def test_a_single_modality_is_refused():
    with pytest.raises(ConfigError, match="only modality"):
        trainer_of("mcr", 1)
