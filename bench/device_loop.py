"""Epochs of `raymm train` on a device, from stored frames and sound: samples a second by the place of transforms.

The data set is drawn and written first: frames uint8 and sound int16, as `raymm prepare` stores them. Each modality
has a ResNet-18. Rates are those that the runs themselves record (`time/samples_per_second`), of all epochs but the
first.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.device_step import Clips, clips_of
from raymm.config import load
from raymm.data import Dataset, Sample, open_dataset, write_dataset
from raymm.tracking.metrics import SAMPLES_PER_SECOND
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open

__all__ = ["LoopSize", "loop_rates"]

CLASSES = ("a", "b")
RATE = 16_000
LOUD = 3_000


@dataclass(frozen=True)
class LoopSize(Clips):
    """How large the data set, the model's inputs and a run are."""

    rows: int = 1024
    batch: int = 64
    workers: int = 8
    epochs: int = 3


def loop_rates(device: torch.device, size: LoopSize) -> dict[str, Any]:
    """Samples a second with values transformed by loader workers, and on the device; augmented, and as they are."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(Path(folder) / "data", size)
        rates = {
            f"{place}{', augmented' if augmented else ''}": _rate(dataset, device, size, place, augmented)
            for augmented in (False, True)
            for place in ("loader", "device")
        }
    return {"size": vars(size), "samples_per_second": rates}


def _rate(dataset: Dataset, device: torch.device, size: LoopSize, place: str, augmented: bool) -> float:
    settings = (
        "method=joint",
        "model.encoder.name=resnet18",
        "model.feature_size=128",
        f"training.epochs={size.epochs}",
        f"training.batch_size={size.batch}",
        f"training.loader_workers={size.workers}",
        f"training.precision={size.precision}",
        f"training.transforms={place}",
        f"view.augment={augmented}",
    )
    run = create_or_open(dataset.path.parent / f"{place}-{augmented}", load(None, settings), dataset)
    history = train(run, dataset, Backends(device=device)).history
    return max(entry["metrics"][SAMPLES_PER_SECOND] for entry in history[1:])


def _dataset(path: Path, size: LoopSize) -> Dataset:
    return open_dataset(write_dataset(path, _samples(size), clips_of(size, CLASSES)))


def _samples(size: LoopSize) -> Iterator[Sample]:
    generator = np.random.default_rng(0)
    few = max(4, size.rows // 100)
    splits = ("train",) * size.rows + ("val",) * few + ("test",) * few
    for row, split in enumerate(splits):
        values = {
            "rgb": generator.integers(0, 256, (size.frames, 3, size.side, size.side), dtype=np.uint8),
            "audio": (LOUD * generator.standard_normal(round(RATE * size.seconds))).astype(np.int16),
        }
        yield Sample(f"s{row:05d}", split, row % len(CLASSES), values)
