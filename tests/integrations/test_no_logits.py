"""Outputs that are probabilities are told where the loss takes logits, once."""

import logging

import pytest
import torch

from raymm.integrations.coalition_loss import CoalitionLoss


@pytest.mark.parametrize("method", ["coalition", "valued"])
@pytest.mark.parametrize(
    ("task", "make", "words"),
    [
        ("classification", lambda out: out.softmax(dim=-1), "leave the softmax out, or return out.log()"),
        ("classification", lambda out: out.log_softmax(dim=-1), None),
        ("classification", lambda out: out, None),
        ("multilabel", torch.sigmoid, "leave the sigmoid out, or return out.logit()"),
        ("multilabel", lambda out: out, None),
    ],
)
def test_the_loss_of_coalitions_looks_at_the_first_batch(method, task, make, words, caplog):
    draw = torch.Generator().manual_seed(0)
    features, loss = torch.randn(6, 2, 3, generator=draw), CoalitionLoss(("a", "b"), method=method, task=task)
    labels = torch.arange(6) % 3 if task == "classification" else torch.rand(6, 3, generator=draw) > 0.5
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            loss(features, None, labels, lambda some, mask: make((some * mask[..., None]).sum(dim=1)))
    told = [one.getMessage() for one in caplog.records]
    assert len(told) == (0 if words is None else 1)
    assert words is None or words in told[0]
