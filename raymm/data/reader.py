"""How stored samples become a batch: the evaluation transform, and the augmented batches that training reads.

The evaluation transform is a function of the sample alone. Augmented batches have shifts, crops and mirroring
keyed by (seed, epoch, row of the plan): the same row sees the same augmentation whatever the batch, the
rank or the number of workers. Noise (`view.noise_db`) is part of the task and the same in both: keyed
by the sample, so that it does not change between epochs. Only modalities of the mask are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.data import transforms
from raymm.data.batch import Batch
from raymm.data.feature_cache import cached_features
from raymm.errors import ConfigError, DataError, Problems, did_you_mean
from raymm.seeds import derive, keys_of, normal

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.config.view import ViewConfig
    from raymm.data.dataset import Dataset
    from raymm.data.kinds.base import Keys, ModalitySpec, Rows
    from raymm.data.schema import Schema

__all__ = ["BatchReader", "Untransformed", "check_noise"]


def check_noise(schema: Schema, config: ViewConfig) -> None:
    """Raise `ConfigError` when `noise_db` names a modality that the schema lacks, or one that is text."""
    problems = Problems("view.noise_db")
    for name in config.noise_db:
        if name not in schema.names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
        elif not schema[name].takes_noise:
            problems.add(f"'{name}' is {schema[name].kind}, which takes no noise in dB")
    problems.raise_if_any(ConfigError)


@dataclass(frozen=True)
class Untransformed:
    """A batch whose inputs are standardised values, and the random keys of the modalities that wait for a transform.

    Keys are None where the evaluation transform waits.
    """

    batch: Batch
    waiting: Mapping[str, Keys | None]

    def to(self, device: torch.device) -> Untransformed:
        """The same on `device`."""
        return replace(self, batch=self.batch.to(device))

    def pin_memory(self) -> Untransformed:
        """The same in page-locked memory."""
        return replace(self, batch=self.batch.pin_memory())


@dataclass(frozen=True)
class BatchReader:
    """Reads batches from a data set.

    Attributes
    ----------
    dataset, config
        What is read, and how.
    seed
        Seed of the run; noise and augmentation are derived from it.

    Raises
    ------
    ConfigError
        When `noise_db` names a modality that the data set lacks, or one that takes no noise.

    Examples
    --------
    >>> from pathlib import Path
    >>> from raymm.config.view import ViewConfig
    >>> from raymm.data.dataset import Dataset
    >>> from raymm.data.in_memory import MemoryRows
    >>> from raymm.data.schema import Schema
    >>> schema = Schema(modalities=[{"name": "pose", "kind": "vector", "size": 2}], classes=["sit", "stand"])
    >>> rows = MemoryRows(schema, {"pose": [[1.0, 2.0], None, [3.0, 4.0]]})
    >>> batch = BatchReader(Dataset(Path(), schema, rows, statistics={}, digest=""), ViewConfig()).batch(np.arange(3))
    >>> batch.mask.tolist(), batch.inputs["pose"].tolist()
    ([[True], [False], [True]], [[1.0, 2.0], [3.0, 4.0]])
    """

    dataset: Dataset
    config: ViewConfig
    seed: int = 0

    def __post_init__(self) -> None:
        check_noise(self.dataset.schema, self.config)

    @classmethod
    def of(cls, dataset: Dataset, config: Config) -> Self:
        """The reader of a run: by its view and seed, of the modalities that its model reads; errors as the class."""
        return cls(dataset.as_read(config.model.modalities), config.view, config.training.seed)

    def of_all(self) -> Self:
        """The same of all modalities, whatever a model reads."""
        return replace(self, dataset=self.dataset.as_read(None))

    def batch(self, index: Rows, mask: npt.NDArray[np.bool_] | None = None, keys: Keys | None = None) -> Batch:
        """Read samples; parameters and errors as `untransformed`."""
        return self.transformed(self.untransformed(index, mask, keys))

    def untransformed(
        self, index: Rows, mask: npt.NDArray[np.bool_] | None = None, keys: Keys | None = None
    ) -> Untransformed:
        """Read samples, and leave the transforms of their kinds to `transformed`.

        Parameters
        ----------
        index
            Sample numbers [B].
        mask
            Modalities to keep, bool [B, n]; missing modalities are dropped from it. Default: all.
        keys
            Random keys [B] of the rows, from `augmentation_keys`; None is the evaluation transform.

        Raises
        ------
        DataError
            When the shard of a sample was changed after it was written.
        """
        self.dataset.shards.verify(index)
        kept = self.dataset.present[index] if mask is None else mask & self.dataset.present[index]
        cached = self._cached if keys is None else {}
        self.dataset.shards.prefetch(index, kept & [name not in cached for name in self.dataset.schema.names])
        inputs, waiting = {}, {}
        for position, spec in enumerate(self.dataset.schema.modalities):
            where = np.flatnonzero(kept[:, position])
            own = None if keys is None else keys[where] + np.uint64(position)
            if spec.name in cached:
                inputs[spec.name] = torch.from_numpy(cached[spec.name][index[where]])
                continue
            inputs[spec.name] = self._read(spec, index[where], own)
            waiting[spec.name] = own
        batch = Batch(
            inputs=inputs,
            mask=torch.from_numpy(kept),
            labels=torch.from_numpy(self.dataset.label[index]),
            index=torch.from_numpy(index),
        )
        return Untransformed(batch, waiting)

    def transformed(self, read: Untransformed) -> Batch:
        """The batch as the encoders are given it, on the device that it lies on.

        Raises
        ------
        DataError
            When a kind's transform gives another shape than its `input_shape`.
        """
        made = dict(read.batch.inputs)
        for name, keys in read.waiting.items():
            spec, values = self.dataset.schema[name], made[name]
            made[name] = spec.transform(values, keys, self.config)
            if made[name].shape != (len(values), *spec.input_shape):
                raise DataError(
                    f"{name}: the kind '{spec.kind}' transforms {len(values)} rows to {list(made[name].shape)}; by "
                    f"its input_shape they are {[len(values), *spec.input_shape]}"
                )
        return replace(read.batch, inputs=made)

    def batches(self, index: Rows, size: int) -> Iterator[Batch]:
        """Samples in the evaluation view, at most `size` at a time, in order."""
        for start in range(0, len(index), size):
            yield self.batch(index[start : start + size])

    def augmentation_keys(self, epoch: int, rows: Rows) -> Keys | None:
        """Keys of plan rows for `batch`, or None when the configuration augments nothing."""
        return keys_of(derive(self.seed, "augment", epoch), rows) if self.config.augment else None

    def _read(self, spec: ModalitySpec, index: Rows, keys: Keys | None) -> Tensor:
        """Standardised values with the configured noise."""
        shards = self.dataset.shards
        stored = shards.read_text(spec.name, index) if spec.is_text else shards.read(spec.name, index)
        if keys is not None:
            stored = spec.augment_stored(stored, keys, self.config)
        values = spec.to_tensor(stored, self.dataset.statistics.get(spec.name))
        return self._with_noise(spec, index, values)

    def _with_noise(self, spec: ModalitySpec, index: Rows, values: Tensor) -> Tensor:
        """Standardised values with the configured noise."""
        level = self.config.noise_db.get(spec.name)
        if level is None or not len(index):
            return values
        keys = keys_of(derive(self.seed, "noise", spec.name), index)
        noise = torch.from_numpy(normal(keys, values[0].numel())).reshape(values.shape)
        return transforms.add_noise(values, noise, level)

    @cached_property
    def _cached(self) -> dict[str, npt.NDArray[np.float32]]:
        """Results of the evaluation transform that lie beside the data set (`raymm.data.feature_cache`)."""
        return cached_features(self)
