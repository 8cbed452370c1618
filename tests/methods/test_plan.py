"""Every epoch trains exactly the rows of its plan, whatever the number of ranks."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raymm.methods.plan import epoch_order, rank_batches


@given(rows=st.integers(0, 300), batch=st.integers(1, 64), world=st.integers(1, 7), seed=st.integers(0, 9))
def test_the_ranks_partition_the_rows(rows, batch, world, seed):
    order = epoch_order(rows, seed, epoch=3)
    ranks = [rank_batches(order, batch, rank, world) for rank in range(world)]
    seen = Counter(int(row) for steps in ranks for part, _ in steps for row in part)
    assert seen == Counter(range(rows))
    assert len({len(steps) for steps in ranks}) == 1
    for parts in zip(*ranks, strict=True):
        assert {total for _, total in parts} == {sum(len(part) for part, _ in parts)}


def test_global_batches_do_not_depend_on_the_number_of_ranks():
    order = epoch_order(100, 0, 0)
    alone = [set(part.tolist()) for part, _ in rank_batches(order, 16, 0, 1)]
    three = [rank_batches(order, 16, rank, 3) for rank in range(3)]
    joined = [set().union(*(part.tolist() for part, _ in parts)) for parts in zip(*three, strict=True)]
    assert joined == alone


def test_epochs_differ_in_order():
    assert np.array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 1))
    assert not np.array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 2))
