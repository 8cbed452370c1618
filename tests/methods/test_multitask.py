"""Multi-task training: the fused output's loss, and that of each modality that a row has."""

import pytest
import torch

from raymm.errors import ConfigError
from tests.methods.steps import ROWS, gradients, loss_of_coalition, members_of, step_of, trainer_of


def alone(step, trainer, row, i):
    """Loss of a modality alone by the heads of the method."""
    if trainer.method.module is None:
        return loss_of_coalition(step, row, (i,))
    head = trainer.method.module[i]
    logits = step.features[row : row + 1, i] @ head.weight.T + head.bias
    return trainer.task.losses(logits, step.labels[row : row + 1])[0]


@pytest.mark.parametrize("amount", [1.0, 0.25, "1/n", 0.0])
@pytest.mark.parametrize("heads", ["shared", "own"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_loss_is_the_sum_over_what_a_row_has(n, heads, amount):
    step, trainer = step_of("multitask", n, heads=heads, amount=amount)
    factor = 1 / n if amount == "1/n" else amount
    rows = []
    for row in range(ROWS):
        present = members_of(step.mask[row])
        parts = torch.stack([alone(step, trainer, row, i) for i in present])
        rows.append(loss_of_coalition(step, row, present) + factor * parts.sum())
    loss, expected = trainer.method.loss(step), torch.stack(rows).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(gradients(loss, trainer), gradients(expected, trainer), atol=2e-5)


@pytest.mark.parametrize("fusion", ["mlp", "attention"])
def test_shared_heads_are_the_fusion_without_the_others(fusion):
    step, trainer = step_of("multitask", 3, fusion=fusion, task="multilabel")
    expected = sum(
        loss_of_coalition(step, row, kept)
        for row in range(ROWS)
        for kept in (members_of(step.mask[row]), *((i,) for i in members_of(step.mask[row])))
    )
    assert trainer.method.loss(step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_heads_of_their_own_are_trained_and_those_of_the_fusion_see_no_single_modality():
    step, trainer = step_of("multitask", 2, heads="own")
    before = [weight.clone() for weight in trainer.method.module.parameters()]
    trainer.step(step._part)
    after = list(trainer.method.module.parameters())
    assert len(before) == 4
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    mask = torch.tensor([[True, False]] * 4)
    step, trainer = step_of("multitask", 2, mask=mask, heads="own")
    of_heads = torch.autograd.grad(trainer.method.loss(step), list(trainer.method.module[1].parameters()))
    assert not any(gradient.any() for gradient in of_heads)


def test_the_initial_heads_are_a_function_of_the_seed():
    one, again = (trainer_of("multitask", 2, heads="own").method.module[0].weight for _ in range(2))
    assert torch.equal(one, again)


def test_one_pass_of_the_fusion_gives_all_outputs():
    step, trainer = step_of("multitask", 3)
    before = step.cost.fusions
    trainer.method.loss(step)
    assert (step.cost.fusions - before) / ROWS == 4


@pytest.mark.parametrize("wrong", [{"amount": -1.0}, {"amount": "1/2"}, {"heads": "both"}])
def test_settings_that_mean_nothing_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=f"method.settings.{next(iter(wrong))}"):
        trainer_of("multitask", 2, **wrong)
