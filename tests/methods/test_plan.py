"""Every epoch trains exactly the rows of its plan, whatever the number of ranks."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raymm.methods.plan import Plan, epoch_batches, epoch_order, rank_batches


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
