"""(e) Exact values against captum and shapiq, their growth with the modalities, and two valuation actors against one.

Features are given, the head is linear over the concatenation, the utility is `count`. captum and shapiq play the same
games, a sample at a time (a slice of the samples is timed). captum is timed in batches too: in batches of 1,000 like
raymm, and each at its own best among several batch sizes. All are taken in turn, and of each the quickest round
counts. Besides: exact samples a second from 3 to 16 modalities, 2,560 samples of 12 modalities from features to
values, and `bench.actors`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapiq
import torch
from captum.attr import ShapleyValues

from bench import actors
from bench.heads import never_called
from bench.timing import Bar, Measured, seconds_of
from raymm.valuation import value_samples

SAMPLES, PLAYERS, SIZE, CLASSES = 5_000, 3, 32, 10
ONE_BY_ONE = 100
ROUNDS = 25
BATCHES = (250, 500, 1_000, 2_500, 5_000)
GROWTH = {3: 20_000, 8: 5_000, 12: 1_000, 16: 64}


def run(data: Path) -> Measured:
    """Measure on random features; the bar of the whole is that of captum, one sample at a time."""
    del data
    torch.set_num_threads(1)
    features, labels, weight = _problem(PLAYERS, SAMPLES)
    few = slice(0, ONE_BY_ONE)
    works: dict[str, Callable[[], object]] = {
        "captum": lambda: _captum(features[few], labels[few], weight, 1),
        "shapiq": lambda: _shapiq(features[few], labels[few], weight),
    }
    for size in BATCHES:
        works[f"raymm {size}"] = lambda size=size: _ours(features, labels, weight, size)
        works[f"captum {size}"] = lambda size=size: _captum(features, labels, weight, size)
    assert torch.allclose(_captum(features[few], labels[few], weight, 50), _ours(features[few], labels[few], weight))
    assert np.allclose(_shapiq(features[few], labels[few], weight), _ours(features[few], labels[few], weight))
    seconds = _quickest(works)
    each = {name: 1e6 * took / (SAMPLES if " " in name else ONE_BY_ONE) for name, took in seconds.items()}
    best = {who: min(each[f"{who} {size}"] for size in BATCHES) for who in ("raymm", "captum")}
    rates = {n: _rate(n, count) for n, count in GROWTH.items()}
    pool = actors.measure()
    details: dict[str, Any] = {
        "us_per_sample": each,
        "samples_per_second_exact": rates,
        "growth_of_cost_3_to_16": rates[3] / rates[16],
        "growth_of_coalitions_3_to_16": 2**13,
        "two_actors": pool,
    }
    bars = {
        "shapiq, a sample at a time / raymm": Bar(each["shapiq"] / each["raymm 1000"], ">=", 90),
        "captum / raymm, both in batches of 1,000": Bar(each["captum 1000"] / each["raymm 1000"], ">=", 8),
        "captum / raymm, each in its best batches": Bar(best["captum"] / best["raymm"], ">=", 8),
        "one actor / two actors, seconds": Bar(pool["ratio"], ">=", 1.7),
        "seconds for 2,560 samples of 12 modalities": Bar(2_560 / _rate(12, 2_560), "<=", 1.0),
    }
    what = "captum, a sample at a time / raymm, exact n = 3"
    return Measured(what, each["captum"] / each["raymm 1000"], ">=", 500, details, bars)


def _quickest(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of the quickest round of each work, taken in turn after a warm-up."""
    for work in works.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in works.items()} for _ in range(ROUNDS)]
    return {name: min(times[name] for times in rounds) for name in works}


def _problem(n: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(samples, n, SIZE, generator=generator)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    return features, labels, torch.randn(n, SIZE, CLASSES, generator=generator)


def _ours(features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, size: int = 1_000) -> torch.Tensor:
    base = torch.zeros(CLASSES)

    def partials(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.einsum("bnd,ndk->bnk", z, weight), base

    tiles = zip(features.split(size), labels.split(size), strict=True)
    return torch.cat([value_samples(never_called, z, y, partials=partials).phi for z, y in tiles])


def _count(z: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    logits = torch.einsum("bnd,ndk->bk", z * mask[..., None], weight)
    return (logits.argmax(dim=1) == labels) * mask.sum(dim=1)


def _captum(features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, batch: int) -> torch.Tensor:
    explainer = ShapleyValues(lambda mask, z, y: _count(z, mask, y, weight).double())
    parts = zip(features.split(batch), labels.split(batch), strict=True)
    return torch.cat(
        [
            explainer.attribute(torch.ones(len(z), z.shape[1]), additional_forward_args=(z, y)).double()
            for z, y in parts
        ]
    )


def _shapiq(features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor) -> np.ndarray:
    n = features.shape[1]
    rows = []
    for z, y in zip(features, labels, strict=True):

        def play(coalitions: np.ndarray, z: torch.Tensor = z, y: torch.Tensor = y) -> np.ndarray:
            mask = torch.from_numpy(coalitions).float()
            return _count(z.expand(len(mask), -1, -1), mask, y.expand(len(mask)), weight).double().numpy()

        values = shapiq.ExactComputer(play, n)("SV")
        rows.append([values[(player,)] for player in range(n)])
    return np.array(rows)


def _rate(n: int, samples: int) -> float:
    """Exact samples a second."""
    features, labels, weight = _problem(n, samples)
    tiles = list(zip(features.split(64), labels.split(64), strict=True))
    _ours(*tiles[0], weight)
    return samples / min(seconds_of(lambda: [_ours(z, y, weight) for z, y in tiles]) for _ in range(3))
