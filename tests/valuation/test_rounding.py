"""Contributions that are exactly 0 or the fair share: by every way to them, beside sums of fractions."""

from fractions import Fraction
from math import comb

import pytest
import torch

from raymm.tasks import get_task
from raymm.valuation import (
    Sampling,
    Utility,
    banzhaf_values,
    contributions,
    get_utility,
    interactions,
    shapley_values,
)
from raymm.valuation.coalitions import coalition_masks, shapley_weights
from raymm.valuation.enumeration import phi_of_source, value_samples, value_source
from raymm.valuation.logit_sources import FusionSource, SumSource
from raymm.valuation.rounding import ROUNDED, reach_of, settled
from raymm.valuation.sampling.estimator import value_sampled
from raymm.valuation.utilities import is_correct, register_utility

B, D, K = 60, 3, 4
SOFT = ["probability", "log_probability", "logit", "margin"]


def linear(n, dead, seed=0):
    """Features, weights of which those of one modality are 0, and labels."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, D, K, generator=generator)
    weight[dead] = 0
    features = torch.randn(B, n, D, generator=generator)
    return features, weight, torch.randint(0, K, (B,), generator=generator)


def every_way(features, weight, labels, utility):
    """Exact contributions by a fusion, by sums, without outcomes, in training, and of a pattern's players."""
    present = torch.ones(features.shape[:2], dtype=torch.bool)

    def predict(given, mask):
        return torch.einsum("bnd,ndk,bn->bk", given, weight, mask.to(given))

    partials = torch.einsum("bnd,ndk->bnk", features, weight)
    sums = SumSource(partials, torch.zeros(K), present)
    yield value_source(FusionSource(predict, features, present), labels, utility).phi
    yield value_source(sums, labels, utility).phi
    yield phi_of_source(sums, labels, utility)
    yield contributions(predict, features, labels, present, utility)
    whole = Sampling(2 ** features.shape[1], seed=0)
    yield value_sampled(
        lambda rows: SumSource(partials[rows], torch.zeros(K), present[rows]), labels, present, utility, whole
    ).phi


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize(("n", "dead"), [(2, 0), (3, 2), (5, 1), (7, 6)])
def test_a_modality_that_changes_nothing_contributes_exactly_0(name, n, dead):
    features, weight, labels = linear(n, dead)
    for phi in every_way(features, weight, labels, get_utility(name)):
        assert (phi[:, dead] == 0).all()
        others = [player for player in range(n) if player != dead]
        assert (phi[:, others] != 0).all()


@pytest.mark.parametrize("n", range(2, 13))
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_null_players_of_games_of_fractions_have_exactly_0_and_interact_with_none(n, offset):
    half = torch.rand(6, 2 ** (n - 1), generator=torch.Generator().manual_seed(n), dtype=torch.float64) + offset
    games = torch.cat([half, half], dim=1)  # the last player changes nothing
    for found in (shapley_values(games), banzhaf_values(games)):
        assert (found[:, -1] == 0).all()
        assert (found[:, :-1] != 0).all()
    assert (interactions(games)[:, -1] == 0).all()


def test_what_is_no_rounding_keeps_its_bits():
    games = torch.rand(500, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights, divisor = shapley_weights(3)
    assert torch.equal(shapley_values(games), games @ weights / divisor)
    small = games * 1e-30
    assert torch.equal(shapley_values(small), small @ weights / divisor)


@pytest.mark.parametrize("parts", [3, 6, 7, 10])
def test_who_is_below_the_fair_share_and_below_0_is_decided_as_by_fractions(parts):
    """Scores are k / `parts`, and a coalition is worth its size times its score, as of `soft_count`."""
    share = Utility("share", lambda outputs, _, sizes: sizes * outputs[..., 0], fair_share=1.0)
    numerators = torch.randint(0, parts + 1, (1500, 8), generator=torch.Generator().manual_seed(parts))
    sizes = coalition_masks(3).sum(dim=1)

    def predict(scores, mask):
        return scores[:, (mask[0].long() << torch.arange(3)).sum(), None]

    present = torch.ones(len(numerators), 3, dtype=torch.bool)
    found = contributions(predict, numerators.double() / parts, torch.zeros(len(numerators)), present, share)
    exact = by_fractions([[Fraction(one, parts) for one in row] for row in (numerators * sizes).tolist()], 3)
    for level in (0, 1):
        assert (found < level).tolist() == [[phi < level for phi in row] for row in exact]
        assert (found == level).tolist() == [[phi == level for phi in row] for row in exact]


def by_fractions(games, n):
    """Shapley values of games in exact arithmetic."""
    found = []
    for game in games:
        row = []
        for player in range(n):
            total = Fraction(0)
            for code in range(2**n):
                if not code >> player & 1:
                    total += Fraction(1, n * comb(n - 1, code.bit_count())) * (game[code | 1 << player] - game[code])
            row.append(total)
        found.append(row)
    return found


def test_settled_takes_each_level_and_leaves_gradients():
    phi = torch.tensor([[1e-17, -1e-15, 1 + 1e-15, 0.5]], dtype=torch.float64, requires_grad=True)
    found = settled(phi, torch.tensor([[1e-14]]).double(), 1.0)
    assert found.tolist() == [[0.0, 0.0, 1.0, 0.5]]
    found.sum().backward()
    assert phi.grad.tolist() == [[1.0] * 4]
    assert settled(phi.detach(), torch.zeros(1, 1).double(), 1.0).tolist() == phi.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_only_fractions_are_rounded(dtype):
    games = torch.tensor([[0.0, 1.0, -4.0, 2.0]]).to(dtype)
    largest = float(games.double().abs().max())
    assert reach_of(games).tolist() == [[largest * ROUNDED if dtype.is_floating_point else 0.0]]


BY_SIZE = {
    "cents": lambda sizes: sizes * 1_000_001,
    "large": lambda sizes: sizes * 100_000_007,
    "square": lambda sizes: sizes**2,
    "power": lambda sizes: 2**sizes,
    "debt": lambda sizes: -sizes * 30_000_001,
    "one_large": lambda sizes: torch.where(sizes == 1, 2**24 + 1, 1),
}


@pytest.mark.parametrize("name", list(BY_SIZE))
@pytest.mark.parametrize("n", [2, 4, 7])
def test_own_hard_utilities_are_exact_whatever_else_is_in_the_batch(name, n):
    by_size = BY_SIZE[name]
    utility = Utility(
        f"exact_{name}", lambda logits, labels, sizes: is_correct(logits, labels, sizes) * by_size(sizes), by_size
    )
    register_utility(utility)
    generator = torch.Generator().manual_seed(n)
    features, labels = torch.randn(5, n, K, generator=generator), torch.randint(0, K, (5,), generator=generator)
    present = torch.ones(5, n, dtype=torch.bool)
    present[4, 0] = False

    def value(rows):
        found = value_samples(
            None,
            features[rows],
            labels[rows],
            present=present[rows],
            utility_name=utility.name,
            partials=lambda given: (given, torch.zeros(K)),
        )
        return found.phi[:4], found.correct[:4]

    phi, correct = value(slice(0, 4))
    worth = by_size(coalition_masks(n).sum(dim=1)).tolist()
    games = [[w * int(c) for w, c in zip(worth, row, strict=True)] for row in correct.tolist()]
    divisor = shapley_weights(n)[1]
    assert phi.tolist() == [[int(one * divisor) / divisor for one in row] for row in by_fractions(games, n)]
    assert torch.equal(value(slice(0, 5))[0], phi)


@pytest.mark.parametrize("mean", [0.0, 1.7e9, -1.7e9])
def test_sampled_contributions_to_an_answer_far_from_0_are_found(mean):
    """The answer of a regression is an offset and a sum of what modalities add: 0, 1/8, ..., 7/8."""
    task = get_task("regression", {"mean": (mean,), "sd": (1.0,)})
    answer = Utility("answer", lambda outputs, *_: task.predict(outputs)[..., 0], task=task)
    partials, present = torch.arange(8.0)[None, :, None] / 8, torch.ones(1, 8, dtype=torch.bool)

    def source_of(rows):
        return SumSource(partials[rows], torch.zeros(1), present[rows])

    found = value_sampled(source_of, torch.zeros(1, 1).double(), present, answer, Sampling(64, seed=0)).phi[0]
    assert found[0] == 0
    assert found.tolist() == pytest.approx([i / 8 for i in range(8)], abs=1e-9 + 1e-14 * abs(mean))
