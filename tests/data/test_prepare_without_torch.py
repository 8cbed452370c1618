"""What `raymm prepare` loads: torch only for the kinds and settings that need it."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data import open_dataset
from raymm.data.media.write import write_clip, write_wav
from tests.data.clips import FPS, RATE, SPLITS, flashes, tone

PROGRAM = """
import json, sys
import raymm
given = json.loads(sys.argv[1])
raymm.prepare(given.pop("manifest"), given.pop("root"), given.pop("modalities"), progress=None, **given)
print(sorted({"torch", "torchaudio", "torchvision"} & set(sys.modules)))
"""


def loaded_by_prepare(folder, modalities, **options):
    import json

    given = {"manifest": str(folder / "rows.parquet"), "root": str(folder), "modalities": modalities, **options}
    words = [sys.executable, "-c", PROGRAM, json.dumps({**given, "out": str(folder / "out")})]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def collection(tmp_path):
    """Four samples a split, of every kind that a manifest may hold."""
    generator = np.random.default_rng(0)
    rows = [(split, label) for split in SPLITS for label in ("low", "high") for _ in range(2)]
    write_wav(tmp_path / "a.wav", tone(), RATE)
    write_clip(tmp_path / "a.mp4", flashes(), FPS, None, RATE)
    for number in range(len(rows)):
        (tmp_path / f"{number}.wav").write_bytes((tmp_path / "a.wav").read_bytes())
        (tmp_path / f"{number}.mp4").write_bytes((tmp_path / "a.mp4").read_bytes())
    columns = {
        "sample_id": [f"s{number}" for number in range(len(rows))],
        "split": [split for split, _ in rows],
        "label": [label for _, label in rows],
        "vector": list(generator.standard_normal((len(rows), 5))),
        "said": ["one two", "drei"] * (len(rows) // 2),
        "sound": [f"{number}.wav" for number in range(len(rows))],
        "video": [f"{number}.mp4" for number in range(len(rows))],
        "moved": [f"{number}.mp4" for number in range(len(rows))],
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    return tmp_path


def test_vectors_texts_sound_and_frames_are_prepared_without_torch(collection):
    kinds = "vector:vector,said:text,sound:audio,video:rgb,moved:flow"
    assert loaded_by_prepare(collection, kinds) == "[]"
    dataset = open_dataset(collection / "out")
    assert dataset.schema.names == ("vector", "said", "sound", "video", "moved")
    assert dataset.present.all()


def test_labels_that_are_sets_and_numbers_are_prepared_without_torch(collection):
    table = pq.read_table(collection / "rows.parquet")
    sets = [["low", "loud"], ["loud"]] * (len(table) // 2)
    pq.write_table(table.set_column(2, "label", pa.array(sets)), collection / "rows.parquet")
    assert loaded_by_prepare(collection, "vector:vector") == "[]"
    assert open_dataset(collection / "out").schema.task.name == "multilabel"


def test_regression_is_prepared_without_torch(collection):
    table = pq.read_table(collection / "rows.parquet")
    numbers = np.linspace(-1.25, 3.5, len(table))
    pq.write_table(table.set_column(2, "label", pa.array(numbers)), collection / "rows.parquet")
    assert loaded_by_prepare(collection, "vector:vector") == "[]"
    assert open_dataset(collection / "out").schema.task.settings.mean


def test_sound_at_another_rate_is_resampled_by_torchaudio(collection):
    found = loaded_by_prepare(collection, "sound:audio", settings={"sound.rate": 8000})
    assert "torchaudio" in found
