"""(q) What starting costs in a small study: processor time outside of its epochs, as a part of the whole.

`raymm study` runs in a process of its own with two lanes; its processor time, and that of all processes that it
starts, is counted from their first instruction on. What is left without the epochs that were trained (each measured
in its process: training, valuation, evaluation) is imports, checks, opening runs, building models, commits, the pass
over test and the report, so starting costs are at most that. Arms that share a warm-up train it once.
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.timing import Measured, processor_seconds_of_raymm
from raymm.storage import layout
from raymm.storage.layout import committed_epochs
from raymm.tracking.metrics import CPU_SECONDS
from raymm.training.checkpoint import read_checkpoint
from raymm.training.run import open_run

__all__ = ["epochs_trained", "run"]

BAR = 0.1
ARMS, SEEDS, LANES = "joint,sample,modality,coalition", "0-4", 2
SETTINGS = ("training.epochs=20", "method.warmup=5", "model.encoder.width=16")


def run(data: Path) -> Measured:
    """Measure one study: four arms, of which three share their warm-ups, with as many seeds as it has by default."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "study"
        words = ["study", "--data", str(data.resolve()), "--arms", ARMS, "--seeds", SEEDS, "--out", str(out)]
        words += ["--backend", "local", "--lanes", str(LANES), "--store", str(Path(folder) / "store"), *SETTINGS]
        total = processor_seconds_of_raymm(words)
        trained = epochs_trained(out)
    return measured(total, trained)


def measured(total: float, trained: dict[str, list[float]]) -> Measured:
    """The share, from the processor time of the whole study and those of its epochs by run."""
    inside = sum(map(sum, trained.values()))
    epochs = {name: len(seconds) for name, seconds in trained.items()}
    details: dict[str, Any] = {"seconds": total, "seconds_of_epochs": inside, "epochs": epochs}
    return Measured(
        "a study of 20 short runs: outside of its epochs / all of it", 1 - inside / total, "<=", BAR, details
    )


def epochs_trained(study: Path) -> dict[str, list[float]]:
    """Processor seconds of every epoch that was trained, by run; one that was taken over is counted where it was."""
    folders = [*sorted((study / layout.WARMUPS).glob("*/*")), *sorted((study / layout.RUNS).glob("*/*/*"))]
    return {str(folder.relative_to(study)): _seconds(folder) for folder in folders if committed_epochs(folder)}


def _seconds(folder: Path) -> list[float]:
    start = open_run(folder).start
    history = read_checkpoint(folder, max(committed_epochs(folder))).history
    return [entry["metrics"][CPU_SECONDS] for entry in history[0 if start is None else start.epoch :]]
