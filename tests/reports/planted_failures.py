"""Data sets, each with one planted failure, and how a run shows it; and clean ones, in which there is none.

Two modalities m0 and m1 of vectors, as in `tests.planted`; a training takes a second.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from raymm.data import open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.data.schema import SPLITS
from raymm.reports.diagnostics.of_run import FindingLog, facts_of
from raymm.seeds import derive
from raymm.tracking.base import NullTracker
from raymm.training.loop import Backends, train
from raymm.training.result import Result
from raymm.training.run import Run, create_or_open
from tests.games import settings
from tests.planted import planted_game

CLEAN_SEEDS = 20
SAMPLES = 600


@dataclass(frozen=True)
class Planted:
    """A planted failure: its samples by seed, and the settings of a run that shows it."""

    write: Callable[[Path, int], object]
    sections: dict[str, dict[str, object]]

    def found(self, folder: Path, seed: int) -> set[str]:
        """Train a run on the samples of a seed; returns the signatures that held in any epoch."""
        run, result = self.run(folder, seed)
        log = FindingLog(NullTracker(), facts_of(run, run.dataset()))
        log(result.history)
        return {name for name, _ in log.told}

    def run(self, folder: Path, seed: int) -> tuple[Run, Result]:
        """Train a run on the samples of a seed."""
        self.write(folder / "data", seed)
        dataset = open_dataset(folder / "data")
        sections = {**self.sections, "training": {"seed": seed, "epochs": 12, **self.sections.get("training", {})}}
        run = create_or_open(folder / "run", settings(**sections), dataset)
        return run, train(run, dataset, Backends())


def game(seed, shares=(1.0, 1.0), noise=(0.2, 0.2), *, samples=SAMPLES, parts=(0.45, 0.45), classes=4):
    """A game of two modalities, each of which shows the label of a share of the samples."""
    carriers = np.random.default_rng(derive(seed, "carriers")).random((samples, 2)) < np.array(shares)
    carriers[~carriers.any(axis=1), 0] = True
    return planted_game(carriers, noise=np.array(noise), seed=seed, parts=parts, classes=classes)


def clean(path, seed):
    """Both modalities show the label of every sample, equally well."""
    game(seed, noise=(0.3, 0.3)).write(path)


def noise_only(path, seed):
    """m1 is noise."""
    game(seed, (1.0, 0.0), (0.2, 0.5)).write(path)


def starved(path, seed):
    """m1 shows the label of two in five samples, m0 of nearly all and more clearly."""
    game(seed, (0.97, 0.4), (0.15, 0.4)).write(path)


def misleading(path, seed):
    """m1 shows the label in training, and the label of another sample in validation and test."""
    found = game(seed, noise=(0.3, 0.15))
    features = found.features.copy()
    for split in (1, 2):
        rows = np.flatnonzero(found.split == split)
        features[rows, 1] = features[np.random.default_rng(derive(seed, "misled", split)).permutation(rows), 1]
    replace(found, features=features).write(path)


def wrong_labels(path, seed, share=0.4, splits=(0,), **more):
    """A share of the samples of some splits, of training alone or of all, have the label of another sample."""
    found = game(seed, **more)
    generator = np.random.default_rng(derive(seed, "wrong"))
    drawn = (generator.random(len(found.label)) < share) & np.isin(found.split, splits)
    replace(found, label=np.where(drawn, generator.permutation(found.label), found.label)).write(path)


def ceiling(path, seed):
    """A fifth of all labels are those of other samples: an accuracy that is reached soon, and cannot be passed."""
    wrong_labels(path, seed, 0.2, (0, 1, 2))


def few_wrong(path, seed):
    """Few samples to train, most of them with the label of another; many to validate."""
    wrong_labels(path, seed, 0.6, samples=1000, parts=(0.25, 0.65))


def reversed_together(path, seed, classes=2):
    """Three in ten samples lack m1; those that have it show, in m0, the next class instead of their own."""
    found = game(seed, noise=(0.15, 0.15), classes=classes)
    has = np.random.default_rng(derive(seed, "has")).random(SAMPLES) < 0.7
    label = np.where(has, (found.label + 1) % classes, found.label)
    features = found.features.copy()
    features[:, 1] = 0.1 * np.random.default_rng(derive(seed, "m1")).normal(size=features[:, 1].shape) + 0.5
    rows = (
        Sample(f"s{row:05d}", SPLITS[found.split[row]], int(label[row]), _values(features[row], has[row]))
        for row in range(SAMPLES)
    )
    write_dataset(path, rows, found.schema)


def _values(features, has):
    return {"m0": features[0], "m1": features[1]} if has else {"m0": features[0]}


def shifted(path, seed):
    """Nine in ten validation samples of three classes are trained on, so most of the rest have the fourth."""
    found = game(seed, parts=(0.3, 0.4))
    moved = np.random.default_rng(derive(seed, "shifted")).random(SAMPLES) < 0.9
    moved &= (found.split == 1) & (found.label > 0)
    replace(found, split=np.where(moved, 0, found.split)).write(path)


CONSTANT = {"schedule": "constant"}
JOINT = {"name": "joint"}

FAILURES: dict[str, Planted] = {
    "at_chance": Planted(noise_only, {}),
    "low_contributor": Planted(starved, {"method": JOINT}),
    "breaks_right": Planted(misleading, {}),
    "accuracy_fell": Planted(wrong_labels, {"method": {"warmup": 5}, "optimizer": CONSTANT}),
    "no_difference": Planted(ceiling, {"method": {"name": "modality", "warmup": 6}}),
    "unstable_values": Planted(few_wrong, {"optimizer": {**CONSTANT, "lr": 0.05}}),
    "conflict": Planted(
        reversed_together,
        {"method": JOINT, "model": {"fusion": "film"}, "training": {"batch_size": 64, "epochs": 24}},
    ),
    "label_shift": Planted(shifted, {"method": JOINT}),
}

CLEAN: dict[str, Planted] = {
    "coalition": Planted(clean, {"method": {"name": "coalition"}}),
    "joint": Planted(clean, {"method": JOINT}),
    "sample": Planted(clean, {"method": {"name": "sample", "warmup": 2}, "optimizer": {"lr": 0.002}}),
}
