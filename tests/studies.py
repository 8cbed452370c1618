"""Made-up results of studies: runs with the accuracies, costs and test tables that a test says."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from raymm.storage.layout import result_folder, valuation_file
from raymm.study.results import RunRecord, StudyResults
from raymm.valuation.bits import pack_bits
from raymm.valuation.table import TableInfo, ValuationTable
from raymm.valuation.table_file import write_table

__all__ = ["plausible", "record", "results_of", "write_test_table"]

COSTS = ("rows", "encodings", "fusions", "backwards", "seconds", "cpu_seconds", "memory")


def record(
    data: str,
    arm: str,
    seed: int,
    accuracy: float,
    metrics: Mapping[str, float] | None = None,
    cost: float = 1.0,
    path: Path = Path("nowhere"),
    history: Sequence[Mapping[str, object]] = (),
) -> RunRecord:
    """A run that ended with an accuracy; all its costs are `cost`."""
    of_run = {"test/accuracy": accuracy, **(metrics or {})}
    return RunRecord(data, arm, seed, path, of_run, history, dict.fromkeys(COSTS, cost))


def results_of(runs: Sequence[RunRecord], **others: object) -> StudyResults:
    """Results in accuracy, relative to `joint`."""
    given = {"title": "A study", "metric": "accuracy", "higher": True, "reference": "joint", "pending": 0, **others}
    return StudyResults(runs=tuple(runs), **given)


def write_test_table(run: Path, right: np.ndarray, ids: Sequence[str] | None = None, split: str = "test") -> None:
    """The test table of a run whose predictions are right in these samples, bool [N], with two classes."""
    count = len(right)
    label = np.arange(count) % 2
    table = ValuationTable(
        info=TableInfo(("audio", "rgb"), "count", "zeros", "0123456789abcdef", classes=2, class_names=("no", "yes")),
        sample_id=np.array([f"s{number:05d}" for number in range(count)] if ids is None else list(ids)),
        split=np.full(count, "test"),
        label=label,
        prediction=np.where(right, label, 1 - label),
        phi=np.ones((count, 2)),
        outcomes=pack_bits(np.repeat(right[:, None], 4, axis=1)),
        loss=np.zeros(count),
        stderr=np.zeros((count, 2)),
        unimodal_correct=np.repeat(right[:, None], 2, axis=1),
    )
    file = valuation_file(result_folder(run), split)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_table(file, table)


def plausible(
    folder: Path,
    arms: Mapping[str, tuple[float, float]],
    data: Mapping[str, Sequence[str]],
    seeds: int,
    count: int = 200,
) -> StudyResults:
    """Runs with tables and histories.

    Parameters
    ----------
    arms
        What each adds to the accuracy of `joint`, and its cost relative to it.
    data
        Modalities of each data set.
    """
    generator = np.random.default_rng(0)
    runs = []
    for place, (name, modalities) in enumerate(data.items()):
        base, gain = 0.9 - 0.09 * place, 0.4 + 0.4 * place
        difficulty = generator.random(count)
        for arm, (more, cost) in arms.items():
            for seed in range(seeds):
                chance = base + gain * more + generator.normal(0, 0.015)
                right = difficulty + generator.normal(0, 0.05, count) < chance
                path = folder / f"{name}-{arm}-{seed}"
                trained = right & (generator.random(count) > 0.03)
                write_test_table(path, right)
                write_test_table(path, trained, split="uncalibrated_test")
                epochs = round(12 * cost)
                runs.append(
                    RunRecord(
                        name,
                        arm,
                        seed,
                        path,
                        {
                            "test/accuracy": float(right.mean()),
                            "uncalibrated_test/accuracy": float(trained.mean()),
                            "best/accuracy": float(right.mean()) + 0.02,
                            "best/epoch": epochs - 1.0,
                            **{f"phi/test_{m}": 1 + more - 0.2 * i for i, m in enumerate(modalities)},
                            **{f"test/accuracy_{m}": 0.7 + more - 0.1 * i for i, m in enumerate(modalities)},
                        },
                        [_entry(epoch, modalities, more, generator) for epoch in range(epochs)],
                        {
                            "rows": 9000.0 * cost,
                            "encodings": 27000.0 * cost,
                            "fusions": 9000.0 * cost * (7 if arm.startswith("coalition") else 1),
                            "backwards": 9000.0 * cost,
                            "seconds": 14.0 * cost * float(generator.uniform(0.95, 1.05)),
                            "cpu_seconds": 21.0 * cost * float(generator.uniform(0.99, 1.01)),
                            "memory": 300.0 * 2**20,
                        },
                    )
                )
    return results_of(runs)


def _entry(epoch: int, modalities: Sequence[str], more: float, generator: np.random.Generator) -> dict[str, object]:
    rise = 1 - np.exp(-0.3 * (epoch + 1))
    metrics = {"train/loss": 1.5 - rise}
    for place, name in enumerate(modalities):
        metrics[f"phi/val_{name}"] = float(0.5 + rise * (0.9 + 3 * more - 0.5 * place) + generator.normal(0, 0.02))
        metrics[f"val/accuracy_{name}"] = float(rise * (0.8 + 3 * more - 0.15 * place) + generator.normal(0, 0.01))
    return {"epoch": epoch, "metrics": metrics}
