"""A trial of a model on a few samples before anything is trained: its parts are held to their contract.

An encoder must return `[b, D]` and a fusion `[B, K]`, neither may mix rows, and the `partials` of an additive fusion
must lead to the same logits as the fusion itself, and all of these numbers must be finite. A model that is wholly
one's own may not mix modalities before it fuses them either, and its builder must be a function of the seed. What
breaks these rules can train without complaint and give wrong numbers, or ends training later.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from raymm.errors import ConfigError, RaymmError, in_one_line, mistakes_in
from raymm.models.model import build_model
from raymm.models.multimodal import MultimodalModel, PartsModel
from raymm.models.row_checks import apart_in_words, check_rows
from raymm.valuation.conformance import ModelError, compare_sources, few_coalitions
from raymm.valuation.likeness import close, no_logits
from raymm.valuation.protocol import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from raymm.config.model import ModelConfig
    from raymm.data.batch import Batch
    from raymm.data.dataset import Dataset
    from raymm.data.kinds.base import Statistics
    from raymm.data.reader import BatchReader
    from raymm.data.schema import Schema
    from raymm.tasks.base import Task

__all__ = ["rows_to_try", "trial_mistakes"]

log = logging.getLogger(__name__)


def rows_to_try(dataset: Dataset) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Two training samples that have it for each modality, as far as there are two, in ascending order."""
    rows = dataset.rows("train")
    return np.unique(np.concatenate([rows[having][:2] for having in dataset.present[rows].T]))


def trial_mistakes(reader: BatchReader, config: ModelConfig) -> list[str]:
    """What is wrong with the parts of a model that can be built, in words; the weights are drawn by seed 0."""
    schema, statistics = reader.dataset.schema, reader.dataset.statistics
    rows = rows_to_try(reader.dataset)
    if not len(rows):
        read = ", ".join(config.modalities or schema.names)
        return [f"model.modalities: no training sample has any of {read}, so there is nothing to train"]
    batch = reader.batch(rows)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        model = build_model(schema, config, seed=0, statistics=statistics).eval()
        where = f"model.build={config.build}: "
        if not isinstance(model, PartsModel):
            checks = [
                lambda: _check_encode(model, batch, where),
                lambda: _check_builder(model, schema, config, statistics),
            ]
            found = [mistake for check in checks for mistake in mistakes_in(check)]
            fusion = f"{where}fuse"
        else:
            place = where + "encoders['{}']" if config.build else "model.encoders.{}"
            found = [mistake for name in schema.names for mistake in _encoder_mistakes(model, name, batch, place)]
            found += mistakes_in(lambda: _check_builder(model, schema, config, statistics))
            fusion = f"{where}fusion" if config.build else f"model.fusion={config.fusion.name}"
        found = found or mistakes_in(lambda: _check_fusion(model, batch, schema.outputs, fusion))
        own = config.build is not None or ":" in config.fusion.name
        return found or (mistakes_in(lambda: _check_logits(model, batch, schema.task, fusion)) if own else [])


def _encoder_mistakes(model: PartsModel, name: str, batch: Batch, place: str) -> list[str]:
    values = batch.inputs[name]
    shape = (len(values), model.size)
    return mistakes_in(lambda: check_rows(place.format(name), model.encoders[name], shape, "[b, D]", values))


def _check_encode(model: MultimodalModel, batch: Batch, where: str) -> None:
    """Refuse features that depend on other rows, or on another modality: it would be seen although it is masked."""
    features = _encoded(model, batch)
    seen = batch.mask & model.reads
    if not torch.isfinite(features[seen]).all() and all(bool(values.isfinite().all()) for values in _floats(batch)):
        raise ConfigError(f"{where}encode returns NaN or infinite numbers for finite inputs; look at its weights")
    if not all(close(_encoded(model, _one(batch, row))[0][seen[row]], features[row][seen[row]]) for row in (0, -1)):
        words = apart_in_words("a row's features depend", features[seen], lambda: _encoded(model, batch)[seen])
        raise ConfigError(f"{where}encode: {words}")
    for position, name in enumerate(model.names):
        others = seen.clone()
        others[:, position] = False
        if others.any() and not close(_encoded(model, _without(batch, position, name))[others], features[others]):
            raise ConfigError(
                f"{where}encode: features of other modalities depend on '{name}', which would then be seen although "
                "it is masked; let them meet in fuse"
            )


def _encoded(model: MultimodalModel, batch: Batch) -> Tensor:
    try:
        return model.encode(batch)
    except RaymmError as cause:
        raise ConfigError(str(cause)) from cause


def _floats(batch: Batch) -> list[Tensor]:
    return [values for values in batch.inputs.values() if values.is_floating_point()]


def _one(batch: Batch, row: int) -> Batch:
    """The first row, 0, or the last, -1, by itself."""
    has = batch.mask[row].tolist()
    one = slice(1) if row == 0 else slice(-1, None)
    inputs = {
        name: values[one] if there else values[:0]
        for (name, values), there in zip(batch.inputs.items(), has, strict=True)
    }
    return replace(batch, inputs=inputs, mask=batch.mask[one], labels=batch.labels[one], index=batch.index[one])


def _without(batch: Batch, position: int, name: str) -> Batch:
    """The same rows as if none had a modality."""
    mask = batch.mask.clone()
    mask[:, position] = False
    return replace(batch, inputs={**batch.inputs, name: batch.inputs[name][:0]}, mask=mask)


def _check_builder(
    model: MultimodalModel, schema: Schema, config: ModelConfig, statistics: Mapping[str, Statistics]
) -> None:
    """Refuse a builder of one's own whose model is another, or the very same, when it is called again."""
    if config.build is None:
        return
    again = build_model(schema, config, 0, statistics)
    shared = {id(one) for one in model.parameters()} & {id(one) for one in again.parameters()}
    if shared or fingerprint(again) != fingerprint(model):
        what = "returns the same module" if shared else "makes other weights"
        raise ConfigError(
            f"model.build={config.build}: its builder {what} when it is called again with the same seed, and every "
            "process of a run calls it; make a new module in it, and draw weights by torch's own generator, which is "
            "seeded for it"
        )


def _check_logits(model: MultimodalModel, batch: Batch, task: Task, where: str) -> None:
    """Refuse probabilities of classes, of which the loss would take another softmax, and hardly fall.

    Numbers from 0 to 1 for several labels may be logits by chance: they are said.
    """
    found = no_logits(model.fuse(model.encode(batch), batch.mask), task)
    if found is None:
        return
    if found.made_by == "softmax":
        raise ConfigError(f"{where} returns {found.what}, and the loss takes logits; {found.remedy}")
    log.warning(
        "%s returns what look like %s, and the loss takes logits, so that predictions and values would be wrong; %s",
        where,
        found.what,
        found.remedy,
    )


def _check_fusion(model: MultimodalModel, batch: Batch, outputs: int, where: str) -> None:
    encoded = model.encode(batch)
    if not torch.isfinite(encoded).all():  # of inputs that are not finite, which training names
        return
    features = torch.where(batch.mask[..., None], encoded, model.baseline)
    check_rows(where, model.logits_of, (len(batch), outputs), "[B, K]", features, batch.mask)
    coalitions = few_coalitions(len(model.names))
    try:
        compare_sources(model, encoded, batch.mask, names=model.names, coalitions=coalitions)
    except ModelError as cause:
        raise ConfigError(f"{where}: {cause}") from cause
    except Exception as cause:
        part = "partials or finish raise" if model.additive else "of some coalition it raises"
        raise ConfigError(f"{where}: {part} {in_one_line(cause)}") from cause
