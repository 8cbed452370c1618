"""MMPareto: the gradient that an encoder gets, against the two gradients taken apart and combined by hand."""

from dataclasses import replace

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

from raymm.errors import ConfigError
from raymm.methods.mmpareto import pareto
from tests.methods.updates import backward, begin, encoder_grads, fused, part_of, step_of, trainer_of


def by_hand(joint, alone):
    """The shortest vector of the segment by a search, at the length of the sum; the sum where they agree."""
    joint, alone = joint.double(), alone.double()
    if joint @ alone >= 0:
        return joint + alone
    share = minimize_scalar(
        lambda t: float((t * joint + (1 - t) * alone).norm()),
        bounds=(0, 1),
        method="bounded",
        options={"xatol": 1e-10},
    ).x
    shortest = share * joint + (1 - share) * alone
    return shortest * (joint + alone).norm() / shortest.norm()


@pytest.mark.parametrize("heads", ["own", "shared"])
@pytest.mark.parametrize(("n", "fusion"), [(2, "concat"), (3, "gated")])
def test_an_encoder_descends_by_the_combination_of_two_gradients(n, fusion, heads):
    trainer = trainer_of("mmpareto", n, fusion, heads=heads, gamma=1.5)
    weight = torch.linspace(0.0, 2.0, 10)
    part = replace(part_of(trainer, rows=10, lacking=[(1, 0), (4, n - 1)]), weight=weight)
    mask, labels = part.batch.mask, part.batch.labels
    joint = weight @ functional.cross_entropy(fused(trainer, part, "all"), labels, reduction="none") / 10
    features = trainer.model.encode(part.batch)
    alone = []
    for i in range(n):
        own = trainer.method.module[i](features[:, i]) if heads == "own" else fused(trainer, part, i)
        losses = functional.cross_entropy(own, labels, reduction="none")
        alone.append((weight * losses)[mask[:, i]].sum() / 10)
    of_joint = encoder_grads(trainer, joint)
    of_alone = [encoder_grads(trainer, loss)[i] for i, loss in enumerate(alone)]
    fusion_weights = list(trainer.model.fusion.parameters())
    of_fusion = torch.autograd.grad(joint + sum(alone), fusion_weights, allow_unused=True)
    begin(trainer)
    step = backward(trainer, part)
    whole = (joint + sum(alone)).detach()
    assert float(step.loss) == pytest.approx(10 * float(whole), rel=1e-5)
    for i in range(n):
        flat = [torch.cat([g.flatten() for g in grads]) for grads in (of_joint[i], of_alone[i])]
        found = torch.cat([p.grad.flatten() for p in step.encoder_parameters(i)])
        assert torch.allclose(found.double(), 1.5 * by_hand(*flat), atol=1e-5)
        cosine = functional.cosine_similarity(*flat, dim=0)
        assert trainer.method.figures()[f"conflict_cosine_m{i}"] == pytest.approx(float(cosine), abs=1e-5)
        assert trainer.method.figures()[f"conflict_m{i}"] == float(cosine < 0)
    for parameter, expected in zip(fusion_weights, of_fusion, strict=True):
        assert torch.allclose(parameter.grad, expected, atol=1e-6)


def test_conflicting_gradients_become_a_direction_along_which_both_losses_fall():
    generator = torch.Generator().manual_seed(0)
    conflicts = 0
    for _ in range(200):
        joint, alone = torch.randn(2, 4, generator=generator)
        alone = alone * torch.rand(1, generator=generator) * 4
        found, cosine = pareto(joint, alone)
        assert torch.allclose(found.double(), by_hand(joint, alone), atol=2e-3)
        assert float(cosine) == pytest.approx(float(functional.cosine_similarity(joint, alone, dim=0)), abs=1e-5)
        assert found.norm() == pytest.approx(float((joint + alone).norm()), rel=1e-4)
        if cosine < 0:
            conflicts += 1
            assert found @ joint > -1e-4
            assert found @ alone > -1e-4
            assert not torch.allclose(found, joint + alone, atol=1e-3)
    assert conflicts > 50


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e-15, 1e-12, 1e-10, 1.0, 1e10, 1e20, 1e30])
@pytest.mark.parametrize("other", [[1.0, 0.0], [-1.0, 0.5], [0.0, 1.0], [-1.0, -1.0]])
def test_the_cosine_is_that_of_gradients_however_short_or_long(size, other):
    joint, alone = torch.tensor([1.0, 1.0]), torch.tensor(other)
    expected = float(functional.cosine_similarity(joint.double(), alone.double(), dim=0))
    for first, second in ((size, size), (size, 1.0), (1.0, size)):
        assert float(pareto(first * joint, second * alone)[1]) == pytest.approx(expected, abs=1e-6)


def test_gradients_of_zero_and_opposite_ones_are_no_trouble():
    zero, one = torch.zeros(3), torch.tensor([1.0, -2.0, 0.5])
    for joint, alone in ((zero, one), (one, zero), (zero, zero), (one, -one)):
        found, cosine = pareto(joint, alone)
        assert torch.equal(found, joint + alone)
        assert cosine.isnan() or float(cosine) == pytest.approx(-1)


def test_conflicting_gradients_that_overflow_are_not_taken_for_zero():
    """Their squares are no float32: the step must not become 0 in silence."""
    found, _ = pareto(torch.tensor([1e25, 0.0]), torch.tensor([-1e25, 1.0]))
    assert found.isnan().all()


def test_a_conflict_in_training_is_found_and_solved():
    """A head of modality 0 that reads its features the other way round: its loss and the joint one disagree."""
    trainer = trainer_of("mmpareto", 2, "sum", heads="own", classes=2, gamma=1.0)
    with torch.no_grad():
        trainer.method.module[0].weight.copy_(-trainer.model.fusion.weight)
    part = part_of(trainer, rows=8)
    own = trainer.method.module[0](trainer.model.encode(part.batch)[:, 0])
    losses = [functional.cross_entropy(one, part.batch.labels) for one in (fused(trainer, part, "all"), own)]
    joint, alone = (torch.cat([g.flatten() for g in encoder_grads(trainer, loss)[0]]) for loss in losses)
    begin(trainer)
    step = backward(trainer, part)
    found = torch.cat([p.grad.flatten() for p in step.encoder_parameters(0)])
    assert trainer.method.figures()["conflict_m0"] == 1
    assert trainer.method.figures()["conflict_cosine_m0"] < -0.5
    assert torch.allclose(found.double(), by_hand(joint, alone), atol=1e-4)
    assert min(found @ joint, found @ alone) > 0 > min((joint + alone) @ joint, (joint + alone) @ alone)


def test_gradients_at_right_angles_are_no_conflict():
    trainer = trainer_of("mmpareto", 2)
    begin(trainer)
    step = step_of(trainer, part_of(trainer))
    joint = step.encoder_gradients(step.total(step.loss_of(step.logits)), 0)
    trainer.method.loss(step).backward()
    first, second = joint.nonzero()[:2, 0].tolist()
    alone = torch.zeros_like(joint)
    alone[first], alone[second] = -joint[second], joint[first]
    parameters = step.encoder_parameters(0)
    for one, part in zip(parameters, alone.split([one.numel() for one in parameters]), strict=True):
        one.grad.copy_(part.view_as(one))
    trainer.method.on_gradients(step)
    figures = trainer.method.figures()
    assert (figures["conflict_cosine_m0"], figures["conflict_m0"]) == (0, 0)


def test_the_cosine_of_an_epoch_is_that_of_its_steps_and_begins_anew():
    trainer = trainer_of("mmpareto", 2)
    seen = []
    for number in range(3):
        begin(trainer)
        backward(trainer, part_of(trainer, seed=number))
        seen.append(trainer.method.figures()["conflict_cosine_m0"])
    begin(trainer)
    for number in range(3):
        backward(trainer, part_of(trainer, seed=number))
    assert trainer.method.figures()["conflict_cosine_m0"] == pytest.approx(sum(seen) / 3)


def test_an_encoder_without_weights_is_no_trouble():
    class Padded(torch.nn.Module):
        def forward(self, x):
            return functional.pad(x, (0, 1))

    trainer = trainer_of("mmpareto", 2)
    trainer.model.encoders["m1"] = Padded()
    begin(trainer)
    backward(trainer, part_of(trainer))
    assert set(trainer.method.figures()) == {"conflict_cosine_m0", "conflict_m0"}


def test_one_modality_is_refused():
    with pytest.raises(ConfigError, match=r"method=mmpareto: 'm0' is the only modality.*use method=joint"):
        trainer_of("mmpareto", 1)
