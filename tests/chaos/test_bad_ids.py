"""Ids of samples that are no ids."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data import open_dataset
from raymm.storage import data_layout
from tests.chaos.refusing import contents, prepare_words, refused, refused_all, taken
from tests.chaos.spoiling import commit_again, set_cells, spoil_shard, train_words
from tests.data.clips import SPLITS

SAMPLES = 60
TITLE = "title:text"


def listing(folder, ids, of=None):
    """A manifest of six texts, whose first ids are those given."""
    folder.mkdir(exist_ok=True)
    splits = [split for split in SPLITS for _ in range(2)]
    table = pa.table(
        {
            "sample_id": pa.array(ids, of),
            "title": ["some words"] * 6,
            "split": splits,
            "label": ["a", "b"] * 3,
        }
    )
    pq.write_table(table, folder / "m.parquet")
    return folder / "m.parquet"


def test_B_ids_01_twice_in_a_manifest(capfd, tmp_path):
    said = refused(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", [*"abcdea"]), TITLE))
    assert "m.parquet: sample 'a': its id appears 2 times" in said


def test_B_ids_02_twice_across_shards(capfd, tmp_path, data):
    shutil.copy(data_layout.shard_file(data, 0), data_layout.shard_file(data, 1))
    commit_again(data, rows=2 * SAMPLES)
    said = refused_all(capfd, tmp_path, *train_words(data))
    assert f"{data}: 21 problems" in said
    assert "sample 'sample-000000': its id appears 2 times" in said


def test_B_ids_02_once_across_shards(capfd, tmp_path, data):
    """One id of the second shard is one of the first."""
    shutil.copy(data_layout.shard_file(data, 0), data_layout.shard_file(data, 1))
    ids = {row: f"other-{row}" for row in range(SAMPLES) if row != 30}
    spoil_shard(data, set_cells("sample_id", ids), 1)
    commit_again(data, rows=2 * SAMPLES)
    said = refused(capfd, tmp_path, *train_words(data))
    assert f"{data}: sample 'sample-000030': its id appears 2 times" in said


@pytest.mark.parametrize(
    ("row", "sample_id", "words"),
    [
        ("B_ids_03_null", None, "row 17: its sample_id is missing"),
        ("B_ids_04_empty", "", "row 17: its sample_id is empty"),
        ("B_ids_06_1_MB", "x" * 2**20, "row 17: its sample_id has 1048576 characters, at most 1000 are allowed"),
    ],
)
def test_an_id_of_a_data_set(capfd, tmp_path, data, row, sample_id, words):
    spoil_shard(data, set_cells("sample_id", {17: sample_id}))
    assert words in refused(capfd, tmp_path, *train_words(data))


def test_B_ids_05_not_utf8(capfd, tmp_path):
    ids = [b"a", b"b", b"\xff\xfe", b"d", b"e", b"f"]
    said = refused(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", ids, pa.binary()), TITLE))
    assert "m.parquet: " in said
    assert "sample_id" in said


def test_B_ids_06_1_MB_in_a_manifest(capfd, tmp_path):
    ids = ["x" * 2**20, *"bcdef"]
    said = refused(capfd, tmp_path, *prepare_words(listing(tmp_path / "media", ids), TITLE))
    assert "m.parquet: row 1: its id has 1048576 letters (xxx" in said
    assert len(said) < 1000


def test_B_ids_07_looks_like_a_path(capfd, tmp_path):
    """It is a name and no more: nothing is written where it points to."""
    ids = ["../../evil", "/etc/evil", "a/b", "..", "C:\\evil", "d\0e"]
    deep = tmp_path / "deep" / "er" / "media"
    deep.mkdir(parents=True)
    taken(capfd, *prepare_words(listing(deep, ids), TITLE))
    out = deep.parent / "out"
    assert open_dataset(out).shards.sample_id.tolist() == ids
    command = ["value", "--data", out, "--model", "tests.games:TextModel", "--backend", "local"]
    taken(capfd, *command, "--out", deep.parent / "t.parquet", "--html", deep.parent / "t.html")
    outside = [name for name in contents(tmp_path) if not name.startswith("deep/er/")]
    assert outside == ["deep", "deep/er"]


def test_B_ids_08_other_types(capfd, tmp_path, data):
    """Numbers in the second shard, text in the first."""

    def numbers(table):
        return table.set_column(0, "sample_id", pa.array(range(1000, 1000 + len(table))))

    shutil.copy(data_layout.shard_file(data, 0), data_layout.shard_file(data, 1))
    spoil_shard(data, numbers, 1)
    commit_again(data, rows=2 * SAMPLES)
    said = refused(capfd, tmp_path, *train_words(data))
    assert "part-00001.arrow: its column 'sample_id' is int64; the schema in manifest.json says string; " in said
