"""Loaders that shuffle and outputs that are probabilities of labels are told in the log."""

import logging

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, RandomSampler, SequentialSampler

from raymm.valuation.own import value_batches

ITEMS = [{"shown": torch.tensor([float(row % 2), 1.0]), "label": row % 2} for row in range(6)]


def predict(batch, mask):
    return batch["shown"] * mask[..., None].any(1)


def loader_of(kind):
    if kind == "batches":
        return DataLoader(ITEMS, batch_sampler=BatchSampler(RandomSampler(ITEMS), 3, drop_last=False))
    if kind == "ranks in order":
        return DataLoader(ITEMS, 3, sampler=DistributedSampler(ITEMS, 2, 0, shuffle=False))
    if kind == "batches in order":
        return DataLoader(ITEMS, batch_sampler=BatchSampler(SequentialSampler(ITEMS), 3, drop_last=False))
    return DataLoader(ITEMS, 3, shuffle=kind == "shuffled")


@pytest.mark.parametrize("kind", ["shuffled", "batches", "in order", "batches in order", "ranks in order"])
def test_a_loader_that_draws_at_random_is_told_by_any_of_its_samplers(kind, caplog):
    with caplog.at_level(logging.WARNING):
        value_batches(predict, loader_of(kind), modalities=["a", "b"])
    assert ("draws samples at random" in caplog.text) is ("in order" not in kind)


@pytest.mark.parametrize("sigmoid", [True, False])
def test_outputs_of_a_sigmoid_are_told_where_labels_are_several(sigmoid, caplog):
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=draw)
    batch = {"shown": logits.sigmoid() if sigmoid else logits, "label": torch.ones(6, 3)}

    def answers(batch, mask):
        return batch["shown"] * (0.5 + 0.25 * mask.float().sum(1, keepdim=True))

    with caplog.at_level(logging.WARNING):
        value_batches(answers, [batch], modalities=["a", "b"], task="multilabel", classes=3)
    assert ("look like probabilities of labels" in caplog.text) is sigmoid
