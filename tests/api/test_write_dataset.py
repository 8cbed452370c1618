"""`raymm.write_dataset`: columns, items and samples come back as they were given."""

import numpy as np
import pandas as pd
import pytest
import torch

import raymm
from raymm.data import Sample, Schema, VectorSpec
from raymm.errors import ConfigError, DataError

COUNT = 30
SPLITS = ["train", "val", "test"] * (COUNT // 3)


def columns():
    draw = np.random.default_rng(0)
    words = [None if row % 5 == 4 else f"word {row % 3}" for row in range(COUNT)]
    return {
        "pose": draw.normal(size=(COUNT, 3)).astype(np.float32),
        "pulse": torch.from_numpy(draw.normal(size=(COUNT, 2, 8)).astype(np.float32)),
        "face": draw.integers(0, 256, (COUNT, 3, 12, 8), dtype=np.uint8),
        "said": words,
    }


def check(dataset, given, labels, names):
    rows = np.arange(COUNT)
    for name in ("pose", "pulse"):
        assert np.array_equal(dataset.shards.read(name, rows), np.asarray(given[name]))
    assert np.array_equal(dataset.shards.read("face", rows), given["face"])
    present = dataset.present[:, dataset.schema.names.index("said")]
    assert present.tolist() == [word is not None for word in given["said"]]
    assert dataset.shards.read_text("said", rows[present]) == [word for word in given["said"] if word is not None]
    assert [dataset.schema.classes[label] for label in dataset.label] == [names[label] for label in labels]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, pd.Series, list])
def test_columns_come_back_as_they_were(tmp_path, kind):
    given, labels, names = columns(), [row % 2 for row in range(COUNT)], ["no", "yes"]
    ids, sources = [f"s{row}" for row in range(COUNT)], [f"{row}.mp4" for row in range(COUNT)]
    made = raymm.write_dataset(
        tmp_path / "d",
        given,
        labels=kind(labels),
        classes=names,
        splits=SPLITS,
        ids=ids,
        sources=sources,
        progress=None,
    )
    dataset = made.open()
    check(dataset, given, labels, names)
    assert dataset.shards.sample_id.tolist() == ids
    assert dataset.shards.split.tolist() == SPLITS
    assert dataset.shards.sources(np.arange(COUNT)) == sources
    assert {spec.name: spec.kind for spec in made.schema.modalities} == {
        "pose": "vector", "pulse": "sequence", "face": "image", "said": "text"
    }  # fmt: skip
    assert made.rows == COUNT
    assert raymm.write_dataset(
        tmp_path / "e", given, labels=labels, modalities={"pose": "vector"}, splits=SPLITS, progress=None
    ).schema.names == ("pose",)


def test_splits_are_drawn_by_the_seed_and_keep_groups(tmp_path):
    given = {"pose": columns()["pose"]}
    groups = [f"g{row // 3}" for row in range(COUNT)]
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        made = raymm.write_dataset(
            tmp_path / f"{number}", given, labels=[row // 3 % 2 for row in range(COUNT)], groups=groups, seed=seed
        )
        frame = made.to_pandas()
        assert frame.groupby(groups)["split"].nunique().max() == 1
        drawn.append(frame["split"].tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {"train", "val", "test"}


def test_items_and_samples_are_written_too(tmp_path):
    given, labels = columns(), [row % 2 for row in range(COUNT)]

    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return COUNT

        def __getitem__(self, row):
            return {name: column[row] for name, column in given.items()} | {
                "label": labels[row],
                "split": SPLITS[row],
            }

    check(raymm.write_dataset(tmp_path / "i", Items(), progress=None).open(), given, labels, ["0", "1"])
    schema = Schema(modalities=(VectorSpec(name="pose", size=3),), classes=("no", "yes"))
    samples = (Sample(f"s{row}", SPLITS[row], labels[row], {"pose": given["pose"][row]}) for row in range(COUNT))
    made = raymm.write_dataset(tmp_path / "s", samples, schema)
    assert np.array_equal(made.open().shards.read("pose", np.arange(COUNT)), given["pose"])


def test_it_is_trained(tmp_path):
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 60)
    given = {"a": draw.normal(size=(60, 4)) + labels[:, None], "b": draw.normal(size=(60, 2))}
    made = raymm.write_dataset(tmp_path / "d", given, labels=labels, progress=None)
    result = raymm.train(made, out=tmp_path / "run", epochs=1, method="joint", progress=None)
    assert result.values().modalities == ("a", "b")
    assert len(raymm.value(result, made, split="val", progress=None)) == len(made.open().rows("val"))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"labels": None}, ConfigError, "columns need labels, one a sample"),
        ({"labels": [0, 1]}, DataError, "'pose' has 30 rows, the labels have 2"),
        ({"ids": ["a"]}, DataError, "ids has 1 row, the labels have 30"),
        ({"data": {}}, DataError, "columns: there is none"),
        ({"data": {"split": np.zeros((COUNT, 2))}}, DataError, "'split' is no name of a modality here"),
        ({"data": {"pose": np.zeros(COUNT)}}, DataError, "'pose' is a single number; make it a vector of one"),
        ({"data": {"pose": np.full((COUNT, 2), np.nan)}}, DataError, "NaN or infinite"),
        ({"ids": ["a"] * COUNT}, DataError, "sample 'a': its id appears 30 times"),
        ({"splits": ["holdout"] * COUNT}, DataError, "holdout"),
        ({"modalities": "pose:vectr"}, ConfigError, "did you mean 'vector'?"),
        (
            {"schema": Schema(modalities=(VectorSpec(name="p", size=1),), classes=("a", "b"))},
            ConfigError,
            "labels, splits belong",
        ),
    ],
)
def test_mistakes_are_said_and_nothing_is_left_to_open(tmp_path, change, error, words):
    asked = {"data": {"pose": columns()["pose"]}, "labels": [row % 2 for row in range(COUNT)], "splits": SPLITS}
    with pytest.raises(error) as raised:
        raymm.write_dataset(tmp_path / "d", progress=None, **{**asked, **change})
    assert words in str(raised.value)
    with pytest.raises(DataError):
        raymm.open_dataset(tmp_path / "d")
