"""Fit the calibration of a model in training on its validation split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from raymm.models.calibration import fit_calibration
from raymm.valuation.protocol import evaluating

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.reader import BatchReader
    from raymm.models.model import MultimodalModel

__all__ = ["calibrate"]


def calibrate(model: MultimodalModel, reader: BatchReader, config: Config) -> None:
    """Set the numbers of `model.calibration` to those with the least loss on validation."""
    assert model.calibration is not None
    together, alone, labels = [], [], []
    with evaluating(model), torch.no_grad():
        for read in reader.batches(reader.dataset.rows("val"), config.valuation.batch_size):
            batch = read.to(model.baseline.device)
            features = model.encode(batch)
            together.append(model.fuse_as_trained(features, batch.mask))
            alone.append(_alone(model, features, batch.mask))
            labels.append(batch.labels)
    task = reader.dataset.schema.task
    fit_calibration(model.calibration, torch.cat(together), torch.cat(alone), torch.cat(labels), task)


def _alone(model: MultimodalModel, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Outputs of each modality by itself, [B, n, K]; zeros where a sample lacks it."""
    outputs = []
    for modality in range(mask.shape[1]):
        only = torch.zeros_like(mask)
        only[:, modality] = mask[:, modality]
        outputs.append(model.fuse_as_trained(features, only) * mask[:, modality, None])
    return torch.stack(outputs, dim=1)
