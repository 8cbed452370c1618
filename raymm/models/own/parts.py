"""A model of modules of one's own: an encoder for each modality, of any width, and a fusion by name or one's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from raymm.config.loading import parse
from raymm.errors import ConfigError, Problems, did_you_mean, in_one_line, mistakes_in
from raymm.models.encoders.registry import build_encoder
from raymm.models.explained import in_words
from raymm.models.fusion.registry import build_fusion
from raymm.models.multimodal import PartsModel
from raymm.models.own.example import example_inputs
from raymm.valuation.protocol import evaluating

if TYPE_CHECKING:
    from raymm.config.model import ModelConfig
    from raymm.data.kinds.base import ModalitySpec
    from raymm.data.schema import Schema

__all__ = ["Model"]

SIZE = 128
"""Feature size where encoders of raymm are the only ones that are named."""

Part = nn.Module | str | Mapping[str, Any]
"""A module; or a part of raymm by its name, or by `name` and its settings."""


class Model(PartsModel):
    """Encoders of one's own, and a fusion; what a builder for `raymm train --model` may return.

    Parameters
    ----------
    schema
        The modalities and outputs, as the builder is given them.
    encoders
        For each modality a module from its inputs [b, ...] to features [b, W] of any width W; a linear projection to
        D follows where W is not D. Or an encoder of raymm, by its name, or by name and settings.
    fusion
        A fusion of raymm, by its name, or by name and settings; or a module `(features [B, n, D], mask [B, n]) -> [B,
        K]`, in which rows do not meet. The baseline stands at masked features.
    feature_size
        D; default: the width of the widest of these modules.

    Raises
    ------
    ConfigError
        Naming every encoder that is missing, unknown, or returns something else for inputs of its modality.

    Examples
    --------
    >>> from raymm.data.schema import Schema
    >>> pose, words = ({"name": name, "kind": "vector", "size": 6} for name in ("pose", "words"))
    >>> schema = Schema(modalities=[pose, words], classes=["sit", "stand", "wave"])
    >>> model = Model(schema, encoders={"pose": nn.Linear(6, 16), "words": nn.Linear(6, 8)}, fusion="sum")
    >>> model.size, model.fuse(torch.zeros(5, 2, 16), torch.ones(5, 2, dtype=torch.bool)).shape
    (16, torch.Size([5, 3]))
    """

    def __init__(
        self,
        schema: Schema,
        encoders: Mapping[str, Part],
        fusion: Part = "concat",
        feature_size: int | None = None,
    ) -> None:
        _check_names(schema, encoders)
        chosen = _of_raymm(encoders, fusion)
        widths = _widths(schema, encoders)
        size = feature_size or max(widths.values(), default=SIZE)
        parts: dict[str, nn.Module] = {}
        for spec in schema.modalities:
            given = encoders[spec.name]
            if not isinstance(given, nn.Module):
                parts[spec.name] = build_encoder(spec, chosen.encoders[spec.name], size)
            else:
                parts[spec.name] = given if widths[spec.name] == size else Projected(given, widths[spec.name], size)
        if isinstance(fusion, nn.Module):
            super().__init__(schema.names, parts, fusion, size, "own")
        else:
            of_raymm = build_fusion(len(schema.names), schema.outputs, size, chosen.fusion)
            super().__init__(schema.names, parts, of_raymm, size, chosen.fusion.name)


class Projected(nn.Module):
    """An encoder, and a linear projection of its features [b, W] to [b, D]."""

    def __init__(self, encoder: nn.Module, width: int, size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = nn.Linear(width, size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Features of the model's width."""
        projected: Tensor = self.projection(self.encoder(inputs))
        return projected


def _check_names(schema: Schema, encoders: Mapping[str, Part]) -> None:
    problems = Problems("raymm.Model: encoders")
    for name in encoders:
        if name not in schema.names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
    for spec in schema.modalities:
        if spec.name not in encoders:
            problems.add(
                f"none for '{spec.name}'; give a module, or one of raymm by its name: '{spec.default_encoder}'"
            )
        elif not isinstance(encoders[spec.name], nn.Module | str | Mapping):
            kind = type(encoders[spec.name]).__name__
            problems.add(f"'{spec.name}' is a {kind}; expected a torch.nn.Module, or the name of one of raymm")
    problems.raise_if_any(ConfigError)


def _of_raymm(encoders: Mapping[str, Part], fusion: Part) -> ModelConfig:
    """The settings of those parts that are raymm's."""
    named = {name: part for name, part in encoders.items() if not isinstance(part, nn.Module)}
    own = {} if isinstance(fusion, nn.Module) else {"fusion": fusion}
    return parse({"model": {"encoders": named, **own}}, "raymm.Model").model


def _widths(schema: Schema, encoders: Mapping[str, Part]) -> dict[str, int]:
    """Width of the features of each module, found with an example of its inputs."""
    found: dict[str, int] = {}
    problems = Problems("")
    for spec in schema.modalities:
        encoder = encoders[spec.name]
        if isinstance(encoder, nn.Module):
            problems.extend(mistakes_in(partial(_add_width, found, spec, encoder)))
    problems.raise_if_any(ConfigError)
    return found


def _add_width(found: dict[str, int], spec: ModalitySpec, encoder: nn.Module) -> None:
    inputs, where = example_inputs(spec, 2), f"raymm.Model: encoders['{spec.name}']"
    with evaluating(encoder), torch.no_grad():
        try:
            features: Any = encoder(inputs)
        except Exception as cause:
            raise ConfigError(f"{where}, called with {in_words(inputs)}, raises {in_one_line(cause)}") from cause
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(inputs):
        raise ConfigError(
            f"{where} returns {in_words(features)} for {in_words(inputs)}; expected features [b, W] of each row"
        )
    found[spec.name] = features.shape[1]
