"""Data sets of arrays from `.npz` files, as raymm's own format.

python -m bench.datasets --shared ../shared/data --name imu_digits --validation 10 --out DATA

mfeat: six feature views of handwritten digits, split at random (1,200 / 400 / 400). imu_digits: seven sensor
streams, split by time: of each class the last 15 drawings are the test split, and some before them validation. emoji:
two renderings and texts in two languages; openclipart: a drawing, its title and its tags, of which some are missing.
These two are split at random by groups of near copies (the same text but for man, woman or person; the same title but
for numbers), so that no group is in two splits. Of a group of drawings ten are kept: one is 151 playing cards, and a
validation split that is one group for the most part says how that group fares.

openclipart_tags: the drawing and its title, labelled with the twelve most frequent words of its tags (multilabel).
imu_vigour: accelerometer, gyroscope and position, labelled with how vigorously the digit was drawn (regression): half
of it shows in the turning, half in the pushing.
"""

import argparse
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raymm.data import (
    Dataset,
    ImageSpec,
    Sample,
    Schema,
    SequenceSpec,
    TextSpec,
    VectorSpec,
    open_dataset,
    write_dataset,
)
from raymm.data.kinds import ModalitySpec
from raymm.tasks import get_task

__all__ = ["CLASSES", "NAMES", "write"]

CLASSES = tuple("0123456789")
NAMES = ("mfeat", "imu_digits", "emoji", "openclipart", "openclipart_tags", "imu_vigour")
LABELS = 12
"""Tags that are labels of openclipart_tags."""
TEST = 15
VALIDATION = 5
NEAR_COPIES = 10
"""Drawings of a group of near copies that are kept."""
DRAWINGS = {"train": 600, "val": 250}

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Arrays:
    """A data set in memory: columns of modalities by name, labels, splits, names of the classes, and the task."""

    inputs: Columns
    label: np.ndarray
    split: np.ndarray
    classes: tuple[str, ...] = CLASSES
    task: str = "classification"


def write(shared: Path, name: str, out: Path, validation: int = VALIDATION) -> Dataset:
    """Write one of `NAMES` to a folder and open it; `validation` drawings of each class where it is split by time."""
    with np.load(shared / f"{_FILES.get(name, name)}.npz") as arrays:
        columns = {key: arrays[key] for key in arrays.files}
    found = _BY_TIME[name](columns, validation) if name in _BY_TIME else _READERS[name](columns)
    schema = Schema(
        modalities=tuple(_spec(key, values) for key, values in found.inputs.items()),
        classes=found.classes,
        task=get_task(found.task),
    )
    return open_dataset(write_dataset(out, _samples(found), schema))


def _spec(key: str, values: np.ndarray) -> ModalitySpec:
    if values.dtype.kind == "U":
        return TextSpec(name=key)
    if values.dtype == np.uint8:
        return ImageSpec(name=key, height=values.shape[2], width=values.shape[3])
    if values.ndim == 2:
        return VectorSpec(name=key, size=values.shape[1])
    return SequenceSpec(name=key, channels=values.shape[1], length=values.shape[2])


def _samples(found: Arrays) -> Iterator[Sample]:
    for row in range(len(found.label)):
        values = {key: _value(column[row]) for key, column in found.inputs.items()}
        yield Sample(f"sample-{row:04d}", str(found.split[row]), found.label[row].tolist(), values)


def _value(value: np.ndarray) -> np.ndarray | str | None:
    """An empty text is a missing modality."""
    return (str(value) or None) if value.dtype.kind == "U" else value


def _mfeat(columns: Columns) -> Arrays:
    order = np.random.default_rng(0).permutation(len(columns["y"]))
    split = np.full(len(order), "train", dtype="<U5")
    split[order[1200:1600]], split[order[1600:]] = "val", "test"
    return Arrays(_without(columns, "y"), columns["y"], split)


def _imu_digits(columns: Columns, validation: int) -> Arrays:
    split = np.full(len(columns["y"]), "train", dtype="<U5")
    for label in range(len(CLASSES)):
        rows = np.nonzero(columns["y"] == label)[0]
        rows = rows[np.argsort(columns["order"][rows], kind="stable")]
        split[rows[-TEST - validation : -TEST]], split[rows[-TEST:]] = "val", "test"
    return Arrays(_without(columns, "y", "stamp", "order"), columns["y"], split)


def _imu_vigour(columns: Columns, validation: int) -> Arrays:
    """Standardised logarithms of the root mean squares of linear acceleration and turning, added."""
    parts = [np.log(np.sqrt((columns[key] ** 2).mean(axis=(1, 2)))) for key in ("linear_acceleration", "gyroscope")]
    label = sum((part - part.mean()) / part.std() for part in parts)
    inputs = {key: columns[key] for key in ("accelerometer", "gyroscope", "position")}
    split = _imu_digits(columns, validation).split
    return Arrays(inputs, np.asarray(label, np.float64)[:, None], split, ("vigour",), "regression")


def _emoji(columns: Columns) -> Arrays:
    groups = [re.sub(r"\b(man|woman|person|men|women|people)\b", "", text.split("|")[0]) for text in columns["en"]]
    inputs = {name: _picture(columns[name]) for name in ("twemoji", "noto")}
    inputs |= {name: columns[name] for name in ("en", "de")}
    return Arrays(inputs, columns["y"], _by_groups(groups, {"train": 600, "val": 300}), _names(columns))


def _openclipart(columns: Columns) -> Arrays:
    few, groups = _few_of_each_group(columns)
    inputs = {"image": _picture(few["image"]), "title": few["title"], "tags": few["tags_clean"]}
    return Arrays(inputs, few["y"], _by_groups(groups, DRAWINGS), _names(columns))


def _few_of_each_group(columns: Columns) -> tuple[Columns, list[str]]:
    """Columns with the first drawings of each group of near copies, at most `NEAR_COPIES`, and the group of each."""
    groups = [
        re.sub(r"[\W\d_]+", " ", text.lower()).strip() or path
        for text, path in zip(columns["title"], columns["path"], strict=True)
    ]
    seen: Counter[str] = Counter()
    kept = []
    for row, group in enumerate(groups):
        seen[group] += 1
        if seen[group] <= NEAR_COPIES:
            kept.append(row)
    few = {name: values[kept] for name, values in _without(columns, "classes").items()}
    return few, [groups[row] for row in kept]


def _openclipart_tags(columns: Columns) -> Arrays:
    few, groups = _few_of_each_group(columns)
    words = [set(text.split()) for text in few["tags"]]
    counts = Counter(word for own in words for word in own)
    names = tuple(sorted(sorted(counts, key=lambda word: (-counts[word], word))[:LABELS]))  # of equals the first
    label = np.array([[name in own for name in names] for own in words])
    inputs = {"image": _picture(few["image"]), "title": few["title"]}
    return Arrays(inputs, label, _by_groups(groups, DRAWINGS), names, "multilabel")


_READERS = {"mfeat": _mfeat, "emoji": _emoji, "openclipart": _openclipart, "openclipart_tags": _openclipart_tags}
_BY_TIME = {"imu_digits": _imu_digits, "imu_vigour": _imu_vigour}
_FILES = {"openclipart_tags": "openclipart", "imu_vigour": "imu_digits"}


def _picture(values: np.ndarray) -> np.ndarray:
    """RGB over white, [N, 3, height, width]."""
    if values.shape[-1] == 4:
        opacity = values[..., 3:].astype(np.float32) / 255
        values = np.rint(values[..., :3] * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return values.transpose(0, 3, 1, 2)


def _by_groups(groups: list[str], sizes: dict[str, int]) -> np.ndarray:
    """Whole groups, in an order that their text decides, until each split has its size; the rest is for the test."""
    keys = [hashlib.sha256(" ".join(group.split()).encode()).hexdigest() for group in groups]
    split = np.full(len(keys), "test", dtype="<U5")
    order = np.argsort(keys, kind="stable")
    taken, names = 0, list(sizes)
    for position, row in enumerate(order):
        starts_group = position == 0 or keys[row] != keys[order[position - 1]]
        if starts_group and names and taken >= sizes[names[0]]:
            names, taken = names[1:], 0
        if not names:
            break
        split[row], taken = names[0], taken + 1
    return split


def _names(columns: Columns) -> tuple[str, ...]:
    return tuple(str(name) for name in columns["classes"])


def _without(columns: Columns, *names: str) -> Columns:
    return {key: values for key, values in columns.items() if key not in names}


def main() -> None:
    """Write one data set."""
    parser = argparse.ArgumentParser(prog="python -m bench.datasets")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--name", choices=NAMES, required=True)
    parser.add_argument("--validation", type=int, default=VALIDATION)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    print(f"{len(write(given.shared, given.name, given.out, given.validation))} samples in {given.out}")


if __name__ == "__main__":
    main()
