"""Parquet files that are damaged, that are something else, or that carry code."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data import open_dataset
from tests.chaos.refusing import prepare_words, refused, refused_all, taken
from tests.data.clips import SPLITS

TITLE = "title:text"
LABELS = "abc"


def table(count=1):
    """A manifest of texts."""
    keys = [(split, label, n) for split in SPLITS for label in LABELS for n in range(count)]
    return pa.table(
        {
            "sample_id": [f"{split}-{label}-{n}" for split, label, n in keys],
            "title": [f"words of {label}" for _, label, _ in keys],
            "split": [split for split, _, _ in keys],
            "label": [label for _, label, _ in keys],
        }
    )


@pytest.fixture
def file(tmp_path):
    (tmp_path / "media").mkdir()
    return tmp_path / "media" / "m.parquet"


def cut(file):
    pq.write_table(table(), file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flipped(file):
    """A bit of the footer, which says where everything is."""
    pq.write_table(table(), file)
    content = bytearray(file.read_bytes())
    content[-5] ^= 64  # the length of the footer
    file.write_bytes(content)


def nested(file, depth=1000):
    """A label that is a list of lists, a thousand deep."""
    kind, value = pa.string(), "a"
    for _ in range(depth):
        kind, value = pa.list_(kind), [value] if depth < 100 else None
    whole = table()
    labels = pa.array([value] * len(whole), kind)
    pq.write_table(whole.set_column(3, "label", labels), file)


def no_rows(file):
    pq.write_table(table()[:0], file)


def no_file(file):
    file.unlink(missing_ok=True)


def loop(file):
    file.symlink_to(file.name)


def wrong_checksum(file):
    """A byte of a text within a page whose checksum was written."""
    pq.write_table(table(), file, write_page_checksum=True, compression="none", use_dictionary=False)
    content = file.read_bytes()
    assert content.count(b"words of b") >= 3
    file.write_bytes(content.replace(b"words of b", b"words 0f b", 1))


@pytest.mark.parametrize(
    ("row", "spoil", "words"),
    [
        ("B_parquet_01_cut", cut, "m.parquet: not readable as .parquet"),
        ("B_parquet_02_flipped", flipped, "m.parquet: not readable as .parquet"),
        ("B_parquet_05_nested", nested, "m.parquet: not readable as .parquet"),
        (
            "B_parquet_05_nested_less",
            lambda file: nested(file, 20),
            "); a label is a text, a number or a list of them",
        ),
        ("B_parquet_06_no_rows", no_rows, "m.parquet: has no rows"),
        ("B_parquet_07_no_file", no_file, "m.parquet: no such file"),
        (
            "B_parquet_08_loop",
            loop,
            "m.parquet: not readable as .parquet ([Errno 40] Too many levels of symbolic links",
        ),
        (
            "B_parquet_10_checksum",
            wrong_checksum,
            "m.parquet: not readable as .parquet (could not verify page integrity",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read(capfd, tmp_path, file, row, spoil, words):
    spoil(file)
    assert words in refused(capfd, tmp_path, *prepare_words(file, TITLE))


def test_B_parquet_03_something_else(capfd, tmp_path, file):
    pq.write_table(pa.table({"when": [1.5], "titel": [3]}), file)
    said = refused_all(capfd, tmp_path, *prepare_words(file, TITLE))
    assert "m.parquet: 2 problems" in said
    assert "no column 'label'" in said
    assert "no column 'title' for the modality; did you mean 'titel'?" in said


def test_B_parquet_04_extension_type(capfd, tmp_path, file):
    """The metadata of a column names a pickled type that would run code when it is made."""
    canary = tmp_path / "canary"
    code = f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()
    marks = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": code}
    whole = table()
    field = pa.field("title", pa.string(), metadata=marks)
    pq.write_table(whole.set_column(1, field, whole.column("title")), file)
    assert b"ARROW:schema" in pq.ParquetFile(file).metadata.metadata
    taken(capfd, *prepare_words(file, TITLE))
    assert not canary.exists()
    assert len(open_dataset(tmp_path / "out")) == len(whole)


def test_B_parquet_09_mixed_compression(capfd, tmp_path, file):
    compression = {"sample_id": "zstd", "title": "gzip", "split": "none", "label": "snappy"}
    pq.write_table(table(), file, compression=compression, row_group_size=2)
    taken(capfd, *prepare_words(file, TITLE))
    dataset = open_dataset(tmp_path / "out")
    assert dataset.shards.sample_id.tolist() == table()["sample_id"].to_pylist()
    assert dataset.label.tolist() == [0, 1, 2] * 3
