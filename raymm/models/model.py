"""The model: one encoder a modality, a fusion, and a baseline for what is masked.

`encode` runs each encoder on the rows that have its modality and on no others. `fuse` puts the baseline where
the mask is False, so a masked modality and a missing one are the same thing.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.config.model import EncoderConfig, ModelConfig
from raymm.data.batch import Batch
from raymm.data.kinds.base import ModalitySpec, Statistics
from raymm.data.schema import Schema
from raymm.errors import ConfigError, Problems, did_you_mean, mistakes_in
from raymm.models.calibration import Calibration
from raymm.models.encoders.registry import build_encoder, share_settings
from raymm.models.fusion.base import AdditiveFusion, Fusion
from raymm.models.fusion.registry import build_fusion
from raymm.seeds import derive
from raymm.types import Features, Mask

__all__ = ["MultimodalModel", "build_model", "model_mistakes", "unnamed"]


class MultimodalModel(nn.Module):
    """Encoders, fusion and head for the modalities and classes of a schema.

    Attributes
    ----------
    names
        Modalities in schema order; axis n of features and masks.
    masking
        What stands in for a masked feature: `zeros`, `mean` or `learned`.
    read
        Names of the modalities that are encoded and fused; any other is as if every sample lacked it.

    Raises
    ------
    ConfigError
        When an encoder or fusion is unknown or does not fit, or settings name no modality.
    """

    baseline: Tensor
    reads: Tensor

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__()
        _check_names(schema, config)
        self.names = schema.names
        self.read = frozenset(self.names if config.modalities is None else config.modalities)
        self.register_buffer("reads", torch.tensor([name in self.read for name in self.names]), persistent=False)
        self.size = config.feature_size
        self.masking: str = config.baseline
        builders = _encoders_of(schema, config, share_settings(config.encoder, unnamed(schema, config)))
        self.encoders = nn.ModuleDict({name: build() for name, build in builders.items()})
        self.fusion = _fusion_of(schema, config)
        self.calibration = None if config.calibrate == "none" else Calibration(len(self.names), config.calibrate)
        baseline = torch.zeros(len(self.names), config.feature_size)
        if config.baseline == "learned":
            self.baseline = nn.Parameter(baseline)
        else:
            self.register_buffer("baseline", baseline)

    @property
    def additive(self) -> bool:
        """Whether the logits of a coalition follow from a sum of `partials`."""
        weighted = self.calibration is not None and self.calibration.weighs_modalities
        return isinstance(self.fusion, AdditiveFusion) and (self.fusion.linear or not weighted)

    @property
    def finish(self) -> Callable[[Float[Tensor, "B H"]], Float[Tensor, "B K"]] | None:
        """From a sum of `partials` to logits; None where the sum is the logits."""
        if not isinstance(self.fusion, AdditiveFusion) or self.fusion.linear:
            return None
        if self.calibration is None or not self.calibration.fitted:
            return self.fusion.finish
        fusion, scale = self.fusion, self.calibration.scales[0]
        return lambda sums: scale * fusion.finish(sums)

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

    def fuse(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits from features, with the baseline where `mask` is False; corrected once a calibration is fitted."""
        logits = self.fuse_as_trained(features, mask)
        if self.calibration is None or not self.calibration.fitted:
            return logits
        return self.calibration.correct(logits, self.fuse_as_trained, features, mask)

    def fuse_as_trained(self, features: Features, mask: Mask) -> Float[Tensor, "B K"]:
        """Logits from features without a calibration."""
        mask = mask if len(self.read) == len(self.names) else mask & self.reads
        logits: Tensor = self.fusion(torch.where(mask[..., None], features, self.baseline), mask)
        return logits

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
        if not isinstance(self.fusion, AdditiveFusion):
            raise TypeError(f"{type(self.fusion).__name__} is not additive")
        absent = self.fusion.partials(self.baseline[None])
        partials, bias = self.fusion.partials(features) - absent, self.fusion.bias + absent[0].sum(dim=0)
        if len(self.read) < len(self.names):
            partials = partials * self.reads[:, None]
        if self.calibration is None or not self.calibration.fitted or not self.fusion.linear:
            return partials, bias
        return self.calibration.correct_partials(partials, bias)

    def set_statistics(self, statistics: Mapping[str, Statistics]) -> None:
        """Tell the statistics of the data, by modality, to encoders that ask for them (`set_statistics`)."""
        for name, encoder in self.encoders.items():
            if callable(take := getattr(encoder, "set_statistics", None)):
                take(statistics.get(name))

    def set_baseline(self, mean: Float[Tensor, "n D"]) -> None:
        """Replace the baseline, for `baseline: mean`."""
        with torch.no_grad():
            self.baseline.copy_(mean)


def build_model(
    schema: Schema, config: ModelConfig, seed: int, statistics: Mapping[str, Statistics] | None = None
) -> MultimodalModel:
    """A model whose initial weights are a function of `seed` alone; the global generator is left as it was.

    `statistics` are those of the data by modality, which encoders with `normalise=weights` need; without them such an
    encoder gives NaN until a state is loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "model"))
        model = MultimodalModel(schema, config)
    if statistics is not None:
        model.set_statistics(statistics)
    return model


def model_mistakes(schema: Schema, config: ModelConfig) -> list[str]:
    """Everything that keeps this model from being built; each part is tried by itself, so that all are found."""
    shared: dict[str, EncoderConfig] = {}
    found = mistakes_in(lambda: _check_names(schema, config))
    found += mistakes_in(lambda: shared.update(share_settings(config.encoder, unnamed(schema, config))))
    builders: list[Callable[[], nn.Module]] = [*_encoders_of(schema, config, shared).values()]
    builders.append(partial(_fusion_of, schema, config))
    with torch.random.fork_rng(devices=[]):
        for build in builders:
            found += mistakes_in(build)
    return found


def unnamed(schema: Schema, config: ModelConfig) -> list[ModalitySpec]:
    """Modalities whose encoder has no settings of its own."""
    return [spec for spec in schema.modalities if spec.name not in config.encoders]


def _encoders_of(
    schema: Schema, config: ModelConfig, shared: Mapping[str, EncoderConfig]
) -> dict[str, Callable[[], nn.Module]]:
    """What builds the encoder of each modality that has settings, its own or `shared` ones."""
    chosen = {**shared, **config.encoders}
    return {
        spec.name: partial(build_encoder, spec, chosen[spec.name], config.feature_size)
        for spec in schema.modalities
        if spec.name in chosen
    }


def _fusion_of(schema: Schema, config: ModelConfig) -> Fusion:
    return build_fusion(len(schema.names), schema.outputs, config.feature_size, config.fusion)


def _check_names(schema: Schema, config: ModelConfig) -> None:
    problems = Problems("model.encoders")
    for name in config.encoders:
        if name not in schema.names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
    problems.raise_if_any(ConfigError)
    problems = Problems("model.modalities")
    for name in config.modalities or ():
        if name not in schema.names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
    problems.raise_if_any(ConfigError)
