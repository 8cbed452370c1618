"""Models that are to be valued: a run's, an exported one or a custom one, with the data that they read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from raymm.config.loading import parse
from raymm.config.plugins import absolute_plugins, load_plugins
from raymm.config.sections import Config
from raymm.data.reader import BatchReader
from raymm.errors import ConfigError
from raymm.models.custom import make_custom_model
from raymm.models.data_fit import check_fit
from raymm.models.export import load_model, load_settings, model_folder
from raymm.models.model import MultimodalModel
from raymm.tasks.defaults import with_defaults
from raymm.valuation.conformance import check_model
from raymm.valuation.engine import batches
from raymm.valuation.jobs import Valuing
from raymm.valuation.likeness import no_logits
from raymm.valuation.protocol import evaluating
from raymm.valuation.sampling.designs import refuse_impossible

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.models.export import Exported
    from raymm.tasks.base import Task

__all__ = ["load_for", "load_own", "with_masking", "with_valuation"]

log = logging.getLogger(__name__)

CHECKED = 8
"""Samples on which a custom model is checked."""


def import_plugins(specs: Sequence[str], checkpoint: Path | None) -> list[str]:
    """Import plug-ins, and those that a model was trained with: the data set may need their kinds.

    Returns
    -------
    The first, by their whole paths.

    Raises
    ------
    ConfigError
        When one cannot be imported.
    CheckpointError
        When there is no model.
    """
    found = absolute_plugins(specs)
    load_plugins(found)
    if checkpoint is not None:
        load_settings(model_folder(checkpoint))
    return found


def load_for(checkpoint: Path, dataset: Dataset, split: str, valuation: Mapping[str, Any] | None = None) -> Valuing:
    """Load a run's picked model (or an exported model's folder) to value a split of `dataset`.

    Parameters
    ----------
    valuation
        Settings of the section `valuation` that differ from the run's.

    Raises
    ------
    CheckpointError
        When there is no model, or its modalities or classes are not those of the data set.
    """
    exported = load_model(model_folder(checkpoint))
    check_fit(checkpoint, exported, dataset)
    config = with_valuation(exported.config, valuation or {})
    view = BatchReader.of(_with_statistics(dataset, exported), config)
    return Valuing(exported.model, view, dataset.rows(split), config)


def load_own(spec: str, dataset: Dataset, split: str, valuation: Mapping[str, Any] | None = None) -> Valuing:
    """Load a custom model: `spec` names a function from the schema of the data to a split model.

    Raises
    ------
    ConfigError
        When there is no such function, it raises something, or what it returns is no split model.
    ModelError
        When its methods raise something, its logits are not finite, or its `partials` differ from its `fuse`, at the
        first difference.
    """
    model = make_custom_model(spec, dataset.schema)
    config = with_valuation(with_defaults(Config(), dataset.schema.task), valuation or {})
    view, rows = BatchReader(dataset, config.view), dataset.rows(split)
    few = view.batch(rows[:CHECKED])
    check_model(model, few, few.mask, names=dataset.schema.names)
    with evaluating(model), torch.inference_mode():
        _say_if_not_logits(spec, model.fuse(model.encode(few), few.mask), dataset.schema.task)
    return Valuing(model, view, rows, config)


def _say_if_not_logits(spec: str, outputs: torch.Tensor, task: Task) -> None:
    found = no_logits(outputs, task)
    if found is not None:
        log.warning(
            "%s: fuse returns what look like %s, and they are read as logits, so that the loss and graded utilities "
            "are wrong; %s",
            spec,
            found.what,
            found.remedy,
        )


def with_masking(job: Valuing, masking: str, dataset: Dataset) -> Valuing:
    """The same model with another stand-in for masked features: "zeros", or "mean" over the training split.

    Raises
    ------
    ConfigError
        When the model has no baseline of raymm's, or "learned" is asked of a model that has not learned one.
    """
    model = job.model
    if not isinstance(model, MultimodalModel):
        raise ConfigError(f"--masking {masking}: a custom model decides itself how it masks")
    if masking == job.config.model.baseline:
        return job
    if masking not in {"zeros", "mean"}:
        raise ConfigError(
            f"--masking {masking}: this model was trained with '{job.config.model.baseline}'; zeros and mean can be "
            "put in its place, learned only by training"
        )
    with torch.inference_mode():
        baseline = torch.zeros_like(model.baseline) if masking == "zeros" else _mean_features(job, dataset)
    model.set_baseline(baseline)
    model.masking = masking
    config = parse({**job.config.model_dump(), "model": {**job.config.model.model_dump(), "baseline": masking}})
    return replace(job, config=config)


def _mean_features(job: Valuing, dataset: Dataset) -> torch.Tensor:
    """Mean feature of each modality over the training samples that have it, [n, D]."""
    assert isinstance(job.model, MultimodalModel)
    total = torch.zeros_like(job.model.baseline, dtype=torch.float64)
    count = torch.zeros(len(total), 1, dtype=torch.float64)
    for some in batches(dataset.rows("train"), job.config.valuation.batch_size):
        batch = job.view.batch(some)
        mask = batch.mask[..., None].double()
        total += (job.model.encode(batch) * mask).sum(dim=0)
        count += mask.sum(dim=0)
    return (total / count.clamp(min=1)).float()


def with_valuation(config: Config, settings: Mapping[str, Any]) -> Config:
    """The configuration with other settings of the section `valuation`, validated."""
    found = parse({**config.model_dump(), "valuation": {**config.valuation.model_dump(), **settings}}, "valuation")
    if "budget" in settings:
        refuse_impossible(found.valuation.budget)
    return found


def _with_statistics(dataset: Dataset, exported: Exported) -> Dataset:
    """Standardise as in training, inputs and labels, whatever the statistics of this data set."""
    task = dataset.schema.task.fitted_as(exported.schema.task)
    schema = dataset.schema.model_copy(update={"task": task})
    return replace(dataset, statistics=exported.statistics, schema=schema)
