"""Other people's exact values: captum and shapiq play the same games and come to the same numbers."""

import warnings

import numpy as np
import pytest
import shapiq
import torch
from captum.attr import ShapleyValues

from raymm.valuation import banzhaf_values, get_utility, interactions, shapley_values, value_samples
from raymm.valuation.coalitions import coalition_sizes

CLOSE = 1e-9
"""For shapiq, which computes in float64; captum adds up in float32."""


def tables(n, samples=3):
    """Games of three sorts, float64 [samples, 2**n]: graded, whole and hard."""
    generator = torch.Generator().manual_seed(n)
    graded = torch.randn(samples, 2**n, dtype=torch.float64, generator=generator)
    whole = torch.randint(-50, 50, (samples, 2**n), generator=generator).double()
    hard = torch.randint(2, (samples, 2**n), generator=generator) * coalition_sizes(n)
    return torch.cat([graded, whole, hard.double()])


def by_captum(values):
    """Shapley values: a batch of ones, of which the games are told by their number."""
    n = values.shape[1].bit_length() - 1
    powers = 1 << torch.arange(n)

    def play(mask, number):
        return values[number, (mask.long() * powers).sum(dim=1)]

    ones, numbers = torch.ones(len(values), n, dtype=torch.float64), torch.arange(len(values))
    return ShapleyValues(play).attribute(ones, additional_forward_args=(numbers,))


def by_shapiq(game, index, order=1):
    """`{players: value}` of one game; shapiq takes coalitions as rows of a matrix."""
    n = len(game).bit_length() - 1

    def play(coalitions):
        return game.numpy()[np.atleast_2d(coalitions).astype(np.int64) @ (1 << np.arange(n))]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        computer = shapiq.ExactComputer(play, n)
        found = computer(index, order) if order > 1 else computer(index)
    return found.dict_values


@pytest.mark.parametrize("n", range(1, 6))
def test_captum_has_the_same_shapley_values(n):
    values = tables(n)
    assert torch.allclose(by_captum(values).double(), shapley_values(values), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", range(2, 9))
def test_shapiq_has_the_same_shapley_and_banzhaf_values(n):
    values = tables(n, samples=2)
    shapley, banzhaf = shapley_values(values), banzhaf_values(values)
    for game, phi, beta in zip(values, shapley, banzhaf, strict=True):
        theirs = by_shapiq(game, "SV"), by_shapiq(game, "BV")
        for found, ours in zip(theirs, (phi, beta), strict=True):
            assert [found[(i,)] for i in range(n)] == pytest.approx(ours.tolist(), abs=CLOSE)
    if n > 2:
        assert not torch.allclose(shapley, banzhaf)


@pytest.mark.parametrize("n", range(2, 9))
def test_shapiq_has_the_same_pairwise_interactions(n):
    values = tables(n, samples=2)
    for game, ours in zip(values, interactions(values), strict=True):
        theirs = by_shapiq(game, "SII", order=2)
        pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
        assert [theirs[pair] for pair in pairs] == pytest.approx([float(ours[pair]) for pair in pairs], abs=CLOSE)
    assert interactions(values).abs().max() > 0.01


@pytest.mark.parametrize("name", ["count", "correct", "probability", "log_probability", "logit", "margin"])
def test_captum_agrees_on_a_fusion_under_every_utility(name):
    n, classes = 4, 5
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, n, 3, generator=generator)
    labels = torch.randint(classes, (12,), generator=generator)
    weight = torch.randn(n * 3, classes, generator=generator)

    def predict(z, mask):
        return torch.tanh((z * mask[..., None]).flatten(1)) @ weight

    def play(mask, z, y):
        logits = predict(z, mask.bool())[:, None]
        return get_utility(name).fn(logits, y, mask.long().sum(dim=1, keepdim=True))[:, 0].double()

    theirs = ShapleyValues(play).attribute(torch.ones(12, n), additional_forward_args=(features, labels))
    ours = value_samples(predict, features, labels, utility_name=name).phi
    assert torch.allclose(theirs.double(), ours, atol=1e-5)
    assert theirs.abs().max() > 0.1
