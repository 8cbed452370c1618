"""Labels that are no class, in data sets and in manifests."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data import Sample, open_dataset, write_dataset
from raymm.errors import DataError
from tests.chaos.refusing import prepare_words, refused, refused_all
from tests.chaos.spoiling import set_cells, spoil_shard, train_words
from tests.data.clips import SPLITS

SAMPLES = 60
TITLE = "title:text"


def listing(folder, labels):
    """A manifest of texts; its labels are those given, in every split."""
    folder.mkdir()
    rows = [
        {"sample_id": f"{split}-{n}", "title": "a few words", "split": split, "label": label}
        for split in SPLITS
        for n, label in enumerate(labels)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "m.parquet")
    return folder / "m.parquet"


@pytest.mark.parametrize(
    ("row", "label"),
    [("B_labels_01_C", 4), ("B_labels_02_minus_1", -1), ("B_labels_03_minus_100", -100)],
)
@pytest.mark.parametrize("verb", ["train", "value"])
def test_a_label_of_a_data_set_that_is_no_class(capfd, tmp_path, data, row, label, verb):
    spoil_shard(data, set_cells("label", {17: label}))
    words = train_words(data)
    if verb == "value":
        words = ["value", "--data", data, "--model", "tests.games:own_model", "--out", tmp_path / "t.parquet"]
    said = refused(capfd, tmp_path, *words, *(["--backend", "local"] * (verb == "value")))
    assert f"sample 'sample-000017': label {label} is outside the 4 classes" in said
    assert str(data) in said


@pytest.mark.parametrize(
    ("row", "labels", "more", "words"),
    [
        (
            "B_labels_04_fraction",
            [0.5, 1],
            ["--classes", "0,1"],
            "sample 'train-0': label '0.5' is outside the classes",
        ),
        (
            "B_labels_06_no_class",
            ["a", "b"],
            ["--classes", "a,c"],
            "sample 'train-1': label 'b' is outside the classes",
        ),
        ("B_labels_08_one_class", ["a", "a"], [], "1 classes (a); classification needs 2 or more"),
    ],
)
def test_labels_of_a_manifest(capfd, tmp_path, row, labels, more, words):
    refusal = refused_all if "outside" in words else refused
    said = refusal(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", labels), TITLE, *more))
    assert "m.parquet" in said
    assert words in said


def test_B_labels_05_null(capfd, tmp_path, data):
    said = refused(capfd, tmp_path, *prepare_words(one_null(tmp_path / "media"), TITLE))
    assert "m.parquet: row 2, sample 'train-1': the label is empty" in said
    spoil_shard(data, set_cells("label", {17: None}))
    assert "row 17: its label is missing" in refused(capfd, tmp_path, *train_words(data))


def test_B_labels_07_huge(capfd, tmp_path, data):
    """It has no place in the type of a label, which is never cut to fit."""

    def huge(table):
        labels = pa.array([2**62, *table.column("label").to_pylist()[1:]], pa.int64())
        return table.set_column(table.schema.get_field_index("label"), "label", labels)

    schema = open_dataset(data).schema
    spoil_shard(data, huge)
    said = refused(capfd, tmp_path, *train_words(data))
    assert "part-00000.arrow: its column 'label' is int64; the schema in manifest.json says int32" in said
    with pytest.raises(DataError, match=f"sample 's': label {2**62} is outside the 4 classes"):
        write_dataset(tmp_path / "new", [Sample("s", "train", 2**62, {"m0": np.zeros(16)})], schema)


def one_null(folder):
    path = listing(folder, ["a", "b", "c"])
    pq.write_table(set_cells("label", {1: None})(pq.read_table(path)), path)
    return path
