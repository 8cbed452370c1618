"""Data sets of one's own that the tests train on, and the same samples written to disk."""

import numpy as np
import torch
from torch.utils.data import Dataset

from raymm.data import Schema, SequenceSpec, TextSpec, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset

SPLITS = ("train", "val", "test")
CLASSES = ("cat", "dog")
WORDS = ("a quiet cat", "a loud dog")


class Clips(Dataset):
    """Vectors, series and texts that show one of two classes; every fifth sample has no text."""

    def __init__(self, count=60, seed=0, split=None, scale=1.0):
        self.rows = [row for row in range(count) if split is None or SPLITS[row % 3] == split]
        self.split, self.seed, self.scale = split, seed, scale
        self.reads = 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        self.reads += 1
        generator = np.random.default_rng([self.seed, row])
        label = row // 3 % 2
        item = {
            "pose": torch.from_numpy(self.scale * generator.normal(label, 1, 6)).float(),
            "imu": generator.normal(0.5 * label, 1, (2, 12)),
            "note": WORDS[label] if row % 5 else None,
            "label": CLASSES[label],
            "id": f"s{row:03d}",
        }
        return item if self.split else {**item, "split": SPLITS[row % 3]}


class Faulty(Clips):
    """Items that are not what they must be, at some indices."""

    faults = None

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return self.faults[index](item) if index in self.faults else item


class Restless(Clips):
    """Items that are others each time."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return {**item, "pose": item["pose"] + torch.rand(6)}


def clips(count=60, seed=0, scale=1.0):
    """A function by name."""
    return Clips(count, seed, scale=scale)


def three(count=60):
    """One data set a split."""
    return {
        "train": Clips(count, split="train"),
        "validation": Clips(count, split="val"),
        "test": Clips(count, split="test"),
    }


def numbered(count=60):
    """Labels are numbers, names of the classes an attribute; ids and splits are not known."""
    found = _Numbered(count)
    found.classes = list(CLASSES)
    return found


class _Numbered(Clips):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        kept = {name: item[name] for name in ("pose", "imu")}
        return kept, torch.tensor(CLASSES.index(item["label"]))


SCHEMA = Schema(
    modalities=[
        VectorSpec(name="pose", size=6),
        SequenceSpec(name="imu", channels=2, length=12),
        TextSpec(name="note"),
    ],
    classes=CLASSES,
)


def written(path, found=None, schema=SCHEMA):
    """The same samples as a data set on disk, in the order of the items."""
    found = Clips() if found is None else found
    samples = []
    for index in range(len(found)):
        item = found[index]
        values = {name: np.asarray(item[name]) if name != "note" else item[name] for name in schema.names}
        label = CLASSES.index(item["label"])
        samples.append(Sample(item["id"], found.split or item["split"], label, values))
    write_dataset(path, samples, schema)
    return open_dataset(path)
