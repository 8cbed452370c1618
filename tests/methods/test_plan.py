"""Every epoch trains exactly the rows of its plan, whatever the number of ranks."""

from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.config import load
from raymm.data import Schema, VectorSpec
from raymm.methods import ExtraRows, ResamplingInputs, build_method
from raymm.methods.plan import (
    Plan,
    base_plan,
    code_type,
    epoch_batches,
    epoch_order,
    make_plan,
    rank_batches,
    rows_of,
)


def plan_of(rows, group=None):
    return Plan(np.arange(rows), np.ones(rows, np.int64), group=group)


@given(rows=st.integers(0, 300), batch=st.integers(1, 64), world=st.integers(1, 7), seed=st.integers(0, 9))
def test_the_ranks_partition_the_rows(rows, batch, world, seed):
    batches = epoch_batches(plan_of(rows), batch, seed, epoch=3)
    ranks = [rank_batches(batches, rank, world) for rank in range(world)]
    seen = Counter(int(row) for steps in ranks for part, _ in steps for row in part)
    assert seen == Counter(range(rows))
    assert len({len(steps) for steps in ranks}) == 1
    for parts in zip(*ranks, strict=True):
        assert {total for _, total in parts} == {sum(len(part) for part, _ in parts)}


def test_global_batches_do_not_depend_on_the_number_of_ranks():
    batches = epoch_batches(plan_of(100), 16, 0, 0)
    alone = [set(part.tolist()) for part, _ in rank_batches(batches, 0, 1)]
    three = [rank_batches(batches, rank, 3) for rank in range(3)]
    joined = [set().union(*(part.tolist() for part, _ in parts)) for parts in zip(*three, strict=True)]
    assert joined == alone


def test_epochs_differ_in_order():
    assert np.array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 1))
    assert not np.array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 2))


@given(groups=st.lists(st.integers(-2, 3), max_size=60), batch=st.integers(1, 9), seed=st.integers(0, 9))
def test_batches_have_one_group_and_come_in_the_order_of_groups(groups, batch, seed):
    group = np.array(groups, np.int64)
    batches = epoch_batches(plan_of(len(groups), group), batch, seed, epoch=1)
    assert sorted(int(row) for rows in batches for row in rows) == list(range(len(groups)))
    found = [set(group[rows].tolist()) for rows in batches if len(rows)]
    assert all(len(one) == 1 for one in found)
    order = [min(one) for one in found]
    assert order == sorted(order)
    assert all(len(rows) <= batch for rows in batches)


def made(extra, present=None, rows=(5, 6, 9), **given):
    """The plan that stands for some extra rows of three samples with three modalities."""
    modalities = tuple(VectorSpec(name=f"m{i}", size=1) for i in range(3))
    method = build_method(load(None, ("method=joint",)), Schema(modalities=modalities, classes=("a", "b")))
    method.plan = lambda _: extra
    present = np.ones((len(rows), 3), bool) if present is None else present
    labels, phi = np.zeros(len(rows), np.int64), np.zeros(present.shape)
    seed = given.pop("seed", 0)
    return make_plan(
        method, ResamplingInputs(np.array(rows), labels, present, phi, method.context.utility, seed, 2), **given
    )


def test_rows_of_a_method_follow_the_samples_or_stand_in_their_place():
    position, keep, weight = np.array([2, 0, 2]), np.array([1, 6, 7]), np.array([0.5, 2.0, 0.0], np.float32)
    plan = made(ExtraRows(position, keep, weight))
    assert plan.index.tolist() == [5, 6, 9, 9, 5, 9]
    assert plan.keep.tolist() == [7, 7, 7, 1, 6, 7]
    assert plan.weight.tolist() == [1, 1, 1, 0.5, 2, 0]
    assert plan.weight.dtype == np.float32
    assert (plan.dropped, plan.base, plan.group) == (0, None, None)
    group = np.array([1, 0, 1])
    alone = made(ExtraRows(position, keep, weight, base=False, group=group), row_budget=0.0)
    assert alone.index.tolist() == [9, 5, 9]
    assert alone.keep.tolist() == [1, 6, 7]
    assert alone.weight.tolist() == [0.5, 2, 0]
    assert alone.group.tolist() == [1, 0, 1]
    assert (alone.dropped, alone.base) == (0, 0)
    assert made(ExtraRows(position, keep)).weight is None


@pytest.mark.parametrize("rows", [(5, 6, 9), (4,), tuple(range(7))])
@pytest.mark.parametrize("budget", [0.0, 0.3, 1.0, 1.5, 2.0, 40.0])
def test_a_budget_keeps_as_many_rows_as_it_says_in_their_order(budget, rows):
    count = len(rows)
    position = np.arange(2 * count) % count
    weight = np.arange(2 * count, dtype=np.float32)
    plan = made(ExtraRows(position, np.full(2 * count, 2), weight), rows=rows, row_budget=budget)
    kept = min(2 * count, int(budget * count))
    assert (len(plan), plan.dropped) == (count + kept, 2 * count - kept)
    of_extra = plan.weight[count:].astype(int)
    assert (np.diff(of_extra) > 0).all()
    assert plan.index[count:].tolist() == [rows[position[row]] for row in of_extra]


@pytest.mark.parametrize("samples", [1, 7, 10, 100, 333, 60_000])
def test_a_budget_is_the_decimal_that_was_written(samples):
    budgets = [number / 100 for number in range(301)] + [0.1 + 0.2, 1e-5, 2.5e-3, 1 / 3]
    for budget in budgets:
        assert rows_of(budget, samples) == Decimal(repr(budget)) * samples // 1
    assert rows_of(2, samples) == 2 * samples


@pytest.mark.parametrize(("budget", "kept"), [(0.29, 29), (0.57, 57), (1.15, 115), (0.999, 99)])
def test_rounding_takes_no_row_from_a_plan(budget, kept):
    extra = ExtraRows(np.zeros(400, np.int64), np.full(400, 2))
    assert len(made(extra, rows=range(100), row_budget=budget)) == 100 + kept


def test_which_rows_a_budget_leaves_out_is_drawn_by_the_seed():
    extra = ExtraRows(np.zeros(60, np.int64), np.full(60, 2), np.arange(60, dtype=np.float32))
    kept = [made(extra, row_budget=10.0, seed=seed).weight[3:].tolist() for seed in range(200)]
    assert kept[0] == made(extra, row_budget=10.0, seed=0).weight[3:].tolist()
    share = np.bincount(np.concatenate(kept).astype(int), minlength=60) / 200
    assert share == pytest.approx(np.full(60, 0.5), abs=5 * 0.5 / np.sqrt(200))


@pytest.mark.parametrize("n", range(1, 63))
def test_codes_have_the_smallest_type_that_holds_them_and_a_signed_one_above_32_players(n):
    bits = next(bits for bits in (8, 16, 32, 64) if n <= bits)
    assert code_type(n) == (np.dtype(f"u{bits // 8}") if n <= 32 else np.dtype(np.int64))
    assert 2**n - 1 <= np.iinfo(code_type(n)).max


def test_a_plan_says_what_its_rows_keep():
    plan = Plan(np.array([3, 4, 5]), np.array([5, 0, 6]))
    assert plan.masks(np.array([2, 0]), 3).tolist() == [[False, True, True], [True, False, True]]
    assert (plan.dropped, plan.weight, plan.group, plan.base, len(plan)) == (0, None, None, None, 3)
    with pytest.raises(AttributeError):
        plan.index = plan.keep
    for n in range(1, 8):
        assert base_plan(np.array([8, 9]), n).masks(np.array([0, 1]), n).all()
        assert base_plan(np.array([8, 9]), n).keep.tolist() == [sum(1 << i for i in range(n))] * 2
