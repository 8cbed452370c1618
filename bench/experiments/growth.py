"""Works whose growth is measured: valuing given features in three ways, and training an epoch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.experiments.planted import prototypes, show, write_vectors
from bench.experiments.timed import Series, timed
from bench.heads import never_called
from bench.trainer import trainer_of
from raymm.config import load
from raymm.data import BatchReader, Dataset, open_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import base_plan
from raymm.training.epoch import train_epoch
from raymm.valuation import Sampling, get_utility, value_sampled, value_samples
from raymm.valuation.logit_sources import SumSource

__all__ = ["training_series", "valuation_series"]

SIZE, CLASSES = 32, 10
Work = Callable[[], object]


def valuation_series(*, quick: bool) -> list[Series]:
    """Growth of exact values from sums, exact values by fusions, and sampled values."""
    rounds = 1 if quick else 3
    ns = {"sums": range(4, 9 if quick else 17), "fusions": range(3, 7 if quick else 12)}
    samples = (16, 32, 64) if quick else (64, 128, 256, 512, 1024)
    budgets = (32, 64) if quick else (64, 128, 256, 512, 1024)
    exact = {"sums": _by_sums, "fusions": _by_fusions}
    made = []
    for name, work in exact.items():
        what = f"exact values, {'sums of partial logits' if name == 'sums' else 'one fusion a coalition'}"
        formula = "samples x 2^n" if name == "sums" else "samples x 2^n x n"
        power = 0 if name == "sums" else 1
        over_n = {n: (2.0**n * n**power, work(n, 32)) for n in ns[name]}
        over_samples = {count: (float(count), work(8, count)) for count in samples}
        made.append(timed(what, "n", formula, over_n, rounds))
        made.append(timed(f"{what}, n = 8", "samples", formula, over_samples, rounds))
    over_budget = {budget: (float(budget), _sampled(16, 128, budget)) for budget in budgets}
    made.append(timed("sampled values, n = 16", "coalitions", "samples x coalitions", over_budget, rounds))
    sampled = {n: (4.0 * n, _sampled(n, 128, 4 * n)) for n in ((6, 8) if quick else (8, 12, 16, 24, 32))}
    made.append(timed("sampled values, 4 n coalitions", "n", "samples x 4 n", sampled, rounds))
    return made


def training_series(folder: Path, *, quick: bool) -> list[Series]:
    """Growth of an epoch of `joint` and `coalition`, a small encoder a modality, with modalities and samples."""
    rounds = 1 if quick else 3
    ns, counts = ((2, 3), (64, 128)) if quick else ((2, 4, 6, 8, 10), (128, 256, 512, 1024))
    made = []
    for method in ("joint", "coalition"):
        over_n = {n: (float(n), _epoch(_vectors(folder, n, 256), method)) for n in ns}
        over_samples = {count: (float(count), _epoch(_vectors(folder, 4, count), method)) for count in counts}
        made.append(timed(f"an epoch of {method}, 256 samples", "n", "samples x n encoder rows", over_n, rounds))
        made.append(timed(f"an epoch of {method}, n = 4", "samples", "samples", over_samples, rounds))
    return made


def _problem(n: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(n)
    features = torch.randn(samples, n, SIZE, generator=generator)
    return (
        features,
        torch.randint(CLASSES, (samples,), generator=generator),
        torch.randn(n, SIZE, CLASSES, generator=generator),
    )


def _by_sums(n: int, samples: int) -> Work:
    features, labels, weight = _problem(n, samples)
    parts = list(zip(features.split(64), labels.split(64), strict=True))

    def partials(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.einsum("bnd,ndk->bnk", z, weight), torch.zeros(CLASSES)

    return lambda: [value_samples(never_called, z, y, partials=partials) for z, y in parts]


def _by_fusions(n: int, samples: int) -> Work:
    features, labels, _ = _problem(n, samples)
    parts = list(zip(features.split(64), labels.split(64), strict=True))
    head = nn.Sequential(nn.Linear(n * SIZE, 64), nn.ReLU(), nn.Linear(64, CLASSES)).requires_grad_(
        requires_grad=False
    )

    def predict(z: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return head((z * mask[..., None]).flatten(1))

    return lambda: [value_samples(predict, z, y) for z, y in parts]


def _sampled(n: int, samples: int, budget: int) -> Work:
    features, labels, weight = _problem(n, samples)
    partial_logits = torch.einsum("bnd,ndk->bnk", features, weight)
    present = torch.ones(samples, n, dtype=torch.bool)

    def source_of(rows: torch.Tensor) -> SumSource:
        return SumSource(partial_logits[rows], torch.zeros(CLASSES), present[rows])

    sampling = Sampling(budget, seed=0)
    return lambda: value_sampled(source_of, labels, present, get_utility("count"), sampling)


def _vectors(folder: Path, n: int, count: int) -> Dataset:
    """A data set of n vectors with `count` training samples."""
    path = folder / f"vectors-{n}-{count}"
    if (path / "manifest.json").exists():
        return open_dataset(path)
    generator = np.random.default_rng(n)
    label = np.arange(2 * count) % CLASSES
    shown = np.repeat(label[:, None], n, axis=1)
    values = show(prototypes(n, CLASSES, SIZE, generator), shown, np.full(n, 0.5), generator)
    return write_vectors(path, values, label, [f"m{i}" for i in range(n)])


def _epoch(dataset: Dataset, method: str) -> Work:
    config = load(None, (f"method={method}", "training.threads=1", "model.feature_size=32"))
    trainer = trainer_of(dataset, config)
    plan = base_plan(dataset.rows("train"), len(dataset.schema.names))
    loader = BatchLoader(BatchReader(dataset, config.view))
    return lambda: train_epoch(trainer, loader, plan, 0)
