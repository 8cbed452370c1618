"""What to do about a loss that is NaN or infinite: where it comes from, as far as that can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.batch import Batch
    from raymm.data.dataset import Dataset

__all__ = ["advice", "inputs_not_finite"]


def inputs_not_finite(batch: Batch, dataset: Dataset) -> list[str]:
    """In words, the modalities of a batch that have values that are NaN or infinite, with their samples."""
    found = []
    for position, (name, values) in enumerate(batch.inputs.items()):
        rows = np.flatnonzero(batch.mask[:, position].numpy())
        bad = rows[~values.isfinite().flatten(1).all(dim=1).numpy()]
        if len(bad):
            first = dataset.shards.ids(batch.index[bad[:1]].numpy())[0]
            found.append(f"{name}: inputs of {len(bad)} of {len(rows)} rows are NaN or infinite, first of '{first}'")
    return found


def advice(bad_inputs: list[str], config: Config, epoch: int, step: int) -> str:
    """What to do about a loss that is not finite at a step whose inputs were looked at, on any rank."""
    if bad_inputs:
        said = "; ".join(bad_inputs) + "; look at these samples, and at how their kind transforms them"
    elif epoch == step == 0:
        said = (
            "it is so before any update of the weights, and all inputs are finite: look at the encoders, the fusion "
            f"and the loss of method={config.method.name}"
        )
        if config.training.precision != "float32":
            said += ", or use training.precision=float32"
    else:
        said = "lower optimizer.lr or set optimizer.clip_norm, or use training.precision=float32"
    return said + ("; the last committed epoch is kept" if epoch else "")
