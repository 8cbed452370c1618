"""Rows that a plan adds: copies, draws, subsets and means; what is checked before they are trained."""

from types import SimpleNamespace

import numpy as np
import pytest

from raymm.errors import TrainingError
from raymm.methods import ExtraRows, extra_rows
from raymm.methods.extra_rows import (
    bernoulli_copies,
    checked,
    copies_of,
    copies_of_pieces,
    mean_contributions,
    random_rows,
    random_subset,
)

pytestmark = pytest.mark.filterwarnings("error")  # of numpy too: nothing is divided by nothing


def ones(*shape):
    return np.ones(shape, bool)


def words(extra, present):
    with pytest.raises(TrainingError) as error:
        checked(extra, present, "Mine")
    return str(error.value)


def test_counts_become_as_many_copies_of_each_modality():
    counts = np.random.default_rng(0).integers(0, 4, (9, 5))
    extra = copies_of(counts)
    listed = [(s, 2**i) for s in range(9) for i in range(5) for _ in range(counts[s, i])]
    assert list(zip(extra.position.tolist(), extra.keep.tolist(), strict=True)) == listed
    assert (len(extra), extra.weight, extra.base, extra.group) == (counts.sum(), None, True, None)
    pieces = copies_of_pieces([counts[:3], counts[3:5], counts[5:]])
    assert list(zip(pieces.position.tolist(), pieces.keep.tolist(), strict=True)) == listed


def test_a_copy_is_made_where_the_draw_is_below_the_probability_and_the_modality_is_there():
    drawn, present = np.array([[0.1, 0.61, 0.9], [0.2, 0.3, 0.99]]), np.array([[1, 1, 1], [0, 1, 1]], bool)
    inputs = SimpleNamespace(draw=lambda purpose, count: {("modality", 3): drawn}[purpose, count], present=present)
    inputs.pieces = lambda: [inputs]
    extra = bernoulli_copies(inputs, np.array([[0.2, 0.2, 0.2], [0.2, 0.2, 0.2]]), lambda d: 3.0 * d)
    assert extra.position.tolist() == [0, 1]
    assert extra.keep.tolist() == [1, 2]
    sure = bernoulli_copies(inputs, np.full((2, 3), 0.5), lambda d: 9.0 * d)
    assert sure.keep.tolist() == [1, 2, 4, 2, 4]
    assert len(bernoulli_copies(inputs, np.full((2, 3), 0.5), lambda d: -d)) == 0
    assert len(bernoulli_copies(inputs, drawn, lambda d: d)) == 0


def test_pieces_of_any_length_have_the_probabilities_of_their_own_samples():
    generator = np.random.default_rng(2)
    drawn, d, present = generator.random((9, 3)), generator.random((9, 3)), generator.random((9, 3)) < 0.7
    cuts = [slice(0, 3), slice(3, 5), slice(5, 9)]
    pieces = [SimpleNamespace(present=present[cut], draw=lambda *_, cut=cut: drawn[cut]) for cut in cuts]
    extra = bernoulli_copies(SimpleNamespace(pieces=lambda: pieces), d, lambda x: x)
    sample, modality = np.nonzero((drawn < d) & present)
    assert extra.position.tolist() == sample.tolist()
    assert extra.keep.tolist() == (1 << modality).tolist()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_position_and_code_that_there_is_may_stand_in_a_plan(n):
    present = ones(4, n)
    position, keep = (grid.ravel() for grid in np.meshgrid(range(4), range(1, 2**n)))
    extra = checked(ExtraRows(position.astype(np.int8), keep.astype(np.uint8)), present, "Mine")
    assert (extra.position.tolist(), extra.keep.tolist()) == (position.tolist(), keep.tolist())
    assert (extra.position.dtype, extra.keep.dtype, extra.weight) == (np.int64, np.int64, None)
    again = checked(extra, present, "Mine")
    assert again.position is extra.position  # the rows of a large plan are not copied
    assert again.keep is extra.keep
    for wrong in (-1, 4, 5, 8):
        assert f"position has numbers outside of 0 to 3, such as {wrong}" in words(
            ExtraRows(np.array([1, wrong, 3]), np.ones(3, int)), present
        )
    for wrong in (-1, 0, 2**n, 2**n + 1):
        assert f"keep has codes outside of 1 to {2**n - 1}, such as {wrong}" in words(
            ExtraRows(np.array([1, 2]), np.array([1, wrong])), present
        )
    several = words(ExtraRows(np.array([9, 0, -7]), np.ones(3, int)), present)
    assert several == "the plan of Mine: position has numbers outside of 0 to 3, such as 9"


@pytest.mark.parametrize("weight", [[0.0, 2.0], [0, 3], np.array([0.0, 0.5], np.float16), np.array([1, 0], np.uint8)])
def test_weights_from_zero_on_are_kept(weight):
    extra = checked(ExtraRows(np.array([0, 1]), np.array([1, 2]), np.asarray(weight)), ones(2, 2), "Mine")
    assert extra.weight.dtype == np.float32
    assert extra.weight.tolist() == list(weight)


@pytest.mark.parametrize("weight", [[1.0, -0.5], [np.nan, 1], [1, np.inf], [-1, 2], ["a", "b"], [True, True]])
def test_other_weights_are_refused(weight):
    found = words(ExtraRows(np.array([0, 1]), np.array([1, 2]), np.array(weight)), ones(2, 2))
    assert found == "the plan of Mine: weight holds something else than finite numbers from 0 on"


@pytest.mark.parametrize(
    "lengths", [(2, 3, 3), (3, 2, 3), (3, 3, 2), (1, 2, 3), (3, 2, 1), (2, 3, 2), (3, 2, 2), (2, 2, 3)]
)
def test_lengths_that_differ_are_refused(lengths):
    position, keep, weight = (np.ones(length, int) for length in lengths)
    found = words(ExtraRows(position, keep, weight), ones(2, 2))
    assert found == "the plan of Mine: lengths differ: position ({},), keep ({},), weight ({},)".format(*lengths)


def test_a_row_keeps_something_that_its_sample_has():
    present = np.array([[1, 0, 1], [0, 1, 0]], bool)
    fine = ExtraRows(np.array([0, 0, 1]), np.array([1, 6, 3]))
    assert checked(fine, present, "Mine").keep.tolist() == [1, 6, 3]
    found = words(ExtraRows(np.array([0, 1, 0, 1]), np.array([4, 2, 2, 5])), present)
    assert found == "the plan of Mine: row 2 keeps only modalities that its sample lacks (position 0)"
    found = words(ExtraRows(np.array([1, 0]), np.array([5, 1])), present)
    assert found == "the plan of Mine: row 0 keeps only modalities that its sample lacks (position 1)"


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), ()])
def test_numbers_of_another_shape_or_type_are_refused(shape):
    table = np.ones(shape, int)
    found = words(ExtraRows(table, np.ones(2)), ones(2, 2))
    assert f"position is int64 {list(shape)}; expected whole numbers [R]" in found
    assert "keep is float64 [2]; expected whole numbers [R]" in found
    assert "is a list; return raymm.methods.ExtraRows" in words([], ones(2, 2))


def test_rows_that_stand_alone_have_groups_and_there_are_some():
    none, two = np.empty(0, int), np.array([0, 1])
    assert "base is False and there is no row" in words(ExtraRows(none, none, base=False), ones(2, 2))
    assert len(checked(ExtraRows(none, none), ones(2, 2), "Mine")) == 0
    alone = checked(ExtraRows(two, two + 1, base=False, group=np.array([3, -1], np.int8)), ones(2, 2), "Mine")
    assert (alone.base, alone.group.tolist(), alone.group.dtype) == (False, [3, -1], np.int64)
    assert checked(ExtraRows(two, two + 1, base=False), ones(2, 2), "Mine").group is None
    assert "group is for rows that stand alone" in words(ExtraRows(two, two + 1, group=two), ones(2, 2))
    for group, said in ((np.ones(2), "float64 [2]"), (np.ones(3, int), "int64 [3]"), (np.ones(1, int), "int64 [1]")):
        found = words(ExtraRows(two, two + 1, base=False, group=group), ones(2, 2))
        assert found == f"the plan of Mine: group is {said}; expected whole numbers [2]"


def test_means_are_over_the_samples_that_have_the_modality():
    phi = np.array([[1.0, np.nan, np.nan], [4.0, -3.0, np.nan], [1.0, np.nan, np.nan]])
    assert np.array_equal(mean_contributions(phi), [2.0, -3.0, np.nan], equal_nan=True)


def test_a_part_has_its_share_of_the_rows_and_one_at_least():
    rows = np.arange(10, 20)
    sizes = [len(random_subset(rows, part, seed=1)) for part in (0.01, 0.1, 0.26, 0.5, 1.0)]
    assert sizes == [1, 1, 3, 5, 10]
    assert random_subset(rows, 1.0, seed=1).tolist() == rows.tolist()
    assert len(random_rows(rows, 99, seed=0)) == 10
    assert random_rows(rows[:0], 3, seed=0).tolist() == []
    drawn = np.concatenate([random_rows(rows, 3, seed) for seed in range(500)])
    assert np.bincount(drawn - 10) / 500 == pytest.approx(np.full(10, 0.3), abs=5 * np.sqrt(0.21 / 500))
    assert all((np.diff(random_rows(rows, 6, seed)) > 0).all() for seed in range(20))


def test_rows_are_drawn_by_themselves():
    """A row that leaves changes nothing of the order of the others."""
    rows = np.arange(50)
    drawn = random_rows(rows, 20, seed=4)
    left = np.setdiff1d(rows, rows[~np.isin(rows, drawn)][:10])
    assert random_rows(left, 20, seed=4).tolist() == drawn.tolist()


def test_rows_of_many_pieces_are_drawn_as_at_once(monkeypatch):
    rows = np.arange(100, 141)
    at_once = random_rows(rows, 20, seed=2).tolist()
    monkeypatch.setattr(extra_rows, "PIECE", 8)
    assert random_rows(rows, 20, seed=2).tolist() == at_once
