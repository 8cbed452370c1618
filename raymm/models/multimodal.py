"""The model: features of each modality, a baseline for what is masked, and outputs of what is left.

`encode` runs the encoders of a modality on the rows that have it and on no others. `fuse` puts the baseline where
the mask is False, so a masked modality and a missing one are the same thing.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.config.model import ModelConfig
from raymm.data.batch import Batch
from raymm.data.kinds.base import Statistics
from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.models.by_modality import ByModality
from raymm.models.calibration import Calibration
from raymm.models.fusion.base import AdditiveFusion
from raymm.types import Features, Mask

__all__ = ["MultimodalModel", "PartsModel", "check_modalities"]


class MultimodalModel(nn.Module):
    """A model whose features raymm masks: what training, valuation and export know of a model.

    Parameters
    ----------
    names
        Modalities in schema order; axis n of features and masks.
    size
        D: features of one modality.
    fusion_name
        Name of the fusion in the registry, or "own".

    Attributes
    ----------
    encoders
        The encoder of each modality, by its name.
    has_encoders
        Whether there are such encoders, whose parameters methods may look at.
    masking
        What stands in for a masked feature: `zeros`, `mean` or `learned`.
    read
        Names of the modalities that are encoded and fused; any other is as if every sample lacked it.
    """

    baseline: Tensor
    reads: Tensor
    encoders: Any
    has_encoders: bool = True

    def __init__(self, names: tuple[str, ...], size: int, fusion_name: str) -> None:
        super().__init__()
        self.names, self.size, self.fusion_name = names, size, fusion_name
        self.calibration: Calibration | None = None
        self._mask_by("zeros", names)

    def configure(self, config: ModelConfig) -> None:
        """Take over the settings that hold for every model: baseline, modalities that are read, calibration.

        Raises
        ------
        ConfigError
            When they do not fit the model or the schema.
        """
        check_modalities(self.names, config)
        if config.calibrate == "modality_temperatures" and self.fusion_name != "ensemble":
            raise ConfigError(
                "model.calibrate=modality_temperatures is for fusion=ensemble, whose answer is a mean over the "
                f"modalities, not for fusion={self.fusion_name}; use modality_weights"
            )
        self._mask_by(config.baseline, self.names if config.modalities is None else config.modalities)
        self.calibration = None if config.calibrate == "none" else Calibration(len(self.names), config.calibrate)

    @property
    @abstractmethod
    def sums(self) -> bool:
        """Whether the outputs as trained begin with a sum of one term a modality, `partials_as_trained`."""

    @property
    @abstractmethod
    def head(self) -> Callable[[Tensor], Tensor] | None:
        """From such a sum to the outputs as trained; None where the sum is the outputs."""

    @property
    def additive(self) -> bool:
        """Whether the logits of a coalition follow from a sum of `partials`."""
        weighted = self.calibration is not None and self.calibration.weighs_modalities
        return self.sums and (self.head is None or not weighted)

    @property
    def fusing(self) -> nn.Module:
        """The part on whose mode (training or evaluation) the outputs of given features depend."""
        return self

    @property
    def finish(self) -> Callable[[Float[Tensor, "B H"]], Float[Tensor, "B K"]] | None:
        """From a sum of `partials` to logits; None where the sum is the logits."""
        head = self.head if self.sums else None
        if head is None or self.calibration is None or not self.calibration.fitted:
            return head
        scale = self.calibration.scales[0]
        return lambda sums: scale * head(sums)

    @abstractmethod
    def encode(self, batch: Batch) -> Features:
        """Features [B, n, D]; zeros where a modality does not take part."""

    @abstractmethod
    def encode_whole(self, inputs: Mapping[str, Tensor]) -> Features:
        """Features [B, n, D] of rows that all have a value of every modality that is read, by its name.

        In operations of which none depends on a value, so that it can be written as a graph (`raymm.models.graph`).
        """

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits from features, with the baseline where `mask` is False; corrected once a calibration is fitted."""
        logits = self.fuse_as_trained(features, mask)
        if self.calibration is None or not self.calibration.fitted:
            return logits
        return self.calibration.correct(logits, self.fuse_as_trained, features, mask)

    def fuse_as_trained(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits from features without a calibration."""
        mask = mask if len(self.read) == len(self.names) else mask & self.reads
        logits: Tensor = self.logits_of(torch.where(mask[..., None], features, self.baseline), mask)
        return logits

    @abstractmethod
    def logits_of(self, features: Features, mask: Mask) -> Any:
        """Logits from features in which the baseline stands where `mask` is False."""

    def forward(self, batch: Batch) -> Float[Tensor, "B K"]:
        """Logits of a batch."""
        return self.fuse(self.encode(batch), batch.mask)

    def partials(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """`(partial_logits, bias)`; additive fusions only.

        logits(C) = finish(bias + sum of partial_logits[:, i] over i in C).

        Raises
        ------
        TypeError
            When the fusion is not additive.
        """
        partials, bias = self.partials_as_trained(features)
        if len(self.read) < len(self.names):
            partials = partials * self.reads[:, None]
        if self.calibration is None or not self.calibration.fitted or self.head is not None:
            return partials, bias
        return self.calibration.correct_partials(partials, bias)

    @abstractmethod
    def partials_as_trained(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """`partials` without a calibration, of all modalities; errors as `partials`."""

    def encoder_parameters(self, modality: int) -> list[nn.Parameter]:
        """Parameters of a modality's encoder that are trained."""
        return [one for one in self.encoders[self.names[modality]].parameters() if one.requires_grad]

    @abstractmethod
    def fusion_parameters(self) -> list[nn.Parameter]:
        """Parameters of what follows the encoders that are trained."""

    def set_statistics(self, statistics: Mapping[str, Statistics]) -> None:
        """Tell the statistics of the data, by modality, to encoders that ask for them."""

    def set_baseline(self, mean: Float[Tensor, "n D"]) -> None:
        """Replace the baseline, for `baseline: mean`."""
        with torch.no_grad():
            self.baseline.copy_(mean)

    def _mask_by(self, masking: str, read: tuple[str, ...]) -> None:
        """Start from a baseline of zeros, which is trained where `masking` is "learned"; read some modalities."""
        self.masking = masking
        self.read = frozenset(read)
        self.register_buffer("reads", torch.tensor([name in self.read for name in self.names]), persistent=False)
        baseline = torch.zeros(len(self.names), self.size)
        for kind in (self._buffers, self._parameters):
            kind.pop("baseline", None)
        if masking == "learned":
            self.register_parameter("baseline", nn.Parameter(baseline))
        else:
            self.register_buffer("baseline", baseline)


class PartsModel(MultimodalModel):
    """A module for each modality, from its inputs [b, ...] to features [b, D], and a fusion of the features.

    Parameters
    ----------
    encoders
        By modality.
    fusion
        `(features [B, n, D], mask [B, n]) -> [B, K]`; an `AdditiveFusion` is valued faster.
    """

    fusion: nn.Module

    def __init__(
        self,
        names: tuple[str, ...],
        encoders: Mapping[str, nn.Module],
        fusion: nn.Module,
        size: int,
        fusion_name: str,
    ) -> None:
        super().__init__(names, size, fusion_name)
        self.encoders = ByModality(encoders)
        self.fusion = fusion

    @property
    def sums(self) -> bool:
        """Whether the fusion is an additive one."""
        return isinstance(self.fusion, AdditiveFusion)

    @property
    def head(self) -> Callable[[Tensor], Tensor] | None:
        """What an additive fusion does with its sum."""
        return self.fusion.finish if isinstance(self.fusion, AdditiveFusion) and not self.fusion.linear else None

    @property
    def fusing(self) -> nn.Module:
        """The fusion."""
        return self.fusion

    def encode(self, batch: Batch) -> Features:
        """Features [B, n, D]; zeros where a modality does not take part."""
        columns = []
        for position, name in enumerate(self.names):
            values = batch.inputs[name]
            column = self.baseline.new_zeros(len(batch), self.size)
            if len(values) and name in self.read:
                # their number is that of the values (`Batch`): a GPU is not waited for to count them
                rows = torch.nonzero_static(batch.mask[:, position], size=len(values))[:, 0]
                encoded = self.encoders[name](values)
                column = column.to(encoded.dtype).index_copy(0, rows, encoded)
            columns.append(column.float())
        return torch.stack(columns, dim=1)

    def encode_whole(self, inputs: Mapping[str, Tensor]) -> Features:
        """Features [B, n, D]; zeros where a modality is not read."""
        read = {name: self.encoders[name](values).float() for name, values in inputs.items()}
        none = torch.zeros_like(next(iter(read.values())))
        return torch.stack([read.get(name, none) for name in self.names], dim=1)

    def logits_of(self, features: Features, mask: Mask) -> Any:
        """What the fusion makes of masked features."""
        return self.fusion(features, mask)

    def partials_as_trained(self, features: Features) -> tuple[Float[Tensor, "B n H"], Float[Tensor, " H"]]:
        """Terms of an additive fusion, in which a masked modality adds that of its baseline to the bias."""
        if not isinstance(self.fusion, AdditiveFusion):
            raise TypeError(f"{type(self.fusion).__name__} is not additive")
        absent = self.fusion.partials(self.baseline[None])
        return self.fusion.partials(features) - absent, self.fusion.bias + absent[0].sum(dim=0)

    def set_statistics(self, statistics: Mapping[str, Statistics]) -> None:
        """Tell the statistics of the data, by modality, to encoders that ask for them (`set_statistics`)."""
        for name, encoder in self.encoders.items():
            if callable(take := getattr(encoder, "set_statistics", None)):
                take(statistics.get(name))

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion that are trained."""
        return [one for one in self.fusion.parameters() if one.requires_grad]


def check_modalities(names: tuple[str, ...], config: ModelConfig) -> None:
    """Raise `ConfigError` when `model.modalities` names one that the schema lacks."""
    problems = Problems("model.modalities")
    for name in config.modalities or ():
        if name not in names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, names)}")
    problems.raise_if_any(ConfigError)
