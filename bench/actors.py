"""Seconds that one valuation actor takes over those of two, for work that takes one of them at least 20 seconds.

The actors are processes of a local Ray with one torch thread each. The fusion is attention over eight modalities, run
once a coalition. A first call starts the actors and has them load the model; it is not timed. Pools of one and of two
value the same rows in turn. The ratio of wall times needs two cores that are free: what else runs takes its share of
them. So CPU seconds are recorded too: those of one actor over those of the busier of two is the ratio that free cores
would allow, start-up and waiting for messages aside.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import torch

from bench.timing import seconds_of
from raymm.cluster.connect import connect
from raymm.config import Config, load
from raymm.data import BatchReader, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.models.model import build_model
from raymm.valuation.engine import value_rows

__all__ = ["measure"]

MODALITIES, SIZE, CLASSES, ROWS = 8, 16, 4, 8192
WARM, AT_LEAST, TURNS = 256, 20.0, 2
SETTINGS = ("model.fusion=attention", "model.fusion.size=32", "model.feature_size=32", "cluster.workers=1")


def measure() -> dict[str, Any]:
    """Median ratio, all seconds, the rows valued, and how busy the machine was with other work before."""
    torch.set_num_threads(1)
    config = load(None, SETTINGS)
    inherited = patch.dict(os.environ, OMP_NUM_THREADS="1")  # by the actors
    with tempfile.TemporaryDirectory() as folder, inherited, connect(config.cluster):
        dataset = open_dataset(write_dataset(Path(folder) / "data", _samples(), _schema()))
        return _in_turn(config, BatchReader(dataset, config.view), dataset.rows("train"))


def _in_turn(config: Config, view: BatchReader, rows: np.ndarray) -> dict[str, Any]:
    from raymm.cluster.valuation_pool import ActorPool

    model = build_model(view.dataset.schema, config.model, 0).eval()
    pools = {count: ActorPool(count) for count in (1, 2)}
    for pool in pools.values():
        pool(model, view, rows[:WARM], config)
    some = rows[: _enough(lambda part: pools[1](model, view, part, config), rows)]
    load_before = os.getloadavg()[0]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    busy: dict[int, list[list[float]]] = {1: [], 2: []}
    for _ in range(TURNS):
        for count, pool in pools.items():
            before = _cpu_seconds(pool)
            seconds[count].append(seconds_of(lambda pool=pool: pool(model, view, some, config)))
            busy[count].append([after - then for after, then in zip(_cpu_seconds(pool), before, strict=True)])
    few = some[:WARM]
    same = np.array_equal(pools[2](model, view, few, config).phi, value_rows(model, view, few, config).phi)
    assert same, "two actors and one process give the same values"
    for pool in pools.values():
        pool.close()
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "seconds_one_actor": seconds[1],
        "seconds_two_actors": seconds[2],
        "cpu_seconds_one_actor": busy[1],
        "cpu_seconds_two_actors": busy[2],
        "ratio_by_cpu": statistics.median(one[0] / max(two) for one, two in zip(busy[1], busy[2], strict=True)),
        "samples": len(some),
        "load_average_before": load_before,
        "cores": os.cpu_count(),
    }


def _cpu_seconds(pool: Any) -> list[float]:
    """CPU seconds that each actor of a pool has used."""
    import ray

    processes = [psutil.Process(pid) for pid in ray.get([actor.pid.remote() for actor in pool._actors])]  # noqa: SLF001
    return [sum(process.cpu_times()[:2]) for process in processes]


def _enough(work: Any, rows: np.ndarray) -> int:
    """Rows that keep one actor busy for at least `AT_LEAST` seconds, in whole batches."""
    rate = WARM / seconds_of(lambda: work(rows[:WARM]))
    return min(len(rows), int(np.ceil(1.2 * AT_LEAST * rate / WARM)) * WARM)


def _schema() -> Schema:
    modalities = tuple(VectorSpec(name=f"m{i}", size=SIZE) for i in range(MODALITIES))
    return Schema(modalities=modalities, classes=tuple("abcd"))


def _samples() -> Iterator[Sample]:
    values = np.random.default_rng(0).standard_normal((ROWS, MODALITIES, SIZE)).astype(np.float32)
    for row, parts in enumerate(values):
        yield Sample(f"sample-{row:05d}", "train", row % CLASSES, {f"m{i}": part for i, part in enumerate(parts)})
