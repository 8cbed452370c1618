"""Every row of the truth table of two modalities is exactly one pattern; Banzhaf values by their definition."""

import numpy as np
import pytest
import torch

from raymm.valuation import banzhaf_values, interactions, shapley_values
from raymm.valuation.bits import pack_bits
from raymm.valuation.patterns import PATTERNS, pattern_labels, pattern_shares

TABLE = {
    (0, 0, 0): "hard",
    (1, 0, 0): "second breaks",
    (0, 1, 0): "first breaks",
    (1, 1, 0): "conflict",
    (0, 0, 1): "synergy",
    (1, 0, 1): "first carries",
    (0, 1, 1): "second carries",
    (1, 1, 1): "redundancy",
}


@pytest.mark.parametrize(("outcome", "name"), TABLE.items())
def test_each_row_of_the_truth_table_has_its_pattern(outcome, name):
    right = np.array([[0, *outcome]], bool)
    assert PATTERNS[pattern_labels(right, 0, 1)[0]] == name


def test_in_larger_games_only_the_pair_counts():
    right = np.zeros((1, 16), bool)
    right[0, [0b0010, 0b1010]] = True
    assert PATTERNS[pattern_labels(right, 1, 3)[0]] == "first carries"
    right[0, 0b1111] = True
    assert PATTERNS[pattern_labels(right, 1, 3)[0]] == "first carries"


def test_shares_are_of_the_samples_that_have_both():
    right = np.array([[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
    present = np.array([[1, 1], [1, 1], [1, 0]], bool)
    shares = dict(zip(PATTERNS, pattern_shares(pack_bits(right), present)[0, 1], strict=True))
    assert shares["redundancy"] == shares["synergy"] == 0.5
    assert sum(shares.values()) == 1.0


def test_phi_cannot_tell_synergy_from_redundancy_and_the_interaction_can():
    both = torch.tensor([[0, 0, 0, 1], [0, 1, 1, 1]])
    sizes = torch.tensor([0, 1, 1, 2])
    assert torch.equal(*shapley_values(both * sizes))
    assert interactions(both)[:, 0, 1].tolist() == [1.0, -1.0]


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_banzhaf_is_the_mean_of_all_marginal_contributions(n):
    values = torch.randint(-9, 9, (3, 2**n), generator=torch.Generator().manual_seed(n))
    for player in range(n):
        without = [code for code in range(2**n) if not code >> player & 1]
        gain = values[:, [code | 1 << player for code in without]] - values[:, without]
        assert torch.equal(banzhaf_values(values)[:, player], gain.double().mean(dim=1))
