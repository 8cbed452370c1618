"""Sampled values: right on average, honest about their errors, exact where the budget allows."""

import os
import subprocess
import sys
from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.valuation import Sampling, get_utility, shapley_values, value_sampled
from raymm.valuation.bits import masks_of
from raymm.valuation.coalitions import coalition_masks, coalition_sizes, shapley_weights
from raymm.valuation.enumeration import value_source
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.sampling.designs import (
    _draw,
    _permutations,
    _shares,
    balanced_budget,
    design,
    least_squares_budget,
    smallest_budget,
)
from raymm.valuation.sampling.estimator import error_of_unseen, estimate, margin_of_error, value_closed_form
from raymm.valuation.sampling.exchange import exchange_search
from raymm.valuation.sampling.gls import fit

K = 6


def late_fusion(n, samples, seed=0):
    """Evidence of n modalities, some strong, one noise, some of it absent; and the labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(K, (samples,), generator=generator)
    partial_logits = torch.randn(samples, n, K, generator=generator)
    partial_logits[torch.arange(samples), :, labels] += torch.linspace(3.0, 0.0, n)
    partial_logits *= torch.rand(samples, n, 1, generator=generator) > 0.15
    return partial_logits, 0.01 * torch.arange(K), labels


def source_for_rows(partial_logits, bias, present):
    return lambda rows: SumSource(partial_logits[rows], bias, present[rows])


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


@pytest.mark.parametrize(("budget", "right"), [(28, False), (36, True), (50, True)])
def test_all_ways_to_deal_the_parts_average_to_the_truth_from_six_n_coalitions_on(budget, right):
    """For any game whatever; below, a bias buys a smaller error, which this test would see."""
    n = 6
    plan = design(n, budget, 0)
    game = torch.randn(1, 2**n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mean = torch.zeros(1, n, dtype=torch.float64)
    for order in permutations(range(n)):
        codes = (plan.masks[:, order].long() << torch.arange(n)).sum(dim=1)
        mean += game[:, codes] @ plan.weights[:, order] / factorial(n)
    assert (budget >= balanced_budget(n)) == right
    assert torch.allclose(mean, shapley_values(game), atol=1e-9) == right


def test_all_pairs_give_the_exact_values():
    n = 6
    game = torch.randn(3, 2**n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plan = design(n, 2**n, 0)
    found = estimate(game[:, codes_of(plan)], plan)
    assert len(plan.masks) == 2**n
    assert torch.allclose(found.phi, shapley_values(game), atol=1e-9)
    assert found.stderr.max() < 1e-6


def test_estimates_are_closer_with_a_larger_budget():
    n = 8
    game = torch.randn(1, 2**n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    truth = shapley_values(game)
    errors = {}
    for budget in (36, 64, 128):
        plans = [design(n, budget, seed) for seed in range(100)]
        found = torch.cat([estimate(game[:, codes_of(plan)], plan).phi for plan in plans])
        errors[budget] = (found - truth).square().mean()
    assert errors[128] < 0.5 * errors[64] < 0.25 * errors[36]


def other_games(n, samples):
    """Games unlike late fusions: of noise, of parity, of all or nothing, of a saboteur, of a quota."""
    generator = torch.Generator().manual_seed(4)
    masks, sizes = coalition_masks(n), coalition_sizes(n)
    chosen = torch.rand(samples, n, generator=generator) < 0.4
    members = (chosen.double() @ masks.double().T).long()
    first, second = torch.stack([torch.randperm(n, generator=generator)[:2] for _ in range(samples)]).T
    quota = torch.randint(1, n + 1, (samples, 1), generator=generator)
    return {
        "noise": torch.randn(samples, 2**n, generator=generator),
        "parity": members % 2,
        "unanimity": (members >= chosen.sum(dim=1, keepdim=True)) * sizes,
        "saboteur": (masks[:, first] & ~masks[:, second]).T * sizes,
        "quota": (sizes >= quota) * sizes,
    }


@pytest.mark.parametrize("name", ["noise", "parity", "unanimity", "saboteur", "quota"])
def test_games_that_are_not_as_assumed_are_still_better_than_random_orders_and_say_their_error(name):
    n, budget = 9, 72
    values = other_games(n, 100)[name].double()
    truth = shapley_values(values)
    ours, orders, inside = [], [], []
    for seed in range(6):
        plan = design(n, budget, seed)
        found = estimate(values[:, codes_of(plan)], plan)
        ours.append((found.phi - truth).square())
        inside.append((found.phi - truth).abs() <= margin_of_error(found.dof) * found.stderr + 1e-9)
        order = _permutations(n, budget, np.random.default_rng(seed))
        orders.append((estimate(values[:, codes_of(order)], order).phi - truth).square())
    assert torch.cat(ours).mean() < 0.6 * torch.cat(orders).mean()
    assert torch.cat(inside).double().mean() > 0.9


def test_exchanged_coalitions_tell_more_than_drawn_ones():
    n, pairs = 10, 40
    shares = _shares(n, pairs)
    generator = np.random.default_rng(0)
    drawn = masks_of(np.concatenate([_draw(n, s, c, generator) for s, c in enumerate(shares, start=1)]), n)
    chosen = exchange_search(drawn, shares[0], generator)
    assert (chosen[: shares[0]] == drawn[: shares[0]]).all()
    assert (chosen.sum(axis=1) == drawn.sum(axis=1)).all()
    assert len({row.tobytes() for row in np.concatenate([chosen, ~chosen])}) == 2 * pairs
    assert fit(chosen, balanced=False).errors.sum() < 0.9 * fit(drawn, balanced=False).errors.sum()


def test_pairs_that_leave_players_apart_undetermined_are_refused():
    half = np.zeros((5, 6), dtype=bool)
    half[np.arange(5), np.arange(5)] = True
    half = np.repeat(half[:2], 3, axis=0)
    with pytest.raises(ValueError, match="6 pairs of coalitions do not tell 6 players apart"):
        fit(half, balanced=False)


@pytest.mark.parametrize(("n", "budget"), [(8, 64), (10, 160)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(n, budget):
    partial_logits, bias, labels = late_fusion(n, 600)
    present = torch.ones(600, n, dtype=torch.bool)
    truth = value_source(SumSource(partial_logits, bias, present), labels, get_utility("probability")).phi
    inside = []
    for seed in range(10):
        plan = design(n, budget, seed)
        masks = plan.masks
        logits = bias + masks.float() @ partial_logits
        found = estimate(get_utility("probability").fn(logits, labels, masks.sum(1).expand(600, -1)), plan)
        inside.append((found.phi - truth).abs() <= margin_of_error(found.dof) * found.stderr)
    assert 0.92 < torch.cat(inside).double().mean() < 0.995
    narrow = [(found.phi - truth).abs() <= 0.25 * margin_of_error(found.dof) * found.stderr]
    assert torch.cat(narrow).double().mean() < 0.8


def test_a_batch_is_estimated_group_by_group_of_present_modalities():
    n = 7
    partial_logits, bias, labels = late_fusion(n, 60)
    present = torch.rand(60, n, generator=torch.Generator().manual_seed(2)) < 0.8
    present[:, 0] = True
    utility = get_utility("count")
    truth = value_source(SumSource(partial_logits, bias, present), labels, utility)
    found = value_sampled(
        source_for_rows(partial_logits, bias, present), labels, present, utility, Sampling(40, seed=0)
    )
    assert torch.equal(found.phi.isnan(), ~present)
    assert torch.equal(found.unimodal_correct & present, truth.unimodal_correct & present)
    assert torch.equal(found.prediction, truth.prediction)
    total = torch.where(truth.prediction == labels, present.sum(dim=1), 0).double()
    assert torch.allclose(found.phi.nansum(dim=1), total, atol=1e-9)
    few = present.sum(dim=1) <= 5
    assert few.any()
    assert torch.allclose(found.phi[few].nan_to_num(), truth.phi[few].nan_to_num())
    assert (found.stderr[few].nan_to_num() == 0).all()
    assert (found.stderr[~few].nan_to_num() > 0).any()


def test_all_coalitions_of_undecided_samples_are_evaluated():
    n = 8
    partial_logits, bias, labels = late_fusion(n, 80)
    present = torch.ones(80, n, dtype=torch.bool)
    utility, sources = get_utility("count"), source_for_rows(partial_logits, bias, present)
    truth = value_source(SumSource(partial_logits, bias, present), labels, utility)
    rough = value_sampled(sources, labels, present, utility, Sampling(40, seed=0))
    fine = value_sampled(sources, labels, present, utility, Sampling(40, seed=0, refine=True))
    exact = (fine.stderr == 0).all(dim=1)
    assert exact.sum() > 0
    assert torch.equal(fine.phi[exact], truth.phi[exact])
    assert torch.equal(fine.phi[~exact], rough.phi[~exact])
    wrong_before = ((rough.phi < 1) != (truth.phi < 1)).double().mean()
    wrong_after = ((fine.phi < 1) != (truth.phi < 1)).double().mean()
    assert wrong_after < wrong_before


@pytest.mark.parametrize(("n", "budget"), [(9, 60), (14, 512), (18, 576), (24, 768)])
@pytest.mark.parametrize(("utility", "deciding"), [("count", 24), ("correct", 1), ("logit", 1), ("probability", 2)])
def test_no_estimate_falls_below_the_fair_share_or_0_by_rounding(n, budget, utility, deciding):
    """Samples of which each of the first modalities makes the answer right, and the others nothing."""
    partial_logits = torch.zeros(1, n, 2)
    partial_logits[0, :deciding, 1] = 20.0
    source = SumSource(partial_logits, torch.tensor([1.0, 0.0]), torch.ones(1, n, dtype=torch.bool))
    plan = Sampling(budget, seed=1)
    phi = value_sampled(lambda _: source, torch.tensor([1]), source.present, get_utility(utility), plan).phi[0]
    expected = {"count": n, "correct": 1.0, "logit": 20.0, "probability": 1 - 1 / (1 + np.e)}[utility]
    assert float(phi.sum()) == pytest.approx(expected, abs=1e-9)  # v(all) - v(none)
    assert (phi[deciding:] == 0).all()
    assert (phi[:deciding] >= (1.0 if utility == "count" else 0.0)).all()


def test_the_logit_of_an_additive_model_needs_no_coalition():
    partial_logits, bias, labels = late_fusion(6, 20)
    present = torch.rand(20, 6, generator=torch.Generator().manual_seed(0)) < 0.7
    source = SumSource(partial_logits, bias, present)
    closed, exact = value_closed_form(source, labels), value_source(source, labels, get_utility("logit"))
    assert torch.allclose(closed.phi.nan_to_num(9.0), exact.phi.nan_to_num(9.0), atol=1e-5)
    assert torch.equal(closed.unimodal_correct, exact.unimodal_correct)
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


@pytest.mark.parametrize("budget", [40, 120])
def test_the_error_of_unseen_coalitions_is_that_of_rare_outcomes(budget):
    n = 10
    plan = design(n, budget, 3)
    weights, divisor = shapley_weights(n)
    codes = (plan.masks.long() << torch.arange(n)).sum(dim=1)
    differs = torch.rand(20_000, 2**n, generator=torch.Generator().manual_seed(0)) < 1 / (2 * len(codes) + 2)
    values = differs.double() * coalition_sizes(n)
    made = (values[:, codes] @ plan.weights - values @ weights.double() / divisor).std(dim=0)
    stated = error_of_unseen(plan, lambda sizes: sizes)
    assert torch.allclose(stated, made, rtol=0.05)
    assert not torch.allclose(error_of_unseen(plan, torch.ones_like), made, rtol=0.5)


def test_a_sample_of_which_only_wrong_coalitions_were_seen_is_not_said_to_be_exact():
    n, k = 14, 3
    partial_logits = torch.zeros(1, n, k)
    partial_logits[..., 1] = 1.0
    source = SumSource(partial_logits, torch.zeros(k), torch.ones(1, n, dtype=torch.bool))
    found = value_sampled(lambda _: source, torch.tensor([0]), source.present, get_utility("count"), Sampling(200, 0))
    assert (found.phi == 0).all()
    assert (found.stderr > 0).all()
    soft = value_sampled(lambda _: source, torch.tensor([0]), source.present, get_utility("logit"), Sampling(200, 0))
    assert (soft.stderr < 1e-9).all()


def test_a_design_has_the_same_bits_for_any_number_of_threads():
    program = (
        "import hashlib; from raymm.valuation.sampling.designs import design\n"
        "for n, budget in ((14, 224), (12, 96)):\n"
        "    plan = design(n, budget, 7)\n"
        "    parts = (plan.masks, plan.weights, plan.errors.effects, plan.errors.errors)\n"
        "    bits = b''.join(part.contiguous().numpy().tobytes() for part in parts)\n"
        "    print(hashlib.sha256(bits).hexdigest())\n"
    )
    answers = set()
    for threads in ("1", "2"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        answers.add(done.stdout)
    assert len(answers) == 1
    assert len(set(answers.pop().split())) == 2
