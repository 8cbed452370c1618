"""Data sets of the experiments, prepared once in the working folder, with the settings of all arms on them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench import datasets
from bench.experiments.inputs import Inputs
from bench.experiments.planted import prototypes, show, write_vectors

__all__ = ["SETTINGS", "entry", "prepare_clips", "real"]

SETTINGS: dict[str, Any] = {
    "model": {"encoder": {"width": 16}},
    "optimizer": {"lr": 0.002, "decay": "all"},  # as the pages were measured
    "training": {"threads": 1},
}
"""Settings of every run: small encoders, one thread."""

QUICK: dict[str, Any] = {
    "model.encoder.width": 4,
    "model.feature_size": 8,
    "training.epochs": 2,
    "method.warmup": 1,
}
OF_SETS: dict[str, dict[str, Any]] = {
    "grid_digits": {"view.noise_db.audio": -10, "training.epochs": 9, "method.warmup": 3},
    "imu_digits": {"training.epochs": 15, "method.warmup": 4, "model.feature_size": 64},
    "mfeat": {"training.epochs": 6, "method.warmup": 2, "model.feature_size": 64},
    "emoji": {"training.epochs": 6, "method.warmup": 2},
    "openclipart": {"training.epochs": 7, "method.warmup": 2},
}
VALIDATION = 10
"""Drawings of each class that validate where a set is split by time."""
MODALITIES = {"grid_digits": 3, "imu_digits": 7, "mfeat": 6, "emoji": 4, "openclipart": 3}


def real(inputs: Inputs, name: str) -> dict[str, Any]:
    """A data set of `OF_SETS` as a study takes it: its folder and settings."""
    folder = inputs.work / "data" / name
    if not (folder / "manifest.json").exists():
        if inputs.quick:
            _stand_in(folder, MODALITIES[name])
        elif name == "grid_digits":
            prepare_clips(inputs.shared / name / "labels.csv", inputs.shared / name / "clips", folder)
        else:
            datasets.write(inputs.shared, name, folder, VALIDATION)
    return entry(inputs, folder, {} if inputs.quick else OF_SETS[name])


def entry(inputs: Inputs, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A prepared data set as a study takes it; with few epochs where the command only shows that it works."""
    return {"path": str(folder.absolute()), "settings": {**settings, **(QUICK if inputs.quick else {})}}


def prepare_clips(manifest: Path, clips: Path, out: Path, *settings: str, modalities: str = "audio,rgb,flow") -> None:
    """`raymm prepare` of clips, in a process of its own, with settings such as "rgb.fps=12"."""
    given = [part for each in settings for part in ("--set", each)]
    command = ["prepare", "--manifest", str(manifest), "--media-root", str(clips), "--modalities", modalities]
    last = ["--out", str(out), "--backend", "local", "--on-bad-sample", "quarantine"]
    subprocess.run([sys.executable, "-m", "raymm", *command, *given, *last], check=True)


def _stand_in(folder: Path, n: int) -> None:
    """Some samples of n modalities that all show the class, the later ones in more noise."""
    generator = np.random.default_rng(n)
    label = np.arange(120) % 3
    shown = np.repeat(label[:, None], n, axis=1)
    values = show(prototypes(n, 3, 6, generator), shown, np.linspace(0.1, 0.6, n), generator)
    write_vectors(folder, values, label, [f"m{i}" for i in range(n)])
