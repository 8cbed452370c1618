"""Contributions of a split model by their definition: one sample, one coalition, one order of arrival at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from raymm.config import Config
from raymm.data import BatchReader, Dataset, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.models.model import MultimodalModel, build_model
from tests.games import settings
from tests.oracles import shapley_by_permutations
from tests.planted import planted_game

__all__ = ["Incomplete", "Reference", "incomplete_samples", "reference", "restless_model"]


@dataclass(frozen=True)
class Incomplete:
    """A data set some of whose samples lack modalities, and its test split as columns that a predictor takes."""

    dataset: Dataset
    columns: dict[str, list[np.ndarray | None]]


@dataclass(frozen=True)
class Reference:
    """Contributions [B, n] (NaN where missing), and the values of the grand and of the empty coalition [B]."""

    phi: np.ndarray
    grand: np.ndarray
    empty: np.ndarray


def incomplete_samples(path: Path, count: int = 24, n: int = 3) -> Incomplete:
    """Samples of n modalities in noise, all of the test split; a third of the modalities is missing."""
    generator = np.random.default_rng(3)
    game = planted_game(np.ones((count, n), bool), noise=1.0, parts=(0.0, 0.0))
    missing = generator.random((count, n)) < 1 / 3
    missing[missing.all(axis=1), 0] = False
    names = game.schema.names
    columns = {
        name: [None if missing[row, i] else game.features[row, i] for row in range(count)]
        for i, name in enumerate(names)
    }
    samples = (
        Sample(f"s{row:03d}", "test", int(game.label[row]), {name: columns[name][row] for name in names})
        for row in range(count)
    )
    return Incomplete(open_dataset(write_dataset(path, samples, game.schema)), columns)


def restless_model(dataset: Dataset, fusion: str, **valuation: object) -> tuple[MultimodalModel, Config]:
    """An untrained model whose weights and baseline are large, so that coalitions differ; and its settings."""
    config = settings(
        model={"fusion": fusion, "feature_size": 16, "fusion_size": 16, "baseline": "mean"},
        valuation={"batch_size": 5, **valuation},
    )
    model = build_model(dataset.schema, config.model, 0)
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5, generator=generator)
    model.set_baseline(torch.randn(model.baseline.shape, generator=generator))
    return model.eval(), config


@torch.inference_mode()
def reference(
    model: MultimodalModel, view: BatchReader, rows: np.ndarray, utility: str, labels: np.ndarray
) -> Reference:
    """What `model.fuse` makes of every coalition of the modalities that each sample has."""
    batch = view.batch(rows)
    features = model.encode(batch)
    phi, grand, empty = np.full(batch.mask.shape, np.nan), np.zeros(len(rows)), np.zeros(len(rows))
    for row, label in enumerate(labels.tolist()):
        players = torch.nonzero(batch.mask[row])[:, 0].tolist()
        values = []
        for code in range(2 ** len(players)):
            members = [player for i, player in enumerate(players) if code >> i & 1]
            mask = torch.zeros(1, len(features[row]), dtype=torch.bool)
            mask[0, members] = True
            values.append(_value(utility, model.fuse(features[row, None], mask)[0].tolist(), label, len(members)))
        phi[row, players] = [float(value) for value in shapley_by_permutations(values)]
        grand[row], empty[row] = values[-1], values[0]
    return Reference(phi, grand, empty)


def _value(utility: str, logits: list[float], label: int, size: int) -> float | int:
    if utility == "count":
        return size if size and logits.index(max(logits)) == label else 0
    assert utility == "probability"
    weights = np.exp(np.array(logits) - max(logits))
    return float(weights[label] / weights.sum())
