"""A trial of a model on a few samples before anything is trained: its parts are held to their contract.

An encoder must return `[b, D]` and a fusion `[B, K]`, neither may mix rows, and the `partials` of an additive fusion
must lead to the same logits as the fusion itself, and all of these numbers must be finite. What breaks these rules
can train without complaint and give wrong numbers, or ends training later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from raymm.errors import ConfigError, Problems, in_one_line, mistakes_in
from raymm.models.model import MultimodalModel, build_model
from raymm.valuation.conformance import ModelError, compare_sources, few_coalitions

if TYPE_CHECKING:
    from raymm.config.model import ModelConfig
    from raymm.data.batch import Batch
    from raymm.data.dataset import Dataset
    from raymm.data.reader import BatchReader

__all__ = ["rows_to_try", "trial_mistakes"]

TOLERANCE = 1e-4
"""Largest difference of one row alone and in a batch, in parts of the largest number."""


def rows_to_try(dataset: Dataset) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Two training samples that have it for each modality, as far as there are two, in ascending order."""
    rows = dataset.rows("train")
    return np.unique(np.concatenate([rows[having][:2] for having in dataset.present[rows].T]))


def trial_mistakes(reader: BatchReader, config: ModelConfig) -> list[str]:
    """What is wrong with the parts of a model that can be built, in words; the weights are drawn by seed 0."""
    schema = reader.dataset.schema
    batch = reader.batch(rows_to_try(reader.dataset))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        model = build_model(schema, config, seed=0, statistics=reader.dataset.statistics).eval()
        found = [mistake for name in schema.names for mistake in _encoder_mistakes(model, name, batch)]
        return found or mistakes_in(lambda: _check_fusion(model, batch, schema.outputs, config.fusion.name))


def _encoder_mistakes(model: MultimodalModel, name: str, batch: Batch) -> list[str]:
    values = batch.inputs[name]
    shape = (len(values), model.size)
    return mistakes_in(lambda: _check_rows(f"model.encoders.{name}", model.encoders[name], shape, "[b, D]", values))


def _check_fusion(model: MultimodalModel, batch: Batch, outputs: int, name: str) -> None:
    where = f"model.fusion={name}"
    encoded = model.encode(batch)
    if not torch.isfinite(encoded).all():  # of inputs that are not finite, which training names
        return
    features = torch.where(batch.mask[..., None], encoded, model.baseline)
    _check_rows(where, model.fusion, (len(batch), outputs), "[B, K]", features, batch.mask)
    coalitions = few_coalitions(len(model.names))
    try:
        compare_sources(model, encoded, batch.mask, names=model.names, coalitions=coalitions)
    except ModelError as cause:
        raise ConfigError(f"{where}: {cause}") from cause
    except Exception as cause:
        part = "partials or finish raise" if model.additive else "of some coalition it raises"
        raise ConfigError(f"{where}: {part} {in_one_line(cause)}") from cause


def _check_rows(where: str, part: Callable[..., Any], shape: tuple[int, int], words: str, *inputs: Tensor) -> None:
    """Refuse a part whose output has another shape, is not finite, or has a first row that depends on the others."""
    if not shape[0]:
        return
    try:
        whole, alone = part(*inputs), part(*(values[:1] for values in inputs))
    except Exception as cause:
        raise ConfigError(f"{where}: raises {in_one_line(cause)}") from cause
    problems = Problems(where)
    if not isinstance(whole, Tensor) or whole.shape != shape:
        got = list(whole.shape) if isinstance(whole, Tensor) else f"a {type(whole).__name__}"
        problems.add(f"returns {got} for {shape[0]} rows; expected {words} = {list(shape)}")
    elif not torch.isfinite(whole).all() and all(bool(torch.isfinite(values).all()) for values in inputs):
        problems.add(
            "returns NaN or infinite numbers for finite inputs, before anything is trained; look at its weights"
        )
    elif alone.shape != (1, shape[1]) or _differ(whole[:1], alone):
        problems.add("a row's output depends on the other rows of its batch; each row must be computed by itself")
    problems.raise_if_any(ConfigError)


def _differ(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs differ by more than rounding; what is not finite in both is left to training to name."""
    return not torch.allclose(one, other, rtol=0, atol=TOLERANCE * max(1.0, _largest(one)), equal_nan=True)


def _largest(values: Tensor) -> float:
    return float(values.abs().nan_to_num(nan=0.0, posinf=0.0).max())
