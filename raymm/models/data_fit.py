"""Whether a data set is one for a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from raymm.errors import CheckpointError, Problems

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.models.export import Exported

__all__ = ["check_fit"]


def check_fit(checkpoint: Path, exported: Exported, dataset: Dataset) -> None:
    """Raise `CheckpointError` when a data set has other modalities, classes or labels than those of a model."""
    problems = Problems(f"{checkpoint} does not fit {dataset.path}")
    then, now = exported.schema, dataset.schema
    if type(then.task) is not type(now.task):
        problems.add(f"task: the model was trained for {then.task.name}; the data has labels of {now.task.name}")
    if then.classes != now.classes:
        problems.add(f"classes: the model knows {', '.join(then.classes)}; the data has {', '.join(now.classes)}")
    if then.modalities != now.modalities:
        problems.add(f"modalities: the model reads {_kinds(then.modalities)}; the data has {_kinds(now.modalities)}")
    problems.raise_if_any(CheckpointError)


def _kinds(modalities: object) -> str:
    assert isinstance(modalities, tuple)
    return ", ".join(f"{spec.name} {spec.kind}{list(spec.shape)}" for spec in modalities)
