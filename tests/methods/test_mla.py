"""Alternating unimodal adaptation: turns, the projection of the head, and the fusion that predicts by certainty."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.tiny import assert_equal, changes, part_of, rows_of, trainer_of


def mla(n, **own):
    return trainer_of("mla", n, fusion="entropy", **own)


def by_hand(trainer, batch, projection, before):
    """What a step takes from the weights: a turn a modality, gradient descent of rate 1."""
    features = trainer.model.encode(batch)
    weight, bias = (value.detach().clone() for value in trainer.model.fusion.head.parameters())
    start = weight.clone(), bias.clone()
    moved = {}
    for i in range(features.shape[1]):
        has = batch.mask[:, i]
        weight.requires_grad_(), bias.requires_grad_()
        logits = features[has, i] @ weight.T + bias
        loss = functional.cross_entropy(logits, batch.labels[has], reduction="sum") / len(batch)
        named = dict(trainer.model.encoders[f"m{i}"].named_parameters())
        *of_encoder, of_weight, of_bias = torch.autograd.grad(
            loss, [*named.values(), weight, bias], retain_graph=True
        )
        moved |= {f"encoders.m{i}.{name}": one for name, one in zip(named, of_encoder, strict=True)}
        if before is not None:
            r = before[:, None]
            k = projection @ r
            projection = projection - k @ k.T / (0.1 + (r.T @ k).item())
            of_weight = of_weight @ torch.from_numpy(projection).float()
        before = features[has, i].detach().double().mean(dim=0).numpy()
        weight, bias = (weight - of_weight).detach(), (bias - of_bias).detach()
    moved |= {"fusion.head.weight": start[0] - weight, "fusion.head.bias": start[1] - bias}
    return moved, projection, before


@pytest.mark.parametrize("n", [1, 2, 3])
def test_two_batches_are_the_turns_of_the_paper(n):
    trainer = mla(n)
    projection, before = np.eye(4), None
    for seed in range(2):
        batch = rows_of(trainer, seed=seed)
        expected, projection, before = by_hand(trainer, batch, projection, before)
        assert_equal(changes(trainer, part_of(batch)), expected)
        assert np.allclose(trainer.method.projection, projection, atol=1e-6)
        assert np.allclose(trainer.method.mean, before, atol=1e-6)
    assert np.linalg.norm(projection - np.eye(4)) > 0.1


def test_what_was_closed_is_remembered():
    trainer, again = mla(2), mla(2)
    batch = rows_of(trainer)
    trainer.step(part_of(batch))
    again.model.load_state_dict(trainer.model.state_dict())
    forgetful = mla(2)
    forgetful.model.load_state_dict(trainer.model.state_dict())
    again.method.load_state_dict(trainer.method.state_dict())
    found = changes(again, part_of(batch, number=1))
    assert_equal(changes(trainer, part_of(batch, number=1)), found)
    without = changes(forgetful, part_of(batch, number=1))
    assert not torch.allclose(without["fusion.head.weight"], found["fusion.head.weight"], atol=1e-4)


def test_a_modality_that_no_row_has_takes_no_part():
    trainer = mla(2)
    batch = rows_of(trainer, missing=False)
    batch.mask[:, 0] = False
    batch.inputs["m0"] = batch.inputs["m0"][:0]
    found = changes(trainer, part_of(batch))
    assert all((moved == 0).all() for name, moved in found.items() if ".m0." in name)
    features = trainer.model.encode(batch)
    assert torch.isfinite(trainer.method.mean).all()
    assert found["fusion.head.weight"].abs().max() > 1e-3
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_surer_of_two_answers_counts_more(n):
    trainer = mla(n)
    batch = rows_of(trainer)
    with torch.no_grad():
        trainer.model.fusion.head.weight.mul_(5.0)  # so that entropies differ
        features = trainer.model.encode(batch)
        found = trainer.model(batch)
    for row in range(len(batch)):
        answers = trainer.model.fusion.head(features[row, batch.mask[row]]).detach().double().numpy()
        p = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
        entropy = -(p * np.log(p)).sum(axis=1)
        weight = np.exp(entropy.max() - entropy)
        assert np.allclose(found[row], (weight / weight.sum()) @ answers, atol=1e-5)
    assert (trainer.model.fuse(features, torch.zeros_like(batch.mask)) == 0).all()


def test_other_fusions_and_labels_are_refused():
    with pytest.raises(ConfigError, match=r"model.fusion=concat is not one head .*; use model.fusion=entropy"):
        trainer_of("mla")
    with pytest.raises(ConfigError, match=r"the task multilabel has no one class a sample"):
        trainer_of("mla", fusion="entropy", task="multilabel")
