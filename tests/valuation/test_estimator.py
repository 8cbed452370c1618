"""Sampled values put together: sample by sample by hand, and the errors by sums over all coalitions."""

import pytest
import torch
from scipy.stats import t as student

from raymm.tasks import Regression
from raymm.valuation import Sampling, Utility, get_utility, shapley_values, value_sampled
from raymm.valuation.coalitions import coalition_masks, shapley_weights
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.sampling.designs import design
from raymm.valuation.sampling.estimator import (
    ROUNDING,
    _unrounded,
    error_of_unseen,
    estimate,
    margin_of_error,
    value_closed_form,
)

N, K = 7, 3


def unseen(plan, by_size):
    """The definition: each coalition differs with probability 1 / (2 m + 2), by itself, by v(C)."""
    n, m = plan.masks.shape[1], len(plan.masks)
    weights, divisor = shapley_weights(n)
    error = -weights / divisor
    codes = (plan.masks.long() << torch.arange(n)).sum(dim=1)
    error.index_add_(0, codes, plan.weights)
    rate = 1 / (2 * m + 2)
    worth = by_size(coalition_masks(n).sum(dim=1)).double()
    return (rate * (1 - rate) * (worth[:, None] * error).square().sum(dim=0)).sqrt()


@pytest.mark.parametrize(("n", "budget"), [(4, 14), (6, 24), (6, 60), (8, 80)])
@pytest.mark.parametrize("by_size", [lambda sizes: sizes, torch.ones_like], ids=["count", "correct"])
def test_the_error_of_unseen_coalitions_is_the_sum_over_all(n, budget, by_size):
    plan = design(n, budget, 2)
    assert torch.allclose(error_of_unseen(plan, by_size), unseen(plan, by_size), rtol=1e-9)


@pytest.mark.parametrize("n", range(4, 9))
def test_where_all_coalitions_were_evaluated_none_is_unseen(n):
    for seed in range(3):
        assert (error_of_unseen(design(n, 2**n, seed), lambda sizes: sizes) < 1e-6).all()


@pytest.mark.parametrize("fair_share", [None, 0.5, -3.0])
@pytest.mark.parametrize("largest", [1.0, 1000.0, 1e-3])
def test_estimates_that_rounding_alone_moved_from_a_level_are_set_to_it(fair_share, largest):
    """Up to 1e-9 of the largest value of a sample, of either sign and beside 0 or the fair share; others stay."""
    values = torch.tensor([[0.0, -largest], [largest / 8, 0.0]], dtype=torch.float64)
    reach = 1e-9 * largest
    near = torch.tensor([[reach, -reach, 0.5 * reach, 0.0], [reach / 8, -reach / 8, reach / 16, 0.0]]).double()
    near[:, :2] = ROUNDING * values.abs().amax(dim=1, keepdim=True) * torch.tensor([1, -1])
    far = near + torch.tensor([1.0, -1.0, 2.0, 4.0]) * 3 * reach
    other = torch.full((1, 4), -7.0).double() * largest
    assert (_unrounded(near, values, fair_share) == 0).all()
    for phi in (far, other.expand(2, 4)):
        assert torch.equal(_unrounded(phi, values, fair_share), phi)
    if fair_share is not None:
        beside = fair_share + 0.5 * near
        assert (_unrounded(beside, values, fair_share) == fair_share).all()
        assert torch.equal(_unrounded(beside, values, None), beside)
        assert torch.equal(_unrounded(fair_share + far, values, fair_share), fair_share + far)


def batch(samples=30):
    generator = torch.Generator().manual_seed(5)
    partial_logits = torch.randn(samples, N, K, generator=generator)
    labels = torch.randint(K, (samples,), generator=generator)
    present = torch.rand(samples, N, generator=generator) < 0.75
    present[torch.arange(samples), torch.arange(samples) % N] = True
    present[0], present[1] = True, torch.arange(N) < 3
    return partial_logits, torch.tensor([0.1, 0.0, -0.1]), labels, present


def game_of(partial_logits, bias, label, present, utility):
    """Values of coalitions of the modalities that one sample has, by a loop."""
    players = present.nonzero()[:, 0]

    def value(masks):
        logits = bias + masks.float() @ partial_logits[players]
        one = utility.fn(logits[None], label[None], masks.sum(dim=1)[None])
        return one[0].double()

    return players, value


@pytest.mark.parametrize("name", ["count", "probability"])
@pytest.mark.parametrize("budget", [14, 30, 64])
def test_values_of_a_batch_are_those_of_each_sample_by_itself(name, budget):
    partial_logits, bias, labels, present = batch()
    utility, asked = get_utility(name), []

    def source_of(rows):
        asked.extend(rows.tolist())
        source = SumSource(partial_logits[rows], bias, present[rows])
        source.step = 5  # logits of a few coalitions are in memory at one time
        return source

    found = value_sampled(source_of, labels, present, utility, Sampling(budget, 9))
    assert sorted(asked) == list(range(len(labels)))
    kinds = set()
    for row in range(len(labels)):
        players, value = game_of(partial_logits[row], bias, labels[row], present[row], utility)
        p = len(players)
        if 2**p <= budget or p <= 3:
            weights, divisor = shapley_weights(p)
            phi, stderr = value(coalition_masks(p)) @ weights / divisor, torch.zeros(p).double()
            kinds.add("exact")
            assert (found.stderr[row, players] == 0).all()
        else:
            plan = design(p, budget, 9)
            values = value(plan.masks)
            phi, stderr = values @ plan.weights, plan.errors.variance(values[None])[0].sqrt()
            if name == "count":
                stderr = stderr.maximum(unseen(plan, lambda sizes: sizes))
            kinds.add(plan.kind)
        assert torch.allclose(found.phi[row, players], phi, atol=1e-6)
        assert torch.allclose(found.stderr[row, players], stderr, atol=1e-6)
        gone = ~present[row]
        assert found.phi[row, gone].isnan().all()
        assert found.stderr[row, gone].isnan().all()
        alone = (bias + partial_logits[row]).argmax(dim=1) == labels[row]
        assert torch.equal(found.unimodal_correct[row] & present[row], alone & present[row])
        whole = bias + partial_logits[row, players].sum(dim=0)
        assert found.prediction[row] == whole.argmax()
        assert found.loss[row].item() == pytest.approx(
            torch.nn.functional.cross_entropy(whole, labels[row]).item(), rel=1e-5
        )
    assert found.outcomes.shape == (len(labels), 0)
    assert found.outcomes.dtype == torch.uint8
    assert len(kinds) >= 2


def test_refined_are_the_samples_within_three_errors_of_the_fair_share_and_no_others():
    partial_logits, bias, labels, present = batch(200)
    utility = get_utility("count")

    def source_of(rows):
        return SumSource(partial_logits[rows], bias, present[rows])

    rough, fine = (
        value_sampled(source_of, labels, present, utility, Sampling(30, 1, refine)) for refine in (False, True)
    )
    near = ((rough.phi - 1).abs() <= 3 * rough.stderr) & (rough.stderr > 0)
    refined = near.any(dim=1)
    assert 0 < refined.sum() < 200
    assert torch.equal(fine.phi[~refined].nan_to_num(7), rough.phi[~refined].nan_to_num(7))
    assert torch.equal(fine.stderr[~refined].nan_to_num(7), rough.stderr[~refined].nan_to_num(7))
    for row in refined.nonzero()[:, 0]:
        players, value = game_of(partial_logits[row], bias, labels[row], present[row], utility)
        weights, divisor = shapley_weights(len(players))
        assert torch.allclose(fine.phi[row, players], value(coalition_masks(len(players))) @ weights / divisor)
        assert (fine.stderr[row, players] == 0).all()
    soft = [
        value_sampled(source_of, labels, present, get_utility("probability"), Sampling(30, 1, refine)).phi
        for refine in (False, True)
    ]
    assert torch.equal(*(phi.nan_to_num(7) for phi in soft))  # it has no fair share


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        ((3, 10, 5, 5), (2, 11, 5, 5), True),  # the first player has 2.5, with an error of 0.5
        ((3, 10, 5, 5), (2.25, 10.75, 5, 5), False),
        ((1, 10, 5, 5), (1.25, 9.75, 5, 5), True),
        ((1, 10, 5, 5), (1, 10, 5, 5), False),  # the fair share itself, with an error of 0
    ],
)
def test_near_to_the_fair_share_are_contributions_within_three_errors_of_it(first, second, near):
    """What each of four players adds in an order and in its reverse, which are all that a budget of 8 pays for."""
    plan, powers = design(4, 8, 0), 2 ** torch.arange(4)
    game = torch.linspace(20, 50, 16, dtype=torch.float64)
    for adds, prefixes in ((first, plan.masks[:4]), (second, plan.masks[4:])):
        for members in prefixes:
            game[members.long() @ powers] = torch.tensor(adds, dtype=torch.float64)[members].sum()
    codes = SumSource(powers[None, :, None].float(), torch.zeros(1), torch.ones(1, 4, dtype=torch.bool))
    worth = Utility("worth", lambda logits, labels, sizes: game[logits[..., 0].long()], fair_share=1.0)
    rough, fine = (
        value_sampled(lambda _: codes, torch.tensor([0]), codes.present, worth, Sampling(8, 0, refine))
        for refine in (False, True)
    )
    assert rough.phi[0].tolist() == [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    assert rough.stderr[0].tolist() == [abs(a - b) / 2 for a, b in zip(first, second, strict=True)]
    exact = shapley_values(game[None])
    assert torch.equal(fine.phi, exact if near else rough.phi)
    assert torch.equal(fine.stderr, torch.zeros_like(exact) if near else rough.stderr)


def test_of_three_modalities_all_coalitions_are_evaluated_and_of_none_there_is_no_value():
    partial_logits, bias, labels, present = batch()
    present[:], present[:15, :3] = False, True
    utility = get_utility("count")
    found = value_sampled(
        lambda rows: SumSource(partial_logits[rows], bias, present[rows]), labels, present, utility, Sampling(6, 0)
    )
    for row in range(15):
        players, value = game_of(partial_logits[row], bias, labels[row], present[row], utility)
        weights, divisor = shapley_weights(3)
        assert torch.equal(found.phi[row, players], value(coalition_masks(3)) @ weights / divisor)
        assert (found.stderr[row, players] == 0).all()
    assert found.phi[~present].isnan().all()
    assert found.stderr[~present].isnan().all()
    assert (found.prediction[15:] == bias.argmax()).all()


@pytest.mark.parametrize("utility", ["count", "probability"])
@pytest.mark.parametrize(("n", "seed"), [(14, 0), (14, 1), (9, 2), (20, 3)])
def test_samples_of_which_everything_is_missing_have_no_value_among_others(n, seed, utility):
    generator = torch.Generator().manual_seed(seed)
    partial_logits = torch.randn(30, n, K, generator=generator)
    labels = torch.randint(K, (30,), generator=generator)
    present = torch.rand(30, n, generator=generator) < 0.8
    none = torch.rand(30, generator=generator) < 0.3
    none[0] = True
    present[none] = False
    found = value_sampled(
        lambda rows: SumSource(partial_logits[rows], torch.zeros(K), present[rows]),
        labels, present, get_utility(utility), Sampling(84, 0),
    )  # fmt: skip
    assert torch.equal(found.phi.isnan(), ~present)
    assert torch.equal(found.stderr.isnan(), ~present)
    alone = value_sampled(
        lambda rows: SumSource(partial_logits[~none][rows], torch.zeros(K), present[~none][rows]),
        labels[~none], present[~none], get_utility(utility), Sampling(84, 0),
    )  # fmt: skip
    assert torch.equal(found.phi[~none].nan_to_num(), alone.phi.nan_to_num())


def test_no_sample_has_no_value():
    partial_logits, bias, labels, present = (one[:0] if len(one) != K else one for one in batch())
    found = value_sampled(
        lambda rows: SumSource(partial_logits[rows], bias, present[rows]),
        labels, present, get_utility("count"), Sampling(30, 0),
    )  # fmt: skip
    assert (found.phi.shape, found.stderr.shape, found.unimodal_correct.shape) == ((0, N),) * 3


def test_margins_are_quantiles_of_students_t():
    for dof in (1.0, 2.5, 10.0, 400.0):
        for level in (0.5, 0.9, 0.99):
            assert margin_of_error(dof, level) == pytest.approx(student.ppf((1 + level) / 2, dof))
        assert margin_of_error(dof) == margin_of_error(dof, 0.95)


def test_the_closed_form_gives_what_a_modality_adds_to_the_logit_of_the_label():
    partial_logits, bias, labels, present = batch()
    found = value_closed_form(SumSource(partial_logits, bias, present), labels)
    for row in range(len(labels)):
        for i in range(N):
            if present[row, i]:
                assert found.phi[row, i] == partial_logits[row, i, labels[row]]
                assert found.stderr[row, i] == 0
                assert found.unimodal_correct[row, i] == ((bias + partial_logits[row, i]).argmax() == labels[row])
            else:
                assert found.phi[row, i].isnan()
                assert found.stderr[row, i].isnan()
    assert found.outcomes.shape == (len(labels), 0)


def test_where_no_answer_is_right_or_wrong_no_modality_is_said_to_be_right():
    numbers = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))
    source = SumSource(numbers, torch.zeros(2), torch.ones(4, 3, dtype=torch.bool))
    task = Regression()
    found = value_sampled(
        lambda rows: SumSource(numbers[rows], torch.zeros(2), source.present[rows]),
        torch.randn(4, 2).double(), source.present, get_utility("score").of(task), Sampling(8, 0),
    )  # fmt: skip
    assert not found.unimodal_correct.any()
    assert found.unimodal_correct.shape == (4, 3)


def test_settings_and_estimates_of_a_sampling_are_values():
    one = Sampling(64, 3)
    assert (one.budget, one.seed, one.refine) == (64, 3, False)
    assert {one: 1}[Sampling(64, 3, refine=False)] == 1
    with pytest.raises(AttributeError):
        one.seed = 4
    found = estimate(torch.zeros(1, 8), design(4, 8, 0))
    with pytest.raises(AttributeError):
        found.dof = 4.0
