"""(h) Seconds of an epoch whose batches two workers read ahead, over the larger of reading alone and computing alone.

Clips of sound become log-mel spectrograms when they are read, which takes about as long as the model takes for them.
Where nothing overlaps the ratio is about 2, where everything does it is 1. It needs two cores: all computes with one
thread, and the workers together have as much to do as the process that trains.
"""

import statistics
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from bench.timing import Measured, seconds_of
from bench.trainer import trainer_of
from raymm.config import load
from raymm.data import AudioSpec, Batch, BatchReader, Dataset, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.data.loading import BatchLoader, BatchRequest
from raymm.methods import base_plan
from raymm.training.epoch import rank_parts, train_epoch

BAR = 1.15
ROUNDS = 7
WORKERS = 2
SAMPLES = 512
SECONDS = 3.0
SETTINGS = ("method.name=joint", "training.batch_size=32", "model.encoder.width=14", "view.noise_db.sound=10")


def run(_: Path) -> Measured:
    """Measure in turn, on data made here: reading, computing, an epoch that overlaps them, one that does not."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return _measure(_write(Path(folder) / "data"))


def _measure(dataset: Dataset) -> Measured:
    trainer = trainer_of(dataset, load(None, SETTINGS))
    reader = BatchReader(dataset, trainer.config.view)
    plan = base_plan(dataset.rows("train"), len(dataset.schema.names))
    here, read = BatchLoader(reader), _Read(reader)
    read.batches = [part.batch for part in rank_parts(trainer, here, plan, 0)]
    with BatchLoader(reader, WORKERS) as ahead:
        works = {
            "reading": lambda: list(rank_parts(trainer, here, plan, 0)),
            "computing": lambda: train_epoch(trainer, read, plan, 0),
            "overlapping": lambda: train_epoch(trainer, ahead, plan, 0),
            "in_turn": lambda: train_epoch(trainer, here, plan, 0),
        }
        for work in works.values():
            work()
        rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(ROUNDS)]
    ratios = {name: [one[name] / max(one["reading"], one["computing"]) for one in rounds] for name in works}
    seconds = {name: statistics.median(one[name] for one in rounds) for name in works}
    details = {"seconds": seconds, "in_turn": statistics.median(ratios["in_turn"]), "ratios": ratios["overlapping"]}
    ratio = statistics.median(ratios["overlapping"])
    return Measured("epoch / larger of reading and computing, two loader workers", ratio, "<=", BAR, details)


class _Read(BatchLoader):
    """Batches that were read before: what is left of an epoch is computing."""

    batches: list[Batch]

    def load(self, requests: Iterable[BatchRequest]) -> Iterator[Batch]:
        """The batches, whatever is requested."""
        del requests
        yield from self.batches


def _write(path: Path) -> Dataset:
    """Tones in noise, and a vector beside them; validation and test hold one sample each."""
    sound = AudioSpec(name="sound", rate=16000, seconds=SECONDS)
    schema = Schema(modalities=(sound, VectorSpec(name="place", size=8)), classes=("low", "high"))
    generator = np.random.default_rng(0)
    times = np.arange(int(sound.rate * SECONDS)) / sound.rate

    def samples() -> Iterator[Sample]:
        for row in range(SAMPLES + 2):
            label = row % 2
            tone = np.sin(2 * np.pi * (300 + 500 * label) * times) + 0.1 * generator.standard_normal(len(times))
            values = {"sound": (0.3 * tone).astype(np.float32), "place": generator.random(8).astype(np.float32)}
            split = ("val", "test")[row - SAMPLES] if row >= SAMPLES else "train"
            yield Sample(f"s{row:05d}", split, label, values)

    return open_dataset(write_dataset(path, samples(), schema))
