"""Fusion of unimodal encoders: what each stage trains, and what it leaves."""

import pytest
import torch
from torch.nn import functional

from raymm.errors import ConfigError
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, trainer_of


def alone_loss(trainer, batch):
    """Mean over the rows of the losses of the method's own heads, of the modalities that are there."""
    features, heads = trainer.model.encode(batch), trainer.method.module
    total = 0.0
    for i, head in enumerate(heads):
        has = batch.mask[:, i]
        total = total + functional.cross_entropy(head(features[has, i]), batch.labels[has], reduction="sum")
    return total / len(batch)


@pytest.mark.parametrize("fusion", ["concat", "attention"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_stage_one_trains_each_encoder_with_a_head_of_its_own_and_nothing_else(n, fusion):
    model = {"fusion": {"name": fusion, "size": 4}} if fusion == "attention" else None
    trainer = trainer_of("pretrained", n, model=model, stage=2)
    batch = rows_of(trainer)
    expected = gradients(trainer, alone_loss(trainer, batch))
    found = changes(trainer, part_of(batch, epoch=1))
    assert_equal(found, expected)
    assert all((moved == 0).all() for name, moved in found.items() if name.startswith("fusion"))


@pytest.mark.parametrize(("finetune", "number", "moves"), [(0, 0, False), (1, 5, True), (3, 3, True), (3, 4, False)])
def test_stage_two_trains_the_fusion_and_the_encoders_as_often_as_asked(finetune, number, moves):
    trainer = trainer_of("pretrained", 3, stage=2, finetune=finetune)
    batch = rows_of(trainer)
    expected = gradients(trainer, functional.cross_entropy(trainer.model(batch), batch.labels))
    if not moves:
        expected = {
            name: torch.zeros_like(one) if name.startswith("encoders") else one for name, one in expected.items()
        }
    assert_equal(changes(trainer, part_of(batch, epoch=2, number=number)), expected)


def test_what_is_left_is_not_moved_by_momentum_or_decay_either():
    model, batch = trainer_of("pretrained", stage=1), None
    for group in model.optimizer.param_groups:
        group["momentum"], group["weight_decay"] = 0.9, 0.1
    batch = rows_of(model)
    first = changes(model, part_of(batch, epoch=0))
    second = changes(model, part_of(batch, epoch=1))
    for name in first:
        fusion = name.startswith("fusion")
        assert bool(first[name].any()) != fusion, name
        assert bool(second[name].any()) == fusion, name


def test_without_a_number_half_of_the_epochs_are_stage_one():
    assert trainer_of("pretrained", epochs=5).method.stage == 2
    assert trainer_of("pretrained", epochs=5, stage=4).method.stage == 4


@pytest.mark.parametrize("name", ["pretrained", "umt"])
def test_stages_that_leave_nothing_are_refused(name):
    with pytest.raises(ConfigError, match=r"stage=4 leaves no epoch after it \(training.epochs=4\); use 3 or less"):
        trainer_of(name, stage=4)
    assert trainer_of(name, stage=3).method.stage == 3
    with pytest.raises(ConfigError, match=r"training.epochs=1 leaves no epoch for a second stage; use 2 or more"):
        trainer_of(name, epochs=1)
    assert trainer_of(name, epochs=2).method.stage == 1
