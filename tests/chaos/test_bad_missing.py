"""Modalities that are missing: allowed, or not."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from raymm.data import Batch, open_dataset
from raymm.errors import DataError
from tests.chaos.refusing import prepare_words, refused, refused_sample, taken
from tests.data.clips import SPLITS, collection, manifest

TWO = "a:vector,b:vector"
ALL = ["--set", "a.size=2", "--set", "b.size=2"]


def listing(folder, **first):
    """Six samples of two vectors; the cells of the first one are as given."""
    folder.mkdir()
    rows = [
        {"sample_id": f"s{n}", "a": [1.0, n], "b": [2.0, n], "split": split, "label": label}
        for n, (split, label) in enumerate((split, label) for split in SPLITS for label in "xy")
    ]
    rows[0].update(first)
    kinds = {name: pa.list_(pa.float64()) for name in "ab"} | dict.fromkeys(
        ("sample_id", "split", "label"), pa.string()
    )
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(kinds)), folder / "m.parquet")
    return folder / "m.parquet"


@pytest.mark.parametrize("name", ["a", "b"])
def test_B_missing_01_null(capfd, tmp_path, name):
    """It is a missing modality, in the data set as in the manifest; nothing stands in for it."""
    taken(capfd, *prepare_words(listing(tmp_path / "media", **{name: None}), TWO, *ALL))
    dataset = open_dataset(tmp_path / "out")
    expected = np.ones((6, 2), bool)
    expected[0, "ab".index(name)] = False
    assert np.array_equal(dataset.present, expected)


def test_B_missing_02_no_column(capfd, tmp_path):
    said = refused(capfd, tmp_path, *prepare_words(listing(tmp_path / "media"), "a:vector,c:vector"))
    assert "m.parquet: no column 'c' for the modality" in said


def test_B_missing_03_empty_list(capfd, tmp_path):
    said = refused_sample(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", b=[]), TWO, *ALL))
    assert "sample 's0'" in said
    assert "b: has shape [0], the schema says [2]" in said


def test_B_missing_04_every_modality(capfd, tmp_path):
    said = refused_sample(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", a=None, b=None), TWO, *ALL))
    assert "sample 's0'" in said
    assert "every modality is missing" in said


def test_B_missing_05_no_file(capfd, tmp_path):
    listed = manifest(tmp_path / "media", collection(tmp_path / "media"))
    (listed.parent / "val-high-0.wav").unlink()
    said = refused_sample(capfd, tmp_path, *prepare_words(listed, "audio"))
    assert "sample 'val-high-0' (val-high-0.wav): audio: there is no file val-high-0.wav in the media root" in said


def test_B_missing_06_allowed(capfd, tmp_path):
    """A missing modality is no player: it is valued as missing, and the rest shares the whole."""
    taken(capfd, *prepare_words(listing(tmp_path / "media", a=None), TWO, *ALL))
    words = ["--data", tmp_path / "out", "--model", "tests.games:own_model", "--backend", "local", "--split", "train"]
    taken(capfd, "value", *words, "--utility", "probability", "--out", tmp_path / "t.parquet")
    first, second = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert first["phi_a"] is None
    assert np.isfinite([first["phi_b"], second["phi_a"], second["phi_b"]]).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_B_missing_05_rows_that_the_mask_does_not_say(rows):
    mask = torch.tensor([[True, True], [False, True], [True, False]])
    inputs = {"a": torch.zeros(2, 4), "b": torch.zeros(rows, 4)}
    with pytest.raises(DataError, match=rf"a batch has {rows} rows of 'b'; by its mask they are 2"):
        Batch(inputs, mask, labels=torch.zeros(3, dtype=torch.int64), index=torch.arange(3))
