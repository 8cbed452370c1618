"""A batch of the form that a schema says, with values that mean nothing: what widths of modules are found with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from raymm.config.view import ViewConfig
from raymm.data.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor

    from raymm.data.kinds.base import ModalitySpec
    from raymm.data.schema import Schema

__all__ = ["example_batch", "example_inputs"]


def example_inputs(spec: ModalitySpec, rows: int) -> Tensor:
    """Inputs of a modality, [rows, *input_shape], of the type that its encoder gets: silence, black, a word."""
    stored = ["a"] * rows if spec.is_text else np.zeros((rows, *spec.shape), spec.dtype)
    return spec.transform(spec.to_tensor(stored, None), None, ViewConfig())


def example_batch(schema: Schema, rows: int = 2) -> Batch:
    """A batch in which every row has all modalities.

    >>> from raymm.data.schema import Schema
    >>> schema = Schema(modalities=[{"name": "pose", "kind": "vector", "size": 3}], classes=["sit", "stand"])
    >>> example_batch(schema).inputs["pose"].shape
    torch.Size([2, 3])
    """
    none = schema.task.array([], len(schema.classes))
    return Batch(
        inputs={spec.name: example_inputs(spec, rows) for spec in schema.modalities},
        mask=torch.ones(rows, len(schema.names), dtype=torch.bool),
        labels=torch.from_numpy(np.zeros((rows, *none.shape[1:]), none.dtype)),
        index=torch.arange(rows),
    )
