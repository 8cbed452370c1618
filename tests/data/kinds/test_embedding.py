"""Sequences of feature vectors: padding and its mask change nothing."""

import numpy as np
import pytest
import torch

from raymm.config import EncoderConfig, ModelConfig, ViewConfig
from raymm.data import BatchReader, EmbeddingSpec, Sample, Schema, open_dataset, write_dataset
from raymm.data.dataset import Dataset
from raymm.data.in_memory import MemoryRows
from raymm.data.media.files import SampleFiles
from raymm.errors import ConfigError, DataError
from raymm.models.model import build_model
from tests.data.clips import SPLITS, manifest, prepare

SCHEMA = Schema(modalities=(EmbeddingSpec(name="e", tokens=5, size=3),), classes=("a", "b"))
SEQUENCES = [np.random.default_rng(n).normal(2, 3, (1 + n % 5, 3)).astype(np.float32) for n in range(12)]


@pytest.fixture
def dataset(tmp_path):
    samples = (Sample(f"s{n}", SPLITS[n % 3], n % 2, {"e": value}) for n, value in enumerate(SEQUENCES))
    return open_dataset(write_dataset(tmp_path / "data", samples, SCHEMA))


def test_statistics_are_those_of_the_tokens_without_padding(dataset):
    tokens = np.concatenate([SEQUENCES[row] for row in dataset.rows("train")])
    assert dataset.statistics["e"]["mean"] == pytest.approx(tokens.mean(axis=0), rel=1e-5)
    assert dataset.statistics["e"]["std"] == pytest.approx(tokens.std(axis=0), rel=1e-5)


def test_a_batch_holds_standardised_tokens_and_their_mask(dataset):
    values = BatchReader(dataset, ViewConfig()).batch(np.arange(12)).inputs["e"].numpy()
    mean, std = (np.array(dataset.statistics["e"][key]) for key in ("mean", "std"))
    for row, sequence in zip(values, SEQUENCES, strict=True):
        assert np.allclose(row[: len(sequence), :3], (sequence - mean) / std, atol=1e-5)
        assert row[:, 3].tolist() == [1.0] * len(sequence) + [0.0] * (5 - len(sequence))
        assert not row[len(sequence) :].any()


def test_more_padding_does_not_change_what_the_encoder_makes_of_it(dataset):
    encoder = build_model(SCHEMA, ModelConfig(encoder=EncoderConfig(width=8)), 0).encoders["e"].eval()
    values = BatchReader(dataset, ViewConfig()).batch(np.arange(12)).inputs["e"]
    padded = torch.cat([values, torch.zeros(12, 4, 4)], dim=1)
    assert torch.allclose(encoder(values), encoder(padded), atol=1e-6)
    longer = padded.clone()
    longer[:, -1, -1] = 1.0
    assert not torch.allclose(encoder(padded), encoder(longer), atol=1e-3), "a token of zeros is a token"


def test_values_from_memory_are_padded_alike(dataset):
    rows = MemoryRows(SCHEMA, {"e": SEQUENCES})
    served = BatchReader(Dataset(dataset.path, SCHEMA, rows, dataset.statistics, ""), ViewConfig()).batch(
        np.arange(12)
    )
    assert torch.equal(served.inputs["e"], BatchReader(dataset, ViewConfig()).batch(np.arange(12)).inputs["e"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((6, 3)), "has 6 vectors, the schema has room for 5: raise e.tokens"),
        (np.zeros((2, 4)), r"has shape \[2, 4\], the schema says \[1 to 5, 3\]"),
        (np.zeros((0, 3)), r"has shape \[0, 3\]"),
        (np.full((2, 3), np.nan), "holds 6 values that are NaN"),
        (np.full((2, 3), "x"), "not numbers"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, value, words):
    with pytest.raises(DataError, match=words):
        write_dataset(tmp_path / "d", [Sample("s", "train", 0, {"e": value})], SCHEMA)


def test_sizes_are_found_out_in_files(tmp_path):
    rows = [{"sample_id": f"s{n}", "e": f"{n}.npy", "label": "ab"[n % 2], "split": SPLITS[n // 4]} for n in range(12)]
    for n, value in enumerate(SEQUENCES):
        np.save(tmp_path / f"{n}.npy", value)
    prepare(manifest(tmp_path, rows), tmp_path, "e:embedding", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.schema["e"] == SCHEMA["e"]
    assert np.array_equal(dataset.shards.read("e", np.array([2]))[0, :3, :3], SEQUENCES[2])


def test_noise_in_decibels_is_refused(dataset):
    with pytest.raises(ConfigError, match="'e' is embedding, which takes no noise in dB"):
        BatchReader(dataset, ViewConfig(noise_db={"e": 0}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_or_become_zero_and_are_said(tmp_path, bad):
    array = np.array([[1, bad], [3, 4]], np.float32)
    np.save(tmp_path / "a.npy", array)
    for not_finite, expected in (("refuse", None), ("zero", [[1, 0], [3, 4]])):
        spec = EmbeddingSpec(name="e", tokens=2, size=2, not_finite=not_finite)
        files = SampleFiles(tmp_path)
        value = spec.decode("a.npy", files)
        if expected is None:
            assert spec.check(value) == ["holds 1 values that are NaN or infinite"]
            assert files.take_remarks() == []
        else:
            assert np.asarray(value).tolist() == expected
            assert spec.check(value) == []
            assert files.take_remarks() == ["not finite in places, where 0 is stored"]


def test_a_setting_that_came_later_is_written_only_where_it_is_chosen():
    before = {"name": "e", "kind": "embedding", "tokens": 2, "size": 2}
    assert EmbeddingSpec(name="e", tokens=2, size=2).model_dump() == before
    assert EmbeddingSpec(name="e", tokens=2, size=2, not_finite="zero").model_dump() == {
        **before,
        "not_finite": "zero",
    }
