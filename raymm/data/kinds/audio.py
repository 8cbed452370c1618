"""Sound: a mono waveform, of which an encoder is given the log-mel spectrogram."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.view import ViewConfig
from raymm.data.augmentation import mask_spectra_at_random, shift_at_random
from raymm.data.display import Display, Heatmap, Sound
from raymm.data.kinds.base import Keys, ModalitySpec
from raymm.data.kinds.inputs import Probe, SampleFiles
from raymm.data.media.remarks import ANTIPHASE, CLIPPED, of_length
from raymm.data.media.suffixes import holds
from raymm.data.transforms import log_mel
from raymm.deferred import Tensor, torch

if TYPE_CHECKING:
    from torchaudio.transforms import MelSpectrogram

__all__ = ["AudioSpec", "SoundSpec"]


class SoundSpec(ModalitySpec):
    """A mono waveform, float32 [rate * seconds]; what the encoder is given is up to the kinds of sound."""

    is_media: ClassVar[bool] = True
    is_timed: ClassVar[bool] = True
    media_stream: ClassVar[str] = "audio"
    statistics_axis: ClassVar[int | None] = None

    later_settings: ClassVar[frozenset[str]] = frozenset({"channel", "stream"})

    rate: int = Field(default=16_000, ge=1_000, le=384_000, description="samples a second")
    seconds: float = Field(default=1.0, gt=0, le=3_600)
    channel: Literal["downmix", "mean", "left", "right"] = Field(
        default="downmix", description="the mean of stereo, ITU-R BS.775 for more; or that of all, or one channel"
    )
    stream: int | None = Field(default=None, ge=0, description="number among the file's audio streams, from 0 on")

    @classmethod
    def probe(cls, probe: Probe) -> dict[str, Any]:
        """The window."""
        return {} if probe.seconds is None else {"seconds": probe.seconds}

    @classmethod
    def reads(cls, file: str) -> bool:
        return holds(file, "sound", "video")

    @property
    def shape(self) -> tuple[int, ...]:
        return (round(self.rate * self.seconds),)

    def decode(self, cell: Any, files: SampleFiles) -> npt.NDArray[np.float32]:
        """An audio stream from time 0 on; remarked are another length than the window's, anti-phase and clipping."""
        from raymm.data.media.audio import read_sound

        sound = read_sound(files.path(cell), self.rate, self.seconds, self.stream, self.channel)
        heard = sound.antiphase and self.channel in {"downmix", "mean"}
        for remark in of_length(sound.seconds, self.seconds) + [ANTIPHASE] * heard + [CLIPPED] * sound.clipped:
            files.remark(remark)
        return sound.waveform

    def display(self, value: Any) -> Sequence[Display]:
        """The waveform, to listen to."""
        return [Sound(value, self.rate)]


class AudioSpec(SoundSpec):
    """Sound whose log-mel is computed at load (torchaudio).

    It keeps no statistics: a log-mel is standardised clip by clip.
    """

    default_encoder: ClassVar[str] = "cnn"
    is_expensive: ClassVar[bool] = True

    kind: str = "audio"
    n_fft: int = Field(default=400, ge=16)
    hop: int = Field(default=160, ge=1, description="samples between frames of the log-mel")
    n_mels: int = Field(default=64, ge=4)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, self.n_mels, 1 + self.shape[0] // self.hop)

    def transform(self, values: Tensor, keys: Keys | None, config: ViewConfig) -> Tensor:
        """Waveforms [b, samples], shifted in time and masked where keys are given, to log-mel [b, 1, n_mels, T]."""
        spectra = log_mel(
            _mel(self.rate, self.n_fft, self.hop, self.n_mels, str(values.device)),
            shift_at_random(values, keys, config.shift),
        )
        return mask_spectra_at_random(spectra, keys, config.specaugment)

    def display(self, value: Any) -> Sequence[Display]:
        """The waveform, and the log-mel that the encoder is given."""
        waveforms = torch.from_numpy(np.array(value, np.float32))[None]
        spectrum = self.transform(waveforms, None, ViewConfig())[0, 0].numpy()
        axes = f"0 to {len(value) / self.rate:.2f} s", f"0 to {self.rate // 2} Hz in {self.n_mels} bands"
        return [*super().display(value), Heatmap(spectrum, "log-mel", *axes)]


@lru_cache(maxsize=16)
def _mel(rate: int, n_fft: int, hop: int, n_mels: int, device: str) -> "MelSpectrogram":
    from torchaudio.transforms import MelSpectrogram

    return MelSpectrogram(rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels).to(device)
