"""How stored samples become a batch: the valuation view, and the augmented view that training reads.

The valuation view is a function of the sample alone. The training view adds shifts, crops and mirroring
keyed by (seed, epoch, row of the plan): the same row sees the same augmentation whatever the batch, the
rank or the number of workers. Noise (`view.noise_db`) is part of the task and the same in both views: keyed
by the sample, so that it does not change between epochs. Only modalities of the mask are read.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchaudio.transforms import MelSpectrogram

from raymm.config import ViewConfig
from raymm.data import transforms
from raymm.data.batch import Batch
from raymm.data.dataset import Dataset
from raymm.data.feature_cache import kept_views
from raymm.data.schema import AudioSpec, FlowSpec, ModalitySpec, RgbSpec, TextSpec
from raymm.data.tokens import tokenize
from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.seeds import derive, keys_of, normal, uniform

__all__ = ["View"]

Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class View:
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
        When `noise_db` names a modality that the data set lacks, or one that is text.
    """

    dataset: Dataset
    config: ViewConfig
    seed: int = 0

    def __post_init__(self) -> None:
        problems = Problems("view.noise_db")
        for name in self.config.noise_db:
            if name not in self.dataset.schema.names:
                problems.add(f"no modality '{name}'; {did_you_mean(name, self.dataset.schema.names)}")
            elif isinstance(self.dataset.schema[name], TextSpec):
                problems.add(f"'{name}' is text, which takes no noise in dB")
        problems.raise_if_any(ConfigError)

    def batch(self, index: Rows, mask: npt.NDArray[np.bool_] | None = None, keys: Keys | None = None) -> Batch:
        """Read samples.

        Parameters
        ----------
        index
            Sample numbers [B].
        mask
            Modalities to keep, bool [B, n]; missing modalities are dropped from it. Default: all.
        keys
            Random keys [B] of the rows, from `augmentation_keys`; None reads the valuation view.
        """
        kept = self.dataset.present[index] if mask is None else mask & self.dataset.present[index]
        inputs = {}
        for position, spec in enumerate(self.dataset.schema.modalities):
            where = np.flatnonzero(kept[:, position])
            own = None if keys is None else keys[where] + np.uint64(position)
            inputs[spec.name] = self._read(spec, index[where], own)
        return Batch(
            inputs=inputs,
            mask=torch.from_numpy(kept),
            labels=torch.from_numpy(self.dataset.label[index]),
            index=torch.from_numpy(index),
        )

    def augmentation_keys(self, epoch: int, rows: Rows) -> Keys | None:
        """Keys of plan rows for `batch`, or None when the configuration augments nothing."""
        return keys_of(derive(self.seed, "augment", epoch), rows) if self.config.augment else None

    def _read(self, spec: ModalitySpec, index: Rows, keys: Keys | None) -> Tensor:
        if isinstance(spec, TextSpec):
            texts = self.dataset.shards.read_text(spec.name, index)
            return torch.from_numpy(tokenize(texts, spec.max_tokens, spec.buckets))
        if keys is None and spec.name in self._kept:
            return torch.from_numpy(np.array(self._kept[spec.name][index]))
        values = self._noisy(spec, index, torch.from_numpy(self.dataset.shards.read(spec.name, index)))
        if isinstance(spec, AudioSpec):
            return self._log_mel(spec, self._shift(values, keys))
        if isinstance(spec, RgbSpec | FlowSpec):
            return self._crop_and_flip(spec, values, keys)
        return self._shift(values, keys) if spec.kind == "sequence" else values

    def _noisy(self, spec: ModalitySpec, index: Rows, values: Tensor) -> Tensor:
        """Standardise stored values and add the configured noise."""
        values = transforms.standardise(spec, values, self.dataset.statistics.get(spec.name))
        level = self.config.noise_db.get(spec.name)
        if level is None or not len(index):
            return values
        keys = keys_of(derive(self.seed, "noise", spec.name), index)
        noise = torch.from_numpy(normal(keys, values[0].numel())).reshape(values.shape)
        return transforms.add_noise(values, noise, level)

    def _shift(self, values: Tensor, keys: Keys | None) -> Tensor:
        if keys is None or not len(keys) or not self.config.shift:
            return values
        reach = self.config.shift * values.shape[-1]
        offsets = np.rint((2 * uniform(keys, 1)[:, 0] - 1) * reach).astype(np.int64)
        return transforms.shift_in_time(values, torch.from_numpy(offsets))

    def _crop_and_flip(self, spec: RgbSpec | FlowSpec, values: Tensor, keys: Keys | None) -> Tensor:
        if keys is None or not len(keys):
            return values
        draws = torch.from_numpy(uniform(keys, 3))
        if self.config.crop:
            values = transforms.shift_in_space(values, self.config.crop, draws[:, :2])
        if self.config.flip:
            values = transforms.mirror(values, draws[:, 2] < 0.5, flow=isinstance(spec, FlowSpec))
        return values

    def _log_mel(self, spec: AudioSpec, waveforms: Tensor) -> Tensor:
        return transforms.log_mel(self._mel[spec.name], waveforms)

    @cached_property
    def _kept(self) -> dict[str, npt.NDArray[np.float32]]:
        """What of the valuation view is kept beside the data set (`raymm.data.feature_cache`)."""
        return kept_views(self)

    @cached_property
    def _mel(self) -> dict[str, MelSpectrogram]:
        return {
            spec.name: MelSpectrogram(spec.rate, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels)
            for spec in self.dataset.schema.modalities
            if isinstance(spec, AudioSpec)
        }
