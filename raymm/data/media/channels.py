"""From the channels of a recording to one."""

from functools import lru_cache
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from raymm.data.media.container import Stream
from raymm.data.media.problem import MediaError

__all__ = ["Cancelling", "Channel", "own_order", "to_mono"]

Channel = Literal["downmix", "mean", "left", "right"]
Samples = npt.NDArray[np.float32]
Names = tuple[str, ...]

SIDES = {"left": "FL", "right": "FR"}
NAMELESS = "NONE"
"""FFmpeg's name of a channel that has none."""
USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""FFmpeg's layouts of channels that have no names, by their number."""
SILENT = 1e-8
"""Power below which a channel is silence."""
CANCELLED = 0.01
"""Part of the power of its channels that the mean of stereo keeps, at most, when they are in anti-phase (-20 dB)."""


def own_order(stream: Stream) -> Names | None:
    """Names of the channels of a stream that has them in an order of its own; None where it has a usual one.

    PyAV frees such an order twice, which ends the process. So the decoder of uncompressed sound is told a usual order
    of as many channels (it does not move samples), and other codecs are refused.

    Raises
    ------
    MediaError
        When there is no such order, or the codec is another.
    """
    layout = stream.codec_context.layout
    count = layout.nb_channels
    if not layout.name.startswith(f"{count} channels ("):
        return None
    names = tuple(channel.name for channel in layout.channels)
    stream.codec_context.layout = USUAL.get(count, "mono")
    if count not in USUAL or not stream.codec_context.name.startswith("pcm_"):
        raise MediaError(f"has {count} channels in an order that is not read ({'+'.join(names)})")
    return names


def to_mono(samples: Samples, names: Names, channel: Channel) -> Samples:
    """Samples [channels, n] as one channel [n].

    "downmix" is the mean of stereo. More channels are weighed as ITU-R BS.775 says (front 0.71 and 0.71, centre 1,
    surround 0.5 and 0.5, without the low-frequency channel; the weights come from FFmpeg's swresample) and the
    weights are scaled to sum 1, so that nothing clips. "mean" is that of all channels, "left" and "right" are one.
    Channels without names are taken for those of FFmpeg's usual layout of their number.

    Raises
    ------
    MediaError
        When there is no such channel, or no down-mix.
    """
    if channel == "mean" or (channel == "downmix" and len(samples) <= 2):
        return samples.mean(axis=0)
    names = _named(names)
    if channel == "downmix":
        return np.asarray(_weights(names) @ samples, np.float32)
    return samples[_side(names, SIDES[channel])]


class Cancelling:
    """Whether the two channels of stereo cancel, so that their mean is nearly silent (anti-phase)."""

    def __init__(self) -> None:
        self._channels = self._mean = 0.0
        self._count = 0

    def add(self, samples: Samples) -> None:
        """Samples [channels, n]."""
        if len(samples) == 2 and samples.size:
            self._channels += float(np.square(samples).mean(axis=0).sum())
            self._mean += float(np.square(samples.mean(axis=0)).sum())
            self._count += samples.shape[1]

    @property
    def found(self) -> bool:
        """Whether the mean keeps less than a hundredth of the power of two channels that are not silent."""
        return self._channels > SILENT * self._count and self._mean < CANCELLED * self._channels


def _named(names: Names) -> Names:
    """Names of channels that may have none."""
    if NAMELESS not in names:
        return names
    if len(names) not in USUAL:
        raise MediaError(f"has {len(names)} channels without names; set `channel` to mean")
    return tuple(channel.name for channel in av.AudioLayout(USUAL[len(names)]).channels)


def _side(names: Names, wanted: str) -> int:
    if len(names) == 1:
        return 0
    if wanted not in names:
        raise MediaError(f"has no channel {wanted} (it has {', '.join(names)}); choose another `channel`")
    return names.index(wanted)


@lru_cache(maxsize=32)
def _weights(names: Names) -> npt.NDArray[np.float32]:
    """Weights [channels] of the down-mix of some channels to mono: what comes out of one impulse a channel."""
    every = [channel.name for channel in av.AudioLayout("22.2").channels]
    usual = sorted(names, key=lambda name: every.index(name) if name in every else len(every))
    try:
        impulses = np.eye(len(names), dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(impulses, format="flt", layout="+".join(usual))
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(format="flt", layout="mono")
        found = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
    except (av.FFmpegError, ValueError):
        found = []
    weights: npt.NDArray[np.float32] = np.concatenate([*found, np.zeros(0, np.float32)])
    if len(weights) != len(names) or not weights.sum() > 0:
        raise MediaError(f"has channels for which there is no down-mix ({'+'.join(names)}); set `channel` to mean")
    return weights[[usual.index(name) for name in names]] / weights.sum()
