"""Contributions from the training pass: what cannot be valued there, and their distance from the evaluation view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.errors import ConfigError
from raymm.methods.extra_rows import mean_contributions, random_rows
from raymm.seeds import derive
from raymm.tracking import metrics as names
from raymm.valuation.method import largest_exact

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.schema import Schema
    from raymm.models.traits import ModelTraits
    from raymm.training.context import RunContext

__all__ = ["check_online", "online_gap"]

COMPARED = 512
"""Training samples by which contributions from the training pass are compared with the evaluation view."""


def check_online(config: Config, schema: Schema, traits: ModelTraits) -> None:
    """Refuse contributions from the training pass, which are exact, where they would have to be sampled.

    Raises
    ------
    ConfigError
        When `valuation.source` is online and `valuation.method` is sampled, or auto and the modalities are more than
        it enumerates.
    """
    valuation, n = config.valuation, len(schema.names)
    if valuation.source != "online":
        return
    where = "valuation.source=online values each row in its training step, by all of its coalitions"
    if valuation.method == "sampled":
        raise ConfigError(f"{where}: valuation.method=sampled is for valuation.source=pass")
    limit = largest_exact(sums=traits.sums)
    if valuation.method == "auto" and n > limit:
        raise ConfigError(
            f"{where}: {n} modalities have 2^{n}, and valuation.method=auto enumerates them up to {limit} modalities "
            f"of model.fusion={traits.fusion}; use valuation.source=pass, or valuation.method=exact to "
            "enumerate them in every step"
        )


def online_gap(context: RunContext, online: npt.NDArray[np.float64], epoch: int) -> dict[str, float]:
    """How far contributions of the last training pass [N, n] are from the evaluation view by the weights after it.

    Returns
    -------
    `online/gap_NAME`: mean distance over at most 512 samples that were valued in both; NaN where none was.
    """
    train = context.dataset.rows("train")
    rows = random_rows(train, COMPARED, derive(context.config.training.seed, "online_gap"))
    exact = context.value(rows, epoch).phi
    means = mean_contributions(np.abs(exact - online[np.searchsorted(train, rows)]))
    modalities = context.dataset.schema.names
    return {names.gap_metric(name): float(mean) for name, mean in zip(modalities, means, strict=True)}
