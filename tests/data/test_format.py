"""Data sets on disk: what is written is what is read, mistakes are named, damage is noticed."""

from dataclasses import replace

import numpy as np
import pytest

from raymm.data import (
    AudioSpec,
    RgbSpec,
    Sample,
    Schema,
    SequenceSpec,
    TextSpec,
    VectorSpec,
    open_dataset,
    write_dataset,
)
from raymm.errors import DataError
from raymm.storage import is_committed

SCHEMA = Schema(
    modalities=(
        AudioSpec(name="audio", seconds=0.05),
        RgbSpec(name="rgb", frames=2, height=8, width=10),
        TextSpec(name="title"),
        VectorSpec(name="v", size=5),
        SequenceSpec(name="imu", channels=3, length=12),
    ),
    classes=("a", "b"),
)


def make_samples(count=600, missing=True):
    generator = np.random.default_rng(0)
    for number in range(count):
        values = {
            "audio": generator.normal(size=800).astype(np.float32),
            "rgb": generator.integers(0, 256, (2, 3, 8, 10), dtype=np.uint8),
            "title": f"sample number {number}",
            "v": generator.normal(size=5).astype(np.float32) * 3 + 7,
            "imu": generator.normal(size=(3, 12)).astype(np.float32),
        }
        if missing:
            values[SCHEMA.names[number % 5]] = None
        yield Sample(f"s{number}", ("train", "val", "test")[number % 3], number % 2, values, f"clip-{number}.mp4")


def test_round_trip_over_several_shards(tmp_path):
    write_dataset(tmp_path / "d", make_samples(), SCHEMA)
    dataset = open_dataset(tmp_path / "d", check=True)
    assert (len(dataset), dataset.schema) == (600, SCHEMA)
    assert len(list((tmp_path / "d" / "shards").iterdir())) == 3
    samples = list(make_samples())
    rows = np.array([599, 0, 257, 255, 256, 3])
    for position, name in enumerate(SCHEMA.names):
        expected = [samples[row].values[name] for row in rows]
        assert dataset.present[rows, position].tolist() == [value is not None for value in expected]
        if name == "title":
            assert dataset.shards.read_text(name, rows) == [value or "" for value in expected]
            continue
        found = dataset.shards.read(name, rows)
        for value, wanted in zip(found, expected, strict=True):
            assert np.array_equal(value, np.zeros_like(value) if wanted is None else wanted)
    assert dataset.shards.sample_id[rows].tolist() == [samples[row].sample_id for row in rows]
    assert dataset.shards.sources(rows) == [samples[row].source for row in rows]
    assert dataset.label[rows].tolist() == [samples[row].label for row in rows]


def test_statistics_are_those_of_the_training_split(tmp_path):
    write_dataset(tmp_path / "d", make_samples(), SCHEMA)
    train = [s.values["v"] for s in make_samples() if s.split == "train" and s.values["v"] is not None]
    statistics = open_dataset(tmp_path / "d").statistics
    assert statistics["v"]["mean"] == pytest.approx(np.mean(train, axis=0), abs=1e-4)
    assert statistics["v"]["std"] == pytest.approx(np.std(train, axis=0), abs=1e-4)
    assert len(statistics["imu"]["mean"]) == 3


def test_splits_hold_their_samples_and_unknown_ones_are_named(tmp_path):
    write_dataset(tmp_path / "d", make_samples(9), SCHEMA)
    dataset = open_dataset(tmp_path / "d")
    assert dataset.rows("val").tolist() == [1, 4, 7]
    with pytest.raises(DataError, match="no split 'tset'; did you mean 'test'"):
        dataset.rows("tset")


def test_of_an_id_that_is_too_long_the_beginning_is_said(tmp_path):
    first, *others = make_samples(9)
    long = replace(first, sample_id="i" * 1_001)
    with pytest.raises(DataError) as raised:
        write_dataset(tmp_path / "d", [long, long, *others], SCHEMA)
    assert f"sample '{'i' * 40}...': its id has 1001 characters, 1 to 1000 are allowed" in str(raised.value)
    assert f"sample '{'i' * 40}...': its id appears twice" in str(raised.value)
    assert "i" * 41 not in str(raised.value)


def test_an_empty_split_is_named(tmp_path):
    write_dataset(tmp_path / "d", (s for s in make_samples(9) if s.split != "val"), SCHEMA)
    with pytest.raises(DataError, match="split 'val' has no samples"):
        open_dataset(tmp_path / "d").rows("val")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"audio": np.zeros(700, np.float32)}, r"audio: has shape \[700\], the schema says \[800\]"),
        ({"v": np.array([1, 2, np.nan, np.inf, 5])}, "v: holds 2 values that are NaN or infinite"),
        ({"v": np.array(list("abcde"))}, "v: has type <U1, not numbers"),
        ({"title": 5}, "title: is int, not a string"),
        ({"vv": np.zeros(5)}, "modality 'vv' is not in the schema"),
        (dict.fromkeys(SCHEMA.names), "every modality is missing"),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path, change, words):
    good = list(make_samples(3, missing=False))
    bad = Sample("broken", "train", 0, {**good[0].values, **change})
    with pytest.raises(DataError, match=rf"sample 'broken': {words}"):
        write_dataset(tmp_path / "d", [*good, bad], SCHEMA)
    assert not is_committed(tmp_path / "d")


def test_all_mistakes_are_said_at_once(tmp_path):
    good = list(make_samples(2, missing=False))
    samples = [
        *good,
        good[0],
        Sample("x", "training", 0, good[0].values),
        Sample("y", "train", 2, good[0].values),
    ]
    with pytest.raises(DataError) as caught:
        write_dataset(tmp_path / "d", samples, SCHEMA)
    words = str(caught.value)
    assert "3 problems" in words
    assert "sample 's0': its id appears twice" in words
    assert "sample 'x': split 'training' is not one of train, val, test" in words
    assert "sample 'y': label 2 is outside the 2 classes" in words


def test_a_data_set_is_not_written_over(tmp_path):
    write_dataset(tmp_path / "d", make_samples(3), SCHEMA)
    with pytest.raises(DataError, match="holds a data set already"):
        write_dataset(tmp_path / "d", make_samples(3), SCHEMA)


def test_an_unfinished_data_set_does_not_exist(tmp_path):
    write_dataset(tmp_path / "d", make_samples(3), SCHEMA)
    (tmp_path / "d" / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"no manifest\.json there, so it was never finished"):
        open_dataset(tmp_path / "d")


def test_a_changed_byte_is_noticed(tmp_path):
    write_dataset(tmp_path / "d", make_samples(3), SCHEMA)
    shard = tmp_path / "d" / "shards" / "part-00000.arrow"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=r"part-00000\.arrow was changed after it was written"):
        open_dataset(tmp_path / "d", check=True)


def test_a_truncated_shard_is_noticed_without_the_check(tmp_path):
    write_dataset(tmp_path / "d", make_samples(3), SCHEMA)
    shard = tmp_path / "d" / "shards" / "part-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"part-00000\.arrow: has \d+ bytes, \d+ were written"):
        open_dataset(tmp_path / "d")
