"""The digest of a data set: every file and the schema count, and digests of version 0.1.0 are still known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raymm.data.format as format_module
from raymm.config import load
from raymm.data import Sample, Schema, TextSpec, VectorSpec, open_dataset, write_dataset
from raymm.data.identity import digest_of, legacy_digest_of, same_data
from raymm.errors import CheckpointError, DataError
from raymm.storage import sha256_of
from raymm.training.run import create_or_open, open_run

SHARD = 256


def write(folder, last=0.0, shards=20, swap=None, classes=("a", "b")):
    """`shards` files whose last holds the number `last`; `swap` exchanges the numbers of two shards."""
    numbers = np.repeat(np.arange(shards, dtype=float), SHARD)
    if swap:
        first, second = (np.flatnonzero(numbers == shard) for shard in swap)
        numbers[first], numbers[second] = swap[1], swap[0]
    numbers[-1] = last
    samples = (
        Sample(f"s{row}", ("train", "val", "test")[row % 3], row % 2, {"v": np.array([number], np.float32)})
        for row, number in enumerate(numbers)
    )
    return open_dataset(
        write_dataset(folder, samples, Schema(modalities=(VectorSpec(name="v", size=1),), classes=classes))
    )


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    return write(tmp_path_factory.mktemp("twenty") / "data")


def test_equal_data_sets_have_one_digest(twenty, tmp_path):
    assert len(list((twenty.path / "shards").glob("*.arrow"))) == 20
    assert write(tmp_path / "again").digest == twenty.digest
    assert twenty.digest.startswith("sha256:")
    assert len(twenty.digest) == len("sha256:") + 64


def test_a_difference_in_the_last_of_twenty_files_is_seen(twenty, tmp_path):
    other = write(tmp_path / "other", last=1.0)
    assert other.legacy_digest == twenty.legacy_digest, "what version 0.1.0 could not see"
    assert other.digest != twenty.digest


def test_the_order_of_the_files_is_seen(twenty, tmp_path):
    other = write(tmp_path / "other", swap=(10, 11))
    assert other.legacy_digest == twenty.legacy_digest
    assert other.digest != twenty.digest


def test_the_schema_is_seen(twenty, tmp_path):
    other = write(tmp_path / "other", classes=("a", "c"))
    manifests = [json.loads((data.path / "manifest.json").read_text()) for data in (twenty, other)]
    assert manifests[0]["files"] == manifests[1]["files"]
    assert other.digest != twenty.digest


def test_size_and_name_of_a_file_are_seen_and_the_listing_order_is_not():
    files = {"a": {"bytes": 1, "sha256": "11"}, "b": {"bytes": 2, "sha256": "22"}}
    whole = digest_of({"schema": {}, "files": files})
    assert digest_of({"schema": {}, "files": dict(reversed(files.items()))}) == whole
    assert digest_of({"schema": {}, "files": {**files, "b": {"bytes": 3, "sha256": "22"}}}) != whole
    assert digest_of({"schema": {}, "files": {"a": files["a"], "c": files["b"]}}) != whole


@pytest.mark.usefixtures("without_waiting_for_the_disk")
@settings(max_examples=10)
@given(data=st.data(), samples=st.integers(3, 12), shard_rows=st.integers(1, 5))
def test_one_drawn_change_of_a_cell_gives_another_digest(tmp_path_factory, data, samples, shard_rows):
    """The cells of a sample: its id, split, label, a number, a text, and whether it has these."""
    folder = tmp_path_factory.mktemp("one")
    schema = Schema(modalities=(VectorSpec(name="v", size=2), TextSpec(name="t")), classes=("a", "b"))
    rows = [
        [f"s{row}", ("train", "val", "test")[row % 3], row % 2, np.array([row, 0], np.float32), f"text {row}"]
        for row in range(samples)
    ]

    def made(name):
        drawn = (Sample(*row[:3], {"v": row[3], "t": row[4]}) for row in rows)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(format_module, "SHARD_ROWS", shard_rows)
            return open_dataset(write_dataset(folder / name, drawn, schema)).digest

    first = made("first")
    assert made("again") == first
    row, cell = data.draw(st.integers(0, samples - 1)), data.draw(st.integers(0, 4))
    others = [
        f"s{row} ", {"train": "val", "val": "test", "test": "train"}[rows[row][1]], 1 - rows[row][2],
        data.draw(st.sampled_from([None, np.nextafter(rows[row][3], np.float32(9)), rows[row][3] * -1 - 1])),
        data.draw(st.sampled_from([None, f"text {row} ", "text"])),
    ]  # fmt: skip
    rows[row][cell] = others[cell]
    assert made("other") != first


@settings(max_examples=20)
@given(data=st.data(), files=st.integers(1, 12))
def test_one_drawn_byte_of_any_file_is_seen(tmp_path_factory, data, files):
    folder = tmp_path_factory.mktemp("bytes")
    content = [bytes([number, 0, 255, number]) for number in range(files)]

    def digest():
        entries = {f"shards/part-{number:05d}.arrow": one for number, one in enumerate(content)}
        for name, one in entries.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(one)
        about = {name: {"bytes": len(one), "sha256": sha256_of(folder / name)} for name, one in entries.items()}
        return digest_of({"schema": {}, "files": about})

    before = digest()
    file, place, bit = (data.draw(st.integers(0, most)) for most in (files - 1, 3, 7))
    changed = bytearray(content[file])
    changed[place] ^= 1 << bit
    content[file] = bytes(changed)
    assert digest() != before


def test_each_recorded_form_is_compared_with_its_own():
    dataset = SimpleNamespace(digest="sha256:ab", legacy_digest="cd")
    assert same_data("sha256:ab", dataset)
    assert same_data("cd", dataset)
    assert not same_data("ab", dataset)
    assert not same_data("sha256:cd", dataset)
    assert not same_data("ce", dataset)


def test_the_old_form_is_that_of_version_0_1_0():
    files = {f"f{number}": {"bytes": 1, "sha256": f"{number:064d}"} for number in range(3)}
    assert legacy_digest_of({"files": files}) == "00000000" * 3
    assert len(legacy_digest_of({"files": {f"f{n}": {"sha256": "0" * 64} for n in range(20)}})) == 64


CONFIG = ("training.epochs=1", "model.feature_size=4", "model.encoder.width=4", "method=joint")


def run_of_version_0_1_0(folder, dataset):
    """A run whose run.json records the digest in the old form."""
    run = create_or_open(folder, load(None, CONFIG), dataset)
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "digest": dataset.legacy_digest}))
    return run


def test_a_run_that_recorded_the_old_form_opens_and_keeps_its_record(twenty, tmp_path):
    run = run_of_version_0_1_0(tmp_path / "run", twenty)
    assert open_run(run.path).dataset().digest == twenty.digest
    again = create_or_open(run.path, load(None, CONFIG), twenty)
    assert (again.key, again.digest) == (run.key, twenty.legacy_digest), "parameters in MLflow cannot be changed"


def test_a_run_that_recorded_the_old_form_refuses_other_data(twenty, tmp_path):
    run = run_of_version_0_1_0(tmp_path / "run", twenty)
    other = write(tmp_path / "other", shards=1)
    with pytest.raises(CheckpointError, match=r"data: .* then, .* now"):
        create_or_open(run.path, load(None, CONFIG), other)


def test_a_run_refuses_data_that_differ_in_the_last_file_only(twenty, tmp_path):
    run = create_or_open(tmp_path / "run", load(None, CONFIG), twenty)
    other = write(tmp_path / "other", last=1.0)
    with pytest.raises(CheckpointError, match=r"data: .* then, .* now"):
        create_or_open(run.path, load(None, CONFIG), other)
    about = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**about, "data": str(other.path)}))
    with pytest.raises(DataError, match="changed since the run"):
        open_run(run.path).dataset()
