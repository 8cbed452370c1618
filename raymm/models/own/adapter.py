"""A model that is wholly one's own, as raymm trains and values it: masked, calibrated and saved as any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from raymm.data.batch import Batch
from raymm.errors import ConfigError
from raymm.models.explained import explained, in_words
from raymm.models.multimodal import MultimodalModel
from raymm.models.own.example import example_batch
from raymm.models.own.features import form_of
from raymm.models.traits import NO_ENCODERS
from raymm.valuation.conformance import ModelError
from raymm.valuation.protocol import evaluating

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.types import Features, Mask

__all__ = ["OwnModel"]


class OwnModel(MultimodalModel):
    """A module with `encode(batch)` and `fuse(features, mask)`, and `partials` and `finish` where it has them.

    `fuse` gets features in the form in which `encode` returned them, with the baseline at masked modalities, and the
    mask. Encoders are those of a `ModuleDict` `encoders` of the module from each modality to a module, if it has one.

    Parameters
    ----------
    own
        The module.
    where
        What it is called in messages.

    Raises
    ------
    ModelError
        When a method raises something, or features have no form that can be laid out.
    ConfigError
        When `fuse` returns no outputs of the task for a batch of the schema's form.
    """

    def __init__(self, own: nn.Module, schema: Schema, where: str) -> None:
        batch = example_batch(schema)
        encode, fuse = (explained(getattr(own, name), name, where) for name in ("encode", "fuse"))
        with evaluating(own), torch.no_grad():
            features = encode(batch)
            form = _named(where, lambda: form_of(features, schema.names, len(batch)))
            outputs = fuse(form.unpack(form.pack(features, batch, frozenset(schema.names))), batch.mask)
        _check_outputs(outputs, (len(batch), schema.outputs), where)
        super().__init__(schema.names, form.size, "own")
        self.own: Any = own
        self.form, self._where = form, where
        self._nothing = {name: values[:0] for name, values in batch.inputs.items()}
        found = getattr(own, "encoders", None)
        self.has_encoders = isinstance(found, nn.ModuleDict) and set(found.keys()) == set(schema.names)

    @property
    def encoders(self) -> Any:
        """Those of the module; raises `ConfigError` where it has none."""
        if not self.has_encoders:
            raise ConfigError(f"{self._where}: this needs the encoder of each modality; {NO_ENCODERS}")
        return self.own.encoders

    @property
    def sums(self) -> bool:
        """Whether the module has `partials`, and does not say `additive = False`."""
        return callable(getattr(self.own, "partials", None)) and bool(getattr(self.own, "additive", True))

    @property
    def head(self) -> Callable[[Tensor], Tensor] | None:
        """The module's `finish`."""
        found: Any = getattr(self.own, "finish", None)
        return explained(found, "finish", self._where) if callable(found) else None

    def encode(self, batch: Batch) -> Features:
        """Features of any form as one tensor [B, n, D]; the module sees nothing of a modality that is not read."""
        if len(self.read) < len(self.names):
            inputs = {name: values if name in self.read else values[:0] for name, values in batch.inputs.items()}
            batch = replace(batch, inputs=inputs, mask=batch.mask & self.reads)
        found = explained(self.own.encode, "encode", self._where)(batch)
        return _named(self._where, lambda: self.form.pack(found, batch, self.read))

    def encode_whole(self, inputs: Mapping[str, Tensor]) -> Features:
        """What the module's `encode` makes of rows that have all that is read."""
        rows = next(iter(inputs.values())).shape[0]
        mask = self.reads.expand(rows, len(self.names))
        batch = _WholeBatch({**self._nothing, **inputs}, mask, mask.long(), mask.long().cumsum(dim=0)[:, 0])
        return self.form.pack_whole(self.own.encode(batch), self.read)

    def logits_of(self, features: Features, mask: Mask) -> Tensor:
        """What the module's `fuse` makes of masked features."""
        logits: Tensor = explained(self.own.fuse, "fuse", self._where)(self.form.unpack(features), mask)
        return logits

    def partials_as_trained(self, features: Features) -> tuple[Tensor, Tensor]:
        """The module's `partials`, in which a masked modality adds nothing."""
        if not self.sums:
            raise TypeError(f"{type(self.own).__name__} has no partials")
        partials, bias = explained(self.own.partials, "partials", self._where)(self.form.unpack(features))
        return partials, bias

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Trained parameters that are of no encoder."""
        of_encoders = {id(one) for name in self.names for one in self.encoders[name].parameters()}
        return [one for one in self.own.parameters() if one.requires_grad and id(one) not in of_encoders]


@dataclass(frozen=True)
class _WholeBatch(Batch):
    """A batch whose rows are not counted: in a graph their number is open."""

    def __post_init__(self) -> None:
        pass


def _named(where: str, check: Callable[[], Any]) -> Any:
    """What a check gives; its `ModelError` says whose model it is."""
    try:
        return check()
    except ModelError as cause:
        raise ModelError(f"{where}: {cause}") from cause


def _check_outputs(found: Any, shape: tuple[int, int], where: str) -> None:
    if not isinstance(found, Tensor) or found.shape != shape:
        raise ConfigError(
            f"{where}: fuse returned {in_words(found)} for {shape[0]} rows; expected [B, K] = {list(shape)}, one "
            "output a class as the task has it"
        )
