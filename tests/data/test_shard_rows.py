"""How many rows a shard has: by the bytes of a sample, and as it was begun where shards lie there already."""

import json

import pytest

from raymm.data import Schema, SequenceSpec, TextSpec, VectorSpec
from raymm.data.prepare import rows_of_shards
from raymm.data.record import Record
from raymm.storage import data_layout

RECORD = Record("s", "train", 0, "", {"m": "x" * 1_000})


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        (VectorSpec(name="m", size=2), 4_096),
        (VectorSpec(name="m", size=256), 2_048),
        (SequenceSpec(name="m", channels=8, length=1_024), 64),
        (SequenceSpec(name="m", channels=8, length=65_536), 64),
        (TextSpec(name="m"), 2_048),
    ],
)
def test_small_samples_share_a_shard(tmp_path, spec, rows):
    assert rows_of_shards([RECORD] * 3, Schema(modalities=[spec], classes=["a", "b"]), tmp_path) == rows


@pytest.mark.parametrize(("said", "rows"), [({}, 64), ({"samples": 640}, 640)])
def test_shards_are_continued_as_they_were_begun(tmp_path, said, rows):
    schema = Schema(modalities=[VectorSpec(name="m", size=2)], classes=["a", "b"])
    for number in (0, 1):
        sidecar = data_layout.sidecar_file(data_layout.shard_file(tmp_path, number))
        sidecar.parent.mkdir(exist_ok=True)
        sidecar.write_text(json.dumps({"digest": "", "rows": 64, "bad": [], **said}))
        assert rows_of_shards([RECORD], schema, tmp_path) == (rows if number else 4_096)
