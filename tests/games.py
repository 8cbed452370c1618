"""Small planted data sets that several tests train on."""

from pathlib import Path

import numpy as np

from raymm.config import Config, parse
from raymm.data import Dataset, open_dataset
from raymm.data.synthetic import planted_game

__all__ = ["settings", "small_dataset"]


def small_dataset(path: Path, count: int = 240) -> Dataset:
    """Two modalities: m0 nearly always shows the label, m1 often does and is noisier."""
    generator = np.random.default_rng(0)
    carriers = np.stack([generator.random(count) < 0.95, generator.random(count) < 0.6], axis=1)
    carriers[~carriers.any(axis=1), 0] = True
    planted_game(carriers, noise=np.array([0.2, 0.5])).write(path)
    return open_dataset(path)


def settings(**sections: dict[str, object]) -> Config:
    """A run of a few seconds; sections are laid over it."""
    base: dict[str, dict[str, object]] = {
        "training": {"epochs": 4, "batch_size": 32, "threads": 1},
        "resampling": {"strategy": "sample", "warmup": 1},
        "optimizer": {"lr": 0.005},
        "model": {"feature_size": 16, "encoder": {"width": 8}},
        "cluster": {"workers": 2, "actors": 2},
    }
    for name, values in sections.items():
        base[name] = {**base.get(name, {}), **values}
    return parse(base)
