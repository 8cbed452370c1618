"""Small planted data sets that several tests train on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from raymm.config import Config, parse
from raymm.data import Dataset, Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.tasks import get_task
from raymm.tracking.metrics import MEMORY
from raymm.training.checkpoint import Checkpoint
from raymm.training.context import RunContext
from raymm.training.loop import advance, load_or_init
from raymm.valuation.utilities import Utility, is_correct
from tests.planted import planted_game

__all__ = [
    "DOUBLE",
    "HALF",
    "OwnModel",
    "StopError",
    "advanced",
    "drawing_model",
    "gappy_dataset",
    "gappy_datasets",
    "held_model",
    "no_model",
    "own_model",
    "settings",
    "small_dataset",
    "stop_after",
    "untimed",
    "wrong_model",
]


def small_dataset(path: Path, count: int = 240) -> Dataset:
    """Two modalities: m0 nearly always shows the label, m1 often does and is noisier."""
    generator = np.random.default_rng(0)
    carriers = np.stack([generator.random(count) < 0.95, generator.random(count) < 0.6], axis=1)
    carriers[~carriers.any(axis=1), 0] = True
    planted_game(carriers, noise=np.array([0.2, 0.5])).write(path)
    return open_dataset(path)


def gappy_dataset(path: Path, n: int, splits: tuple[str, ...], noise: tuple[float, float], task: str) -> Dataset:
    """Vectors that show one of three classes, noisier from modality to modality; every fourth sample lacks one.

    `noise` is that of the first modality, and what each further one has more.
    """
    generator = np.random.default_rng(n)
    vectors = tuple(VectorSpec(name=f"m{i}", size=6) for i in range(n))
    schema = Schema(modalities=vectors, classes=("a", "b", "c"), task=get_task(task))

    def samples() -> Iterator[Sample]:
        for row, split in enumerate(splits):
            chosen = row % 3
            label = tuple(c == chosen for c in range(3)) if task == "multilabel" else chosen
            values = {
                f"m{i}": (np.eye(6)[chosen] + (noise[0] + noise[1] * i) * generator.normal(size=6)).astype(np.float32)
                for i in range(n)
            }
            if n > 1 and row % 4 == 1:
                del values[f"m{row // 4 % n}"]
            yield Sample(f"s{row:02d}", split, label, values)

    write_dataset(path, samples(), schema)
    return open_dataset(path)


def gappy_datasets(folder: Path, splits: tuple[str, ...], noise: tuple[float, float]) -> Callable[..., Dataset]:
    """`get(n, task)`: data sets by number of modalities and task, made when they are first asked for."""
    made: dict[tuple[int, str], Dataset] = {}

    def get(n: int, task: str = "classification") -> Dataset:
        if (n, task) not in made:
            made[n, task] = gappy_dataset(folder / f"{task}-{n}", n, splits, noise, task)
        return made[n, task]

    return get


def settings(**sections: dict[str, object]) -> Config:
    """A run of a few seconds; sections are laid over it."""
    base: dict[str, dict[str, object]] = {
        "training": {"epochs": 4, "batch_size": 32, "threads": 1},
        "method": {"name": "sample", "warmup": 1},
        "optimizer": {"lr": 0.005},
        "model": {"feature_size": 16, "encoder": {"width": 8}},
        "cluster": {"workers": 2, "actors": 2},
    }
    for name, values in sections.items():
        base[name] = {**base.get(name, {}), **values}
    return parse(base)


def advanced(context: RunContext, epochs: int) -> Checkpoint:
    """The state of a run in training on one rank, once it has so many epochs."""
    state = load_or_init(context)
    while state.epoch < epochs:
        state = advance(context, state)
    return state


class StopError(Exception):
    """What a test raises to interrupt a run, or where a machine dies."""


def stop_after(epochs):
    """The `report` function of the training loop that interrupts it after so many epochs."""

    def report(history):
        if len(history) == epochs:
            raise StopError

    return report


def untimed(metrics):
    """Metrics without those that are the machine's: what a clock measured, and memory."""
    return {name: value for name, value in metrics.items() if not name.startswith("time/") and name != MEMORY}


HALF = Utility("half", lambda logits, labels, sizes: 0.5 * is_correct(logits, labels, sizes).double())
"""A utility of one's own, found by the name of this module; it has no fair share."""

DOUBLE = Utility(
    "double",
    lambda logits, labels, sizes: 2 * sizes * is_correct(logits, labels, sizes),
    by_size=lambda sizes: 2 * sizes,
    fair_share=2.0,
    largest_gap=float,
)
"""Twice `count`: the fair share is 2."""


class OwnModel(nn.Module):
    """A custom model: two linear encoders of vectors and a head that begins with a sum.

    Parameters
    ----------
    shift
        What `partials` says too much, to be caught.
    """

    def __init__(self, schema, shift=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.names = schema.names
        self.encoders = nn.ModuleDict({spec.name: nn.Linear(spec.size, 8) for spec in schema.modalities})
        self.first, self.last = nn.Linear(8, 6), nn.Linear(6, len(schema.classes))
        self.shift = shift

    def encode(self, batch):
        columns = []
        for position, name in enumerate(self.names):
            rows = torch.nonzero(batch.mask[:, position])[:, 0]
            column = torch.zeros(len(batch), 8)
            columns.append(column.index_copy(0, rows, self.encoders[name](batch.inputs[name])))
        return torch.stack(columns, dim=1)

    def fuse(self, features, mask):
        return self.finish(self.first((features * mask[..., None]).sum(dim=1)))

    def partials(self, features):
        return features @ self.first.weight.T + self.shift, self.first.bias

    def finish(self, sums):
        return self.last(torch.relu(sums))


class Held:
    """A custom model that is no module, and has one; its encoders drop at random where they are trained."""

    def __init__(self, schema):
        self.held = OwnModel(schema).train()
        for name, encoder in self.held.encoders.items():
            self.held.encoders[name] = nn.Sequential(encoder, nn.Dropout())

    def encode(self, batch):
        return self.held.encode(batch)

    def fuse(self, features, mask):
        return self.held.fuse(features, mask)


class Drawing(OwnModel):
    def encode(self, batch):
        return super().encode(batch) + torch.randn(8)


class TextModel(nn.Module):
    """A custom model over texts: two random features of each, and a linear head."""

    def __init__(self, schema):
        super().__init__()
        self.names = schema.names
        torch.manual_seed(1)
        self.head = nn.Linear(2, len(schema.classes))

    def encode(self, batch):
        features = torch.zeros(len(batch), len(self.names), 2)
        for position, name in enumerate(self.names):
            rows = torch.nonzero(batch.mask[:, position])[:, 0]
            sums = batch.inputs[name].float().sum(dim=1)
            features[rows, position] = torch.stack([(sums * 1.7).sin(), (sums * 2.3).cos()], dim=1)
        return features

    def fuse(self, features, mask):
        return self.head((features * mask[..., None]).sum(dim=1))


def own_model(schema):
    return OwnModel(schema)


def wrong_model(schema):
    return OwnModel(schema, shift=0.5)


def held_model(schema):
    return Held(schema)


def drawing_model(schema):
    return Drawing(schema)


def no_model(schema):
    return schema.names
