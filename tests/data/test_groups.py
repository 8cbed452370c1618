"""Groups of samples (speakers, patients): splits that keep them whole, what is warned of, and what is stored."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data import Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.data.groups import PARTS, assign_grouped_splits, torn_groups_note, units_of
from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS
from raymm.errors import DataError, Problems
from raymm.seeds import derive
from raymm.tasks import Classification, Regression
from tests.data.clips import manifest

CLASSES = ("a", "b", "c")


def assigned(labels, groups, seed=0):
    problems = Problems("m.csv")
    names = [f"s{row:04d}" for row in range(len(labels))]
    splits = assign_grouped_splits(
        np.array(labels), units_of(groups), names, Classification(), CLASSES, seed, problems
    )
    return splits, problems.items


@st.composite
def populations(draw):
    """Samples of 9 to 30 groups of 1 to 6 samples; each class is in three groups at least."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=9, max_size=30))
    labels, groups = [], []
    for number, size in enumerate(sizes):
        own = draw(st.lists(st.sampled_from(range(3)), min_size=size, max_size=size))
        own[0] = number % 3
        labels += own
        groups += [f"g{number}"] * size
    return labels, groups


@given(populations(), st.integers(0, 3))
def test_no_group_is_torn_apart_and_every_split_has_every_class(population, seed):
    labels, groups = population
    splits, problems = assigned(labels, groups, seed)
    assert not problems
    where = {}
    for group, split in zip(groups, splits, strict=True):
        assert where.setdefault(group, split) == split
    for split in SPLITS:
        assert {label for label, own in zip(labels, splits, strict=True) if own == split} == set(range(3))
    assert splits.count("train") >= max(splits.count("val"), splits.count("test")) or len(labels) < 30


def dealt_plainly(labels, groups, seed):
    """Splits by the rule, over a table of all groups and all classes; samples are named in their order."""
    names = sorted(set(groups), key=groups.index)
    counts = np.zeros((len(names), len(CLASSES)))
    for label, group in zip(labels, groups, strict=True):
        counts[names.index(group), label] += 1
    drawn = np.random.default_rng(derive(seed, "splits", "groups")).permutation(len(names))
    order = sorted(drawn.tolist(), key=lambda unit: -counts[unit].sum())
    total, split = np.maximum(counts.sum(axis=0), 1), {}
    lacking = {name: share * counts.sum(axis=0) for name, share in zip(SPLITS, PARTS, strict=True)}
    for left, unit in zip(range(len(order), 0, -1), order, strict=True):
        empty = [name for name in SPLITS if name not in split.values()]
        wanted = {name: math.fsum(lacking[name] / total * counts[unit]) for name in SPLITS}
        split[unit] = max(empty if left <= len(empty) else SPLITS, key=wanted.get)
        lacking[split[unit]] -= counts[unit]
    has = counts > 0

    def classes_in(name, without=None):
        return np.any(
            [has[unit] for unit in split if split[unit] == name and unit != without] or [[False] * 3], axis=0
        )

    for name, label in itertools.product(SPLITS, range(len(CLASSES))):
        if not classes_in(name)[label]:
            spare = [unit for unit in order[::-1] if has[unit, label]]
            spare = [unit for unit in spare if not (has[unit] & ~classes_in(split[unit], without=unit)).any()]
            split.update(dict.fromkeys(spare[:1], name))
    return [split[names.index(group)] for group in groups]


@given(populations(), st.integers(0, 3))
def test_units_are_dealt_as_over_a_table_of_all_groups_and_all_classes(population, seed):
    assert assigned(*population, seed)[0] == dealt_plainly(*population, seed)


@given(populations(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_decides_nothing(population, random):
    labels, groups = population
    splits, _ = assigned(labels, groups)
    order = list(range(len(labels)))
    random.shuffle(order)
    names = [f"s{row:04d}" for row in order]
    units = units_of([groups[row] for row in order])
    again = assign_grouped_splits(
        np.array(labels)[order], units, names, Classification(), CLASSES, 0, Problems("m.csv")
    )
    assert again == [splits[row] for row in order]


@given(st.lists(st.integers(-1, 2), min_size=12, max_size=60), st.randoms(use_true_random=False))
def test_equal_numbers_are_split_by_name_and_not_by_the_order_of_rows(values, random):
    labels = np.array(values, np.float32)[:, None]

    def split(order):
        names, units = [f"s{row:02d}" for row in order], units_of([f"g{row // 2}" for row in order])
        return assign_grouped_splits(labels[order], units, names, Regression(), ("y",), 0, Problems("m.csv"))

    splits, order = split(list(range(len(values)))), random.sample(range(len(values)), len(values))
    assert split(order) == [splits[row] for row in order]


def test_shares_are_those_of_single_samples_where_groups_are_small():
    labels = [row % 3 for row in range(1200)]
    splits, _ = assigned(labels, [f"g{row // 4}" for row in range(1200)])
    for label in range(3):
        own = [split for split, found in zip(splits, labels, strict=True) if found == label]
        shares = [own.count(split) / len(own) for split in SPLITS]
        assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.02)
    assert assigned(labels, [f"g{row // 4}" for row in range(1200)], seed=1)[0] != splits


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        ([30, 30, *[1] * 40], (70, 16, 14)),
        ([10] * 10, (70, 20, 10)),
        ([20] * 5, (60, 20, 20)),
        ([40, 25, 20, 15], (65, 20, 15)),
        ([34, 33, 33], (34, 33, 33)),
        ([25] * 4, (50, 25, 25)),
    ],
)
def test_large_groups_are_dealt_as_near_to_the_shares_as_they_allow(sizes, shares):
    """Two groups of 30 belong into training together."""
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    names = [f"s{row:04d}" for row in range(100)]
    for seed in range(3):
        splits = assign_grouped_splits(
            np.zeros(100, np.int64), units_of(groups), names, Classification(), CLASSES[:1], seed, Problems("m.csv")
        )
        found = [splits.count(split) for split in SPLITS]
        assert found == pytest.approx(shares, abs=2 if sizes[0] == 30 else 0), seed


@pytest.mark.parametrize("count", range(3, 9))
def test_no_split_stays_empty(count):
    labels, units = np.linspace(0, 1, 8 * count)[:, None], np.repeat(np.arange(count), 8)
    names = [f"s{row:03d}" for row in range(8 * count)]
    splits = assign_grouped_splits(labels, units, names, Regression(), (), 0, Problems("m.csv"))
    assert set(splits) == set(SPLITS)


def test_a_class_of_two_groups_is_refused_by_name():
    labels = [0] * 9 + [1] * 9 + [2] * 8
    groups = [f"g{row}" for row in range(18)] + ["x"] * 4 + ["y"] * 4
    said = "1 of 3 classes have fewer groups than there are splits (3): c (2); add groups, give these classes one "
    assert assigned(labels, groups)[1] == [f"{said}common name, or leave their rows out"]


def test_units_are_joined_over_several_steps():
    files = ["a", "a", "b", "c", None, None]
    groups = ["x", None, "y", "y", "x", None]
    units = units_of(files, groups).tolist()
    assert units[0] == units[1] == units[4]
    assert units[2] == units[3]
    assert len(set(units)) == 3


def rows_of(groups, splits=None, column="speaker"):
    rows = [
        {"sample_id": f"s{row:03d}", "label": "ab"[row % 2], "pose": f"p{row}.npy", column: group}
        for row, group in enumerate(groups)
    ]
    return [{**row, **({"split": splits[number]} if splits else {})} for number, row in enumerate(rows)]


def test_a_manifest_deals_whole_groups_by_a_named_column_or_by_the_column_group(tmp_path):
    groups = [f"spk{row // 6}" for row in range(120)]
    named = load_manifest(manifest(tmp_path, rows_of(groups)), tmp_path, {"pose": "vector"}, group="speaker")
    usual = load_manifest(manifest(tmp_path, rows_of(groups, column="group")), tmp_path, {"pose": "vector"})
    apart = load_manifest(manifest(tmp_path, rows_of(groups)), tmp_path, {"pose": "vector"})
    for found in (named, usual):
        assert [record.group for record in found.records] == groups
        assert all(len({r.split for r in found.records if r.group == group}) == 1 for group in groups)
    assert any(len({r.split for r, own in zip(apart.records, groups, strict=True) if own == g}) > 1 for g in groups)
    assert not any(record.group for record in apart.records)


def test_given_splits_that_tear_groups_apart_are_warned_of_with_numbers(tmp_path):
    splits = [SPLITS[row % 3] for row in range(12)]
    groups = ["ann"] * 2 + [f"g{row}" for row in range(10)]
    rows = [{**row, "label": "ab"[number // 3 % 2]} for number, row in enumerate(rows_of(groups, splits))]
    found = load_manifest(manifest(tmp_path, rows), tmp_path, {"pose": "vector"}, group="speaker")
    said = "1 of 11 groups ('ann') is in more than one split, with 2 of 12 samples: results on test may be too good; "
    assert [note for note in found.notes if "groups" in note] == [
        f"{said}leave the column split out and they are kept whole"
    ]
    assert torn_groups_note(["ann", "ann"], ["val", "val"]) == ""


def test_a_column_of_groups_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no column 'speeker' for --group; did you mean 'speaker'\?"):
        load_manifest(manifest(tmp_path, rows_of(["x"] * 6)), tmp_path, {"pose": "vector"}, group="speeker")


def vectors(count, groups):
    schema = Schema(modalities=[VectorSpec(name="pose", size=2)], classes=("a", "b"))
    samples = [
        Sample(f"s{row}", SPLITS[row % 3], row // 3 % 2, {"pose": np.ones(2)}, group=groups[row])
        for row in range(count)
    ]
    return samples, schema


def test_groups_are_stored_and_read_and_data_sets_without_them_are_as_before(tmp_path):
    groups = ["ann", "", "bob", *[""] * 9]
    with_groups = open_dataset(write_dataset(tmp_path / "with", *vectors(12, groups)))
    without = open_dataset(write_dataset(tmp_path / "without", *vectors(12, [""] * 12)))
    assert with_groups.groups.tolist() == groups
    assert without.groups is None
    assert with_groups.digest != without.digest
    assert not (tmp_path / "without" / "groups.arrow").exists()


def test_changed_groups_are_refused(tmp_path):
    out = write_dataset(tmp_path / "d", *vectors(12, ["ann"] * 12))
    file = out / "groups.arrow"
    file.write_bytes(file.read_bytes().replace(b"annann", b"bobann", 1))
    with pytest.raises(DataError, match=r"groups.arrow was changed"):
        open_dataset(out)
