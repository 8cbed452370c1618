"""Valuation views that are kept: the same bits as computed ones, found by those alone who would compute the same."""

import numpy as np
import pytest
import torch

from raymm.config import ViewConfig
from raymm.data import AudioSpec, BatchReader, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.data.feature_cache import cache_features, cached_features
from raymm.storage import commit_directory

NOISE = {"sound": -5.0, "vector": 3.0}


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(0)
    schema = Schema(
        modalities=(
            AudioSpec(name="sound", rate=8000, seconds=0.2),
            VectorSpec(name="vector", size=5),
            VectorSpec(name="plain", size=3),
        ),
        classes=("a", "b"),
    )

    def samples():
        for number in range(30):
            values = {
                "sound": None if number % 7 == 3 else generator.normal(size=1600).astype(np.float32),
                "vector": generator.normal(size=5).astype(np.float32),
                "plain": generator.normal(size=3).astype(np.float32),
            }
            yield Sample(f"s{number:02d}", ("train", "val", "test")[number % 3], number % 2, values)

    return open_dataset(write_dataset(tmp_path / "data", samples(), schema))


def view(dataset, seed=0, noise=NOISE):
    return BatchReader(dataset, ViewConfig(noise_db=noise), seed)


def inputs(made, rows=(5, 3, 29, 0, 10)):
    return made.batch(np.array(rows)).inputs


def test_a_kept_view_has_the_bits_of_a_computed_one(dataset):
    computed = inputs(view(dataset))
    assert cache_features(view(dataset))
    made = view(dataset)
    assert set(cached_features(made)) == {"sound", "vector"}
    kept = inputs(made)
    assert {name: torch.equal(kept[name], computed[name]) for name in computed} == dict.fromkeys(computed, True)
    assert "sound" in made.__dict__["_cached"]


def test_computing_is_announced_and_reading_is_not(dataset):
    said = []
    for _ in range(2):
        assert cache_features(view(dataset), said.append)
        assert said == ["features of sound, vector are computed once, 30 samples"]


def test_what_is_kept_is_read_and_not_computed_again(dataset, monkeypatch):
    cache_features(view(dataset))
    monkeypatch.setattr(AudioSpec, "transform", lambda *_: pytest.fail("computed"))
    inputs(view(dataset))
    with pytest.raises(pytest.fail.Exception):
        inputs(view(dataset, seed=1))


def test_augmented_batches_are_computed(dataset):
    cache_features(view(dataset))
    made = view(dataset)
    rows = np.array([0, 1])
    augmented = made.batch(rows, keys=made.augmentation_keys(0, rows)).inputs["sound"]
    assert not torch.equal(augmented, inputs(made, (0, 1))["sound"])


def test_another_seed_or_noise_keeps_another_view(dataset):
    for made in (view(dataset), view(dataset, seed=1), view(dataset, noise={"sound": -5.0})):
        assert cached_features(made) == {}
        cache_features(made)
        assert cached_features(made)
    assert not torch.equal(inputs(view(dataset))["sound"], inputs(view(dataset, seed=1))["sound"])
    cache_features(view(dataset, noise={}))
    assert cached_features(view(dataset, seed=9, noise={})), "without noise the seed does not matter"


def test_a_view_that_was_cut_off_does_not_count(dataset, monkeypatch):
    monkeypatch.setattr(
        "raymm.data.feature_cache.commit_directory", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    assert not cache_features(view(dataset))
    assert cached_features(view(dataset)) == {}
    assert list((dataset.path / "views").iterdir()) == []


def test_a_view_that_is_too_large_is_not_kept(dataset, monkeypatch):
    monkeypatch.setattr("raymm.data.feature_cache.MAX_BYTES", 100)
    assert not cache_features(view(dataset))
    assert not (dataset.path / "views").exists()


def test_the_data_set_is_whole_with_a_view_beside_it(dataset):
    cache_features(view(dataset))
    assert open_dataset(dataset.path, check=True).digest == dataset.digest


def damaged(file, how):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 64
    {
        "flipped": lambda: file.write_bytes(bytes(content)),
        "cut": lambda: file.write_bytes(content[:-100]),
        "empty": lambda: file.write_bytes(b""),
        "gone": file.unlink,
        "a folder": lambda: (file.unlink(), file.mkdir()),
    }[how]()


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone", "a folder"])
@pytest.mark.parametrize("name", ["sound.npy", "manifest.json"])
def test_a_damaged_cache_is_not_read_and_is_written_anew(dataset, how, name, caplog):
    computed = inputs(view(dataset))
    cache_features(view(dataset))
    (folder,) = (dataset.path / "views").iterdir()
    damaged(folder / name, how)
    made = view(dataset)
    assert cached_features(made) == {}
    assert all(torch.equal(found, computed[key]) for key, found in inputs(made).items())
    if name == "sound.npy":
        assert f"cached features are damaged, and computed anew: {folder}: sound.npy" in caplog.text
    said = []
    assert cache_features(view(dataset), said.append)
    assert len(said) == 1
    again = view(dataset)
    assert set(cached_features(again)) == {"sound", "vector"}
    assert all(torch.equal(found, computed[key]) for key, found in inputs(again).items())


def test_a_cache_whose_manifest_names_no_files_is_not_read(dataset):
    cache_features(view(dataset))
    (folder,) = (dataset.path / "views").iterdir()
    for file in folder.iterdir():
        file.unlink()
    commit_directory(folder, {})
    assert cached_features(view(dataset)) == {}
