"""What raymm's loop is measured against: the loop of the manual of torch, and that of published re-sampling code.

Both train on their own reader: a map-style data set of stored values in memory, torch's `DataLoader`, and log-mels,
shifts in time and moved frames made a batch at a time; the model is in `DistributedDataParallel`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from torch.utils.data import Dataset as TorchDataset
from torchaudio.transforms import MelSpectrogram

from raymm.config import Config
from raymm.data import AudioSpec, Batch, Dataset
from raymm.methods import Plan
from raymm.models.model import build_model
from raymm.training.optim import build_optimizer

__all__ = ["PlainLoop"]

SMALLEST = 1e-6
"""Added to mel energies before their logarithm."""

Item = tuple[dict[str, np.ndarray], int, np.ndarray]


class _Rows(TorchDataset[Item]):
    """Rows of a plan: stored values by modality, the label, and which modalities the row keeps."""

    def __init__(self, dataset: Dataset, plan: Plan) -> None:
        names, everything = dataset.schema.names, np.arange(len(dataset))
        self._values = {name: dataset.shards.read(name, everything) for name in names}
        self._label, self._index, self._kept = dataset.label, plan.index, plan.masks(np.arange(len(plan)), len(names))

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, row: int) -> Item:
        sample = self._index[row]
        return {name: values[sample] for name, values in self._values.items()}, self._label[sample], self._kept[row]


class PlainLoop:
    """A training loop in plain torch on one rank, with the model and optimizer that a configuration chooses.

    Parameters
    ----------
    dataset, config, plan
        What is trained, how, and by which rows.
    masked
        Whether rows lack modalities: all are encoded, and features of those that a row lacks are set to 0, row by
        row.
    """

    def __init__(self, dataset: Dataset, config: Config, plan: Plan, masked: bool) -> None:
        rows = _Rows(dataset, plan)
        self._sampler = DistributedSampler(rows, seed=config.training.seed)
        size = config.training.batch_size // torch.distributed.get_world_size()
        self._loader = DataLoader(rows, batch_size=size, sampler=self._sampler)
        self._model = DistributedDataParallel(_Masked(build_model(dataset.schema, config.model, 0), masked))
        self._optimizer = build_optimizer(self._model.parameters(), config.optimizer)
        self._clip, self._inputs = config.optimizer.clip_norm, _Inputs(dataset, config)

    def epoch(self, number: int) -> None:
        """Train the rows of this rank."""
        self._model.train()
        self._sampler.set_epoch(number)
        for values, labels, kept in self._loader:
            self._optimizer.zero_grad()
            functional.cross_entropy(self._model(self._inputs(values), labels, kept), labels).backward()
            if self._clip is not None:
                nn.utils.clip_grad_norm_(self._model.parameters(), self._clip)
            self._optimizer.step()

    def weights(self) -> dict[str, Tensor]:
        """Parameters and buffers of the model."""
        state: dict[str, Tensor] = self._model.module.model.state_dict()
        return state


class _Masked(nn.Module):
    """The model, which encodes every modality of every row."""

    def __init__(self, model: Any, masked: bool) -> None:
        super().__init__()
        self.model, self.masked = model, masked

    def forward(self, inputs: dict[str, Tensor], labels: Tensor, kept: Tensor) -> Tensor:
        """Logits of the modalities that each row keeps."""
        whole = torch.ones_like(kept)
        features = self.model.encode(Batch(inputs, whole, labels, labels))
        if self.masked:
            features = torch.stack([self._of_row(row, keeps) for row, keeps in zip(features, kept, strict=True)])
        logits: Tensor = self.model.fuse(features, whole)
        return logits

    @staticmethod
    def _of_row(row: Tensor, keeps: Tensor) -> Tensor:
        return torch.stack(
            [value if keep else torch.zeros_like(value) for value, keep in zip(row, keeps, strict=True)]
        )


class _Inputs:
    """From stored values to what the encoders are given, moved at random by what `view` allows."""

    def __init__(self, dataset: Dataset, config: Config) -> None:
        self._specs, self._view = dataset.schema.modalities, config.view
        self._moments = {
            name: [torch.tensor(found[key])[:, None, None] for key in ("mean", "std")]
            for name, found in dataset.statistics.items()
        }
        self._mel = {
            spec.name: MelSpectrogram(spec.rate, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels)
            for spec in self._specs
            if isinstance(spec, AudioSpec)
        }

    def __call__(self, stored: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            spec.name: self._sound(spec.name, stored[spec.name])
            if spec.name in self._mel
            else self._frames(spec.name, stored[spec.name])
            for spec in self._specs
        }

    def _sound(self, name: str, waves: Tensor) -> Tensor:
        reach = round(self._view.shift * waves.shape[1])
        padded = functional.pad(waves, (reach, reach))
        starts = torch.randint(2 * reach + 1, (len(waves),)).tolist()
        moved = torch.stack([row[start : start + waves.shape[1]] for row, start in zip(padded, starts, strict=True)])
        spectra = (self._mel[name](moved) + SMALLEST).log()
        deviation, mean = torch.std_mean(spectra, dim=(1, 2), keepdim=True, correction=0)
        return ((spectra - mean) / (deviation + 1e-3)).unsqueeze(1)

    def _frames(self, name: str, frames: Tensor) -> Tensor:
        mean, deviation = self._moments[name]
        values = (frames.float() - mean) / deviation
        high, wide = frames.shape[-2:]
        down, across = (round(self._view.crop * side) for side in (high, wide))
        padded = functional.pad(values.flatten(1, 2), (across, across, down, down), mode="replicate")
        tops, lefts = (torch.randint(2 * reach + 1, (len(frames),)).tolist() for reach in (down, across))
        cut = [
            row[:, top : top + high, left : left + wide] for row, top, left in zip(padded, tops, lefts, strict=True)
        ]
        return torch.stack(cut).view_as(values)
