"""Names of splits, and how samples are assigned to them: shares, rare classes, files."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.schema import SPLITS
from raymm.data.splits import NAMES, assign_splits, read_splits, split_called
from raymm.errors import Problems
from raymm.tasks import Classification, MultiLabel, Regression

SPELT = {
    "train": "train training trn",
    "val": "val valid validation dev devel development",
    "test": "test testing tst",
}
"""Names that published collections give to their splits, written out here once more."""
CASES = [str.lower, str.upper, str.title]


def spelt(split):
    return st.builds(lambda name, change: change(name), st.sampled_from(SPELT[split].split()), st.sampled_from(CASES))


@pytest.mark.parametrize(("split", "name"), [(split, name) for split in SPELT for name in SPELT[split].split()])
def test_every_name_of_the_field_means_its_split(split, name):
    for change in CASES:
        problems = Problems("m.csv")
        found, note = read_splits([change(name)], ["a"], problems)
        assert (found, problems.items) == ([split], [])
        assert note == ("" if change(name) == split else f"splits '{change(name)}' are taken as {split}")
        assert split_called(f" {change(name)} ") == split


def test_no_other_name_is_understood():
    assert {split: sorted(names) for split, names in NAMES.items()} == {
        split: sorted(names.split()) for split, names in SPELT.items()
    }


@settings(max_examples=60, deadline=None)
@given(st.tuples(*map(spelt, SPLITS)))
def test_names_of_the_field_are_understood_and_said(names):
    problems = Problems("m.csv")
    found, note = read_splits(names, names, problems)
    assert found == list(SPLITS)
    assert not problems.items
    others = [name for name in names if name not in SPLITS]
    assert all(f"'{name}'" in note for name in others)
    assert bool(note) == bool(others)


def test_two_names_of_one_split_are_refused():
    problems = Problems("m.csv")
    read_splits(["dev", "val", "Val", "train"], list("abcd"), problems)
    assert problems.items == [
        "splits 'dev' and 'val' would both be val; give them one name, or leave the rows of one out"
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "its split is empty; write one of train, val, test, or leave the column out"),
        ("trian", "split 'trian' is not one of train, val, test"),
        ("Eval", "split 'Eval' is not one of train, val, test; it may mean val or test: write which"),
    ],
)
def test_other_names_are_refused_by_sample(cell, words):
    problems = Problems("m.csv")
    read_splits(["train", cell], ["a", "b"], problems)
    assert problems.items == [f"sample 'b': {words}"]


def assigned(counts, seed=0, task=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    problems = Problems("m.csv")
    classes = [f"c{n}" for n in range(len(counts))]
    files = [f"{n}.wav" for n in range(len(labels))]
    return labels, assign_splits(labels, files, task or Classification(), classes, seed, problems), problems.items


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(3, 40), min_size=2, max_size=8), st.integers(0, 99))
def test_a_class_with_three_files_is_in_every_split(counts, seed):
    labels, splits, problems = assigned(counts, seed)
    assert not problems
    for label, count in enumerate(counts):
        found = Counter(split for split, own in zip(splits, labels, strict=True) if own == label)
        assert set(found) == set(SPLITS)
        assert found["train"] >= found["val"]
        assert abs(found["train"] - 0.7 * count) <= 1.5


MANY = np.random.default_rng(48)


@pytest.mark.parametrize(
    "counts", [[7] * 1000, [3] * 1000, [3] * 999 + [3000], MANY.integers(3, 12, 1000), MANY.integers(3, 12, 1999)]
)
def test_each_of_a_thousand_classes_is_in_every_split(counts):
    labels, splits, problems = assigned(counts)
    assert not problems
    assert len(set(zip(labels.tolist(), splits, strict=True))) == 3 * len(counts)


@given(st.lists(st.integers(-1, 2), min_size=6, max_size=60), st.randoms(use_true_random=False))
def test_equal_numbers_are_split_by_name_and_not_by_the_order_of_rows(values, random):
    labels, files = np.array(values, np.float32)[:, None], [f"{row:02d}.wav" for row in range(len(values))]
    splits = assign_splits(labels, files, Regression(), ("y",), 0, Problems("m.csv"))
    order = random.sample(range(len(values)), len(values))
    files = [files[row] for row in order]
    again = assign_splits(labels[order], files, Regression(), ("y",), 0, Problems("m.csv"))
    assert again == [splits[row] for row in order]


def test_rare_classes_are_named_with_a_remedy():
    _, _, problems = assigned([20, 2, 1, 3])
    (said,) = problems
    assert said.startswith("2 of 4 classes have fewer files than there are splits (3): c1 (2), c2 (1); add files, ")


def test_rare_labels_of_several_a_sample_are_no_mistake():
    labels = np.array([[True, False]] * 20 + [[False, True]])
    problems = Problems("m.csv")
    assign_splits(labels, [str(n) for n in range(21)], MultiLabel(), ["a", "b"], 0, problems)
    assert not problems.items
