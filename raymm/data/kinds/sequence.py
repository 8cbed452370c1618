"""Multichannel time series, such as those of sensors."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import shift_at_random
from raymm.data.display import Display, Traces
from raymm.data.kinds.base import Keys, ModalitySpec
from raymm.data.kinds.inputs import Probe
from raymm.deferred import Tensor

__all__ = ["SequenceSpec"]


class SequenceSpec(ModalitySpec):
    """A multichannel time series, float32 [channels, length], at `rate` samples a second where known."""

    default_encoder: ClassVar[str] = "cnn1d"

    kind: str = "sequence"
    channels: int = Field(ge=1)
    length: int = Field(ge=1)
    rate: float | None = Field(default=None, gt=0)

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """Channels and length of the first series."""
        channels, length = probe.shapes(2, "[channels, length]", 1)[0]
        return {"channels": channels, "length": length}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, self.length)

    def display(self, value: Any) -> Sequence[Display]:
        """A trace a channel."""
        return [Traces(value, self.rate)]

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Series [b, channels, length], shifted in time where keys are given."""
        return shift_at_random(values, keys, config.shift)
