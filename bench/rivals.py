"""(e) Exact values of 5,000 samples with three modalities, against captum and shapiq playing the same games.

Features are given, the head is linear over the concatenation, the utility is `count`. captum and shapiq take one
sample at a time (a slice of the samples is timed); captum also takes batches of 1,000, as raymm does here. Besides:
exact samples a second from 3 to 16 modalities, and 2,560 samples of 12 modalities from features to values.
"""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import shapiq
import torch
from captum.attr import ShapleyValues

from bench.timing import Measured, seconds_of
from raymm.valuation import value_samples

SAMPLES, PLAYERS, SIZE, CLASSES = 5_000, 3, 32, 10
ONE_BY_ONE = 100
GROWTH = {3: 20_000, 8: 5_000, 12: 1_000, 16: 64}


def run(data: Path) -> Measured:
    """Measure on random features; the bar is that of captum, one sample at a time."""
    del data
    torch.set_num_threads(1)
    features, labels, weight = _problem(PLAYERS, SAMPLES)
    ours = statistics.median(seconds_of(lambda: _ours(features, labels, weight)) for _ in range(5)) / SAMPLES
    few = slice(0, ONE_BY_ONE)
    captum_one = seconds_of(lambda: _captum(features[few], labels[few], weight, 1)) / ONE_BY_ONE
    captum_batch = seconds_of(lambda: _captum(features, labels, weight, 1_000)) / SAMPLES
    shapiq_one = seconds_of(lambda: _shapiq(features[few], labels[few], weight)) / ONE_BY_ONE
    assert torch.allclose(_captum(features[few], labels[few], weight, 50), _ours(features[few], labels[few], weight))
    assert np.allclose(_shapiq(features[few], labels[few], weight), _ours(features[few], labels[few], weight))
    details: dict[str, Any] = {
        "us_per_sample": 1e6 * ours,
        "shapiq_over_ours": shapiq_one / ours,
        "captum_batched_over_ours": captum_batch / ours,
        "bars": {"shapiq_over_ours": 90, "captum_batched_over_ours": 8},
        "samples_per_second_exact": {n: _rate(n, count) for n, count in GROWTH.items()},
        "seconds_2560_samples_12_modalities": 2_560 / _rate(12, 2_560),
    }
    return Measured("captum, a sample at a time / raymm, exact n = 3", captum_one / ours, ">=", 500, details)


def _problem(n: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(samples, n, SIZE, generator=generator)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    return features, labels, torch.randn(n, SIZE, CLASSES, generator=generator)


def _ours(features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    base = torch.zeros(CLASSES)

    def partials(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.einsum("bnd,ndk->bnk", z, weight), base

    tiles = zip(features.split(1_000), labels.split(1_000), strict=True)
    return torch.cat([value_samples(_worth_nothing, z, y, partials=partials).phi for z, y in tiles])


def _worth_nothing(features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Never called: the partial logits stand for the model."""
    return features[:, 0] * mask[:, :1]


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
    return samples / seconds_of(lambda: [_ours(z, y, weight) for z, y in tiles])
