"""(b) Rows a second of Ray Train with one worker over the plain loop, in the steady state (first epochs left out).

The two run in turn, seven times, on one thread each; rows and seconds are those that the runs themselves record.
"""

import statistics
import tempfile
from pathlib import Path

from bench.timing import Measured
from raymm.cluster.connect import connect
from raymm.cluster.train import train_on_ray
from raymm.config import Config, load
from raymm.data import Dataset, open_dataset
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open

EPOCHS, LEFT_OUT, TURNS = 8, 2, 7


def run(data: Path) -> Measured:
    """Measure joint training on grid_digits."""
    dataset = open_dataset(data)
    config = load(
        None,
        ("method.name=joint", f"training.epochs={EPOCHS}", "training.threads=1", "cluster.workers=1"),
    )
    plain, on_ray = [], []
    with tempfile.TemporaryDirectory() as folder, connect(config.cluster):
        for turn in range(TURNS):
            plain.append(_rate(Path(folder) / f"plain-{turn}", config, dataset, on_ray=False))
            on_ray.append(_rate(Path(folder) / f"ray-{turn}", config, dataset, on_ray=True))
    ratio = statistics.median(on_ray) / statistics.median(plain)
    details = {"rows_per_second_plain": plain, "rows_per_second_ray": on_ray}
    return Measured("Ray Train, one worker / plain loop", ratio, ">=", 0.95, details)


def _rate(path: Path, config: Config, dataset: Dataset, on_ray: bool) -> float:
    opened = create_or_open(path, config, dataset)
    result = train_on_ray(opened, lambda _: None) if on_ray else train(opened, dataset, Backends())
    steady = [entry["metrics"] for entry in result.history[LEFT_OUT:]]
    return statistics.median(metrics["rows/epoch"] / metrics["time/train_s"] for metrics in steady)
