"""Sampled values: right on average, honest about their errors, exact where the budget allows."""

import pytest
import torch

from raymm.errors import ConfigError
from raymm.valuation import Sampling, shapley_values, utility, value_sampled
from raymm.valuation.coalitions import coalition_masks, coalition_sizes
from raymm.valuation.designs import design, least_squares_budget, smallest_budget
from raymm.valuation.samples import value_source
from raymm.valuation.sampling import estimate, half_width, value_closed_form
from raymm.valuation.sources import SumSource

K = 6


def late_fusion(n, samples, seed=0):
    """Evidence of n modalities, some strong, one noise, some of it absent; and the labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(K, (samples,), generator=generator)
    deltas = torch.randn(samples, n, K, generator=generator)
    deltas[torch.arange(samples), :, labels] += torch.linspace(3.0, 0.0, n)
    deltas *= torch.rand(samples, n, 1, generator=generator) > 0.15
    return deltas, 0.01 * torch.arange(K), labels


def source_for_rows(deltas, base, present):
    return lambda rows: SumSource(deltas[rows], base, present[rows])


def codes_of(plan):
    return (plan.masks.long() << torch.arange(plan.masks.shape[1])).sum(dim=1)


@pytest.mark.parametrize(
    ("n", "budget"), [(3, 6), (5, 10), (6, 24), (8, 30), (8, 64), (12, 100), (24, 200), (40, 400)]
)
def test_a_design_keeps_to_its_budget_and_is_efficient(n, budget):
    plan = design(n, budget, 1)
    assert len(plan.masks) <= budget
    assert len(plan.masks.unique(dim=0)) == len(plan.masks) or plan.kind == "permutations"
    assert not plan.masks[0].any()
    assert plan.masks[-1].all()
    total = plan.weights.sum(dim=1)
    expected = torch.zeros(len(plan.masks), dtype=torch.float64)
    expected[0], expected[-1] = -1, 1
    assert torch.allclose(total, expected, atol=1e-9)
    assert plan.kind == ("permutations" if budget < least_squares_budget(n) else "least_squares")


@pytest.mark.parametrize("budget", [12, 24, 40, 62])
def test_games_of_single_members_and_pairs_are_found_without_error(budget):
    """Additive games by any design; those with pairs too by least squares, whose pairs cancel the even part."""
    n = 6
    plan = design(n, budget, 3)
    masks = coalition_masks(n).double()
    single = torch.randn(4, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values = single @ masks.T
    if plan.kind == "least_squares":
        pair = torch.randn(4, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        values = values + torch.einsum("bij,si,sj->bs", pair, masks, masks)
    found = estimate(values[:, codes_of(plan)], plan)
    assert torch.allclose(found.phi, shapley_values(values), atol=1e-8)
    assert found.stderr.max() < 1e-6


def test_estimates_are_right_on_average_and_closer_with_a_larger_budget():
    n = 8
    game = torch.randn(1, 2**n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    truth = shapley_values(game)
    errors = {}
    for budget in (36, 128):
        plans = [design(n, budget, seed) for seed in range(300)]
        found = torch.cat([estimate(game[:, codes_of(plan)], plan).phi for plan in plans])
        errors[budget] = (found - truth).square().mean()
        bias = (found.mean(dim=0) - truth[0]).square().mean()
        assert bias < 0.15 * errors[budget], "a regression is consistent, its bias small beside its spread"
    assert errors[128] < 0.5 * errors[36]


@pytest.mark.parametrize(("n", "budget"), [(8, 64), (10, 160)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(n, budget):
    deltas, base, labels = late_fusion(n, 600)
    present = torch.ones(600, n, dtype=torch.bool)
    truth = value_source(SumSource(deltas, base, present), labels, utility("probability")).phi
    inside = []
    for seed in range(10):
        plan = design(n, budget, seed)
        masks = plan.masks
        logits = base + masks.float() @ deltas
        found = estimate(utility("probability").worth(logits, labels, masks.sum(1).expand(600, -1)), plan)
        inside.append((found.phi - truth).abs() <= half_width(found.freedom) * found.stderr)
    assert 0.92 < torch.cat(inside).double().mean() < 0.98


def test_a_batch_is_estimated_group_by_group_of_present_modalities():
    n = 7
    deltas, base, labels = late_fusion(n, 60)
    present = torch.rand(60, n, generator=torch.Generator().manual_seed(2)) < 0.8
    present[:, 0] = True
    worth = utility("count")
    truth = value_source(SumSource(deltas, base, present), labels, worth)
    found = value_sampled(source_for_rows(deltas, base, present), labels, present, worth, Sampling(40, seed=0))
    assert torch.equal(found.phi.isnan(), ~present)
    assert torch.equal(found.alone & present, truth.alone & present)
    assert torch.equal(found.prediction, truth.prediction)
    total = torch.where(truth.prediction == labels, present.sum(dim=1), 0).double()
    assert torch.allclose(found.phi.nansum(dim=1), total, atol=1e-9)
    few = present.sum(dim=1) <= 5
    assert few.any()
    assert torch.allclose(found.phi[few].nan_to_num(), truth.phi[few].nan_to_num())
    assert (found.stderr[few].nan_to_num() == 0).all()
    assert (found.stderr[~few].nan_to_num() > 0).any()


def test_undecided_samples_are_played_out():
    n = 8
    deltas, base, labels = late_fusion(n, 80)
    present = torch.ones(80, n, dtype=torch.bool)
    worth, sources = utility("count"), source_for_rows(deltas, base, present)
    truth = value_source(SumSource(deltas, base, present), labels, worth)
    rough = value_sampled(sources, labels, present, worth, Sampling(40, seed=0))
    fine = value_sampled(sources, labels, present, worth, Sampling(40, seed=0, refine=True))
    played = (fine.stderr == 0).all(dim=1)
    assert played.sum() > 0
    assert torch.equal(fine.phi[played], truth.phi[played])
    assert torch.equal(fine.phi[~played], rough.phi[~played])
    wrong_before = ((rough.phi < 1) != (truth.phi < 1)).double().mean()
    wrong_after = ((fine.phi < 1) != (truth.phi < 1)).double().mean()
    assert wrong_after < wrong_before


def test_the_logit_of_an_additive_model_needs_no_coalition():
    deltas, base, labels = late_fusion(6, 20)
    present = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) < 0.7
    source = SumSource(deltas, base, present)
    closed, played = value_closed_form(source, labels), value_source(source, labels, utility("logit"))
    assert torch.allclose(closed.phi.nan_to_num(9.0), played.phi.nan_to_num(9.0), atol=1e-5)
    assert torch.equal(closed.alone, played.alone)
    assert closed.outcomes.shape == (20, 0)


def test_one_seed_one_design_and_too_small_a_budget_is_refused():
    assert torch.equal(design(9, 60, 5).masks, design(9, 60, 5).masks)
    assert not torch.equal(design(9, 60, 5).masks, design(9, 60, 6).masks)
    assert smallest_budget(9) == 18
    with pytest.raises(
        ConfigError, match=r"budget=17: too few .* 9 modalities apart; the smallest budget that works is 18"
    ):
        design(9, 17, 0)
    assert (coalition_sizes(9)[codes_of(design(9, 60, 5))] == design(9, 60, 5).masks.sum(1)).all()
