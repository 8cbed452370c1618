"""Uni-modal teachers: who they are, what they pull at, and that students begin anew."""

import pytest
import torch
from torch.nn import functional

from raymm.methods import EpochEnd
from tests.methods.test_pretrained import alone_loss
from tests.methods.tiny import assert_equal, changes, gradients, part_of, rows_of, start_of, trainer_of


def taught(n, batch=None, **own):
    """A trainer after an epoch of one step that trained the teachers, at the begin of the second stage."""
    trainer = trainer_of("umt", n, stage=1, **own)
    trainer.method.before_epoch(start_of(trainer, 0))
    batch = rows_of(trainer)
    trainer.step(part_of(batch, epoch=0))
    trainer.method.after_evaluation(EpochEnd(0, 9, None, trainer.model, None, None))
    return trainer, batch


@pytest.mark.parametrize("n", [2, 3])
def test_teachers_are_trained_alone(n):
    trainer = trainer_of("umt", n, stage=1)
    trainer.method.before_epoch(start_of(trainer, 0))
    batch = rows_of(trainer)
    expected = gradients(trainer, alone_loss(trainer, batch))
    assert_equal(changes(trainer, part_of(batch)), expected)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("strength", [10.0, 0.0])
def test_students_begin_anew_and_are_pulled_to_the_features_of_the_teachers(n, strength):
    trainer, batch = taught(n, strength=strength)
    with torch.no_grad():
        teachers = trainer.model.encode(batch)
    begin = trainer_of("umt", n).model.encoders.state_dict()
    assert any(not torch.equal(value, begin[name]) for name, value in trainer.model.encoders.state_dict().items())
    trainer.method.before_epoch(start_of(trainer, 1))
    assert all(torch.equal(value, begin[name]) for name, value in trainer.model.encoders.state_dict().items())
    features = trainer.model.encode(batch)
    pull = sum(
        (features[row, i] - teachers[row, i]).square().mean()
        for row in range(len(batch))
        for i in range(n)
        if batch.mask[row, i]
    )
    loss = functional.cross_entropy(trainer.model(batch), batch.labels) + strength * pull / len(batch)
    expected = gradients(trainer, loss)
    found = changes(trainer, part_of(batch, epoch=1))
    assert_equal(found, expected)
    assert all((moved == 0).all() for name, moved in found.items() if name.startswith("own"))


def test_teachers_stay_who_they_are_and_come_back_from_the_state():
    trainer, batch = taught(2)
    trainer.method.before_epoch(start_of(trainer, 1))
    kept = {name: value.clone() for name, value in trainer.method.state_dict().items()}
    trainer.step(part_of(batch, epoch=1))
    trainer.method.before_epoch(start_of(trainer, 2))
    assert all(torch.equal(value, kept[name]) for name, value in trainer.method.state_dict().items())
    again = trainer_of("umt", 2, stage=1)
    again.method.load_state_dict(kept)
    again.model.load_state_dict(trainer.model.state_dict())
    again.method.module.load_state_dict(trainer.method.module.state_dict())
    again.method.before_epoch(start_of(again, 2))
    assert_equal(changes(trainer, part_of(batch, epoch=2)), changes(again, part_of(batch, epoch=2)))


def test_the_teachers_pass_is_counted():
    trainer, batch = taught(2)
    first = trainer.step(part_of(batch, epoch=0)).cost.encodings
    trainer.method.before_epoch(start_of(trainer, 1))
    assert trainer.step(part_of(batch, epoch=1)).cost.encodings == 2 * first == 2 * int(batch.mask.sum())
