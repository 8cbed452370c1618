"""Sound of which the encoder is given the waveform itself, as networks that were trained on speech read it."""

from typing import ClassVar

from raymm.config.view import ViewConfig
from raymm.data.augmentation import shift_at_random
from raymm.data.kinds.audio import SoundSpec
from raymm.data.kinds.base import Keys
from raymm.deferred import Tensor

__all__ = ["WaveformSpec"]


class WaveformSpec(SoundSpec):
    """A mono waveform, float32 [rate * seconds], from -1 to 1; it is not standardised."""

    default_encoder: ClassVar[str] = "cnn1d"

    kind: str = "waveform"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, *self.shape)

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Waveforms [b, samples], shifted in time where keys are given, as one channel [b, 1, samples]."""
        return shift_at_random(values, keys, config.shift)[:, None]
