"""What an index must keep to, on any game of up to eight players; whole numbers, so that equal means equal."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymm.valuation import banzhaf_values, interactions, shapley_values
from raymm.valuation.coalitions import coalition_masks, shapley_weights

MOST = 8
VALUES = {"shapley": shapley_values, "banzhaf": banzhaf_values}
INDICES = {**VALUES, "interactions": interactions}


@st.composite
def games(draw, fewest=1, most=MOST):
    """The values of all coalitions, int64 [2**n]."""
    n = draw(st.integers(fewest, most))
    return torch.tensor(draw(st.lists(st.integers(-50, 50), min_size=2**n, max_size=2**n)))


def players(game):
    return len(game).bit_length() - 1


def moved(game, order):
    """The game in which player i is called order[i]."""
    masks = coalition_masks(players(game)).long()
    codes = (masks << torch.tensor(order)).sum(dim=1)
    return torch.empty_like(game).index_copy(0, codes, game)


def of(index, game):
    return index(game[None])[0]


def two_of(data, n):
    return data.draw(st.permutations(range(n)))[:2]


@given(games())
def test_efficiency_to_the_last_unit(game):
    divisor = shapley_weights(players(game))[1]
    numerators = (of(shapley_values, game) * divisor).round()
    assert numerators.sum() == divisor * (game[-1] - game[0])


@given(games(fewest=2), st.data())
def test_banzhaf_values_of_two_are_that_of_the_two_merged(game, data):
    """Lehrer's 2-efficiency (1988), which stands in the place of efficiency."""
    n = players(game)
    i, j = two_of(data, n)
    masks = coalition_masks(n)
    merged = of(banzhaf_values, game[masks[:, i] == masks[:, j]])  # as if the lower bit of the two were dropped
    place = [k for k in range(n) if k != min(i, j)].index(max(i, j))
    apart = of(banzhaf_values, game)
    assert len(merged) == n - 1
    assert merged[place] == apart[i] + apart[j]


@pytest.mark.parametrize("index", VALUES.values(), ids=VALUES)
@given(game=games(fewest=2), data=st.data())
def test_players_who_do_the_same_get_the_same(index, game, data):
    n = players(game)
    i, j = two_of(data, n)
    swap = list(range(n))
    swap[i], swap[j] = j, i
    alike = of(index, game + moved(game, swap))
    assert alike[i] == alike[j]


@given(game=games(fewest=3), data=st.data())
def test_players_who_do_the_same_interact_the_same(game, data):
    n = players(game)
    i, j = two_of(data, n)
    swap = list(range(n))
    swap[i], swap[j] = j, i
    alike = of(interactions, game + moved(game, swap))
    for other in set(range(n)) - {i, j}:
        assert alike[i, other] == alike[j, other]


def test_a_game_that_treats_them_differently_gives_them_different_values():
    """The twin of symmetry."""
    game = torch.tensor([0, 3, 1, 5, 0, 3, 1, 5])
    for index in VALUES.values():
        values = of(index, game)
        assert values[0] != values[1]
        assert values[2] == 0


@pytest.mark.parametrize("index", VALUES.values(), ids=VALUES)
@given(game=games(most=MOST - 1), gain=st.integers(-50, 50), data=st.data())
def test_a_dummy_gets_what_it_adds_and_changes_nobody(index, game, gain, data):
    n = players(game)
    place = data.draw(st.integers(0, n))
    order = [*(k for k in range(n + 1) if k != place), place]
    wider = moved(torch.cat([game, game + gain]), order)
    values = of(index, wider)
    assert values[place] == gain
    assert values[order[:-1]].tolist() == of(index, game).tolist()


@given(game=games(fewest=2, most=MOST - 1), gain=st.integers(-50, 50))
def test_a_dummy_interacts_with_nobody(game, gain):
    found = of(interactions, torch.cat([game, game + gain]))
    assert (found[-1] == 0).all()
    assert torch.equal(found[:-1, :-1], of(interactions, game))


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@given(n=st.integers(1, MOST), factors=st.tuples(st.integers(-9, 9), st.integers(-9, 9)), seed=st.integers(0, 2**31))
def test_linearity(index, n, factors, seed):
    first, second = torch.randint(-50, 50, (2, 3, 2**n), generator=torch.Generator().manual_seed(seed))
    a, b = factors
    assert torch.allclose(index(a * first + b * second), a * index(first) + b * index(second), rtol=0, atol=1e-9)


@pytest.mark.parametrize("index", VALUES.values(), ids=VALUES)
@given(game=games(), data=st.data())
def test_relabelled_players_take_their_values_along(index, game, data):
    order = data.draw(st.permutations(range(players(game))))
    assert of(index, moved(game, order))[list(order)].tolist() == of(index, game).tolist()


@given(game=games(fewest=2), data=st.data())
def test_relabelled_players_take_their_interactions_along(game, data):
    order = list(data.draw(st.permutations(range(players(game)))))
    assert torch.equal(of(interactions, moved(game, order))[order][:, order], of(interactions, game))


@given(game=games(), constant=st.integers(-50, 50))
def test_a_constant_is_nobodys_merit(game, constant):
    for index in INDICES.values():
        assert torch.equal(of(index, game + constant), of(index, game))


@given(game=games(fewest=2), data=st.data())
def test_who_adds_more_in_every_coalition_gets_more(game, data):
    """Young's strong monotonicity (1985)."""
    n = players(game)
    player = data.draw(st.integers(0, n - 1))
    member = coalition_masks(n)[:, player]
    raised = game + data.draw(st.integers(1, 9)) * member
    for index in VALUES.values():
        before, after = of(index, game), of(index, raised)
        assert after[player] > before[player]
        others = [k for k in range(n) if k != player]
        assert after[others].tolist() == before[others].tolist()
