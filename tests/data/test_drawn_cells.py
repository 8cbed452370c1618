"""Drawn manifests: words for nothing, numbers as classes, repeated columns, one file under many names."""

import csv
import json
import re
import shutil
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS
from raymm.data.tabular.read import read_table
from raymm.errors import DataError
from raymm.valuation import write_table
from tests.valuation.test_table import make_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn")


def write(folder, suffix, columns):
    """Columns as a table; None is an empty cell of CSV, and null elsewhere."""
    path = folder / f"m.{suffix}"
    rows = list(zip(*columns.values(), strict=True))
    if suffix == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(columns), *rows])
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    else:
        pq.write_table(pa.table(columns), path)
    return path


def load(folder, suffix, labels, **more):
    """The manifest of so many labels in each split."""
    columns = {"split": [split for split in SPLITS for _ in labels], "label": list(labels) * len(SPLITS)}
    texts = {"t": ["x"] * len(columns["label"])}
    return load_manifest(write(folder, suffix, {**columns, **texts, **more}), folder, {"t": "text"})


FORMATS = st.sampled_from(["csv", "parquet", "jsonl"])

NOTHING = [
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "None",
    "null",
    "NULL",
    "nil",
    "nan",
    "NaN",
    "-nan",
    "inf",
    "1.#IND",
    "-",
]


@settings(max_examples=25)
@given(
    suffix=FORMATS,
    labels=st.lists(st.sampled_from(NOTHING), min_size=2, max_size=2, unique=True),
    cells=st.lists(st.sampled_from([*NOTHING, "", " ", None]), min_size=6, max_size=6),
)
def test_words_for_nothing_stay_words_and_only_empty_cells_are_missing(folder, suffix, labels, cells):
    listing = load(folder, suffix, labels, t=cells)
    assert listing.classes == tuple(sorted(labels))
    assert [listing.classes[record.label] for record in listing.records] == labels * 3
    assert [record.cells["t"] for record in listing.records] == [
        cell if cell is not None and cell.strip() else None for cell in cells
    ]


GAPS = st.sampled_from([None, float("nan")])


@settings(max_examples=25)
@given(
    suffix=st.sampled_from(["parquet", "jsonl"]),
    texts=st.lists(GAPS | st.integers(-99, 99).map(lambda quarters: quarters / 4), min_size=6, max_size=6),
    gaps=st.dictionaries(st.integers(0, 5), GAPS, max_size=3),
)
def test_nan_and_null_are_missing_wherever_they_stand(folder, suffix, texts, gaps):
    texts = [*texts[:5], 0.25]
    known = [None if cell is None or np.isnan(cell) else cell for cell in texts]
    labels = [gaps.get(row, (1.0, 2.0)[row % 2]) for row in range(6)]
    columns = {"split": [split for split in SPLITS for _ in "ab"], "label": labels, "t": texts}
    path = write(folder, suffix, columns)
    if gaps:
        with pytest.raises(DataError) as caught:
            load_manifest(path, folder, {"t": "text"})
        named = re.findall(r"row (\d+), sample 'row-\d+': the label is empty", str(caught.value))
        assert [int(row) - 1 for row in named] == sorted(gaps)
        return
    listing = load_manifest(path, folder, {"t": "text"})
    assert listing.classes == ("1", "2")
    found = [record.cells["t"] for record in listing.records]
    assert [cell and float(cell) for cell in found] == [cell and float(cell) for cell in known]


WHOLE = st.integers(-20, 20) | st.integers(2**53 - 2, 2**53 + 2) | st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=25)
@given(numbers=st.lists(WHOLE, min_size=2, max_size=9, unique=True), suffix=FORMATS)
def test_drawn_whole_numbers_are_classes_by_value_and_named_in_the_valuation_table(folder, numbers, suffix):
    listing = load(folder, suffix, numbers)
    assert listing.classes == tuple(str(number) for number in sorted(numbers))
    labels = np.array([record.label for record in listing.records])
    table = make_table(rows=len(labels))
    info = replace(table.info, class_names=listing.classes)
    write_table(folder / "t.parquet", replace(table, info=info, label=labels, prediction=labels[::-1]))
    rows = pq.read_table(folder / "t.parquet")
    assert rows.column("label_name").to_pylist() == [str(number) for number in numbers] * 3
    assert rows.column("prediction_name").to_pylist() == [str(number) for number in numbers * 3][::-1]


ZEROS_IN_FRONT = st.tuples(st.sampled_from(["", "-"]), st.sampled_from(["", "0", "000"]), st.integers(0, 99)).map(
    lambda parts: "{}{}{}".format(*parts)
)
KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int16(), pa.string())]


@settings(max_examples=25)
@given(
    labels=st.lists(ZEROS_IN_FRONT, min_size=2, max_size=7, unique=True),
    kind=st.sampled_from(["csv", "jsonl", *KINDS]),
)
def test_numbers_with_zeros_in_front_are_classes_of_their_own_in_every_format(folder, labels, kind):
    if isinstance(kind, str):
        listing = load(folder, kind, labels)
    else:
        listing = load(folder, "parquet", labels, label=pa.array(labels * 3, pa.string()).cast(kind))
    assert [listing.classes[record.label] for record in listing.records] == labels * 3
    assert set(listing.classes) == set(labels)
    assert [int(name) for name in listing.classes] == sorted(map(int, labels))


NAME = st.sampled_from(["a", "b", "label", "Label", ""])
BLANKS = st.sampled_from(["", " ", "\u00a0"])


@settings(max_examples=25)
@given(
    names=st.lists(st.tuples(BLANKS, NAME, BLANKS).map("".join), min_size=2, max_size=6),
    delimiter=st.sampled_from(",;"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_drawn_columns_that_stand_twice_are_named_and_others_are_read(folder, names, delimiter, encoding):
    names = ["first", *names]
    cells = [f"c{place}" for place in range(len(names))]
    with (folder / "h.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([names, cells])
    counts = Counter(name.strip() for name in names if name.strip())
    twice = {name: count for name, count in counts.items() if count > 1}
    if not twice:
        expected = {name.strip(): cell for name, cell in zip(names, cells, strict=True) if name.strip()}
        assert read_table(folder / "h.csv").columns.to_pylist() == [expected]
        return
    with pytest.raises(DataError) as caught:
        read_table(folder / "h.csv")
    named = re.findall(r"column '(\w+)' appears (\d+) times; rename or remove", str(caught.value))
    assert {name: int(count) for name, count in named} == twice


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Files of three names in two folders, copies among them, and links to and between the folders."""
    root = tmp_path_factory.mktemp("tree") / "root"
    (root / "deep" / "deeper").mkdir(parents=True)
    for place in (root, root / "deep"):
        (place / "a.wav").write_bytes(b"x")
        shutil.copy(place / "a.wav", place / "copy.wav")
        (place / "link.wav").symlink_to("a.wav")
    (root / "again").symlink_to(".")
    (root / "near").symlink_to("deep/deeper")
    (root / "deep" / "up").symlink_to("..")
    return root


PLACES = ["", "./", ".//", "deep/", "deep/../", "again/", "deep/up/", "again/./deep//", "near/../", "deep/up/deep/"]


@settings(max_examples=25)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["a", "copy", "link"]), st.sampled_from(SPLITS)),
        min_size=2,
        max_size=6,
    )
)
def test_drawn_names_of_one_file_in_two_splits_are_that_file(tree, rows):
    files = [f"{place}{name}.wav" for place, name, _ in rows]
    splits = [split for _, _, split in rows]
    where = defaultdict(set)
    for file, split in zip(files, splits, strict=True):
        where[(tree / file).stat().st_ino].add(split)
    torn = sorted(", ".join(sorted(found)) for found in where.values() if len(found) > 1)
    whole = [(f"{split}-{label}.wav", split, label) for split in SPLITS for label in "ab"]
    columns = {
        "sample_id": [f"s{number}" for number in range(len(whole) + len(rows))],
        "file": [*(file for file, _, _ in whole), *files],
        "split": [*(split for _, split, _ in whole), *splits],
        "label": [*(label for _, _, label in whole), *("a" for _ in rows)],
    }
    path = write(tree.parent, "csv", columns)
    if not torn:
        load_manifest(path, tree, {"audio": "audio"}, allow_outside=True)
        return
    with pytest.raises(DataError) as caught:
        load_manifest(path, tree, {"audio": "audio"}, allow_outside=True)
    assert sorted(re.findall(r"is in two splits: (.*)", str(caught.value))) == torn
