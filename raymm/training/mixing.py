"""Mixup in training: which rows a rank reads for a global batch, how they are mixed, and what cannot be mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.data.mixup import Mixing, partners_of, parts_of
from raymm.errors import ConfigError, Problems
from raymm.methods.registry import get_method
from raymm.seeds import derive, keys_of

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.schema import Schema
    from raymm.training.communicator import Communicator

__all__ = ["check_mixup", "mixed_rows"]

Rows = npt.NDArray[np.int64]


def check_mixup(config: Config, schema: Schema) -> None:
    """Refuse `view.mixup` with all that needs rows of one label, or inputs that are no numbers.

    Raises
    ------
    ConfigError
        With every reason.
    """
    if not config.view.mixes:
        return
    problems = Problems(f"view.mixup.alpha={config.view.mixup.alpha:g}")
    if get_method(config.method.name).reads_labels:
        problems.add(
            f"method={config.method.name} reads the labels or contributions of training rows, and mixed rows have "
            "two labels each; use another method, or no mixup"
        )
    if config.valuation.source == "online":
        problems.add(
            "valuation.source=online values training rows as they are trained, and mixed rows are no samples; use "
            "valuation.source=pass"
        )
    texts = [spec.name for spec in schema.modalities if spec.is_text and spec.name in _read(config, schema)]
    if texts:
        problems.add(f"the words of {', '.join(texts)} cannot be mixed; leave texts out by model.modalities")
    problems.raise_if_any(ConfigError)


def mixed_rows(
    config: Config, schema: Schema, batch: Rows, epoch: int, communicator: Communicator
) -> tuple[Rows, Mixing | None]:
    """What a rank reads of a global batch: its own rows of the plan, and after them partners of other ranks.

    Parameters
    ----------
    batch
        Rows of the plan in the global batch, [rows].
    """
    own = np.arange(communicator.rank, len(batch), communicator.world)
    if not config.view.mixes:
        return batch[own], None
    keys = keys_of(derive(config.training.seed, "mixup", epoch), batch)
    partner, part = partners_of(keys)[own], parts_of(keys[own], config.view.mixup.alpha)
    read = np.concatenate([own, np.setdiff1d(partner, own)])
    place = np.empty(len(batch), np.int64)
    place[read] = np.arange(len(read))
    names = _read(config, schema)
    return batch[read], Mixing(place[partner], part, np.array([name in names for name in schema.names]))


def _read(config: Config, schema: Schema) -> tuple[str, ...]:
    """Modalities that the model reads."""
    return schema.names if config.model.modalities is None else config.model.modalities
