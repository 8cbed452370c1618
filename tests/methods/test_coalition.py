"""Losses of coalitions: the formula, row by row, against every coalition fused by itself."""

from itertools import combinations
from math import comb

import pytest
import torch
from hypothesis import given, settings, strategies

from raymm.errors import ConfigError
from raymm.methods.coalition import Coalition, CoalitionSettings
from raymm.methods.coalition_terms import Coalitions
from tests.methods.steps import ROWS, gradients, grid_of_masks, loss_of_coalition, members_of, step_of, trainer_of

FUSIONS = ["concat", "mlp", "gated", "attention"]


def published(step, row):
    """[CE(P) + sum over sizes of the mean over coalitions of that size] / (1 + p)."""
    present = members_of(step.mask[row])
    by_size = [
        torch.stack([loss_of_coalition(step, row, members) for members in combinations(present, size)]).mean()
        for size in range(1, len(present) + 1)
    ]
    return (loss_of_coalition(step, row, present) + torch.stack(by_size).sum()) / (1 + len(present))


def by_kernel(step, row, kernel, amount, sizes=None):
    """(1 - a) CE(P) + a times the mean of proper coalitions, weighed by `kernel(p, s)` each."""
    present = members_of(step.mask[row])
    p, full = len(present), loss_of_coalition(step, row, present)
    allowed = [size for size in range(1, p) if sizes is None or size in sizes]
    if not allowed:
        return full
    proper = [members for size in allowed for members in combinations(present, size)]
    weight = torch.tensor([kernel(p, len(members)) for members in proper])
    losses = torch.stack([loss_of_coalition(step, row, members) for members in proper])
    return (1 - amount) * full + amount * (weight * losses).sum() / weight.sum()


def assert_same(step, trainer, rows):
    loss, expected = trainer.method.loss(step), torch.stack(rows).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(gradients(loss, trainer), gradients(expected, trainer), atol=2e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_default_is_the_formula_and_each_coalition_of_a_row_counts_once(n, fusion):
    step, trainer = step_of("coalition", n, fusion=fusion)
    assert_same(step, trainer, [published(step, row) for row in range(ROWS)])


def test_the_formula_at_four_modalities_with_weights_of_rows():
    weight = torch.rand(15, generator=torch.Generator().manual_seed(3))
    step, trainer = step_of("coalition", 4, mask=grid_of_masks(4, 15), weight=weight)
    assert_same(step, trainer, [weight[row] * published(step, row) for row in range(15)])


KERNELS = {
    "size": lambda p, s: 1 / comb(p, s),
    "uniform": lambda p, s: 1.0,
    "shapley": lambda p, s: (p - 1) / (comb(p, s) * s * (p - s)),
}


@pytest.mark.parametrize("sizes", [None, (1,), (1, 3)])
@pytest.mark.parametrize("weights", KERNELS)
def test_weights_share_the_same_total(weights, sizes):
    given = {} if sizes is None else {"sizes": list(sizes)}
    step, trainer = step_of("coalition", 4, mask=grid_of_masks(4, 15), weights=weights, amount=0.3, **given)
    assert_same(step, trainer, [by_kernel(step, row, KERNELS[weights], 0.3, sizes) for row in range(15)])


def test_weights_differ_where_sizes_have_different_numbers_of_coalitions():
    # at three modalities sizes 1 and 2 have three coalitions each: all weights agree
    for n, different in ((3, 1), (4, 3)):
        losses = [step_of("coalition", n, weights=weights) for weights in KERNELS]
        assert len({round(trainer.method.loss(step).item(), 3) for step, trainer in losses}) == different


def test_sizes_of_its_own_count_as_much_as_all_modalities_which_count_twice():
    step, trainer = step_of("coalition", 3, sizes=[1])
    amounts = [0, 0, 1 / 3, 1 / 3]
    rows = [by_kernel(step, row, lambda p, s: 1.0, amounts[int(step.mask[row].sum())], (1,)) for row in range(ROWS)]
    assert_same(step, trainer, rows)


@pytest.mark.parametrize("amount", [0.0, 1.0])
def test_the_ends_of_the_amount_are_joint_training_and_coalitions_alone(amount):
    step, trainer = step_of("coalition", 3, amount=amount)
    rows = [by_kernel(step, row, KERNELS["size"], amount) for row in range(ROWS)]
    assert_same(step, trainer, rows)
    if amount == 0:
        assert torch.allclose(trainer.method.loss(step), step.total(step.loss_of(step.logits)))
    idle = trainer.method.idle(trainer.method.settings)
    assert set(idle) == ({"sizes", "weights", "draw"} if amount == 0 else set())


class WithMore(CoalitionSettings):
    """Settings of a method that builds on `coalition`."""

    about: int = 0


def test_settings_of_a_method_that_builds_on_coalitions_are_idle_with_the_others():
    assert Coalition.idle(WithMore()) == ()
    assert set(Coalition.idle(WithMore(amount=0))) == {"about", "sizes", "weights", "draw"}


def test_several_labels_a_sample():
    step, trainer = step_of("coalition", 3, task="multilabel")
    assert_same(step, trainer, [published(step, row) for row in range(ROWS)])


def test_a_rank_without_rows_has_a_loss_of_nothing():
    for own in ({}, {"draw": 2}):
        step, trainer = step_of("coalition", 3, mask=torch.ones(0, 3, dtype=torch.bool), **own)
        assert trainer.method.loss(step).item() == 0


@given(data=strategies.data(), n=strategies.integers(1, 5))
@settings(max_examples=25)
def test_any_settings_on_any_rows_are_the_sum_over_their_coalitions(data, n):
    sizes = (
        data.draw(strategies.none() | strategies.sets(strategies.integers(1, n - 1), min_size=1)) if n > 1 else None
    )
    weights = data.draw(strategies.sampled_from(sorted(KERNELS)))
    amount = data.draw(strategies.none() | strategies.floats(0, 1))
    codes = data.draw(strategies.lists(strategies.integers(1, 2**n - 1), min_size=1, max_size=6))
    mask = torch.tensor([[code >> i & 1 == 1 for i in range(n)] for code in codes])
    given_sizes = {} if sizes is None else {"sizes": sorted(sizes)}
    step, trainer = step_of("coalition", n, mask=mask, weights=weights, amount=amount, **given_sizes)
    rows = []
    for row in range(len(codes)):
        count = len([s for s in range(1, int(mask[row].sum())) if sizes is None or s in sizes])
        default = count / (count + 2)
        rows.append(by_kernel(step, row, KERNELS[weights], default if amount is None else amount, sizes))
    assert trainer.method.loss(step).item() == pytest.approx(sum(row.item() for row in rows), rel=1e-4)


# drawn coalitions


@pytest.mark.parametrize("sizes", [None, (1, 3)])
@pytest.mark.parametrize("weights", KERNELS)
@pytest.mark.parametrize("present", [(True,) * 4, (True, False, True, True), (False, True, False, False)])
def test_coalitions_are_drawn_with_their_shares(present, weights, sizes):
    coalitions, draws = Coalitions(4, sizes, weights), 40_000
    mask = torch.tensor([present])
    uniform = torch.rand(1, draws, 5, generator=torch.Generator().manual_seed(0))
    drawn = coalitions.draw_masks(mask, uniform)[0]
    share = coalitions.share_of_each(mask)[0]
    if sum(present) == 1:
        assert not share.any()
        assert bool((drawn == mask).all())
        return
    assert float(share.sum()) == pytest.approx(1)
    found = (drawn[:, None] == coalitions.members[None]).all(dim=-1).float().mean(dim=0)
    assert float(found.sum()) == pytest.approx(1)
    assert torch.allclose(found, share, atol=4 * 0.5 / draws**0.5)
    assert bool((found[share == 0] == 0).all())


def test_the_largest_uniform_number_draws_a_coalition_too():
    drawn = Coalitions(3).draw_masks(torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 1, 4))
    assert drawn.sum().item() == 2
    lacking = Coalitions(3).draw_masks(torch.tensor([[False, True, True]]), torch.ones(1, 1, 4))
    assert lacking.tolist() == [[[False, True, False]]]


@pytest.mark.parametrize("fusion", ["concat", "gated"])
def test_the_loss_of_drawn_coalitions_is_their_mean(fusion):
    step, trainer = step_of("coalition", 3, fusion=fusion, draw=2, amount=0.4)
    uniform = step.uniform("coalitions", 2 * 4).view(ROWS, 2, 4)
    drawn = trainer.method.coalitions.draw_masks(step.mask, uniform)
    rows = []
    for row in range(ROWS):
        present = members_of(step.mask[row])
        full = loss_of_coalition(step, row, present)
        parts = [loss_of_coalition(step, row, members_of(mask)) for mask in drawn[row]]
        amount = 0.4 if len(present) > 1 else 0.0
        rows.append((1 - amount) * full + amount * torch.stack(parts).mean())
        assert all(set(members_of(mask)) <= set(present) for mask in drawn[row])
    assert_same(step, trainer, rows)


def test_draws_are_all_coalitions_until_there_are_too_many():
    assert [Coalitions(n).drawn for n in (2, 8, 9, 12)] == [None, None, 9, 12]
    assert Coalitions(12, (1, 2)).drawn is None
    assert Coalitions(3, draw=5).drawn == 5
    assert [Coalitions(n, (1,)).drawn for n in (254, 255)] == [None, 255]  # 255 and 256 with that of all


@pytest.mark.parametrize("draw", [None, 4])
def test_terms_have_the_outputs_of_their_coalitions(draw):
    step, trainer = step_of("coalition", 3, draw=draw)
    terms = trainer.method.coalitions.terms(step, trainer.method.context.utility.task)
    members = terms.members.expand(ROWS, -1, -1) if terms.members.ndim == 2 else terms.members
    assert terms.logits.shape[:2] == terms.parts.shape == terms.share.shape == members.shape[:2]
    for part in range(members.shape[1]):
        alone = step.masked_logits(members[:, part] & step.mask)
        own = (members[:, part] & ~step.mask).sum(dim=1) == 0
        assert torch.allclose(terms.logits[own, part], alone[own], atol=1e-5)


def test_coalitions_and_losses_stay_as_they_are():
    step, trainer = step_of("coalition", 3)
    coalitions = trainer.method.coalitions
    for one, name in ((coalitions, "n"), (coalitions.terms(step, trainer.task), "full")):
        with pytest.raises(AttributeError):
            setattr(one, name, 4)


def test_the_amount_is_that_of_as_many_sizes_as_a_row_has():
    assert Coalitions(4).amounts.tolist() == pytest.approx([0, 0, 1 / 3, 2 / 4, 3 / 5])
    assert Coalitions(4, (2,)).amounts.tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3])


def test_nine_modalities_cost_ten_fusions_a_row():
    mask = torch.ones(2, 9, dtype=torch.bool)
    step, trainer = step_of("coalition", 9, mask=mask)
    before = step.cost.fusions
    trainer.method.loss(step)
    assert (step.cost.fusions - before) / 2 == 10


def test_all_coalitions_of_three_cost_seven_fusions_a_row():
    step, trainer = step_of("coalition", 3)
    before = step.cost.fusions
    trainer.method.loss(step)
    assert (step.cost.fusions - before) / ROWS == 7


# refusals


def test_sizes_that_no_coalition_has_are_refused():
    with pytest.raises(ConfigError, match="sizes has 3, 7, but coalitions beside all 3 modalities have 1 to 2"):
        trainer_of("coalition", 3, sizes=[1, 7, 3])
    with pytest.raises(ConfigError, match="sizes has 4, but coalitions beside all 4 modalities have 1 to 3"):
        trainer_of("coalition", 4, sizes=[4])
    with pytest.raises(ConfigError, match=r"sizes is empty; name sizes such as \[1\], or use method=joint"):
        trainer_of("coalition", 3, sizes=[])


@pytest.mark.parametrize("wrong", [{"sizes": "pairs"}, {"draw": 0}, {"amount": 1.1}, {"weights": "even"}])
def test_settings_that_mean_nothing_are_refused_by_name(wrong):
    with pytest.raises(ConfigError, match=f"method.settings.{next(iter(wrong))}"):
        trainer_of("coalition", 3, **wrong)
