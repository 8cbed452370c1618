"""Diagnosing and re-learning: purity by hand, when it is measured, and how far weights move back."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from raymm.data import Batch
from raymm.errors import ConfigError
from raymm.methods.epochs import EpochEnd
from raymm.methods.relearning import purity
from tests.methods.tiny import assert_equal, changes, part_of, rows_of, start_of, trainer_of

DATA = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0], [9.1]])


def best_purity(labels, clusters):
    """By the best of all ways to cut points on a line into clusters: k-means by its definition."""
    cuts = itertools.combinations(range(1, len(DATA)), clusters - 1)
    ways = [np.split(np.arange(len(DATA)), cut) for cut in cuts]
    spread = [sum(((DATA[part] - DATA[part].mean()) ** 2).sum() for part in way) for way in ways]
    return sum(np.bincount(labels[part]).max() for part in ways[int(np.argmin(spread))]) / len(DATA)


@pytest.mark.parametrize("seed", range(3))
def test_purity_is_that_of_the_clusters(seed):
    for labels in np.random.default_rng(seed).integers(3, size=(5, len(DATA))):
        assert purity(DATA, labels, 3, seed) == best_purity(labels, 3)


def test_purity_of_fewer_rows_than_clusters_and_of_none():
    assert purity(DATA[:2], np.array([1, 1]), 3, 0) == 1.0
    assert purity(np.zeros((4, 2)), np.array([0, 0, 0, 1]), 3, 0) == 0.75
    assert np.isnan(purity(DATA[:0], np.empty(0, np.int64), 3, 0))


def end_of(trainer, epoch, batches):
    batch, none = lambda split, count: batches[split], lambda split: iter(())
    return EpochEnd(epoch, 40, SimpleNamespace(), trainer.model.eval(), batch, none)


def planted(trainer, pure):
    """A batch whose inputs are one of three points each; the labels follow them, or do not."""
    n = len(trainer.model.names)
    kind = torch.arange(12) % 3
    labels = kind if pure else torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2])
    values = 3.0 * torch.eye(5)[kind]
    mask = torch.ones(12, n, dtype=torch.bool)
    return Batch({name: values.clone() for name in trainer.model.names}, mask, labels, torch.arange(12))


@pytest.mark.parametrize("n", [2, 3])
def test_the_gap_of_purity_says_how_far_an_encoder_moves_back(n):
    trainer = trainer_of("relearning", n, epochs=40)
    train, val = planted(trainer, pure=True), planted(trainer, pure=False)
    val.inputs["m0"], val.labels[:] = train.inputs["m0"], train.labels
    shuffled = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2])
    val.inputs["m1"] = 3.0 * torch.eye(5)[shuffled]
    trainer.method.after_evaluation(end_of(trainer, 14, {"train": train, "val": val}))
    gap = 1 - sum(np.bincount(val.labels[shuffled == k]).max() for k in range(3)) / 12
    assert 0.2 < gap < 0.8
    found = trainer.method.weight.tolist()
    assert found[:2] == [0.0, pytest.approx(np.tanh(3 * gap))]

    batch = rows_of(trainer)
    trainer.model.train()
    trainer.step(part_of(batch))
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters()}
    first = dict(trainer_of("relearning", n, epochs=40).model.named_parameters())
    trainer.method.before_epoch(start_of(trainer, 15))
    for name, value in trainer.model.named_parameters():
        w = found[int(name.split(".")[1][1:])] if name.startswith("encoders") else 0.0
        assert torch.allclose(value, w * first[name] + (1 - w) * before[name], atol=1e-6), name
    assert not torch.equal(value, first[name])


def test_it_is_diagnosed_twice_every_fifteen_epochs_and_moves_once_each():
    trainer = trainer_of("relearning", 2, epochs=60)
    batches = {"train": planted(trainer, pure=True), "val": planted(trainer, pure=False)}
    due = []
    for epoch in range(60):
        trainer.method.after_evaluation(end_of(trainer, epoch, batches))
        if trainer.method.weight.any():
            due.append(epoch)
    assert due == [14, 29]


def test_a_modality_that_a_split_lacks_is_left_alone():
    trainer = trainer_of("relearning", 2, epochs=40)
    train, val = planted(trainer, pure=True), planted(trainer, pure=False)
    val.mask[:, 0], val.inputs["m0"] = False, val.inputs["m0"][:0]
    trainer.method.after_evaluation(end_of(trainer, 14, {"train": train, "val": val}))
    assert trainer.method.weight[0] == 0
    assert trainer.method.weight[1] > 0


def test_the_weights_come_back_from_the_state_and_a_step_is_joint():
    trainer, other = trainer_of("relearning", 2, epochs=40), trainer_of("joint", 2, epochs=40)
    trainer.method.load_state_dict({"weight": torch.tensor([0.25, 0.5], dtype=torch.float64)})
    assert trainer.method.state_dict()["weight"].tolist() == [0.25, 0.5]
    batch = rows_of(trainer)
    assert_equal(changes(trainer, part_of(batch)), changes(other, part_of(batch)))


def test_what_it_is_not_defined_for_is_refused():
    with pytest.raises(
        ConfigError, match="the task multilabel has no one class a sample, by which clusters are pure"
    ):
        trainer_of("relearning", task="multilabel", epochs=40)
    with pytest.raises(ConfigError, match=r"every=15: training ends with the first diagnosis .* use 14 or less"):
        trainer_of("relearning", epochs=15)
    with pytest.raises(ConfigError, match=r"\(training.epochs=1\); train longer"):
        trainer_of("relearning", epochs=1)
    assert trainer_of("relearning", epochs=16).method.settings.every == 15
