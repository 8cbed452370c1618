"""Regression: a planted score like a sentiment, of which each of three modalities shows a part in noise.

The score is y = sum of w_i s_i with independent standard normal s_i; modality i shows s_i along a direction, in
normal noise of deviation r_i in every number. The best estimate of s_i from its vector leaves 1 - 1 / (1 + r_i^2) of
its variance, so R^2 of the best model of any modalities S is known: the sum over S of w_i^2 / (1 + r_i^2), over that
of all w_i^2.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.planted import splits_of
from bench.experiments.sections import add_costs, add_runs, mean_text
from bench.experiments.sets import entry
from bench.experiments.studies import runs_of, study_of
from raymm.data import Sample, Schema, VectorSpec, write_dataset
from raymm.study.results import StudyResults
from raymm.tasks import get_task

__all__ = ["known_r2", "planted_scores", "run"]

NAMES = ("text", "voice", "face")
WEIGHT = np.array([2.0, 1.0, 0.5])
NOISE = np.array([0.5, 0.4, 0.3])
SIZE = 16
ARMS = ("joint", "multitask", "coalition", "sample")
SETTINGS = {
    "training.epochs": 12,
    "method.warmup": 3,
    "model.feature_size": 16,
    "valuation.utility": "soft_count",
}

QUESTION = (
    "Do the methods carry over to regression? A score is the sum of three independent parts, of weights 2, 1 and "
    "0.5; text, voice and face each show one of them, in noise. How much of the variance the best model of any "
    "modalities explains is known. Contributions are of the utility soft_count, which grades an answer by its error."
)


def run(inputs: Inputs) -> Page:
    """Train all arms on the planted scores and compare them with what the best model reaches."""
    folder = inputs.work / "data" / "sentiment"
    if not (folder / "manifest.json").exists():
        modalities = tuple(VectorSpec(name=name, size=SIZE) for name in NAMES)
        schema = Schema(modalities=modalities, classes=("score",), task=get_task("regression"))
        write_dataset(folder, _samples(120 if inputs.quick else 1200), schema)
    arms = {name: {} for name in ARMS}
    results = study_of(inputs, "sentiment", {"sentiment": entry(inputs, folder, SETTINGS)}, arms)
    page = Page("Transfer to regression", QUESTION)
    _add_scores(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page


def planted_scores(count: int, seed: int = 11) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Vectors [N, 3, size], and scores [N]."""
    generator = np.random.default_rng(seed)
    directions = generator.normal(size=(len(NAMES), SIZE))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    parts = generator.normal(size=(count, len(NAMES)))
    noise = NOISE[:, None] * generator.normal(size=(count, len(NAMES), SIZE))
    return (parts[..., None] * directions + noise).astype(np.float32), parts @ WEIGHT


def known_r2(which: npt.NDArray[np.bool_] | None = None) -> float:
    """R^2 of the best model of some modalities; default: of all.

    >>> round(known_r2(), 3)
    0.817
    """
    share = WEIGHT**2 / (1 + NOISE**2)
    return float(share[slice(None) if which is None else which].sum() / (WEIGHT**2).sum())


def _samples(count: int) -> Iterator[Sample]:
    values, scores = planted_scores(count)
    splits = splits_of(count)
    for row, score in enumerate(scores):
        yield Sample(f"sample-{row:05d}", splits[row], (float(score),), dict(zip(NAMES, values[row], strict=True)))


def _add_scores(page: Page, results: StudyResults) -> None:
    page.head(
        "Scores and contributions on test",
        "Means and standard deviations over seeds; the epoch was picked on validation. R2: the part of the variance "
        "that is explained, mae the mean absolute error. The last line is of the best model, of all modalities; "
        "behind the names of the modalities is R2 of the best model of each alone.",
    )
    alone = [known_r2(np.arange(len(NAMES)) == i) for i in range(len(NAMES))]
    names = [f"phi {name} ({r2:.2f})" for name, r2 in zip(NAMES, alone, strict=True)]
    rows = []
    for arm in ARMS:
        runs = runs_of(results, "sentiment", arm)
        scores = [mean_text([each.metrics[f"test/{metric}"] for each in runs], 1, 3) for metric in ("r2", "mae")]
        rows.append([arm, *scores, *(mean_text([each.metrics[f"phi/test_{n}"] for each in runs]) for n in NAMES)])
    rows.append(["known", f"{known_r2():.3f}", f"{_known_mae():.3f}", *[""] * len(NAMES)])
    page.table(["arm", "R2", "mae", *names], rows)


def _known_mae() -> float:
    """Mean absolute error of the best model, whose errors are normal."""
    left = (WEIGHT**2 * NOISE**2 / (1 + NOISE**2)).sum()
    return float(np.sqrt(2 * left / np.pi))
