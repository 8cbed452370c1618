"""Exact Shapley values: the paper's truth table, the definition, closed forms; the axioms are in test_axioms.py."""

from fractions import Fraction
from math import factorial, lcm

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymm.errors import DataError
from raymm.valuation import banzhaf_values, coalitions, interactions, shapley_values
from raymm.valuation.coalitions import (
    banzhaf_weights,
    coalition_masks,
    coalition_sizes,
    interaction_weights,
    shapley_weights,
)
from tests.oracles import interaction_by_definition, shapley_by_permutations

TRUTH_TABLE = [  # a alone right, b alone right, both right -> phi_a, phi_b
    ((0, 0, 0), (0.0, 0.0)),
    ((1, 1, 0), (0.0, 0.0)),
    ((1, 0, 0), (0.5, -0.5)),
    ((0, 1, 0), (-0.5, 0.5)),
    ((0, 0, 1), (1.0, 1.0)),
    ((1, 1, 1), (1.0, 1.0)),
    ((1, 0, 1), (1.5, 0.5)),
    ((0, 1, 1), (0.5, 1.5)),
]


@st.composite
def games(draw, most_players=5):
    n = draw(st.integers(1, most_players))
    return draw(st.lists(st.integers(-50, 50), min_size=2**n, max_size=2**n))


def phi_of(game):
    return shapley_values(torch.tensor([game]))[0]


@pytest.mark.parametrize(("right", "phi"), TRUTH_TABLE)
def test_truth_table_of_two_modalities(right, phi):
    a, b, both = right
    assert phi_of([0, a, b, 2 * both]).tolist() == list(phi)


@given(games())
def test_equals_the_definition_exactly(game):
    expected = [float(value) for value in shapley_by_permutations(game)]
    assert phi_of(game).tolist() == expected


@pytest.mark.parametrize("n", range(1, 13))
def test_always_right_is_exactly_the_fair_share(n):
    assert (shapley_values(coalition_sizes(n)[None]) == 1).all()


def test_float32_weights_would_miss_the_fair_share():
    """The twin: with weights rounded to float32, always-right samples fall below 1 and would be re-sampled."""
    below = 0
    for n in range(3, 9):
        weights = shapley_values(torch.eye(2**n)).float()
        below += int((coalition_sizes(n).float()[None] @ weights < 1).sum())
    assert below > 0


@pytest.mark.parametrize(("n", "t"), [(n, t) for n in range(1, 9) for t in range(1, n + 1)])
def test_unanimity_under_the_count_utility_has_its_closed_form(n, t):
    members = coalition_masks(n)[:, :t].all(dim=1)
    phi = shapley_values((members * coalition_sizes(n))[None])[0]
    inside, outside = Fraction(n + 1, t + 1), Fraction(1, t + 1)
    assert phi.tolist() == [float(inside)] * t + [float(outside)] * (n - t)


def test_values_do_not_depend_on_the_other_samples():
    values = torch.randint(-9, 9, (257, 64))
    together = shapley_values(values)
    apart = torch.cat([shapley_values(values[i : i + 1]) for i in range(len(values))])
    assert torch.equal(together, apart)
    assert not torch.equal(together[0], together[1])


@given(games(most_players=5))
def test_interactions_equal_the_definition(game):
    n = len(game).bit_length() - 1
    found = interactions(torch.tensor([game]))[0]
    for i in range(n):
        for j in range(n):
            expected = 0.0 if i == j else float(interaction_by_definition(game, i, j))
            assert float(found[i, j]) == expected


def test_interactions_tell_synergy_from_redundancy_where_phi_cannot():
    synergy, redundancy = torch.tensor([[0, 0, 0, 1]]), torch.tensor([[0, 1, 1, 1]])
    sizes = coalition_sizes(2)[None]
    assert torch.equal(shapley_values(synergy * sizes), shapley_values(redundancy * sizes))
    assert interactions(synergy)[0, 0, 1] == 1
    assert interactions(redundancy)[0, 0, 1] == -1


@pytest.mark.parametrize("values_of", [shapley_values, banzhaf_values, interactions])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.ones(1, 4) * 1j, r"values are \[1, 4\] of torch.complex64; give real numbers"),
        (torch.ones(4), r"values are \[4\] of torch.float32; .* a row for each game"),
        (torch.ones(1, 4, 1), r"values are \[1, 4, 1\]"),
        (np.ma.masked_equal(np.eye(2, 4), 1), "a MaskedArray that is no array of numbers .* masked out"),
        ([["a"] * 4], "values are a list that is no array of numbers"),
        (None, "values are a NoneType"),
        (3.0, r"values are \[\]"),
    ],
)
def test_what_is_no_game_is_refused(values_of, values, words):
    with pytest.raises(DataError, match=words):
        values_of(values)


@pytest.mark.parametrize("values_of", [shapley_values, banzhaf_values, interactions])
def test_lists_and_arrays_are_games(values_of):
    game = [[0.0, 0.1, 0.2, 1 / 3]]
    true = values_of(torch.tensor(game, dtype=torch.float64))
    assert torch.equal(values_of(game), true)
    assert torch.equal(values_of(np.array(game)), true)


@pytest.mark.parametrize("columns", [1, 3, 6, 12])
def test_a_wrong_number_of_columns_is_refused(columns):
    with pytest.raises(ValueError, match=f"{columns} columns"):
        shapley_values(torch.zeros(1, columns))


@pytest.mark.parametrize("index", [shapley_values, banzhaf_values, interactions])
def test_what_is_cached_in_inference_mode_serves_autograd_later(index):
    for cached in (coalition_masks, coalition_sizes, shapley_weights, banzhaf_weights, interaction_weights):
        cached.cache_clear()
    with torch.inference_mode():
        masks, sizes = coalition_masks(3), coalition_sizes(3)
        index(torch.zeros(1, 8))
    values = torch.randn(2, 8, requires_grad=True)
    index(values).sum().backward()
    assert values.grad.abs().sum() > 0
    assert not masks.is_inference()
    assert not sizes.is_inference()


@pytest.mark.parametrize("n", range(1, 13))
def test_weights_are_whole_numbers_over_their_least_common_denominator(n):
    """So that sums are exact as long as they can be; with n = 20 the denominator is 232792560."""
    weights, divisor = shapley_weights(n)
    true = [Fraction(factorial(s - 1) * factorial(n - s), factorial(n)) for s in range(1, n + 1)]
    assert divisor == lcm(*(one.denominator for one in true))
    assert set(weights.abs().unique().tolist()) == {float(one * divisor) for one in true}
    if n > 1:
        pairs, divisor = interaction_weights(n)
        true = [Fraction(factorial(s) * factorial(n - s - 2), factorial(n - 1)) for s in range(n - 1)]
        assert divisor == lcm(*(one.denominator for one in true))
        assert set(pairs.abs().unique().tolist()) == {float(one * divisor) for one in true}
    else:
        assert (interaction_weights(1)[0].shape, interaction_weights(1)[1]) == ((2, 0), 1)
    assert banzhaf_weights(n)[1] == 2 ** (n - 1)
    assert set(banzhaf_weights(n)[0].unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("weights", [shapley_weights, banzhaf_weights, interaction_weights])
@pytest.mark.parametrize("n", [-1, 0, 21])
def test_as_many_players_as_cannot_be_enumerated_are_refused(weights, n):
    with pytest.raises(ValueError, match=f"{n} players: exact values are computed for 1 to 20"):
        weights(n)


@pytest.mark.parametrize("weights", [shapley_weights, banzhaf_weights, interaction_weights])
def test_as_many_players_as_may_be_are_enumerated(weights, monkeypatch):
    monkeypatch.setattr(coalitions, "MAX_PLAYERS", 3)
    weights.cache_clear()
    assert len(weights(3)[0]) == 8
    with pytest.raises(ValueError, match="4 players: exact values are computed for 1 to 3"):
        weights(4)
